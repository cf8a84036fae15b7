"""Simulated histories: reproducible, honest about what no scrape saw, and shaped as client libraries shape them."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from sla_kit.cli.simulate import simulate as command
from sla_kit.errors import ScenarioError
from sla_kit.history import Series, read
from sla_kit.simulate import Scenario, Simulation, load_scenario, packaged, simulate
from sla_kit.simulate import scenario as parts

START = 1_788_220_800.0
HOUR = 3600.0
ROOT = Path(__file__).parent.parent.parent


def scenario_of(
    days: float = 1, interval: float = 15.0, gaps: list[parts.Gap] | None = None, **api: object
) -> Scenario:
    settings: dict[str, object] = {"name": "api", "labels": {"service": "api"}, "rps": 5, "error_ratio": 0.001}
    workload = parts.Workload(**{**settings, **api})  # type: ignore[arg-type]
    return Scenario(start=START, days=days, scrape_interval=interval, services=[workload], gaps=gaps or [])


def of_status(simulation: Simulation, code: str) -> list[Series]:
    return [one for one in simulation.history.series if dict(one.labels).get("status_code") == code]


def counted(series: Series) -> float:
    """What a counter counted, the slow and obvious way: from zero, through its resets."""
    total = float(series.values[0])
    for before, after in pairwise(series.values.tolist()):
        total += after - before if after >= before else after
    return total


def test_what_was_recorded_and_what_no_scrape_saw_is_what_was_drawn() -> None:
    burst = parts.Burst(start=START + 6 * HOUR, length=2 * HOUR, factor=30)
    scenario = scenario_of(
        pods=2,
        pods_most=6,
        pod_rps=20,
        restarts=[parts.Restart(at=START + 7 * HOUR + 4, pod=1)],
        split={"route": {"/": 1}},
    )
    simulation = simulate(Scenario(start=START, days=1, services=scenario.services, events=[burst]))
    truth = simulation.truth["services"]["api"]
    recorded = sum(counted(one) for one in simulation.history.series if one.metric == "http_requests_total")
    bad = sum(counted(one) for one in of_status(simulation, "500"))
    assert truth["unseen"] > 0
    assert recorded + truth["unseen"] == truth["total"]
    assert bad + truth["unseen_bad"] == truth["bad"]


def test_days_and_stretches_add_up_to_the_whole() -> None:
    simulation = simulate(scenario_of(days=3))
    truth = simulation.truth["services"]["api"]
    assert sum(day["total"] for day in truth["days"]) == truth["total"]
    assert len(truth["days"]) == 3
    halves = [simulation.counts["api"].between(START + at * HOUR, START + (at + 36) * HOUR) for at in (0, 36)]
    assert sum(total for total, _ in halves) == truth["total"]


def test_a_status_has_no_series_before_its_first_request() -> None:
    first = of_status(simulate(scenario_of(error_ratio=0.0001)), "500")[0]
    assert first.values[0] > 0
    assert first.times[0] > (START + 60) * 1000


def test_a_restart_sets_every_counter_of_the_pod_back() -> None:
    latency = parts.Latency(labels={"service": "api"})
    restarts = [parts.Restart(at=START + 5 * HOUR + 3, pod=0)]
    simulation = simulate(scenario_of(restarts=restarts, latency=latency))
    for one in simulation.history.series:
        falls = np.flatnonzero(np.diff(one.values) < 0)
        assert len(falls) == 1, one.labels
        assert abs(one.times[falls[0] + 1] / 1000 - (START + 5 * HOUR)) < 300


def test_a_gap_holds_no_sample_and_the_counter_goes_on() -> None:
    gap = parts.Gap(start=START + 4 * HOUR, length=120.0)
    series = of_status(simulate(scenario_of(gaps=[gap])), "200")[0]
    pauses = np.diff(series.times)
    assert pauses.max() == 135_000
    assert (np.diff(series.values) >= 0).all()


def test_buckets_of_a_histogram_hold_one_another() -> None:
    simulation = simulate(scenario_of(latency=parts.Latency(labels={"service": "api"})))
    buckets = [one for one in simulation.history.series if one.metric.endswith("_bucket")]
    buckets.sort(key=lambda one: float(dict(one.labels)["le"]))
    for narrow, wide in pairwise(buckets):
        assert (narrow.values <= wide.values).all()


def test_a_slowdown_makes_requests_slow() -> None:
    latency = parts.Latency(labels={"service": "api"})
    slow = [parts.Slowdown(start=START, length=86400.0, factor=4.0)]
    quick, slowed = (
        simulate(scenario_of(latency=latency, slowdowns=slowdowns)).truth["services"]["api"] for slowdowns in ([], slow)
    )
    assert slowed["under"]["0.05"] / slowed["total"] < 0.5 < quick["under"]["0.05"] / quick["total"]


def test_an_event_multiplies_traffic() -> None:
    burst = parts.Burst(start=START + 10 * HOUR, length=2 * HOUR, factor=100, ramp=60.0)
    scenario = Scenario(start=START, days=1, services=scenario_of(daily=0).services, events=[burst])
    counts = simulate(scenario).counts["api"]
    inside, _ = counts.between(START + 10.5 * HOUR, START + 11.5 * HOUR)
    outside, _ = counts.between(START + 2 * HOUR, START + 3 * HOUR)
    assert inside / outside == pytest.approx(100, rel=0.05)


def test_jobs_leave_their_times_behind_and_miss_what_they_miss() -> None:
    job = parts.Job(
        completed_metric="done_at",
        duration_metric="took",
        hour=3,
        seconds=600,
        missed=["2026-09-02"],
        unusual=[parts.Run(day="2026-09-03", seconds=5000.0)],
    )
    simulation = simulate(Scenario(start=START, days=4, jobs=[job]))
    done, took = simulation.history.series
    pauses = np.diff(np.unique(done.values))
    assert (pauses > 80_000).all()
    assert (pauses > 170_000).sum() == 1  # the missed day
    assert len(np.unique(done.values)) == 4  # the one of the day before, and three of four days
    assert 5000.0 in took.values


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    one, two = simulate(scenario_of()), simulate(scenario_of())
    other = simulate(Scenario(start=START, days=1, seed=2, services=scenario_of().services))
    assert json.dumps(one.truth) == json.dumps(two.truth)
    assert one.truth["services"]["api"]["total"] != other.truth["services"]["api"]["total"]


def test_both_files_hold_the_drawn_samples(tmp_path: Path) -> None:
    simulation = simulate(scenario_of(latency=parts.Latency(labels={"service": "api"})))
    paths = simulation.write(tmp_path)
    assert [path.name for path in paths] == ["history.om.gz", "history.parquet", "truth.json"]
    for path in paths[:2]:
        history = read(path)
        assert [(one.metric, one.labels) for one in history.series] == [
            (one.metric, one.labels) for one in simulation.history.series
        ]
        for one, drawn in zip(history.series, simulation.history.series, strict=True):
            assert (one.times == drawn.times).all()
            assert (one.values == drawn.values).all()


# --- scenario files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", packaged())
def test_packaged_scenarios_can_be_drawn(name: str) -> None:
    import msgspec

    assert len(simulate(msgspec.structs.replace(load_scenario(name), days=0.2)).history) > 0


def test_the_scenario_of_the_documentation_can_be_drawn(tmp_path: Path) -> None:
    text, _ = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/simulate.md").read_text(), flags=re.DOTALL)
    (tmp_path / "shop.yml").write_text(text)
    assert simulate(load_scenario(tmp_path / "shop.yml")).truth["services"]["api"]["total"] > 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("start: 2026-09-01\ndays: 1\nsevices: []", "sevices"),
        ("start: 2026-09-01\ndays: 0", "days"),
        ("start: noon\ndays: 1", "noon"),
        ("start: 2026-09-01\ndays: 1\nservices: [{name: a, codes: {x: 0.5}}]", "add up to 1"),
        ("start: 2026-09-01\ndays: 1\nservices: [{name: a}, {name: a}]", "same name"),
        ("start: 2026-09-01\ndays: 1\ngaps: [{start: 2026-09-01, length: 2m, services: [b]}]", "'b'"),
        ("start: 2026-09-01\ndays: 1\ngaps: [{start: 2026-09-01, length: 2 parsecs}]", "parsecs"),
        ("days: [", "YAML"),
        ("- 1", "object"),
    ],
)
def test_a_wrong_scenario_is_refused_by_name_and_reason(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=re.escape(what)) as caught:
        load_scenario(path)
    assert "wrong.yml" in str(caught.value)


def test_an_unknown_scenario_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="astralfield"):
        load_scenario("astral-field")


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_a_history_and_overwrites_none(tmp_path: Path) -> None:
    arguments = ["astralfield", "--days", "0.1", "--out", str(tmp_path)]
    first = CliRunner().invoke(command, arguments)
    assert first.exit_code == 0, first.output
    assert str(tmp_path / "truth.json") in first.output
    with pytest.raises(ScenarioError, match="overwritten"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert CliRunner().invoke(command, [*arguments, "--force", "--seed", "3"]).exit_code == 0


def test_traffic_grows_by_its_share_each_week() -> None:
    simulation = simulate(scenario_of(days=21, interval=300.0, growth=0.5, rps=20, daily=0.0))
    weeks = [
        simulation.counts["api"].between(START + week * 168 * HOUR, START + (week + 1) * 168 * HOUR)[0]
        for week in (0, 1, 2)
    ]
    assert weeks[1] / weeks[0] == pytest.approx(1.5, rel=0.01)
    assert weeks[2] / weeks[1] == pytest.approx(1.5, rel=0.01)


def test_a_gauge_follows_the_pods_and_the_traffic_of_its_service() -> None:
    gauges = [
        parts.Gauge(metric="pods", service="api", per_pod=1),
        parts.Gauge(metric="connections", service="api", value=3, per_pod=5, per_rps=0.1),
    ]
    burst = parts.Burst(start=START + 6 * HOUR, length=2 * HOUR, factor=10, ramp=0)
    workload = parts.Workload(name="api", rps=10, daily=0.0, pods=1, pods_most=4, pod_rps=30)
    scenario = Scenario(start=START, days=1, scrape_interval=60.0, services=[workload], events=[burst], gauges=gauges)
    recorded = {one.metric: one for one in simulate(scenario).history.series}
    pods, connections = recorded["pods"], recorded["connections"]
    noon = 12 * 60 - 1
    assert pods.values[noon] == 1
    assert connections.values[noon] == pytest.approx(3 + 5 + 0.1 * 10)
    in_game = 7 * 60
    assert pods.values[in_game] == 4
    assert connections.values[in_game] == pytest.approx(3 + 20 + 0.1 * 100)
