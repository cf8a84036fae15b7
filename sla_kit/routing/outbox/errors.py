"""What a database says when it fails, in the words of who keeps an outbox."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sla_kit.errors import OutboxError
from sla_kit.redacting import redacted

#: What PostgreSQL calls a transaction that another one stood in the way of: it may succeed when it is run again.
_PASSING = ("40001", "40P01")
#: Kinds of errors that are of one statement: the transaction around it is sound.
_OWN = ("DataError", "IntegrityError", "ProgrammingError", "InterfaceError")


def explained(error: SQLAlchemyError, name: str) -> OutboxError:
    """An error of the database as one that says what to do. ``name`` is the outbox's, without secrets."""
    if not isinstance(error, DBAPIError):
        return OutboxError(f"the outbox can't be used: {redacted(str(error))}", place=name)
    lines = str(error.orig).strip().splitlines() if error.orig is not None else []
    said = redacted(lines[0] if lines else type(error.orig).__name__)
    words, code = said.lower(), _code(error)
    if "full" in words or code == "53100" or "no space" in words:
        return OutboxError(
            f"the disk is full ({said})", place=name, remedy="make room; what was acknowledged is kept, and goes on"
        )
    if "locked" in words or code in ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03"):
        return OutboxError(
            f"another program holds the outbox ({said})",
            place=name,
            remedy="end what holds it, such as a backup or a shell with an open transaction",
        )
    if "not a database" in words or code == "SQLITE_NOTADB":
        return OutboxError("this is no outbox but some other file", place=name, remedy="give another path")
    if "malformed" in words or code.startswith(("SQLITE_CORRUPT", "XX00")):
        return OutboxError(
            f"the outbox's file is damaged ({said})",
            place=name,
            remedy="set the file aside (`sqlite3 FILE .recover` saves what can be read), and start with a new one",
        )
    if "readonly" in words or "read-only" in words or code.startswith("SQLITE_READONLY") or code in ("42501", "25006"):
        return OutboxError(f"the outbox can't be written ({said})", place=name, remedy="check its permissions")
    if code.startswith("SQLITE_CANTOPEN"):
        return OutboxError(
            f"the outbox can't be opened ({said})", place=name, remedy="check the permissions of file and folder"
        )
    if "i/o error" in words:
        return OutboxError(f"the disk failed ({said})", place=name, remedy="check the disk and its free space")
    if (
        "connect" in words
        or "resolve" in words
        or code.startswith(("08", "57P"))
        or code in ("28P01", "28000", "3D000")
    ):
        return OutboxError(
            f"no connection to the outbox's database ({said})",
            place=name,
            remedy="check the address; the password comes from routing.outbox_password, PGPASSWORD or ~/.pgpass",
        )
    return OutboxError(f"the outbox's database refused ({said})", place=name)


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed when it is run again at once: a deadlock with another router's transaction."""
    return isinstance(error, DBAPIError) and _code(error) in _PASSING


def is_own(error: BaseException) -> bool:
    """Whether the error is of the work alone, and no sign of a transaction or a database that can't go on."""
    if not isinstance(error, DBAPIError):
        return True
    return not error.connection_invalidated and (type(error).__name__ in _OWN or _is_limit(error))


def _is_limit(error: DBAPIError) -> bool:
    """Whether a statement is more than the database takes, such as an expression that nests too deeply. SQLite tells
    of a table or column that is not there by the same code: that is none of the statement's."""
    code, said = _code(error), str(error.orig).lower()
    if code == "SQLITE_ERROR":
        return not any(words in said for words in ("no such", "no column", "transaction", "savepoint"))
    return code == "SQLITE_TOOBIG" or code.startswith("54")


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or getattr(error.orig, "sqlite_errorname", "") or "")
