"""Where records of drills are kept: the ledger, or a file of JSON lines that is only ever added to."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sla_kit.errors import LedgerError
from sla_kit.exporters.drill.evidence import Evidence, Record, next_record
from sla_kit.replacing import replace_file


def keep(evidence: Evidence, *, ledger: str = "", file: Path | None = None) -> Record:
    """Adds a drill to the ledger where there is one, else to the file. Raises `LedgerError`."""
    if ledger:
        from sla_kit.ledger import open_ledger
        from sla_kit.ledger.drills import append

        with open_ledger(ledger) as kept, kept.store.writing() as connection:
            return append(connection, evidence)
    assert file is not None
    return _append(file, evidence)


def kept_records(*, ledger: str = "", file: Path | None = None) -> list[Record]:
    """All records in their order. Raises `LedgerError` where they can't be read."""
    if ledger:
        from sla_kit.ledger import open_ledger
        from sla_kit.ledger.drills import drills

        with open_ledger(ledger, create=False) as kept, kept.store.reading() as connection:
            return drills(connection)
    assert file is not None
    return _read(file)


@contextmanager
def locked(path: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds a lock file while the block runs; it is free again however the process ends. ``waiting`` is told who holds
    it, once, where somebody does. Raises `LedgerError` where the file can't be written."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LedgerError(
            f"the lock file can't be written: {error.strerror}", place=str(path), remedy="check the folder's rights"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting(os.pread(descriptor, 100, 0).decode(errors="replace").strip())
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Puts a file there whole, or leaves the old one. Raises `LedgerError`."""
    try:
        replace_file(path, content)
    except OSError as error:
        raise LedgerError(
            f"results can't be written: {error.strerror}", place=str(path), remedy="check the folder and its rights"
        ) from None


def now_text() -> str:
    """The time in UTC, to the second (RFC 3339)."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _append(path: Path, evidence: Evidence) -> Record:
    with locked(path.with_name(f".{path.name}.lock")):
        records = _read(path) if path.exists() else []
        made = next_record(evidence, now_text(), records[-1] if records else None)
        try:
            with path.open("ab") as file:
                file.truncate(_whole(path))  # a line that was being written when the machine went down
                file.write(msgspec.json.encode(made) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LedgerError(f"evidence can't be written: {error.strerror}", place=str(path)) from None
    return made


def _read(path: Path) -> list[Record]:
    try:
        lines = path.read_bytes()[: _whole(path)].splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerError(f"evidence can't be read: {error.strerror}", place=str(path)) from None
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(msgspec.json.decode(line, type=Record))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            remedy = "move the file away to begin anew, or bring it back from a backup"
            raise LedgerError(f"line {number} is no record of a drill", place=str(path), remedy=remedy) from None
    return records


def _whole(path: Path) -> int:
    """How many bytes there are up to the end of the last whole line."""
    return path.read_bytes().rfind(b"\n") + 1
