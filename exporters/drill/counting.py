"""Counts and checksums of tables, taken in the same way at the source and of what was restored.

A checksum of a table is that of all its rows in whatever order they come: the number of rows, and the sums of the
halves of each row's MD5. No sort is needed and no memory, whatever the table's size, and the same rows give the same
text in every version of PostgreSQL under the settings here.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sla_kit.errors import SlaKitError

if TYPE_CHECKING:
    from psycopg import Connection

#: How values become text, whatever the server's, database's or role's defaults are.
SETTINGS = {
    "search_path": "",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "client_encoding": "UTF8",
    "row_security": "off",
}
_TABLES = (
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
    " AND n.nspname NOT IN ('information_schema', 'sla_kit_amcheck') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
    " WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')"
    " ORDER BY 1, 2"
)

_QUOTED = re.compile('"(?:[^"]|"")*"')
_SCHEMA = re.compile('("(?:[^"]|"")*"|[^.]*)[.]')


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded of a table."""

    rows: int
    checksum: str = ""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded at the source, at one moment; tables by schema.name."""

    tables: dict[str, Counted]
    recorded_at: str = ""


def settle(connection: Connection[Any]) -> None:
    """Sets how values become text in a session."""
    for name, value in SETTINGS.items():
        connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))


def tables_of(connection: Connection[Any]) -> list[tuple[str, str]]:
    """All tables that hold rows of users, by schema and name: those of extensions and temporary ones are left out."""
    return [(row[0], row[1]) for row in connection.execute(_TABLES).fetchall()]


def named(schema: str, name: str) -> str:
    """How a table is called in counts and messages: a part with a dot is quoted, so that no two share a name."""
    return f"{_quoted(schema)}.{_quoted(name)}"


def parts_of(table: str) -> tuple[str, str]:
    """Schema and name of a table as people and counts call it; without a schema it is one of public's."""
    if _QUOTED.fullmatch(table):
        return "public", _bare(table)
    found = _SCHEMA.match(table)
    return ("public", table) if found is None else (_bare(found[1]), _bare(table[found.end() :]))


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"' if "." in part or part.startswith('"') else part


def _bare(part: str) -> str:
    return part[1:-1].replace('""', '"') if _QUOTED.fullmatch(part) else part


def count(connection: Connection[Any], schema: str, name: str) -> int:
    """How many rows a table has, by reading it."""
    from psycopg import sql

    row = connection.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, name))).fetchone()
    assert row is not None
    return int(row[0])


def checksum(connection: Connection[Any], schema: str, name: str) -> Counted:
    """How many rows a table has, and the checksum of their content."""
    from psycopg import sql

    statement = sql.SQL(
        "SELECT count(*), coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::bigint::numeric), 0)::text,"
        " coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::bigint::numeric), 0)::text"
        " FROM (SELECT pg_catalog.md5((t.*)::text) AS h FROM ONLY {} t) hashes"
    ).format(sql.Identifier(schema, name))
    row = connection.execute(statement).fetchone()
    assert row is not None
    return Counted(rows=int(row[0]), checksum=f"{row[0]}:{row[1]}:{row[2]}")


def record(
    connection: Connection[Any],
    recorded_at: str,
    command: Sequence[str] = (),
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Counts:
    """Counts and sums all tables at one moment. A ``command`` runs in the meantime with that moment's snapshot in place
    of ``{snapshot}``, so that ``pg_dump --snapshot={snapshot}`` sees the same rows. Raises `SlaKitError` where it
    fails."""
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"):
        connection.execute("SELECT pg_catalog.set_config(%s, '0', false)", (limit,))  # a dump takes as long as it takes
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    settle(connection)
    if command:
        row = connection.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
        assert row is not None
        spelled = [part.replace("{snapshot}", row[0]) for part in command]
        code = subprocess.run(spelled, check=False).returncode  # noqa: S603  # the user's own command
        if code:
            raise SlaKitError(f"{Path(command[0]).name} failed with exit code {code}: nothing is recorded")
    tables = tables_of(connection)
    found: dict[str, Counted] = {}
    for number, (schema, name) in enumerate(tables):
        progress(number, len(tables), named(schema, name))
        found[named(schema, name)] = checksum(connection, schema, name)
    connection.execute("COMMIT")
    return Counts(tables=found, recorded_at=recorded_at)
