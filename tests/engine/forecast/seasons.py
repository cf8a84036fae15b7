"""Weeks of traffic that the forecast's tests look back on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Window
from sla_kit.engine.budgeting import Counted, Terms
from sla_kit.engine.forecast.courses import Method, Seen
from sla_kit.engine.forecast.hours import Future
from sla_kit.engine.forecast.outlook import outlook
from sla_kit.engine.forecast.results import Outlook, Risk
from sla_kit.timeline import Floats, Grid

#: 2026-09-28T00:00:00Z, a Monday.
MONDAY = 1790553600
HOUR = 3600
DAY = 86400
STEP = 3600
OBJECTIVE = 0.99
#: Without what the past does not show, so that a course can be worked out by hand.
SEEN_ONLY = Method(unseen_cost=0.0)


def counted(total: Floats, bad: Floats, at: int = MONDAY, step: int = STEP) -> Counted:
    """Events per bucket up to ``at``, observed throughout."""
    total, bad = np.asarray(total, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    grid = Grid(at - step * len(total), step, len(total))
    return Counted(grid, total, bad, np.ones(len(total)), None, "requests", True)


def steady(days: int, ratio: float, rate: float = 1000.0) -> Counted:
    """``rate`` events in every hour, of which that share is bad."""
    total = np.full(days * 24, rate)
    return counted(total, total * ratio)


def looked(
    events: Counted,
    days: int = 30,
    window: Window = Window(rolling=30.0 * DAY),  # noqa: B008
    live: Sequence[Interval] = (),
    objective: float = OBJECTIVE,
    maintenance: Sequence[Interval] = (),
    method: Method = SEEN_ONLY,
) -> tuple[Outlook, list[tuple[int, Risk]]]:
    """The outlook of an SLO in UTC, and what puts it at risk."""
    at, step = events.grid.end, events.grid.step
    seen = Seen.of(events, live, "UTC", "web")
    future = Future.of(at, days * 24, step, live, maintenance, "web")
    return outlook(seen, Terms(objective, "occurrences"), window, future, ("web", "availability"), method)
