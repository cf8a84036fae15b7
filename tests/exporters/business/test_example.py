"""The example configuration on a real PostgreSQL: every figure of a known history, as Prometheus would read it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.metrics_core import Metric

from sla_kit.alert_rules.inventory import exporters
from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.sidecar.exporter import Loaded
from tests.exporters.business.shop import Labels, copy, fill, history, labelled, reader

EXAMPLE = Path(__file__).parents[3] / "exporters" / "business" / "example.yml"
PATIENCE_SECONDS = 120.0

pytestmark = pytest.mark.xdist_group("business_postgresql")


def loaded(folder: Path, url: str) -> Loaded:
    """The example, with nothing changed but where its database is."""
    there = "postgresql://reader@127.0.0.1:5432/shop"
    text = EXAMPLE.read_text()
    assert text.count(there) == 1
    (folder / "business.yml").write_text(text.replace(there, reader(url)))
    return EXPORTER.load(folder / "business.yml")


def collected(state: Loaded) -> list[Metric]:
    """What all collectors publish."""
    found: list[Metric] = []
    for collector in state.collectors:
        found += collector.collect(time.monotonic() + PATIENCE_SECONDS)
    return found


def close(state: Loaded) -> None:
    for collector in state.collectors:
        collector.close()


def figures(families: Iterable[Metric]) -> dict[str, dict[Labels, float]]:
    """Values by a sample's name and labels."""
    found: dict[str, dict[Labels, float]] = defaultdict(dict)
    for family in families:
        for sample in family.samples:
            at = frozenset(sample.labels.items())
            assert at not in found[sample.name]
            found[sample.name][at] = sample.value
    return dict(found)


def test_the_example_publishes_the_known_history_and_all_of_the_inventory(database: str, tmp_path: Path) -> None:
    truth = history(1)
    fill(database, truth)
    state = loaded(tmp_path, database)
    families = collected(state)
    close(state)
    assert figures(families) == truth.figures

    inventory = exporters()["business"].metrics
    published: dict[str, set[str]] = {}
    types: dict[str, str] = {}
    for family in families:
        for sample in family.samples:
            published.setdefault(sample.name, set()).update(sample.labels)
            types[sample.name] = family.type
    assert {name: (types[name], labels) for name, labels in published.items()} == {
        name: (metric.type, set(metric.labels))
        for name, metric in inventory.items()
        if name.startswith("sla_business_")  # the others are of what is pushed
    }


def test_counters_go_on_over_restarts_deletions_and_new_rows(database: str, tmp_path: Path) -> None:
    truth = history(2)
    fill(database, truth)
    name = "sla_business_payments_total"
    expected = dict(truth.figures[name])
    for round_ in range(3):
        state = loaded(tmp_path, database)  # an exporter that began anew
        assert figures(collected(state))[name] == expected
        assert figures(collected(state))[name] == expected, "nothing is counted twice"
        close(state)
        with psycopg.connect(database) as connection:
            connection.execute("DELETE FROM payments WHERE random() < 0.8")
            # after all that were there, and older than what is left to settle
            newest = datetime.now(UTC) - timedelta(seconds=50 - round_)
            rows: list[tuple[Any, ...]] = [("failed", newest), ("succeeded", newest)]
            copy(connection, "payments", [*rows, ("declined", datetime.now(UTC) + timedelta(hours=1))])  # unsettled
        for outcome in ("failed", "succeeded"):
            expected[labelled(outcome=outcome)] += 1
    state = loaded(tmp_path, database)
    assert figures(collected(state))[name] == expected
    close(state)


def test_the_role_of_the_example_needs_no_more_than_to_read(database: str, tmp_path: Path) -> None:
    fill(database, history(3, users=5))
    with psycopg.connect(reader(database)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM users")
    state = loaded(tmp_path, database)
    assert figures(collected(state))
    close(state)
