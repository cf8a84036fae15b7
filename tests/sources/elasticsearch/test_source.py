"""What is counted: by hand, against numpy, and the same whichever pages it comes in."""

from __future__ import annotations

import json

import numpy as np
import pytest
from elasticsearch import Elasticsearch as Client

from sla_kit.catalogue.logs import LogFields
from sla_kit.catalogue.model import Requests
from sla_kit.elastic import ClusterError
from sla_kit.engine.quantiles import quantile
from sla_kit.sources import Indicator, Source
from sla_kit.sources.elasticsearch import ElasticsearchSource, open_source
from sla_kit.timeline import Grid, Timeline
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.elasticsearch.faults import faulty
from tests.sources.elasticsearch.documents import (
    ERRORS,
    START,
    STEP,
    Document,
    events,
    grid,
    latency,
    mapping,
    put,
    read,
    request,
    source,
    told,
)


def test_it_is_a_source(elastic: Elasticsearch) -> None:
    found = open_source("elasticsearch+" + elastic.url)
    assert isinstance(found, Source)
    assert found.name == elastic.url
    assert found.span() is None
    assert found.requests == 0
    found.close()


def test_buckets_are_open_at_the_left_and_closed_at_the_right(elastic: Elasticsearch, index: str) -> None:
    """Worked by hand: what happens on the edge belongs to the bucket that ends there."""
    put(
        elastic.url,
        index,
        [
            request(START, 500),  # before the grid
            request(START + 0.001),  # the first bucket
            request(START + 60, 503),  # the first, too
            request(START + 60.001),
            request(START + 119.999),
            request(START + 120),
            request(START + 180, 404),  # the last
            request(START + 180.001, 500),  # after the grid
        ],
    )
    found = read(elastic.url, events(index), grid(3))
    assert found.total.tolist() == [2, 3, 1]
    assert found.good.tolist() == [1, 3, 1]
    assert found.bad.tolist() == [1, 0, 0]
    assert found.coverage.tolist() == [1, 1, 1]
    assert found.unit == "requests"
    assert not found.findings


def test_nanoseconds_count_by_their_whole_milliseconds(elastic: Elasticsearch, index: str) -> None:
    times = ["60.000000", "60.000999", "60.001000", "120.000999", "179.999999"]
    stamps = [f"{START + float(one) // 60 * 60:.0f}" for one in times]
    assert len(stamps) == len(times)
    documents: list[Document] = [
        {
            "@timestamp": np.datetime_as_string(
                np.datetime64(START, "s") + np.timedelta64(round(float(one) * 1e9), "ns")
            )
            + "Z",
            "http.response.status_code": 200,
        }
        for one in times
    ]
    put(elastic.url, index, documents, mapping(**{"@timestamp": "date_nanos"}))
    assert read(elastic.url, events(index), grid(3)).total.tolist() == [2, 2, 1]


def test_query_strings_and_query_dsl_say_the_same(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 10 * at, 500 if at % 7 == 0 else 200) for at in range(1, 60)])
    for bad in (ERRORS, "http.response.status_code:>=500", {"range": {"http.response.status_code": {"gte": 500}}}):
        found = read(elastic.url, events(index, bad=bad), grid(10))
        assert found.total.sum() == 59
        assert found.bad.sum() == 8
    good = read(elastic.url, events(index, good={"range": {"http.response.status_code": {"lt": 500}}}), grid(10))
    assert good.bad.sum() == 8


def test_query_selects_the_total(elastic: Elasticsearch, index: str) -> None:
    documents = [request(START + at, service__name="web" if at % 3 else "api") for at in range(1, 61)]
    put(elastic.url, index, documents)
    assert read(elastic.url, events(index, query="service.name:api"), grid(1)).total.tolist() == [20]
    assert read(elastic.url, events(index, query={"term": {"service.name": "web"}}), grid(1)).total.tolist() == [40]
    none = read(elastic.url, events(index, query="service.name:none"), grid(1))
    assert none.total.tolist() == [0]
    assert none.coverage.tolist() == [1]
    assert told(none, "no-events")


def test_fields_of_other_names(elastic: Elasticsearch, index: str) -> None:
    documents: list[Document] = [{"when": (START + at) * 1000, "code": 500 if at > 50 else 200} for at in range(1, 61)]
    put(elastic.url, index, documents, {"properties": {"when": {"type": "date"}, "code": {"type": "short"}}})
    fields = LogFields(time="when", status="code")
    found = read(elastic.url, events(index, bad="code:[500 TO *]", fields=fields), grid(1))
    assert (found.total.tolist(), found.bad.tolist()) == ([60], [10])


