"""Series that come and go in a simulated history."""

from __future__ import annotations

import pytest

from sla_kit.errors import ScenarioError
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from sla_kit.simulate.loading import checked


def scenario_of(*during: parts.Span) -> Scenario:
    gauge = parts.Gauge(metric="ALERTS", value=1, during=list(during), hours=1)
    return Scenario(start=0.0, days=0.125, scrape_interval=60.0, gauges=[gauge])


def test_a_gauge_that_comes_and_goes_has_samples_only_while_it_is_there() -> None:
    (series,) = simulate(
        scenario_of(parts.Span(start=0, length=7260), parts.Span(start=9000, length=300))
    ).history.series
    assert (series.times / 1000).tolist() == [7260, *range(9060, 9301, 60)]
    assert set(series.values.tolist()) == {1.0}


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"gauges\[0\]\.during\[0\]"):
        checked(scenario_of(parts.Span(start=0, length=-60)))
