"""A recording and every real server that holds its samples give the same report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_api_client import PrometheusConnect

from sla_kit import evaluate
from sla_kit.catalogue.model import (
    Bound,
    Catalogue,
    Freshness,
    LastDuration,
    Latency,
    Probe,
    Promql,
    Recovery,
    Requests,
    Service,
    Slo,
)
from sla_kit.report.document import to_document
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from tests.servers import prometheus, prometheus_versions, victoria_metrics

START = 1_788_220_800.0
HOUR = 3600.0
BY_SERVICE: dict[str, str | list[str]] = {"service": "api"}
BACKUP: dict[str, str | list[str]] = {"job": "backup"}
DAY_WINDOW = "2d"


def scenario() -> Scenario:
    labels = {"job": "api", "service": "api"}
    api = parts.Workload(
        name="api",
        labels=labels,
        codes={"200": 0.98, "404": 0.02},
        split={"route": {"/": 0.5, '/a "quoted" one\\': 0.5}},
        rps=20,
        error_ratio=0.0005,
        pods=2,
        pods_most=5,
        pod_rps=200,
        latency=parts.Latency(labels=labels, bounds=[0.005, 0.05, 0.1, 1.0]),
        outages=[parts.Outage(start=START + 30 * HOUR, length=900.0, error_ratio=0.2)],
        restarts=[parts.Restart(at=START + 30.1 * HOUR, pod=0), parts.Restart(at=START + 9.3 * HOUR, pod=1)],
    )
    return Scenario(
        start=START,
        days=2,
        services=[api],
        events=[parts.Burst(start=START + 28 * HOUR, length=3 * HOUR, factor=40)],
        gaps=[parts.Gap(start=START + 30.15 * HOUR, length=130.0), parts.Gap(start=START + 5 * HOUR, length=1000.0)],
        probes=[
            parts.ProbeTarget(labels={"job": "blackbox"}, down=[parts.Span(start=START + 30.05 * HOUR, length=400.0)])
        ],
        gauges=[parts.Gauge(metric="lag_seconds", value=2, noise=1.5)],
        jobs=[
            parts.Job(completed_metric="backup_at", labels={"job": "backup"}, hour=3, seconds=1200),
            parts.Job(
                completed_metric="restore_at", duration_metric="restore_seconds", labels={"job": "backup"}, hour=9
            ),
        ],
    )


def catalogue(sum_labels: list[str]) -> Catalogue:
    requests = Requests(metric="http_requests_total", matchers=BY_SERVICE, bad={"status_code": "=~5.."})
    good = Requests(metric="http_requests_total", matchers=BY_SERVICE, good={"status_code": ["200", "404"]})
    latency = Latency(metric="http_request_duration_seconds", matchers=BY_SERVICE, threshold=0.1)
    between = Latency(metric="http_request_duration_seconds", matchers=BY_SERVICE, threshold=0.07)
    promql = Promql(
        total='sum(increase(http_requests_total{service="api"}[$window]))',
        bad='sum(increase(http_requests_total{service="api",status_code=~"5.."}[$window]))',
    )
    slos = [
        Slo(name="errors", sli=requests, objective=0.999),
        Slo(name="good", sli=good, objective=0.999),
        Slo(name="minutes", sli=requests, objective=0.99, budgeting="timeslices", slice=300.0, slice_target=0.99),
        Slo(name="ratio", sli=requests, objective=0.99, budgeting="ratio-timeslices", slice_target=0.99),
        Slo(name="fast", sli=latency, objective=0.95),
        Slo(name="between", sli=between, objective=0.9),
        Slo(name="expression", sli=promql, objective=0.99),
        Slo(name="recovery", sli=Recovery(of="errors", within=900.0), objective=0.9),
        Slo(name="up", sli=Probe(matchers={"job": "blackbox"}), objective=0.99, missing="bad"),
        Slo(name="up-samples", sli=Probe(), objective=0.99, budgeting="occurrences"),
        Slo(name="lag", sli=Bound(metric="lag_seconds", max=4.0), objective=0.99),
        Slo(name="backup", sli=Freshness(metric="backup_at", matchers=BACKUP, max_age=23 * HOUR), objective=0.9),
        Slo(
            name="restore",
            sli=LastDuration(metric="restore_seconds", matchers=BACKUP, max=1250.0, completed_metric="restore_at"),
            objective=0.9,
        ),
        Slo(name="nobody", sli=Requests(metric="absent_total", bad={"code": "5"}), objective=0.9, missing="fail"),
    ]
    return Catalogue(name="same", sum_labels=sum_labels, services=[Service(name="api", slos=slos)])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    simulate(scenario()).write(folder)
    return folder


@contextmanager
def server(name: str, recording: Path, scratch: Path) -> Iterator[str]:
    import gzip

    text = scratch / "history.om"
    text.write_bytes(gzip.decompress((recording / "history.om.gz").read_bytes()))
    manager = victoria_metrics(openmetrics=text) if name == "victoria" else prometheus(version=name, openmetrics=text)
    with manager as running:
        yield running.url


def figures(source: str | Path, sum_labels: list[str]) -> dict[str, Any]:
    document = to_document(evaluate(catalogue(sum_labels), source, DAY_WINDOW, START + 48 * HOUR))
    document.pop("source")
    return document


def assert_same(left: Any, right: Any, rel: float, path: str = "") -> None:
    """Equal in structure and words; numbers equal to ``rel``."""
    assert type(left) is type(right) or {type(left), type(right)} == {int, float}, path
    if isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            assert_same(left[key], right[key], rel, f"{path}.{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), path
        for at, (one, other) in enumerate(zip(left, right, strict=True)):
            assert_same(one, other, rel, f"{path}[{at}]")
    elif isinstance(left, float | int) and not isinstance(left, bool):
        assert left == pytest.approx(right, rel=rel, abs=1e-12), path
    else:
        assert left == right, path


@pytest.mark.parametrize("sum_labels", [[], ["route", "status_code"]], ids=["each-series", "summed"])
@pytest.mark.parametrize("name", prometheus_versions())
def test_a_prometheus_and_a_recording_give_the_same_figures(
    name: str, sum_labels: list[str], recording: Path, tmp_path: Path
) -> None:
    recorded = figures(recording, sum_labels)
    with server(name, recording, tmp_path) as url:
        served = figures(url, sum_labels)
    # A raw expression is the server's own arithmetic: Prometheus 2 takes in a range's left edge, recordings follow 3.
    if name == "2":
        for document in (recorded, served):
            document["slos"] = [slo for slo in document["slos"] if slo["slo"] != "expression"]
            document["incidents"] = [one for one in document["incidents"] if one["slo"] != "expression"]
    assert_same(served, recorded, rel=1e-9)


@pytest.mark.parametrize("name", prometheus_versions())
def test_figures_are_prometheus_own_where_both_ask_the_same(name: str, recording: Path, tmp_path: Path) -> None:
    at = START + 48 * HOUR
    with server(name, recording, tmp_path) as url:
        evaluation = evaluate(catalogue([]), url, DAY_WINDOW, at)
        # Samples lie on the edges of this window only at its end: a millisecond less is the same range to 2 and 3.
        asked = PrometheusConnect(url=url).custom_query("avg_over_time(probe_success[172799999ms])", {"time": at})
    assert evaluation["api", "up-samples"].figure.sli == pytest.approx(float(asked[0]["value"][1]), rel=1e-9)


@pytest.mark.parametrize("name", prometheus_versions())
def test_the_quantile_is_prometheus_histogram_quantile_of_the_same_counts(
    name: str, recording: Path, tmp_path: Path
) -> None:
    # Between two moments without resets or new pods, so that the counters' plain differences are the events.
    first, last = START + 13 * HOUR, START + 19 * HOUR
    metric = 'http_request_duration_seconds_bucket{service="api"}'
    with server(name, recording, tmp_path) as url:
        [ours] = [
            slo.figure.value
            for slo in evaluate(catalogue([]), url, "6h", last).slos
            if (slo.slo, slo.kind) == ("fast", "latency")
        ]
        expression = f"histogram_quantile(0.95, sum by (le) ({metric} - ({metric} offset {int(last - first)}s)))"
        asked = PrometheusConnect(url=url).custom_query(expression, {"time": last})
    assert ours == pytest.approx(float(asked[0]["value"][1]), rel=1e-9)


def test_victoria_metrics_and_a_recording_give_the_same_figures(recording: Path, tmp_path: Path) -> None:
    recorded = figures(recording, [])
    with server("victoria", recording, tmp_path) as url:
        served = figures(url, [])
    # Its increase() does not extrapolate, so the raw expression means something else there.
    for document in (recorded, served):
        document["slos"] = [slo for slo in document["slos"] if slo["slo"] != "expression"]
        document["incidents"] = [one for one in document["incidents"] if one["slo"] != "expression"]
    assert_same(served, recorded, rel=1e-9)


def test_both_forms_of_a_recording_give_the_same_figures(recording: Path) -> None:
    assert figures(recording / "history.om.gz", []) == figures(recording / "history.parquet", [])


def test_summing_at_the_server_changes_no_figure(recording: Path) -> None:
    assert_same(figures(recording, ["route", "status_code"]), figures(recording, []), rel=1e-9)
