"""Counters, histograms and gauges of a simulated history: they count what was declared, for as long as was asked."""

from __future__ import annotations

from math import log
from pathlib import Path
from statistics import NormalDist
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.errors import ScenarioError
from sla_kit.history import Series
from sla_kit.simulate import Scenario, load_scenario, simulate
from sla_kit.simulate import scenario as parts
from tests.alert_rules.provoking import ask
from tests.servers import prometheus

START = 1_788_220_800.0  # 2026-09-01, midnight UTC
DAY = 86_400


def drawn(days: float = 1.0, interval: float = 60.0, **lists: Any) -> list[Series]:
    return list(simulate(Scenario(start=START, days=days, scrape_interval=interval, **lists)).history.series)


def instant(url: str, expression: str, at: float) -> float:
    """The value that a Prometheus has for an expression."""
    [found] = ask(f"{url}/api/v1/query?{urlencode({'query': expression, 'time': at})}")["result"]
    return float(found["value"][1])


def rises(series: Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.diff(series.values)


# --- counters ---------------------------------------------------------------------------------------------------------


def test_a_counter_grows_by_its_value_each_second_from_where_it_was_started() -> None:
    [series] = drawn(counters=[parts.Counter(metric="done_total", value=2.5, started=1000.0)])
    assert series.values[0] == pytest.approx(1000 + 2.5 * 60)
    assert rises(series) == pytest.approx(2.5 * 60)


def test_a_counter_follows_its_service() -> None:
    """Its rise in any span is so much for each request per second: the requests themselves are drawn around that."""
    api = parts.Workload(name="api", rps=400.0, daily=0.5)
    simulation = simulate(
        Scenario(
            start=START, days=1, scrape_interval=60.0, services=[api],
            counters=[parts.Counter(metric="queries_total", service="api", per_rps=3.0)],
        )
    )  # fmt: skip
    [series] = [each for each in simulation.history.series if each.metric == "queries_total"]
    for begin, end in ((0, DAY), (6 * 3600, 9 * 3600)):
        total, _ = simulation.counts["api"].between(START + begin, START + end)
        times = series.times / 1000
        inside = series.values[(times > START + begin - 1) & (times <= START + end)]
        assert inside[-1] - inside[0] == pytest.approx(3 * total, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(value=st.floats(0, 100), noise=st.floats(0, 500), daily=st.floats(0, 1), seed=st.integers(0, 9))
def test_a_counter_never_falls(value: float, noise: float, daily: float, seed: int) -> None:
    wanted = parts.Counter(metric="done_total", value=value, noise=noise, daily=daily)
    scenario = Scenario(start=START, days=0.5, seed=seed, scrape_interval=300.0, counters=[wanted])
    [series] = simulate(scenario).history.series
    assert (rises(series) >= 0).all()
    assert (series.values >= 0).all()


def test_an_excursion_is_another_rate_for_its_time() -> None:
    excursion = parts.Excursion(start=START + 3600, length=600, value=100.0)
    [series] = drawn(counters=[parts.Counter(metric="done_total", value=1.0, excursions=[excursion])])
    usual, other = np.unique(np.rint(rises(series)), return_counts=True)
    assert dict(zip(usual.tolist(), other.tolist(), strict=True)) == {60.0: DAY // 60 - 1 - 10, 6000.0: 10}


# --- histograms -------------------------------------------------------------------------------------------------------


_WAITS = parts.Distribution(metric="wait_seconds", value=10.0, median=0.2, p95=0.9, bounds=[0.1, 0.2, 0.9, 5.0])


def test_a_histogram_counts_as_a_lognormal_falls_under_its_bounds() -> None:
    by_name = {each.metric + dict(each.labels).get("le", ""): each for each in drawn(histograms=[_WAITS])}
    assert set(by_name) == {f"wait_seconds{part}" for part in ("_bucket0.1", "_bucket0.2", "_bucket0.9", "_bucket5",
                                                               "_bucket+Inf", "_count", "_sum")}  # fmt: skip
    whole = by_name["wait_seconds_count"].values
    assert np.diff(whole) == pytest.approx(600)
    assert (by_name["wait_seconds_bucket+Inf"].values == whole).all()
    sigma = log(0.9 / 0.2) / NormalDist().inv_cdf(0.95)
    for bound in (0.1, 0.2, 0.9, 5.0):
        share = by_name[f"wait_seconds_bucket{bound:g}"].values / whole
        assert share == pytest.approx(NormalDist(log(0.2), sigma).cdf(log(bound)), abs=1e-6)
    assert by_name["wait_seconds_bucket0.2"].values / whole == pytest.approx(0.5)
    assert by_name["wait_seconds_bucket0.9"].values / whole == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize("version", ["2", "3"])
def test_prometheus_finds_the_quantiles_that_were_declared(version: str, tmp_path: Path) -> None:
    scenario = Scenario(
        start=START, days=0.25,
        histograms=[_WAITS],
        counters=[parts.Counter(metric="done_total", value=2.5)],
    )  # fmt: skip
    simulate(scenario).write(tmp_path)
    with prometheus(version, openmetrics=tmp_path / "history.om.gz") as server:
        for quantile, seconds in ((0.5, 0.2), (0.95, 0.9)):
            asked = f"histogram_quantile({quantile}, rate(wait_seconds_bucket[1h]))"
            assert instant(server.url, asked, scenario.end) == pytest.approx(seconds, rel=1e-3)
        assert instant(server.url, "rate(done_total[1h])", scenario.end) == pytest.approx(2.5, rel=1e-6)
        assert instant(server.url, "rate(wait_seconds_count[1h])", scenario.end) == pytest.approx(10, rel=1e-6)


# --- for how long, and when most --------------------------------------------------------------------------------------

KINDS: dict[str, Any] = {
    "gauges": lambda **more: parts.Gauge(metric="m", value=5.0, noise=1.0, **more),
    "counters": lambda **more: parts.Counter(metric="m_total", value=5.0, noise=1.0, **more),
    "histograms": lambda **more: parts.Distribution(metric="m", value=5.0, noise=1.0, median=0.1, p95=0.2, **more),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_hours_are_those_of_the_whole(kind: str) -> None:
    """What is not recorded happened all the same: a counter does not begin anew."""
    wanted: list[dict[str, Any]] = [{kind: [KINDS[kind](hours=hours)]} for hours in (0.0, 2.0)]
    whole, last = (drawn(**each) for each in wanted)
    assert len(whole) == len(last) > 0
    for long, short in zip(whole, last, strict=True):
        assert short.times.size == 2 * 60
        assert short.times[-1] == long.times[-1]
        assert (short.values == long.values[-short.values.size :]).all()


def test_a_day_swings_about_its_mean_and_is_highest_at_three_in_the_afternoon() -> None:
    [series] = drawn(gauges=[parts.Gauge(metric="m", value=10.0, daily=0.4)])
    hours = (series.times / 1000 - START) / 3600
    assert series.values.mean() == pytest.approx(10.0, rel=1e-3)
    assert series.values.max() == pytest.approx(14.0, rel=1e-4)
    assert series.values.min() == pytest.approx(6.0, rel=1e-4)
    assert hours[series.values.argmax()] == pytest.approx(15.0, abs=0.1)
    assert hours[series.values.argmin()] == pytest.approx(3.0, abs=0.1)


def test_a_gauge_may_go_on_or_be_a_moment() -> None:
    [grown] = drawn(gauges=[parts.Gauge(metric="m", value=7.0, grows=0.5)])
    assert grown.values[-1] == pytest.approx(7 + 0.5 * DAY)
    [moment] = drawn(gauges=[parts.Gauge(metric="m", age=3600.0)])
    assert set(moment.values.tolist()) == {START + DAY - 3600}


# --- scenarios built on others ----------------------------------------------------------------------------------------


def written(folder: Path, text: str, **files: str) -> Path:
    (folder / "more").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "more" / f"{name}.yml").write_text(content)
    path = folder / "mine.yml"
    path.write_text(text)
    return path


def test_a_scenario_adds_to_its_base_and_changes_nothing_of_it(tmp_path: Path) -> None:
    path = written(tmp_path, "base: astralfield\nname: mine\ngauges: [{metric: mine, value: 3}]\n")
    base, mine = load_scenario("astralfield"), load_scenario(path)
    assert mine.name == "mine"
    assert mine.services == base.services
    assert mine.gauges == [*base.gauges, parts.Gauge(metric="mine", value=3)]
    short = "base: astralfield\ndays: 0.1\n"
    alone = simulate(load_scenario(written(tmp_path, short)))
    more = simulate(load_scenario(written(tmp_path, f"{short}counters: [{{metric: mine_total, value: 3}}]\n")))
    assert more.truth == alone.truth
    kept = {(each.metric, each.labels): each.values.tolist() for each in alone.history.series}
    found = {(each.metric, each.labels): each.values.tolist() for each in more.history.series}
    assert {key: found[key] for key in kept} == kept
    assert [metric for metric, _ in found.keys() - kept.keys()] == ["mine_total"]


def test_parts_of_a_scenario_are_added_by_their_names(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "start: 2026-09-01\ndays: 1\nparts: more\ngauges: [{metric: own}]\n",
        b="hours: 6\ngauges: [{metric: b}, {metric: all, hours: 0}]\nprobes: [{metric: up}]\n",
        a="counters: [{metric: a_total}]\n",
        c="",
    )
    found = load_scenario(path)
    assert [each.metric for each in found.gauges] == ["own", "b", "all"]
    assert [each.hours for each in found.gauges] == [0, 6, 0]
    assert [each.metric for each in found.counters] == ["a_total"]
    assert [each.metric for each in found.probes] == ["up"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: astralfeild\n", "there is no scenario 'astralfeild'; there are astralfield"),
        ("start: 0\ndays: 1\nparts: fewer\n", "there is no folder 'fewer' beside the scenario"),
        ("start: 0\ndays: 1\ncounters: [{metric: x_total, started: -1}]\n", "counters[0].started"),
        ("start: 0\ndays: 1\ncounters: [{metric: x_total, value: -1}]\n", "counters[0].value"),
        ("start: 0\ndays: 1\nhistograms: [{metric: x, median: 2, p95: 1}]\n", "histograms[0]"),
        ("start: 0\ndays: 1\nhistograms: [{metric: x, median: 1, p95: 2, bounds: [2, 1]}]\n", "histograms[0].bounds"),
        ("start: 0\ndays: 1\ngauges: [{metric: x, hours: -1}]\n", "gauges[0].hours"),
        ("start: 0\ndays: 1\ngauges: [{metric: x, daily: 2}]\n", "gauges[0].daily"),
    ],
)
def test_a_scenario_that_can_not_be_is_refused_with_the_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(written(tmp_path, text))
    assert message in str(caught.value)


def test_every_packaged_scenario_can_be_drawn() -> None:
    """The stack is the largest: it has every kind of series, and each only once."""
    stack = load_scenario("stack")
    assert stack.counters
    assert stack.histograms
    names = [
        (each.metric, *sorted(each.labels.items())) for each in (*stack.gauges, *stack.counters, *stack.histograms)
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []
