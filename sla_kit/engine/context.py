"""What an evaluation is about, and the stretch of time it must look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue
from sla_kit.engine.budgeting import Countable, Terms
from sla_kit.engine.figures import figure
from sla_kit.engine.results import Figure, Incident, Period, SloResult
from sla_kit.engine.windows import DAY, before, period_of
from sla_kit.timeline import Floats, Grid, Mask

if TYPE_CHECKING:
    from sla_kit.engine.agreement import SideBySide


@dataclass(frozen=True)
class Context:
    """One evaluation: the promises, the moment they are judged at (epoch seconds, a multiple of the bucket), the
    report's window, the maintenance windows and live events around it, and other periods to tell figures of."""

    catalogue: Catalogue
    at: int
    window: Period
    maintenance: tuple[Interval, ...]
    events: tuple[Interval, ...]
    rollups: tuple[Period, ...] = ()


#: What makes a figure final: the figure, the terms it is judged by, its buckets (a slice, a mask of the slice's shape),
#: and whether exclusions are in it.
Settle = Callable[[Figure, Terms, slice, Mask | None, bool], Figure]


def _as_it_is(found: Figure, promised: Terms, where: slice, inside: Mask | None, whole: bool) -> Figure:
    return found


@dataclass(frozen=True)
class Counts:
    """What one SLO counted: ``counted`` with exclusions left out, ``everything`` with them in (the same where there are
    none), the terms, and what makes a figure of it final."""

    counted: Countable
    everything: Countable
    terms: Terms
    settle: Settle = _as_it_is

    def figure(
        self,
        where: slice,
        *,
        inside: Mask | None = None,
        whole: bool = False,
        seconds: float | None = None,
        value: float | None = None,
    ) -> Figure:
        """The figure of some buckets (`figures.figure`), exclusions in where it is the ``whole``."""
        events = self.everything if whole else self.counted
        found = figure(events, where, self.terms, seconds=seconds, inside=inside, value=value)
        return self.settle(found, self.terms, where, inside, whole)


@dataclass(frozen=True)
class Judgement:
    """One SLO judged: its result, all incidents of the whole grid (the result has those of the report's window), and
    which buckets were observed, as packed bits, since timelines are not kept. ``counts`` is what it counted, where a
    composite or a comparison needs it. ``compared`` is it beside an SLO that measures the same, where it names one."""

    result: SloResult
    incidents: tuple[Incident, ...]
    grid: Grid
    observed_bits: bytes
    counts: Counts | None = None
    compared: SideBySide | None = None

    @classmethod
    def of(
        cls,
        result: SloResult,
        incidents: Sequence[Incident],
        grid: Grid,
        coverage: Floats,
        counts: Counts | None = None,
    ) -> Judgement:
        """A judgement with the coverage (grid.count,) that it was made from."""
        return cls(result, tuple(incidents), grid, np.packbits(coverage > 0).tobytes(), counts)

    def observed(self) -> Mask:
        """The buckets that were observed, shape (grid.count,)."""
        bits = np.unpackbits(np.frombuffer(self.observed_bits, dtype=np.uint8), count=self.grid.count)
        return np.asarray(bits.astype(np.bool_))


def grid_for(context: Context) -> Grid:
    """The buckets that must be fetched: the report's window, the one before it, every SLO's own window and
    the roll-ups.

    It starts at a UTC midnight, so that what is reckoned by day or by slice has whole ones.
    """
    catalogue, window = context.catalogue, context.window
    step = int(catalogue.bucket)
    starts = [window.start, before(window, catalogue.timezone).start]
    starts.extend(period.start for period in context.rollups)
    starts.extend(period_of(slo.window, context.at, catalogue.timezone).start for _, slo in catalogue.slos())
    start = min(starts) // DAY * DAY // step * step
    end = max(context.at, window.end) // step * step
    return Grid(start, step, max(0, (end - start) // step))
