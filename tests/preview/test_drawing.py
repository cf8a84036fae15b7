"""Drawings, worked by hand: where lines, bars, limits and states stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import numpy as np
import pytest

from sla_kit.preview import drawing
from sla_kit.preview.answers import Answered
from sla_kit.preview.drawing import Canvas
from tests.preview.pages import NOON, answered, panel

#: Ten minutes, ten pixels each; a value of a minute stands at its end.
CANVAS = Canvas(100, 100, NOON, NOON + 600, UTC)
SOFT = {"custom": {"axisSoftMin": 0}}


def drawn(
    answers: Sequence[Answered], defaults: dict[str, Any] | None = None, marks: Sequence[Answered] = (), kind: str = ""
) -> str:
    document = panel(kind or "timeseries", defaults=defaults or SOFT)
    return drawing.over_time(document, tuple(answers), marks, CANVAS, NOON + 600)


def paths(text: str, color: str) -> list[str]:
    return re.findall(rf'<path d="([^"]*)"[^>]*(?:stroke|fill)="{re.escape(color)}"', text)


def lines(text: str) -> list[str]:
    return re.findall(r'<path d="([^"]*)" class="line" stroke="#73BF69"', text)


def test_a_line_goes_through_its_values() -> None:
    text = drawn([answered(({}, [0.0, 5.0, 10.0]))])
    # The axis goes from 0 to 10.5: ten and a twentieth of room above it.
    assert re.findall(r'top:([\d.]+)%">([^<]+)<', text) == [("100.00", "0"), ("52.38", "5"), ("4.76", "10")]
    assert lines(text) == ["M10 100L20 52.4L30 4.8"]


def test_a_gap_stays_a_gap_and_a_lone_value_is_a_dot() -> None:
    text = drawn([answered(({}, [10.0, None, 10.0, 10.0, None]))])
    assert lines(text) == ["M30 4.8L40 4.8", "M10 4.8h0"]
    assert 'stroke-linecap="round"' in text


@pytest.mark.parametrize("values", [[float("nan")] * 3, [float("inf"), -float("inf"), None], [None, None]])
def test_what_can_not_be_drawn_leaves_an_empty_plot_with_axes(values: list[float | None]) -> None:
    text = drawn([answered(({}, values))])
    assert lines(text) == []
    assert ">0<" in text


def test_a_level_line_is_written_by_its_ends() -> None:
    assert lines(drawn([answered(({}, [6.0] * 10))], {"min": 0, "max": 12})) == ["M10 50L100 50"]


def test_stacked_areas_stand_on_one_another() -> None:
    stacked = {"custom": {"stacking": {"mode": "normal"}}, "min": 0, "max": 10}
    text = drawn([answered(({"a": "1"}, [2.0, 2.0]), ({"a": "2"}, [3.0, None]))], stacked)
    areas = re.findall(r'<path d="([^"]*)" fill="#[0-9A-F]+" fill-opacity="0.55"', text)
    # The second lies from 2 to 5, and from 2 to 2 where it has no value.
    assert areas == ["M10 80L20 80L20 100L10 100Z", "M10 50L20 80L20 80L10 80Z"]


def test_shares_of_a_whole_fill_it() -> None:
    whole = {"custom": {"stacking": {"mode": "percent"}}}
    text = drawn([answered(({"a": "1"}, [1.0, 0.0]), ({"a": "2"}, [3.0, 0.0]))], whole)
    assert ">100%<" in text
    areas = re.findall(r'<path d="([^"]*)" fill="#[0-9A-F]+" fill-opacity="0.55"', text)
    assert areas == ["M10 75L20 100L20 100L10 100Z", "M10 0L20 100L20 100L10 75Z"]


def test_bars_stand_around_their_time_and_nothing_is_drawn_for_zero() -> None:
    text = drawn([answered(({}, [4.0, 0.0]))], {"custom": {"drawStyle": "bars"}, "min": 0, "max": 8})
    assert re.findall(r'<path d="([^"]*)" fill="#73BF69" fill-opacity=".85"', text) == ["M5 50h9v50h-9Z"]


def test_limits_are_drawn_where_the_axis_reaches_them() -> None:
    steps = [{"value": None, "color": "transparent"}, {"value": 5, "color": "orange"}, {"value": 50, "color": "red"}]
    limited = {"custom": {"thresholdsStyle": {"mode": "dashed"}}, "thresholds": {"steps": steps}, "min": 0, "max": 10}
    text = drawn([answered(({}, [1.0, 2.0]))], limited)
    assert paths(text, "orange") == ["M0 50H100"]
    assert paths(text, "red") == []
    limited["custom"] = {}
    assert paths(drawn([answered(({}, [1.0, 2.0]))], limited), "orange") == []


def test_what_went_on_meanwhile_is_shaded_from_its_begin_to_its_end() -> None:
    mark = answered(({}, [None, 1.0, 1.0, None]), legend="#CC79A7")
    text = drawn([answered(({}, [1.0]))], marks=[mark])
    assert paths(text, "#CC79A7") == ["M10 0h20v100h-20Z", "M10 0V100"]


def test_zero_stands_at_the_bottom_of_a_logarithmic_axis() -> None:
    text = drawn([answered(({}, [0.0, 1.0, 100.0]))], {"custom": {"scaleDistribution": {"type": "log"}}})
    assert lines(text) == ["M10 100L20 100L30 0"]
    text = drawn([answered(({}, [0.0, -1.0]))], {"custom": {"scaleDistribution": {"type": "log"}}})
    assert len(lines(text)) == 1


def test_a_heat_map_shows_how_many_fell_into_each_bucket() -> None:
    buckets = answered(
        ({"le": "+Inf"}, [10.0, 4.0]), ({"le": "0.1"}, [1.0, 4.0]), ({"le": "1.0"}, [10.0, 4.0]), step=300
    )
    text = drawing.heat(panel("heatmap", defaults={"unit": "s"}), (buckets,), CANVAS, NOON)
    cells = {color: course for course, color in re.findall(r'<path d="([^"]*)" fill="(#[0-9A-F]+)" shape', text)}
    # Up to 100 ms: one, then four; up to a second: nine, then none; above: none. The most is darkest.
    assert cells == {
        drawing._HEAT[-1]: "M0 33.3h50v33.3h-50Z",
        drawing._HEAT[3]: "M0 66.7h50v33.3h-50Z",
        drawing._HEAT[6]: "M50 66.7h50v33.3h-50Z",
    }
    assert re.findall(r'top:([\d.]+)%">([^<]+)<', text) == [("66.67", "100 ms"), ("33.33", "1 s"), ("0.00", "∞")]


def states(*rows: tuple[str, Sequence[float | None]], canvas: Canvas = CANVAS) -> str:
    mapped = {"1": {"text": "up", "color": "green"}, "0": {"text": "down", "color": "red"}}
    document = panel("state-timeline", defaults={"mappings": [{"type": "value", "options": mapped}]})
    answers = (answered(*(({"job": name}, values) for name, values in rows), legend="{{job}}"),)
    return drawing.states(document, answers, canvas, NOON)


def test_states_are_bars_in_their_colours_with_a_key() -> None:
    text = states(("api", [1.0, 1.0, 0.0, None]), ("web", [1.0]))
    # Rows of 50 pixels, bars of 26 in their middle.
    assert paths(text, "green") == ["M0 12h20v26h-20ZM0 62h10v26h-10Z"]
    assert paths(text, "red") == ["M20 12h10v26h-10Z"]
    assert re.findall(r"</i>([^<]+)</span>", text) == ["down", "up"]
    assert re.findall(r'top:([\d.]+)%">([^<]+)<', text) == [("25.00", "api"), ("75.00", "web")]


def test_more_states_than_there_is_room_for_are_counted() -> None:
    text = states(*((f"job-{place}", [1.0]) for place in range(40)))
    named = re.findall(r">job-\d+<", text)
    assert len(named) == 6
    assert "and 34 more" in text


def test_a_spark_needs_two_values_and_keeps_its_gaps() -> None:
    assert drawing.spark(np.array([1.0, np.nan]), "red") == ""
    text = drawing.spark(np.array([0.0, 1.0, np.nan, 0.0, 1.0]), "red")
    assert re.findall(r'class="line" stroke="red"', text) == ['class="line" stroke="red"']
    assert 'd="M0 38L50 4M150 38L200 4"' in text


def test_a_dial_is_filled_as_far_as_its_value() -> None:
    text = drawing.dial(0.5, "green", [(0.0, "green"), (0.8, "red")])
    # Half of three quarters of a circle from the lower left ends on top.
    assert 'd="M-31.1 31.1A44 44 0 0 1 0 -44" fill="none" stroke="green"' in text
    assert text.count("<path") == 4
    assert drawing.dial(0.0, "green", []).count("<path") == 1


def test_text_in_a_drawing_is_escaped() -> None:
    text = states(('<b>&"x', [1.0]))
    assert "&lt;b&gt;&amp;" in text
    assert "<b>" not in text
