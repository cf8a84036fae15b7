"""Outages: where they start, when the alert windows notice, when they are over, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.burn import AlertPair, cumulative
from sla_kit.engine.figures import Z95
from sla_kit.engine.results import Incident
from sla_kit.timeline import Floats, Ints, Mask

#: Bad stretches with no more good time than this between them are one outage.
_MERGE_SECONDS = 300
#: Fewer bad requests than this are no outage, however few requests there were: one of ten at night wakes nobody.
MIN_BAD_REQUESTS = 5.0
#: Differences of running sums are noise below this share of the sum.
_NOISE = 1e-12


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of bad buckets: ``first`` and ``last`` (r,) are the positions of each run's first and last bad bucket;
    ``open`` says whether the last run has not ended, since nothing good is known after it."""

    first: Ints
    last: Ints
    open: bool


def find_incidents(
    counted: Counted,
    allowed_ratio: float,
    pairs: Sequence[AlertPair],
    *,
    service: str,
    slo: str,
    allowed: float = 0.0,
    requests: Floats | None = None,
    events: Sequence[Interval] = (),
) -> tuple[Incident, ...]:
    """The outages of one SLO over the whole grid, by start.

    An outage starts with the first bad bucket of a run and has recovered at the end of the last one. It counts if an
    alert pair fires during it: either the pair begins to, or it would from this run alone (so that the alert of one
    outage, which stays up for a while, makes no outages of the small errors that follow it). It is detected at the
    end of the first bucket in it at which a pair fires. ``requests`` (count,) are the bad requests per bucket where
    events are requests: a run with fewer than `MIN_BAD_REQUESTS` is none. ``allowed`` is the bad events that the
    SLO's own window allows, ``events`` the live events. Excluded buckets hold no events and so start nothing.
    """
    runs = find_runs(counted, allowed_ratio)
    serious = np.ones(len(runs.first), dtype=np.bool_)
    if requests is not None and serious.any():
        kept = requests if counted.keep is None else requests * counted.keep
        serious = _run_sums(kept, runs) >= MIN_BAD_REQUESTS * (1 - 1e-9)
    if not serious.any():
        return ()
    grid = counted.grid
    first, last = runs.first[serious], runs.last[serious]
    total, bad = cumulative(counted.total), cumulative(counted.bad)
    detected, pair_of = _detections(total, bad, first, last, pairs, allowed_ratio, grid.step)
    wanted = sorted(event for event in events if event.concerns(service))
    found: list[Incident] = []
    for index in np.flatnonzero(detected >= 0):
        start = grid.start + int(first[index]) * grid.step
        end = grid.start + (int(last[index]) + 1) * grid.step
        lasting = runs.open and last[index] == runs.last[-1]
        spent = float(bad[last[index] + 1] - bad[first[index]])
        found.append(
            Incident(
                service=service,
                slo=slo,
                start=start,
                detected=grid.start + (int(detected[index]) + 1) * grid.step,
                recovered=None if lasting else end,
                bad=spent,
                budget_spent=spent / allowed if allowed > 0 else None,
                alert=pairs[int(pair_of[index])].severity,
                during_event=next((event.name for event in wanted if event.start < end and event.end > start), ""),
                until=grid.end if lasting else None,
            )
        )
    return tuple(found)


def find_runs(counted: Counted, allowed_ratio: float) -> Runs:
    """The runs of bad buckets. Buckets without events neither end nor extend a run; more than five minutes of good
    buckets end it.

    A bucket is bad if its error ratio is above what is allowed, and where requests are counted only if that can't
    well be chance: the whole 95 % interval of its ratio is above. Otherwise the one error that any minute may have
    would stretch every outage of a strict objective by minutes on both sides.
    """
    some = counted.total > 0
    is_bad = counted.bad > counted.total * (allowed_ratio * (1 + 1e-9))
    at = np.flatnonzero(is_bad)
    if at.size and counted.occurrences and counted.unit == "requests":
        at = at[_wilson_lower(counted.bad[at], counted.total[at]) > allowed_ratio]
    if not at.size:
        return Runs(at, at, False)
    # Before each bad bucket all are good but the bad ones and those without events.
    silent = np.flatnonzero(~some)
    good_before = at - np.arange(at.size) - np.searchsorted(silent, at)
    cut = np.flatnonzero(np.diff(good_before) * counted.grid.step > _MERGE_SECONDS)
    first, last = at[np.concatenate(([0], cut + 1))], at[np.concatenate((cut, [at.size - 1]))]
    return Runs(first, last, bool(good_before[-1] == some.size - at.size - silent.size))


def _wilson_lower(events: Floats, total: Floats) -> Floats:
    """The lower end of the 95 % score interval of events / total, as `figures.wilson` has it, for arrays."""
    square = Z95 * Z95
    half = Z95 * np.sqrt(events * (1 - events / total) + square / 4)
    return np.asarray((events + square / 2 - half) / (total + square), dtype=np.float64)


def _run_sums(values: Floats, runs: Runs) -> Floats:
    """The sum of values over each run, shape (r,)."""
    edges = np.column_stack((runs.first, runs.last + 1)).ravel()
    return np.asarray(np.add.reduceat(np.append(values, 0.0), edges)[::2], dtype=np.float64)


def _detections(
    total: Floats,
    bad: Floats,
    first: Ints,
    last: Ints,
    pairs: Sequence[AlertPair],
    allowed_ratio: float,
    step: int,
) -> tuple[Ints, Ints]:
    """The first bucket of each run at which a pair fires, and which pair that is; -1 where the run is no outage.
    ``total`` and ``bad`` are running sums (count + 1,), ``first`` and ``last`` (r,)."""
    lengths = last - first + 1
    offsets = np.cumsum(lengths) - lengths
    since = np.repeat(first, lengths)
    at = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(offsets, lengths) + since
    never = len(total)
    earliest, pair_of = np.full(len(first), never), np.zeros(len(first), dtype=np.int64)
    real = np.zeros(len(first), dtype=np.bool_)
    for number, pair in enumerate(pairs):
        fires, alone = _firing(total, bad, at, since, pair, allowed_ratio, step)
        position = np.minimum.reduceat(np.where(fires, at, never), offsets)
        up_before = _firing(total, bad, np.maximum(first - 1, 0), first, pair, allowed_ratio, step)[0] & (first > 0)
        real |= (position < never) & (~up_before | np.logical_or.reduceat(alone, offsets))
        sooner = position < earliest
        earliest[sooner], pair_of[sooner] = position[sooner], number
    return np.where(real, earliest, -1), pair_of


def _firing(
    total: Floats, bad: Floats, at: Ints, since: Ints, pair: AlertPair, allowed_ratio: float, step: int
) -> tuple[Mask, Mask]:
    """Whether a pair fires at the end of each bucket of ``at``, and whether it would if nothing had been bad before
    the bucket ``since``."""
    fires, alone = np.ones(len(at), dtype=np.bool_), np.ones(len(at), dtype=np.bool_)
    limit = pair.factor * allowed_ratio
    now = bad[at + 1]
    for seconds in (pair.long, pair.short):
        low = np.maximum(at + 1 - max(1, round(seconds / step)), 0)
        needed = (total[at + 1] - total[low]) * limit + _NOISE * now
        fires &= now - bad[low] > needed
        alone &= now - bad[np.maximum(low, np.minimum(since, at + 1))] > needed
    return fires, alone
