"""Rules that share a name are told apart, everywhere, by as few labels as do."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.backtest.results import AlertResult, Variant
from sla_kit.backtest.titles import titles
from sla_kit.cli import main
from sla_kit.history import openmetrics
from tests.backtest.test_history import END, history

RULES = """
groups:
  - name: g
    interval: 30s
    rules:
      - {alert: Bad, expr: errors > 0.1, labels: {severity: critical, service: api, team: a}}
      - {alert: Bad, expr: errors > 0.3, labels: {severity: warning, service: web, team: a}}
      - {alert: Other, expr: errors > 5, labels: {severity: warning, team: a}}
"""


def rule(name: str, **labels: str) -> AlertResult:
    return AlertResult(
        alert=name, file="", line=0, severity="", expression="", pending_seconds=0, firings=(), series=0,
        firing_seconds=0, longest_seconds=0, pages=0, pages_per_week=0, refires=0, short=0, score=None,
        labels=tuple(labels.items()),
    )  # fmt: skip


def variant(*rules: AlertResult) -> Variant:
    return Variant(name="v", alerts=rules, pages=0, pages_per_week=0, overall=None)


def test_a_title_has_the_service_and_no_more_than_tells() -> None:
    burns = [
        rule("Burn", severity=severity, service=service, slo="up", long_window=window, short_window=window + "m")
        for service in ("api", "web")
        for severity, window in (("critical", "1"), ("critical", "6"), ("warning", "3"))
    ]
    [found] = titles([variant(*burns, rule("Down", service="api"))])
    assert found[0] == 'Burn{service="api", long_window="1"}'
    assert found[-2:] == ('Burn{service="web", long_window="3"}', "Down")


def test_a_rule_has_one_title_in_all_variants() -> None:
    one, other = rule("A", service="api"), rule("A", service="web")
    assert titles([variant(one), variant(one, other)]) == (
        ('A{service="api"}',),
        ('A{service="api"}', 'A{service="web"}'),
    )
    assert titles([variant(one, one)]) == (("A", "A #2"),)


@given(
    st.lists(
        st.lists(
            st.builds(
                lambda name, labels: rule(name, **labels),
                st.sampled_from("AB"),
                st.dictionaries(st.sampled_from(["service", "slo", "a", "b"]), st.sampled_from("xy")),
            ),
            max_size=6,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_titles_are_unique_and_begin_with_the_name(several: list[list[AlertResult]]) -> None:
    found = titles([variant(*rules) for rules in several])
    for rules, names in zip(several, found, strict=True):
        assert len(set(names)) == len(rules)
        assert all(name.startswith(one.alert) for one, name in zip(rules, names, strict=True))


def test_each_of_several_rules_of_one_name_has_its_row_and_its_comparison(tmp_path: Path) -> None:
    openmetrics.write(history(), tmp_path / "history.om", {})
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "other.yml").write_text(RULES.replace("> 0.3", "> 5"))
    (tmp_path / "known.csv").write_text(f"name,start,end\nfirst,{END - 86_400 + 3_600},{END - 86_400 + 5_400}\n")
    command = ["backtest", "-r", tmp_path / "rules.yml", "-s", tmp_path / "history.om", "-w", "1d", "-o", tmp_path]
    command += ["-i", tmp_path / "known.csv", "--compare", tmp_path / "other.yml"]
    result = CliRunner().invoke(main, list(map(str, command)), env={"COLUMNS": "240"})
    assert result.exit_code == 0, result.output
    compared = result.output[result.output.index("Compared") :]
    assert 'Bad{service="web"}' in compared
    assert 'Bad{service="api"}' not in compared
    assert 'Bad{service="api"}' in result.output
    page = (tmp_path / "backtest.html").read_text()
    assert "Bad{service=&#34;web&#34;}" in page or "Bad{service=&quot;web&quot;}" in page
    document = json.loads((tmp_path / "backtest.json").read_text())
    assert [one["title"] for one in document["alerts"]] == ['Bad{service="api"}', 'Bad{service="web"}', "Other"]
    assert document["alerts"][1]["labels"] == {"severity": "warning", "service": "web", "team": "a"}


def test_alerts_without_metrics_are_summed_up_and_stay_in_the_file(tmp_path: Path) -> None:
    openmetrics.write(history(), tmp_path / "history.om", {})
    rules = "\n".join(f"      - {{alert: Gone{number}, expr: nowhere{number} > 1}}" for number in range(12))
    (tmp_path / "rules.yml").write_text(RULES + rules + "\n")
    command = ["backtest", "-r", tmp_path / "rules.yml", "-s", tmp_path / "history.om", "-w", "1d", "-o", tmp_path]
    result = CliRunner().invoke(main, list(map(str, command)), env={"COLUMNS": "240"})
    assert result.exit_code == 0, result.output
    assert "12 alerts had nothing to read" in result.output
    assert "and 7 more" in result.output
    assert result.output.count("Gone") == 5
    assert len(json.loads((tmp_path / "backtest.json").read_text())["alerts"]) == 15