def test_metrics_are_unread(elastic: Elasticsearch) -> None:
    indicator = Indicator(("web", "availability"), Requests(metric="http_requests_total", bad={"code": "5.."}))
    found = read(elastic.url, indicator, grid(3))
    assert not found.coverage.any()
    assert [one.kind for one in found.findings] == ["unread"]


# --- durations ------------------------------------------------------------------------------------------------------


def test_durations_by_hand(elastic: Elasticsearch, index: str) -> None:
    """What took exactly the threshold is good; without a duration, or with one below zero, a document is no event."""
    put(
        elastic.url,
        index,
        [
            request(START + 1, seconds=0.1),
            request(START + 2, seconds=0.100000001),
            request(START + 3, seconds=0.0),
            request(START + 4),
            request(START + 5, seconds=-1.0),
            request(START + 61, seconds=5.0),
        ],
    )
    found = read(elastic.url, latency(index), grid(2))
    assert found.total.tolist() == [3, 1]
    assert found.good.tolist() == [2, 0]
    assert found.histogram is not None
    assert found.histogram.bounds[-1] == np.inf
    assert found.histogram.counts[:, -1].tolist() == [3, 1]
    assert told(found, "negative-durations")
    (method,) = told(found, "estimated")
    assert "HDR" in method.message
    assert "exact" in method.message


@pytest.mark.parametrize(
    ("type", "unit"), [("long", 1e-9), ("integer", 1e-3), ("double", 1.0), ("float", 1.0), ("half_float", 1.0)]
)
def test_exactly_the_threshold_is_good_in_every_type(
    elastic: Elasticsearch, index: str, type: str, unit: float
) -> None:
    value = 0.1 if unit == 1 else round(0.1 / unit)
    documents: list[Document] = [{"@timestamp": (START + 1) * 1000, "took": value}]
    put(elastic.url, index, documents, mapping(took=type))
    found = read(elastic.url, latency(index, field="took", unit_seconds=unit), grid(1))
    assert (found.good.tolist(), found.total.tolist()) == ([1], [1])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quantiles_are_within_the_error_that_is_told(elastic: Elasticsearch, index: str, seed: int) -> None:
    """Random histories, with a burst of slow requests as on a game day, beside numpy's exact quantiles."""
    random = np.random.default_rng(seed)
    usual = random.lognormal(np.log(0.04), random.uniform(0.3, 0.9), 1500)
    burst = random.lognormal(np.log(0.2), 0.4, int(random.integers(50, 500)))
    seconds = np.concatenate([usual, burst])
    times = np.concatenate([random.uniform(0, 3600, usual.size), random.uniform(1800, 1920, burst.size)])
    documents = [request(START + at + 0.001, seconds=one) for at, one in zip(times, seconds, strict=True)]
    put(elastic.url, index, documents)
    for q in (0.5, 0.95, 0.99):
        found = read(elastic.url, latency(index, quantile=q, quiet=3600.0), grid(61))
        assert found.histogram is not None
        exact = float(np.quantile(np.round(seconds * 1e9) / 1e9, q, method="inverted_cdf"))
        assert abs(quantile(found.histogram, q) - exact) < 0.26 * exact
        assert found.good.sum() == (np.round(seconds * 1e9) <= 1e8).sum()
        assert "at most" in told(found, "estimated")[0].message


# --- pages and requests ---------------------------------------------------------------------------------------------


def _same(first: Timeline, second: Timeline) -> None:
    for name in ("good", "total", "coverage"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    if first.histogram is not None:
        assert second.histogram is not None
        np.testing.assert_array_equal(first.histogram.counts, second.histogram.counts)


def test_however_small_the_pages_the_figures_are_the_same(elastic: Elasticsearch, index: str) -> None:
    random = np.random.default_rng(7)
    times = np.sort(random.uniform(0, 3 * 3600, 900))
    documents = [request(START + at, int(random.choice([200, 500])), seconds=random.exponential(0.1)) for at in times]
    put(elastic.url, index, documents)
    where = grid(180)
    for indicator in (events(index), latency(index)):
        whole = read(elastic.url, indicator, where)
        for page in (1, 20, 333):
            _same(whole, read(elastic.url, indicator, where, page=page))


def test_pages_are_followed_by_their_last_key(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + at) for at in range(1, 3600, 30)])
    with faulty(elastic.url) as proxy:
        found = read(proxy.url, events(index), grid(60), page=40)
        sent = b"".join(one.body for one in proxy.seen if "_msearch" in one.path)
    assert found.total.sum() == 120
    bodies = [json.loads(line) for line in sent.splitlines() if b"composite" in line]
    assert any("after" in one["aggs"]["t"]["composite"] for one in bodies)
    assert max(one["aggs"]["t"]["composite"]["size"] for one in bodies) <= 40


