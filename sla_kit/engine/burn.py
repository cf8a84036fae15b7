"""Burn rates and the budget over time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sla_kit.engine.alert_windows import AlertPair as AlertPair
from sla_kit.engine.alert_windows import alert_pairs as alert_pairs
from sla_kit.engine.budgeting import Countable, Reduce
from sla_kit.engine.results import Burndown, BurnRate
from sla_kit.timeline import Floats, Grid, Ints

_BURNDOWN_POINTS = 500


def burn_rate(total: float, bad: float, allowed_ratio: float) -> float | None:
    """The error ratio in units of the one allowed; None without events. At 1 the budget lasts exactly the window."""
    return bad / total / allowed_ratio if total > 0 and allowed_ratio > 0 else None


def cumulative(values: Floats) -> Floats:
    """Running sums with a leading zero, shape (n + 1,): the sum of values[i:j] is result[j] - result[i]."""
    sums = np.zeros(len(values) + 1)
    np.cumsum(values, out=sums[1:])
    return sums


def burn_series(counted: Countable, window_seconds: int, allowed_ratio: float) -> Floats:
    """The burn rate over the last ``window_seconds`` at the end of every bucket, shape (count,), NaN without events.

    Counts are summed over the window and divided last, so that a busy hour weighs what it should. Before a whole
    window has passed, what there is counts.
    """
    width = max(1, round(window_seconds / counted.grid.step))
    total, bad = counted.sums(lambda values: trailing(cumulative(values), width))
    rate = np.full(counted.grid.count, np.nan)
    np.divide(bad, total * allowed_ratio, out=rate, where=total > 0)
    return rate


def trailing(sums: Floats, width: int) -> Floats:
    """Sums over the last ``width`` buckets at each bucket, shape (n,), from `cumulative` sums (n + 1,)."""
    result = sums[1:].copy()
    if width < len(result):
        result[width:] -= sums[1:-width]
    return result


def burn_rates(counted: Countable, at: int, pairs: tuple[AlertPair, ...], allowed_ratio: float) -> tuple[BurnRate, ...]:
    """The burn rates at ``at`` over every window of the alert pairs, long before short."""
    rates: list[BurnRate] = []
    for pair in pairs:
        for seconds in dict.fromkeys((pair.long, pair.short)):
            where = counted.grid.slice(at - seconds, at)
            total, bad = counted.sums(_summed(where))
            rate = burn_rate(float(total[0]), float(bad[0]), allowed_ratio)
            rates.append(BurnRate(seconds, rate, pair.factor, pair.severity))
    return tuple(rates)


def burndown(counted: Countable, where: slice, allowed: float) -> Burndown | None:
    """The budget left after each bucket of the SLO's own window, as a share of all that it allows; at most 500 points.

    ``allowed`` is the bad events that the whole window allows; None where it allows none, since nothing happened. That
    of a composite which weighs its parts may rise again: its figure is reckoned anew for the window up to each point.
    """
    count = where.stop - where.start
    if allowed <= 0 or count <= 0:
        return None
    begins, times = _points(counted.grid, where.start, where.stop)
    _, spent = counted.sums(lambda values: np.cumsum(np.add.reduceat(values[where], begins)))
    return Burndown(times, np.asarray(1.0 - spent / allowed, dtype=np.float64))


@lru_cache(maxsize=8)
def _points(grid: Grid, start: int, stop: int) -> tuple[Ints, Ints]:
    """At most 500 buckets from ``start`` to before ``stop``, evenly spread, the first and the last among them: from
    where each point's buckets are added, and the times at which the points end. The same for every SLO, and shared."""
    count = stop - start
    points = np.arange(count, dtype=np.int64)
    if count > _BURNDOWN_POINTS:
        points = np.linspace(0, count - 1, _BURNDOWN_POINTS).round().astype(np.int64)
    times = grid.start + grid.step * (start + 1 + points)
    times.flags.writeable = False
    return np.concatenate(([0], points[:-1] + 1)), times


def _summed(where: slice) -> Reduce:
    return lambda values: values[where].sum(keepdims=True)
