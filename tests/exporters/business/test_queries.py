"""Collectors on SQLite files: several metrics of an answer, several sources, limits, and how errors are told."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.sidecar.collector import CollectError, Collector

PATIENCE_SECONDS = 60.0
CONFIGURATION = """
sources:
  eu: {kind: sqlite, file: eu.db}
  us: {kind: sqlite, file: us.db}
queries:
  users:
    source: [eu, us]
    source_label: region
    for_each: {plan: [free, pro]}
    max_rows: 3
    sql: SELECT city, count(*) AS users, max(age) AS oldest FROM users WHERE plan = :plan GROUP BY city
    metrics:
      - {name: users, type: gauge, help: Users., value: users, labels: [city]}
      - {name: oldest_seconds, type: gauge, help: Oldest., value: oldest, labels: [city]}
"""


@pytest.fixture
def collectors(tmp_path: Path) -> dict[str, Collector]:
    """By their names; ``us`` has no database yet."""
    (tmp_path / "business.yml").write_text(CONFIGURATION)
    fill(tmp_path / "eu.db", [("Oslo", "free", 3.5), ("Oslo", "free", 2.0), ("Rome", "free", None), ("Rome", "pro", 1)])
    return {collector.name: collector for collector in EXPORTER.load(tmp_path / "business.yml").collectors}


def fill(file: Path, rows: list[tuple[str, str, float | None]]) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE users (city TEXT, plan TEXT, age REAL)")
    connection.executemany("INSERT INTO users VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()


def published(by: Collector) -> dict[str, float]:
    return {
        " ".join([sample.name, *(f"{name}={text}" for name, text in sorted(sample.labels.items()))]): sample.value
        for family in by.collect(time.monotonic() + PATIENCE_SECONDS)
        for sample in family.samples
    }


def test_one_answer_makes_several_metrics_with_the_labels_of_its_source_and_value(
    collectors: dict[str, Collector],
) -> None:
    assert published(collectors["users/eu/free"]) == {
        "users city=Oslo plan=free region=eu": 2,
        "users city=Rome plan=free region=eu": 1,
        "oldest_seconds city=Oslo plan=free region=eu": 3.5,
    }
    assert published(collectors["users/eu/pro"]) == {
        "users city=Rome plan=pro region=eu": 1,
        "oldest_seconds city=Rome plan=pro region=eu": 1,
    }


def test_a_source_that_is_down_takes_nothing_from_the_other_and_comes_back(
    collectors: dict[str, Collector], tmp_path: Path
) -> None:
    assert published(collectors["users/eu/pro"])
    with pytest.raises(CollectError) as caught:
        published(collectors["users/us/pro"])
    assert caught.value.kind == "connect"
    assert str(caught.value).startswith(f"query users/us/pro at {tmp_path}/us.db: there is no such file\n  try: ")
    fill(tmp_path / "us.db", [("Reno", "pro", 9)])
    assert published(collectors["users/us/pro"])["users city=Reno plan=pro region=us"] == 1


def test_more_rows_than_allowed_are_an_error_and_not_a_part(collectors: dict[str, Collector], tmp_path: Path) -> None:
    fill(tmp_path / "us.db", [(str(number), "pro", 1) for number in range(3)])
    assert len(published(collectors["users/us/pro"])) == 6
    (tmp_path / "us.db").unlink()
    fill(tmp_path / "us.db", [(str(number), "pro", 1) for number in range(4)])
    with pytest.raises(CollectError, match="more than 3 rows") as caught:
        published(collectors["users/us/pro"])
    assert caught.value.kind == "data"


def test_wrong_types_name_query_column_and_type_and_no_value(collectors: dict[str, Collector], tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "eu.db")
    connection.execute("INSERT INTO users VALUES ('Secretville', 'pro', 'forty')")
    connection.commit()
    connection.close()
    with pytest.raises(CollectError) as caught:
        published(collectors["users/eu/pro"])
    assert caught.value.kind == "data"
    assert "query users/eu/pro: column oldest of oldest_seconds is text" in str(caught.value)
    assert "Secretville" not in str(caught.value)
    assert "forty" not in str(caught.value)
