"""What goes wrong between a cluster and its figures: told, and never a wrong number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from elasticsearch import Elasticsearch as Client

from sla_kit.elastic import ClusterError
from sla_kit.timeline import Timeline
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.elasticsearch.faults import Change, failed_shards, faulty, timed_out
from tests.sources.elasticsearch.documents import (
    START,
    STEP,
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


def _usual(url: str, index: str) -> Timeline:
    """Ten minutes of requests every five seconds, each tenth of them an error."""
    put(url, index, [request(START + 5 * at, 500 if at % 10 == 0 else 200) for at in range(1, 121)])
    found = read(url, events(index), grid(10))
    assert (found.total.sum(), found.bad.sum(), found.coverage.sum()) == (120, 12, 10)
    return found


def _instead(status: int, reason: str) -> Change:
    """A search's answer replaced by an error."""

    def change(answer: dict[str, Any]) -> None:
        answer.clear()
        cause = {"type": reason, "reason": f"it is a {reason}"}
        answer.update({"error": {"root_cause": [cause], **cause}, "status": status})

    return change


# --- parts of answers -----------------------------------------------------------------------------------------------


def test_failed_shards_are_asked_again(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.alter(failed_shards(), times=2, only="_msearch")
        found = read(proxy.url, events(index), grid(10))
    assert found.total.tolist() == usual.total.tolist()
    assert found.coverage.tolist() == usual.coverage.tolist()
    assert not found.findings


def test_failed_shards_are_carried_as_coverage(elastic: Elasticsearch, index: str) -> None:
    _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.alter(failed_shards(2, 5), times=None, only="_msearch")
        found = read(proxy.url, events(index), grid(10))
    np.testing.assert_allclose(found.coverage, 0.6)
    (finding,) = told(found, "partial-answer")
    assert (finding.start, finding.end, finding.count) == (START, START + 600, 10)
    assert "2 of 5 shards" in finding.message
    assert "the shard is gone" in finding.message


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "es_rejected_execution_exception"), (503, "no_shard_available_action_exception")],
)
def test_refused_searches_are_asked_again_and_then_not_believed(
    elastic: Elasticsearch, index: str, status: int, reason: str
) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.alter(_instead(status, reason), times=2, only="_msearch")
        assert read(proxy.url, events(index), grid(10)).total.tolist() == usual.total.tolist()
        proxy.alter(_instead(status, reason), times=None, only="_msearch")
        found = read(proxy.url, events(index), grid(10))
    assert not found.coverage.any()
    assert not found.total.any()
    assert told(found, "partial-answer")


