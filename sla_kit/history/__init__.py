"""Recorded histories: the same declarations evaluated with no server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sla_kit.errors import SourceError
from sla_kit.history.store import History, Key, Series, Span, in_order
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.indicators import fetch_timelines
from sla_kit.sources.series import Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline

__all__ = ["History", "HistorySource", "Series", "open_source", "read"]

_SUFFIXES = (".parquet", ".om.gz", ".om", ".openmetrics", ".openmetrics.gz")


class HistorySource:
    """A recorded history as a source."""

    def __init__(self, history: History, name: str = "history") -> None:
        self.history = history
        self._name = name

    @property
    def name(self) -> str:
        """The path it was read from."""
        return self._name

    def span(self) -> tuple[int, int] | None:
        """The first and the last sample's time, whole epoch seconds, the last rounded up."""
        found = self.history.span()
        return None if found is None else (found[0] // 1000, -(-found[1] // 1000))

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Every indicator with its timeline."""
        return fetch_timelines(self, indicators, grid, progress)

    def read(
        self, queries: Sequence[SeriesQuery], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[SeriesQuery, SeriesFrame]]:
        """Every query with its bucketed series."""
        for done, (query, frame) in enumerate(self.history.frames(queries, grid)):
            progress(done, len(queries), query.selector.metric)
            yield query, frame
        progress(len(queries), len(queries), "")

    def read_native(self, selector: Selector, grid: Grid) -> tuple[Histogram, Mask, tuple[Finding, ...]]:
        """Nothing: the recorded forms hold no native histograms."""
        message = f"a recorded history holds no native histograms, so {selector.metric} is not in it"
        nothing = Histogram(np.array([np.inf]), np.zeros((grid.count, 1)))
        return nothing, np.zeros(grid.count, dtype=np.bool_), (Finding("unsupported", message, grid.count),)

    def read_promql(self, expression: str, grid: Grid) -> tuple[Floats, tuple[Finding, ...]]:
        """An expression at the end of each bucket; series are summed. `SourceError` for PromQL beyond our subset."""
        from sla_kit.history.promql import evaluate_range

        return evaluate_range(self.history, expression, grid), ()

    def close(self) -> None:
        """Nothing to let go of."""


def open_source(address: str) -> HistorySource:
    """The recorded history at a path, or at a file:// address."""
    return HistorySource(read(Path(address.removeprefix("file://"))), address)


def read(path: Path) -> History:
    """A recorded history: a file, or all of a folder's. Of recordings that differ only in their form (history.om.gz
    beside history.parquet) one is read. `SourceError` where there is none."""
    if path.is_dir():
        files = {_stem(one): one for suffix in reversed(_SUFFIXES) for one in sorted(path.glob(f"*{suffix}"))}
        if not files:
            raise SourceError(
                "the folder holds no recorded history",
                place=str(path),
                remedy=f"a recording's name ends in {', '.join(_SUFFIXES)}",
            )
        parts = [read(files[stem]) for stem in sorted(files)]
        return parts[0] if len(parts) == 1 else _merged(parts)
    if path.name.endswith(".parquet"):
        from sla_kit.history import parquet

        return parquet.read(path)
    from sla_kit.history import openmetrics

    return openmetrics.read(path)


def _stem(path: Path) -> str:
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


def _merged(parts: Sequence[History]) -> History:
    """Several recordings as one; of two samples of one series at the same time that of the later recording counts."""
    return History(_Together(parts), [finding for part in parts for finding in part.findings])


class _Together:
    """The series of several recordings, as a `Store`."""

    def __init__(self, parts: Sequence[History]) -> None:
        self._parts = parts
        places: dict[Key, list[tuple[int, int]]] = {}
        for number, part in enumerate(parts):
            for row, key in enumerate(part.keys):
                places.setdefault(key, []).append((number, row))
        self.keys = list(places)
        self._places = list(places.values())

    def size(self, number: int) -> int:
        return sum(self._parts[part].size(row) for part, row in self._places[number])

    def span(self) -> Span | None:
        spans = [span for part in self._parts if (span := part.span()) is not None]
        return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None

    def load(self, numbers: Sequence[int], within: Span | None = None) -> list[Series]:
        found: list[list[Series]] = [[] for _ in numbers]
        for number, part in enumerate(self._parts):
            wanted = [(at, row) for at, one in enumerate(numbers) for of, row in self._places[one] if of == number]
            for (at, _), one in zip(wanted, part.load([row for _, row in wanted], within), strict=True):
                found[at].append(one)
        return [_one(pieces) for pieces in found]


def _one(pieces: Sequence[Series]) -> Series:
    times = np.concatenate([one.times for one in pieces])
    values = np.concatenate([one.values for one in pieces])
    return Series(pieces[0].metric, pieces[0].labels, *in_order(times, values))
