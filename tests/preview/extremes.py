"""Pages of everything that is hard to draw: too much, too long, too little, no number at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sla_kit.preview.answers import Answered, Page
from tests.preview.pages import answered, page_of, panel

LONG = "a-service-with-a-very-long-name/and-an-instance-behind-it:9100 in eu-central-1 of production"
NAN, INF = math.nan, math.inf
STEPS = [{"value": None, "color": "transparent"}, {"value": 5, "color": "#E69F00"}, {"value": 9, "color": "#D55E00"}]
LIMITED = {"thresholds": {"steps": STEPS}, "custom": {"thresholdsStyle": {"mode": "dashed"}}}
UP = {
    "mappings": [
        {
            "type": "value",
            "options": {"1": {"text": "up", "color": "#009E73"}, "0": {"text": "down", "color": "#D55E00"}},
        }
    ]
}


def waves(count: int, points: int = 60, name: str = "series") -> Answered:
    return answered(
        *(
            ({"name": f"{name} {row}"}, [row + math.sin(place / 9 + row) for place in range(points)])
            for row in range(count)
        ),
        legend="{{name}}",
    )


def one(values: Sequence[float | None], name: str = "one", **more: Any) -> Answered:
    return answered(({"name": name}, values), legend="{{name}}", **more)


def table(lines: int, columns: int, text: str = "value") -> Answered:
    rows = (
        ({f"label_{column}": f"{text} {row}.{column}" for column in range(columns)}, [row * 1234.5])
        for row in range(lines)
    )
    return answered(*rows, instant=True)


def said(words: str, left_out: bool = False) -> Answered:
    return Answered("A", "x", "", False, None, words, left_out=left_out)


def lines(count: int, words: int) -> Answered:
    return replace(
        said(""),
        lines=tuple(
            {"@timestamp": "2026-09-20T12:00:00Z", "log": {"level": "error"}, "message": f"line {number} " * words}
            for number in range(count)
        ),
    )


def each(count: int, values: Callable[[int], Sequence[float | None]], name: str = LONG, **more: Any) -> Answered:
    """So many series, each with values of its own."""
    return answered(*(({"name": f"{name}{row}"}, values(row)) for row in range(count)), legend="{{name}}", **more)


def buckets(bounds: list[str], values: Callable[[int], Sequence[float | None]]) -> Answered:
    return answered(*(({"le": bound}, values(row)) for row, bound in enumerate(bounds)))


def extremes() -> Page:
    """A page with a panel for each."""
    marks = [
        answered(({}, [None, 1.0, 1.0] * 10), legend="#CC79A7"),
        answered(({}, [1.0] * 60), legend="#D55E00"),
        answered(({}, [None]), legend="#0072B2"),
    ]
    stat = {"options": {"graphMode": "area", "colorMode": "value"}}
    filled = {"options": {"colorMode": "background_solid"}, "defaults": UP}
    small = {"gridPos": {"x": 0, "y": 0, "w": 4, "h": 5}}
    drawn: list[tuple[dict[str, Any], list[Answered]]] = [
        (panel("timeseries", "Forty series"), [waves(40)]),
        (panel("timeseries", "Long names"), [waves(6, name=LONG)]),
        (panel("timeseries", f"A title that is far too long: {LONG} {LONG}"), [waves(2)]),
        (panel("timeseries", "One point"), [one([3.0])]),
        (panel("timeseries", "No number"), [one([NAN] * 60)]),
        (panel("timeseries", "Infinite"), [one([1.0, INF, 2.0, -INF, 3.0])]),
        (
            panel("timeseries", "Below zero", defaults={"unit": "percentunit"}),
            [one([-math.exp(x / 9) for x in range(60)])],
        ),
        (panel("timeseries", "Very large", defaults={"unit": "bytes"}), [one([1e18 + x * 1e16 for x in range(60)])]),
        (panel("timeseries", "Very small", defaults={"unit": "s"}), [one([1e-9 * x for x in range(60)])]),
        (panel("timeseries", "Nearly level"), [one([1e6 + x * 1e-3 for x in range(60)])]),
        (
            panel("timeseries", "Logarithmic", defaults={"custom": {"scaleDistribution": {"type": "log"}}}),
            [one([0.0, 1e-9, 1e9] * 20)],
        ),
        (panel("timeseries", "Limits", defaults=LIMITED), [one([x / 5 for x in range(60)])]),
        (panel("timeseries", "Stacked", defaults={"custom": {"stacking": {"mode": "normal"}}}), [waves(5)]),
        (panel("timeseries", "Bars", defaults={"custom": {"drawStyle": "bars"}}), [waves(3)]),
        (panel("timeseries", "Narrow", **small), [waves(9, name=LONG)]),
        (panel("timeseries", "Nothing"), [answered()]),
        (panel("timeseries", "Failing"), [said("parse error: unexpected end of input " * 20)]),
        (panel("timeseries", "Half failing"), [waves(2), said(f"no such function {LONG} {LONG} {LONG}")]),
        (panel("logs", "Left out"), [said("Give --logs to see this panel", left_out=True)]),
        (panel("timeseries", "No queries"), []),
        (panel("stat", "A figure", defaults={"unit": "s"}, **stat, **small), [one([x * 1.0 for x in range(60)])]),
        (
            panel("stat", "A long one", defaults={"unit": "dtdurations", "decimals": 3}, **stat, **small),
            [one([9e6 + 1.5])],
        ),
        (panel("stat", "No number", **stat, **small), [one([NAN, NAN])]),
        (panel("stat", "No value", defaults={"noValue": "never"}, **stat, **small), [one([None, None])]),
        (panel("stat", "States", **filled, **small), [each(3, lambda row: [row % 2])]),
        (panel("stat", "Many states", **filled), [each(30, lambda row: [row % 2], "instance ")]),
        (panel("gauge", "A dial", defaults={"unit": "percentunit", "min": 0, "max": 1}, **small), [one([0.63])]),
        (panel("gauge", "Dials", defaults={"unit": "bytes"}), [each(9, lambda row: [row * 1e9])]),
        (
            panel("bargauge", "Bars in words", defaults={"unit": "dtdurations", "decimals": 2}),
            [each(40, lambda row: [row * 12345.6])],
        ),
        (panel("bargauge", "One bar", defaults={"unit": "percentunit", "min": 0}), [one([-22.5])]),
        (panel("bargauge", "No numbers"), [answered(({"n": "a"}, [NAN]), ({"n": "b"}, [INF]), legend="{{n}}")]),
        (panel("table", "Huge", gridPos={"x": 0, "y": 0, "w": 12, "h": 7}), [table(3000, 12, LONG)]),
        (panel("table", "Small"), [table(2, 2)]),
        (
            panel("heatmap", "Heat", defaults={"unit": "s"}),
            [buckets(["0.1", "1", "10", "+Inf"], lambda row: [(row + 1) * x for x in range(60)])],
        ),
        (panel("heatmap", "Cold"), [buckets([str(bound) for bound in range(30)], lambda row: [0.0] * 60)]),
        (
            panel("state-timeline", "Many rows", defaults=UP),
            [each(80, lambda row: [float((row + x) % 7 > 0) for x in range(60)])],
        ),
        (panel("state-timeline", "One row", defaults=UP), [one([1.0] * 30 + [0.0] * 30)]),
        (panel("logs", "Lines"), [lines(200, 30)]),
        (panel("logs", "A line"), [lines(1, 1)]),
        (panel("text", "Words", options={"content": LONG * 9}), []),
        (panel("geomap", "Unknown"), [waves(1)]),
    ]  # fmt: skip
    return page_of(drawn, marks, title="Extremes")
