"""The exporter as it runs beside an application: its source dies and comes back, and so does the exporter."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import psycopg
import pytest

from tests.exporters.sidecar.sidecars import sidecar
from tests.servers.postgresql import postgresql, started_again

pytestmark = pytest.mark.xdist_group("business_postgresql")
COMMAND = [sys.executable, "-m", "sla_kit.exporters.business"]
UP, TOTAL, ERRORS = "sla_exporter_collector_up", "signups_total", "sla_exporter_errors_total"
CONFIGURATION = """
interval: 1s
timeout: 60s
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
    timeout: 1s
    sql: SELECT 1 AS n, pg_sleep(3600)
    metrics: [{{name: slow, type: gauge, help: Slow., value: n}}]
  other:
    source: file
    sql: SELECT 7 AS n
    metrics: [{{name: other, type: gauge, help: Other., value: n}}]
"""


def test_a_dead_source_takes_its_values_and_no_others_and_counters_go_on(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE t (n)").connection.close()
    with postgresql() as server:
        text = CONFIGURATION.format(url=server.url)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE users (id bigserial)")
            connection.execute("INSERT INTO users SELECT FROM generate_series(1, 5)")
        with sidecar(tmp_path, text, command=COMMAND) as running:
            found = running.until(lambda now: now[TOTAL,] == 5 and now[ERRORS, "slow", "timeout"] > 0)
            assert (found["users",], found["other",], found[UP, "users"], found[UP, "slow"]) == (5, 7, 1, 0)
            assert ("slow",) not in found

            server.stop()
            found = running.until(lambda now: now[UP, "users"] == now[UP, "signups"] == 0)
            assert not {("users",), (TOTAL,)} & found.keys()
            assert (found["other",], found[UP, "other"]) == (7, 1)

        with started_again(server), sidecar(tmp_path, text, command=COMMAND) as running:
            with psycopg.connect(server.url, autocommit=True) as again:
                running.until(lambda now: now[TOTAL,] == 5)
                again.execute("DELETE FROM users")
                again.execute("INSERT INTO users SELECT FROM generate_series(1, 2)")
            running.until(lambda now: now[TOTAL,] == 7 and now["users",] == 2)
