"""Sums that outlive the process: totals of counters, and the watermarks that they have counted to, in one SQLite file.

A total and the watermark that it was counted to are committed in one transaction. Whenever the process is killed, the
file holds both as they were before or both as they are after: nothing is counted twice, nothing is left out. After a
loss of power the last transactions may be missing, but always whole ones; what is counted by a watermark is then
counted again from there.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from sla_kit.exporters.sidecar.collector import CollectError

_log = logging.getLogger(__name__)
#: How far a query has counted: the largest id, the newest time.
Watermark = int | float | str | Decimal | datetime
#: Says in the file's header that it is ours ("slac"), and in which form.
_APPLICATION, _FORM = 0x736C6163, 1
_TABLES = """
CREATE TABLE total (metric TEXT NOT NULL, labels TEXT NOT NULL, amount REAL NOT NULL, PRIMARY KEY (metric, labels))
  WITHOUT ROWID;
CREATE TABLE watermark (name TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
"""
_WAIT_SECONDS = 5.0
_ADD = """
INSERT INTO total (metric, labels, amount) VALUES (?, ?, ?)
ON CONFLICT (metric, labels) DO UPDATE SET amount = amount + excluded.amount
"""
_SET = """
INSERT INTO watermark VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, value = excluded.value
"""


class Counters:
    """The sums in one file, which is made at the first use; for several threads and several processes at a time.

    Sums are exact up to 2^53, as all of Prometheus's values are. Every method raises `CollectError` (``internal``)
    where the file can't be used: damaged, not ours, not to be written, or held by another process for too long.

    Where it is ``rehearsing``, every transaction ends as if it had never been, and no file is made.
    """

    def __init__(self, path: Path, *, rehearsing: bool = False) -> None:
        self.path = path
        self._rehearsing = rehearsing
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._in_memory = False
        self._opened: tuple[int, int] | None = None
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is read and written inside is one state of the file, committed at the end, or not at all if it raises.

        Other threads and processes wait meanwhile: ask no source in here. One inside another is part of the outer one.
        """
        with self._lock:
            if self._depth:
                yield
                return
            with self._told("opened"):
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                with self._told("written"):
                    connection.execute("ROLLBACK" if self._rehearsing else "COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                self._depth = 0

    def add(self, metric: str, labels: Mapping[str, str], amount: float) -> None:
        """Adds to one series of a metric; 0 makes it appear. Raises `ValueError` where the amount is below 0 or not
        finite."""
        if not 0 <= amount < float("inf"):
            raise ValueError(f"a counter can't grow by {amount}")
        with self.transaction(), self._told("written"):
            assert self._connection is not None
            self._connection.execute(_ADD, (metric, _key(labels), float(amount)))

    def totals(self, metric: str) -> list[tuple[dict[str, str], float]]:
        """The series of a metric, each with its labels and sum."""
        with self.transaction(), self._told("read"):
            assert self._connection is not None
            rows = self._connection.execute(
                "SELECT labels, amount FROM total WHERE metric = ? ORDER BY labels", (metric,)
            )
            return [(dict(json.loads(labels)), amount) for labels, amount in rows]

    def watermark(self, name: str) -> Watermark | None:
        """How far ``name`` has counted; None where it hasn't yet."""
        with self.transaction(), self._told("read"):
            assert self._connection is not None
            row = self._connection.execute("SELECT kind, value FROM watermark WHERE name = ?", (name,)).fetchone()
            return None if row is None else _READ[row[0]](row[1])

    def set_watermark(self, name: str, value: Watermark) -> None:
        """Says how far ``name`` has counted; to be in one transaction with what was added."""
        kind = next(kind for kind, types in _KINDS.items() if isinstance(value, types))
        text = value.isoformat() if isinstance(value, datetime) else repr(value) if kind == "float" else str(value)
        with self.transaction(), self._told("written"):
            assert self._connection is not None
            self._connection.execute(_SET, (name, kind, text))

    def close(self) -> None:
        """Lets go of the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._in_memory or _identity(self.path) == self._opened:
                return self._connection
            # What is counted in a file that nobody can find again would be lost at the end of the process.
            _log.warning("the state file was taken away or replaced: counting goes on from what is there now")
            self.close()
        path = ":memory:" if self._rehearsing and not self.path.exists() else self.path
        connection = sqlite3.connect(
            path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (form,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if (application, form) != (_APPLICATION, _FORM):
                self._make(connection, empty=not (application or form or tables))
            ((sound,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            if sound != "ok":
                raise sqlite3.DatabaseError(sound)
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        self._connection, self._in_memory = connection, path == ":memory:"
        self._opened = _identity(self.path)
        return connection

    def _make(self, connection: sqlite3.Connection, *, empty: bool) -> None:
        if empty:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")  # another process may be making it, too
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application == _APPLICATION:
            connection.execute("COMMIT")
            (form,) = connection.execute("PRAGMA user_version").fetchone()
            if form != _FORM:
                raise CollectError(
                    "internal",
                    f"the state file has form {form}, and this version knows {_FORM}",
                    place=str(self.path),
                    remedy="use the version of sla-kit that wrote it, or another file",
                )
            return
        if not empty:
            raise CollectError(
                "internal",
                "this is a database of something else, not the exporter's state",
                place=str(self.path),
                remedy="name another file under state:",
            )
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {_FORM}")
        connection.execute("COMMIT")

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:  # what is wrong has been told; a new connection begins anew
            self.close()

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        """What SQLite says, in words that help."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            # ValueError: what is stored is not what we store
            message, remedy = _reason(error)
            raise CollectError(
                "internal", f"the state file can't be {done}: {message}", place=str(self.path), remedy=remedy
            ) from None


#: The types of watermarks by what the file calls them, and how they are read again.
_KINDS: dict[str, type] = {"int": int, "float": float, "decimal": Decimal, "time": datetime, "text": str}
_READ: dict[str, Callable[[str], Watermark]] = {
    "int": int,
    "float": float,
    "decimal": Decimal,
    "time": datetime.fromisoformat,
    "text": str,
}


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another in its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _key(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(labels.items())), ensure_ascii=False, separators=(",", ":"))


def _reason(error: Exception) -> tuple[str, str]:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another process holds it", "let every exporter have a state file of its own"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return str(error), "its folder must exist, and both be writable by the exporter"
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return str(error), "see whether its disk is full or failing"
    return (
        f"it is damaged ({error})",
        "put a copy of it back, or take it away: counters by a watermark then count again from their start",
    )
