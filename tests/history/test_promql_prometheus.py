"""PromQL on recorded samples is PromQL on a Prometheus that holds the same samples."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sla_kit.history import History, Series, openmetrics
from sla_kit.history.promql import evaluate_range
from sla_kit.timeline import Floats, Grid
from tests.history.samples import HOURS, START, generated
from tests.servers import prometheus, prometheus_versions

GRID = Grid(START - 600, 60, HOURS * 60 + 30)

EXPRESSIONS = [
    "increase(requests_total[5m])",
    "sum(increase(requests_total[$window]))",
    "increase(requests_total[1h])",
    'rate(requests_total{code!="200"}[5m])',
    'rate(requests_total{code=~"5..",instance!~"a|b"}[90s] offset 10m)',
    "delta(temperature[10m])",
    "irate(requests_total[2m])",
    "idelta(temperature[2m])",
    "resets(requests_total[1h])",
    "changes(temperature[10m])",
    "avg_over_time(temperature[10m])",
    "sum_over_time(temperature[10m])",
    "min_over_time(temperature[10m])",
    "max_over_time(temperature[2h])",
    "count_over_time(requests_total[10m])",
    "last_over_time(requests_total[7m])",
    "present_over_time(requests_total[7m])",
    "requests_total",
    "requests_total offset -3m",
    '{__name__=~"temp.*|limit"}',
    "sum by (code) (rate(requests_total[5m]))",
    'sum(rate(requests_total{code="500"}[5m])) / sum(rate(requests_total[5m]))',
    "avg without (instance) (temperature)",
    "min(temperature) * 100",
    "max by (job) (temperature)",
    "count(requests_total)",
    "group by (instance) (requests_total)",
    "histogram_quantile(0.95, sum by (le) (rate(seconds_bucket[5m])))",
    "histogram_quantile(0.5, rate(seconds_bucket[10m]))",
    "histogram_quantile(0, seconds_bucket)",
    "histogram_quantile(1, seconds_bucket)",
    "histogram_quantile(0.999, sum by (le, instance) (increase(seconds_bucket[5m])))",
    'histogram_quantile(0.9, seconds_bucket{le!="+Inf"})',
    'histogram_quantile(0.9, seconds_bucket{le=~"0.1|.Inf"})',
    "temperature + on (instance) limit",
    "temperature - ignoring (job) limit",
    "temperature % on (instance) limit",
    "abs(temperature) ^ 0.5",
    "2 ^ 3 ^ 2 - temperature",
    "-temperature ^ 2",
    "temperature > 5",
    "5 < temperature",
    "temperature >= bool 5",
    "temperature < on (instance) limit",
    "temperature != bool on (instance) limit",
    "temperature == temperature",
    "temperature and on (instance) (limit > 4)",
    'temperature and on (instance) requests_total{code="500"}',
    'temperature unless on (instance) requests_total{code="500"}',
    'requests_total{code="500"} or on (instance) temperature',
    'rate(requests_total{instance="c"}[5m]) or vector(0)',
    "clamp_min(temperature, 0)",
    "clamp_max(temperature, 0)",
    "clamp(temperature, -1, 1)",
    "clamp(temperature, 1, -1)",
    'scalar(limit{instance="a"}) + 1',
    "scalar(limit)",
    "vector(time()) / 1e9",
    "ceil(temperature) + floor(temperature)",
    "sqrt(abs(temperature)) + exp(temperature / 100) + ln(limit) + log2(limit) + log10(limit)",
    "0 / (temperature - temperature)",
    "1 > bool 2",
    "nothing_of_the_kind",
]


@pytest.fixture(scope="module", params=prometheus_versions())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("history") / "history.om"
    openmetrics.write(generated(), path, {"requests": "counter", "seconds": "histogram"})
    with prometheus(request.param, openmetrics=path) as running:
        yield running.url


def ask(url: str, expression: str, grid: Grid) -> Floats:
    """The server's answer, its series summed, NaN ignored."""
    parameters = urllib.parse.urlencode(
        {"query": expression, "start": grid.start + grid.step, "end": grid.end, "step": grid.step}
    )
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{parameters}", timeout=300) as answer:
        found = json.load(answer)["data"]["result"]
    values = np.full((len(found), grid.count), np.nan)
    for row, series in enumerate(found):
        for time, value in series["values"]:
            values[row, round((time - grid.start) / grid.step) - 1] = float(value)
    some = ~np.isnan(values)
    return np.where(some.any(axis=0), np.where(some, values, 0).sum(axis=0), np.nan)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_answer_is_prometheus_s(server: str, expression: str) -> None:
    expected = ask(server, expression.replace("$window", "60s"), GRID)
    found = evaluate_range(generated(), expression, GRID)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_history_puts_the_functions_to_the_test(server: str) -> None:
    resets = ask(server, "resets(requests_total[1h])", GRID)
    present = ask(server, "count(requests_total)", GRID)
    assert np.nanmax(resets) >= 3
    assert set(np.unique(present[~np.isnan(present)])) >= {4.0, 5.0, 6.0}
    assert np.isnan(present).any()


@pytest.mark.parametrize("version", prometheus_versions())
def test_edges_of_a_range_and_young_counters_are_prometheus_3_s(version: str, tmp_path: Path) -> None:
    every = START * 1000 + 15_000 * np.arange(240, dtype=np.int64)  # on the edges of minutes
    young = every[every % 420_000 < 240_000]  # begins, is away for three minutes, begins again
    history = History(
        [
            Series("old", (), every, np.arange(every.size, dtype=np.float64)),
            Series("young", (), young, (young // 15_000 % 28).astype(np.float64)),
        ]
    )
    openmetrics.write(history, tmp_path / "history.om", {})
    grid = Grid(START - 300, 60, 75)
    # A range of Prometheus 2 is closed at the left too: a millisecond less holds the same samples.
    minute = "60s" if version == "3" else "59999ms"
    pairs = [(f"{name}_over_time(old[60s])", f"{name}_over_time(old[{minute}])") for name in ("count", "sum", "last")]
    if version == "3":  # 2 clamps at zero before it looks how far the edge is, and so differs for young counters
        pairs += [(text, text) for text in ("increase(young[5m])", "rate(young[2m])", "increase(old[5m])", "young")]
    with prometheus(version, openmetrics=tmp_path / "history.om") as running:
        for ours, theirs in pairs:
            found, expected = evaluate_range(history, ours, grid), ask(running.url, theirs, grid)
            np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=ours)
