"""A drill's end is recorded whatever it was: in the file or the ledger, chained, beside metrics that say the same."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from prometheus_client.core import CollectorRegistry
from prometheus_client.metrics_core import Metric

from sla_kit.cli import main
from sla_kit.exporters.backup.loading import load
from sla_kit.exporters.drill.publishing import DrillResults
from tests.exporters.drill.drilling import ROWS, Shop, configure, drill, evidence_lines
from tests.servers import Postgresql

pytestmark = pytest.mark.xdist_group("drill")
_WRONG = [{"kind": "rows", "tables": {"orders": {"max": 5}}}]


def samples(path: Path) -> dict[tuple[str, ...], float]:
    """What the exporter would publish of drills: values by name and labels' values."""
    [collector] = [each for each in load(path).collectors if isinstance(each, DrillResults)]
    found: list[Metric] = list(collector.collect(0.0))
    registry = CollectorRegistry()
    registry.register(type("Fixed", (), {"collect": lambda self: found})())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
    }


def test_good_slow_and_failed_drills_are_equally_visible(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    scratch = {"url": scratch_server.url}
    path = configure(tmp_path, "shop", scratch=scratch, objective="1h")
    never = samples(path)
    assert never[("restore_last_success_timestamp_seconds", "shop")] == 0
    assert ("restore_last_success", "shop") not in never
    assert never[("restore_objective_seconds", "shop")] == 3600

    good, _ = drill(path)
    after = samples(path)
    assert after[("restore_last_success", "shop")] == 1
    assert after[("restore_rows_verified", "shop")] == ROWS
    assert after[("restore_checks", "shop", "held")] == 3
    assert after[("restore_drills_total", "shop", "succeeded")] == 1
    assert after[("restore_last_duration_seconds", "shop")] == good.duration_seconds
    assert after[("restore_step_duration_seconds", "shop", "restore")] > 0
    succeeded = after[("restore_last_success_timestamp_seconds", "shop")]
    assert succeeded >= good.begun_at + good.duration_seconds - 0.01

    slow, failure = drill(configure(tmp_path, "shop", scratch=scratch, objective=0.001))
    after = samples(path)
    assert failure is None
    assert slow.outcome == "slow"
    assert "over its objective" in slow.reason
    assert after[("restore_last_success", "shop")] == 0
    assert after[("restore_last_duration_seconds", "shop")] == slow.duration_seconds
    assert after[("restore_last_success_timestamp_seconds", "shop")] == succeeded

    failed, _ = drill(configure(tmp_path, "shop", scratch=scratch, checks=_WRONG))
    after = samples(path)
    assert (failed.outcome, failed.failed_step) == ("failed", "check")
    assert "orders has 3000, not 0 to 5" in failed.reason
    assert after[("restore_last_success", "shop")] == 0
    assert after[("restore_last_failure_info", "shop", "check")] == 1
    assert after[("restore_last_duration_seconds", "shop")] == slow.duration_seconds, "says nothing about recovery"
    assert after[("restore_last_attempt_timestamp_seconds", "shop")] == failed.begun_at
    outcomes = [("succeeded", 1), ("slow", 1), ("failed", 1)]
    assert [(each, after[("restore_drills_total", "shop", each)]) for each, _ in outcomes] == outcomes
    assert [line["evidence"]["outcome"] for line in evidence_lines(tmp_path)] == ["succeeded", "slow", "failed"]


def test_exit_codes_and_what_is_printed(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    scratch = {"url": scratch_server.url}

    def call(path: Path, *options: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["drill", "-c", str(path), *options])
        return result.exit_code, result.stdout

    path = configure(tmp_path, "shop", scratch=scratch)
    code, text = call(path, "--dry-run")
    assert (code, "would restore shop" in text) == (0, True)
    assert call(path, "--list")[1].strip() == "There was no drill yet."
    code, text = call(path, "shop", "--json")
    assert code == 0
    assert json.loads(text)[0]["rows_verified"] == ROWS
    assert call(configure(tmp_path, "shop", scratch=scratch, checks=_WRONG))[0] == 1
    assert call(configure(tmp_path, "shop", scratch=scratch, objective=0.001))[0] == 1
    assert call(configure(tmp_path, "shop", scratch={"url": shop.server.url}))[0] == 2
    assert call(path, "other")[0] == 2
    assert call(path, "--at", "2001-01-01T00:00:00Z")[0] == 1
    assert call(tmp_path / "missing.yml")[0] == 2
    code, text = call(path, "--list", "--json")
    listed = json.loads(text)
    assert (code, listed["unaltered"]) == (0, True)
    assert [one["outcome"] for one in listed["drills"]] == ["succeeded", "failed", "slow", "failed", "failed"]

    lines = (tmp_path / "drill-evidence.jsonl").read_text()
    (tmp_path / "drill-evidence.jsonl").write_text(lines.replace('"outcome":"slow"', '"outcome":"succeeded"'))
    result = CliRunner().invoke(main, ["drill", "-c", str(path), "--list"])
    assert result.exit_code == 1
    assert "drill 3, or one before it, was altered" in result.stderr
    (tmp_path / "drill-evidence.jsonl").write_text("".join(lines.splitlines(keepends=True)[1:]))
    assert call(path, "--list")[0] == 1


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_evidence_in_the_ledger_is_only_added_to_and_altering_it_shows(
    where: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    address = str(tmp_path / "ledger.db") if where == "sqlite" else shop.server.database("ledger")
    path = configure(tmp_path, "shop", scratch={"url": scratch_server.url}, drill={"ledger": address})
    for _ in range(2):
        assert drill(path)[0].outcome == "succeeded"
    assert not (tmp_path / "drill-evidence.jsonl").exists()

    def verify() -> tuple[int, str]:
        result = CliRunner().invoke(main, ["ledger", "verify", "--ledger", address])
        return result.exit_code, result.output

    def listed() -> int:
        return CliRunner().invoke(main, ["drill", "-c", str(path), "--list"]).exit_code

    assert verify()[0] == 0
    assert listed() == 0
    change = "UPDATE drill SET evidence = replace(evidence, 'succeeded', 'failed'), outcome = 'failed' WHERE number = 1"
    if where == "sqlite":
        with sqlite3.connect(address) as connection:
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                connection.execute(change)
            connection.execute("DROP TRIGGER drill_no_update")
            connection.execute(change)
    else:
        with psycopg.connect(address, autocommit=True) as session:
            with pytest.raises(psycopg.Error, match="never changed"):
                session.execute(change)
            session.execute("ALTER TABLE drill DISABLE TRIGGER ALL")
            session.execute(change)
    code, text = verify()
    assert code == 1
    assert "restore drill 1" in text
    assert listed() == 1


def test_every_kind_of_check_fails_where_it_should(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    counts = tmp_path / "backups" / "shop.counts.json"
    document = json.loads(counts.read_text())
    document["tables"]["public.orders"]["rows"] += 1
    document["tables"]["public.customers"]["checksum"] = "700:1:2"
    document["tables"]["public.gone"] = {"rows": 1}
    counts.write_text(json.dumps(document))
    checks: list[dict[str, object]] = [
        {"kind": "rows", "recorded": "file"},
        {"kind": "checksums"},
        {"kind": "freshness", "table": "orders", "column": "at", "max_age": "1ms"},
        {"kind": "freshness", "table": "orders", "column": "nothing", "max_age": "1h"},
        {"kind": "sql", "name": "wrong", "query": "SELECT 1", "expect": 2},
        {"kind": "sql", "name": "none", "query": "SELECT 1 WHERE false"},
        {"kind": "sql", "name": "error", "query": "SELECT 1 FROM nowhere"},
        {"kind": "rows", "recorded": "table", "table": "nowhere"},
        {"kind": "readable", "min_tables": 99},
        {"kind": "rows", "recorded": "file", "suffix": ".missing.json"},
    ]
    evidence, _ = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}, checks=checks))
    assert [check.outcome for check in evidence.checks] == ["failed"] * len(checks), evidence.checks
    found = [check.found for check in evidence.checks]
    assert "public.orders has 3000, not 3001" in found[0]
    assert "public.gone is missing" in found[0]
    assert "content of public.customers is another" in found[1]


def test_counts_may_be_recorded_in_a_table_of_the_dump(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    recorded = json.loads(shop.counts.read_text())["tables"]
    rows = "".join(
        "INSERT INTO kept.counts VALUES ('{}', {}, '{}');\n".format(
            name.replace("'", "''"), one["rows"], one["checksum"]
        )
        for name, one in recorded.items()
    )
    more = f"CREATE SCHEMA kept; CREATE TABLE kept.counts (table_name text, rows bigint, checksum text);\n{rows}"
    end = "-- PostgreSQL database dump complete"
    content = (shop.dumps / "plain.sql").read_text().replace(end, more + end)
    shop.backup(tmp_path / "backups", "shop", content.encode())
    checks = [
        {"kind": "rows", "recorded": "table", "table": "kept.counts"},
        {"kind": "checksums", "recorded": "table", "table": "kept.counts"},
    ]
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}, checks=checks))
    assert failure is None, failure
    assert (evidence.outcome, evidence.rows_verified) == ("succeeded", ROWS), evidence.checks


