"""How many series a query may have: what is beyond is told of, and grows no state; what was counted stays."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from sla_kit.errors import ConfigurationError
from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.business.queries import QueryCollector
from sla_kit.exporters.sidecar.limiting import Limited, limited
from tests.exporters.sidecar.sidecars import sidecar

COMMAND = [sys.executable, "-m", "sla_kit.exporters.business"]
LIMITED = """
listen: 127.0.0.1:0
interval: 1s
timeout: 60s
max_series: 3
sources: {shop: {kind: sqlite, file: shop.db}}
queries:
  few:
    source: shop
    sql: SELECT user, amount FROM sale
    max_series: 2
    metrics: [{name: few, type: gauge, help: Few., value: amount, labels: [user]}]
  more:
    source: shop
    sql: SELECT user, amount FROM sale
    metrics: [{name: more, type: gauge, help: More., value: amount, labels: [user]}]
  many:
    source: shop
    sql: SELECT user, amount FROM sale
    max_series: 100
    metrics: [{name: many, type: gauge, help: Many., value: amount, labels: [user]}]
"""
COUNTED = """
state: state.db
max_series: 3
sources: {shop: {kind: sqlite, file: shop.db}}
queries:
  sales:
    source: shop
    since: {column: newest, start: 0}
    sql: SELECT user, sum(amount) AS sales, avg(amount) AS mean, max(id) AS newest FROM sale
         WHERE id > :since GROUP BY user ORDER BY newest
    metrics:
      - {name: sales_total, type: counter, help: Sales., value: sales, labels: [user], constant_labels: {of: all}}
      - {name: sales_total, type: counter, help: Sales., value: mean, labels: [user], constant_labels: {of: mean}}
      - {name: sale_mean_euros, type: histogram, help: Mean., value: mean, labels: [user], buckets: [10, 100]}
"""


def sell(folder: Path, *users: str, amount: int = 5) -> None:
    with sqlite3.connect(folder / "shop.db") as shop:
        shop.execute("CREATE TABLE IF NOT EXISTS sale (id INTEGER PRIMARY KEY, user TEXT, amount INTEGER)")
        shop.executemany("INSERT INTO sale (user, amount) VALUES (?, ?)", [(user, amount) for user in users])


def collector(folder: Path) -> QueryCollector:
    (found,) = EXPORTER.load(folder / "business.yml").collectors
    assert isinstance(found, QueryCollector)
    return found


def collected(by: QueryCollector, before: tuple[Metric, ...] = ()) -> Limited:
    return limited(by.collect(time.monotonic() + 60), by.max_series, before)


def values(found: Limited, name: str, **labels: str) -> dict[str, float]:
    samples = [sample for family in found.families for sample in family.samples if sample.name == name]
    return {each.labels["user"]: each.value for each in samples if labels.items() <= each.labels.items()}


def test_a_query_has_a_limit_of_its_own(tmp_path: Path) -> None:
    sell(tmp_path, *"abcde")
    with sidecar(tmp_path, LIMITED, command=COMMAND) as running:
        found = running.until(lambda values: ("sla_exporter_collector_up", "many") in values)
        assert [sum(key[0] == name for key in found) for name in ("few", "more", "many")] == [2, 3, 5]
        dropped = running.ask().text
    families = {family.name: family for family in text_string_to_metric_families(dropped)}
    told = {each.labels["collector"]: each.value for each in families["sla_exporter_series_dropped"].samples}
    assert told["few"] >= 3
    assert told["more"] >= 2
    assert told["many"] == 0


def test_the_state_grows_no_further_than_the_limit(tmp_path: Path) -> None:
    (tmp_path / "business.yml").write_text(COUNTED)
    sell(tmp_path, "a")
    counting = collector(tmp_path)
    assert values(collected(counting), "sales_total", of="all") == {"a": 5}
    sell(tmp_path, "b", *(f"user {number}" for number in range(50)), "a")
    second = collected(counting)
    # Of both series of a user's counter, there are three; a histogram is three, too.
    assert second.dropped == {"sales": 2 * 52 - 3, "sale_mean_euros": 49}
    assert values(second, "sales_total", of="all")["a"] == 10
    with sqlite3.connect(tmp_path / "state.db") as state:
        kept = state.execute(
            "SELECT metric, count(DISTINCT json_extract(labels, '$.user', '$.of')) FROM total GROUP BY 1"
        )
        assert dict(kept) == {"sales_total": 3, "sale_mean_euros_bucket": 3, "sale_mean_euros_sum": 3}
    counting.close()


def test_what_was_counted_goes_on_where_others_are_dropped_and_the_exporter_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "business.yml").write_text(COUNTED.replace("max_series: 3", "max_series: 4"))
    sell(tmp_path, "y", "z")
    first = collector(tmp_path)
    assert values(collected(first), "sales_total", of="all") == {"y": 5, "z": 5}
    first.close()
    sell(tmp_path, "a", "y", "b", "z")
    again = collector(tmp_path)
    found = collected(again)
    assert values(found, "sales_total", of="all") == {"y": 10, "z": 10}
    assert values(found, "sales_total", of="mean") == {"y": 10, "z": 10}
    assert found.dropped == {"sales": 4}
    calm = collected(again, found.families)
    assert values(calm, "sales_total", of="all") == {"y": 10, "z": 10}
    assert calm.dropped == {}
    again.close()


def test_a_limit_below_one_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "business.yml").write_text(LIMITED.replace("max_series: 2", "max_series: 0"))
    with pytest.raises(ConfigurationError, match=r"yml:11:17: must be at least 1"):
        EXPORTER.load(tmp_path / "business.yml")
