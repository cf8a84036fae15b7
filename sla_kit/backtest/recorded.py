"""Rules on a recorded history: its samples go into a Prometheus of our own. Without Prometheus's programs sla-kit
evaluates what it can itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from sla_kit.backtest.builtin import BuiltIn
from sla_kit.backtest.evaluators import Evaluator, Wanted
from sla_kit.backtest.expressions import Reading
from sla_kit.backtest.kept import State, digest
from sla_kit.backtest.local import Programs
from sla_kit.backtest.needs import Need, names_left_out, needs
from sla_kit.backtest.own import OwnPrometheus
from sla_kit.backtest.resolving import Recordings
from sla_kit.history import read
from sla_kit.history.store import Series
from sla_kit.selectors import Selector
from sla_kit.sources import Progress

#: Samples that are brought from a recording at once.
_AT_ONCE = 2_000_000


class RecordedHistory:
    """A recording, and who evaluates on it: a Prometheus where there are ``programs``."""

    def __init__(self, path: Path, programs: Programs | None, state: State) -> None:
        self._history = read(path)
        self._own = OwnPrometheus(programs, state) if programs else None
        self.source = str(path)
        self.name = "prometheus" if programs else "builtin"
        self.connections = self._own.connections if self._own else 1
        self.identity = digest(self.name, programs, *_looks_of(path))

    def span(self) -> tuple[int, int] | None:
        """The first and the last sample's time, the last rounded up."""
        found = self._history.span()
        return None if found is None else (found[0] // 1000, -(-found[1] // 1000))

    def reach(self, names: Sequence[str], start: int, end: int) -> int:
        """The beginning: where the recording begins is known already."""
        return start

    def checking(self) -> AbstractContextManager[Evaluator]:
        """An empty Prometheus."""
        return nullcontext(BuiltIn(self._history, self.source)) if self._own is None else self._own.checking()

    def recorded(self, recordings: Recordings, expressions: Sequence[str]) -> frozenset[str]:
        """Those that are read often, or by ranges; sla-kit's own PromQL puts all in."""
        return frozenset() if self._own is None else recordings.worth_recording(expressions)

    def prepared(
        self, wanted: Wanted, everything: Sequence[Wanted], progress: Progress
    ) -> AbstractContextManager[Evaluator]:
        """A Prometheus over the samples that any set of rules needs and over what this one records."""
        if self._own is None:
            return nullcontext(BuiltIn(self._history, self.source))
        span = self._history.span()
        needed = needs(wanted, everything)
        raw = self._raw(self._own, needed, wanted, everything, progress)
        lacking = frozenset(need.reading.metric for need in needed).difference(self._history.metrics(), [""])
        return self._own.over(raw, span[0] / 1000 if span else None, lacking, wanted, progress)

    def missing(self, names: Sequence[str], start: int, end: int) -> set[str]:
        """Metrics that the recording does not hold."""
        return set(names) - set(self._history.metrics())

    def close(self) -> None:
        """Nothing to let go of."""

    # --- with a Prometheus ---

    def _raw(
        self,
        own: OwnPrometheus,
        needed: Sequence[Need],
        wanted: Wanted,
        everything: Sequence[Wanted],
        progress: Progress,
    ) -> Path:
        """The folder with the blocks of all samples that are needed."""
        left_out = names_left_out(wanted.recordings, needed)
        rows = self._rows((need.reading for need in needed), left_out)
        span = self._history.span()
        start = min((need.begin for need in needed), default=0.0)
        first_ms = int(max(span[0] if span else 0, start * 1000))
        last_ms = max((each.end for each in everything), default=0) * 1000
        name = digest(self.identity, rows, first_ms // 60_000, last_ms)
        return own.stored(name, self._series(rows, (first_ms, last_ms), progress))

    def _rows(self, wanted: Iterable[Reading], left_out: frozenset[str]) -> list[int]:
        """The series that selectors may select, by their places."""
        metrics = [metric for metric in self._history.metrics() if metric not in left_out]
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


def _looks_of(path: Path) -> list[str]:
    """What tells a recording from another one of the same name."""
    files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
    looks = [(one.resolve(), one.stat()) for one in files]
    return [f"{name} {found.st_size} {found.st_mtime_ns}" for name, found in looks]
