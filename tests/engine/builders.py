"""Timelines and catalogues that the engine's tests are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue, PolicyStep, Promise, Service, Slo
from sla_kit.engine.context import Context
from sla_kit.engine.windows import parse_period
from sla_kit.timeline import Floats, Grid, Timeline, Unit

#: 2026-09-28T00:00:00Z, a Monday.
MONDAY = 1790553600
DAY = 86400


def timeline(
    total: Sequence[float] | Floats,
    bad: Sequence[float] | Floats,
    coverage: Sequence[float] | Floats | None = None,
    *,
    start: int = 0,
    step: int = 60,
    unit: Unit = "requests",
) -> Timeline:
    """A timeline from total and bad events per bucket; observed throughout where no coverage is given."""
    events, errors = np.asarray(total, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    seen = np.ones(len(events)) if coverage is None else np.asarray(coverage, dtype=np.float64)
    return Timeline(Grid(start, step, len(events)), events - errors, events, seen, unit)


def steady(grid: Grid, rate: float = 100.0, unit: Unit = "requests") -> Timeline:
    """``rate`` good events in every bucket of a grid."""
    total = np.full(grid.count, rate)
    return Timeline(grid, total.copy(), total, np.ones(grid.count), unit)


def catalogue(*slos: Slo, timezone: str = "UTC", policy: Sequence[PolicyStep] = (), bucket: float = 60.0) -> Catalogue:
    """A catalogue of one service, "web", with a promise "availability"."""
    return Catalogue(
        name="test",
        services=[Service(name="web", owner="platform", slos=list(slos))],
        timezone=timezone,
        bucket=bucket,
        promises=[Promise(name="availability", title="Always there", target="99.9 %")],
        policy=list(policy),
    )


def context(
    of: Catalogue,
    window: str = "7d",
    at: int = MONDAY,
    maintenance: Sequence[Interval] = (),
    events: Sequence[Interval] = (),
) -> Context:
    """An evaluation of a catalogue at a time."""
    return Context(of, at, parse_period(window, at, of.timezone), tuple(maintenance), tuple(events))