def test_evidence_that_is_taken_away_from_the_end_shows(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    path = configure(tmp_path, "plain.sql", scratch={"url": scratch_server.url}, checks=[{"kind": "readable"}])
    for _ in range(2):
        drill(path)
    file = tmp_path / "drill-evidence.jsonl"
    whole = file.read_bytes()
    listed = ["drill", "-c", str(path), "--list"]
    assert CliRunner().invoke(main, listed).exit_code == 0
    for content in (whole.splitlines(keepends=True)[0], whole[:-30], b""):
        file.write_bytes(content)
        result = CliRunner().invoke(main, listed)
        assert result.exit_code == 1
        assert "taken away" in result.output
    file.write_bytes(whole)
    assert CliRunner().invoke(main, listed).exit_code == 0


def test_a_ledger_that_is_not_reached_loses_no_evidence(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    path = configure(tmp_path, "plain.sql", scratch={"url": scratch_server.url}, checks=[{"kind": "readable"}])
    result = CliRunner().invoke(main, ["drill", "-c", str(path), "--ledger", "postgresql://127.0.0.1:1/ledger"])
    assert result.exit_code == 2
    assert "no connection to the ledger" in result.output
    assert "drill-evidence.jsonl" in result.output
    [record] = evidence_lines(tmp_path)
    assert record["evidence"]["outcome"] == "succeeded"
