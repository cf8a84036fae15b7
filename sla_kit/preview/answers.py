"""What the queries of a dashboard's document give, asked of a Prometheus, a recorded history, an Elasticsearch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sla_kit.backtest.asking import Answer
from sla_kit.backtest.evaluators import Engine, EngineName, Evaluator, Wanted, open_engine
from sla_kit.backtest.kept import opened_state
from sla_kit.backtest.resolving import Recordings, recordings_of
from sla_kit.backtest.rule_files import groups_of
from sla_kit.errors import SlaKitError
from sla_kit.preview.filling import ALL, Choice, Range, choices, filled
from sla_kit.rules.model import RuleFile
from sla_kit.sources import Progress, no_progress
from sla_kit.sources.connection import QueryRefusedError
from sla_kit.timeline import Floats, Grid, Mask

#: Data sources, as Grafana names them.
METRICS, LOGS = "prometheus", "elasticsearch"


@dataclass(frozen=True, slots=True)
class Answered:
    """One query as it was asked, and what came of it: an ``answer`` (of log lines the ``lines``), or why there is none
    (``said``). One ``left_out`` was not asked at all. ``counted`` is what log entries are counted as."""

    ref: str
    expression: str
    legend: str
    instant: bool
    answer: Answer | None
    said: str = ""
    lines: tuple[Mapping[str, Any], ...] = ()
    left_out: bool = False
    counted: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing came of it."""
        return not self.lines and (self.answer is None or not self.answer.present.any())


#: Asks for logs what a target says, in a range, with the values of the dashboard's variables.
AsksLogs = Callable[[Mapping[str, Any], Range, Mapping[str, str]], Answered]


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard's document with the ``values`` of its variables, what each panel's queries gave, by its id, and its
    annotations (each with its colour as the legend)."""

    document: Mapping[str, Any]
    range: Range
    values: Mapping[str, str]
    answers: Mapping[int, tuple[Answered, ...]] = field(default_factory=dict)
    marks: tuple[Answered, ...] = ()

    def empty(self) -> Iterator[tuple[str, str]]:
        """The panels of which no query gave anything: their titles, and why where a query failed. Those that were left
        out are not among them."""
        for panel in panels_of(self.document):
            answers = self.answers.get(number_of(panel), ())
            if answers and all(each.empty for each in answers) and not any(each.left_out for each in answers):
                yield str(panel.get("title", "")), next((each.said for each in answers if each.said), "")


def panels_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The panels of a document in reading order, those of collapsed rows too, without the rows themselves."""
    found: list[Mapping[str, Any]] = []
    for panel in document["panels"]:
        found += panel.get("panels", []) if panel["type"] == "row" else [panel]
    return found


def number_of(panel: Mapping[str, Any]) -> int:
    """A panel's id."""
    return int(panel.get("id") or 0)


@contextmanager
def asking(
    source: str,
    documents: Sequence[Mapping[str, Any]],
    shown: Range,
    rules: Sequence[RuleFile] = (),
    *,
    chosen: Mapping[str, str] | None = None,
    engine: EngineName = "auto",
    prometheus: str = "",
    interval: int = 60,
    state: Path = Path(".preview"),
    logs: AsksLogs | None = None,
    progress: Progress = no_progress,
) -> Iterator[Iterator[Page]]:
    """The documents with their answers, one after the other.

    A recorded history at ``source`` lacks what recording rules record: those of ``rules`` are evaluated on it first.
    ``chosen`` are values of variables that people choose. Without ``logs`` panels of logs are left out. Raises
    `SlaKitError` for a source that can't be asked.
    """
    with opened_state(state) as kept, open_engine(source, engine, kept, prometheus) as opened:
        by_name = {} if opened.name == "server" else recordings_of(groups_of(rules), interval)
        values = _possible(documents, shown, chosen or {})
        expressions = [
            filled(target["expr"], values[number])
            for number, document in enumerate(documents)
            for target in (*(each for panel in panels_of(document) for each in _targets(panel)), *_marking(document))
            if kind_of(target) == METRICS
        ]
        plain = Recordings(by_name)
        recordings = Recordings(by_name, opened.recorded(plain, expressions))
        wanted = Wanted(recordings, tuple((each, float(shown.start)) for each in expressions), shown.end)
        with opened.prepared(wanted, [wanted], progress) as evaluator:
            asked = _Asking(opened, evaluator, recordings, shown, logs)
            yield asked.pages(documents, chosen or {}, progress)


