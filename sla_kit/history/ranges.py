"""PromQL's functions over ranges of one series' samples, at many end times at once.

Every function takes ``times_ms`` (n,) ascending epoch milliseconds and ``values`` (n,) without staleness markers,
``end_ms`` (m,) and ``window_ms``, and answers (m,): the function over the samples with ``end - window < t <= end``,
NaN where the range holds too few. The meaning is Prometheus 3's (promql/functions.go): ranges are open at the left,
`increase`, `rate` and `delta` extrapolate to the edges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sla_kit.history.store import is_stale
from sla_kit.timeline import Floats, Ints, Mask

RangeFunction = Callable[[Ints, Floats, Ints, int], Floats]

#: Windows longer than this many samples are folded by blocks of samples, so that a month's window moved by the minute
#: does not add the same samples thousands of times.
_LONG, _BLOCK = 1024, 256


def counts(times_ms: Ints, end_ms: Ints, window_ms: int) -> Ints:
    """How many samples each range holds, shape (m,)."""
    low, high = _bounds(times_ms, end_ms, window_ms)
    return high - low


def increase(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The growth of a counter, extrapolated to the edges of the range; a lower value is a reset."""
    return _extrapolated(times_ms, values, end_ms, window_ms, counter=True)


def rate(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """`increase` per second."""
    return _extrapolated(times_ms, values, end_ms, window_ms, counter=True, per_seconds=window_ms / 1000)


def delta(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The difference of a gauge's last and first sample, extrapolated."""
    return _extrapolated(times_ms, values, end_ms, window_ms, counter=False)


def irate(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The growth per second between the last two samples of a counter."""

    def of(before: Ints, last: Ints) -> Floats:
        reset = values[last] < values[before]
        change: Floats = np.where(reset, values[last], values[last] - values[before])
        return change / ((times_ms[last] - times_ms[before]) / 1000)

    return _of_last_two(times_ms, end_ms, window_ms, of)


def idelta(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The difference of the last two samples of a gauge."""
    return _of_last_two(times_ms, end_ms, window_ms, lambda before, last: values[last] - values[before])


def sum_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The sum of the samples."""
    return _folded(np.add, times_ms, values, end_ms, window_ms)


def avg_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The mean of the samples."""
    with np.errstate(invalid="ignore"):
        return _folded(np.add, times_ms, values, end_ms, window_ms) / np.maximum(counts(times_ms, end_ms, window_ms), 1)


def min_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The lowest sample; NaN only where all are."""
    return _folded(np.fmin, times_ms, values, end_ms, window_ms)


def max_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The highest sample; NaN only where all are."""
    return _folded(np.fmax, times_ms, values, end_ms, window_ms)


def count_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The number of samples; NaN, not zero, where there is none."""
    found = counts(times_ms, end_ms, window_ms)
    return np.where(found > 0, found, np.nan)


def last_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """The last sample."""
    low, high = _bounds(times_ms, end_ms, window_ms)
    result = np.full(end_ms.shape, np.nan)
    some = high > low
    result[some] = values[high[some] - 1]
    return result


def present_over_time(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """One where there is a sample."""
    return np.where(counts(times_ms, end_ms, window_ms) > 0, 1.0, np.nan)


def resets(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """How often a sample is lower than the one before it, both inside the range."""
    return _counted(values[1:] < values[:-1], times_ms, end_ms, window_ms)


def changes(times_ms: Ints, values: Floats, end_ms: Ints, window_ms: int) -> Floats:
    """How often a sample differs from the one before it, both inside the range; NaN equals NaN."""
    different = values[1:] != values[:-1]
    return _counted(different & ~(np.isnan(values[1:]) & np.isnan(values[:-1])), times_ms, end_ms, window_ms)


def latest(times_ms: Ints, values: Floats, end_ms: Ints, lookback_ms: int) -> tuple[Floats, Mask]:
    """The sample that an instant selector finds at each time and whether there is one; here ``values`` may hold
    staleness markers, which end a series."""
    result = np.full(end_ms.shape, np.nan)
    at = np.searchsorted(times_ms, end_ms, side="right") - 1
    present = at >= 0
    present[present] = times_ms[at[present]] > end_ms[present] - lookback_ms
    present[present] = ~is_stale(values)[at[present]]
    result[present] = values[at[present]]
    return result, present


# --- what they share ------------------------------------------------------------------------------------------------


def _bounds(times: Ints, ends: Ints, window: int) -> tuple[Ints, Ints]:
    return np.searchsorted(times, ends - window, side="right"), np.searchsorted(times, ends, side="right")


def _extrapolated(
    times: Ints, values: Floats, ends: Ints, window: int, *, counter: bool, per_seconds: float = 1.0
) -> Floats:
    """Prometheus 3's extrapolatedRate (promql/functions.go), in its order of operations."""
    low, high = _bounds(times, ends, window)
    result = np.full(ends.shape, np.nan)
    some = np.flatnonzero(high - low >= 2)
    if not some.size:
        return result
    first, last = low[some], high[some] - 1
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = values[last] - values[first]
        if counter:
            change = change + _lost_in_resets(values, first, last)
        sampled = (times[last] - times[first]) / 1000
        average = sampled / (last - first)
        threshold = average * 1.1
        to_start = (times[first] - (ends[some] - window)) / 1000
        to_end = (ends[some] - times[last]) / 1000
        to_start = np.where(to_start >= threshold, average / 2, to_start)
        to_end = np.where(to_end >= threshold, average / 2, to_end)
        if counter:
            # A counter is never negative: it began no earlier than where its slope meets zero.
            to_zero = sampled * (values[first] / change)
            clamped = (change > 0) & (values[first] >= 0) & (to_zero < to_start)
            to_start = np.where(clamped, to_zero, to_start)
        result[some] = change * ((sampled + to_start + to_end) / sampled / per_seconds)
    return result


def _lost_in_resets(values: Floats, first: Ints, last: Ints) -> Floats:
    """The sum of the values just before each reset between the samples ``first`` and ``last``.

    Only the resets inside a range are added up: the difference of two running totals would lose a small growth beside
    large totals.
    """
    before = np.flatnonzero(values[1:] < values[:-1])
    lost = np.zeros(first.shape)
    if before.size:
        low, high = np.searchsorted(before, first), np.searchsorted(before, last)
        some = high > low
        lost[some] = _fold(np.add, values[before], low[some], high[some])
    return lost


def _of_last_two(times: Ints, ends: Ints, window: int, of: Callable[[Ints, Ints], Floats]) -> Floats:
    low, high = _bounds(times, ends, window)
    result = np.full(ends.shape, np.nan)
    some = np.flatnonzero(high - low >= 2)
    if some.size:
        with np.errstate(invalid="ignore", over="ignore"):
            result[some] = of(high[some] - 2, high[some] - 1)
    return result


def _counted(happened: Mask, times: Ints, ends: Ints, window: int) -> Floats:
    """How many of the pairs (i, i+1) of a range ``happened``."""
    low, high = _bounds(times, ends, window)
    running = np.concatenate(([0], np.cumsum(happened)))
    result = np.full(ends.shape, np.nan)
    some = high > low
    result[some] = running[high[some] - 1] - running[low[some]]
    return result


def _folded(ufunc: np.ufunc, times: Ints, values: Floats, ends: Ints, window: int) -> Floats:
    low, high = _bounds(times, ends, window)
    result = np.full(ends.shape, np.nan)
    some = high > low
    if some.any():
        with np.errstate(invalid="ignore", over="ignore"):
            result[some] = _fold(ufunc, values, low[some], high[some])
    return result


def _fold(ufunc: np.ufunc, values: Floats, low: Ints, high: Ints) -> Floats:
    """``ufunc.reduce(values[low:high])`` for every pair with low < high."""
    if not low.size or (high - low).mean() <= _LONG:
        pairs = np.column_stack((low, high)).ravel()
        within: Any = np.append(values, values[-1])  # reduceat wants every index inside
        every: Floats = ufunc.reduceat(within, pairs) if pairs.size else np.empty(0)
        return every[::2]
    blocks = ufunc.reduceat(values, np.arange(0, values.size, _BLOCK))
    left, right = -(-low // _BLOCK), high // _BLOCK  # the whole blocks inside
    result = np.empty(low.shape)
    narrow = left >= right
    result[narrow] = _fold(ufunc, values, low[narrow], high[narrow])
    wide = np.flatnonzero(~narrow)
    result[wide] = _fold(ufunc, blocks, left[wide], right[wide])
    for begin, end in ((low, left * _BLOCK), (right * _BLOCK, high)):
        more = wide[begin[wide] < end[wide]]
        result[more] = ufunc(result[more], _fold(ufunc, values, begin[more], end[more]))
    return result
