"""Names, texts and colours of values, as a panel's document says."""

from __future__ import annotations

import pytest

from sla_kit.preview.fields import Field, legend, series
from tests.preview.pages import answered, panel

STEPS = [{"value": None, "color": "green"}, {"value": 80, "color": "orange"}, {"value": 90, "color": "red"}]


def field(*steps: tuple[float | None, str], **defaults: object) -> Field:
    listed = [{"value": value, "color": color} for value, color in steps]
    return Field.of(panel("stat", defaults={"thresholds": {"steps": listed}, **defaults}), 0.0)


@pytest.mark.parametrize(("value", "color"), [(0, "green"), (79.9, "green"), (80, "orange"), (90, "red"), (1e9, "red")])
def test_a_value_has_the_colour_of_the_step_it_has_reached(value: float, color: str) -> None:
    assert field((None, "green"), (80, "orange"), (90, "red")).shown(value).color == color


def test_without_limits_a_value_has_no_colour() -> None:
    assert field((None, "grey")).shown(1).color == ""
    assert field((None, "transparent"), (5, "red")).shown(1).color == ""


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        # Bad above: each line in the colour of what is above it.
        ([(None, "transparent"), (80, "orange"), (90, "red")], [(80, "orange"), (90, "red")]),
        ([(None, "green"), (80, "orange")], [(80, "orange")]),
        # Bad below: up to the step that is transparent, in the colour of what is below it.
        ([(None, "red"), (0.1, "orange"), (0.3, "transparent")], [(0.1, "red"), (0.3, "orange")]),
        ([(None, "red"), (5, "transparent"), (9, "red")], [(5, "red"), (9, "red")]),
    ],
)
def test_a_limits_line_has_the_colour_that_grafana_gives_it(
    steps: list[tuple[float | None, str]], lines: list[tuple[float, str]]
) -> None:
    assert field(*steps).lines() == lines


def test_a_state_is_told_by_its_text_and_colour() -> None:
    mappings = [{"type": "value", "options": {"1": {"text": "up", "color": "green"}, "0.5": {"text": "half"}}}]
    states = field((None, "grey"), mappings=mappings)
    assert (states.shown(1.0).text, states.shown(1.0).color) == ("up", "green")
    assert states.shown(0.5).text == "half"
    assert states.shown(2.0).text == "2"


def test_a_query_or_column_may_have_a_unit_and_a_colour_of_its_own() -> None:
    overrides = [
        {"matcher": {"id": "byFrameRefID", "options": "B"}, "properties": [{"id": "unit", "value": "s"}]},
        {
            "matcher": {"id": "byName", "options": "Share"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "blue"}}],
        },
    ]
    document = panel("timeseries", overrides=overrides)
    assert Field.of(document, 0.0, ref="B").shown(2).text == "2 s"
    assert Field.of(document, 0.0, ref="A").shown(2).text == "2"
    assert Field.of(document, 0.0, name="Share").fixed_color == "blue"


def test_series_are_named_by_their_legend_or_their_labels() -> None:
    labels = {"__name__": "up", "job": "api", "service.name": "web"}
    assert legend(answered((labels, [1.0]), legend="{{job}} of {{ service.name }}{{nothing}}"), labels) == "api of web"
    assert legend(answered((labels, [1.0])), labels) == "{job=api, service.name=web}"
    assert legend(answered(({}, [1.0]), ref="C"), {}) == "C"


def test_series_without_colours_take_those_of_the_palette_in_turn() -> None:
    overrides = [
        {
            "matcher": {"id": "byFrameRefID", "options": "B"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": "#0072B2"}}],
        }
    ]
    answers = (answered(({"a": "1"}, [1.0]), ({"a": "2"}, [2.0]), ref="A"), answered(({}, [1.0]), ref="B"))
    colors = [color for _, color, _, _ in series(panel("timeseries", overrides=overrides), answers, 0.0)]
    assert colors[2] == "#0072B2"
    assert len({*colors}) == 3
