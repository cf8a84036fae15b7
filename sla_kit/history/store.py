"""Recorded series, found by selector, and their reduction to bucketed series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sla_kit.sources.series import Labels, Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Finding, Floats, Grid, Ints, Mask

#: The bits of the NaN with which Prometheus marks that a series has ended: no sample, only the end of one.
_STALE = 0x7FF0000000000002
#: Samples that are read at once for the queries that want them, 16 bytes each.
_AT_ONCE = 6_000_000


@dataclass(frozen=True, slots=True)
class Series:
    """One series: ``times`` (n,) epoch milliseconds, ascending, and ``values`` (n,)."""

    metric: str
    labels: Labels
    times: Ints
    values: Floats


#: What a series is known by: its metric and labels.
Key = tuple[str, Labels]
#: From when to when, ms since 1970.
Span = tuple[int, int]


class Store(Protocol):
    """Where the samples of series are, each known by its place in ``keys``."""

    @property
    def keys(self) -> Sequence[Key]: ...

    def size(self, number: int) -> int:
        """How many samples a series has."""
        ...

    def load(self, numbers: Sequence[int], within: Span | None = None) -> Sequence[Series]:
        """Some series, in the order asked for; samples that are not ``within`` a span may be left out. Raises
        `SourceError` where they can't be read (any more)."""
        ...

    def span(self) -> Span | None:
        """The first and last sample's time in ms, None where there is none."""
        ...


class Held:
    """Series in memory, as a `Store`."""

    def __init__(self, series: Iterable[Series]) -> None:
        self.series = tuple(series)
        self.keys: list[Key] = [(one.metric, one.labels) for one in self.series]

    def size(self, number: int) -> int:
        """How many samples a series has."""
        return self.series[number].times.size

    def load(self, numbers: Sequence[int], within: Span | None = None) -> list[Series]:
        """Some series."""
        return [self.series[number] for number in numbers]

    def span(self) -> Span | None:
        """The first and last sample's time in ms, None where there is none."""
        full = [one.times for one in self.series if one.times.size]
        return (min(int(t[0]) for t in full), max(int(t[-1]) for t in full)) if full else None


class History:
    """Recorded series, found by selector; they are read when they are asked for. ``findings`` say what was wrong with
    the recording."""

    def __init__(self, series: Iterable[Series] | Store, findings: Sequence[Finding] = ()) -> None:
        self._store: Store = Held(series) if isinstance(series, Iterable) else series
        # In one order whatever the recording's, so that sums round alike.
        keys = self._store.keys
        self._numbers = sorted(range(len(keys)), key=keys.__getitem__)
        self.keys: tuple[Key, ...] = tuple(keys[number] for number in self._numbers)
        self.findings = tuple(findings)
        self._rows: dict[str, list[int]] = {}
        for row, (metric, _) in enumerate(self.keys):
            self._rows.setdefault(metric, []).append(row)
        self._by_value: dict[tuple[str, str], dict[str, set[int]]] = {}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def series(self) -> tuple[Series, ...]:
        """Every series, by metric and labels; all of the recording comes into memory."""
        return tuple(self.load(range(len(self.keys))))

    def load(self, rows: Sequence[int], within: Span | None = None) -> Sequence[Series]:
        """The series that stand at some places of ``keys``; samples that are not ``within`` a span may be left out."""
        return self._store.load([self._numbers[row] for row in rows], within)

    def size(self, row: int) -> int:
        """How many samples the series at a place of ``keys`` has."""
        return self._store.size(self._numbers[row])

    def metrics(self) -> list[str]:
        """The names of the metrics, sorted."""
        return sorted(self._rows)

    def span(self) -> Span | None:
        """The first and last sample's time in ms, None where there is none."""
        return self._store.span()

    def select(self, selector: Selector) -> Sequence[Series]:
        """The series of a metric that match, by label."""
        return self.load(self.matching(selector))

    def matching(self, selector: Selector) -> list[int]:
        """Where the series of a metric that match stand in ``keys``."""
        rows: Iterable[int] = self._rows.get(selector.metric, [])
        narrow = [
            self._values_of(selector.metric, matcher.label).get(matcher.value, set())
            for matcher in selector.matchers
            if matcher.operator == "=" and matcher.value
        ]
        if narrow:
            rows = sorted(set.intersection(*narrow))
        tests = [
            (matcher.label, matcher.predicate())
            for matcher in selector.matchers
            if matcher.operator != "=" or not matcher.value
        ]
        found = []
        for row in rows:
            labels = dict(self.keys[row][1]) if tests else {}
            if all(test(labels.get(label, "")) for label, test in tests):
                found.append(row)
        return found

    def _values_of(self, metric: str, label: str) -> dict[str, set[int]]:
        """The rows of a metric by one label's value; made once."""
        if (metric, label) not in self._by_value:
            index: dict[str, set[int]] = {}
            for row in self._rows.get(metric, []):
                index.setdefault(dict(self.keys[row][1]).get(label, ""), set()).add(row)
            self._by_value[metric, label] = index
        return self._by_value[metric, label]

    def frame(self, query: SeriesQuery, grid: Grid) -> SeriesFrame:
        """One number per series and bucket, as ``reduction(selector[bucket])`` gives at the end of each bucket."""
        return self._reduced(query, self.select(query.selector), grid)

    def frames(self, queries: Sequence[SeriesQuery], grid: Grid) -> Iterator[tuple[SeriesQuery, SeriesFrame]]:
        """Every query with its `frame`. Series are read for several queries at once, those that stand together in the
        recording together, and are let go of when these are answered."""
        waiting: list[tuple[SeriesQuery, list[int]]] = []
        rows: set[int] = set()
        samples = 0
        for query in queries:
            matching = self.matching(query.selector)
            more = sum(self.size(row) for row in matching if row not in rows)
            if waiting and samples + more > _AT_ONCE:
                yield from self._answers(waiting, rows, grid)
                waiting, rows, more, samples = [], set(), sum(map(self.size, matching)), 0
            waiting.append((query, matching))
            rows.update(matching)
            samples += more
        yield from self._answers(waiting, rows, grid)

    def _answers(
        self, queries: Sequence[tuple[SeriesQuery, list[int]]], rows: set[int], grid: Grid
    ) -> Iterator[tuple[SeriesQuery, SeriesFrame]]:
        ordered = sorted(rows)
        within = (grid.start * 1000, grid.end * 1000)
        loaded = dict(zip(ordered, self.load(ordered, within), strict=True))
        for query, matching in queries:
            yield query, self._reduced(query, [loaded[row] for row in matching], grid)

    def _reduced(self, query: SeriesQuery, series: Iterable[Series], grid: Grid) -> SeriesFrame:
        groups: dict[Labels, Floats] = {}
        for one in series:
            reduced = reduce(one, query.reduction, grid)
            if reduced is None:
                continue
            labels = tuple(pair for pair in one.labels if pair[0] not in query.sum_labels)
            if labels in groups:
                groups[labels] = _added(groups[labels], reduced)
            else:
                groups[labels] = reduced
        if not groups:
            return SeriesFrame.empty(grid, self.findings)
        return SeriesFrame(grid, tuple(groups), np.array(list(groups.values())), self.findings)