def test_a_search_that_takes_too_long_is_asked_for_in_halves(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.alter(timed_out, times=2, only="_msearch")
        found = read(proxy.url, events(index), grid(10))
        assert found.total.tolist() == usual.total.tolist()
        assert not found.findings
        proxy.alter(timed_out, times=None, only="_msearch")
        never = read(proxy.url, events(index), grid(10))
    assert not never.coverage.any()
    assert not never.total.any()
    assert "too long" in told(never, "partial-answer")[0].message


def test_too_many_buckets_are_asked_for_in_halves(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.alter(_instead(400, "too_many_buckets_exception"), only="_msearch")
        found = read(proxy.url, events(index), grid(10))
    assert found.total.tolist() == usual.total.tolist()
    assert found.coverage.all()


def test_no_answer_in_time_asks_for_less_at_once(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.refuse(413, only="_msearch", reason="too_long")
        found = read(proxy.url, events(index), grid(10))
    assert found.total.tolist() == usual.total.tolist()


# --- points in time -------------------------------------------------------------------------------------------------


def test_a_lost_point_in_time_has_all_read_anew(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        # The second page is refused, and by then the documents are others.
        gone = _instead(404, "search_context_missing_exception")
        proxy.alter(gone, only="_msearch", skip=1)
        found = read(proxy.url, events(index), grid(10), page=8)
        opened = [one for one in proxy.seen if one.method == "POST" and "_pit" in one.path]
        closed = [one for one in proxy.seen if one.method == "DELETE" and "_pit" in one.path]
    assert found.total.tolist() == usual.total.tolist()
    assert not found.findings
    assert (len(opened), len(closed)) == (2, 2)


def test_what_is_indexed_between_two_pages_is_not_mixed_in(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)

    def more() -> None:
        with Client(elastic.url, request_timeout=120) as client:
            client.index(index=index, document=request(START + 599), refresh=True)

    with faulty(elastic.url) as proxy:
        proxy.meanwhile(more, only="_msearch", skip=1)
        found = read(proxy.url, events(index), grid(10), page=8)
    assert found.total.tolist() == usual.total.tolist()
    assert read(elastic.url, events(index), grid(10)).total.sum() == 121


def test_points_that_are_always_lost_are_an_error(elastic: Elasticsearch, index: str) -> None:
    _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.alter(_instead(404, "search_context_missing_exception"), times=None, only="_msearch")
        with pytest.raises(ClusterError, match="point in time"):
            read(proxy.url, events(index), grid(10))


@pytest.mark.parametrize("status", [403, 405])
def test_without_points_in_time_it_is_told(elastic: Elasticsearch, index: str, status: int) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.refuse(status, times=None, only="_pit", reason="security_exception")
        found = read(proxy.url, events(index), grid(10), page=8)
    assert found.total.tolist() == usual.total.tolist()
    assert told(found, "no-point-in-time")


# --- indices --------------------------------------------------------------------------------------------------------


def test_a_missing_index_names_the_nearest(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, f"{index}-web", [request(START + 1)])
    found = read(elastic.url, events(f"{index}-wab"), grid(3))
    assert not found.coverage.any()
    (finding,) = told(found, "no-data")
    assert f"no index {index}-wab" in finding.message
    assert f"did you mean {index}-web?" in finding.message


def test_one_of_two_indices_is_missing(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, f"{index}-a", [request(START + 1)])
    found = read(elastic.url, events(f"{index}-a,{index}-b"), grid(1))
    assert found.total.tolist() == [1]
    assert f"{index}-b" in told(found, "no-data")[0].message


def test_an_empty_index_has_no_data(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [])
    found = read(elastic.url, events(index), grid(3))
    assert not found.coverage.any()
    assert told(found, "no-data")


def test_a_closed_index_is_named_and_its_day_not_believed(elastic: Elasticsearch, index: str) -> None:
    day = START // 86400 * 86400
    put(elastic.url, f"{index}-2023.11.14", [request(day + 600)])
    put(elastic.url, f"{index}-2023.11.15", [request(day + 60 * at) for at in range(1, 2881)])
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.close(index=f"{index}-2023.11.14")
    found = read(elastic.url, events(f"{index}-*"), grid(2880, day))
    assert not found.coverage[:1440].any()
    assert found.coverage[1440:].all()
    assert f"{index}-2023.11.14" in told(found, "closed-index")[0].message


def test_a_closed_index_alone_has_no_data(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 1)])
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.close(index=index)
    found = read(elastic.url, events(index), grid(3))
    assert not found.coverage.any()
    assert told(found, "closed-index")


# --- mappings -------------------------------------------------------------------------------------------------------


def test_a_status_that_becomes_a_keyword_is_left_out(elastic: Elasticsearch, index: str) -> None:
    """As letters 1000 is below 500: what is counted there would be wrong."""
    put(elastic.url, f"{index}-1", [request(START + 5 * at, 500 if at % 10 == 0 else 200) for at in range(1, 61)])
    other = [request(START + 300 + 5 * at, "500" if at % 10 == 0 else "200") for at in range(1, 61)]
    put(elastic.url, f"{index}-2", other, mapping(http__response__status_code="keyword"))
    found = read(elastic.url, events(f"{index}-*"), grid(10))
    assert found.coverage.tolist() == [1] * 5 + [0] * 5
    assert found.total.sum() == 60
    assert found.bad.sum() == 6
    (finding,) = told(found, "mapping-conflict")
    assert f"{index}-2" in finding.message
    assert "keyword" in finding.message


def test_a_keyword_is_no_conflict_where_values_are_compared_as_written(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, f"{index}-1", [request(START + 1, 500), request(START + 2)])
    other = [request(START + 61, "500"), request(START + 62, "200")]
    put(elastic.url, f"{index}-2", other, mapping(http__response__status_code="keyword"))
    found = read(elastic.url, events(f"{index}-*", bad="http.response.status_code:500"), grid(2))
    assert (found.bad.tolist(), found.coverage.tolist()) == ([1, 1], [1, 1])
    assert not found.findings


def test_text_where_a_term_is_looked_for(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 1, service__name="Web Shop")], mapping(service__name="text"))
    found = read(elastic.url, events(index, query={"term": {"service.name": "Web Shop"}}), grid(1))
    assert not found.coverage.any()
    assert ".keyword" in told(found, "mapping-conflict")[0].message


