"""Responses to incidents in the ledger: when somebody was told, took it, and when it was over. Appended like
corrections, never changed, each one's digest over the one before."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from sla_kit.chaining import proof
from sla_kit.ledger.tables import response as table
from sla_kit.routing.delivering import Response


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A response as it is kept: numbered from 1, each ``digest`` over the one before and all of this one's content."""

    number: int
    made_at: str
    content: dict[str, Any]
    digest: str = ""

    def proof(self, before: str) -> str:
        """What its digest must be, given that of the record before ("" for the first)."""
        return proof(before, self.number, self.made_at, self.content)

    def read(self) -> Response:
        """The response as a value. Raises `msgspec.ValidationError` where it is none."""
        return msgspec.convert(self.content, Response)


def append(connection: Connection, response: Response, made_at: datetime | None = None) -> bool:
    """Appends a response unless it is there already; returns whether it was not. The connection must be in a writer's
    transaction. What is said once more of an incident, as where it fired on after somebody had closed it, is added too.
    """
    content = json.loads(msgspec.json.encode(response))  # as it will be read again
    query = select(table.c.content).where(
        table.c.dedup_key == response.dedup_key, table.c.opened_at == response.opened_at
    )
    if any(json.loads(text) == content for text in connection.execute(query).scalars()):
        return False
    last = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).first()
    number, before = (1, "") if last is None else (last.number + 1, last.digest)
    moment = (made_at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    bare = Record(number=number, made_at=moment, content=content)
    connection.execute(
        table.insert().values(
            number=number,
            made_at=moment,
            dedup_key=response.dedup_key,
            opened_at=response.opened_at,
            content=json.dumps(content, sort_keys=True, ensure_ascii=False),
            digest=bare.proof(before),
        )
    )
    return True


def responses(
    connection: Connection,
    since: float = -math.inf,
    until: float = math.inf,
    *,
    severity: str = "",
    team: str = "",
) -> list[Response]:
    """One response an incident, in the order in which they opened, of those that opened at or after ``since`` and
    before ``until`` (epoch seconds). Of several records of one incident the newest counts, with the first moment at
    which somebody was told of it and took it."""
    query = select(table).order_by(table.c.opened_at, table.c.number)
    if since > -math.inf:
        query = query.where(table.c.opened_at >= since)
    if until < math.inf:
        query = query.where(table.c.opened_at < until)
    found: dict[tuple[str, float], Response] = {}
    for row in connection.execute(query):
        one = _record(row).read()
        key = one.dedup_key, one.opened_at
        found[key] = _newer(found[key], one) if key in found else one
    return [
        one
        for one in found.values()
        if (not severity or one.severity == severity) and (not team or one.labels.get("team") == team)
    ]


def records(connection: Connection) -> list[Record]:
    """All records in their order."""
    return [_record(row) for row in connection.execute(select(table).order_by(table.c.number))]


def mismatched(connection: Connection) -> list[int]:
    """The numbers of records that are found by another incident or time than their content says: the digest is over the
    content alone."""
    query = select(table.c.number, table.c.dedup_key, table.c.opened_at, table.c.content).order_by(table.c.number)
    found = []
    for number, dedup_key, opened_at, text in connection.execute(query):
        content = json.loads(text)
        if (content.get("dedup_key"), content.get("opened_at")) != (dedup_key, opened_at):
            found.append(number)
    return found


def _newer(before: Response, now: Response) -> Response:
    told = [one for one in (before.told_at, now.told_at) if one is not None]
    first_taken = before if before.acknowledged_at is not None else now
    return msgspec.structs.replace(
        now,
        told_at=min(told) if told else None,
        acknowledged_at=first_taken.acknowledged_at,
        acknowledged_by=first_taken.acknowledged_by,
    )


def _record(row: Row[tuple[object, ...]]) -> Record:
    return Record(number=row.number, made_at=row.made_at, content=json.loads(row.content), digest=row.digest)
