"""What is an error where nothing else is said, and groups of errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.exporters.logs.counting import CountingCollector
from sla_kit.exporters.logs.documents import label
from sla_kit.exporters.logs.error_groups import GroupsCollector
from sla_kit.exporters.sidecar.collector import CollectError
from tests.exporters.logs.node import collected, collector, configured, counted, create, document, write
from tests.servers.elasticsearch import Elasticsearch

NOW = 1_790_000_000.0
GROUPS, NEW = "sla_logs_error_groups", "sla_logs_new_error_groups"


def test_an_error_is_one_by_its_level_its_type_or_its_status(
    elastic: Elasticsearch, index: str, tmp_path: Path
) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 1h\n")
    create(elastic.url, index)
    levels = ["error", "ERROR", "Error", "critical", "FATAL", "alert", "Emergency", "warn", "INFO", "errors", ""]
    written = [document(NOW, f"by-level-{n}", ingested=NOW - 60, level=level) for n, level in enumerate(levels)]
    written += [document(NOW, "by-type", ingested=NOW - 60, type="Timeout", level="info")]
    written += [document(NOW, "by-status", ingested=NOW - 60, status=status) for status in (0, 200, 404, 499, 500, 599)]
    write(elastic.url, index, written)
    for _ in range(2):
        found = collected(collector(path, CountingCollector, NOW))
    assert found["sla_logs_errors_total"] == counted(written)[1]
    assert len(counted(written)[1]) == 9


def test_groups_that_were_not_there_before_are_new(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "groups: {window: 15m, lookback: 7d}\n")
    create(elastic.url, index)
    day = 86400.0

    def errors(ago: float, *names: str) -> list[dict[str, object]]:
        return [document(NOW - ago, *name.split("/")[:1], level="error", group=name.split("/")[1]) for name in names]

    write(elastic.url, index, [*errors(60, "api/a", "api/a", "api/b", "web/a"), document(NOW - 60, group="no-error")])
    found = collected(collector(path, GroupsCollector, NOW))
    assert found == {GROUPS: {("api",): 2, ("web",): 1}}, "before any error, all of them would be new"
    write(elastic.url, index, errors(day, "api/a", "api/c") + errors(8 * day, "web/a"))
    found = collected(collector(path, GroupsCollector, NOW))
    assert found == {GROUPS: {("api",): 2, ("web",): 1}, NEW: {("api",): 1, ("web",): 1}}
    write(elastic.url, index, errors(3600, "web/a", "api/b"))
    assert collected(collector(path, GroupsCollector, NOW))[NEW] == {("api",): 0, ("web",): 0}
    assert collected(collector(path, GroupsCollector, NOW + 3600)) == {GROUPS: {}, NEW: {}}


def test_errors_without_a_key_are_grouped_by_their_name(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    """As the ingest pipeline leaves errors with a stack."""
    path = configured(tmp_path, elastic.url, index, "groups: {window: 15m, lookback: 7d}\n")
    create(elastic.url, index)

    def error(ago: float, name: str, group: str = "") -> dict[str, object]:
        return document(NOW - ago, level="error", name=name, group=group)

    write(elastic.url, index, [error(60, "KeyError: <text>"), error(60, "KeyError: <text>"), error(60, "E: a", "a")])
    write(elastic.url, index, [document(NOW - 60, level="error")])
    assert collected(collector(path, GroupsCollector, NOW)) == {GROUPS: {("api",): 2}}
    write(elastic.url, index, [error(86400, "E: a", "a")])
    assert collected(collector(path, GroupsCollector, NOW))[NEW] == {("api",): 1}
    write(elastic.url, index, [error(86400, "KeyError: <text>")])
    assert collected(collector(path, GroupsCollector, NOW)) == {GROUPS: {("api",): 2}, NEW: {("api",): 0}}


def test_more_groups_than_can_be_looked_for_are_an_error(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "groups: {most: 9}\n")
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW - 60, level="error", group=f"g{number}") for number in range(9)])
    assert collected(collector(path, GroupsCollector, NOW))[GROUPS] == {("api",): 9}
    write(elastic.url, index, [document(NOW - 60, level="error", group="g9")])
    with pytest.raises(CollectError) as caught:
        collected(collector(path, GroupsCollector, NOW))
    assert caught.value.kind == "data"


@pytest.mark.parametrize("value", ["NoUser: jo@example.com", "Bearer abcdefgh1234", "x" * 195 + " password=hunter2"])
def test_no_label_holds_a_secret(value: str) -> None:
    found = label(value)
    assert not any(secret in found for secret in ("jo@", "abcdefgh1234", "hunter2"))
    assert len(found) <= 200
