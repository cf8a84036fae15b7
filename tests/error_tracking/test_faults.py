"""Indices that are missing, closed or mapped otherwise: a clear finding or error, never a wrong number."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from sla_kit.catalogue.logs import LogFields
from sla_kit.elastic import Cluster, ClusterError
from sla_kit.error_tracking import track
from sla_kit.logs.mapping import properties
from tests.error_tracking.history import DAY, START, History, catalogue, causes, create, load, request
from tests.servers.elasticsearch import Elasticsearch

WINDOW = START + 20 * DAY, START + 21 * DAY


@pytest.fixture
def cluster(elastic: Elasticsearch) -> Iterator[Cluster]:
    found = Cluster(elastic.url, attempts=2)
    yield found
    found.close()


def history(keyed: bool = True, each: int = 150) -> History:
    draw, found = random.Random(9), History()
    for number in range(each * 4):
        found.error(draw, causes(4)[number % 4], START + (number + 0.5) * 21 * DAY / (each * 4), keyed=keyed, user="u")
    return found


def changed(**fields: dict[str, Any]) -> dict[str, Any]:
    """The usual mapping with other types, named with two underscores for a dot."""
    found = properties()
    for name, told in fields.items():
        *parents, last = name.split("__")
        place = found
        for parent in parents:
            place = place[parent]["properties"]
        place[last] = told
    return found


def found_kinds(report: Any) -> list[str]:
    return [finding.kind for finding in report.findings if finding.kind != "history-short"]


def test_an_index_that_is_missing_is_an_error_that_names_it(index: str, cluster: Cluster) -> None:
    for pattern in (index, f"{index}-*"):
        with pytest.raises(ClusterError, match=f"no index is called {index}") as told:
            track(cluster, catalogue(pattern), *WINDOW)
        assert told.value.status == 404


def test_a_closed_index_is_a_finding_beside_what_is_open(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    documents = history()
    for name in (f"{index}-a", f"{index}-b"):
        create(elastic.url, name)
        load(elastic.url, name, documents.documents)
    request(elastic.url, "POST", f"/{index}-b/_close")
    report = track(cluster, catalogue(f"{index}-*"), *WINDOW)
    assert report.total.value == documents.counts(*WINDOW).total()
    assert found_kinds(report) == ["closed-index"]
    with pytest.raises(ClusterError, match="no open index"):
        track(cluster, catalogue(f"{index}-b"), *WINDOW)
    both = [{"add": {"index": f"{index}-{name}", "alias": f"{index}-both"}} for name in "ab"]
    request(elastic.url, "POST", "/_aliases", {"actions": both})
    assert found_kinds(track(cluster, catalogue(f"{index}-both"), *WINDOW)) == ["closed-index"]
    listed = track(cluster, catalogue(f"{index}-a,{index}-missing"), *WINDOW)
    assert listed.total.value == report.total.value
    assert found_kinds(listed) == ["no-data"]


def test_an_index_without_the_fields_of_errors_is_named(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    documents = history()
    create(elastic.url, f"{index}-a")
    fields = properties()
    create(elastic.url, f"{index}-b", {"@timestamp": fields["@timestamp"], "service": fields["service"]})
    request(elastic.url, "PUT", f"/{index}-b/_mapping", {"dynamic": False})
    for name in (f"{index}-a", f"{index}-b"):
        load(elastic.url, name, documents.documents)
    report = track(cluster, catalogue(f"{index}-*"), *WINDOW)
    assert report.total.value == documents.counts(*WINDOW).total()
    (finding,) = (each for each in report.findings if each.kind == "field-missing")
    assert finding.message.startswith(f"{index}-b: no field log.level, error.type")


def test_an_index_with_other_types_is_left_out_and_named(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    documents = history()
    create(elastic.url, f"{index}-a", shards=2)
    create(elastic.url, f"{index}-b", changed(error__grouping_key={"type": "text"}))
    for name in (f"{index}-a", f"{index}-b"):
        load(elastic.url, name, documents.documents)
    report = track(cluster, catalogue(f"{index}-*"), *WINDOW)
    assert {(group.service, group.key): group.count.value for group in report.groups} == documents.counts(*WINDOW)
    assert report.total.value == documents.counts(*WINDOW).total()
    assert found_kinds(report) == ["mapping-conflict"]
    assert f"{index}-b" in next(each for each in report.findings if each.kind == "mapping-conflict").message


def test_a_text_with_a_subfield_keyword_is_grouped_by_it(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    text = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    documents = history()
    create(elastic.url, index, changed(error__grouping_key=text, service__name=text, error__type=text, user__id=text))
    load(elastic.url, index, documents.documents)
    report = track(cluster, catalogue(index), *WINDOW)
    assert {(group.service, group.key): group.count.value for group in report.groups} == documents.counts(*WINDOW)
    assert all(group.users is not None and group.users.value == 1 for group in report.groups)
    assert found_kinds(report) == []


def test_a_key_that_is_only_text_is_still_the_group_s(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    documents = history()
    create(elastic.url, index, changed(error__grouping_key={"type": "text"}))
    load(elastic.url, index, documents.documents)
    report = track(cluster, catalogue(index), *WINDOW)
    assert {(group.service, group.key): group.count.value for group in report.groups} == documents.counts(*WINDOW)
    assert found_kinds(report) == ["field-missing"]


def test_without_a_service_errors_are_of_none(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    documents = history()
    create(elastic.url, index)
    load(elastic.url, index, [{**each, "service": {"version": "1"}} for each in documents.documents])
    other = catalogue(index, fields=LogFields(service="service.alias"))
    report = track(cluster, other, *WINDOW)
    assert report.total.value == documents.counts(*WINDOW).total()
    assert {group.service for group in report.groups} == {""}
    assert sum(group.count.value for group in report.groups) == report.total.value
    assert found_kinds(report) == ["field-missing"]
    with pytest.raises(ClusterError, match="services can't be told apart"):
        track(cluster, other, *WINDOW, services=["api"])


def test_an_index_without_the_field_of_time_is_an_error(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    create(elastic.url, index)
    with pytest.raises(ClusterError, match="no index has the field when"):
        track(cluster, catalogue(index, fields=LogFields(time="when")), *WINDOW)


def test_an_empty_index_has_no_errors(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    create(elastic.url, index)
    report = track(cluster, catalogue(index), *WINDOW)
    assert report.total.value == report.documents.value == 0
    assert report.groups == ()


def test_a_status_that_is_a_word_is_left_out(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    create(elastic.url, index, changed(http__response__status_code={"type": "keyword"}))
    load(elastic.url, index, history().documents)
    with pytest.raises(ClusterError, match="status_code is keyword"):
        track(cluster, catalogue(index), *WINDOW)


def test_a_wrong_query_of_errors_is_named(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    create(elastic.url, index)
    load(elastic.url, index, history().documents)
    with pytest.raises(ClusterError, match="count errors"):
        track(cluster, catalogue(index, query="log.level:(error"), *WINDOW)
