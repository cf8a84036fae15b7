"""Past live events: how far above the usual their traffic was, and how many of their events were bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.forecast.hours import HOUR, together
from sla_kit.engine.forecast.usual import Usual

#: A live event of which less than this share was observed teaches nothing.
_LEAST_SEEN = 0.5
#: So many past events of a name make a kind of their own; before that, all of a service's events are taken.
OWN_KIND = 3


class Named(Protocol):
    """A live event, past or coming."""

    @property
    def name(self) -> str:
        """What the calendar calls it."""
        ...


@dataclass(frozen=True, slots=True)
class Burst:
    """One past live event of a service.

    ``total`` and ``bad`` events in it; ``usual`` is how many would have been usual then. ``peak_rate`` is the highest
    rate of one bucket (events per second), ``usual_peak`` the highest usual rate of the hours it touches.
    """

    name: str
    start: int
    end: int
    total: float
    bad: float
    usual: float
    peak_rate: float
    usual_peak: float

    @property
    def factor(self) -> float | None:
        """Peak over usual; None where nothing is usual."""
        return self.peak_rate / self.usual_peak if self.usual_peak > 0 and self.peak_rate > 0 else None

    @property
    def bad_ratio(self) -> float:
        """The share of its events that were bad."""
        return self.bad / self.total if self.total > 0 else 0.0


def bursts(counted: Counted, live: Sequence[Interval], usual: Usual, service: str) -> tuple[Burst, ...]:
    """The live events of a service that lie wholly in the grid and were observed for the most part, by start."""
    grid, found = counted.grid, []
    known = (counted.coverage > 0) | (counted.total > 0)
    if counted.keep is not None:
        known = known & counted.keep
    for event in together(live, service):
        if event.start < grid.start or event.end > grid.end:
            continue
        where = slice((event.start - grid.start) // grid.step, (event.end - grid.start) // grid.step)
        seen = known[where]
        if not len(seen) or seen.mean() < _LEAST_SEEN or not counted.total[where].any():
            continue
        rate = usual.rate(grid.ends[where] - grid.step // 2)
        found.append(
            Burst(
                event.name,
                event.start,
                event.end,
                float(counted.total[where].sum()),
                float(counted.bad[where].sum()),
                float((rate * seen).sum()) * grid.step,
                float(counted.total[where].max()) / grid.step,
                float(usual.rate(touched_hours(event.start, event.end)).max()),
            )
        )
    return tuple(found)


def touched_hours(start: int, end: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The middle of every UTC hour that (start, end] touches, epoch seconds."""
    return np.arange(start // HOUR, -(-end // HOUR), dtype=np.int64) * HOUR + HOUR // 2


def alike(past: Sequence[Burst], event: Named) -> tuple[Burst, ...]:
    """The past events to go by for a coming one: those of its name where there are some, else all."""
    same = tuple(burst for burst in past if burst.name == event.name)
    return same if len(same) >= OWN_KIND else tuple(past)