def test_fifty_objectives_are_asked_for_in_one_request(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + at, service__name=f"s{at % 50}") for at in range(1, 3600)])
    asked = [events(index, f"s{one}", f"service.name:s{one}") for one in range(50)]
    with faulty(elastic.url) as proxy:
        one = source(proxy.url)
        found = dict(one.fetch(asked, grid(60)))
        assert proxy.count("_msearch") == 1
        assert proxy.count("_pit") == 2  # opened, and closed
        assert one.requests == proxy.count()
    assert {timeline.total.sum() for timeline in found.values()} == {71.0, 72.0}


def test_what_shares_a_query_shares_a_search(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + at, 500 if at % 9 == 0 else 404) for at in range(1, 60)])
    asked = [
        events(index, "availability"),
        events(index, "found", bad="http.response.status_code:404"),
        latency(index),
        events(index, "availability-again"),
    ]
    with faulty(elastic.url) as proxy:
        found = {key.key[1]: one for key, one in source(proxy.url).fetch(asked, grid(1))}
        (searches,) = (one.body.splitlines()[1::2] for one in proxy.seen if "_msearch" in one.path)
    assert sum(b"composite" in line for line in searches) == 2  # theirs, and that for any document
    assert found["availability"].bad.tolist() == found["availability-again"].bad.tolist() == [6]
    assert found["found"].bad.tolist() == [53]


def test_latencies_of_one_field_are_counted_as_each_alone(elastic: Elasticsearch, index: str) -> None:
    seconds = [0.001 * at**2 for at in range(1, 60)]
    put(elastic.url, index, [request(START + at, seconds=each) for at, each in enumerate(seconds, 1)])
    asked = [latency(index, limit, f"within-{limit:g}") for limit in (0.1, 0.4, 1.0)]
    together = {each.key: one for each, one in source(elastic.url).fetch(asked, grid(1))}
    for each in asked:
        _same(together[each.key], read(elastic.url, each, grid(1)))
    assert [together[each.key].good.sum() for each in asked] == [10, 20, 31]


def test_little_memory_does_what_much_does(elastic: Elasticsearch, index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(elastic.url, index, [request(START + at, service__name=f"s{at % 5}") for at in range(1, 600)])
    asked = [events(index, f"s{one}", f"service.name:s{one}") for one in range(5)]
    whole = dict(source(elastic.url).fetch(asked, grid(10)))
    monkeypatch.setattr("sla_kit.sources.elasticsearch.source._MOST_FLOATS", 60)
    told_of: list[tuple[int, int]] = []
    for indicator, timeline in source(elastic.url).fetch(
        asked, grid(10), lambda done, of, what: told_of.append((done, of))
    ):
        _same(whole[indicator], timeline)
    assert told_of[-1][0] == told_of[-1][1]
    assert [done for done, _ in told_of] == sorted(done for done, _ in told_of)


def test_an_empty_grid_asks_nothing(elastic: Elasticsearch) -> None:
    one = source(elastic.url)
    ((_, found),) = one.fetch([events("logs-*")], Grid(START, STEP, 0))
    assert found.total.size == 0
    assert one.requests == 0


def test_users_own_client(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 1)])
    with Client(elastic.url, request_timeout=120) as client:
        ((_, found),) = ElasticsearchSource(client).fetch([events(index)], grid(1))
    assert found.total.tolist() == [1]


# --- queries that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    ["http.response.status_code:(500", {"trem": {"http.response.status_code": 500}}, {"range": {"a": {"over": 1}}}],
    ids=["lucene", "query", "range"],
)
def test_a_query_that_is_none_is_named(elastic: Elasticsearch, index: str, bad: str | dict[str, object]) -> None:
    put(elastic.url, index, [request(START + 1, a=1)])
    asked = [events(index), events(index, "broken", bad=bad), latency(index)]
    with pytest.raises(ClusterError) as failed:
        list(source(elastic.url).fetch(asked, grid(1)))
    assert "web/broken" in failed.value.message
    assert "web/availability" not in failed.value.message
    assert failed.value.kind == "query"
    assert "catalogue" in failed.value.remedy
