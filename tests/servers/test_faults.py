"""The proxy before Elasticsearch does what it is told, and nothing else."""

from __future__ import annotations

import elasticsearch
import pytest
from elasticsearch import Elasticsearch as Client

from tests.servers import Elasticsearch
from tests.servers.elasticsearch.faults import failed_shards, faulty, timed_out


def test_faults_are_met_in_turn_and_then_all_is_well(elastic: Elasticsearch, index: str) -> None:
    with faulty(elastic.url) as proxy, Client(proxy.url, max_retries=0, request_timeout=60) as client:
        client.index(index=index, document={"n": 1}, refresh=True)
        assert client.count(index=index)["count"] == 1

        proxy.refuse(429, times=2, retry_after=7, only="_count")
        for _ in range(2):
            with pytest.raises(elasticsearch.ApiError) as refused:
                client.count(index=index)
            assert (refused.value.meta.status, refused.value.meta.headers["retry-after"]) == (429, "7")
        assert client.count(index=index)["count"] == 1

        proxy.cut(only="_count")
        with pytest.raises(elasticsearch.ConnectionError):
            client.count(index=index)
        proxy.cut(after=5, only="_count")
        with pytest.raises(elasticsearch.ConnectionError):
            client.count(index=index)

        proxy.delay(120, only="_count")
        with pytest.raises(elasticsearch.ConnectionTimeout):
            client.options(request_timeout=0.3).count(index=index)

        proxy.alter(failed_shards(2), only="_msearch", skip=1)
        proxy.alter(timed_out, only="_msearch")
        asks: list[dict[str, object]] = [{"index": index}, {"size": 0}] * 2
        found = [client.msearch(searches=asks)["responses"] for _ in range(4)]
        failed = [[each["_shards"]["failed"] for each in responses] for responses in found]
        assert failed == [[0, 0], [2, 2], [0, 0], [0, 0]]
        late = [[each["timed_out"] for each in responses] for responses in found]
        assert late == [[True, True], [False, False], [False, False], [False, False]]
        assert proxy.count("_count") == 7
        assert proxy.count("_msearch") == 4
