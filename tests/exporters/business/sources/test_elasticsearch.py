"""Counts from a real Elasticsearch, and from answers that it gives when it is not whole."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.business.sources.elasticsearch import ElasticsearchQuestion as Asks
from sla_kit.exporters.business.sources.elasticsearch import ElasticsearchSource
from tests.exporters.business.sources.asking import answering, changed, mistakes, refusal, rows, trickling
from tests.servers import Elasticsearch
from tests.servers.elasticsearch.clearing import clear, fresh_name
from tests.servers.process import refusing_port

pytestmark = pytest.mark.xdist_group("business_elasticsearch")
EVENTS, MANY, BROKEN = fresh_name(), fresh_name(), fresh_name()
NOW = time.time()
DOCUMENTS: list[dict[str, Any]] = [
    {
        "@timestamp": int((NOW - 60 * number) * 1000),
        "user": f"u{number % 7}",
        "plan": ["free", "pro"][number % 2],
        "paid": number % 3 == 0,
        **({"country": "de"} if number % 5 == 0 else {}),
    }
    for number in range(100)
]


@pytest.fixture(scope="module")
def source(elastic: Elasticsearch) -> Iterator[ElasticsearchSource]:
    fields = {"user": "keyword", "plan": "keyword", "country": "keyword", "paid": "boolean", "@timestamp": "date"}
    properties = {name: {"type": kind} for name, kind in fields.items()}
    one = {"settings": {"number_of_shards": 2, "number_of_replicas": 0}, "mappings": {"properties": properties}}
    send(elastic.url, "PUT", f"/{EVENTS}-1", one)
    lines: list[Any] = [line for each in DOCUMENTS for line in ({"index": {"_index": f"{EVENTS}-1"}}, each)]
    lines += [line for n in range(1_500) for line in ({"index": {"_index": MANY}}, {"n": n})]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    found = send(elastic.url, "POST", "/_bulk?refresh=true", body)
    assert not found["errors"]
    yield ElasticsearchSource(url=elastic.url)
    for name in (EVENTS, MANY, BROKEN):
        clear(elastic.url, name)


def send(url: str, method: str, path: str, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        url + path, data=data, method=method, headers={"Content-Type": "application/x-ndjson"}
    )
    if not isinstance(body, bytes):
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_documents_are_counted(source: ElasticsearchSource) -> None:
    assert rows(source, Asks(index=f"{EVENTS}-*")) == [{"value": 100.0}]
    assert rows(source, Asks(index=f"{EVENTS}-1", query={"term": {"plan": "pro"}})) == [{"value": 50.0}]
    assert rows(source, Asks(index=f"{EVENTS}-1", query={"term": {"plan": "none"}})) == [{"value": 0.0}]


def test_the_window_is_told_or_bound(source: ElasticsearchSource) -> None:
    def within() -> float:
        return float(sum(each["@timestamp"] > (time.time() - window) * 1000 for each in DOCUMENTS))

    window = 600.0 + time.time() - NOW  # it may be long since this was read
    before = within()
    assert before > 5
    ((_, found),) = rows(source, Asks(index=f"{EVENTS}-1", window=window))[0].items()
    assert before >= found >= within()
    assert rows(source, Asks(index=f"{EVENTS}-1"), window_seconds=86400.0) == [{"value": 100.0}]


def test_values_of_fields_are_labels(source: ElasticsearchSource) -> None:
    found = rows(source, Asks(index=f"{EVENTS}-1", labels={"tier": "plan", "country": "country"}))
    assert {(row["tier"], row["country"]): row["value"] for row in found} == {
        ("free", ""): 40.0,
        ("free", "de"): 10.0,
        ("pro", ""): 40.0,
        ("pro", "de"): 10.0,
    }
    paid = rows(source, Asks(index=f"{EVENTS}-1", labels={"paid": "paid"}))
    assert {row["paid"]: row["value"] for row in paid} == {"true": 34.0, "false": 66.0}


def test_different_values_are_counted(source: ElasticsearchSource) -> None:
    assert rows(source, Asks(index=f"{EVENTS}-1", distinct="user")) == [{"value": 7.0}]
    found = rows(source, Asks(index=f"{EVENTS}-1", distinct="user", labels={"plan": "plan"}))
    assert {row["plan"]: row["value"] for row in found} == {"free": 7.0, "pro": 7.0}


def test_all_pages_of_rows_are_read_and_too_many_are_an_error(source: ElasticsearchSource) -> None:
    found = rows(source, Asks(index=MANY, labels={"n": "n"}))
    assert {row["n"] for row in found} == {str(number) for number in range(1_500)}
    told = refusal(source, Asks(index=MANY, labels={"n": "n"}, max_rows=1_499))
    assert (told.kind, "more than 1499 rows" in told.message) == ("data", True)


def test_what_is_not_there_is_an_error_and_no_zero(source: ElasticsearchSource) -> None:
    assert refusal(source, Asks(index=f"{EVENTS}-2")).kind == "query"
    assert refusal(source, Asks(index=f"{EVENTS}-nothing-*")).kind == "query"
    told = refusal(source, Asks(index=f"{EVENTS}-1", query={"termm": {"plan": "pro"}}))
    assert told.kind == "query"
    assert "termm" in told.message


def test_a_failing_shard_is_an_error_and_no_low_number(source: ElasticsearchSource) -> None:
    # A range on a field that is a keyword there and a date elsewhere fails on one index only.
    properties = {"@timestamp": {"type": "geo_point"}}
    send(source.url, "PUT", f"/{BROKEN}", {"mappings": {"properties": properties}})
    told = refusal(source, Asks(index=f"{EVENTS}-1,{BROKEN}", window=600.0))
    assert told.kind == "data"
    assert "shards" in told.message


@contextmanager
def speaking(status: int, body: Any, seen: list[dict[str, str]] | None = None, encoding: str = "") -> Iterator[str]:
    """A server that gives one answer to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if seen is not None:
                seen.append(dict(self.headers))
            self.rfile.read(int(self.headers["Content-Length"]))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if encoding:
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


