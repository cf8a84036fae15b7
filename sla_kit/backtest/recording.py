"""What recording rules record, as series: evaluated some at a time, with what Prometheus would refuse left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from sla_kit.backtest.asking import Asker, Failed
from sla_kit.backtest.replay import Labels
from sla_kit.backtest.resolving import Recording
from sla_kit.history.store import Series
from sla_kit.sources import Progress
from sla_kit.timeline import Grid, Mask


def recorded_series(
    asker: Asker,
    jobs: Sequence[tuple[Recording, Grid]],
    texts: Sequence[str],
    threads: int,
    progress: Progress,
    what: str,
) -> Iterator[Series]:
    """The series of some recording rules, each once and in order of time. ``texts`` are the rules' expressions as they
    are asked."""
    marks = _marks([one for one, _ in jobs])
    rules = Counter(marks)
    shared: list[Series] = []
    results = _evaluated(asker, jobs, texts, threads)
    for done, (mark, several) in enumerate(zip(marks, results, strict=True), 1):
        if rules[mark] > 1:
            shared += several
        else:
            yield from several
        progress(done, len(jobs), what)
    yield from _merged(shared)


def _marks(recordings: Sequence[Recording]) -> list[Labels]:
    """What tells the series of each rule from those of others: the name, and the values of the labels that all rules of
    that name set. Only rules that are equal in these may record the same series."""
    common: dict[str, set[str]] = {}
    for one in recordings:
        common.setdefault(one.rule.record, set(one.rule.labels)).intersection_update(one.rule.labels)
    return [
        (("__name__", rule.record), *((label, rule.labels[label]) for label in sorted(common[rule.record])))
        for rule in (one.rule for one in recordings)
    ]


def _evaluated(
    asker: Asker, jobs: Sequence[tuple[Recording, Grid]], texts: Sequence[str], threads: int
) -> Iterator[list[Series]]:
    """What each recording rule records, a few of them ahead of whoever takes it."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="sla-kit-backtest")
    running: list[Future[list[Series]]] = []
    try:
        for (one, grid), text in zip(jobs, texts, strict=True):
            running.append(pool.submit(_recorded, asker, one, grid, text))
            if len(running) > threads:
                yield running.pop(0).result()
        for future in running:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _recorded(asker: Asker, one: Recording, grid: Grid, text: str) -> list[Series]:
    """The samples of one recording rule."""
    found: list[Series] = []
    for piece in asker.walk(text, grid):
        if isinstance(piece, Failed):
            continue
        ends = piece.grid.ends * 1000
        keys = [_key(labels, one.rule.labels) for labels in piece.labels]
        good = ~_ambiguous(keys, piece.present)
        for row, key in enumerate(keys):
            present = piece.present[row] & good
            found.append(Series(one.rule.record, key, ends[present], piece.values[row][present]))
    return _merged(found)


def _key(labels: Mapping[str, str], own: Mapping[str, str]) -> Labels:
    """The labels of a recorded series."""
    merged = {**labels, **own}
    return tuple(sorted((name, value) for name, value in merged.items() if value and name != "__name__"))


def _ambiguous(keys: Sequence[Labels], present: Mask) -> Mask:
    """Where several series are one once the rule's labels are put in: then the rule fails, and records nothing."""
    found = np.zeros(present.shape[1], dtype=np.bool_)
    rows: dict[Labels, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    for several in rows.values():
        if len(several) > 1:
            found |= np.sum(present[several], axis=0) > 1
    return found


def _merged(series: Iterable[Series]) -> list[Series]:
    """Each series once, in order of time; of two samples of one moment the first, as a server takes it."""
    parts: dict[tuple[str, Labels], list[Series]] = {}
    for one in series:
        parts.setdefault((one.metric, one.labels), []).append(one)
    found = []
    for (metric, labels), several in sorted(parts.items()):
        times, first = np.unique(np.concatenate([one.times for one in several]), return_index=True)
        found.append(Series(metric, labels, times, np.concatenate([one.values for one in several])[first]))
    return found
