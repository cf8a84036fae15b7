"""What a run keeps as it goes, so that one that is killed goes on where it was: one small file an expression and day.

A file is written beside its place and moved there, so it is there whole or not at all; its name says of what it is the
answer, so that nothing outdated is ever read.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from sla_kit.errors import SlaKitError
from sla_kit.replacing import replace_file

_FORM = "1"  # of the files; another one when what they hold changes


class KeptSeries(msgspec.Struct, array_like=True, frozen=True):
    """One set of labels and the runs of ticks (first, last, the value at the first) at which it was there."""

    labels: dict[str, str]
    runs: list[tuple[int, int, float]]


class Kept(msgspec.Struct, frozen=True):
    """What one expression gave in one stretch: its series, and the stretches of ticks that failed, with why."""

    series: list[KeptSeries] = []
    failed: list[tuple[int, int, str]] = []


class Begun(msgspec.Struct, frozen=True):
    """A run that has begun: what it was asked, and the moment that it looks back from."""

    question: str
    at: int
    done: bool = False


class StateError(SlaKitError):
    """The folder in which a run keeps what it has can't be used."""


def digest(*parts: object) -> str:
    """A name for what these parts say."""
    return hashlib.sha256("\0".join([_FORM, *map(str, parts)]).encode()).hexdigest()[:32]


class State:
    """A folder of answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def scratch(self) -> Path:
        """Where a server of our own has its data; it can be made again at any time."""
        return self.folder / "prometheus"

    def find(self, name: str) -> Kept | None:
        """An answer that was kept; None where there is none, or its file is damaged."""
        try:
            return msgspec.msgpack.decode(self._path(name).read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, name: str, kept: Kept) -> None:
        """Keeps an answer."""
        self._write(self._path(name), msgspec.msgpack.encode(kept))

    def has_samples(self, name: str) -> bool:
        """Whether samples are kept by that name."""
        return self._sample_path(name).is_file()

    def find_samples(self, name: str) -> bytes | None:
        """The content of a file of samples, None where there is none."""
        try:
            return self._sample_path(name).read_bytes()
        except OSError:
            return None

    def put_samples(self, name: str, content: bytes) -> None:
        """Keeps samples that were fetched."""
        self._write(self._sample_path(name), content)

    def begun(self) -> Begun | None:
        """The last run that began here."""
        try:
            return msgspec.json.decode((self.folder / "run.json").read_bytes(), type=Begun)
        except (OSError, msgspec.MsgspecError):
            return None

    def begin(self, begun: Begun) -> None:
        """Notes that a run has begun, or that it is done."""
        self._write(self.folder / "run.json", msgspec.json.encode(begun))

    def clear_scratch(self) -> None:
        """Takes a server's data away, and the samples that were fetched for it."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.rmtree(self.folder / "samples", ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / "answers" / name[:2] / name[2:]

    def _sample_path(self, name: str) -> Path:
        return self.folder / "samples" / name[:2] / name[2:]

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)
        except OSError as error:
            raise StateError(
                f"what was found can't be kept: {error.strerror or error}",
                place=str(path.parent),
                remedy="give a folder that can be written, by --state",
            ) from error


@contextmanager
def opened_state(folder: Path) -> Iterator[State]:
    """The state in a folder, which belongs to this run alone while the block runs. Raises `StateError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise StateError(
            f"the folder can't be made: {error.strerror or error}", place=str(folder), remedy="give another --state"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateError(
                "another backtest is using this folder",
                place=str(folder),
                remedy="wait for it, or give another --state",
            ) from error
        yield State(folder)
