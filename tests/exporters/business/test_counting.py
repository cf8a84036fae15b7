"""Counting rows by a watermark, on a real PostgreSQL: exact while rows come and go and who counts is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.sidecar.collector import CollectError, Collector
from sla_kit.exporters.sidecar.counters import Counters

pytestmark = pytest.mark.xdist_group("business_postgresql")
PATIENCE_SECONDS = 60.0
CONFIGURATION = """
state: state.db
sources:
  shop: {{kind: postgresql, url: "{url}"}}
queries:
  sales:
    source: shop
    since: {{column: newest, start: {start}, settle: {settle}}}
    sql: "{sql}"
    metrics:
      - {{name: sales_total, type: counter, help: Sales., value: sales, labels: [kind]}}
"""
BY_ID = "SELECT kind, sum(amount) AS sales, max(id) AS newest FROM sales WHERE id > %(since)s GROUP BY kind"
BY_TIME = (
    "SELECT kind, sum(amount) AS sales, max(sold_at) AS newest FROM sales "
    "WHERE sold_at > %(since)s AND sold_at <= now() - make_interval(secs => %(settle_seconds)s) GROUP BY kind"
)
#: Counts over and over until it is killed.
COUNTER = """
import sys, time
from pathlib import Path
from sla_kit.exporters.business import EXPORTER
(collector,) = EXPORTER.load(Path(sys.argv[1])).collectors
while True:
    collector.collect(time.monotonic() + 60)
    print("counted", flush=True)
"""


def configured(folder: Path, url: str, sql: str = BY_ID, start: object = 0, settle: str = "0s") -> Path:
    path = folder / "business.yml"
    path.write_text(CONFIGURATION.format(url=url, sql=sql, start=start, settle=settle))
    return path


def collector(path: Path) -> Collector:
    (found,) = EXPORTER.load(path).collectors
    return found


def counted(by: Collector) -> dict[str, float]:
    (family,) = by.collect(time.monotonic() + PATIENCE_SECONDS)
    return {sample.labels["kind"]: sample.value for sample in family.samples}


def tables(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(
        "CREATE TABLE sales (id bigserial PRIMARY KEY, kind text, amount numeric, sold_at timestamptz DEFAULT now())"
    )
    return connection


def test_totals_are_the_truth_though_rows_go_and_the_process_is_killed(database: str, tmp_path: Path) -> None:
    chance, truth = random.Random(7), {"a": 0, "b": 0}
    path = configured(tmp_path, database)
    with tables(database) as connection:
        for _ in range(8):
            with subprocess.Popen([sys.executable, "-c", COUNTER, str(path)], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"counted\n"
                for _ in range(chance.randrange(5, 60)):
                    kind, amount = chance.choice("ab"), chance.randrange(100)
                    connection.execute("INSERT INTO sales (kind, amount) VALUES (%s, %s)", (kind, amount))
                    truth[kind] += amount
                process.kill()
            counters = Counters(tmp_path / "state.db")
            connection.execute("DELETE FROM sales WHERE id <= %s", (counters.watermark("sales"),))  # counted: may go
            counters.close()
        last = collector(path)
        assert counted(last) == truth
        connection.execute("DELETE FROM sales")
        assert counted(last) == truth
        last.close()


def test_rows_committed_late_are_counted_if_they_had_time_to_settle(database: str, tmp_path: Path) -> None:
    insert = "INSERT INTO sales (kind, amount, sold_at) VALUES (%s, 1, now() - make_interval(secs => %s))"
    path = configured(tmp_path, database, BY_TIME, '"1970-01-01"', "30s")
    with tables(database) as connection, psycopg.connect(database) as late:
        counting = collector(path)
        late.execute(insert, ("late", 20))
        connection.execute(insert, ("early", 10))
        assert counted(counting) == {}
        late.commit()
        connection.execute("UPDATE sales SET sold_at = sold_at - interval '30 seconds'")  # time passes
        assert counted(counting) == {"late": 1, "early": 1}
        counting.close()


def test_the_watermark_keeps_every_microsecond(database: str, tmp_path: Path) -> None:
    path = configured(tmp_path, database, BY_TIME, '"-infinity"')
    at = datetime(2026, 1, 1, 12, 0, 0, 999_998, UTC)
    with tables(database) as connection:
        for number in range(3):
            moment = at + timedelta(microseconds=number)
            connection.execute("INSERT INTO sales (kind, amount, sold_at) VALUES ('x', 1, %s)", (moment,))
            counting = collector(path)
            assert counted(counting) == counted(counting) == {"x": number + 1}
            counting.close()


def test_a_failing_query_moves_nothing(database: str, tmp_path: Path) -> None:
    path = configured(tmp_path, database)
    with tables(database) as connection:
        counting = collector(path)
        connection.execute("INSERT INTO sales (kind, amount) VALUES ('a', 5), ('b', -1)")
        for _ in range(2):
            with pytest.raises(CollectError, match=r"query sales.*a negative number") as caught:
                counted(counting)
            assert caught.value.kind == "data"
        connection.execute("UPDATE sales SET amount = 1 WHERE kind = 'b'")
        assert counted(counting) == {"a": 5, "b": 1}
        counting.close()


def test_two_exporters_on_one_file_are_told_or_count_once(database: str, tmp_path: Path) -> None:
    path = configured(tmp_path, database)
    with tables(database) as connection:
        one, other = collector(path), collector(path)
        for total in range(1, 4):
            connection.execute("INSERT INTO sales (kind, amount) VALUES ('a', 1)")
            assert counted(one) == counted(other) == {"a": total}
        one.close()
        other.close()


def test_a_state_file_that_is_no_use_is_told_and_publishes_nothing(database: str, tmp_path: Path) -> None:
    path = configured(tmp_path, database)
    (tmp_path / "state.db").write_bytes(b"something else" * 1000)
    with tables(database):
        with pytest.raises(CollectError, match=r"query sales at .*state.db") as caught:
            counted(collector(path))
        assert caught.value.kind == "internal"


def test_a_renamed_query_does_not_count_its_rows_twice(database: str, tmp_path: Path) -> None:
    """Its watermark went by the name; its sums are there."""
    with tables(database) as connection:
        connection.execute("INSERT INTO sales (kind, amount) SELECT 'a', 1 FROM generate_series(1, 10)")
        path = configured(tmp_path, database)
        assert counted(collector(path)) == {"a": 10}
        text = path.read_text()
        path.write_text(text.replace("  sales:", "  sold:"))
        with pytest.raises(CollectError, match="sales_total was counted by a query of another name"):
            counted(collector(path))
        path.write_text(text)
        connection.execute("INSERT INTO sales (kind, amount) VALUES ('a', 1)")
        assert counted(collector(path)) == {"a": 11}
        path.write_text(text.replace("  sales:", "  sold:").replace("sales_total", "sold_total"))
        assert counted(collector(path)) == {"a": 11}