def _possible(documents: Sequence[Mapping[str, Any]], shown: Range, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """The values of variables that need not be asked for: whatever else is chosen, it is among all."""
    return [
        shown.values() | {each.name: chosen.get(each.name) or each.chosen or ALL for each in choices(document)}
        for document in documents
    ]


@dataclass(frozen=True, slots=True)
class _Asking:
    """Where the queries of some dashboards go."""

    engine: Engine
    evaluator: Evaluator
    recordings: Recordings
    shown: Range
    logs: AsksLogs | None

    def pages(
        self, documents: Sequence[Mapping[str, Any]], chosen: Mapping[str, str], progress: Progress
    ) -> Iterator[Page]:
        if self.engine.name == "server":
            self._whole("vector(1)", Grid(self.shown.end - 1, 1, 1))  # one that does not answer is told at once
        count = sum(len(panels_of(document)) for document in documents)
        done = 0
        with ThreadPoolExecutor(self.engine.connections, thread_name_prefix="sla-kit-preview") as pool:
            for document in documents:
                values = self.shown.values()
                for choice in choices(document):
                    values[choice.name] = chosen.get(choice.name) or self._first(choice, values)
                asked = partial(self._answered, values=values)
                panels = panels_of(document)
                waiting = [pool.map(asked, _targets(panel)) for panel in panels]
                marks = pool.map(asked, _marking(document))
                answers: dict[int, tuple[Answered, ...]] = {}
                for panel, each in zip(panels, waiting, strict=True):
                    progress(done, count, str(document.get("title", "")))
                    answers[number_of(panel)] = tuple(each)
                    done += 1
                yield Page(document, self.shown, values, answers, tuple(marks))
        progress(count, count, "")

    def _first(self, choice: Choice, values: Mapping[str, str]) -> str:
        """The value of a variable that nobody chose."""
        if choice.chosen or not choice.question:
            return choice.chosen or ALL
        found = self._asked(filled(choice.question, values), True)
        labels = sorted(one.get(choice.label, "") for one in found.labels) if isinstance(found, Answer) else []
        return next((label for label in labels if label), ALL)

    def _answered(self, target: Mapping[str, Any], values: Mapping[str, str]) -> Answered:
        kind, ref = kind_of(target), str(target.get("refId", ""))
        if kind == LOGS and self.logs is not None:
            return self.logs(target, self.shown, values)
        if kind != METRICS:
            said = "Give --logs to see this panel" if kind == LOGS else f"Queries of {kind} are not asked here"
            return Answered(ref, str(target.get("query", "")), "", False, None, said, left_out=True)
        expression, instant = filled(target["expr"], values), bool(target.get("instant"))
        found = self._asked(expression, instant)
        answer, said = (found, "") if isinstance(found, Answer) else (None, found)
        return Answered(ref, expression, filled(target.get("legendFormat") or "", values), instant, answer, said)

    def _asked(self, expression: str, instant: bool) -> Answer | str:
        """What an expression gives; why, where it gives nothing. Raises `SourceError` for a server that is gone."""
        step = self.shown.step
        first = self.shown.start // step
        grid = Grid(self.shown.end - 1, 1, 1) if instant else Grid(first * step, step, self.shown.end // step - first)
        try:
            return self._whole(self.recordings.resolved(expression, grid.step), grid)
        except QueryRefusedError as error:
            return error.said or error.message
        except SlaKitError as error:
            if self.engine.name == "server":
                self._whole("vector(1)", Grid(self.shown.end - 1, 1, 1))
            return error.message
        except ValueError as error:
            return str(error)

    def _whole(self, expression: str, grid: Grid) -> Answer | str:
        """The pieces of an answer as one over the whole grid; why, where any of them is none."""
        rows: dict[tuple[tuple[str, str], ...], tuple[Floats, Mask]] = {}
        for piece in self.evaluator.walk(expression, grid):
            if not isinstance(piece, Answer):
                return piece.said
            columns = slice(begun := (piece.grid.start - grid.start) // grid.step, begun + piece.grid.count)
            for labels, values, present in zip(piece.labels, piece.values, piece.present, strict=True):
                key = tuple(sorted(labels.items()))
                if key not in rows:
                    rows[key] = (np.full(grid.count, np.nan), np.zeros(grid.count, dtype=np.bool_))
                rows[key][0][columns], rows[key][1][columns] = values, present
        whole = np.array([row for row, _ in rows.values()]).reshape(len(rows), grid.count)
        there = np.array([row for _, row in rows.values()], dtype=np.bool_).reshape(len(rows), grid.count)
        return Answer(grid, tuple(dict(key) for key in rows), whole, there)


def kind_of(target: Mapping[str, Any]) -> str:
    """The kind of data source that a target asks, as Grafana names it."""
    source = target.get("datasource")
    named = str(source.get("type") or "") if isinstance(source, Mapping) else ""
    if named in ("", METRICS):
        return METRICS if "expr" in target else LOGS if "bucketAggs" in target else "another data source"
    return named


def _targets(panel: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A panel's queries, those that are hidden left out, each with its data source."""
    shared = {"datasource": panel["datasource"]} if panel.get("datasource") else {}
    return [{**shared, **target} for target in panel.get("targets", []) if not target.get("hide")]


def _marking(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """The annotations that are shown, as queries over time."""
    listed = document.get("annotations", {}).get("list", [])
    return [
        {"expr": each["expr"], "legendFormat": each.get("iconColor", ""), "refId": each["name"]}
        for each in listed
        if each.get("enable") and each.get("expr")
    ]
