"""What a running exporter answers, over a real socket."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from tests.exporters.sidecar.sidecars import Sidecar, connected, sidecar
from tests.servers import prometheus_versions, promtool

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    config = """
push: true
collectors:
  - {name: good, series: 50}
  - {name: down, does: fail, text: "postgresql://shop:hunter2-secret@db refused"}
  - {name: hung, does: hang, timeout: 1s}
  - {name: leaves, does: raise, error: SystemExit}
  - {name: interrupts, does: raise, error: KeyboardInterrupt}
  - {name: exhausts, does: raise, error: MemoryError}
"""
    with sidecar(tmp_path_factory.mktemp("told"), config) as running:
        yield running


def test_the_classic_text_is_what_its_parser_reads(told: Sidecar) -> None:
    answer = told.ask()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert "content-encoding" not in answer.headers
    families = {family.name: family for family in text_families(answer.text)}
    assert len(families["told_value"].samples) == 50


def test_openmetrics_is_what_its_parser_reads(told: Sidecar) -> None:
    answer = told.ask(accept=OPENMETRICS)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("# EOF\n")
    families = {family.name: family for family in openmetrics_families(answer.text)}  # type: ignore[no-untyped-call]
    assert len(families["told_value"].samples) == 50
    assert families["told_things"].type == "counter"


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_gzip_holds_the_same(told: Sidecar, accept: str) -> None:
    answer = told.ask(accept=accept, accept_encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) == int(answer.headers["content-length"])
    text = gzip.decompress(answer.body).decode()
    assert 'told_value{collector="good",number="49"} 1.0\n' in text
    assert len(answer.body) < len(text)


@pytest.mark.parametrize("version", prometheus_versions())
def test_promtool_has_nothing_to_say(told: Sidecar, version: str) -> None:
    done = subprocess.run(
        [promtool(version), "check", "metrics"], input=told.ask().body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
def test_head_is_get_without_its_body(told: Sidecar, path: str) -> None:
    head, got = told.ask(path, "HEAD"), told.ask(path)
    assert (head.status, got.status) == (200, 200)
    assert head.body == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "FOO"])
def test_other_methods_are_405_and_say_which_are_not(told: Sidecar, path: str, method: str) -> None:
    answer = told.ask(path, method)
    assert answer.status == 405
    assert {each.strip() for each in answer.headers["allow"].split(",")} == {"GET", "HEAD"}
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path", ["/none", "/metricsx", "/healthz/x", "/%2e%2e/etc/passwd", "/" + "x" * 4000], ids=range(5)
)
def test_other_paths_are_404_in_plain_text(told: Sidecar, path: str) -> None:
    answer = told.ask(path)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_front_page_leads_to_the_metrics(told: Sidecar) -> None:
    answer = told.ask("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/metrics"' in answer.text
    assert "server" not in answer.headers


def test_what_collectors_do_harms_no_other(told: Sidecar) -> None:
    found = told.until(lambda seen: seen.get(("sla_exporter_errors_total", "exhausts", "internal"), 0) >= 1)
    assert found["sla_exporter_collector_up", "good"] == 1
    for name in ("down", "hung", "leaves", "interrupts", "exhausts"):
        assert found["sla_exporter_collector_up", name] == 0
    assert found["sla_exporter_errors_total", "down", "connect"] >= 1
    assert found["sla_exporter_errors_total", "hung", "timeout"] >= 1
    assert found["sla_exporter_errors_total", "leaves", "internal"] >= 1
    assert found["sla_exporter_errors_total", "interrupts", "internal"] >= 1


def test_a_mistake_in_a_route_is_500_and_logged_without_its_secret(told: Sidecar) -> None:
    answer = told.ask("/break", x_secret="hunter2-secret")
    assert (answer.status, answer.text) == (500, "Internal Server Error")
    assert "RuntimeError" in told.logged("RuntimeError")
    assert "hunter2-secret" not in told.log.read_text()


def test_this_machine_may_send_data_and_a_page_in_its_browser_may_not(told: Sidecar) -> None:
    assert told.ask("/push", "POST", b"12345").text == "took 5 bytes\n"
    assert told.ask("/push", "POST", b"12345", origin="https://evil.example").status == 403
    assert told.ask("/push", "POST", b"12345", sec_fetch_site="cross-site").status == 403


def test_nobody_is_somebody_else_by_saying_so(told: Sidecar) -> None:
    assert told.ask("/push", "POST", b"1", x_forwarded_for="10.0.0.1", x_forwarded_proto="https").status == 200


def test_a_body_that_is_too_large_is_refused(told: Sidecar) -> None:
    with connected(told.port) as client:
        client.sendall(b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
    with connected(told.port) as client:
        client.sendall(b"POST /push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        try:
            for _ in range(8):
                client.sendall(chunk)
        except OSError:  # it has stopped reading
            pass
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert told.ask("/push", "POST", b"x" * 4 * 1024 * 1024).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/2\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /push HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
        bytes(range(256)) * 64,
    ],
    ids=range(12),
)
def test_garbage_gets_an_error_or_nothing_and_harms_nobody(told: Sidecar, garbage: bytes) -> None:
    with connected(told.port) as client:
        try:
            client.sendall(garbage)
            client.shutdown(1)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        except ConnectionError:
            answer = b""
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert told.ask("/healthz").status == 200
    for line in told.log.read_text().splitlines():
        assert "traceback" not in line or "a collector broke" in line or "/break" in line or "_break" in line


def test_a_path_with_broken_escapes_is_answered(told: Sidecar) -> None:
    for path in ("/%", "/%zz", "/%ff%fe", "/metrics?%=%&a[]=b", "/metrics?" + "a=b&" * 500):
        assert told.ask(path).status in (200, 404)


def test_requests_on_one_connection_are_answered_in_turn(told: Sidecar) -> None:
    with connected(told.port) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 OK") == 21


def test_fifty_scrapers_at_a_time_all_get_whole_pages(told: Sidecar) -> None:
    def scrape(number: int) -> int:
        answer = told.ask(accept=OPENMETRICS if number % 2 else "", accept_encoding="gzip" if number % 3 else "")
        text = gzip.decompress(answer.body).decode() if "content-encoding" in answer.headers else answer.text
        assert text.count("told_value{") == 50
        return answer.status

    with ThreadPoolExecutor(50) as crowd:
        assert set(crowd.map(scrape, range(500))) == {200}


def test_scrapes_are_counted(told: Sidecar) -> None:
    before = told.values()["sla_exporter_scrapes_total", "200"]
    assert told.values()["sla_exporter_scrapes_total", "200"] == before + 1


def test_a_real_exporter_outlives_a_crowd_of_silent_clients(tmp_path: Path) -> None:
    with sidecar(tmp_path, "collectors: [{name: one}]\n") as running:
        crowd = [connected(running.port) for _ in range(600)]
        try:
            for _ in range(20):
                assert running.ask().status == 200
        finally:
            for each in crowd:
                each.close()
