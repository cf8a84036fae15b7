"""Graphs beside alerts."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.routing.context import drawing
from sla_kit.routing.context.asking import Series
from sla_kit.routing.context.drawing import Graph, _drawn, draw


def test_a_graph_is_a_picture_of_the_size_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_SECONDS", 200.0)
    times = [float(1_790_000_000 + 60 * number) for number in range(60)]
    every = [Series({"pod": f"api-{pod}"}, times, [pod + number / 10 for number in range(60)]) for pod in range(3)]
    picture = draw(Graph(title="api is slow", series=every, start=times[0], end=times[-1], limit=4.0, since=times[30]))
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (1200, 450)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40), st.lists(st.floats(-1e12, 1e12), max_size=5))
def test_any_title_and_values_can_be_drawn(title: str, values: list[float]) -> None:
    times = [float(number) for number in range(len(values))]
    graph = Graph(title=title, series=[Series({title or "a": title}, times, values)] * 2, start=0, end=60, limit=1e-9)
    assert _drawn(graph).startswith(b"\x89PNG")
