"""Opening the outbox's database, one SQLite file or PostgreSQL by its URL; writing by one thread, reading by any."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from sla_kit.database import WRITES
from sla_kit.errors import OutboxError
from sla_kit.routing.clock import Clock, SharedClock, SteadyClock
from sla_kit.routing.outbox.connecting import engine_of, parsed
from sla_kit.routing.outbox.errors import explained
from sla_kit.routing.outbox.locking import FileLock
from sla_kit.routing.outbox.resuming import database_time, keep_time, resume
from sla_kit.routing.outbox.tables import REVISION_TABLE
from sla_kit.routing.outbox.writing import Item, Writer

T = TypeVar("T")
#: The newest revision in `migrations/versions`; a test holds that it is.
REVISION = "0001"
#: Any number that every sla-kit uses: who makes the tables holds this lock of PostgreSQL.
_LOCK = zlib.crc32(b"sla-kit outbox")
#: How often the time is written down, and PostgreSQL's clock is read.
_TICK_SECONDS = 30.0


class Outbox:
    """An open outbox. ``name`` is its address without secrets; ``clock`` is what all of its times are of."""

    def __init__(self, engine: Engine, name: str, clock: Clock, lock: FileLock | None, exclusive: bool) -> None:
        self.name, self.clock = name, clock
        self._engine, self._lock = engine, lock
        self._writer = Writer(engine, name, self._tick if exclusive else None, _TICK_SECONDS)
        # One at a time may write to a file. In PostgreSQL what is gathered (what comes in) need not wait for planning.
        self._gathering = self._writer
        if not self.is_sqlite:
            self._gathering = Writer(engine, name, _nothing if exclusive else None, _TICK_SECONDS)

    def __repr__(self) -> str:
        return f"Outbox({self.name!r})"

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file."""
        return self._engine.dialect.name == "sqlite"

    @property
    def trouble(self) -> OutboxError | None:
        """Why the last transaction failed, None since one has succeeded."""
        return self._gathering.trouble or self._writer.trouble

    def submit(self, work: Callable[[Connection], T], *, alone: bool = False) -> Future[T]:
        """Runs ``work`` in the writer's next transaction, which it shares with others; the future is done after the
        commit. An exception of its own takes back only what it did itself, and is the future's; a failed transaction
        is an `OutboxError`. Work may be run again, should another router stand in its way: it does nothing else.

        ``alone`` gives it a transaction of its own: for what takes long, or waits for a lock of other routers, which
        must not wait in turn for what is in the same transaction."""
        return self._writer.submit(work, alone=alone)

    def submit_gathered(self, work: Callable[[Connection, list[Item]], list[T]], item: Item) -> Future[T]:
        """The same for many small things of a kind: all that wait are given to one call of ``work``, which answers for
        each in their order. In PostgreSQL they are committed beside all else, which may take longer."""
        return self._gathering.submit_gathered(work, item)

    def write(self, work: Callable[[Connection], T], *, alone: bool = False) -> T:
        """`submit`, waited for."""
        if self._writer.is_own_thread() or self._gathering.is_own_thread():
            raise RuntimeError("work of an outbox must use its connection, not write again")
        return self.submit(work, alone=alone).result()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment. Errors of the database become `OutboxError`."""
        try:
            with self._engine.connect() as connection:
                if not self.is_sqlite:
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    yield connection
        except SQLAlchemyError as error:
            raise explained(error, self.name) from error

    def close(self) -> None:
        """Writes what waits, and closes the connections; another router may have it then."""
        self._gathering.close()
        self._writer.close()
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def _tick(self, connection: Connection) -> None:
        if isinstance(self.clock, SharedClock):
            at = self.clock.stopwatch()
            self.clock.follow(database_time(connection), at)
        keep_time(connection, self.clock)


def _nothing(_: Connection) -> None:
    """Committed now and then, so that it is known whether that is possible."""


def open_outbox(address: str, *, password: str = "", create: bool = True, exclusive: bool = False) -> Outbox:
    """The outbox at a path, or at ``sqlite:///…`` or ``postgresql://…``; made, or brought up to date, where needed.

    A router opens it ``exclusive``: no other router can have the same file, and what a past life of it left half done
    is put right (`resuming`). Raises `OutboxError` where it can't be opened, `MissingExtraError` where a library is
    missing.
    """
    url, path = parsed(address, password)
    name = str(path) if path is not None else url.set(drivername="postgresql").render_as_string(hide_password=True)
    if path is not None:
        _check_place(path, create)
        _make_private(path)
    lock = FileLock(path) if exclusive and path is not None else None
    try:
        engine = engine_of(url, path)
        try:
            _bring_up_to_date(engine, name)
            clock: Clock
            if path is not None:
                clock = SteadyClock()
            else:
                with engine.connect() as connection, connection.begin():
                    clock = SharedClock(database_time(connection))
            outbox = Outbox(engine, name, clock, lock, exclusive)
            if exclusive:
                outbox.write(lambda connection: resume(connection, clock, alone=outbox.is_sqlite))
            return outbox
        except SQLAlchemyError as error:
            raise explained(error, name) from error
        except BaseException:
            engine.dispose()
            raise
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def _check_place(path: Path, create: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise OutboxError("the folder is not there", place=str(path), remedy=f"make it: mkdir -p {folder}")
    if path.is_dir():
        raise OutboxError("this is a folder", place=str(path), remedy="give the path of a file")
    if path.exists():
        if not os.access(path, os.R_OK):
            raise OutboxError("it can't be read: Permission denied", place=str(path), remedy="check its permissions")
    elif not create:
        raise OutboxError("there is no outbox", place=str(path), remedy="`sla-kit route serve` makes one")
    elif not os.access(folder, os.W_OK):
        raise OutboxError("the folder can't be written", place=str(folder), remedy="check its permissions")


def _make_private(path: Path) -> None:
    """Makes the file, where it is not there, for its owner alone: it holds what others have sent. SQLite gives its
    journal the same rights; those of a file that is there stay as somebody has set them."""
    with suppress(OSError):  # SQLite says what is wrong
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _bring_up_to_date(engine: Engine, name: str) -> None:
    with engine.connect() as connection, connection.begin():
        if _revision(connection) == REVISION:
            return
    from sla_kit.routing.outbox.migrations import known_revisions, upgrade

    with engine.connect() as connection:
        connection = connection.execution_options(**{WRITES: True})
        with connection.begin():  # somebody else may be at it: look again under the lock
            if connection.dialect.name != "sqlite":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            found = _revision(connection)
            if found == REVISION:
                return
            if found is not None and found not in known_revisions():
                raise OutboxError(
                    f"the outbox was made by a newer sla-kit (its tables are of revision {found})",
                    place=name,
                    remedy="upgrade sla-kit",
                )
            upgrade(connection)


def _revision(connection: Connection) -> str | None:
    tables = inspect(connection).get_table_names()
    if REVISION_TABLE not in tables:
        if connection.dialect.name == "sqlite" and tables:
            raise OutboxError("this database holds something else", remedy="give the outbox a file of its own")
        return None
    found = connection.execute(text(f"SELECT version_num FROM {REVISION_TABLE}")).scalar()  # noqa: S608  # a constant
    return None if found is None else str(found)
