"""Responses to the incidents of the sample's week, and of the week before, with everything a reader must cope with."""

from __future__ import annotations

from dataclasses import replace

from sla_kit.engine.results import Period
from sla_kit.ledger.response_report import Handled, ResponseReport
from tests.report.sample import DAY, NASTY, WEEK

BEFORE = Period("2026-W37", WEEK.start - 7 * DAY, WEEK.start)


def handled(number: int, *, took: float | None = 120.0, lasted: float = 600.0, week: Period = WEEK) -> Handled:
    """A critical incident of the api that began ``number`` hours into the week; 5 minutes to take it, 15 to end it."""
    opened = float(week.start + number * 3600)
    return Handled(
        title=f"api: error budget burns {number}",
        severity="critical",
        team="platform",
        service="api",
        opened=opened,
        recovered=opened + lasted,
        recover_seconds=lasted,
        acknowledge_seconds=took,
        acknowledge_within=300.0,
        acknowledged_in_time=took is not None and took <= 300,
        recover_within=900.0,
        recovered_in_time=lasted <= 900,
        escalations=int(took is None or took > 300),
    )


def still_open(number: int, title: str = NASTY) -> Handled:
    """A warning of no service that nobody has taken, and that there is still time for."""
    one = handled(number, took=None)
    lasted = WEEK.end - one.opened
    return replace(
        one, title=title, severity="warning", team="", service="", recovered=None, recover_seconds=lasted,
        acknowledge_within=1800.0, acknowledged_in_time=None, recover_within=None, recovered_in_time=None,
        escalations=0,
    )  # fmt: skip


def responses_sample(*incidents: Handled) -> ResponseReport:
    """Three critical ones and an open warning, or those that are given."""
    given = incidents or (
        handled(1),
        handled(30, took=420.0, lasted=1800.0),
        handled(60, took=None, lasted=240.0),
        still_open(167),
    )
    compared = ResponseReport(BEFORE, 4, (handled(2, took=30.0, lasted=300.0, week=BEFORE),))
    return ResponseReport(WEEK, 9, given, compared=compared)
