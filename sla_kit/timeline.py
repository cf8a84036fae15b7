"""The timeline: good, total and coverage per bucket, the one shape that sources produce and the engine reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grid:
    """``count`` buckets of ``step`` seconds.

    Bucket i covers the times t (epoch seconds) with ``start + i*step < t <= start + (i+1)*step``, open at the left and
    closed at the right as Prometheus reads a range. ``start`` is a multiple of ``step``, so that every evaluation cuts
    time at the same places.
    """

    start: int
    step: int
    count: int

    def __post_init__(self) -> None:
        if self.step <= 0 or self.count < 0 or self.start % self.step:
            raise ValueError(f"not a grid: start {self.start}, step {self.step}, count {self.count}")

    @classmethod
    def covering(cls, start: float, end: float, step: int) -> Grid:
        """The whole buckets inside (start, end]: a bucket cut by an edge is left out at the end, taken at the start."""
        first = int(start // step) * step
        last = int(end // step) * step
        return cls(first, step, max(0, (last - first) // step))

    @property
    def end(self) -> int:
        """The end of the last bucket, epoch seconds."""
        return self.start + self.step * self.count

    @property
    def ends(self) -> Ints:
        """The end of each bucket, epoch seconds, shape (count,)."""
        return self.start + self.step * np.arange(1, self.count + 1, dtype=np.int64)

    def slice(self, start: float, end: float) -> slice:
        """The buckets that lie wholly inside (start, end], clipped to the grid."""
        low = -(-(int(np.ceil(start)) - self.start) // self.step)
        high = (int(np.floor(end)) - self.start) // self.step
        low = min(max(low, 0), self.count)
        return slice(low, min(max(high, low), self.count))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the data that a reader of the figures must know.

    ``kind`` is one of a small set of words (``counter-backwards``, ``bad-over-total``, ``vanished``, ``no-data``,
    ``threshold-between-buckets``, ``partial-answer``, ``warning`` …), ``count`` how many buckets show it.
    """

    kind: str
    message: str
    count: int = 1
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations per bucket of time by classic histogram bucket.

    ``bounds`` (k,) are the upper bounds in seconds, ascending, the last +Inf; ``counts`` (n, k) are the events of each
    time bucket at or under that bound (cumulative over the bounds, as ``le`` is).
    """

    bounds: Floats
    counts: Floats


#: What one event of a timeline is: a request, a sample or slice of time, or one outage.
Unit = Literal["requests", "samples", "minutes", "outages"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened to one indicator, bucket by bucket; every array has the shape (grid.count,).

    ``good`` and ``total`` are events with 0 <= good <= total; ``coverage`` is the share of the bucket that was
    observed, 0 to 1 (a bucket with coverage 0 may still hold events: those that a counter counted across a gap).
    ``value`` is the measured figure itself where there is one (an age or a duration in seconds, a gauge), NaN unknown.
    """

    grid: Grid
    good: Floats
    total: Floats
    coverage: Floats
    unit: Unit = "requests"
    value: Floats | None = None
    completed: Floats | None = None  # when the run that `value` measures ended, epoch seconds, NaN unknown
    histogram: Histogram | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def bad(self) -> Floats:
        """Bad events per bucket, shape (count,), never negative."""
        return self.total - self.good
