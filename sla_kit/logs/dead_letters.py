"""What could not be loaded, kept in a file that can be mended and loaded: on the disk before it counts."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from sla_kit.errors import SlaKitError
from sla_kit.logs.documents import Document
from sla_kit.logs.reading import Unreadable


class DeadLetterError(SlaKitError):
    """The file of dead letters can't be written: nothing more may be loaded, lest something be lost."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that the cluster did not take, with the status and the reason it gave."""

    document: Document
    status: int
    reason: str


class DeadLetters:
    """A file of dead letters, appended to; it comes into being with its first one. Several threads may write.

    Each line is an object: ``reason``, ``file`` and ``line`` (where it was read), ``id``, and either ``document`` with
    the ``status`` of the refusal, or the ``text`` that could not be read with its ``format``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    def refuse(self, refused: Sequence[Refused]) -> None:
        """Keeps documents that were refused. Raises `DeadLetterError`."""
        self._append([
            {
                "reason": each.reason,
                "status": each.status,
                "file": each.document.file,
                "line": each.document.line,
                "id": each.document.id,
                "document": msgspec.Raw(each.document.source),
            }
            for each in refused
        ])  # fmt: skip

    def unread(self, lines: Sequence[Unreadable]) -> None:
        """Keeps lines that could not be read. Raises `DeadLetterError`."""
        self._append([
            {
                "reason": each.reason,
                "file": each.file,
                "line": each.line,
                "id": each.id,
                "format": each.format,
                "text": each.text,
            }
            for each in lines
        ])  # fmt: skip

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _append(self, letters: Sequence[dict[str, object]]) -> None:
        if not letters:
            return
        content = b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters)
        with self._lock:
            try:
                file = self._file or self._opened()
                end = file.seek(0, os.SEEK_END)
                try:
                    left = memoryview(content)
                    while left:  # a disk that gets full takes a part
                        left = left[file.write(left) :]
                    os.fsync(file.fileno())
                except OSError:
                    # Half a letter would spoil the file for the time when there is room again.
                    file.truncate(end)
                    raise
            except OSError as error:
                raise DeadLetterError(
                    f"what was refused can't be kept: {error.strerror or error}",
                    place=str(self.path),
                    remedy="make room, or name another file by --dead-letters, and load the same files again: nothing "
                    "is loaded twice",
                ) from error
            self.written += len(letters)

    def _opened(self) -> IO[bytes]:
        new = not self.path.exists()
        # What could not be loaded may hold what nobody should read.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        if new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        elif end := self._file.seek(0, os.SEEK_END):
            # A process that died while it wrote may have left a line without its end.
            self._file.seek(end - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")
        return self._file
