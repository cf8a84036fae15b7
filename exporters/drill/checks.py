"""Checks of what was restored: each says what it expected, what it found, and how many rows it found right.

All run as the scratch database's owner in read-only transactions: what a restored function does, it does in there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from sla_kit.exporters.drill.configuration import Check, Checksums, Freshness, Query, Readable, Rows
from sla_kit.exporters.drill.counting import Counted, Counts, checksum, count, named, parts_of, settle, tables_of
from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.drill.evidence import Checked
from sla_kit.exporters.drill.scratch import ScratchDatabase
from sla_kit.exporters.drill.sessions import said_by

if TYPE_CHECKING:
    from psycopg import Connection

#: How many tables that differ are told one by one.
_TOLD = 5


@dataclass(frozen=True, slots=True)
class About:
    """What checks know of the backup: when it was taken (epoch seconds), and how to get a file beside it by what is
    added to its name (None where there is none)."""

    taken_at: float
    beside: Callable[[str], bytes | None]


class _Verified:
    """Rows by table, so that what two checks look at is counted once."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}


def run_checks(
    database: ScratchDatabase, wanted: list[Check], about: About, deadline: float, progress: Callable[[str], None]
) -> tuple[list[Checked], int]:
    """Runs all checks, whatever becomes of one; returns what came of each, and how many rows of how many tables were
    verified in all. ``deadline`` is of `time.monotonic`. Raises `DrillError` where the database is gone."""
    import psycopg

    verified = _Verified()
    results: list[Checked] = []
    for check in wanted:
        progress(_title(check))
        begun = time.monotonic()
        with database.connect() as connection:
            patience = max(1, int((deadline - begun) * 1000))
            connection.execute("SELECT pg_catalog.set_config('statement_timeout', %s, false)", (str(patience),))
            connection.execute("SET default_transaction_read_only = on")
            settle(connection)
            try:
                done = _run(connection, check, about, verified)
            except psycopg.Error as error:
                done = _failed(check, "an answer", said_by(error))
            except DrillError as error:
                done = _failed(check, "what was recorded", error.message)
        results.append(msgspec.structs.replace(done, seconds=round(time.monotonic() - begun, 3)))
    return results, sum(verified.rows.values())


def _run(connection: Connection[Any], check: Check, about: About, verified: _Verified) -> Checked:
    match check:
        case Rows():
            return _rows(connection, check, about, verified)
        case Checksums():
            return _checksums(connection, check, about, verified)
        case Freshness():
            return _freshness(connection, check, about)
        case Query():
            return _query(connection, check)
        case Readable():
            return _readable(connection, check, verified)


def _rows(connection: Connection[Any], check: Rows, about: About, verified: _Verified) -> Checked:
    there = {named(*table): table for table in tables_of(connection)}
    bounds: dict[str, tuple[int, float]] = {
        _full(name): (one.min or 0, float("inf") if one.max is None else one.max) for name, one in check.tables.items()
    }
    if check.recorded:
        for name, counted in _recorded(connection, check, about).tables.items():
            exact = (counted.rows - check.tolerance, counted.rows + check.tolerance)
            bounds.setdefault(_full(name), exact)
    wrong: list[str] = []
    right = 0
    for name, (low, high) in sorted(bounds.items()):
        table = there.get(name)
        found = None if table is None else count(connection, *table)
        if found is None:
            wrong.append(f"{name} is missing")
        elif not low <= found <= high:
            wrong.append(f"{name} has {found}, not {_range(low, high)}")
        else:
            right += found
            verified.rows[name] = found
    return _result(check, f"{len(bounds)} tables with their rows", wrong, f"{right} rows", right)


def _checksums(connection: Connection[Any], check: Checksums, about: About, verified: _Verified) -> Checked:
    there = {named(*table): table for table in tables_of(connection)}
    recorded = {_full(name): one for name, one in _recorded(connection, check, about).tables.items() if one.checksum}
    if not recorded:
        raise DrillError("no checksum was recorded")
    wrong: list[str] = []
    right = 0
    for name, expected in sorted(recorded.items()):
        table = there.get(name)
        if table is None:
            wrong.append(f"{name} is missing")
            continue
        found = checksum(connection, *table)
        if found.checksum != expected.checksum:
            more = f" ({found.rows} rows, not {expected.rows})" if found.rows != expected.rows else ""
            wrong.append(f"the content of {name} is another{more}")
        else:
            right += found.rows
            verified.rows[name] = found.rows
    return _result(check, f"{len(recorded)} tables with their content", wrong, f"{right} rows", right)


def _freshness(connection: Connection[Any], check: Freshness, about: About) -> Checked:
    from psycopg import sql

    schema, name = parts_of(check.table)
    statement = sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(check.column), sql.Identifier(schema, name))
    row = connection.execute(statement).fetchone()
    newest = None if row is None else row[0]
    expected = f"a row at most {check.max_age:g} s older than the backup"
    if newest is None:
        return _failed(check, expected, "no row")
    moment = _seconds(newest)
    if moment is None:
        return _failed(check, expected, f"{check.column} holds no time but {type(newest).__name__}")
    age = about.taken_at - moment
    found = f"the newest row is {abs(age):.0f} s {'older' if age >= 0 else 'newer'} than the backup"
    return _failed(check, expected, found) if age > check.max_age else _held(check, expected, found)


