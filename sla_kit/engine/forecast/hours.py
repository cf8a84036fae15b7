"""Past and future in hours, counted back and forth from the moment of the forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.exclusions import during, excluded
from sla_kit.timeline import Floats, Grid, Ints

HOUR = 3600
DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Past:
    """The whole hours up to ``at`` (epoch seconds), oldest first; each array has the shape (hours,).

    ``total`` and ``bad`` are the events that the budget counts. The ``quiet`` ones are those outside live events, and
    ``quiet_seconds`` the time outside of which something is known: not excluded, observed or counted.
    """

    at: int
    total: Floats
    bad: Floats
    quiet_total: Floats
    quiet_bad: Floats
    quiet_seconds: Floats

    @property
    def count(self) -> int:
        """How many hours there are."""
        return len(self.total)

    @property
    def middles(self) -> Ints:
        """The middle of each hour, epoch seconds, shape (hours,)."""
        return self.at - HOUR * np.arange(self.count, 0, -1, dtype=np.int64) + HOUR // 2

    @classmethod
    def of(cls, counted: Counted, live: Sequence[Interval], service: str) -> Past:
        """The hours of a grid that ends at the moment of the forecast; what is left over at its start is dropped."""
        grid = counted.grid
        each = HOUR // grid.step
        count = grid.count // each
        inside = during(live, service, grid)
        known = (counted.coverage > 0) | (counted.total > 0)
        if counted.keep is not None:
            known = known & counted.keep
        quiet = known if inside is None else known & ~inside

        def hourly(values: Floats) -> Floats:
            whole = values[grid.count - count * each :].reshape(count, each)
            return np.asarray(whole.sum(axis=1), dtype=np.float64)

        return cls(
            grid.end,
            hourly(counted.total),
            hourly(counted.bad),
            hourly(counted.total * quiet),
            hourly(counted.bad * quiet),
            hourly(quiet.astype(np.float64)) * grid.step,
        )


@dataclass(frozen=True, slots=True)
class Coming:
    """A live event to come: (``start``, ``end``] in epoch seconds, of which ``seconds`` (hours,) lie in each hour of
    the future; what of it has passed, or is excluded, is not among them."""

    name: str
    start: int
    end: int
    seconds: Floats


@dataclass(frozen=True, slots=True)
class Future:
    """The hours after ``at``: ``quiet_seconds`` (hours,) outside live events and maintenance, and the ``events``."""

    at: int
    quiet_seconds: Floats
    events: tuple[Coming, ...]

    @property
    def count(self) -> int:
        """How many hours there are."""
        return len(self.quiet_seconds)

    @property
    def middles(self) -> Ints:
        """The middle of each hour, epoch seconds, shape (hours,)."""
        return self.at + HOUR * np.arange(self.count, dtype=np.int64) + HOUR // 2

    @classmethod
    def of(
        cls, at: int, hours: int, step: int, live: Sequence[Interval], maintenance: Sequence[Interval], service: str
    ) -> Future:
        """The next hours of a service, on buckets of ``step`` seconds; ``at`` is a multiple of that."""
        grid = Grid(at, step, hours * HOUR // step)
        away = excluded(maintenance, service, grid)
        open_to_all = np.ones(grid.count, dtype=np.bool_) if away is None else ~away
        free = open_to_all.copy()
        events = []

        def hourly(values: Floats) -> Floats:
            return np.asarray(values.reshape(hours, -1).sum(axis=1), dtype=np.float64) * step

        for event in together(live, service):
            mask = during([event], event.services[0] if event.services else "", grid)
            if mask is not None:
                events.append(Coming(event.name, event.start, event.end, hourly((mask & free).astype(np.float64))))
                free &= ~mask
        return cls(at, hourly(free.astype(np.float64)), tuple(events))


def together(live: Sequence[Interval], service: str) -> list[Interval]:
    """The live events of a service by start, those that overlap as one under the first one's name."""
    found: list[Interval] = []
    for event in sorted(event for event in live if event.concerns(service)):
        if found and event.start < found[-1].end:
            last = found[-1]
            found[-1] = Interval(last.start, max(last.end, event.end), last.name, last.services)
        else:
            found.append(event)
    return found
