"""Opening the ledger's database: one SQLite file, or PostgreSQL by its URL; transactions, migrations, clear errors."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from sla_kit.database import WRITES, make_durable, parse_address
from sla_kit.errors import LedgerError, MissingExtraError

#: The newest revision in `migrations/versions`; a test holds that it is.
REVISION = "0004"
#: How long a writer waits for another one.
_PATIENCE_SECONDS = 60.0
#: The pages of a new SQLite file: a day's row fits into one.
_PAGE_BYTES = 16384
#: Any number that every sla-kit uses: who makes or writes the tables holds this lock of PostgreSQL.
_LOCK = zlib.crc32(b"sla-kit ledger")


class Store:
    """The database behind a ledger. ``name`` is its address without secrets."""

    def __init__(self, engine: Engine, name: str, patience_seconds: float | None = None) -> None:
        self._engine = engine
        self.name = name
        self._patience = patience_seconds

    def __repr__(self) -> str:
        return f"Store({self.name!r})"

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file."""
        return self._engine.dialect.name == "sqlite"

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine."""
        return self._engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment. Errors of the database become `LedgerError`."""
        with self.explained(), self._engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the only writer: another one waits. Committed when the block ends well, and then durable."""
        with self.explained(), self._engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                if not self.is_sqlite:
                    if self._patience is not None:
                        connection.execute(text(f"SET LOCAL lock_timeout = {int(self._patience * 1000)}"))
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                yield connection

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Errors of the database as `LedgerError`, which says what to do."""
        try:
            yield
        except DBAPIError as error:
            raise explained(error, self.name, self._patience or _PATIENCE_SECONDS) from error
        except SQLAlchemyError as error:
            raise LedgerError(f"the ledger can't be used: {error}", place=self.name) from error

    def vacuum(self) -> None:
        """Gives a SQLite file's unused pages back to the disk."""
        with self.explained():
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("VACUUM")
            finally:
                connection.close()

    def close(self) -> None:
        """Closes the connections; a SQLite ledger is one file again."""
        self._engine.dispose()


def open_store(address: str, *, create: bool = True, patience_seconds: float | None = None) -> Store:
    """The store at a path, or at ``sqlite:///…`` or ``postgresql://…``; made, or brought up to date, where needed. A
    writer waits ``patience_seconds`` for another one, without that a minute (SQLite) or for ever (PostgreSQL).

    Raises `LedgerError` where it can't be opened, `MissingExtraError` where a library is missing.
    """
    url, path = parse_address(address, LedgerError, "a ledger")
    if path is not None and not create and not path.exists():
        raise LedgerError(
            "there is no ledger", place=str(path), remedy="`sla-kit ledger update` or `report --ledger` makes one"
        )
    name = str(path) if path is not None else url.render_as_string(hide_password=True)
    store = Store(_engine(url, path, patience_seconds or _PATIENCE_SECONDS), name, patience_seconds)
    try:
        _bring_up_to_date(store)
    except BaseException:
        store.close()
        raise
    return store


def _engine(url: URL, path: Path | None, patience_seconds: float) -> Engine:
    try:
        if path is None:
            return create_engine(url, connect_args={"connect_timeout": 10})
        engine = create_engine(url, connect_args={"timeout": patience_seconds, "check_same_thread": False})
    except ModuleNotFoundError as error:
        raise MissingExtraError("a ledger in PostgreSQL", error.name or "psycopg", "postgresql") from error
    except NoSuchModuleError as error:
        raise LedgerError(f"no driver: {error}", remedy="pip install 'sla-kit[postgresql]'") from error

    make_durable(engine, patience_seconds, cache_kib=65_536, page_bytes=_PAGE_BYTES)
    return engine


def _bring_up_to_date(store: Store) -> None:
    if store.is_sqlite:
        _check_file(Path(store.name))
    if _revision(store) == REVISION:
        return
    from sla_kit.ledger.migrations import known_revisions, upgrade

    with store.writing() as connection:  # somebody else may be at it: look again under the lock
        found = _revision_of(connection)
        if found == REVISION:
            return
        if found is not None and found not in known_revisions():
            raise LedgerError(
                f"the ledger was made by a newer sla-kit (its tables are of revision {found})",
                place=store.name,
                remedy="upgrade sla-kit",
            )
        upgrade(connection)


def _check_file(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise LedgerError("the folder is not there", place=str(path), remedy=f"make it: mkdir -p {folder}")
    if path.is_dir():
        raise LedgerError("this is a folder", place=str(path), remedy="give the path of a file")
    if path.exists():
        try:
            with path.open("rb") as file:
                beginning = file.read(16)
        except OSError as error:
            raise LedgerError(f"it can't be read: {error.strerror}", place=str(path)) from error
        if beginning and not beginning.startswith(b"SQLite format 3\x00"):
            raise LedgerError("this is no ledger but some other file", place=str(path), remedy="give another path")
    elif not os.access(folder, os.W_OK):
        raise LedgerError("the folder can't be written", place=str(folder), remedy="check its permissions")


def _revision(store: Store) -> str | None:
    with store.reading() as connection:
        return _revision_of(connection)


def _revision_of(connection: Connection) -> str | None:
    from sqlalchemy import inspect

    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        if connection.dialect.name == "sqlite" and tables:
            raise LedgerError("this database holds something else", remedy="give the ledger a file of its own")
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def explained(error: DBAPIError, name: str, patience_seconds: float = _PATIENCE_SECONDS) -> LedgerError:
    """An error of the database in the words of who keeps a ledger."""
    said = str(error.orig).strip().splitlines()[0] if error.orig is not None else str(error)
    words = said.lower()
    code = str(getattr(error.orig, "sqlstate", "") or getattr(error.orig, "sqlite_errorname", "") or "")
    if "full" in words or code == "53100" or "no space" in words:
        return LedgerError(
            f"the disk is full, and the last step was taken back ({said})",
            place=name,
            remedy="make room and run the same command again: what was committed is kept, the rest is read again",
        )
    if "locked" in words or code in ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"):
        return LedgerError(
            f"another program holds the ledger ({said}, after {patience_seconds:.0f} s)",
            place=name,
            remedy="wait for it to end and run the same command again; nothing is lost",
        )
    if "malformed" in words or "not a database" in words or code.startswith(("SQLITE_CORRUPT", "XX00")):
        return LedgerError(
            f"the ledger's file is damaged ({said})",
            place=name,
            remedy="run `sla-kit ledger verify`, and restore the file from a backup",
        )
    if "readonly" in words or "read-only" in words or code in ("SQLITE_READONLY", "SQLITE_CANTOPEN", "42501"):
        return LedgerError(f"the ledger can't be written ({said})", place=name, remedy="check its permissions")
    if "i/o error" in words:
        return LedgerError(
            f"the disk failed ({said})", place=name, remedy="check the disk and its free space, then run it again"
        )
    if "connect" in words or "resolve host" in words or code.startswith("08") or code in ("28P01", "28000", "3D000"):
        return LedgerError(
            f"no connection to the ledger's database ({said})",
            place=name,
            remedy="check the address; the password comes from PGPASSWORD, ~/.pgpass or the address",
        )
    return LedgerError(f"the ledger's database refused ({said})", place=name)
