"""Records that are only ever added to a table of the ledger, each one's digest over the one before.

Such a table has the columns ``number``, ``made_at``, ``content`` and ``digest``; others stand there to be asked for,
and hold what the content holds under the same names.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, select

from sla_kit.chaining import proof


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Something as it is kept: numbered from 1, each ``digest`` over the one before and all of this one's content."""

    number: int
    made_at: str
    content: dict[str, Any]
    digest: str = ""

    def proof(self, before: str) -> str:
        """What its digest must be, given that of the record before ("" for the first)."""
        return proof(before, self.number, self.made_at, self.content)


def append(connection: Connection, table: Table, value: msgspec.Struct, made_at: datetime | None = None) -> Record:
    """Appends a value, made now unless said otherwise; the connection must be in a writer's transaction."""
    content = json.loads(msgspec.json.encode(value))  # as it will be read again
    last = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).first()
    number, before = (1, "") if last is None else (last.number + 1, last.digest)
    moment = (made_at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    bare = Record(number=number, made_at=moment, content=content)
    made = msgspec.structs.replace(bare, digest=bare.proof(before))
    connection.execute(
        table.insert().values(
            number=number,
            made_at=moment,
            content=json.dumps(content, sort_keys=True, ensure_ascii=False),
            digest=made.digest,
            **{name: getattr(value, name) for name in _asked_for(table)},
        )
    )
    return made


def record_of(row: Row[tuple[object, ...]]) -> Record:
    """A row as the record that it holds."""
    return Record(number=row.number, made_at=row.made_at, content=json.loads(row.content), digest=row.digest)


def records(connection: Connection, table: Table) -> list[Record]:
    """All records in their order."""
    return [record_of(row) for row in connection.execute(select(table).order_by(table.c.number))]


def mismatched(connection: Connection, table: Table) -> list[int]:
    """The numbers of records that are found by something else than their content says: the digest is over the content
    alone."""
    names = _asked_for(table)
    found = []
    for row in connection.execute(select(table).order_by(table.c.number)):
        content = json.loads(row.content)
        if any(content.get(name) != getattr(row, name) for name in names):
            found.append(int(row.number))
    return found


def _asked_for(table: Table) -> Sequence[str]:
    return [name for name in table.c.keys() if name not in Record.__struct_fields__]  # noqa: SIM118  # columns, no dict