def test_a_duration_that_is_text(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 1, seconds=0.1)], mapping(event__duration="keyword"))
    found = read(elastic.url, latency(index), grid(1))
    assert not found.coverage.any()
    assert "no number" in told(found, "mapping-conflict")[0].message


def test_a_time_that_is_no_date(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, f"{index}-1", [request(START + 1)])
    put(elastic.url, f"{index}-2", [request(START + 1)], mapping(**{"@timestamp": "long"}))
    found = read(elastic.url, events(f"{index}-*"), grid(1))
    assert found.total.tolist() == [1]
    assert "no date" in told(found, "mapping-conflict")[0].message


def test_a_field_that_is_nowhere_is_no_proof_of_health(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 1)])
    slip = read(elastic.url, events(index, bad="http.respons.status_code:[500 TO *]"), grid(1))
    assert not slip.coverage.any()
    assert "http.respons.status_code" in told(slip, "field-missing")[0].message
    none_yet = read(elastic.url, events(index, bad="error.type:*"), grid(1))
    assert none_yet.good.tolist() == [1]
    assert none_yet.coverage.all()
    assert told(none_yet, "field-missing")
    assert not read(elastic.url, latency(index, field="took"), grid(1)).coverage.any()


def test_events_of_an_index_without_the_field_are_told(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, f"{index}-1", [request(START + 1, 500, 1.0), request(START + 2, 200, 0.01)])
    unknown = mapping(http__response__status_code="", event__duration="") | {"dynamic": False}
    put(elastic.url, f"{index}-2", [request(START + 61, 500, 1.0), request(START + 62, 200, 0.01)], unknown)
    found = read(elastic.url, events(f"{index}-*"), grid(2))
    assert (found.total.tolist(), found.bad.tolist()) == ([2, 2], [1, 0])
    (finding,) = told(found, "field-missing")
    assert f"{index}-2" in finding.message
    assert " 2 documents" in finding.message
    assert told(read(elastic.url, latency(f"{index}-*"), grid(2)), "field-missing")
    assert not told(read(elastic.url, events(f"{index}-*"), grid(1)), "field-missing")  # none of them is in that time
    assert not told(read(elastic.url, events(f"{index}-*", query="service.name:api"), grid(2)), "field-missing")


def test_what_nobody_may_look_at_is_read_unchecked(elastic: Elasticsearch, index: str) -> None:
    usual = _usual(elastic.url, index)
    with faulty(elastic.url) as proxy:
        proxy.refuse(403, times=None, only="_resolve", reason="security_exception")
        proxy.refuse(403, times=None, only="_field_caps", reason="security_exception")
        found = read(proxy.url, events(index), grid(10))
    assert found.total.tolist() == usual.total.tolist()
    assert len(told(found, "unchecked")) == 2


@pytest.mark.parametrize("before", [0, 1, 2])
def test_errors_are_never_of_fewer_shards_than_requests(elastic: Elasticsearch, index: str, before: int) -> None:
    documents = [request(START + 5 * at, 500 if at % 10 == 0 else 200) for at in range(1, 121)]
    put(elastic.url, f"{index}-1", [each for at, each in enumerate(documents) if at % 20 < 10])
    put(elastic.url, f"{index}-2", [each for at, each in enumerate(documents) if at % 20 >= 10])

    def deleted() -> None:
        with Client(elastic.url, request_timeout=120) as client:
            client.indices.delete(index=f"{index}-2")

    with faulty(elastic.url) as proxy:
        proxy.meanwhile(deleted, only="_msearch", skip=before)
        found = read(proxy.url, events(f"{index}-*"), grid(10), page=15)  # sides take a search of their own
    assert found.bad.sum() * 10 == found.total.sum()
    assert found.total.sum() in (60, 120)
    assert found.total.sum() == 120 or told(found, "partial-answer")


# --- silence and clocks ---------------------------------------------------------------------------------------------


