"""The servers themselves: they answer with the samples they were given, and are gone afterwards."""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers import alertmanager, postgresql, prometheus, prometheus_versions, running, victoria_metrics
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
    with urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=30) as answer:
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
