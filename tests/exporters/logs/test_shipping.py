"""How late documents arrive, who is silent, whose clock is ahead; and how much is stored."""

from __future__ import annotations

import json
import random
import statistics
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.logs.shipping import ShippingCollector, nearest_rank
from sla_kit.exporters.logs.volume import VolumeCollector, stream_of
from sla_kit.exporters.sidecar.collector import CollectError
from tests.exporters.logs.node import MAPPING, collected, collector, configured, create, document, send, write
from tests.exporters.sidecar.sidecars import eventually
from tests.servers.elasticsearch import Elasticsearch

NOW = 1_790_000_000.0
LAG, SAMPLED = "sla_logs_shipping_lag_seconds", "sla_logs_shipping_sampled_documents"
NEWEST, FUTURE = "sla_logs_newest_document_timestamp_seconds", "sla_logs_future_documents"


def test_the_lag_of_all_documents_of_the_window(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    chance = random.Random(5)
    path = configured(tmp_path, elastic.url, index)
    create(elastic.url, index)
    lags = {name: [round(chance.expovariate(0.2), 3) for _ in range(150)] for name in ("api", "web")}
    written = []
    for name, each in lags.items():
        for lag in each:
            arrived = NOW - chance.uniform(0, 299)
            written.append(document(arrived - lag, name, ingested=arrived))
    before = [document(NOW - 4000, ingested=NOW - 310), document(NOW - 10)]
    write(elastic.url, index, [*written, *before])
    found = collected(collector(path, ShippingCollector, NOW))
    assert found[SAMPLED] == {("api",): 150, ("web",): 150}
    for name, each in lags.items():
        for percentile in (50, 90, 99):
            exact = sorted(each)[-(-percentile * 150 // 100) - 1]
            assert found[LAG][name, str(percentile)] == pytest.approx(exact, abs=0.002)


def test_a_sample_is_taken_by_chance(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "shipping: {sample: 400}\n")
    create(elastic.url, index)
    # The later ones are far slower: a sample of the newest would see but these.
    written = [document(NOW - 290 + n / 10 - n // 100, ingested=NOW - 290 + n / 10) for n in range(2_000)]
    write(elastic.url, index, written)
    found = collected(collector(path, ShippingCollector, NOW))
    assert found[SAMPLED] == {("api",): 400}
    # The median of 400 of 20 values that are as frequent each: 10 ± 5 standard errors of 0.6.
    assert 6 <= found[LAG]["api", "50"] <= 13
    assert statistics.median(n // 100 for n in range(2_000)) == 9.5


def test_the_newest_and_the_future(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index)
    create(elastic.url, index)
    ages = {"api": [5, 900], "web": [3600], "gone": [2 * 86400], "ahead": [7, -3600, -7200], "hardly": [-30]}
    write(elastic.url, index, [document(NOW - age, name) for name, each in ages.items() for age in each])
    found = collected(collector(path, ShippingCollector, NOW))
    assert found[NEWEST] == {("api",): NOW - 5, ("web",): NOW - 3600, ("ahead",): NOW - 7}
    assert found[FUTURE] == {("api",): 0, ("web",): 0, ("ahead",): 2}
    assert found[LAG] == found[SAMPLED] == {}, "nothing tells when these arrived"


def test_how_much_is_stored(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index)
    for part, count in (("shop-2026.11.26", 3), ("shop-2026.11.27", 4), ("web", 5)):
        create(elastic.url, index, part=part)
        write(elastic.url, index, [document(NOW)] * count, part=part)
    template = {"index_patterns": [f"{index}-stream"], "data_stream": {}, "template": {"mappings": MAPPING}}
    send(elastic.url, "PUT", f"/_index_template/{index}-stream", {**template, "priority": 500})
    write(elastic.url, index, [document(NOW)], part="stream")
    looking = collector(path, VolumeCollector)
    # A node that was asked for the size of the empty index goes on saying it for ten seconds.
    found = eventually(lambda: collected(looking), lambda one: min(one["sla_logs_stored_bytes"].values()) > 500)
    streams = {"shop": 7, "web": 5, "stream": 1}
    assert found["sla_logs_stored_documents"] == {(f"{index}-{name}",): count for name, count in streams.items()}
    assert found["sla_logs_stored_bytes"].keys() == found["sla_logs_stored_documents"].keys()


@pytest.mark.parametrize(
    ("index", "stream"),
    [
        (".ds-logs-shop.web-production-2026.11.27-000012", "logs-shop.web-production"),
        ("logs-shop-2026.11.27", "logs-shop"),
        ("logs-shop-2026-11-27", "logs-shop"),
        ("logs-shop-2026.11", "logs-shop"),
        ("logs-shop-000001", "logs-shop"),
        ("logs-1984", "logs-1984"),
        ("logs", "logs"),
    ],
)
def test_indices_of_a_stream_are_one(index: str, stream: str) -> None:
    assert stream_of(index) == stream


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.01, 1))
def test_at_least_that_share_is_not_above_a_percentile(values: list[float], share: float) -> None:
    found = nearest_rank(values, share)
    assert found in values
    assert sum(each <= found for each in values) >= share * len(values) - 1e-9
    assert sum(each < found for each in values) < share * len(values)


def test_buckets_without_their_newest_document_are_told(tmp_path: Path) -> None:
    buckets = [{"key": {"0": "shop"}, "doc_count": 1}]
    shards = {"total": 1, "successful": 1, "failed": 0}

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"_shards": shards, "aggregations": {"rows": {"buckets": buckets}}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = configured(tmp_path, f"http://127.0.0.1:{server.server_port}", "logs-odd")
        try:
            with pytest.raises(CollectError, match="no search's answer"):
                collected(collector(path, ShippingCollector, NOW))
        finally:
            server.shutdown()
