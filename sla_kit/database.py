"""A database behind a ledger or an outbox: its address, and SQLite files whose commits outlive a loss of power."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from sla_kit.errors import SlaKitError

#: The execution option of a connection that writes.
WRITES = "sla_kit_writes"
_REMEDY = "write the path of a file, or postgresql://user@host/database"


def parse_address(address: str, error: type[SlaKitError], what: str) -> tuple[URL, Path | None]:
    """The URL of a database, and the path where it is a file: of a path, ``sqlite:///…`` or ``postgresql://…``.

    Raises ``error``, which speaks of ``what`` ("a ledger") and shows no password.
    """
    if "://" not in address:
        path = Path(address)
        return URL.create("sqlite", database=str(path)), path
    try:
        url = make_url(address.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):  # the message would repeat the address, and a password in it
        raise error(f"this is no address of {what}", remedy=_REMEDY) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise error(f"{what} in memory keeps nothing", remedy="give the path of a file")
        return url, Path(url.database)
    if url.get_backend_name() != "postgresql":
        raise error(f"{what} can't be kept in {url.get_backend_name()}", remedy=_REMEDY)
    return url.set(drivername="postgresql+psycopg"), None


def make_durable(engine: Engine, patience_seconds: float, *, cache_kib: int, page_bytes: int | None = None) -> None:
    """Has an engine of SQLite commit to the disk, let readers wait for no writer, and take a writer's lock when its
    transaction begins. ``patience_seconds`` is how long one who writes waits for another one."""

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # transactions are begun by `begin` below
        cursor = connection.cursor()
        if page_bytes is not None:
            cursor.execute(f"PRAGMA page_size = {page_bytes}")
        _use_write_ahead_log(cursor, patience_seconds)
        cursor.execute("PRAGMA synchronous = FULL")  # what is committed outlives a loss of power
        cursor.execute(f"PRAGMA cache_size = -{cache_kib}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that has read first could not wait for another's commit.
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_write_ahead_log(cursor: sqlite3.Cursor, patience_seconds: float) -> None:
    """Sets the journal in which who reads does not wait for who writes. While another process sets it for a new file
    SQLite refuses at once, whatever the time-out: https://www.sqlite.org/wal.html#sometimes_queries_return_sqlite_busy
    """
    until = time.monotonic() + patience_seconds
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.02)
