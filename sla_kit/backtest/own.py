"""A Prometheus of our own that evaluates rules: what they record is written beside the samples, level by level."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sla_kit.backtest.asking import Asker
from sla_kit.backtest.evaluators import Evaluator, Wanted
from sla_kit.backtest.kept import State, digest
from sla_kit.backtest.local import Programs, serving, write_blocks
from sla_kit.backtest.needs import Emptiness
from sla_kit.backtest.recording import recorded_series
from sla_kit.backtest.resolving import Recording
from sla_kit.history.store import Series
from sla_kit.sources import Progress
from sla_kit.sources.connection import Connection, connect
from sla_kit.sources.settings import Address, Settings
from sla_kit.timeline import Grid

#: A server of our own is waited for as long as it takes.
_PATIENCE_SECONDS = 7200.0


class OwnPrometheus:
    """The programs of a Prometheus, and a folder for its data."""

    def __init__(self, programs: Programs, state: State) -> None:
        self._programs = programs
        self._state = state
        self.connections = max(1, min(4, os.cpu_count() or 1))

    @contextmanager
    def checking(self) -> Iterator[Evaluator]:
        """An empty Prometheus, which knows its PromQL as well as a full one."""
        with self._serving(self._state.scratch / "empty" / "data") as asker:
            yield asker

    def stored(self, name: str, series: Iterable[Series]) -> Path:
        """The folder with the blocks of some series; ``name`` says what they are, and they are taken only where no
        blocks of that name are there."""
        store = self._state.scratch / name / "data"
        if not _done(store):
            shutil.rmtree(store, ignore_errors=True)
            store.mkdir(parents=True)
            write_blocks(self._programs, series, store)
            _mark(store)
        return store

    @contextmanager
    def over(
        self, raw: Path, first: float | None, lacking: frozenset[str], wanted: Wanted, progress: Progress
    ) -> Iterator[Evaluator]:
        """An evaluator over raw samples, the first of which is at ``first`` (epoch seconds) where that is known, and
        over what the rules that are wanted record of them; they have none of the metrics that are ``lacking``."""
        empty = Emptiness(wanted.recordings, lacking)
        levels = wanted.recordings.levels(expression for expression, _ in wanted.expressions)
        store = raw
        begins = wanted.recordings.begins(wanted.expressions)
        for number, nodes in enumerate(levels):
            below = store
            rules = [(wanted.recordings.rule(node), begins[node]) for node in nodes]
            rules = [(one, begin) for one, begin in rules if not empty.of(one.rule.expression)]
            if not rules:
                continue
            jobs = [
                (one, _grid(one, begin if first is None else max(begin, first), wanted.end)) for one, begin in rules
            ]
            texts = [wanted.recordings.resolved(one.rule.expression, one.interval) for one, _ in jobs]
            told = [(one.rule.record, sorted(one.rule.labels.items()), grid) for one, grid in jobs]
            store = self._state.scratch / digest(below, texts, told) / "data"
            if _done(store):
                continue
            _linked(below, store)
            with self._serving(below) as asker:
                what = f"recording rules, level {number + 1} of {len(levels)}"
                series = recorded_series(asker, jobs, texts, self.connections, progress, what)
                write_blocks(self._programs, series, store)
            _mark(store)
        with self._serving(store) as asker:
            yield asker

    @contextmanager
    def _serving(self, store: Path) -> Iterator[Asker]:
        with serving(self._programs, store) as url:
            address = Address.parse(url)
            client = connect(address, Settings())
            client._session.trust_env = False  # no proxy stands between us and ourselves
            asker = Asker(Connection(client, address, _PATIENCE_SECONDS), _PATIENCE_SECONDS)
            try:
                yield asker
            finally:
                asker.close()


def _grid(one: Recording, begin: float, end: int) -> Grid:
    start = int(begin // one.interval) * one.interval - one.interval
    return Grid(start, one.interval, max(0, (end - start) // one.interval))


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
