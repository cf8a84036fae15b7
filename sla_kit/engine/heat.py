"""The error ratio by local day and hour."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np

from sla_kit.engine.budgeting import Countable
from sla_kit.engine.results import HeatMap
from sla_kit.engine.windows import zone_of
from sla_kit.timeline import Floats, Grid, Ints

#: Every offset from UTC changes, and is, at a multiple of this.
_QUARTER = 900


def heat_map(counted: Countable, where: slice, timezone: str) -> HeatMap | None:
    """The error ratio of each local day and hour of the buckets ``where``; None where there are none.

    A bucket belongs to the hour in which it starts. The hour that a change to summer time skips is NaN; the one that
    the change back repeats holds both.
    """
    if where.stop <= where.start:
        return None
    days, cell, begins = _cells(counted.grid, where.start, where.stop, timezone)
    shape = len(days) * 24

    def by_cell(values: Floats) -> Floats:
        return np.bincount(cell, weights=np.add.reduceat(values[where], begins), minlength=shape).astype(np.float64)

    total, bad = counted.sums(by_cell)
    ratio = np.full(shape, np.nan)
    np.divide(bad, total, out=ratio, where=total > 0)
    return HeatMap(days, ratio.reshape(len(days), 24))


@lru_cache(maxsize=8)
def _cells(grid: Grid, start: int, stop: int, timezone: str) -> tuple[tuple[str, ...], Ints, Ints]:
    """The local days; for each hour the number of its day and hour, day * 24 + hour; and where its buckets begin. The
    same for every SLO."""
    zone = zone_of(timezone)
    starts = grid.start + grid.step * np.arange(start, stop, dtype=np.int64)
    quarters, of = np.unique(starts // _QUARTER, return_inverse=True)
    offsets = [int(datetime.fromtimestamp(int(q) * _QUARTER, zone).utcoffset().total_seconds()) for q in quarters]  # type: ignore[union-attr]
    local = starts + np.array(offsets, dtype=np.int64)[of.reshape(-1)]
    numbers = local // 86400
    first = int(numbers[0])
    days = tuple(str(np.datetime64(first + n, "D")) for n in range(int(numbers.max()) - first + 1))
    cell = np.asarray((numbers - first) * 24 + local % 86400 // 3600, dtype=np.int64)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(cell)) + 1))
    return days, cell[begins], begins
