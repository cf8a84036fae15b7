"""SQLAlchemy's engine for an outbox's address: one durable SQLite file, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sla_kit.errors import MissingExtraError, OutboxError
from sla_kit.redacting import remember_secret

#: How long one who writes waits for another one.
PATIENCE_SECONDS = 10.0
#: The execution option of a connection that writes.
WRITES = "sla_kit_outbox_writes"
#: What a session of PostgreSQL is like: an acknowledged commit outlives a crash, and nothing waits for ever.
_SESSION = """
SELECT set_config('lock_timeout', '{patience}s', false),
  set_config('idle_in_transaction_session_timeout', '60s', false),
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "sla-kit route",
    # Each plan is made for its values: a general one could not use an index on a part of the rows.
    "prepare_threshold": None,
}
_REMEDY = "write the path of a file, or postgresql://user@host/database"


def parsed(address: str, password: str = "") -> tuple[URL, Path | None]:
    """The URL of an address, and the path where it is a file. Raises `OutboxError`, which shows no password."""
    if "://" not in address:
        path = Path(address)
        return URL.create("sqlite", database=str(path)), path
    try:
        url = make_url(address.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):  # the message would repeat the address, and a password in it
        raise OutboxError("this is no address of an outbox", remedy=_REMEDY) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise OutboxError("an outbox in memory keeps nothing", remedy="give the path of a file")
        return url, Path(url.database)
    if url.get_backend_name() != "postgresql":
        raise OutboxError(f"an outbox can't be kept in {url.get_backend_name()}", remedy=_REMEDY)
    if password:
        url = url.set(password=password)
    if url.password:
        remember_secret(str(url.password))
    return url.set(drivername="postgresql+psycopg"), None


def engine_of(url: URL, path: Path | None) -> Engine:
    """An engine; nothing is connected yet. Raises `MissingExtraError` where PostgreSQL's driver is missing."""
    try:
        if path is None:
            engine = create_engine(
                url, connect_args=dict(_LIBPQ), pool_pre_ping=True, pool_size=5, max_overflow=10, pool_timeout=30
            )
            event.listen(engine, "connect", _prepare_session)
            return engine
        engine = create_engine(
            url,
            connect_args={"timeout": PATIENCE_SECONDS, "check_same_thread": False},
            pool_size=5,
            max_overflow=20,
            pool_timeout=30,
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError("an outbox in PostgreSQL", error.name or "psycopg", "router") from error
    except NoSuchModuleError as error:
        raise OutboxError(f"no driver: {error}", remedy="pip install 'sla-kit[router]'") from error
    event.listen(engine, "connect", _prepare_file)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_session(connection: Any, _: object) -> None:
    connection.autocommit = True
    connection.execute(_SESSION.format(patience=int(PATIENCE_SECONDS) or 1))
    connection.autocommit = False


def _prepare_file(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin`
    cursor = connection.cursor()
    _use_write_ahead_log(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # what is committed outlives a loss of power
    cursor.execute("PRAGMA cache_size = -32768")
    cursor.close()


def _begin(connection: Connection) -> None:
    # Who writes takes the lock at once: one that has read first could not wait for another's commit.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_write_ahead_log(cursor: sqlite3.Cursor) -> None:
    """Sets the journal in which who reads does not wait for who writes. While another process sets it for a new file
    SQLite refuses at once, whatever the time-out: https://www.sqlite.org/wal.html#sometimes_queries_return_sqlite_busy
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.02)
