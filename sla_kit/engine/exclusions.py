"""Intervals of the calendar as masks over buckets: maintenance that is excluded, live events that split figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.results import Exclusion, Period
from sla_kit.timeline import Grid, Mask


def excluded(intervals: Sequence[Interval], service: str, grid: Grid) -> Mask | None:
    """The buckets that maintenance of this service takes out, shape (grid.count,); None where it takes out none.

    Only a bucket that lies wholly inside an interval is excluded: what happened in a bucket that is cut by an edge
    can't be told apart, and counts.
    """
    mask = np.zeros(grid.count, dtype=np.bool_)
    for interval in intervals:
        if interval.concerns(service):
            mask[grid.slice(interval.start, interval.end)] = True
    return mask if mask.any() else None


def during(intervals: Sequence[Interval], service: str, grid: Grid) -> Mask | None:
    """The buckets that belong to a live event of this service, shape (grid.count,); None where there are none.

    A bucket belongs to an event if its end lies in (start, end], so that each bucket is either during or outside.
    """
    mask = np.zeros(grid.count, dtype=np.bool_)
    for interval in intervals:
        if interval.concerns(service):
            first = (interval.start - grid.start) // grid.step
            last = (interval.end - grid.start) // grid.step
            mask[max(first, 0) : max(last, 0)] = True
    return mask if mask.any() else None


def touching(intervals: Sequence[Interval], period: Period, service: str | None = None) -> tuple[Interval, ...]:
    """The intervals that overlap a period, by start; only those that concern a service where one is given."""
    return tuple(
        sorted(
            interval
            for interval in intervals
            if interval.start < period.end
            and interval.end > period.start
            and (service is None or interval.concerns(service))
        )
    )


def as_exclusion(interval: Interval) -> Exclusion:
    """A maintenance interval as results name it."""
    return Exclusion(
        interval.name, interval.start, interval.end, interval.reason, interval.approved_by, interval.services
    )
