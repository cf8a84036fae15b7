"""From a timeline to counted events, by the budgeting methods that OpenSLO v1 defines.

https://github.com/OpenSLO/OpenSLO#slo: occurrences (good over total events), time slices (slices that pass over all
slices), ratio time slices (the mean of the slices' ratios).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sla_kit.catalogue.model import (
    Budgeting,
    Composite,
    External,
    Latency,
    LogEvents,
    LogLatency,
    Missing,
    Promql,
    Recovery,
    Requests,
    Sli,
    Slo,
)
from sla_kit.timeline import Floats, Grid, Ints, Mask, Timeline, Unit

#: Ratios that differ by no more than this (relative) are the same: floating-point noise decides no promise.
SLACK = 1e-12
_DAY = 86400
#: Sums of values per bucket, shape (count,), over k periods: shape (k,). Linear.
Reduce = Callable[[Floats], Floats]


class Countable(Protocol):
    """What figures are made from: events of an SLO, added up over any periods."""

    @property
    def grid(self) -> Grid: ...
    @property
    def coverage(self) -> Floats:
        """The share of each bucket that was observed, shape (grid.count,)."""
        ...

    @property
    def keep(self) -> Mask | None:
        """The buckets that are not excluded, None for all of them."""
        ...

    @property
    def unit(self) -> Unit: ...
    @property
    def occurrences(self) -> bool:
        """Whether single events are counted."""
        ...

    @property
    def active(self) -> Mask:
        """The buckets that hold events, shape (grid.count,)."""
        ...

    def sums(self, reduce: Reduce) -> tuple[Floats, Floats]:
        """Total and bad events over k periods, each of shape (k,)."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What an SLO promises, as the figures need it: ``slice_seconds`` 0 means the bucket."""

    objective: float
    budgeting: Budgeting
    slice_seconds: int = 0
    slice_target: float = 1.0
    missing: Missing = "ignore"
    min_coverage: float = 0.9
    few_events: bool = True  # whether a verdict may stay open because there were too few events

    @classmethod
    def of(cls, slo: Slo, sli: Sli) -> Terms:
        """The terms of an SLO, with the budgeting that its kind of indicator has where none is declared: events that
        are counted (requests, latency, promql, documents, outages) by occurrences, gauges by slices of a bucket."""
        counted = isinstance(sli, Requests | Latency | Promql | LogEvents | LogLatency | Recovery | Composite) or (
            isinstance(sli, External) and sli.counts_events
        )
        budgeting: Budgeting = slo.budgeting or ("occurrences" if counted else "timeslices")
        if isinstance(sli, Recovery):
            budgeting = "occurrences"
        target = 1.0 if slo.slice_target is None else slo.slice_target
        return cls(
            slo.objective,
            budgeting,
            int(slo.slice),
            target,
            slo.missing,
            slo.min_coverage,
            few_events=not isinstance(sli, Recovery),
        )

    @property
    def allowed_ratio(self) -> float:
        """The share of events that may be bad."""
        return 1.0 - self.objective


@dataclass(frozen=True, slots=True)
class Counted:
    """Events as the budget counts them, per bucket, each array of shape (grid.count,).

    ``total`` and ``bad`` are events, or minutes of slices where slices are counted; buckets that are excluded hold
    none. ``keep`` is the buckets that are not excluded, None for all of them. ``coverage`` is the timeline's.
    """

    grid: Grid
    total: Floats
    bad: Floats
    coverage: Floats
    keep: Mask | None
    unit: Unit
    occurrences: bool

    @property
    def active(self) -> Mask:
        """The buckets that hold events, shape (grid.count,)."""
        return self.total > 0

    def sums(self, reduce: Reduce) -> tuple[Floats, Floats]:
        """Total and bad events over k periods, each of shape (k,)."""
        return reduce(self.total), reduce(self.bad)


def count(timeline: Timeline, terms: Terms) -> Counted:
    """The events of a timeline as the terms count them, exclusions and all.

    A bucket is missing if it was not observed and no counter tells what happened in it. With ``missing`` "bad" such a
    bucket holds as many bad events as the mean observed bucket of its UTC day (of the whole timeline where that day
    has none, one where there is none at all): a fixed number per bucket, so that a longer window never shows fewer
    bad events than a shorter one inside it. A slice without events is left out, or bad if ``missing`` is "bad" and it
    has no coverage either; silence that was observed is not missing.
    """
    total, bad, unobserved = _sane(timeline)
    if terms.budgeting != "occurrences":
        total, bad = _sliced(timeline.grid, total, bad, unobserved, terms, None)
        return Counted(timeline.grid, total, bad, timeline.coverage, None, "minutes", False)
    if terms.missing == "bad" and unobserved.any():
        weight = _usual_events(timeline, total)
        total, bad = np.where(unobserved, weight, total), np.where(unobserved, weight, bad)
    return Counted(timeline.grid, total, bad, timeline.coverage, None, timeline.unit, True)


