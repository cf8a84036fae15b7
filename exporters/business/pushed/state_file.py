"""The SQLite file that holds what was pushed: for one process that writes, and whoever reads.

A commit waits for the disk, so that what was answered with 2xx survives a loss of power, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sla_kit.errors import SlaKitError
from sla_kit.exporters.sidecar.collector import CollectError

_log = logging.getLogger(__name__)
#: Says in the file's header that it is ours ("slap"), and in which form.
_APPLICATION, _FORM = 0x736C6170, 1
_TABLES = """
CREATE TABLE series (id INTEGER PRIMARY KEY, metric TEXT NOT NULL, type TEXT NOT NULL, labels TEXT NOT NULL,
  value REAL NOT NULL DEFAULT 0, precision INTEGER NOT NULL DEFAULT 0, updated REAL NOT NULL,
  UNIQUE (metric, type, labels));
CREATE TABLE bucket (series INTEGER NOT NULL, bound REAL NOT NULL, amount REAL NOT NULL, PRIMARY KEY (series, bound))
  WITHOUT ROWID;
CREATE TABLE seen (series INTEGER NOT NULL, key INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (series, key))
  WITHOUT ROWID;
CREATE TABLE request (key BLOB PRIMARY KEY, digest BLOB NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX request_at ON request (at);
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
_WAIT_SECONDS = 5.0


class StateFile:
    """The file, or memory where ``path`` is None. ``connection`` is that of what writes, for whoever holds ``lock``."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self._owner: int | None = None
        self._opened: tuple[int, int] | None = None

    def open(self) -> bool:
        """Takes the file for this process alone; whether it was not open before. Raises `SlaKitError`."""
        with self.lock:
            if self.connection is not None:
                return False
            self._take()
            try:
                with self.told("opened"):
                    self.connection = self._connect()
                    self._opened = self._identity()
            except BaseException:
                self.close()
                raise
            return True

    def renew(self) -> bool:
        """Opens what is there now where the file was taken away or replaced, so that nothing is kept in one that nobody
        can find again; whether it was so. Raises `CollectError`."""
        with self.lock:
            if self.path is None or self.connection is None or self._identity() == self._opened:
                return False
            with self.told("opened"):
                fresh = self._connect()
            self.connection.close()
            self.connection, self._opened = fresh, self._identity()
            _log.warning("the state of what was pushed was taken away or replaced: what is there now counts")
            return True

    def close(self) -> None:
        """Lets go of the file; memory stays."""
        with self.lock:
            if self.connection is not None and self.path is not None:
                self.connection.close()
                self.connection = None
            if self._owner is not None:
                os.close(self._owner)
            self._owner = None

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat() if self.path is not None else None
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found is not None else None

    def _take(self) -> None:
        """Holds a lock beside the file: two processes that count into one would each know half of it."""
        if self.path is None or self._owner is not None:
            return
        beside = self.path.with_name(self.path.name + ".lock")
        try:
            owner = os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SlaKitError(
                f"the state of what is pushed can't be kept: {error.strerror}",
                place=str(beside),
                remedy="the folder of state must exist, and be writable by the exporter",
            ) from None
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(owner)
            raise SlaKitError(
                "another exporter keeps there what is pushed to it",
                place=str(self.path),
                remedy="let every exporter have a state file of its own",
            ) from None
        self._owner = owner

    def _connect(self) -> sqlite3.Connection:
        if self.path is not None:  # SQLite would let everybody read it; what it makes beside has the same rights
            with contextlib.suppress(OSError):
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self.path or ":memory:", timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (form,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not (application or form or tables):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(
                    f"BEGIN; {_TABLES} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_FORM}; COMMIT"
                )
            elif (application, form) != (_APPLICATION, _FORM):
                raise CollectError(
                    "internal",
                    "this is a database of something else, or of another version",
                    place=str(self.path),
                    remedy="name another file under state:",
                )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("INSERT OR IGNORE INTO setting VALUES ('hash key', ?)", (os.urandom(32),))
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def reading(self, deadline: float) -> Iterator[sqlite3.Connection | None]:
        """A connection to read one state of the file by, beside what writes; None where there is no file yet."""
        if self.path is None:
            with self.lock:
                yield self.connection
            return
        if not self.path.exists():
            yield None
            return
        with self.told("read"):
            connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
            try:
                connection.execute("PRAGMA query_only = 1")
                connection.set_progress_handler(lambda: time.monotonic() > deadline, 50_000)
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.close()

    @contextmanager
    def told(self, done: str) -> Iterator[None]:
        """What SQLite says, in words that help."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            if "interrupted" in str(error):
                raise CollectError("timeout", "took too long to count", remedy="raise timeout") from None
            raise CollectError(
                "internal",
                f"the state of what was pushed can't be {done}: {error}",
                place=str(self.path or "memory"),
                remedy="see its folder's rights and the disk; if it is damaged, put a copy back or take it away",
            ) from None
