"""The servers themselves: they answer with the samples they were given, and are gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers import (
    Edition,
    alertmanager,
    elasticsearch,
    postgres_exporter,
    postgresql,
    prometheus,
    prometheus_versions,
    redis,
    running,
    victoria_metrics,
)
from tests.servers.postgresql import GUEST, OWNER, PASSWORD

HISTORY = """\
# TYPE requests counter
requests_total{code="200",note="a b # c"} 1 1000000000.5
requests_total{code="200",note="a b # c"} 7 1000000060
requests_total{code="500",note=""} 2 1000000060
# EOF
"""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.om"
    path.write_text(HISTORY)
    return path


def ask(url: str, query: str) -> list[tuple[dict[str, str], float]]:
    parameters = urllib.parse.urlencode({"query": query, "time": "1000000060"})
    with urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
    return [(series["metric"], float(series["value"][1])) for series in found["data"]["result"]]


@pytest.mark.parametrize("version", prometheus_versions())
def test_prometheus_holds_old_samples(version: str, history: Path) -> None:
    with prometheus(version, openmetrics=history) as server:
        assert server.version == version
        assert ask(server.url, "sum(count_over_time(requests_total[2m]))") == [({}, 3.0)]
        assert ask(server.url, 'max_over_time(requests_total{code="200"}[2m])') == [
            ({"code": "200", "note": "a b # c"}, 7.0)
        ]


def test_victoria_metrics_holds_old_samples(history: Path) -> None:
    with victoria_metrics(openmetrics=history) as server:
        assert ask(server.url, "sum(count_over_time(requests_total[2m]))") == [({}, 3.0)]


def test_postgresql_makes_databases_and_wants_a_password_of_some(tmp_path: Path) -> None:
    with postgresql() as server:
        url = server.database("one")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (number integer)")
        guest = url.replace(OWNER, GUEST)
        psycopg.connect(guest, password=PASSWORD).close()
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(guest, password="a guess")
        os.kill(server.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_a_replica_has_what_its_primary_has() -> None:
    with (
        postgresql() as primary,
        postgresql(follows=primary) as replica,
        psycopg.connect(replica.url) as connection,
    ):
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    with redis() as first, redis("--repl-diskless-sync-delay", "0", follows=first) as second:
        assert first.run("SET", "kept", "1") == "+OK"
        assert first.run("WAIT", "1", "120000") == ":1"
        assert second.run("EXISTS", "kept") == ":1"


@pytest.mark.timeout(900)
def test_elasticsearch_finds_what_was_put_in_also_after_a_kill(tmp_path: Path) -> None:
    with elasticsearch(data=tmp_path, settings={"thread_pool.search.queue_size": 7}) as server:
        body, kind = b'{"message": "kept"}', {"Content-Type": "application/json"}
        put = urllib.request.Request(f"{server.url}/logs/_doc/1?refresh=true", body, kind, method="PUT")
        urllib.request.urlopen(put, timeout=120).close()
        with urllib.request.urlopen(f"{server.url}/_nodes/thread_pool", timeout=120) as answer:
            (node,) = json.load(answer)["nodes"].values()
        assert node["thread_pool"]["search"]["queue_size"] == 7
        os.kill(server.pid, signal.SIGKILL)
    with (
        elasticsearch(data=tmp_path, port=server.port) as again,
        urllib.request.urlopen(f"{again.url}/_cluster/health/logs?wait_for_status=yellow", timeout=120) as health,
        urllib.request.urlopen(f"{again.url}/logs/_count", timeout=120) as answer,
    ):
        assert again.url == server.url
        assert health.status == 200
        assert json.load(answer)["count"] == 1


@pytest.mark.parametrize("edition", ["packaged", "today"])
def test_an_exporter_tells_of_its_server(edition: Edition) -> None:
    with (
        postgresql() as server,
        postgres_exporter(server.url, edition) as exporter,
        urllib.request.urlopen(f"{exporter.url}/metrics", timeout=120) as answer,
    ):
        assert b"\npg_up 1\n" in answer.read()


def test_servers_are_stopped_even_when_the_test_fails(tmp_path: Path) -> None:
    seen: list[int] = []

    def failing() -> None:
        with alertmanager(data=tmp_path / "am") as server:
            seen.append(server.pid)
            os.kill(server.pid, 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_a_server_that_never_answers_fails_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="no such luck"),
        running(lambda port: ["sh", "-c", "echo no such luck; exit 3"], data=tmp_path, ready="/", name="luckless"),
    ):
        pytest.fail("entered a server that is not there")
