"""Rules on a recorded history: its samples as blocks of a Prometheus of our own, recorded series written beside them
level by level. Without Prometheus's programs sla-kit evaluates what it can itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np

from sla_kit.backtest.asking import Asker
from sla_kit.backtest.builtin import BuiltIn
from sla_kit.backtest.evaluators import Evaluator, Wanted
from sla_kit.backtest.expressions import Reading, lookback_seconds, readings
from sla_kit.backtest.kept import State, digest
from sla_kit.backtest.local import Programs, serving, write_blocks
from sla_kit.backtest.recording import recorded_series
from sla_kit.backtest.resolving import Recording, Recordings
from sla_kit.history import read
from sla_kit.history.store import Series
from sla_kit.selectors import Selector
from sla_kit.sources import Progress
from sla_kit.sources.connection import Connection, connect
from sla_kit.sources.settings import Address, Settings
from sla_kit.timeline import Grid

#: Samples that are brought from a recording at once.
_AT_ONCE = 2_000_000
#: How far an instant selector looks back, and a margin.
_LOOKBACK_SECONDS = 600
#: A server of our own is waited for as long as it takes.
_PATIENCE_SECONDS = 7200.0


class RecordedHistory:
    """A recording, and who evaluates on it: a Prometheus where there are ``programs``."""

    def __init__(self, path: Path, programs: Programs | None, state: State) -> None:
        self._history = read(path)
        self._programs = programs
        self._state = state
        self.source = str(path)
        self.name = "prometheus" if programs else "builtin"
        self.connections = max(1, min(4, os.cpu_count() or 1)) if programs else 1
        self.identity = digest(self.name, programs, *_looks_of(path))

    def span(self) -> tuple[int, int] | None:
        """The first and the last sample's time, the last rounded up."""
        found = self._history.span()
        return None if found is None else (found[0] // 1000, -(-found[1] // 1000))

    def reach(self, names: Sequence[str], start: int, end: int) -> int:
        """The beginning: where the recording begins is known already."""
        return start

    @contextmanager
    def checking(self) -> Iterator[Evaluator]:
        """An empty Prometheus, which knows its PromQL as well as a full one."""
        if self._programs is None:
            yield BuiltIn(self._history, self.source)
            return
        with self._serving(self._state.scratch / "empty" / "data") as asker:
            yield asker

    def recorded(self, recordings: Recordings, expressions: Sequence[str]) -> frozenset[str]:
        """Those that are read often, or by ranges; sla-kit's own PromQL puts all in."""
        return frozenset() if self._programs is None else recordings.worth_recording(expressions)

    def prepared(
        self, wanted: Wanted, everything: Sequence[Wanted], progress: Progress
    ) -> AbstractContextManager[Evaluator]:
        """A Prometheus over the samples that any set of rules needs and over what this one records."""
        if self._programs is None:
            return nullcontext(BuiltIn(self._history, self.source))
        return self._prepared(wanted, everything, progress)

    def missing(self, names: Sequence[str], start: int, end: int, evaluator: Evaluator) -> set[str]:
        """Metrics that the recording does not hold."""
        return set(names) - set(self._history.metrics())

    def close(self) -> None:
        """Nothing to let go of."""

    # --- with a Prometheus ---

    @contextmanager
    def _prepared(self, wanted: Wanted, everything: Sequence[Wanted], progress: Progress) -> Iterator[Evaluator]:
        raw = self._raw(everything, progress)
        levels = wanted.recordings.levels(expression for expression, _ in wanted.expressions)
        store = raw
        begins = wanted.recordings.begins(wanted.expressions)
        for number, nodes in enumerate(levels):
            below = store
            rules = [(wanted.recordings.rule(node), begins[node]) for node in nodes]
            jobs = [(one, self._grid(one, begin, wanted.end)) for one, begin in rules]
            texts = [wanted.recordings.resolved(one.rule.expression, one.interval) for one, _ in jobs]
            told = [(one.rule.record, sorted(one.rule.labels.items()), grid) for one, grid in jobs]
            store = self._state.scratch / digest(below, texts, told) / "data"
            if _done(store):
                continue
            _linked(below, store)
            with self._serving(below) as asker:
                what = f"recording rules, level {number + 1} of {len(levels)}"
                series = recorded_series(asker, jobs, texts, self.connections, progress, what)
                assert self._programs is not None
                write_blocks(self._programs, series, store)
            _mark(store)
        with self._serving(store) as asker:
            yield asker

    def _raw(self, everything: Sequence[Wanted], progress: Progress) -> Path:
        """The folder with the blocks of all samples that some expressions need."""
        expressions: dict[str, None] = {}
        start = float("inf")
        for wanted in everything:
            begins = wanted.recordings.begins(wanted.expressions)
            for expression, first in wanted.expressions:
                expressions[expression] = None
                start = min(start, first - lookback_seconds(expression))
            for node, first in begins.items():
                inner = wanted.recordings.rule(node).rule.expression
                expressions[inner] = None
                start = min(start, first - lookback_seconds(inner))
        rows = self._rows([reading for expression in expressions for reading in readings(expression)])
        span = self._history.span()
        first_ms = int(max(span[0] if span else 0, (start - _LOOKBACK_SECONDS) * 1000))
        last_ms = max((wanted.end for wanted in everything), default=0) * 1000
        store = self._state.scratch / digest(self.identity, rows, first_ms // 60_000, last_ms) / "data"
        if not _done(store):
            shutil.rmtree(store, ignore_errors=True)
            store.mkdir(parents=True)
            assert self._programs is not None
            write_blocks(self._programs, self._series(rows, (first_ms, last_ms), progress), store)
            _mark(store)
        return store

    def _rows(self, wanted: Iterable[Reading]) -> list[int]:
        """The series that selectors may select, by their places."""
        metrics = self._history.metrics()
        found: set[int] = set()
        for reading in set(wanted):
            matchers = tuple(one for one in reading.matchers if one.label != "__name__") if reading.plain else ()
            for metric in [reading.metric] if reading.metric else metrics:
                if not reading.reads(metric):
                    continue
                try:
                    found.update(self._history.matching(Selector(metric, matchers)))
                except Exception:  # a pattern that only RE2 reads: then all of the metric
                    found.update(self._history.matching(Selector(metric)))
        return sorted(found)

    def _series(self, rows: Sequence[int], within: tuple[int, int], progress: Progress) -> Iterator[Series]:
        waiting: list[int] = []
        samples, done = 0, 0
        for row in [*rows, None]:
            if row is not None:
                waiting.append(row)
                samples += self._history.size(row)
            if waiting and (row is None or samples >= _AT_ONCE):
                for one in self._history.load(waiting, within):
                    low, high = np.searchsorted(one.times, (within[0], within[1] + 1))
                    yield Series(one.metric, one.labels, one.times[low:high], one.values[low:high])
                done += len(waiting)
                progress(done, len(rows), "reading the recording")
                waiting, samples = [], 0

    def _grid(self, one: Recording, begin: float, end: int) -> Grid:
        span = self._history.span()
        first = max(begin, span[0] / 1000 if span else begin)
        start = int(first // one.interval) * one.interval - one.interval
        return Grid(start, one.interval, max(0, (end - start) // one.interval))

    @contextmanager
    def _serving(self, store: Path) -> Iterator[Asker]:
        assert self._programs is not None
        with serving(self._programs, store) as url:
            address = Address.parse(url)
            client = connect(address, Settings())
            client._session.trust_env = False  # no proxy stands between us and ourselves
            asker = Asker(Connection(client, address, _PATIENCE_SECONDS), _PATIENCE_SECONDS)
            try:
                yield asker
            finally:
                asker.close()


def _linked(below: Path, store: Path) -> None:
    """The blocks of another store in a new one; blocks never change, so links do."""
    shutil.rmtree(store, ignore_errors=True)
    store.parent.mkdir(parents=True, exist_ok=True)

    def blocks(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == below
        return [name for name in names if top and not (below / name / "meta.json").is_file()]

    shutil.copytree(below, store, copy_function=os.link, ignore=blocks)


def _done(store: Path) -> bool:
    return (store.parent / "done").is_file()


def _mark(store: Path) -> None:
    (store.parent / "done").touch()


def _looks_of(path: Path) -> list[str]:
    """What tells a recording from another one of the same name."""
    files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    looks = [(one.resolve(), one.stat()) for one in files]
    return [f"{name} {found.st_size} {found.st_mtime_ns}" for name, found in looks]
