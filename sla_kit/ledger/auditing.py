"""Every version of a figure: as it was first, and as each correction left it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue
from sla_kit.engine.results import Figure, Period
from sla_kit.engine.windows import parse_period
from sla_kit.errors import LedgerError
from sla_kit.evaluation import context_of, results
from sla_kit.ledger import Ledger
from sla_kit.ledger.corrections import Correction
from sla_kit.ledger.reporting import with_exclusions


@dataclass(frozen=True, slots=True)
class Version:
    """A figure after a correction; ``correction`` is None for the first one."""

    correction: Correction | None
    figure: Figure


def versions(
    ledger: Ledger, catalogue: Catalogue, service: str, slo: str, window: str | Period = "30d", at: int | None = None
) -> Iterator[Version]:
    """Each version of an SLO's figure over a window that ends at ``at`` (epoch seconds; the last closed bucket where
    None), oldest first: before all corrections, and after each of this catalogue's. Raises `LedgerError`."""
    chosen = [(one, each) for one, each in catalogue.slos() if (one.name, each.name) == (service, slo)]
    if not chosen:
        known = ", ".join(f"{one.name}/{each.name}" for one, each in catalogue.slos())
        raise LedgerError(f"the catalogue has no SLO {service}/{slo}", remedy=f"its SLOs are {known}")
    if at is None:
        span = ledger.source(catalogue).span()
        if span is None:
            raise LedgerError("the ledger holds nothing of this catalogue", place=ledger.name)
        at = span[1]
    bucket = int(catalogue.bucket)
    period = parse_period(window, at, catalogue.timezone) if isinstance(window, str) else window
    at = min(at, period.end) // bucket * bucket
    mine = [
        one
        for one in ledger.corrections()
        if (one.catalogue, one.environment) == (catalogue.name, catalogue.environment)
    ]
    for correction in [None, *mine]:
        number = correction.number if correction is not None else 0
        context = with_exclusions(context_of(catalogue, at, period), ledger.exclusions(catalogue, number))
        (judged,) = results(context, ledger.source(catalogue, None, number), lambda done, total, what: None, chosen)
        yield Version(correction, judged.result.figure)
