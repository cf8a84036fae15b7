"""What an evaluation is about, and the stretch of time it must look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue
from sla_kit.engine.results import Incident, Period, SloResult
from sla_kit.engine.windows import DAY, before, period_of
from sla_kit.timeline import Grid, Mask, Timeline


@dataclass(frozen=True)
class Context:
    """One evaluation: the promises, the moment they are judged at (epoch seconds, a multiple of the bucket), the
    report's window, and the maintenance windows and live events around it."""

    catalogue: Catalogue
    at: int
    window: Period
    maintenance: tuple[Interval, ...]
    events: tuple[Interval, ...]


@dataclass(frozen=True)
class Judgement:
    """One SLO judged: its result, all incidents of the whole grid (the result has those of the report's window), and
    which buckets were observed, as packed bits, since timelines are not kept."""

    result: SloResult
    incidents: tuple[Incident, ...]
    grid: Grid
    observed_bits: bytes

    @classmethod
    def of(cls, result: SloResult, incidents: Sequence[Incident], timeline: Timeline) -> Judgement:
        """A judgement made from a timeline."""
        bits = np.packbits(timeline.coverage > 0).tobytes()
        return cls(result, tuple(incidents), timeline.grid, bits)

    def observed(self) -> Mask:
        """The buckets that were observed, shape (grid.count,)."""
        bits = np.unpackbits(np.frombuffer(self.observed_bits, dtype=np.uint8), count=self.grid.count)
        return np.asarray(bits.astype(np.bool_))


def grid_for(context: Context) -> Grid:
    """The buckets that must be fetched: the report's window, the one before it and every SLO's own window.

    It starts at a UTC midnight, so that what is reckoned by day or by slice has whole ones.
    """
    catalogue, window = context.catalogue, context.window
    step = int(catalogue.bucket)
    starts = [window.start, before(window, catalogue.timezone).start]
    starts.extend(period_of(slo.window, context.at, catalogue.timezone).start for _, slo in catalogue.slos())
    start = min(starts) // DAY * DAY // step * step
    end = max(context.at, window.end) // step * step
    return Grid(start, step, max(0, (end - start) // step))