def in_order(times: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Samples of one series by time; of several at one time the last one counts."""
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    last = np.append(np.diff(times) > 0, True)
    return times[last], values[last]


def _added(left: Floats, right: Floats) -> Floats:
    """A sum in which a missing value adds nothing; missing where both are."""
    return np.where(np.isnan(left), right, np.where(np.isnan(right), left, left + right))


def is_stale(values: Floats) -> Mask:
    """Which values are staleness markers, shape as ``values``."""
    stale: Mask = np.ascontiguousarray(values).view(np.uint64) == _STALE
    return stale


def without_stale(times: Ints, values: Floats) -> tuple[Ints, Floats]:
    """The samples without staleness markers."""
    stale = is_stale(values)
    return (times[~stale], values[~stale]) if stale.any() else (times, values)


def reduce(series: Series, reduction: Reduction, grid: Grid) -> Floats | None:
    """The reduction of one series per bucket, shape (grid.count,), NaN without samples; None where there is none."""
    start, step = grid.start * 1000, grid.step * 1000
    low, high = np.searchsorted(series.times, (start, start + step * grid.count), side="right")
    times, values = without_stale(series.times[low:high], series.values[low:high])
    if not times.size:
        return None
    buckets = (times - start - 1) // step
    result = np.full(grid.count, np.nan)
    begins = buckets[1:] != buckets[:-1]
    if begins.all():  # one sample a bucket is what all of them make of it
        result[buckets] = 1.0 if reduction is Reduction.COUNT else values
        return result
    firsts = np.flatnonzero(np.concatenate(([True], begins)))
    lengths = np.diff(np.append(firsts, times.size))
    if reduction is Reduction.MAX:
        reduced = np.fmax.reduceat(values, firsts)
    elif reduction is Reduction.MIN:
        reduced = np.fmin.reduceat(values, firsts)
    elif reduction is Reduction.LAST:
        reduced = values[firsts + lengths - 1]
    elif reduction is Reduction.COUNT:
        reduced = lengths.astype(np.float64)
    else:
        reduced = np.add.reduceat(values, firsts)
        if reduction is Reduction.MEAN:
            reduced = reduced / lengths
    result[buckets[firsts]] = reduced
    return result
