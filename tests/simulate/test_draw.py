"""What the recorded samples show and what the truth calls unseen add up to what was drawn, in any scenario."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.history import Series
from sla_kit.simulate import Scenario, Simulation, simulate
from sla_kit.simulate import scenario as parts

START = 1_788_220_800.0
SPAN = 6 * 3600


def shown_by(series: Series) -> float:
    """The obvious loop: each sample's increase, from zero; after a fall the counter began at zero again."""
    last = shown = 0.0
    for value in series.values.tolist():
        shown += value - last if value >= last else value
        last = value
    return shown


def shown(simulation: Simulation, **labels: str) -> float:
    return sum(
        shown_by(one)
        for one in simulation.history.series
        if one.metric == "http_requests_total" and labels.items() <= dict(one.labels).items()
    )


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Six hours of rare or many requests with restarts, gaps and outages anywhere, also inside one another."""
    moments = st.lists(st.floats(0, SPAN - 1).map(lambda after: START + round(after, 3)), max_size=4)
    lengths = st.floats(0, 2000).map(lambda seconds: round(seconds, 3))
    pods = draw(st.integers(1, 3))
    workload = parts.Workload(
        name="api",
        rps=draw(st.sampled_from([0.0, 0.002, 0.05, 3.0])),
        error_ratio=draw(st.sampled_from([0.0, 0.02, 0.5])),
        codes={"200": 0.75, "404": 0.25},
        split={"route": {"/": 0.9, "/rare": 0.1}},
        pods=pods,
        pods_most=pods + draw(st.integers(0, 3)),
        pod_rps=2.0,
        latency=parts.Latency(bounds=[0.01, 0.05]),
        outages=[parts.Outage(start=at, length=draw(lengths), error_ratio=0.9) for at in draw(moments)],
        slowdowns=[parts.Slowdown(start=at, length=draw(lengths), factor=2.0) for at in draw(moments)],
        restarts=[parts.Restart(at=at, pod=draw(st.integers(0, pods - 1))) for at in draw(moments)],
    )
    return Scenario(
        start=START,
        days=SPAN / 86400,
        seed=draw(st.integers(0, 2**40)),
        scrape_interval=draw(st.sampled_from([1.5, 15.0, 60.0, 700.0])),
        services=[workload],
        events=[parts.Burst(start=at, length=draw(lengths), ramp=draw(lengths), factor=20) for at in draw(moments)],
        gaps=[parts.Gap(start=at, length=draw(lengths)) for at in draw(moments)],
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_shown_and_unseen_events_are_the_drawn_ones(scenario: Scenario) -> None:
    simulation = simulate(scenario)
    truth = simulation.truth["services"]["api"]
    assert shown(simulation) + truth["unseen"] == truth["total"]
    assert shown(simulation, status_code="500") + truth["unseen_bad"] == truth["bad"]
    assert (simulation.counts["api"].unseen >= 0).all()
    for figure in ("total", "bad", "unseen", "unseen_bad"):
        assert sum(day[figure] for day in truth["days"]) == truth[figure]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_every_series_is_of_one_process_and_inside_the_history(scenario: Scenario) -> None:
    ends: dict[str, set[int]] = {}
    for one in simulate(scenario).history.series:
        assert (np.diff(one.times) > 0).all()
        assert one.times[0] > START * 1000
        assert one.times[-1] <= scenario.end * 1000
        labels = dict(one.labels)
        if one.metric.endswith("_count"):
            ends.setdefault(labels["instance"], set()).update(one.times.tolist())
    for one in simulate(scenario).history.series:
        # The series of a process are scraped together.
        assert set(one.times.tolist()) <= ends[dict(one.labels)["instance"]]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_a_sample_counts_the_same_requests_in_counter_and_histogram(scenario: Scenario) -> None:
    by_moment: dict[tuple[str, int], float] = {}
    series = simulate(scenario).history.series
    for one in series:
        if one.metric == "http_requests_total":
            for time, value in zip(one.times.tolist(), one.values.tolist(), strict=True):
                moment = (dict(one.labels)["instance"], time)
                by_moment[moment] = by_moment.get(moment, 0.0) + value
    for one in series:
        if one.metric.endswith("_count"):
            for time, value in zip(one.times.tolist(), one.values.tolist(), strict=True):
                assert by_moment.get((dict(one.labels)["instance"], time), 0.0) == value


def workload_of(**changes: object) -> parts.Workload:
    return parts.Workload(**{"name": "api", "rps": 10.0, "daily": 0.0, **changes})  # type: ignore[arg-type]


def test_an_outage_begins_and_ends_to_the_second_and_not_with_a_scrape() -> None:
    # All requests of 40 seconds fail, and none besides; scrapes are a minute apart.
    outage = parts.Outage(start=START + 3607, length=40.0, error_ratio=1.0)
    scenario = Scenario(start=START, days=0.1, scrape_interval=60.0, services=[workload_of(outages=[outage])])
    simulation = simulate(scenario)
    truth = simulation.truth["services"]["api"]
    [of_outage] = truth["outages"]
    assert of_outage["total"] == of_outage["bad"] == truth["bad"]
    assert of_outage["bad"] == pytest.approx(400, abs=120)
    [series] = [one for one in simulation.history.series if dict(one.labels)["status_code"] == "500"]
    assert outage.start <= series.times[0] / 1000 <= outage.start + 60


def test_a_restart_in_a_gap_hides_all_since_the_scrape_before_it() -> None:
    gap = parts.Gap(start=START + 3600, length=600.0)
    restart = parts.Restart(at=START + 3900)
    quiet = Scenario(start=START, days=0.1, services=[workload_of()], gaps=[gap])
    restarted = Scenario(start=START, days=0.1, services=[workload_of(restarts=[restart])], gaps=[gap])
    # Beside the restart only what follows the last scrape of the history, within 15 seconds, goes unseen.
    assert simulate(quiet).truth["services"]["api"]["unseen"] <= 15 * 10 * 2
    assert simulate(restarted).truth["services"]["api"]["unseen"] == pytest.approx(3000, abs=450)


def test_scrapes_inside_a_gap_are_missing_to_the_second() -> None:
    gap = parts.Gap(start=START + 3607, length=40.0)
    simulation = simulate(Scenario(start=START, days=0.1, services=[workload_of(pods=3, pods_most=3)], gaps=[gap]))
    for one in simulation.history.series:
        seconds = one.times / 1000
        assert not ((seconds > gap.start) & (seconds <= gap.start + gap.length)).any()
        assert ((seconds > gap.start - 15) & (seconds <= gap.start)).sum() == 1


def test_pods_follow_the_traffic_under_new_names() -> None:
    burst = [parts.Burst(start=START + at * 3600, length=1800.0, factor=10, ramp=60.0) for at in (1, 3)]
    workload = workload_of(pods=2, pods_most=6, pod_rps=20.0)
    simulation = simulate(Scenario(start=START, days=0.25, services=[workload], events=burst))
    times = {dict(one.labels)["instance"]: one.times for one in simulation.history.series}
    # A hundred requests a second need five.
    assert sorted(times) == ["api-0", "api-1", *(f"api-{pod}-{run}" for pod in (2, 3, 4) for run in (0, 1))]
    first, second = times["api-4-0"], times["api-4-1"]
    assert START + 3600 < first[0] / 1000 < first[-1] / 1000 < START + 3600 + 1800 + 330
    assert second[0] / 1000 > START + 3 * 3600


def test_the_quantile_of_the_truth_is_the_declared_one_to_within_its_bucket() -> None:
    latency = parts.Latency(median=0.02, p95=0.08, bounds=[0.01, 0.02, 0.04, 0.08, 0.16])
    truth = simulate(Scenario(start=START, days=1, services=[workload_of(latency=latency)])).truth["services"]["api"]
    assert truth["under"]["0.02"] / truth["total"] == pytest.approx(0.5, abs=0.005)
    assert truth["p95"] == pytest.approx(0.08, rel=0.02)
    assert truth["days"][0]["p95"] == truth["p95"]


def test_no_requests_are_no_figures() -> None:
    scenario = Scenario(start=START, days=0.1, services=[workload_of(rps=0.0, latency=parts.Latency())])
    truth = simulate(scenario).truth["services"]["api"]
    assert (truth["total"], truth["error_ratio"], truth["p95"]) == (0.0, None, None)
