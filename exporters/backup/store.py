"""Where backups lie: what lists them and reads them, whichever kind of storage it is, and folders as the plainest."""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sla_kit.exporters.sidecar.collector import CollectError

#: How much is read at once where a whole object is read.
CHUNK_BYTES = 1 << 20
_FOLDER = "the folder"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One file or object, as a listing tells it: nothing of it has been read.

    ``name`` is relative to the store, its folders told apart by ``/``. ``modified`` is in seconds since 1970.
    ``etag`` changes whenever the content does, as far as the storage can tell ("" where it can't). ``link`` is true of
    what only refers to another place (a symbolic link). What ``shares`` a text with another object has the same bytes
    under a second name (a hard link); "" where it has only one.
    """

    name: str
    size_bytes: int
    modified: float
    etag: str = ""
    link: bool = False
    shares: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the storage itself says of an object beside its content.

    ``encryption`` is that of the server where it encrypts at rest: "" (it does not), "AES256", "aws:kms", …; ``key``
    names the key (never is one). ``checksums`` are hexadecimal digests of the whole content by algorithm as `hashlib`
    calls it ("sha256"); only those that hold for the whole object, so none of a multipart upload's parts.
    """

    encryption: str = ""
    key: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)


class BackupStore(Protocol):
    """A place with backups in it. Only reads. Used by one thread at a time.

    All of its methods raise `CollectError` (``connect``, ``timeout``, ``auth``, ``data``), whose place is the store's,
    without secrets; ``deadline`` is of `time.monotonic`. A store is made without asking anybody.
    """

    @property
    def place(self) -> str:
        """How messages call it: a folder's path, or ``s3://bucket/prefix``."""
        ...

    def list(self, prefix: str, deadline: float, *, depth: int | None = None) -> Iterator[StoredObject]:
        """All objects whose names begin with ``prefix``, in any order and without holding them all.

        Nothing is wanted more than ``depth`` folders below the store (0: only what lies right in it); a store that
        finds it no harder may give it all the same. A store that is not there raises; an empty one gives nothing.
        """
        ...

    def read(self, found: StoredObject, start: int, length: int, deadline: float) -> bytes:
        """The bytes from ``start``, fewer than ``length`` only where the object ends.

        Raises ``data`` where the object is gone or is no longer the one that was listed.
        """
        ...

    def chunks(self, found: StoredObject, start: int, deadline: float) -> Iterator[bytes]:
        """All bytes from ``start`` to the end, in parts of about `CHUNK_BYTES`, as `read` would give them."""
        ...

    def facts(self, found: StoredObject, deadline: float) -> Facts:
        """What the storage says of an object beside its content: a request each, where it is remote."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class FolderStore:
    """A folder and those below it. Links are named and never followed, save by the folder's own path."""

    path: Path

    @property
    def place(self) -> str:
        """The folder's path."""
        return str(self.path)

    def list(self, prefix: str, deadline: float, *, depth: int | None = None) -> Iterator[StoredObject]:
        """All files whose names begin with ``prefix``; folders in which nothing can be wanted are not opened."""
        left = deque([""])
        while left:
            folder = left.pop()
            if not folder or not _unopened(folder):
                yield from self._right_in(folder, prefix, deadline, depth, left)

    def read(self, found: StoredObject, start: int, length: int, deadline: float) -> bytes:
        """The bytes from ``start``, as long as the file is the one that was listed."""
        descriptor = self._open(found)
        try:
            parts: list[bytes] = []
            while length > 0:
                self._check(deadline, found.name)
                part = os.pread(descriptor, min(length, CHUNK_BYTES), start)
                if not part:
                    break
                parts.append(part)
                start, length = start + len(part), length - len(part)
            return b"".join(parts)
        except OSError as error:
            raise self._failed(error, found.name) from None
        finally:
            os.close(descriptor)

    def chunks(self, found: StoredObject, start: int, deadline: float) -> Iterator[bytes]:
        """All bytes from ``start``; the pages are handed back to the system, which need not remember them."""
        descriptor = self._open(found)
        try:
            while True:
                self._check(deadline, found.name)
                part = os.pread(descriptor, CHUNK_BYTES, start)
                if not part:
                    return
                os.posix_fadvise(descriptor, start, len(part), os.POSIX_FADV_DONTNEED)
                start += len(part)
                yield part
        except OSError as error:
            raise self._failed(error, found.name) from None
        finally:
            os.close(descriptor)

    def facts(self, found: StoredObject, deadline: float) -> Facts:
        """Nothing: a file system does not say how it is encrypted, if it is."""
        return Facts()

    def close(self) -> None:
        """There is nothing to let go of."""

    def _right_in(
        self, folder: str, prefix: str, deadline: float, depth: int | None, deeper: deque[str]
    ) -> Iterator[StoredObject]:
        """What is wanted right in a folder; adds those below it that are wanted to ``deeper``."""
        self._check(deadline, folder)
        try:
            with os.scandir(self.path / folder) as entries:
                for count, entry in enumerate(entries):
                    if count % 1000 == 999:
                        self._check(deadline, folder)
                    name = f"{folder}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        inside = f"{name}/"
                        wanted = inside.startswith(prefix) or prefix.startswith(inside)
                        if wanted and (depth is None or inside.count("/") <= depth):
                            deeper.append(inside)
                    elif name.startswith(prefix):
                        found = _stored(name, entry)
                        if found is not None:
                            yield found
        except OSError as error:
            if folder and isinstance(error, FileNotFoundError):
                return  # taken away since the one above it was listed
            raise self._failed(error, folder or _FOLDER) from None

    def _open(self, found: StoredObject) -> int:
        # Neither a link nor a pipe that has been put there since may be opened: it could lead, or wait, anywhere.
        try:
            descriptor = os.open(self.path / found.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._failed(error, found.name) from None
        if _etag(os.fstat(descriptor)) != found.etag:
            os.close(descriptor)
            raise CollectError("data", f"{found.name} has changed while it was looked at", place=self.place)
        return descriptor

    def _check(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise CollectError(
                "timeout",
                f"reading {what or _FOLDER} took too long",
                place=self.place,
                remedy="set a longer timeout, or keep fewer files in one folder",
            )

    def _failed(self, error: OSError, what: str) -> CollectError:
        reason = error.strerror or type(error).__name__
        if isinstance(error, PermissionError):
            remedy = "let the exporter's user read it"
            return CollectError("auth", f"{what} can't be read: {reason}", place=self.place, remedy=remedy)
        if isinstance(error, FileNotFoundError | NotADirectoryError) and what != _FOLDER:
            return CollectError("data", f"{what} is gone: {reason}", place=self.place)
        remedy = "is the volume mounted, and the path right?"
        return CollectError("connect", f"{what} can't be read: {reason}", place=self.place, remedy=remedy)


def _stored(name: str, entry: os.DirEntry[str]) -> StoredObject | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    link = stat.S_ISLNK(status.st_mode)
    if not link and not stat.S_ISREG(status.st_mode):
        return None
    shares = f"{status.st_dev}-{status.st_ino}" if status.st_nlink > 1 else ""
    return StoredObject(name, status.st_size, status.st_mtime, _etag(status), link, shares)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"


def _unopened(folder: str) -> bool:
    """Folders that no backup is in: hidden ones, and what file systems and snapshots keep for themselves."""
    last = folder.rstrip("/").rpartition("/")[2]
    return last.startswith(".") or last == "lost+found"
