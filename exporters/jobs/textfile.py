"""A job's metrics in a file that node_exporter's textfile collector reads: whole or not at all, whatever happens."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sla_kit.errors import SlaKitError
from sla_kit.exporters.jobs.state import State, exposition, state_of

#: How many bytes of a file's name are the job's: file systems take 255, with what stands before and after.
_LONGEST_NAME = 180
_LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Textfile:
    """Writes ``sla_job_<name>.prom`` into a folder, that of node_exporter's ``--collector.textfile.directory``."""

    directory: Path | str

    def update(self, name: str, change: Callable[[State | None], State], patience_seconds: float) -> None:
        """Brings a job's state up to date. Runs of the same job at once wait for each other. Raises `SlaKitError`."""
        folder = Path(self.directory)
        target = folder / file_name(name)
        try:
            with _locked(folder, min(patience_seconds, _LOCK_SECONDS)):
                _replace(folder, target, exposition(name, change(_read(target))))
        except OSError as error:
            raise SlaKitError(
                f"the metrics of the job {name!r} can't be written: {error.strerror or type(error).__name__}",
                place=str(target),
                remedy="check that the folder is there, has room, and that the job's user may write into it",
            ) from None


def file_name(job: str) -> str:
    """The file of a job: no two jobs share one, and no name leads out of the folder or past what it may hold."""
    escaped = quote(job, safe="").replace("~", "%7E")
    if len(escaped) > _LONGEST_NAME:
        # No name without it has a ~: a cut one can't be taken for another.
        escaped = f"{escaped[:_LONGEST_NAME]}~{hashlib.sha256(job.encode()).hexdigest()[:24]}"
    return f"sla_job_{escaped}.prom"


@contextmanager
def _locked(folder: Path, seconds: float) -> Iterator[None]:
    """Holds the folder while a file in it is read and replaced; a lock of the kernel, which ends with its process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(0, f"another process has held the folder for {seconds:g} s") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _read(target: Path) -> State:
    """What the file tells; nothing is known where it isn't there, or was damaged by another hand."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        text = target.read_text(encoding="utf-8")
        families = list(text_string_to_metric_families(text))
    except FileNotFoundError:
        return State()
    except (ValueError, KeyError, IndexError):
        return State()
    return state_of((sample.name, sample.labels, sample.value) for family in families for sample in family.samples)


def _replace(folder: Path, target: Path, text: str) -> None:
    """Puts the text in the file's place, so that a reader finds the old or the new one, and so does whoever comes after
    a crash. The folder is locked: what lies under the temporary name was left by somebody who was killed."""
    temporary = folder / f".{target.name}.tmp"
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # node_exporter runs as another user, whatever the job's umask
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder_descriptor)
    finally:
        os.close(folder_descriptor)
