"""Responses to incidents in the ledger: when somebody was told, took it, and when it was over. Appended like
corrections, never changed, each one's digest over the one before."""

from __future__ import annotations

import json
import math
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select

from sla_kit.ledger.records import append as append_record
from sla_kit.ledger.records import record_of
from sla_kit.ledger.tables import response as table
from sla_kit.routing.delivering import Response


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
    append_record(connection, table, response, made_at)
    return True


def responses(
    connection: Connection,
    since: float = -math.inf,
    until: float = math.inf,
    *,
    severity: str = "",
    team: str = "",
    until_record: int | None = None,
) -> list[Response]:
    """One response an incident, in the order in which they opened, of those that opened at or after ``since`` and
    before ``until`` (epoch seconds). Of several records of one incident the newest counts, with the first moment at
    which somebody was told of it and took it. Records after the number ``until_record`` are left out."""
    query = select(table).order_by(table.c.opened_at, table.c.number)
    if since > -math.inf:
        query = query.where(table.c.opened_at >= since)
    if until < math.inf:
        query = query.where(table.c.opened_at < until)
    if until_record is not None:
        query = query.where(table.c.number <= until_record)
    found: dict[tuple[str, float], Response] = {}
    for row in connection.execute(query):
        one = msgspec.convert(record_of(row).content, Response)
        key = one.dedup_key, one.opened_at
        found[key] = _newer(found[key], one) if key in found else one
    return [
        one
        for one in found.values()
        if (not severity or one.severity == severity) and (not team or one.labels.get("team") == team)
    ]


def newest(connection: Connection) -> int:
    """The number of the last record, 0 where there is none."""
    return int(connection.execute(select(func.max(table.c.number))).scalar() or 0)


def _newer(before: Response, now: Response) -> Response:
    told = [one for one in (before.told_at, now.told_at) if one is not None]
    first_taken = before if before.acknowledged_at is not None else now
    return msgspec.structs.replace(
        now,
        told_at=min(told) if told else None,
        acknowledged_at=first_taken.acknowledged_at,
        acknowledged_by=first_taken.acknowledged_by,
    )
