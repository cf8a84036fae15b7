"""Quantiles and shares from classic histograms, as Prometheus computes them.

https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
"""

from __future__ import annotations

import numpy as np

from sla_kit.timeline import Floats, Histogram, Mask

#: Prometheus takes bucket counts that differ by less than this (relative) as equal: floating-point noise of sums.
_SAME = 1e-12
#: Products of more elements than this are shared out to threads, which takes a hundred times as long as the product
#: where the other cores are busy, and makes its last digits depend on their number.
_BLOCK = 65536


def quantile(histogram: Histogram, q: float, where: slice = slice(None), inside: Mask | None = None) -> float:
    """The q-quantile in seconds of all observations in the buckets of time ``where`` (and ``inside`` that slice).

    ``inside`` has the slice's shape. NaN without observations.
    """
    return quantile_of(histogram.bounds, summed(histogram, where, inside), q)


def summed(histogram: Histogram, where: slice = slice(None), inside: Mask | None = None) -> Floats:
    """The observations at or under each bound in those buckets of time, shape (k,). Nothing of (n, k) is copied."""
    counts = histogram.counts[where]
    weights = np.ones(len(counts)) if inside is None else inside.astype(np.float64)
    result = np.zeros(counts.shape[1])
    rows = max(1, _BLOCK // max(1, counts.shape[1]))
    for first in range(0, len(counts), rows):
        result += weights[first : first + rows] @ counts[first : first + rows]
    return result


def quantile_of(bounds: Floats, counts: Floats, q: float) -> float:
    """`histogram_quantile(q, …)` of Prometheus for one classic histogram.

    ``bounds`` (k,) ascending upper bounds, the last +Inf; ``counts`` (k,) observations at or under each. Observations
    are taken to lie evenly inside a bucket, the lowest of which starts at 0 if its bound is positive; a quantile in
    the +Inf bucket is the highest finite bound. NaN without observations, without a +Inf bucket, or with only one.
    q < 0 gives -Inf and q > 1 +Inf.
    """
    if np.isnan(q):
        return float("nan")
    if q < 0:
        return float("-inf")
    if q > 1:
        return float("inf")
    if len(bounds) < 2 or not np.isposinf(bounds[-1]):
        return float("nan")
    cumulative = repaired(counts)
    observations = float(cumulative[-1])
    if not observations > 0:
        return float("nan")
    rank = q * observations
    last = len(bounds) - 1
    index = int(np.searchsorted(cumulative[:last], rank, side="left"))
    if index == last:
        return float(bounds[last - 1])
    upper = float(bounds[index])
    if index == 0 and upper <= 0:
        return upper
    lower = float(bounds[index - 1]) if index else 0.0
    below = float(cumulative[index - 1]) if index else 0.0
    here = float(cumulative[index]) - below
    return lower + (upper - lower) * ((rank - below) / here) if here else float("nan")


def fraction_under(bounds: Floats, counts: Floats, x: float) -> float:
    """The share of observations at or under ``x`` seconds, 0 to 1, by the same even spread inside a bucket.

    Above the highest finite bound nothing is known, so that only the observations under it count (all where ``x`` is
    +Inf). ``bounds`` and ``counts`` as in `quantile_of`. NaN without observations.
    """
    cumulative = repaired(counts)
    if not len(cumulative) or not cumulative[-1] > 0:
        return float("nan")
    observations = float(cumulative[-1])
    index = int(np.searchsorted(bounds, x, side="left"))
    if index == len(bounds):
        return 1.0
    upper = float(bounds[index])
    if upper == x:
        return float(cumulative[index]) / observations
    lower = float(bounds[index - 1]) if index else min(0.0, upper)
    below = float(cumulative[index - 1]) if index else 0.0
    share = (x - lower) / (upper - lower) if np.isfinite(upper) and x > lower else 0.0
    return (below + (float(cumulative[index]) - below) * share) / observations


def repaired(counts: Floats) -> Floats:
    """Cumulative counts made monotonic as Prometheus makes them: a count under the one before is raised to it, and so
    is one that differs from it by no more than floating-point noise; shape (k,)."""
    result = np.array(counts, dtype=np.float64)
    for index in range(1, len(result)):
        previous, current = float(result[index - 1]), float(result[index])
        same = previous > 0 and current > 0 and abs(current - previous) < _SAME * (previous + current)
        if same or current < previous:
            result[index] = previous
    return result
