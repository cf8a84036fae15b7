"""Points in time, and what is said where searches on them fail: by figures and by errors alike."""

from __future__ import annotations

from elasticsearch import Elasticsearch as Client

from sla_kit.elastic import Cluster
from sla_kit.elastic.failures import reason_of, share_of
from sla_kit.elastic.points import at_point, close_point, is_lost, open_point
from sla_kit.redacting import remember_secret
from tests.elastic.scripted import Answer, scripted
from tests.servers.elasticsearch import Elasticsearch


def test_a_point_sees_the_same_until_it_is_closed_and_is_lost_then(elastic: Elasticsearch, index: str) -> None:
    cluster = Cluster(elastic.url)
    cluster.client.index(index=index, document={"n": 1}, refresh=True)
    point = open_point(cluster, index)
    cluster.client.index(index=index, document={"n": 2}, refresh=True)
    search = at_point({"size": 0, "track_total_hits": True}, point)

    def ask(client: Client) -> object:
        return client.msearch(searches=[{}, search])

    assert cluster.ask("search", ask)["responses"][0]["hits"]["total"]["value"] == 1
    close_point(cluster, point)
    assert is_lost(cluster.ask("search", ask)["responses"][0]["error"])
    close_point(cluster, point)  # that it is gone already is no error
    cluster.close()


def test_what_keeps_a_point_from_being_closed_is_no_error() -> None:
    with scripted([Answer({"error": "no"}, status=500)]) as server:
        close_point(Cluster(server.url), "some")
    close_point(Cluster("elasticsearch+http://127.0.0.1:9"), "some")


def test_shards_that_fail_are_told_with_the_index_where_each_reason_is_found_first() -> None:
    failures = [
        {"shard": 0, "index": name, "status": 400, "reason": {"type": "x", "reason": reason}}
        for name, reason in (("web-1", "no such field"), ("web-2", "no such field"), ("web-3", "out of memory"))
    ]
    share, reason = share_of({"total": 6, "successful": 3, "failed": 3}, {}, failures)
    assert share == 0.5
    assert reason == "3 of 6 shards did not answer; web-1: no such field; web-3: out of memory"
    assert not is_lost(failures)
    assert is_lost([*failures, {"reason": {"type": "search_context_missing_exception"}}])


def test_half_a_secret_is_not_told() -> None:
    secret = "s3cr3t-" * 8
    remember_secret(secret)
    assert "s3cr3t" not in reason_of({"type": "x", "reason": "a" * 170 + " " + secret})
