"""What a ledger holds, indicator by indicator."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from sla_kit.ledger import Ledger
from sla_kit.ledger.rows import DAY_SECONDS
from sla_kit.ledger.tables import day as days
from sla_kit.ledger.tables import indicator as indicators


@dataclass(frozen=True, slots=True)
class Holding:
    """The rows of one indicator under one definition: ``start`` and ``end`` of its buckets (epoch seconds), rows,
    buckets, payload bytes, and how many of the rows are corrections."""

    catalogue: str
    environment: str
    service: str
    name: str
    bucket: int
    definition: str
    start: int
    end: int
    rows: int
    buckets: int
    bytes: int
    corrected: int

    @property
    def bytes_per_day(self) -> float:
        """Payload bytes of a row."""
        return self.bytes / self.rows if self.rows else 0.0


def holdings(ledger: Ledger) -> list[Holding]:
    """Everything that is held, by catalogue, environment, service and name. Raises `LedgerError`."""
    query = (
        select(
            indicators.c.catalogue,
            indicators.c.environment,
            indicators.c.service,
            indicators.c.name,
            indicators.c.bucket,
            indicators.c.definition,
            func.min(days.c.day * DAY_SECONDS + days.c.first * indicators.c.bucket),
            func.max(days.c.day * DAY_SECONDS + (days.c.first + days.c.count) * indicators.c.bucket),
            func.count(),
            func.sum(days.c.count),
            func.sum(func.length(days.c.payload)),
            func.count().filter(days.c.correction > 0),
        )
        .join(days, days.c.indicator == indicators.c.id)
        .group_by(*indicators.c)
        .order_by(indicators.c.catalogue, indicators.c.environment, indicators.c.service, indicators.c.name)
    )
    with ledger.store.reading() as connection:
        return [
            Holding(catalogue, environment, service, name, bucket, definition, *(int(number) for number in numbers))
            for catalogue, environment, service, name, bucket, definition, *numbers in connection.execute(query)
        ]
