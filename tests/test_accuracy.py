"""The error ratio of simulated histories is the drawn one, through bursts, resets, gaps and pods that come and go."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sla_kit import evaluate
from sla_kit.catalogue.model import Catalogue, Latency, Requests, Service, Slo
from sla_kit.engine.results import Evaluation
from sla_kit.history import HistorySource
from sla_kit.simulate import Scenario, Simulation, simulate
from sla_kit.simulate import scenario as parts

START = 1_788_220_800.0  # a midnight
HOUR = 3600.0
DAY = 86400.0


def catalogue_of(name: str = "api") -> Catalogue:
    matchers: dict[str, str | list[str]] = {"service": name}
    bad = Requests(metric="http_requests_total", matchers=matchers, bad={"status_code": "=~5.."})
    fast = Latency(metric="http_request_duration_seconds", matchers=matchers, threshold=0.1)
    slos = [Slo(name="errors", sli=bad, objective=0.999), Slo(name="fast", sli=fast, objective=0.95)]
    return Catalogue(name="accuracy", services=[Service(name=name, slos=slos)])


def evaluated(simulation: Simulation, window: str = "30d", at: float | None = None) -> Evaluation:
    return evaluate(catalogue_of(), HistorySource(simulation.history), window, at or simulation.scenario.end)


def apart(moments: list[float], least: float) -> list[float]:
    """The moments without those that follow another one too soon: a process that begins anew twice within two buckets
    passes its old value unseen."""
    kept: list[float] = []
    for moment in sorted(moments):
        if moment >= START + 2 * HOUR and (not kept or moment - kept[-1] >= least):
            kept.append(moment)
    return kept


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """A month of one service: bursts, an outage or two, restarts of single pods, gaps of two minutes anywhere."""

    def moments(most: int) -> list[float]:
        return draw(st.lists(st.integers(600, 30 * 86400 - 8000).map(lambda s: START + s), max_size=most))

    outages = [
        parts.Outage(start=at, length=float(draw(st.integers(600, 7200))), error_ratio=draw(st.floats(0.02, 0.9)))
        for at in moments(2)
    ]
    inside = [outage.start + draw(st.integers(0, int(outage.length))) for outage in outages]
    workload = parts.Workload(
        name="api",
        labels={"job": "api", "service": "api"},
        rps=draw(st.floats(20, 200)),
        daily=draw(st.floats(0, 0.9)),
        error_ratio=draw(st.floats(1e-4, 1e-3)),
        pods=draw(st.integers(3, 4)),
        pods_most=draw(st.integers(4, 6)),
        pod_rps=draw(st.floats(500, 2000)),
        outages=outages,
        restarts=[parts.Restart(at=at, pod=draw(st.integers(0, 2))) for at in apart(moments(3), 600)],
    )
    bursts = [parts.Burst(start=at, length=3 * 3600.0, factor=draw(st.floats(2, 100))) for at in moments(4)]
    gaps = [parts.Gap(start=at, length=120.0) for at in [*moments(4), *inside]]
    return Scenario(
        start=START, days=30, seed=draw(st.integers(0, 2**31)), services=[workload], events=bursts, gaps=gaps
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(scenarios())
def test_the_error_ratio_of_a_month_is_within_a_thousandth_of_the_truth(scenario: Scenario) -> None:
    simulation = simulate(scenario)
    truth = simulation.truth["services"]["api"]
    # What a process counts between its last scrape and its restart nobody can know; a restart in an outage and in a
    # scrape gap at once can make that more than the tolerance.
    assume(truth["unseen_bad"] <= 5e-4 * truth["bad"])
    figure = evaluated(simulation)["api", "errors"].figure
    assert figure.bad / figure.total == pytest.approx(truth["error_ratio"], rel=1e-3)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(scenarios())
def test_every_event_that_a_scrape_ever_saw_is_counted(scenario: Scenario) -> None:
    simulation = simulate(scenario)
    figure = evaluated(simulation)["api", "errors"].figure
    truth = simulation.truth["services"]["api"]
    # At most the first scrape of the history has nothing before it to be compared with.
    first = max(5.0, float(simulation.counts["api"].total[:2].sum()))
    assert figure.total == pytest.approx(truth["total"] - truth["unseen"], abs=first)
    assert figure.bad == pytest.approx(truth["bad"] - truth["unseen_bad"], abs=first)


def outage_scenario(**changes: object) -> Scenario:
    workload = parts.Workload(
        name="api",
        labels={"job": "api", "service": "api"},
        rps=40,
        error_ratio=5e-5,
        pods=3,
        pods_most=12,
        pod_rps=400,
        outages=[parts.Outage(start=START + 5.6 * DAY, length=1200.0, error_ratio=0.05)],
        latency=parts.Latency(labels={"job": "api", "service": "api"}),
    )
    burst = parts.Burst(start=START + 5.5 * DAY, length=4 * 3600.0)
    arguments: dict[str, object] = {"start": START, "days": 7, "services": [workload], "events": [burst]}
    return Scenario(**{**arguments, **changes})  # type: ignore[arg-type]


def test_an_outage_in_a_burst_is_found_when_it_was_and_costs_what_it_cost() -> None:
    simulation = simulate(outage_scenario())
    [incident] = evaluated(simulation, "7d")["api", "errors"].incidents
    truth = simulation.truth["services"]["api"]["outages"][0]
    assert abs(incident.start - truth["start"]) <= 60
    assert abs(incident.seconds - 1200) <= 120
    assert incident.detected - truth["start"] <= 240
    assert incident.bad == pytest.approx(truth["bad"], rel=0.01)


def test_a_scrape_gap_inside_an_outage_loses_none_of_it() -> None:
    gap = parts.Gap(start=START + 5.6 * DAY + 300, length=120.0)
    whole, cut = (evaluated(simulate(outage_scenario(gaps=gaps)), "7d")["api", "errors"] for gaps in ([], [gap]))
    assert cut.figure.bad == pytest.approx(whole.figure.bad, rel=1e-9)
    assert cut.figure.coverage < whole.figure.coverage
    assert len(cut.incidents) == 1


def test_the_share_under_the_threshold_and_the_quantile_are_the_drawn_ones() -> None:
    simulation = simulate(outage_scenario())
    figure = evaluated(simulation, "7d")["api", "fast"].figure
    truth = simulation.truth["services"]["api"]
    assert figure.good / figure.total == pytest.approx(truth["under"]["0.1"] / truth["total"], rel=1e-3)
    # The 95th percentile lies where 95 % are under it: between two bounds whose shares are known.
    assert figure.value is not None
    under = {float(bound): count / truth["total"] for bound, count in truth["under"].items()}
    low = max(bound for bound, share in under.items() if share < 0.95)
    high = min(bound for bound, share in under.items() if share >= 0.95)
    assert figure.value == pytest.approx(
        low + (high - low) * (0.95 - under[low]) / (under[high] - under[low]), rel=1e-3
    )


def test_a_shorter_window_never_shows_more_bad_events_than_a_longer_one_that_holds_it() -> None:
    simulation = simulate(outage_scenario(gaps=[parts.Gap(start=START + 3 * DAY, length=120.0)]))
    bad = [evaluated(simulation, window)["api", "errors"].figure.bad for window in ("1h", "6h", "1d", "3d", "7d")]
    assert bad == sorted(bad)


def test_no_data_is_not_good_data() -> None:
    silent = parts.Gap(start=START + 3 * DAY, length=2 * DAY)
    evaluation = evaluated(simulate(outage_scenario(gaps=[silent])), "7d")
    assert evaluation["api", "errors"].figure.coverage == pytest.approx(5 / 7, abs=0.01)
    empty = evaluate(catalogue_of("nobody"), HistorySource(simulate(outage_scenario()).history), "7d")
    figure = empty["nobody", "errors"].figure
    assert (figure.sli, figure.met, figure.reason) == (None, None, "no data")
    assert empty.met is None


def test_the_same_scenario_draws_the_same_history() -> None:
    one, two = simulate(outage_scenario()), simulate(outage_scenario())
    assert json.dumps(one.truth) == json.dumps(two.truth)
    assert all((a.values == b.values).all() for a, b in zip(one.history.series, two.history.series, strict=True))
