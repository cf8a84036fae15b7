"""Outages: where they start, when the alert windows notice, when they are over, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.burn import AlertPair, cumulative
from sla_kit.engine.results import Incident
from sla_kit.timeline import Floats, Ints

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
    if not len(runs.first):
        return ()
    grid = counted.grid
    total, bad = cumulative(counted.total), cumulative(counted.bad)
    if requests is not None:
        kept = requests if counted.keep is None else requests * counted.keep
        enough = cumulative(kept)
        serious = enough[runs.last + 1] - enough[runs.first] >= MIN_BAD_REQUESTS * (1 - 1e-9)
    else:
        serious = np.ones(len(runs.first), dtype=np.bool_)
    found: list[Incident] = []
    for index in np.flatnonzero(serious):
        first, last = int(runs.first[index]), int(runs.last[index])
        detection = _detected(total, bad, first, last, pairs, allowed_ratio, grid.step)
        if detection is None:
            continue
        position, severity = detection
        start, end = grid.start + first * grid.step, grid.start + (last + 1) * grid.step
        lasting = runs.open and index == len(runs.first) - 1
        spent = float(bad[last + 1] - bad[first])
        found.append(
            Incident(
                service=service,
                slo=slo,
                start=start,
                detected=grid.start + (position + 1) * grid.step,
                recovered=None if lasting else end,
                bad=spent,
                budget_spent=spent / allowed if allowed > 0 else None,
                alert=severity,
                during_event=next(
                    (e.name for e in sorted(events) if e.concerns(service) and e.start < end and e.end > start), ""
                ),
                until=grid.end if lasting else None,
            )
        )
    return tuple(found)


def find_runs(counted: Counted, allowed_ratio: float) -> Runs:
    """The runs of buckets whose error ratio is above what is allowed. Buckets without events neither end nor extend
    a run; more than five minutes of good buckets end it."""
    some = counted.total > 0
    is_bad = some & (counted.bad > counted.total * (allowed_ratio * (1 + 1e-9)))
    at = np.flatnonzero(is_bad)
    if not at.size:
        return Runs(at, at, False)
    good_before = np.cumsum(some & ~is_bad)
    cut = np.flatnonzero(np.diff(good_before[at]) * counted.grid.step > _MERGE_SECONDS)
    first, last = at[np.concatenate(([0], cut + 1))], at[np.concatenate((cut, [at.size - 1]))]
    return Runs(first, last, bool(good_before[-1] == good_before[at[-1]]))


def _detected(
    total: Floats,
    bad: Floats,
    first: int,
    last: int,
    pairs: Sequence[AlertPair],
    allowed_ratio: float,
    step: int,
) -> tuple[int, str] | None:
    """The first bucket of a run at which a pair fires, and the pair's severity; None where the run is no outage."""
    at = np.arange(first, last + 1)
    earliest: tuple[int, str] | None = None
    real = False
    for pair in pairs:
        fires = _firing(total, bad, at, 0, pair, allowed_ratio, step)
        if not fires.any():
            continue
        position = first + int(np.argmax(fires))
        if earliest is None or position < earliest[0]:
            earliest = position, pair.severity
        if not real:
            fired_before = first > 0 and bool(
                _firing(total, bad, np.array([first - 1]), 0, pair, allowed_ratio, step)[0]
            )
            real = not fired_before or bool(_firing(total, bad, at, first, pair, allowed_ratio, step).any())
    return earliest if real else None


def _firing(
    total: Floats, bad: Floats, at: Ints, since: int, pair: AlertPair, allowed_ratio: float, step: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether a pair fires at the end of each bucket of ``at``, counting bad events from bucket ``since`` on."""
    fires = np.ones(len(at), dtype=np.bool_)
    limit = pair.factor * allowed_ratio
    for seconds in (pair.long, pair.short):
        low = np.maximum(at + 1 - max(1, round(seconds / step)), 0)
        errors = bad[at + 1] - bad[np.maximum(low, since)]
        fires &= errors > (total[at + 1] - total[low]) * limit + _NOISE * bad[at + 1]
    return fires
