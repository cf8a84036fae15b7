"""Counting what counters counted: from the highest sample of each bucket to the events inside it.

Not Prometheus's ``increase()``: that extrapolates to the edges of its range, never sees what falls between two
ranges, begins a new series at its first value and is silent in a scrape gap. docs/design.md says how and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.sources.series import Labels, SeriesFrame
from sla_kit.timeline import Floats, Grid, Ints, Mask

#: Labels that never tell processes apart: they divide the counters of one process.
DIVIDING_LABELS = frozenset(
    "action api_method class code device_type endpoint_name error exception grpc_code grpc_method grpc_service "  # noqa: SIM905
    "grpc_type handler http_code http_method http_route http_status http_status_code le method operation outcome "
    "path quantile reason resource response_code result route scheme status status_class status_code type uri url "
    "verb".split()
)
#: A process that appears with at most this many times its next bucket's events has just started: its counters began
#: at zero. A long-lived one that is newly scraped has counted far more than one bucket's worth.
_YOUNG = 10.0

Process = Labels


def process_of(labels: Labels, sum_labels: Sequence[str] = ()) -> Process:
    """The labels that tell the process apart which owns a series."""
    return tuple(pair for pair in labels if pair[0] not in DIVIDING_LABELS and pair[0] not in sum_labels)


@dataclass(frozen=True, slots=True)
class Birth:
    """The bucket in which a process was first seen, and whether its counters were at zero just before."""

    bucket: int
    from_zero: bool


@dataclass(frozen=True, slots=True)
class _Steps:
    """The samples of a frame one after another, series by series; every array has one entry per sample.

    ``increase`` is the difference to the sample before in the same series (after a reset the value itself) and NaN at
    a series' first sample, ``gap`` the buckets since then.
    """

    rows: Ints
    columns: Ints
    values: Floats
    increase: Floats
    gap: Ints
    first: Mask


def _steps(values: Floats) -> _Steps:
    rows, columns = np.nonzero(~np.isnan(values))
    found = values[rows, columns]
    first = np.ones(rows.size, dtype=np.bool_)
    first[1:] = rows[1:] != rows[:-1]
    increase = np.full(rows.size, np.nan)
    gap = np.zeros(rows.size, dtype=np.int64)
    if rows.size > 1:
        difference = found[1:] - found[:-1]
        increase[1:] = np.where(difference < 0, found[1:], difference)
        gap[1:] = columns[1:] - columns[:-1]
    increase[first] = np.nan
    # A reset inside a gap says when counting began again only roughly; what was counted since is put where it was seen.
    reset = np.zeros(rows.size, dtype=np.bool_)
    reset[1:] = (found[1:] < found[:-1]) & ~first[1:]
    gap[reset] = 1
    return _Steps(rows, columns, found, increase, gap, first)


def births(frame: SeriesFrame, sum_labels: Sequence[str] = ()) -> dict[Process, Birth]:
    """When each process of a frame of counters appeared. A process that is there in the grid's first bucket is taken
    to be old."""
    steps = _steps(frame.values)
    starts = np.flatnonzero(steps.first)
    following = np.zeros(starts.size)
    inside = starts + 1 < steps.rows.size
    later = starts[inside] + 1
    following[inside] = np.where(steps.first[later], 0.0, np.nan_to_num(steps.increase[later]))
    by_process: dict[Process, list[tuple[int, float, float]]] = {}
    for start, after in zip(starts, following, strict=True):
        process = process_of(frame.labels[steps.rows[start]], sum_labels)
        entry = (int(steps.columns[start]), float(steps.values[start]), float(after))
        by_process.setdefault(process, []).append(entry)
    found: dict[Process, Birth] = {}
    for process, entries in by_process.items():
        bucket = min(entry[0] for entry in entries)
        newest = [entry for entry in entries if entry[0] == bucket]
        counted, next_counted = sum(entry[1] for entry in newest), sum(entry[2] for entry in newest)
        found[process] = Birth(bucket, bucket > 0 and counted <= _YOUNG * (next_counted + 1))
    return found


def increments(
    frame: SeriesFrame,
    known: Mapping[Process, Birth],
    groups: Sequence[int] | None = None,
    sum_labels: Sequence[str] = (),
) -> Floats:
    """Events per group and bucket, shape (max(groups) + 1, grid.count), never negative.

    ``known`` are the processes' births (from the frame that counts everything), ``groups`` the group of each series
    (all one group where None). A series whose process was there before it counts from zero.
    """
    grid: Grid = frame.grid
    group_of = np.zeros(len(frame.labels), dtype=np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
    count = int(group_of.max()) + 1 if group_of.size else 1
    steps = _steps(frame.values)
    events = np.where(steps.first, 0.0, steps.increase)
    own = births(frame, sum_labels) if steps.rows.size else {}
    for start in np.flatnonzero(steps.first):
        process = process_of(frame.labels[steps.rows[start]], sum_labels)
        birth = known.get(process) or own[process]
        column = int(steps.columns[start])
        if column > birth.bucket or (column == birth.bucket and birth.from_zero):
            events[start] = steps.values[start]
    # Infinite samples are no counts.
    events[~np.isfinite(events)] = 0.0
    cells = group_of[steps.rows] * grid.count + steps.columns
    wide = steps.gap > 1
    size = count * grid.count
    result = np.bincount(cells[~wide], weights=events[~wide], minlength=size).astype(np.float64)
    if wide.any():
        gaps = steps.gap[wide]
        back = np.arange(gaps.sum()) - np.repeat(np.cumsum(gaps) - gaps, gaps)
        spread = np.repeat(cells[wide], gaps) - back
        result += np.bincount(spread, weights=np.repeat(events[wide] / gaps, gaps), minlength=size)
    return result.reshape(count, grid.count)
