"""A scenario that can't be drawn is refused with the place of every fault, and one that passes can be drawn."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.errors import ScenarioError
from sla_kit.simulate import Scenario, load_scenario, simulate
from sla_kit.simulate import scenario as parts

START = 1_788_220_800.0  # 2026-09-01
NAN = math.nan


def scenario_of(**api: Any) -> Scenario:
    return Scenario(start=START, days=0.1, services=[parts.Workload(**{"name": "api", **api})])


SERVICE: list[tuple[dict[str, Any], str]] = [
    ({"rps": -1.0}, "services[0].rps"),
    ({"rps": NAN}, "services[0].rps"),
    ({"rps": 1e30}, "services[0].rps"),
    ({"daily": 1.5}, "services[0].daily"),
    ({"weekend": -1.0}, "services[0].weekend"),
    ({"error_ratio": 1.01}, "services[0].error_ratio"),
    ({"error_ratio": NAN}, "services[0].error_ratio"),
    ({"pods": 0}, "services[0].pods"),
    ({"pods": 3}, "services[0].pods"),
    ({"pods_most": 10**9}, "services[0].pods"),
    ({"pod_rps": 0.0}, "services[0].pod_rps"),
    ({"codes": {}}, "services[0].codes"),
    ({"codes": {"200": 1.5, "404": -0.5}}, "services[0].codes"),
    ({"split": {"route": {"/": NAN}}}, "services[0].split.route"),
    ({"split": {"job": {"a": 1.0}}, "labels": {"job": "b"}}, "services[0].split"),
    ({"labels": {"instance": "a"}}, "services[0]"),
    ({"outages": [parts.Outage(start=START, length=-1.0, error_ratio=0.5)]}, "services[0].outages[0].length"),
    ({"outages": [parts.Outage(start=START, length=1.0, error_ratio=5.0)]}, "services[0].outages[0].error_ratio"),
    ({"slowdowns": [parts.Slowdown(start=NAN, length=1.0, factor=2.0)]}, "services[0].slowdowns[0].start"),
    ({"slowdowns": [parts.Slowdown(start=START, length=1.0, factor=0.0)]}, "services[0].slowdowns[0].factor"),
    ({"restarts": [parts.Restart(at=START), parts.Restart(at=START, pod=1)]}, "services[0].restarts[1].pod"),
    ({"latency": parts.Latency(median=0.1, p95=0.1)}, "services[0].latency"),
    ({"latency": parts.Latency(bounds=[])}, "services[0].latency.bounds"),
    ({"latency": parts.Latency(bounds=[0.1, 0.1])}, "services[0].latency.bounds"),
    ({"latency": parts.Latency(bounds=[1.0, math.inf])}, "services[0].latency.bounds"),
]


@pytest.mark.parametrize(("api", "place"), SERVICE, ids=lambda one: one if isinstance(one, str) else "")
def test_a_wrong_service_is_refused_with_the_place(api: dict[str, Any], place: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        simulate(scenario_of(**api))
    assert f"{place}: " in str(caught.value)


def job(**changes: Any) -> parts.Job:
    return parts.Job(**{"completed_metric": "done", **changes})


WHOLE: list[tuple[dict[str, Any], str]] = [
    ({"start": math.inf}, "start"),
    ({"seed": -1}, "seed"),
    ({"scrape_interval": 0.0}, "scrape_interval"),
    ({"scrape_interval": NAN}, "scrape_interval"),
    ({"days": 0.0001}, "days"),
    ({"days": 1e9}, "days"),
    ({"days": NAN}, "days"),
    ({"events": [parts.Burst(start=START, length=1.0, ramp=-1.0)]}, "events[0].ramp"),
    ({"events": [parts.Burst(start=START, length=1.0, factor=NAN)]}, "events[0].factor"),
    ({"gaps": [parts.Gap(start=START, length=1.0, services=["web"])]}, "gaps[0].services"),
    ({"probes": [parts.ProbeTarget(down=[parts.Span(start=START, length=NAN)])]}, "probes[0].down[0].length"),
    ({"gauges": [parts.Gauge(metric="lag", noise=-1.0)]}, "gauges[0].noise"),
    ({"gauges": [parts.Gauge(metric="lag", service="ap")]}, "gauges[0].service"),
    ({"jobs": [job(every=0)]}, "jobs[0].every"),
    ({"jobs": [job(hour=25.0)]}, "jobs[0].hour"),
    ({"jobs": [job(missed=["2026-09-01", "yesterday"])]}, "jobs[0].missed[1]"),
    ({"jobs": [job(every=7, missed=["2026-09-15", "2026-09-16"])]}, "jobs[0].missed[1]"),
    ({"jobs": [job(every=7, unusual=[parts.Run(day="2026-09-02", seconds=1.0)])]}, "jobs[0].unusual[0].day"),
]


@pytest.mark.parametrize(("changes", "place"), WHOLE, ids=lambda one: one if isinstance(one, str) else "")
def test_a_wrong_scenario_is_refused_with_the_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        simulate(Scenario(**{"start": START, "days": 1, **changes}))
    assert f"{place}: " in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        simulate(scenario_of(rps=-1.0, pods=0, error_ratio=2.0))
    for place in ("services[0].rps: ", "services[0].pods: ", "services[0].error_ratio: "):
        assert place in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("services: [{name: a}, {name: b, restarts: [{at: noon}]}]", "services[1].restarts[0].at"),
        ("services: [{name: a, outages: [{length: ages}]}]", "services[0].outages[0].length"),
        ("services: [{name: a, rps: many}]", "services[0].rps"),
        ("services: [{name: a, pods: 2.5}]", "services[0].pods"),
        ("gauges: [{value: 1}]", "gauges[0]"),
        ("probes: [{labels: [a]}]", "probes[0].labels"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(f"start: 2026-09-01\ndays: 1\n{text}\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert "wrong.yml" in str(caught.value)
    assert place in str(caught.value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.builds(
        parts.Workload,
        name=st.just("api"),
        rps=st.floats(),
        daily=st.floats(-0.5, 1.5),
        weekend=st.floats(-1, 1e6),
        error_ratio=st.floats(-0.1, 1.1),
        pods=st.integers(-1, 3),
        pods_most=st.integers(1, 5),
        pod_rps=st.floats(),
        latency=st.none() | st.builds(parts.Latency, median=st.floats(), p95=st.floats()),
    ),
    st.floats(min_value=1e-9, max_value=1e12),
)
def test_what_is_not_refused_can_be_drawn(workload: parts.Workload, factor: float) -> None:
    burst = parts.Burst(start=START + 600, length=600.0, factor=factor, ramp=10.0)
    scenario = Scenario(start=START, days=0.02, services=[workload], events=[burst])
    with suppress(ScenarioError):
        assert simulate(scenario).truth["services"]["api"]["total"] >= 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("'250 ms'", 0.25)]
)
def test_lengths_are_read_as_they_are_written(tmp_path: Path, text: str, seconds: float) -> None:
    path = tmp_path / "lengths.yml"
    path.write_text(f"start: 2026-09-01\ndays: 1\ngaps: [{{start: 2026-09-01T02:00:00+02:00, length: {text}}}]\n")
    scenario = load_scenario(path)
    assert scenario.start == START
    assert scenario.gaps == [parts.Gap(start=START, length=seconds)]
