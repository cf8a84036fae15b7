"""When the expressions of alerts had values: asked in chunks of time, each kept as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Protocol

import numpy as np

from sla_kit.backtest.asking import Answer, Failed
from sla_kit.backtest.kept import Kept, KeptSeries, State, digest
from sla_kit.backtest.replay import Labels, Run
from sla_kit.backtest.templates import Template, rendered
from sla_kit.rules.model import AlertingRule
from sla_kit.sources import Progress
from sla_kit.timeline import Grid

#: Lengths of chunks, seconds: the longest that one request may hold. Chunks begin at multiples of their length, so that
#: a run a day later finds most of them again.
_CHUNKS = (604_800, 259_200, 86_400, 43_200, 21_600, 10_800, 3_600, 1_800, 600, 60, 10, 1)
_MOST_POINTS = 11_000
_DUPLICATE = "several series have the same labels once the rule's own are put in"


class Walks(Protocol):
    """Whoever can evaluate an expression over a grid."""

    def walk(self, expression: str, grid: Grid) -> Iterator[Answer | Failed]:
        """The expression at the ends of the grid's buckets, in pieces in order of time."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One alerting rule to evaluate on ``grid``: ``expression`` as it is asked, with recordings put in."""

    rule: AlertingRule
    expression: str
    grid: Grid


@dataclass(slots=True)
class Seen:
    """When a rule's expression had values, by the labels of its alerts, in ticks; and the ticks that failed, by why."""

    runs: dict[Labels, list[Run]] = field(default_factory=dict)
    failed: list[tuple[int, int]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, kept: Kept) -> None:
        """Adds the next stretch of time."""
        for one in kept.series:
            runs = self.runs.setdefault(tuple(one.labels.items()), [])
            for first, last, value in one.runs:
                if runs and runs[-1].last + 1 == first:
                    runs[-1] = Run(runs[-1].first, last, runs[-1].value)
                else:
                    runs.append(Run(first, last, value))
        for first, last, why in kept.failed:
            self.failed.append((first, last))
            self.reasons[why] = self.reasons.get(why, 0) + last - first + 1


def chunks(grid: Grid) -> list[Grid]:
    """A grid in pieces that begin at the same times whatever the grid."""
    longest = next((length for length in _CHUNKS if length <= _MOST_POINTS * grid.step), 1)
    length = max(1, longest // grid.step) * grid.step
    found = []
    start = grid.start
    while start < grid.end:
        end = min((start // length + 1) * length, grid.end)
        found.append(Grid(start, grid.step, (end - start) // grid.step))
        start = end
    return found


def gather(
    jobs: Sequence[Job], source: Walks, identity: str, state: State, progress: Progress, connections: int
) -> list[Seen]:
    """When each rule's expression had values. ``identity`` tells this history from any other; what ``state`` holds of
    it is not asked again."""
    parts = [(number, job, chunks(job.grid)) for number, job in enumerate(jobs)]
    everything = sum(len(pieces) for _, _, pieces in parts)
    found = [Seen() for _ in jobs]
    done, counting, ended = 0, Lock(), Event()

    def told(job: Job) -> None:
        nonlocal done
        with counting:
            done += 1
            progress(done, everything, job.rule.alert)

    def work(number: int, job: Job, pieces: Iterable[Grid]) -> None:
        for piece in pieces:
            if ended.is_set():
                return
            name = _name(identity, job, piece)
            kept = state.find(name)
            if kept is None:
                kept = reduced(job, source.walk(job.expression, piece))
                state.put(name, kept)
            found[number].add(kept)
            told(job)

    pool = ThreadPoolExecutor(connections, thread_name_prefix="sla-kit-backtest")
    try:
        waiting = {pool.submit(work, *part) for part in parts}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
    finally:
        ended.set()  # the first error ends it all
        pool.shutdown(wait=True, cancel_futures=True)
    return found


def remembered(jobs: Sequence[Job], identity: str, state: State) -> list[Seen] | None:
    """What `gather` would give, where ``state`` holds all of it; else None."""
    found = []
    for job in jobs:
        seen = Seen()
        for piece in chunks(job.grid):
            kept = state.find(_name(identity, job, piece))
            if kept is None:
                return None
            seen.add(kept)
        found.append(seen)
    return found


def _name(identity: str, job: Job, piece: Grid) -> str:
    return digest(identity, job.expression, sorted(job.rule.labels.items()), piece)


def reduced(job: Job, pieces: Iterable[Answer | Failed]) -> Kept:
    """The answers as runs of ticks by the labels that alerts have."""
    runs: dict[Labels, list[tuple[int, int, float]]] = {}
    failed: list[tuple[int, int, str]] = []
    by_value = any(Template(text).by_value for text in job.rule.labels.values())
    for piece in pieces:
        tick = piece.grid.start // piece.grid.step + 1  # of the first column
        if isinstance(piece, Failed):
            failed.append((tick, tick + piece.grid.count - 1, piece.said))
            continue
        here = _by_labels(job.rule, piece, by_value)
        twice = np.zeros(piece.grid.count, dtype=np.bool_)
        for members in here.values():
            if len(members) > 1:
                twice |= np.sum([present for present, _ in members], axis=0) > 1
        failed += [(tick + first, tick + last, _DUPLICATE) for first, last in _stretches(twice)]
        for labels, members in here.items():
            for present, values in members:
                for first, last in _stretches(present & ~twice):
                    runs.setdefault(labels, []).append((tick + first, tick + last, float(values[first])))
    series = [KeptSeries(dict(labels), _joined(each)) for labels, each in sorted(runs.items())]
    return Kept(series, failed)


_Member = tuple["np.typing.NDArray[np.bool_]", "np.typing.NDArray[np.float64]"]


def _by_labels(rule: AlertingRule, piece: Answer, by_value: bool) -> dict[Labels, list[_Member]]:
    """Where each alert is present; a rule whose labels show the value has another alert for each value."""
    found: dict[Labels, list[_Member]] = {}
    for row, labels in enumerate(piece.labels):
        present, values = piece.present[row], piece.values[row]
        if not by_value:
            found.setdefault(_key(rule, labels, 0.0), []).append((present, values))
            continue
        texts: dict[Labels, list[float]] = {}
        for value in np.unique(values[present]).tolist():
            texts.setdefault(_key(rule, labels, value), []).append(value)
        for key, of in texts.items():
            equal = np.isin(values, of) | (np.isnan(values) & bool(np.isnan(of).any()))
            found.setdefault(key, []).append((present & equal, values))
    return found


def _key(rule: AlertingRule, labels: dict[str, str], value: float) -> Labels:
    return tuple(rendered(rule.labels, labels, value).items())


def _stretches(mask: np.typing.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last position of each run of what is true."""
    edges = np.diff(np.concatenate(([0], mask.view(np.int8), [0])))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def _joined(runs: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    found: list[tuple[int, int, float]] = []
    for first, last, value in sorted(runs):
        if found and found[-1][1] + 1 >= first:
            found[-1] = (found[-1][0], max(last, found[-1][1]), found[-1][2])
        else:
            found.append((first, last, value))
    return found
