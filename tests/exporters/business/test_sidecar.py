"""The exporter as it runs beside an application: its source dies and comes back, and so does the exporter."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.postgresql import postgresql, started_again
from tests.servers.process import free_port

pytestmark = pytest.mark.xdist_group("business_postgresql")
PATIENCE_SECONDS = 120.0
CONFIGURATION = """
listen: 127.0.0.1:{port}
interval: 1s
timeout: 1s
jitter: 0%
state: state.db
sources:
  shop: {{kind: postgresql, url: "{url}"}}
  file: {{kind: sqlite, file: shop.db}}
queries:
  users:
    source: shop
    sql: SELECT count(*) AS n FROM users
    metrics: [{{name: users, type: gauge, help: Users., value: n}}]
  signups:
    source: shop
    since: {{column: newest, start: 0}}
    sql: SELECT count(*) AS n, max(id) AS newest FROM users WHERE id > %(since)s
    metrics: [{{name: signups_total, type: counter, help: Sign-ups., value: n}}]
  slow:
    source: shop
    sql: SELECT 1 AS n, pg_sleep(3600)
    metrics: [{{name: slow, type: gauge, help: Slow., value: n}}]
  other:
    source: file
    sql: SELECT 7 AS n
    metrics: [{{name: other, type: gauge, help: Other., value: n}}]
"""


@contextmanager
def running(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "sla_kit.exporters.business", "--config", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def scraped(port: int) -> dict[str, float]:
    """The values of a scrape, those of a collector by its name; nothing where nobody answers yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def wait_for(port: int, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(found := scraped(port)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)  # between two looks
    return found


def test_a_dead_source_takes_its_values_and_no_others_and_counters_go_on(tmp_path: Path) -> None:
    port, up = free_port(), "sla_exporter_collector_up"
    with postgresql() as server:
        path = tmp_path / "business.yml"
        path.write_text(CONFIGURATION.format(port=port, url=server.url))
        connection = psycopg.connect(server.url, autocommit=True)
        connection.execute("CREATE TABLE users (id bigserial)")
        connection.execute("INSERT INTO users SELECT FROM generate_series(1, 5)")
        import sqlite3

        sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE t (n)").connection.close()
        with running(path) as process:
            found = wait_for(port, lambda now: now.get("signups_total") == 5 and f"{up} slow" in now)
            assert (found["users"], found["other"], found[f"{up} users"], found[f"{up} slow"]) == (5, 7, 1, 0)
            wait_for(port, lambda now: now.get("sla_exporter_errors_total slow timeout", 0) > 0)
            assert "slow" not in found

            connection.close()
            server.stop()
            found = wait_for(port, lambda now: now.get(f"{up} users") == 0 and now.get(f"{up} signups") == 0)
            assert not {"users", "signups_total"} & found.keys()
            assert (found["other"], found[f"{up} other"]) == (7, 1)
            process.kill()

        with started_again(server), running(path):
            with psycopg.connect(server.url, autocommit=True) as again:
                found = wait_for(port, lambda now: now.get("signups_total") == 5)
                again.execute("DELETE FROM users")
                again.execute("INSERT INTO users SELECT FROM generate_series(1, 2)")
            wait_for(port, lambda now: now.get("signups_total") == 7 and now.get("users") == 2)
