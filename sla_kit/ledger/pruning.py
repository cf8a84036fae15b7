"""Deleting what is older than it must be kept: rows go, and a correction says which and why."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select

from sla_kit.catalogue.model import Catalogue
from sla_kit.ledger import Ledger
from sla_kit.ledger.corrections import Correction, append
from sla_kit.ledger.rows import DAY_SECONDS
from sla_kit.ledger.store import Store
from sla_kit.ledger.tables import daily, judged, mark
from sla_kit.ledger.tables import day as days
from sla_kit.ledger.tables import indicator as indicators


@dataclass(frozen=True, slots=True)
class Pruned:
    """Rows of how many days from ``first`` to ``last`` (days since 1970) were, or would be, deleted."""

    rows: int
    first: int | None
    last: int | None
    correction: Correction | None = None


def prune(
    ledger: Ledger, catalogue: Catalogue, before: int, *, author: str, reason: str, dry_run: bool = False
) -> Pruned:
    """Deletes the rows of a catalogue and environment of days that ended at or before ``before`` (epoch seconds),
    whatever definitions they belong to. Corrections and what reports were made of stay. Raises `LedgerError`."""
    mine = select(indicators.c.id).where(
        (indicators.c.catalogue == catalogue.name) & (indicators.c.environment == catalogue.environment)
    )
    old = days.c.indicator.in_(mine) & (days.c.day < before // DAY_SECONDS)
    with ledger.store.writing() as connection:
        rows, first, last = connection.execute(
            select(func.count(), func.min(days.c.day), func.max(days.c.day)).where(old)
        ).one()
        if not rows or dry_run:
            return Pruned(int(rows), first, last)
        connection.execute(delete(days).where(old))
        for derived in (daily, judged):  # made again from what is left
            connection.execute(delete(derived))
        made = append(
            connection,
            catalogue=catalogue.name,
            environment=catalogue.environment,
            kind="pruning",
            author=author,
            reason=reason,
            content={"first_day": int(first), "last_day": int(last), "rows": int(rows)},
        )
    if ledger.store.is_sqlite:
        ledger.store.vacuum()
    return Pruned(int(rows), first, last, made)


def forget(store: Store, before: int) -> None:
    """Deletes the rows of days that ended at or before ``before`` (epoch seconds), and all marks, without a word of it:
    for a ledger that only saves reading twice and proves nothing to anybody. The pages are used again."""
    with store.writing() as connection:
        connection.execute(delete(days).where(days.c.day < before // DAY_SECONDS))
        connection.execute(delete(mark))
