"""Restore drills in the ledger: appended like corrections, never changed, each one's digest over the one before."""

from __future__ import annotations

import json

from sqlalchemy import Connection, Row, select

from sla_kit.exporters.drill.evidence import Evidence, Record, next_record
from sla_kit.exporters.drill.keeping import now_text
from sla_kit.ledger.tables import drill as table


def append(connection: Connection, evidence: Evidence) -> Record:
    """Appends a drill's evidence; the connection must be in a writer's transaction."""
    last = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).first()
    made = next_record(evidence, now_text(), None if last is None else _record(last))
    connection.execute(
        table.insert().values(
            number=made.number,
            made_at=made.made_at,
            target=evidence.target,
            outcome=evidence.outcome,
            evidence=json.dumps(made.evidence, sort_keys=True, ensure_ascii=False),
            digest=made.digest,
        )
    )
    return made


def drills(connection: Connection) -> list[Record]:
    """All drills in their order."""
    return [_record(row) for row in connection.execute(select(table).order_by(table.c.number))]


def mismatched(connection: Connection) -> list[int]:
    """The numbers of drills whose target or outcome is not what their evidence says: they stand there to be asked for,
    and the digest is over the evidence alone."""
    query = select(table.c.number, table.c.target, table.c.outcome, table.c.evidence).order_by(table.c.number)
    found = []
    for number, target, outcome, text in connection.execute(query):
        content = json.loads(text)
        if (content.get("target"), content.get("outcome")) != (target, outcome):
            found.append(number)
    return found


def _record(row: Row[tuple[object, ...]]) -> Record:
    return Record(number=row.number, made_at=row.made_at, evidence=json.loads(row.evidence), digest=row.digest)