def leaving_out(counted: Counted, timeline: Timeline, terms: Terms, keep: Mask) -> Counted:
    """What `count` counted, with only the buckets of ``keep``, shape (grid.count,). A slice of several buckets is
    judged anew by those that are left of it."""
    total, bad = counted.total, counted.bad
    if not counted.occurrences and terms.slice_seconds > timeline.grid.step:
        total, bad = _sliced(timeline.grid, *_sane(timeline), terms, keep)
    return replace(counted, total=total * keep, bad=bad * keep, keep=keep)


def slice_of(grid: Grid, slice_seconds: int) -> Ints:
    """The number of the slice that each bucket belongs to, 0-based, shape (count,). Slices are aligned to the epoch;
    a bucket belongs to the one in which it starts; slices shorter than a bucket are buckets."""
    seconds = max(slice_seconds, grid.step)
    numbers = (grid.ends - grid.step) // seconds
    return np.asarray(numbers - (numbers[0] if grid.count else 0), dtype=np.int64)


def _sane(timeline: Timeline) -> tuple[Floats, Floats, Mask]:
    """Total and bad events with 0 <= bad <= total whatever the timeline holds (what is not a number counts as none),
    and the buckets of which nothing is known."""
    total = np.fmax(timeline.total, 0.0)
    bad = np.fmin(np.fmax(timeline.total - timeline.good, 0.0), total)
    return total, bad, (timeline.coverage <= 0) & (total <= 0)


def _usual_events(timeline: Timeline, total: Floats) -> Floats:
    """The mean events of an observed bucket of each bucket's UTC day, shape (count,)."""
    observed = timeline.coverage > 0
    if not observed.any():
        return np.ones(timeline.grid.count)
    days = (timeline.grid.ends - timeline.grid.step) // _DAY
    days = days - days[0]
    buckets = np.bincount(days, weights=observed)
    events = np.bincount(days, weights=total * observed)
    mean = np.full(len(buckets), float(total[observed].mean()))
    np.divide(events, buckets, out=mean, where=buckets > 0)
    return np.asarray(mean[days], dtype=np.float64)


def _sliced(
    grid: Grid, total: Floats, bad: Floats, unobserved: Mask, terms: Terms, keep: Mask | None
) -> tuple[Floats, Floats]:
    """Minutes counted and bad minutes per bucket: each bucket carries its own minutes of its slice's verdict, so that
    sums over whole slices are slices, and a window may cut one without judging it anew."""
    minutes = grid.step / 60.0
    if terms.slice_seconds > grid.step:
        number = slice_of(grid, terms.slice_seconds)
        kept = np.ones(grid.count) if keep is None else keep.astype(np.float64)
        events, errors, known = (_summed(number, values * kept) for values in (total, bad, ~unobserved * 1.0))
        silent = known <= 0  # not one bucket with anything known
        counted, share = _slice_verdicts(events, errors, silent, terms)
        return counted[number] * minutes, share[number] * minutes
    counted, share = _slice_verdicts(total, bad, unobserved, terms)
    return counted * minutes, share * minutes


def _slice_verdicts(total: Floats, bad: Floats, unobserved: Mask, terms: Terms) -> tuple[Floats, Floats]:
    """For each slice whether it counts (0 or 1), and the share of it that is bad."""
    some = total > 0
    share: Floats = np.divide(bad, total, out=np.zeros(len(total)), where=some)
    if terms.budgeting == "timeslices":
        share = (1.0 - share < terms.slice_target * (1.0 - SLACK)).astype(np.float64)
    share = share * some
    if terms.missing == "bad":
        missing = unobserved & ~some
        return (some | missing).astype(np.float64), np.maximum(share, missing)
    return some.astype(np.float64), share


def _summed(number: Ints, values: Floats) -> Floats:
    """Sums by slice, shape (slices,)."""
    return np.bincount(number, weights=values).astype(np.float64)