WHOLE = {"timed_out": False, "_shards": {"total": 2, "failed": 0}, "hits": {"total": {"value": 3, "relation": "eq"}}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {**WHOLE, "timed_out": True}, "data"),
        (200, {**WHOLE, "_shards": {"total": 2, "failed": 1, "failures": []}}, "data"),
        (200, {**WHOLE, "_clusters": {"total": 2, "skipped": 1}}, "data"),
        (200, b"<html>", "data"),
        (200, [], "data"),
        (200, {**WHOLE, "_shards": {"total": 0, "failed": 0}}, "data"),
        (200, {**WHOLE, "hits": {"total": 3}}, "data"),
        (200, {**WHOLE, "hits": {}}, "data"),
        (503, {"error": {"type": "search_phase_execution_exception", "reason": "all shards failed"}}, "data"),
        (503, {"error": {"type": "cluster_block_exception", "reason": "no master"}}, "connect"),
        (429, {}, "connect"),
        (401, {}, "auth"),
        (403, {}, "auth"),
        (302, {}, "connect"),
        (504, b"gateway", "timeout"),
    ],
)
def test_each_bad_answer_has_its_kind(status: int, body: Any, kind: str) -> None:
    with speaking(status, body) as url:
        assert refusal(ElasticsearchSource(url=url), Asks(index="events")).kind == kind


def test_keys_and_passwords_are_sent_and_never_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("very-secret")
    secret = Secret(file=str(tmp_path / "secret"))
    seen: list[dict[str, str]] = []
    with speaking(200, WHOLE, seen) as url:
        assert rows(ElasticsearchSource(url=url, api_key=secret), Asks(index="a")) == [{"value": 3.0}]
        assert rows(ElasticsearchSource(url=url, username="ada", password=secret), Asks(index="a")) == [{"value": 3.0}]
    assert seen[0]["Authorization"] == "ApiKey very-secret"
    assert seen[1]["Authorization"] == "Basic " + base64.b64encode(b"ada:very-secret").decode()
    with speaking(401, {}) as url:
        told = refusal(ElasticsearchSource(url=url, api_key=secret), Asks(index="a"))
    assert told.kind == "auth"
    assert "very-secret" not in str(told)
    (tmp_path / "secret").write_text("two\nlines")
    assert refusal(ElasticsearchSource(url=url, api_key=secret), Asks(index="a")).kind == "auth"


def test_nobody_there_a_silent_server_and_too_long_an_answer() -> None:
    with refusing_port() as port:
        assert refusal(ElasticsearchSource(url=f"http://127.0.0.1:{port}"), Asks(index="a")).kind == "connect"
    with answering(b"") as port:
        told = refusal(ElasticsearchSource(url=f"http://127.0.0.1:{port}"), Asks(index="a"), seconds=0.3)
        assert told.kind == "timeout"
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") as port:
        told = refusal(ElasticsearchSource(url=f"http://127.0.0.1:{port}"), Asks(index="a"), seconds=0.3)
        assert told.kind == "timeout"
    with trickling(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000) as port:
        told = refusal(ElasticsearchSource(url=f"http://127.0.0.1:{port}"), Asks(index="a"), seconds=0.5)
        assert told.kind == "timeout"
    with answering(b"no HTTP at all\r\n\r\n") as port:
        assert refusal(ElasticsearchSource(url=f"http://127.0.0.1:{port}"), Asks(index="a")).kind == "connect"
        assert refusal(ElasticsearchSource(url=f"https://127.0.0.1:{port}"), Asks(index="a")).kind == "connect"
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", hangs_up=True) as port:
        assert refusal(ElasticsearchSource(url=f"http://127.0.0.1:{port}"), Asks(index="a")).kind == "connect"
    with speaking(200, b" " * (17 * 1024 * 1024)) as url:
        told = refusal(ElasticsearchSource(url=url), Asks(index="a"))
        assert (told.kind, "16 MiB" in told.message) == ("data", True)
    with speaking(200, b"no gzip", encoding="gzip") as url:
        assert refusal(ElasticsearchSource(url=url), Asks(index="a")).kind == "data"


def test_mistakes_of_the_configuration() -> None:
    good = ElasticsearchSource(url="https://search:9200")
    assert mistakes(good, Asks(index="a", labels={"plan": "plan.keyword"}), "window", "window_seconds") == []
    assert len(mistakes(changed(good, url="ftp://search"))) == 1
    assert len(mistakes(changed(good, url="http://search", ca_file="ca.pem"))) == 1
    assert len(mistakes(changed(good, username="ada"))) == 1
    assert len(mistakes(changed(good, api_key=Secret()))) == 1
    assert len(mistakes(good, Asks(index=" "))) == 1
    assert len(mistakes(good, Asks(index="a", labels={"value": "plan"}))) == 1
    assert len(mistakes(good, Asks(index="a", labels={"0": "plan"}))) == 1
    assert len(mistakes(good, Asks(index="a", window=0.0))) == 1
    assert good.columns(Asks(index="a", labels={"plan": "p"})) == frozenset({"plan", "value"})
