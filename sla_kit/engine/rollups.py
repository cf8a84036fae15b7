"""Figures of calendar months, quarters and years beside those of the report's window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sla_kit.engine.results import Figure, Period, PromiseRollup, Rollup, SloResult, verdict
from sla_kit.engine.windows import parse_period
from sla_kit.errors import SlaKitError


def rollup_periods(names: Iterable[str], at: int, timezone: str) -> tuple[Period, ...]:
    """The periods that some names mean at ``at`` (epoch seconds), each once: what ``--window`` takes, such as "month"
    (the running one, or the one that ends there), "last-quarter" or "2026-Q3". Raises `SlaKitError` for others."""
    found: dict[Period, None] = {}
    for name in names:
        period = parse_period(name, at, timezone)
        if period.end > at:
            raise SlaKitError(f"the roll-up {name} ends after the report", remedy="give a period in the past")
        found[period] = None
    return tuple(found)


def rolled_up(periods: Sequence[Period], over: Callable[[Period], Figure]) -> tuple[Rollup, ...]:
    """One SLO's roll-ups, from whatever can tell its ``figure`` of a period: sums of buckets, or of kept days."""
    return tuple(Rollup(period, over(period)) for period in periods)


def promise_rollups(periods: Sequence[Period], slos: Sequence[SloResult]) -> tuple[PromiseRollup, ...]:
    """How a promise stands over each period by its SLOs, which were rolled up over the same ones."""
    return tuple(
        PromiseRollup(period, verdict(slo.rollups[place].figure.met for slo in slos))
        for place, period in enumerate(periods)
    )
