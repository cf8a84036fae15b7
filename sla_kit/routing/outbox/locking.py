"""One router at a time has a SQLite outbox: a lock beside the file, which the kernel lets go of when a process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sla_kit.errors import OutboxError


class FileLock:
    """Held from its making until `release`. A file of its own: SQLite's locks on the database's end when it is closed
    anywhere in the process. It stays where it is, since one that is removed could be held twice. A database that is
    named by a link is locked where it really is; a lock that is a link may be a trap, and is refused.
    """

    def __init__(self, database: Path) -> None:
        database = database.resolve()
        path = database.with_name(f"{database.name}.lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OutboxError(
                f"its lock can't be made: {error.strerror}", place=str(path), remedy="check the folder's permissions"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise OutboxError(
                "another router has this outbox" + (f" (process {holder})" if holder else ""),
                place=str(database),
                remedy="stop it, or give each a file of its own; several routers share an outbox in PostgreSQL",
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets another router have it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
