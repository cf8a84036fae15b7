"""Counting what counters counted: from the highest sample of each bucket to the events inside it.

Not Prometheus's ``increase()``: that extrapolates to the edges of its range, never sees what falls between two
ranges, begins a new series at its first value and is silent in a scrape gap. docs/design.md says how and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
class Life:
    """What is known of a process: the bucket ``first`` in which it was seen, whether its counters were at zero just
    before, and per bucket (count,) whether it was ``seen`` and whether one of its counters fell (``reset``)."""

    first: int
    from_zero: bool
    seen: Mask
    reset: Mask


@dataclass(frozen=True, slots=True)
class _Steps:
    """The samples of a frame one after another, series by series; every array has one entry per sample.

    ``cells`` are the places in the frame, row after row. ``increase`` is the difference to the sample before in the
    same series (after a reset the value itself) and 0 at a series' first sample, ``gap`` the buckets since then,
    ``reset`` whether the value fell.
    """

    cells: Ints
    rows: Ints
    columns: Ints
    values: Floats
    increase: Floats
    gap: Ints
    first: Mask
    reset: Mask


def _steps(values: Floats) -> _Steps:
    there = np.isfinite(values)
    cells = np.flatnonzero(there)
    several = np.count_nonzero(there, axis=1)
    rows = np.repeat(np.arange(len(values)), several)
    found = values.ravel()[cells]
    first = np.zeros(rows.size, dtype=np.bool_)
    first[(np.cumsum(several) - several)[several > 0]] = True
    increase = np.zeros(rows.size)
    np.subtract(found[1:], found[:-1], out=increase[1:])
    increase[first] = 0.0
    reset = increase < 0
    increase[reset] = found[reset]
    gap = np.ones(rows.size, dtype=np.int64)
    np.subtract(cells[1:], cells[:-1], out=gap[1:])
    # A reset inside a gap: what was counted since is put where it was seen.
    gap[first | reset] = 1
    return _Steps(cells, rows, cells - rows * values.shape[1], found, increase, gap, first, reset)


def lives(frame: SeriesFrame, sum_labels: Sequence[str] = ()) -> dict[Process, Life]:
    """What a frame of counters tells of each process in it. A process that is there in the grid's first bucket is
    taken to be old."""
    return _lives(frame, _steps(frame.values), _processes(frame, sum_labels))


def _processes(frame: SeriesFrame, sum_labels: Sequence[str]) -> list[Process]:
    return [process_of(labels, sum_labels) for labels in frame.labels]


def _lives(frame: SeriesFrame, steps: _Steps, processes: Sequence[Process]) -> dict[Process, Life]:
    count = frame.grid.count
    edges = np.searchsorted(steps.rows, np.arange(len(processes) + 1))
    rows_of: dict[Process, list[int]] = {}
    for row, process in enumerate(processes):
        if edges[row] < edges[row + 1]:
            rows_of.setdefault(process, []).append(row)
    found: dict[Process, Life] = {}
    for process, rows in rows_of.items():
        seen, reset = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
        for row in rows:
            part = slice(edges[row], edges[row + 1])
            seen[steps.columns[part]] = True
            reset[steps.columns[part][steps.reset[part]]] = True
        first = int(np.argmax(seen))
        counted = following = 0.0
        for row in rows:
            start = edges[row]
            if steps.columns[start] == first:
                counted += float(steps.values[start])
                following += float(steps.increase[start + 1]) if start + 1 < edges[row + 1] else 0.0
        found[process] = Life(first, first > 0 and counted <= _YOUNG * (following + 1), seen, reset)
    return found


def increments(
    frame: SeriesFrame,
    known: Mapping[Process, Life],
    groups: Sequence[int] | None = None,
    sum_labels: Sequence[str] = (),
) -> Floats:
    """Events per group and bucket, shape (max(groups) + 1, grid.count), never negative.

    ``known`` are the lives of the processes (from the frame that counts everything), ``groups`` the group of each
    series (all one group where None). A series whose process was there before it counts from zero; so does one that
    comes back after its process began anew.
    """
    return _increments(frame, _steps(frame.values), _processes(frame, sum_labels), known, groups)


def counted_series(frame: SeriesFrame, sum_labels: Sequence[str] = ()) -> tuple[dict[Process, Life], Floats]:
    """The lives of a frame's processes, and the events of each of its series per bucket, shape (series, grid.count)."""
    steps, processes = _steps(frame.values), _processes(frame, sum_labels)
    known = _lives(frame, steps, processes)
    events = _increments(frame, steps, processes, known, range(len(frame.labels)))
    return known, events[: len(frame.labels)]


def _increments(
    frame: SeriesFrame,
    steps: _Steps,
    processes: Sequence[Process],
    known: Mapping[Process, Life],
    groups: Sequence[int] | None,
) -> Floats:
    grid: Grid = frame.grid
    group_of = np.zeros(len(frame.labels), dtype=np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
    count = int(group_of.max()) + 1 if group_of.size else 1
    own = _lives(frame, steps, processes) if any(process not in known for process in processes) else {}
    events, gap = steps.increase, steps.gap

    def life_of(row: int) -> Life:
        return known.get(processes[row]) or own[processes[row]]

    for start in np.flatnonzero(steps.first):
        life, column = life_of(steps.rows[start]), int(steps.columns[start])
        if column > life.first or (column == life.first and life.from_zero):
            events[start] = steps.values[start]
    wide = gap > 1
    if wide.any():
        _place_gaps(steps, wide, life_of)
        wide = gap > 1
    if groups is None:
        cells = steps.columns
    elif isinstance(groups, range) and groups == range(len(frame.labels)):
        cells = steps.cells
    else:
        cells = group_of[steps.rows] * grid.count + steps.columns
    size, shape = count * grid.count, (count, grid.count)
    if not wide.any():
        return np.bincount(cells, weights=events, minlength=size).reshape(shape).astype(np.float64, copy=False)
    result = np.bincount(cells[~wide], weights=events[~wide], minlength=size).astype(np.float64)
    gaps = gap[wide]
    back = np.arange(gaps.sum()) - np.repeat(np.cumsum(gaps) - gaps, gaps)
    spread = np.repeat(cells[wide], gaps) - back
    result += np.bincount(spread, weights=np.repeat(events[wide] / gaps, gaps), minlength=size)
    return result.reshape(shape)


def _place_gaps(steps: _Steps, wide: Mask, life_of: Callable[[int], Life]) -> None:
    """Says of samples after gaps, those that are ``wide``, where their events happened: a gap of 1 puts them where the
    sample is."""
    late = np.flatnonzero(wide)
    for at in np.split(late, np.flatnonzero(np.diff(steps.rows[late])) + 1):  # a series after the other
        life, columns = life_of(int(steps.rows[at[0]])), steps.columns[at]
        before = columns - steps.gap[at] + 1
        resets = np.concatenate(([0], np.cumsum(life.reset)))
        anew = resets[columns + 1] > resets[before]
        steps.increase[at[anew]] = steps.values[at[anew]]
        seen = np.concatenate(([0], np.cumsum(life.seen)))
        # Where the process was seen without this series, what it counted happened when it came back.
        steps.gap[at[anew | (seen[columns] > seen[before])]] = 1
