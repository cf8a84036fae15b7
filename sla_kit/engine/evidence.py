"""Evidence: the runs (backups, restores) that a gauge tells of, one by one, and the worst value of a period."""

from __future__ import annotations

import numpy as np

from sla_kit.catalogue.model import Bound, Freshness, LastDuration, Latency, LogLatency, Probe, Sli
from sla_kit.engine.quantiles import quantile
from sla_kit.engine.results import Evidence, Period
from sla_kit.timeline import Floats, Mask, Timeline


def runs_seen(sli: Sli, timeline: Timeline, period: Period) -> tuple[Evidence, ...]:
    """The distinct runs that were seen in a period, oldest first.

    A duration gauge: each run with how long it took. A timestamp gauge: each run with the age it reached before the
    next one was seen (or so far). A run that had ended before the period began but was the last one known then is
    among them, with a note. Without a timestamp a run is told from the one before by its other length only.
    """
    if not isinstance(sli, Freshness | LastDuration) or timeline.value is None:
        return ()
    where = timeline.grid.slice(period.start, period.end)
    value = timeline.value[where]
    completed = None if timeline.completed is None else timeline.completed[where]
    mark = value if completed is None else completed
    at = np.flatnonzero(~np.isnan(value) & ~np.isnan(mark))
    if not at.size:
        return ()
    firsts = np.concatenate(([0], np.flatnonzero(np.diff(mark[at])) + 1))
    limit = sli.max_age if isinstance(sli, Freshness) else sli.max
    found: list[Evidence] = []
    for first, last in zip(firsts, np.concatenate((firsts[1:], [at.size])), strict=True):
        seconds = float(value[at[first:last]].max())
        ended = None if completed is None else round(float(completed[at[first]]))
        note = "before the window" if ended is not None and ended <= period.start else ""
        found.append(Evidence(ended, seconds, seconds <= limit, note))
    return tuple(found)


def worst_value(sli: Sli, timeline: Timeline, where: slice, inside: Mask | None) -> float | None:
    """The measured figure of the buckets ``where`` (and ``inside`` that slice), None where there is none.

    Latency: the quantile in seconds. Freshness and duration: the largest, in seconds. Probe: the lowest share of
    successful probes of a bucket. Bound: the value farthest out of, or nearest to, its bounds.
    """
    if isinstance(sli, Latency | LogLatency):
        if timeline.histogram is None:
            return None
        found = quantile(timeline.histogram, sli.quantile, where, inside)
        return found if np.isfinite(found) else None
    if timeline.value is None:
        return None
    values = timeline.value[where] if inside is None else timeline.value[where][inside]
    return worst_of(sli, values)


def worst_of(sli: Sli, values: Floats) -> float | None:
    """The worst of some measured values (n,) of an indicator, as `worst_value` has it; NaN is none."""
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    if isinstance(sli, Probe):
        return float(values.min())
    if isinstance(sli, Bound):
        return float(values[np.argmax(_excess(sli, values))])
    return float(values.max())


def _excess(sli: Bound, values: Floats) -> Floats:
    """How far each value is beyond the nearer bound (negative inside)."""
    over = np.full(values.shape, -np.inf) if sli.upper is None else values - sli.upper
    under = np.full(values.shape, -np.inf) if sli.lower is None else sli.lower - values
    return np.asarray(np.maximum(over, under), dtype=np.float64)
