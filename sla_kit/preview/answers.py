"""What the queries of a dashboard's document give, asked of a Prometheus or of a recorded history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from sla_kit.timeline import Floats, Grid, Mask


@dataclass(frozen=True, slots=True)
class Answered:
    """One query as it was asked, and what came of it: an ``answer``, or why there is none (``said``)."""

    ref: str
    expression: str
    legend: str
    instant: bool
    answer: Answer | None
    said: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing came of it."""
        return self.answer is None or not self.answer.present.any()


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
        """The panels of which no query gave anything: their titles, and why where a query failed."""
        for panel in panels_of(self.document):
            answers = self.answers.get(int(panel["id"]), ())
            if answers and all(each.empty for each in answers):
                yield str(panel["title"]), next((each.said for each in answers if each.said), "")


def panels_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The panels of a document in reading order, those of collapsed rows too, without the rows themselves."""
    found: list[Mapping[str, Any]] = []
    for panel in document["panels"]:
        found += panel.get("panels", []) if panel["type"] == "row" else [panel]
    return found


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
    progress: Progress = no_progress,
) -> Iterator[Iterator[Page]]:
    """The documents with their answers, one after the other.

    A recorded history at ``source`` lacks what recording rules record: those of ``rules`` are evaluated on it first.
    ``chosen`` are values of variables that people choose. Raises `SlaKitError` for a source that can't be asked.
    """
    with opened_state(state) as kept, open_engine(source, engine, kept, prometheus) as opened:
        by_name = {} if opened.name == "server" else recordings_of(groups_of(rules), interval)
        values = _possible(documents, shown, chosen or {})
        expressions = [
            filled(target["expr"], values[number])
            for number, document in enumerate(documents)
            for target in (*(t for panel in panels_of(document) for t in panel.get("targets", [])), *_marking(document))
            if "expr" in target
        ]
        plain = Recordings(by_name)
        recordings = Recordings(by_name, opened.recorded(plain, expressions))
        wanted = Wanted(recordings, tuple((each, float(shown.start)) for each in expressions), shown.end)
        with opened.prepared(wanted, [wanted], progress) as evaluator:
            yield _pages(opened, evaluator, recordings, documents, shown, chosen or {})


def _possible(documents: Sequence[Mapping[str, Any]], shown: Range, chosen: Mapping[str, str]) -> list[dict[str, str]]:
    """The values of variables that need not be asked for: whatever else is chosen, it is among all."""
    return [
        shown.values() | {each.name: chosen.get(each.name) or each.chosen or ALL for each in choices(document)}
        for document in documents
    ]


def _pages(
    engine: Engine,
    evaluator: Evaluator,
    recordings: Recordings,
    documents: Sequence[Mapping[str, Any]],
    shown: Range,
    chosen: Mapping[str, str],
) -> Iterator[Page]:
    for document in documents:
        values = shown.values()
        for choice in choices(document):
            values[choice.name] = chosen.get(choice.name) or _first(evaluator, recordings, choice, values, shown)
        answers = {
            int(panel["id"]): tuple(
                _answered(evaluator, recordings, target, values, shown)
                for target in panel.get("targets", [])
                if "expr" in target
            )
            for panel in panels_of(document)
        }
        marks = tuple(_answered(evaluator, recordings, target, values, shown) for target in _marking(document))
        yield Page(document, shown, values, answers, marks)


def _marking(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """The annotations that are shown, as queries over time."""
    listed = document.get("annotations", {}).get("list", [])
    return [
        {"expr": each["expr"], "legendFormat": each.get("iconColor", ""), "refId": each["name"]}
        for each in listed
        if each.get("enable") and each.get("expr")
    ]


def _first(
    evaluator: Evaluator, recordings: Recordings, choice: Choice, values: Mapping[str, str], shown: Range
) -> str:
    """The value of a variable that nobody chose."""
    if choice.chosen or not choice.question:
        return choice.chosen or ALL
    found = _asked(evaluator, recordings, filled(choice.question, values), True, shown)
    labels = sorted(one.get(choice.label, "") for one in found.labels) if isinstance(found, Answer) else []
    return next((label for label in labels if label), ALL)


def _answered(
    evaluator: Evaluator, recordings: Recordings, target: Mapping[str, Any], values: Mapping[str, str], shown: Range
) -> Answered:
    expression, instant = filled(target["expr"], values), bool(target.get("instant"))
    found = _asked(evaluator, recordings, expression, instant, shown)
    answer, said = (found, "") if isinstance(found, Answer) else (None, found)
    legend = filled(target.get("legendFormat", ""), values)
    return Answered(target.get("refId", ""), expression, legend, instant, answer, said)


def _asked(evaluator: Evaluator, recordings: Recordings, expression: str, instant: bool, shown: Range) -> Answer | str:
    step = shown.step
    first = shown.start // step
    grid = Grid(shown.end - 1, 1, 1) if instant else Grid(first * step, step, shown.end // step - first)
    try:
        resolved = recordings.resolved(expression, grid.step)
        refused = evaluator.refusal(resolved)
        return refused if refused else _whole(evaluator, resolved, grid)
    except (SlaKitError, ValueError) as error:
        return str(error)


def _whole(evaluator: Evaluator, expression: str, grid: Grid) -> Answer | str:
    """The pieces of an answer as one over the whole grid; why, where any of them is none."""
    rows: dict[tuple[tuple[str, str], ...], tuple[Floats, Mask]] = {}
    for piece in evaluator.walk(expression, grid):
        if not isinstance(piece, Answer):
            return piece.said
        columns = slice(begun := (piece.grid.start - grid.start) // grid.step, begun + piece.grid.count)
        for labels, values, present in zip(piece.labels, piece.values, piece.present, strict=True):
            key = tuple(sorted(labels.items()))
            if key not in rows:
                rows[key] = (np.full(grid.count, np.nan), np.zeros(grid.count, dtype=np.bool_))
            rows[key][0][columns], rows[key][1][columns] = values, present
    values = np.array([row for row, _ in rows.values()]).reshape(len(rows), grid.count)
    present = np.array([row for _, row in rows.values()], dtype=np.bool_).reshape(len(rows), grid.count)
    return Answer(grid, tuple(dict(key) for key in rows), values, present)
