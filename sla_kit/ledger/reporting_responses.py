"""The responses that a ledger holds, in an evaluation: those of its window, and of what it is compared with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sla_kit.opening import opened_ledger

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.engine.results import Evaluation, Period
    from sla_kit.ledger import Ledger
    from sla_kit.ledger.response_report import ResponseReport


def with_responses(
    evaluation: Evaluation,
    catalogue: Catalogue,
    ledger: Ledger | str | Path | None,
    *,
    services: Collection[str] = (),
    compared: tuple[Catalogue, Period] | None = None,
) -> Evaluation:
    """An evaluation with how the incidents of its window were responded to, of some ``services`` where any are named;
    beside them those of another window or environment, where one is ``compared``. As it is where the ledger holds no
    response of any incident, or there is no ledger. Raises `LedgerError`."""
    with opened_ledger(ledger) as kept:
        if kept is None:
            return evaluation
        found = responses_of(kept, catalogue, evaluation.window, services=services)
        if found is not None and compared is not None:
            other, period = compared
            beside = responses_of(kept, other, period, services=services, until_record=found.records)
            found = replace(found, compared=beside)
    return replace(evaluation, responses=found)


def responses_of(
    ledger: Ledger,
    catalogue: Catalogue,
    period: Period,
    *,
    services: Collection[str] = (),
    until_record: int | None = None,
) -> ResponseReport | None:
    """The same of one period, by what was recorded up to a number, so that it can be told again later as it was told
    then; None where nothing was recorded of any incident."""
    from sla_kit.ledger.response_report import response_report

    records = ledger.newest_response() if until_record is None else until_record
    if not records:
        return None
    # An incident may have opened at any time before; the index is by that time, and there are few of them.
    held = ledger.responses(until=period.end, until_record=records)
    return response_report(held, catalogue, period, records=records, services=services)
