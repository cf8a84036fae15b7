"""Corrections: what was decided or learned later. They are appended with who and why, never changed or taken away, and
each one's digest holds the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, select

from sla_kit.catalogue.intervals import Interval
from sla_kit.errors import LedgerError
from sla_kit.ledger.tables import correction as table

#: exclusion: a stretch of time is left out of figures. withdrawal: an earlier exclusion no longer counts.
#: reading: days were read again. pruning: old rows were deleted.
Kind = Literal["exclusion", "withdrawal", "reading", "pruning"]


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction; ``content`` holds what its kind needs (times are epoch seconds)."""

    number: int
    made_at: str
    catalogue: str
    environment: str
    kind: Kind
    author: str
    reason: str
    content: dict[str, Any]
    digest: str

    def proof(self, before: str) -> str:
        """What its digest must be, given the digest of the one before (empty for the first)."""
        parts = [before, self.number, self.made_at, self.catalogue, self.environment, self.kind]
        parts += [self.author, self.reason, self.content]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def append(
    connection: Connection,
    *,
    catalogue: str,
    environment: str,
    kind: Kind,
    author: str,
    reason: str,
    content: dict[str, Any],
    made_at: datetime | None = None,
) -> Correction:
    """Appends a correction; the connection must be in a writer's transaction. Raises `LedgerError` without an author
    or a reason."""
    for what, text in (("author", author), ("reason", reason)):
        if not text.strip():
            raise LedgerError(f"a correction needs {'an' if what == 'author' else 'a'} {what}", remedy=f"give --{what}")
    last = connection.execute(select(table.c.number, table.c.digest).order_by(table.c.number.desc()).limit(1)).first()
    number, before = (last[0] + 1, last[1]) if last is not None else (1, "")
    moment = (made_at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    bare = Correction(number, moment, catalogue, environment, kind, author.strip(), reason.strip(), content, "")
    made = Correction(
        number, moment, catalogue, environment, kind, author.strip(), reason.strip(), content, bare.proof(before)
    )
    connection.execute(
        table.insert().values(
            number=number,
            made_at=moment,
            catalogue=catalogue,
            environment=environment,
            kind=kind,
            author=made.author,
            reason=made.reason,
            content=json.dumps(content, sort_keys=True, ensure_ascii=False),
            digest=made.digest,
        )
    )
    return made


def corrections(connection: Connection, until: int | None = None) -> list[Correction]:
    """All corrections in their order, or those up to a number."""
    query = select(table).order_by(table.c.number)
    if until is not None:
        query = query.where(table.c.number <= until)
    return [
        Correction(
            row.number,
            row.made_at,
            row.catalogue,
            row.environment,
            row.kind,
            row.author,
            row.reason,
            json.loads(row.content),
            row.digest,
        )
        for row in connection.execute(query)
    ]


def exclusions(chain: Sequence[Correction], catalogue: str, environment: str) -> list[Interval]:
    """The exclusions of a catalogue that stand after a chain of corrections, in order of time."""
    mine = [one for one in chain if (one.catalogue, one.environment) == (catalogue, environment)]
    withdrawn = {int(one.content["number"]) for one in mine if one.kind == "withdrawal"}
    return sorted(
        Interval(
            int(one.content["start"]),
            int(one.content["end"]),
            one.content.get("name") or f"correction {one.number}",
            tuple(one.content["services"]),
            one.reason,
            one.author,
        )
        for one in mine
        if one.kind == "exclusion" and one.number not in withdrawn
    )
