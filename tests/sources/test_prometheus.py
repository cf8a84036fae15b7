"""The Prometheus source against real servers: Prometheus 2, Prometheus 3 where it is there, VictoriaMetrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from prometheus_api_client import PrometheusConnect

from sla_kit.errors import SourceError
from sla_kit.sources import Source, fetching
from sla_kit.sources.prometheus import PrometheusSource, open_source
from sla_kit.sources.series import Labels, Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Floats, Grid
from tests.servers import prometheus, prometheus_versions, victoria_metrics
from tests.sources.history import START, Recorded, counters

KINDS = [*(f"prometheus-{version}" for version in prometheus_versions()), "victoria-metrics"]
#: Two buckets before the first sample, several after the last.
GRID = Grid(START - 120, 60, 50)
HISTORY = counters()


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    history = HISTORY.write(tmp_path_factory.mktemp("history") / "history.om")
    with ExitStack() as stack:
        if request.param == "victoria-metrics":
            yield stack.enter_context(victoria_metrics(openmetrics=history)).url
        else:
            yield stack.enter_context(prometheus(request.param[-1], openmetrics=history)).url


@pytest.fixture
def source(url: str) -> Iterator[PrometheusSource]:
    opened = open_source(url)
    yield opened
    opened.close()


def query(reduction: Reduction = Reduction.MAX, *sum_labels: str, **matchers: str | list[str]) -> SeriesQuery:
    return SeriesQuery(Selector.of("requests_total", matchers), reduction, sum_labels)


def rows(frame: SeriesFrame) -> dict[Labels, Floats]:
    assert frame.values.shape == (len(frame.labels), frame.grid.count)
    return dict(zip(frame.labels, frame.values, strict=True))


def assert_same(frame: SeriesFrame, expected: dict[Labels, Floats]) -> None:
    found = rows(frame)
    assert set(found) == set(expected)
    for labels, row in expected.items():
        np.testing.assert_allclose(found[labels], row, rtol=1e-12, err_msg=str(labels))


def test_every_reduction_equals_the_one_computed_from_the_samples(source: PrometheusSource) -> None:
    queries = [query(reduction) for reduction in Reduction]
    queries += [query(reduction, "route", "code") for reduction in (Reduction.MAX, Reduction.COUNT)]
    answers = dict(source.read(queries, GRID))
    assert set(answers) == set(queries)
    for asked, frame in answers.items():
        expected = HISTORY.answer(asked, GRID)
        assert expected
        assert_same(frame, expected)
        assert frame.findings == ()


@pytest.mark.parametrize("reduction", list(Reduction))
def test_a_sample_on_an_edge_belongs_to_the_bucket_that_ends_there(
    source: PrometheusSource, reduction: Reduction
) -> None:
    asked = SeriesQuery(Selector.of("edges"), reduction)
    ((_, frame),) = source.read([asked], GRID)
    assert_same(frame, HISTORY.answer(asked, GRID))


def test_values_are_as_exact_as_the_server(source: PrometheusSource, request: pytest.FixtureRequest) -> None:
    asked = SeriesQuery(Selector.of("temperature"), Reduction.LAST)
    ((_, frame),) = source.read([asked], GRID)
    (expected,) = HISTORY.answer(asked, GRID).values()
    if "victoria" in request.node.name:  # it stores a block's numbers with as many decimals as the largest has room for
        np.testing.assert_allclose(frame.values[0], expected, rtol=1e-9, atol=1e-9)
    else:
        assert frame.values[0].tobytes() == expected.tobytes()


def test_merged_queries_answer_as_if_asked_one_by_one(source: PrometheusSource) -> None:
    queries = [
        query(Reduction.MAX, *summed, service=service, team=service[:2], **code)
        for service in ("api", "web", "db.x|y", "nobody")
        for code in ({}, {"code": "500"}, {"code": "=~5.."}, {"code": "200"})
        for summed in ((), ("route", "code"), ("service", "team"))
    ]
    before = source.requests
    together = dict(source.read(queries, GRID))
    merged = source.requests - before
    assert merged * 3 <= len(queries)
    for asked in queries:
        ((_, alone),) = source.read([asked], GRID)
        assert rows(together[asked]).keys() == rows(alone).keys()
        assert_same(together[asked], HISTORY.answer(asked, GRID))
        for labels, row in rows(alone).items():
            np.testing.assert_array_equal(rows(together[asked])[labels], row)


@pytest.mark.parametrize("spelling", ["1", "1.0", "=~1|5", ["1", "5.0"]])
def test_a_bound_is_found_however_it_is_written(source: PrometheusSource, spelling: str | list[str]) -> None:
    asked = SeriesQuery(Selector.of("latency_bucket", {"le": spelling, "service": "api"}), Reduction.MAX)
    other = SeriesQuery(Selector.of("latency_bucket", {"le": "0.1", "service": "api"}), Reduction.MAX)
    answers = dict(source.read([asked, other], GRID))
    expected = 1 if spelling in ("1", "1.0") else 2
    assert len(answers[asked].labels) == expected
    assert {float(dict(labels)["le"]) for labels in answers[asked].labels} <= {1.0, 5.0}
    assert [dict(labels)["le"] for labels in answers[other].labels] == ["0.1"]


def test_long_ranges_are_cut_and_joined(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [query(), query(Reduction.COUNT, "route")]
    grid = Grid(START - 120, 1, 2600)  # one-second buckets
    monkeypatch.setattr(fetching, "FIRST_POINTS", 11_000)
    monkeypatch.setattr(fetching, "SAMPLES", 10_000_000)
    whole = dict(PrometheusSource(url).read(asked, grid))
    monkeypatch.setattr(fetching, "FIRST_POINTS", 7)
    monkeypatch.setattr(fetching, "SAMPLES", 1500)
    source = PrometheusSource(url)
    cut = dict(source.read(asked, grid))
    assert source.requests > 2600 * 12 / 1500
    for one in asked:
        assert_same(cut[one], rows(whole[one]))
        assert_same(cut[one], HISTORY.answer(one, grid))


def test_more_than_eleven_thousand_buckets(source: PrometheusSource) -> None:
    grid = Grid(START - 60 * 30_000, 60, 30_045)
    ((_, frame),) = source.read([query(service="api")], grid)
    expected = HISTORY.answer(query(service="api"), Grid(START - 120, 60, 47))
    assert set(frame.labels) == set(expected)
    for labels, row in rows(frame).items():
        np.testing.assert_array_equal(row[-47:], expected[labels])
        assert np.isnan(row[:-47]).all()


def test_an_expression_is_summed_over_its_series(source: PrometheusSource) -> None:
    values, findings = source.read_promql('count_over_time(requests_total{service="api"}[$window])', GRID)
    assert findings == ()
    assert values.shape == (GRID.count,)
    assert np.isnan(values[0])
    asked = query(Reduction.COUNT, "route", "code", service="api")
    (expected,) = HISTORY.answer(asked, Grid(GRID.start, 60, GRID.count)).values()
    inside = ~np.isnan(expected)
    # The server's own [60s] may hold a sample on its left edge too (Prometheus 2): four series, one sample each.
    assert (np.abs(values[inside] - expected[inside]) <= 4).all()
    assert values[inside].max() >= 16


def test_nothing_matches(source: PrometheusSource) -> None:
    asked = SeriesQuery(Selector.of("no_such_metric", {"a": "b"}), Reduction.MAX)
    ((_, frame),) = source.read([asked], GRID)
    assert frame.labels == ()
    assert frame.values.shape == (0, GRID.count)
    ((_, empty),) = source.read([asked], Grid(START, 60, 0))
    assert empty.values.shape == (0, 0)


def test_a_wrong_expression_says_what_the_server_said(source: PrometheusSource) -> None:
    with pytest.raises(SourceError, match=r"sum\(rate") as caught:
        source.read_promql("sum(rate(", GRID)
    assert caught.value.remedy


def test_a_users_own_connection_is_used(url: str) -> None:
    own = PrometheusConnect(url=url, headers={"X-Scope-OrgID": "team-a"})
    source = PrometheusSource(own)
    assert isinstance(source, Source)
    assert source.name == url
    ((_, frame),) = source.read([query(service="web")], GRID)
    assert_same(frame, HISTORY.answer(query(service="web"), GRID))


def test_progress_ends_at_everything(source: PrometheusSource) -> None:
    seen: list[tuple[int, int]] = []
    list(source.read([query(), query(Reduction.MIN)], GRID, lambda done, total, what: seen.append((done, total))))
    assert seen[-1] == (2 * GRID.count, 2 * GRID.count)
    assert seen == sorted(seen)


@pytest.mark.parametrize("version", prometheus_versions())
def test_a_query_with_too_many_samples_is_asked_in_halves(version: str, tmp_path: Path) -> None:
    history = Recorded()
    times = [(START + second) * 1000 for second in range(1, 2401, 2)]
    for number in range(10):
        history.series("m_total", times, [float(time) for time in times], number=str(number))
    asked = SeriesQuery(Selector.of("m_total"), Reduction.MAX)
    grid = Grid(START, 60, 40)
    path = history.write(tmp_path / "history.om")
    # The server holds one series' 30 samples of a bucket and ten results for each: a few buckets fit, forty do not.
    with prometheus(version, openmetrics=path, flags=["--query.max-samples=100"]) as server:
        source = PrometheusSource(server.url)
        ((_, frame),) = source.read([asked], grid)
        assert_same(frame, history.answer(asked, grid))
        assert source.requests > 2
    with prometheus(version, openmetrics=path, flags=["--query.max-samples=20"]) as server:
        with pytest.raises(SourceError, match="too much for one query") as caught:
            list(PrometheusSource(server.url).read([asked], grid))
        assert "limits" in caught.value.remedy
