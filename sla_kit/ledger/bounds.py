"""Histograms whose buckets were changed on the way, made one again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from sla_kit.timeline import Finding, Histogram, Timeline


def with_common_bounds(parts: Sequence[Timeline]) -> list[Timeline]:
    """Timelines that follow one another, with the histogram bounds that all of those have which observed anything.

    Counts are cumulative over the bounds, so that what is kept is as true as before; a quantile is only known more
    coarsely. A part without a histogram, or that observed nothing, is given one of zeros. Where bounds had to be left
    out a finding says so.
    """
    if all(part.histogram is None for part in parts):
        return list(parts)
    bounds = [part.histogram.bounds for part in parts if part.histogram is not None and part.histogram.bounds.size]
    if not bounds:
        return [_with(part, Histogram(np.empty(0), np.zeros((part.grid.count, 0)))) for part in parts]
    first = bounds[0]
    if all(one.shape == first.shape and (one == first).all() for one in bounds[1:]):
        common = first
    else:
        common = reduce(np.intersect1d, bounds)
    result: list[Timeline] = []
    for part in parts:
        own = part.histogram
        if own is None or not own.bounds.size:
            result.append(_with(part, Histogram(common, np.zeros((part.grid.count, common.size)))))
        elif own.bounds.shape == common.shape:
            result.append(part)
        else:
            kept = Histogram(common, own.counts[:, np.searchsorted(own.bounds, common)])
            message = "the histogram's buckets were changed: quantiles are known by those that stayed"
            finding = Finding("buckets-changed", message, part.grid.count, part.grid.start, part.grid.end)
            result.append(replace(_with(part, kept), findings=(*part.findings, finding)))
    return result


def _with(timeline: Timeline, histogram: Histogram) -> Timeline:
    return replace(timeline, histogram=histogram)
