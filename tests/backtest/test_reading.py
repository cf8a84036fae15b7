"""Rule files and incidents of anyone: what is read, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.backtest.labelled import IncidentFileError, read_incidents
from sla_kit.backtest.rule_files import RuleFileError, read_rule_files
from sla_kit.rules.model import AlertingRule, RecordingRule

RULES = """\
groups:
  - name: one
    interval: 1m30s
    limit: 5
    labels: {team: shop, severity: info}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: Down
        expr: |
          job:up:sum == 0
        for: 5m
        keep_firing_for: 10m
        labels: {severity: "{{ $labels.severity }}"}
        annotations: {summary: "{{ $value }}"}
"""


def test_a_rule_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    [group] = read_rule_files([tmp_path / "rules.yml"])
    assert (group.name, group.interval_seconds, group.limit) == ("one", 90.0, 5)
    record, alert = (placed.rule for placed in group.rules)
    assert record == RecordingRule("job:up:sum", "sum by (job) (up)", {"team": "shop", "severity": "info"})
    assert isinstance(alert, AlertingRule)
    assert (alert.expression, alert.pending_seconds, alert.keep_firing_seconds) == ("job:up:sum == 0", 300.0, 600.0)
    assert alert.labels == {"team": "shop", "severity": "{{ $labels.severity }}"}


def test_manifests_and_folders_are_read(tmp_path: Path) -> None:
    inner = "".join(f"  {line}\n" for line in RULES.splitlines())
    manifest = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: a}}\nspec:\n{inner}"
    (tmp_path / "a.yaml").write_text(manifest + "---\n" + manifest.replace("name: one", "name: two"))
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 15s}\n")
    (tmp_path / "tests.yml").write_text("rule_files: [a.yaml]\ntests: []\n")
    assert [group.name for group in read_rule_files([tmp_path])] == ["one", "two"]


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        "groups:\n"
        "  - name: g\n"
        "    intervall: 1m\n"
        "    rules:\n"
        "      - alert: A\n"
        "        expr: up\n"
        "        for: 5 minutes\n"
        "      - record: b c\n"
        "        expr: up\n"
        "      - expr: up\n"
        "      - alert: D\n"
        "        labels: {a-b: x}\n"
        "  - name: g\n"
    )
    with pytest.raises(RuleFileError) as error:
        read_rule_files([tmp_path / "bad.yml", tmp_path / "none.yml"])
    told = [(Path(one.file).name, one.line) for one in error.value.mistakes]
    assert told == [("bad.yml", line) for line in (3, 7, 8, 10, 11, 12, 13)] + [("none.yml", 0)]
    assert error.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "[]", "groups: 5\n", "a: b\n", "groups:\n- 3\n", "{{ if }}", "kind: Pod\n"])
def test_what_is_no_rule_file_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(text)
    with pytest.raises(RuleFileError):
        read_rule_files([tmp_path / "rules.yml"])


def test_incidents_are_read_from_yaml_and_csv(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "incidents:\n"
        "  - {name: full, service: api, start: 2026-09-09T15:02:00Z, end: 2026-09-09T17:11:00+02:00}\n"
        "  - {start: 1788966120, duration: 4m, alerts: [A, B]}\n"
    )
    (tmp_path / "a.csv").write_text(
        "name,service,start,end,duration,alerts\n"
        'full,api,2026-09-09T15:02:00Z,2026-09-09T15:11:00Z,,\n,,1788966120,,240,"A B"\n'
    )
    for name in ("a.yml", "a.csv"):
        first, second = read_incidents(tmp_path / name)
        assert (first.name, first.service, first.start, first.end) == ("full", "api", 1_788_966_120, 1_788_966_660) or (
            second.name,
            second.start,
            second.end,
        ) == ("full", 1_788_966_120, 1_788_966_660)
        assert {(one.start, one.end, one.alerts) for one in (first, second)} == {
            (1_788_966_120, 1_788_966_660, ()),
            (1_788_966_120, 1_788_966_360, ("A", "B")),
        }


def test_mistakes_in_incidents_are_told_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "- {start: 2026-09-09T15:02:00, end: 2026-09-09T15:11:00Z}\n"
        "- {start: yesterday, duration: 5m}\n"
        "- {start: 2026-09-09T15:02:00Z}\n"
        "- {start: 2026-09-09T15:02:00Z, end: 2026-09-09T15:01:00Z}\n"
        "- {started: 5, start: 1, duration: 1}\n"
        "- 7\n"
    )
    with pytest.raises(IncidentFileError) as error:
        read_incidents(tmp_path / "a.yml")
    assert [one.line for one in error.value.mistakes] == [1, 2, 3, 4, 5, 6]
