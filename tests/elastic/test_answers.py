"""Answers that no Elasticsearch gives: each is an error, and none is taken for no documents."""

from __future__ import annotations

from typing import Any

import pytest

from sla_kit.elastic import Cluster, ClusterError
from sla_kit.elastic.answers import responses, sound
from tests.elastic.scripted import Answer, scripted

_SHARDS = {"total": 1, "successful": 1, "failed": 0}
_GOOD: dict[str, Any] = {"status": 200, "_shards": _SHARDS, "aggregations": {}, "hits": {"total": {"value": 3}}}
_DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    "body",
    [[], None, "x", b'{"count": NaN}', b'{"count": -Infinity}', b'{"count": ' + _DEEP + b"}"],
    ids=["list", "null", "text", "nan", "infinite", "deep"],
)
def test_what_is_no_object_is_no_answer(body: object) -> None:
    with scripted([Answer(body)]) as server, pytest.raises(ClusterError) as failed:
        Cluster(server.url).ask("count", lambda es: es.info(), attempts=1)
    assert failed.value.kind == "connect"


def test_a_page_of_a_proxy_is_no_answer() -> None:
    with scripted([Answer(b"<html>", kind="text/html")]) as server, pytest.raises(ClusterError, match="no Elastic"):
        Cluster(server.url).ask("count", lambda es: es.info(), attempts=1)


def test_an_error_under_the_status_of_success_is_one() -> None:
    error = {"error": {"type": "x", "reason": "no shard, password=hunter2"}, "status": 503}
    with scripted([Answer(error)]) as server, pytest.raises(ClusterError, match="no shard") as failed:
        Cluster(server.url).ask("count", lambda es: es.info(), attempts=1)
    assert "hunter2" not in str(failed.value)


def test_answers_as_they_should_be_are_taken() -> None:
    some = [_GOOD, {"error": {"type": "x"}, "status": 404}, {**_GOOD, "_clusters": {"total": 2, "skipped": 1}}]
    assert responses({"responses": some}, 3, "es") == some


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        {},
        {"status": "abc", "error": "boom"},
        {"error": 5},
        {**_GOOD, "_shards": None},
        {**_GOOD, "_shards": {"total": -1}},
        {**_GOOD, "_shards": {"total": 1, "failed": "x"}},
        {**_GOOD, "_shards": {**_SHARDS, "failures": "boom"}},
        {**_GOOD, "_shards": {**_SHARDS, "failures": ["boom"]}},
        {**_GOOD, "hits": {"total": {"value": -5}}},
        {**_GOOD, "hits": {"hits": [5]}},
        {**_GOOD, "aggregations": []},
        {**_GOOD, "pit_id": 5},
        {**_GOOD, "_clusters": 5},
    ],
    ids=range(15),
)
def test_an_answer_of_another_shape_is_an_error(wrong: object) -> None:
    with pytest.raises(ClusterError, match="is none"):
        responses({"responses": [_GOOD, wrong]}, 2, "es")


@pytest.mark.parametrize("found", [[], {}, {"responses": "x"}, {"responses": []}], ids=range(4))
def test_fewer_answers_than_questions_are_an_error(found: object) -> None:
    with pytest.raises(ClusterError, match="is none"):
        responses(found, 1, "es")


def test_aggregations_hold_counts() -> None:
    assert sound({"buckets": [{"key": {"a": -5}, "doc_count": 2, "first": {"value": -1.5}}], "after_key": {"a": -5}})
    assert sound({"buckets": {"a": {"doc_count": 0}}})
    for wrong in (-1, 1.5, None, "x", float("inf"), True):
        assert not sound({"buckets": [{"key": 1, "doc_count": 1, "inner": {"buckets": [{"doc_count": wrong}]}}]})
    assert not sound({"buckets": "x"})
    assert not sound({"buckets": [5]})