def test_a_short_silence_is_quiet_and_a_long_one_unobserved(elastic: Elasticsearch, index: str) -> None:
    minutes = [0, 1, 7, 14, 15]  # five minutes of silence, then six, then ten to the end
    put(elastic.url, index, [request(START + 60 * at + 30) for at in minutes])
    found = read(elastic.url, events(index, quiet=300.0), grid(26))
    assert found.coverage.tolist() == [1] * 8 + [0] * 6 + [1] * 2 + [0] * 10
    assert found.total.sum() == 5
    assert told(found, "vanished")


def test_silence_at_the_edges_is_measured_beyond_them(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START - 90), request(START + 630)])
    assert read(elastic.url, events(index, quiet=660.0), grid(10)).coverage.all()
    assert not read(elastic.url, events(index, quiet=600.0), grid(10)).coverage.any()


def test_the_future_is_not_silent(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 30)])
    found = read(elastic.url, events(index, quiet=300.0), grid(5), clock=lambda: START + 5 * STEP)
    assert found.coverage.tolist() == [1] * 5
    soon = read(elastic.url, events(index, quiet=300.0), grid(5), clock=lambda: START + 3 * STEP)
    assert soon.coverage.tolist() == [1, 1, 1, 0, 0]


def test_another_query_keeps_an_index_observed(elastic: Elasticsearch, index: str) -> None:
    documents = [request(START + 60 * at + 30, service__name="api" if at else "web") for at in range(10)]
    put(elastic.url, index, documents)
    found = read(elastic.url, events(index, query="service.name:web"), grid(10))
    assert found.coverage.all()
    assert found.total.tolist() == [1] + [0] * 9


def test_documents_of_the_future_are_counted_when_it_comes(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 30), request(START + 10 * 3600)])
    now = START + 60.0
    found = read(elastic.url, events(index), grid(1), clock=lambda: now)
    assert found.total.tolist() == [1]
    assert "ahead" in told(found, "clock-skew")[0].message
    assert not told(read(elastic.url, events(index), grid(1)), "clock-skew")


def test_documents_that_arrive_too_early_or_late_are_told(elastic: Elasticsearch, index: str) -> None:
    documents = [
        request(START + 30, event__ingested=(START + 31) * 1000),
        request(START + 90, event__ingested=(START - 3600) * 1000),
        request(START + 150, event__ingested=(START + 7200) * 1000),
    ]
    put(elastic.url, index, documents)
    found = read(elastic.url, events(index), grid(3))
    assert [(one.start, one.count) for one in told(found, "clock-skew")] == [(START + 60, 1)]
    assert [(one.start, one.count) for one in told(found, "late-data")] == [(START + 120, 1)]


def test_each_indicator_is_answered_once_whatever_is_wrong_with_another(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 1)])
    asked = [events(index), events(f"{index}-none", "missing"), events(index, "slip", bad="nowhere:1")]
    found = [indicator.key[1] for indicator, _ in source(elastic.url).fetch(asked, grid(1))]
    assert sorted(found) == ["availability", "missing", "slip"]


# --- aliases and data streams ---------------------------------------------------------------------------------------


def test_an_alias_is_read_with_its_filter_and_never_without(elastic: Elasticsearch, index: str) -> None:
    put(
        elastic.url,
        f"{index}-1",
        [request(START + at, service__name="web" if at % 2 else "api") for at in range(1, 61)],
    )
    mine = {"term": {"service.name": "web"}}
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.put_alias(index=f"{index}-1", name=f"{index}-mine", filter=mine)
        found = read(elastic.url, events(f"{index}-mine"), grid(1))
        assert (found.total.tolist(), found.coverage.tolist()) == ([30], [1])
        put(elastic.url, f"{index}-2", [], mapping(http__response__status_code="keyword"))
        client.indices.put_alias(index=f"{index}-2", name=f"{index}-mine", filter=mine)
    conflict = read(elastic.url, events(f"{index}-mine"), grid(1))
    assert not conflict.coverage.any()
    assert told(conflict, "mapping-conflict")


def test_a_data_stream_is_read_through_its_rollovers(elastic: Elasticsearch, index: str) -> None:
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.put_index_template(
            name=index,
            index_patterns=[index],
            priority=500,
            data_stream={},
            template={"mappings": mapping(), "settings": {"number_of_replicas": 0}},
        )
        for at in (1, 61):
            client.index(index=index, op_type="create", document=request(START + at), refresh=True)
            client.indices.rollover(alias=index)
    found = read(elastic.url, events(index), grid(2))
    assert found.total.tolist() == [1, 1]
    assert found.coverage.all()
    assert not found.findings
