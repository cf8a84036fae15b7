"""Searches that a cluster had no room for, or never answered: asked again more gently, then unknown and never none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers.elasticsearch import Elasticsearch
from tests.servers.elasticsearch.faults import faulty
from tests.sources.elasticsearch.documents import START, events, grid, latency, put, read, request, told


def _rejected(answer: dict[str, Any]) -> None:
    """No room for a search."""
    cause = {"type": "es_rejected_execution_exception", "reason": "the queue is full"}
    answer.clear()
    answer.update({"error": {"root_cause": [cause], **cause}, "status": 429})


def test_what_has_no_room_is_asked_for_one_at_a_time(elastic: Elasticsearch, index: str) -> None:
    put(elastic.url, index, [request(START + 5 * at, 500 if at % 10 == 0 else 200) for at in range(1, 121)])
    with faulty(elastic.url) as proxy:
        proxy.alter(_rejected, times=6, only="_msearch")  # oftener than other failures are met with patience
        found = read(proxy.url, events(index), grid(10))
        searches = [one.path for one in proxy.seen if "_msearch" in one.path]
    assert (found.total.sum(), found.bad.sum(), found.coverage.sum()) == (120, 12, 10)
    assert not found.findings
    assert "max_concurrent_shard_requests" not in searches[0]
    assert all("max_concurrent_shard_requests=1" in one and "max_concurrent_searches=1" in one for one in searches[1:])


@pytest.mark.parametrize("kind", ["events", "latency"])
def test_what_is_not_known_is_neither_none_nor_counted(elastic: Elasticsearch, index: str, kind: str) -> None:
    put(elastic.url, index, [request(START + 5 * at, 500, seconds=0.3) for at in range(1, 121)])
    with faulty(elastic.url) as proxy:
        proxy.alter(_rejected, times=None, only="_msearch")
        found = read(proxy.url, events(index) if kind == "events" else latency(index), grid(10))
    assert not found.coverage.any()
    assert not found.total.any()
    assert {one.kind for one in found.findings} == {"partial-answer"}
    assert "429" in told(found, "partial-answer")[0].message
