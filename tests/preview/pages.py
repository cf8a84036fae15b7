"""Dashboards' documents and the answers to their queries, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sla_kit.backtest.asking import Answer
from sla_kit.preview.answers import Answered, Page
from sla_kit.preview.filling import Range
from sla_kit.timeline import Grid

#: 20 September 2026, noon UTC.
NOON = 1_789_905_600
STEP = 60


def answered(
    *series: tuple[Mapping[str, str], Sequence[float | None]],
    legend: str = "",
    ref: str = "A",
    instant: bool = False,
    expression: str = "x",
    start: int = NOON,
    step: int = STEP,
) -> Answered:
    """A query's answer: the labels of each series with its values, None where it has none."""
    count = max((len(values) for _, values in series), default=1)
    rows = [[*row, *[None] * (count - len(row))] for _, row in series]
    values = np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=np.float64)
    present = np.array([[v is not None for v in row] for row in rows], dtype=np.bool_)
    labels = tuple(dict(labels) for labels, _ in series)
    answer = Answer(Grid(start, step, count), labels, values.reshape(-1, count), present.reshape(-1, count))
    return Answered(ref, expression, legend, instant, answer)


def panel(kind: str, title: str = "A panel", **more: Any) -> dict[str, Any]:
    """A panel's document; ``defaults`` are those of its fields."""
    found: dict[str, Any] = {"type": kind, "title": title, "id": 1, "gridPos": {"x": 0, "y": 0, "w": 8, "h": 7}}
    defaults = more.pop("defaults", {})
    overrides = more.pop("overrides", [])
    return found | {"fieldConfig": {"defaults": {"unit": "short", **defaults}, "overrides": overrides}} | more


def page_of(
    panels: Sequence[tuple[dict[str, Any], Sequence[Answered]]],
    marks: Sequence[Answered] = (),
    minutes: int = 60,
    title: str = "By hand",
) -> Page:
    """A page of panels with their answers, three in a line unless they say where they stand."""
    placed, answers = [], {}
    x = y = tall = 0
    for number, (each, of_it) in enumerate(panels, 1):
        wide, high = each["gridPos"]["w"], each["gridPos"]["h"]
        if x + wide > 24:
            x, y, tall = 0, y + tall, 0
        placed.append({**each, "id": number, "gridPos": {"x": x, "y": y, "w": wide, "h": high}})
        answers[number] = tuple(of_it)
        x, tall = x + wide, max(tall, high)
    document = {"title": title, "panels": placed, "templating": {"list": []}}
    shown = Range(NOON, NOON + minutes * 60, points=minutes, scrape_interval=15)
    return Page(document, shown, shown.values(), answers, tuple(marks))