def _query(connection: Connection[Any], check: Query) -> Checked:
    connection.execute("RESET search_path")  # people leave out the schema
    rows = connection.execute(check.query.encode()).fetchmany(2)
    expected = _text(check.expect)
    if len(rows) != 1:
        return _failed(check, expected, "no row" if not rows else "several rows")
    found = _text(rows[0][0])
    return _held(check, expected, found) if found == expected else _failed(check, expected, found)


def _readable(connection: Connection[Any], check: Readable, verified: _Verified) -> Checked:
    filled, read = 0, 0
    for schema, name in tables_of(connection):
        rows = count(connection, schema, name)
        verified.rows.setdefault(named(schema, name), rows)
        filled += rows > 0
        read += rows
    expected = f"at least {check.min_tables} tables with rows, all readable"
    if filled < check.min_tables:
        return _failed(check, expected, f"{filled} tables with rows")
    indexes = _check_indexes(connection) if check.indexes else ""
    return _held(check, expected, f"{filled} tables with {read} rows{indexes}", read)


def _check_indexes(connection: Connection[Any]) -> str:
    """Looks through all B-tree indexes by amcheck where it is there; the server's error says what is wrong."""
    from psycopg import sql

    found = connection.execute(
        "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'amcheck' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND EXISTS (SELECT FROM"
        " pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'bt_index_check'"
        " AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))"
    ).fetchone()
    if found is None:
        return "; indexes were not looked at: the server has no amcheck"
    indexes = connection.execute(
        "SELECT c.oid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_catalog.pg_am a ON a.oid = c.relam JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid AND n.nspname !~ '^pg_'"
    ).fetchall()
    looking = sql.SQL("SELECT {}(%s::oid::regclass)").format(sql.Identifier(found[0], "bt_index_check"))
    for (index,) in indexes:
        connection.execute(looking, (index,))
    return f", {len(indexes)} indexes"


def _recorded(connection: Connection[Any], check: Rows | Checksums, about: About) -> Counts:
    """What was counted at the source. Raises `DrillError` where that is not there or can't be read."""
    if check.recorded == "file":
        return read_counts(about.beside(check.suffix), check.suffix)
    from psycopg import sql

    schema, name = parts_of(check.table)
    columns = "table_name, rows" if isinstance(check, Rows) else "table_name, rows, checksum"
    statement = sql.SQL(f"SELECT {columns} FROM {{}}").format(sql.Identifier(schema, name))  # noqa: S608
    rows = connection.execute(statement).fetchall()
    if not rows:
        raise DrillError(f"{check.table} holds no counts")
    return Counts(
        tables={
            str(row[0]): Counted(rows=int(row[1]), checksum=str(row[2] or "") if len(row) > 2 else "") for row in rows
        }
    )


def read_counts(content: bytes | None, suffix: str) -> Counts:
    """Recorded counts out of a file: as `sla-kit drill record` writes them, or a mapping of tables to numbers."""
    import msgspec

    if content is None:
        raise DrillError(f"there is no file with the counts beside the backup (its name with {suffix} added)")
    try:
        plain = msgspec.json.decode(content, type=dict[str, Any])
        counts = (
            msgspec.convert(plain, Counts)
            if isinstance(plain.get("tables"), dict)
            else Counts(
                tables={name: Counted(rows=rows) for name, rows in msgspec.convert(plain, dict[str, int]).items()}
            )
        )
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DrillError(f"the file with the counts ({suffix}) can't be read: it is no JSON of counts") from None
    if not counts.tables:
        raise DrillError(f"the file with the counts ({suffix}) holds none")
    return counts


def _full(name: str) -> str:
    return named(*parts_of(name))


def _range(low: float, high: float) -> str:
    if low == high:
        return f"{low:.0f}"
    return f"at least {low:.0f}" if high == float("inf") else f"{low:.0f} to {high:.0f}"


def _seconds(moment: object) -> float | None:
    """A value of a time's column in epoch seconds; without a zone it counts as UTC."""
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC).timestamp()
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        return float(moment)
    return None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _title(check: Check) -> str:
    return check.name if isinstance(check, Query) else type(check).__name__.lower()


def _name(check: Check) -> str:
    if isinstance(check, Query):
        return check.name
    return f"{check.table}.{check.column}" if isinstance(check, Freshness) else ""


def _kind(check: Check) -> str:
    return {Rows: "rows", Checksums: "checksums", Freshness: "freshness", Query: "sql", Readable: "readable"}[
        type(check)
    ]


def _held(check: Check, expected: str, found: str, rows: int = 0) -> Checked:
    return Checked(kind=_kind(check), name=_name(check), outcome="held", expected=expected, found=found, rows=rows)


def _failed(check: Check, expected: str, found: str) -> Checked:
    return Checked(kind=_kind(check), name=_name(check), outcome="failed", expected=expected, found=found)


def _result(check: Check, expected: str, wrong: list[str], found: str, rows: int) -> Checked:
    if not wrong:
        return _held(check, expected, found, rows)
    more = f" and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
    return _failed(check, expected, "; ".join(wrong[:_TOLD]) + more)
