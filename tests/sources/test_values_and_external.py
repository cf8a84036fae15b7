"""Bounds on the value of an expression, strict bounds, and indicators of sources that nothing reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sla_kit
import sla_kit.catalogue
from sla_kit.catalogue.model import Bound, Catalogue, External, ForeignSource, Server, Service, Slo, Window
from sla_kit.history import History, HistorySource, Series
from sla_kit.sources import Indicator
from sla_kit.timeline import Grid, Timeline

START = 1_699_999_200
GRID = Grid(START, 60, 4)
LEVELS = [1.0, 2.0, 3.0]  # and nothing in the fourth bucket


def source() -> HistorySource:
    times = GRID.ends[:3] * 1000
    return HistorySource(History([Series("level", (), times, np.array(LEVELS))]))


def timeline(sli: Any) -> Timeline:
    [(_, found)] = source().fetch([Indicator(("web", "x"), sli)], GRID)
    return found


@pytest.mark.parametrize(
    ("limits", "good"),
    [
        ({"min": 2.0}, [0, 1, 1]),
        ({"above": 2.0}, [0, 0, 1]),
        ({"max": 2.0}, [1, 1, 0]),
        ({"below": 2.0}, [1, 0, 0]),
        ({"above": 1.0, "below": 3.0}, [0, 1, 0]),
    ],
)
def test_a_strict_limit_is_itself_bad(limits: dict[str, float], good: list[int]) -> None:
    for sli in (Bound(metric="level", **limits), Bound(promql="max_over_time(level[1m])", **limits)):  # type: ignore[arg-type]
        found = timeline(sli)
        assert found.good[:3].tolist() == good
        assert found.total.tolist() == [1, 1, 1, 0]
        assert found.coverage[3] == 0


def test_the_window_of_an_expression_is_the_bucket() -> None:
    found = timeline(Bound(promql="sum(count_over_time(level[$window]))", min=1.0))
    assert found.value is not None
    assert found.value[:3].tolist() == [1, 1, 1]


def test_an_external_indicator_is_unknown_and_says_so() -> None:
    found = timeline(External(type="Datadog", good_ratio={"query": "x"}))
    assert found.coverage.tolist() == [0, 0, 0, 0]
    assert found.total.tolist() == [0, 0, 0, 0]
    assert [finding.message for finding in found.findings] == [
        "no source of sla-kit reads Datadog: nothing is known of this indicator"
    ]


def test_it_is_asked_of_no_server_of_ours() -> None:
    slo = Slo(name="up", objective=0.99, sli=External(type="Datadog", source="watching", good_ratio={"query": "x"}))
    service = Service(name="web", slos=[slo])
    catalogue = Catalogue(
        name="shop",
        services=[service],
        sources=[Server(name="eu")],
        external=[ForeignSource(name="watching", type="Datadog")],
    )
    assert sla_kit.catalogue.check_catalogue(catalogue) == []
    assert catalogue.source(service, slo) == "eu"


def test_an_slo_on_it_is_left_open() -> None:
    slo = Slo(
        name="up",
        objective=0.99,
        window=Window(rolling=240.0),
        sli=External(type="Datadog", good={"query": "x"}, total={"query": "y"}),
    )
    catalogue = Catalogue(name="shop", services=[Service(name="web", slos=[slo])])
    evaluation = sla_kit.evaluate(catalogue, source(), "4m")
    result = evaluation["web", "up"]
    assert result.figure.met is None
    assert result.figure.coverage == 0
    assert any("Datadog" in finding.message for finding in result.findings)
