"""Errors of logs that go wrong: counts are right, or it is told that they are not, and the command leaves with 2."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch as Client

from tests.logs_faults.setting import DAYS, Document, Place, bad, holds, store, store_both
from tests.servers import Elasticsearch
from tests.servers.elasticsearch.faults import Change, failed_shards, faulty, timed_out

pytestmark = pytest.mark.timeout(900)
BOTH = [*DAYS[0], *DAYS[1]]


@pytest.fixture
def place(tmp_path: Path, index: str) -> Place:
    return Place(tmp_path, index, errors=True)


def rejected(answer: dict[str, Any]) -> None:
    """A search that the node had no room for."""
    cause = {"type": "es_rejected_execution_exception", "reason": "the queue is full"}
    answer.clear()
    answer.update({"error": {"root_cause": [cause], **cause}, "status": 429})


def counted(document: dict[str, Any] | None, documents: Iterable[Document]) -> None:
    """Its counts are those of a count by hand, all in one group."""
    assert document is not None
    count = bad(documents)
    assert document["total"]["value"] == count
    assert [group["count"]["value"] for group in document["groups"]] == [count]


def test_a_whole_node_tells_the_true_counts(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    told = place.report(elastic.url)
    holds(told)
    assert told.document is not None
    counted(told.document["errors"], BOTH)
    errors = place.errors_of(elastic.url, window="1d")
    counted(errors.document, DAYS[1])
    assert errors.done.returncode == 0, errors.done.stderr


def test_refusals_that_pass_change_no_count(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.alter(rejected, times=3, only="_msearch")
        proxy.refuse(429, times=2, retry_after=0.1, only="_msearch")
        proxy.cut(after=100, only="_msearch")
        errors = place.errors_of(proxy.url, window="1d")
        asked_gently = [one.path for one in proxy.seen if "max_concurrent_shard_requests=1" in one.path]
    counted(errors.document, DAYS[1])
    assert errors.done.returncode == 0, errors.done.stderr
    assert asked_gently


def test_a_refusal_that_stays_is_an_error_and_no_count(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.refuse(429, times=None, retry_after=0.1, only="_msearch")
        errors = place.errors_of(proxy.url)
    assert (errors.done.returncode, errors.document) == (2, None)
    assert "429" in errors.done.stderr
    assert "Traceback" not in errors.done.stderr


def test_a_report_stands_without_the_errors_that_it_could_not_read(
    elastic: Elasticsearch, tmp_path: Path, index: str
) -> None:
    store_both(elastic.url, index)
    with faulty(elastic.url) as proxy:
        holds(Place(tmp_path, index).report(proxy.url))
        of_figures = proxy.count("_msearch")
        proxy.refuse(429, times=None, retry_after=0.1, only="_msearch", skip=of_figures)
        told = Place(tmp_path, index, errors=True).report(proxy.url)
    holds(told)
    assert told.document is not None
    assert not told.document.get("errors")
    assert "errors-unread" in {one["kind"] for one in told.findings()}
    assert "429" in told.said


@pytest.mark.parametrize("change", [failed_shards(1, 5), timed_out], ids=["failed-shards", "timed-out"])
def test_counts_of_a_part_say_so(elastic: Elasticsearch, place: Place, change: Change) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.alter(change, times=None, only="_msearch")
        errors = place.errors_of(proxy.url)
    assert errors.done.returncode == 2
    assert "partial-answer" in errors.kinds
    assert errors.document is not None
    assert not any("new" in group["kinds"] for group in errors.document["groups"])


def test_a_closed_index_is_named_and_not_counted(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.close(index=f"{place.index}-1")
    errors = place.errors_of(elastic.url)
    counted(errors.document, DAYS[0])
    assert errors.done.returncode == 2
    assert "closed-index" in errors.kinds


def test_only_closed_indices_are_an_error(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.close(index=f"{place.index}-0,{place.index}-1")
    errors = place.errors_of(elastic.url)
    assert (errors.done.returncode, errors.document) == (2, None)
    assert "no open index" in errors.done.stderr


@pytest.mark.parametrize(("field", "kind"), [("error.grouping_key", "text"), ("error.type", "text")])
def test_a_field_of_another_type_is_named(elastic: Elasticsearch, place: Place, field: str, kind: str) -> None:
    store(elastic.url, f"{place.index}-0", DAYS[0])
    store(elastic.url, f"{place.index}-1", DAYS[1], change={field: kind})
    errors = place.errors_of(elastic.url)
    assert errors.done.returncode == 2
    assert errors.document is not None
    (conflict,) = [one for one in errors.document["findings"] if one["kind"] == "mapping-conflict"]
    assert field in conflict["message"]
    assert f"{place.index}-1" in conflict["message"]
    # What can't be grouped is left out; what can't be shown is counted all the same.
    counted(errors.document, DAYS[0] if field == "error.grouping_key" else BOTH)
