"""The command: what it prints and writes, its exit codes, and the example of its page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sla_kit.backtest.sets import file_rules
from sla_kit.backtest.variants import SettingError, changed
from sla_kit.cli import main
from sla_kit.history import openmetrics
from sla_kit.rules.model import AlertingRule
from sla_kit.simulate import load_scenario, simulate
from tests.backtest.test_history import END, history

PAGE = Path(__file__).parents[2] / "docs" / "backtest.md"
RULES = """
groups:
  - name: g
    interval: 30s
    rules:
      - alert: Bad
        expr: errors > 0.1
        labels: {severity: critical, note: "<script>alert(1)</script>"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    openmetrics.write(history(), tmp_path / "history.om", {})
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "known.csv").write_text(f"name,start,end\nfirst,{END - 86_400 + 3_600},{END - 86_400 + 5_400}\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    command = ["backtest", "-r", "rules.yml", "-s", "history.om", "-w", "1d", "-i", "known.csv", "-o", "out"]
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return runner.invoke(main, [*command, *arguments])


def test_it_prints_a_table_and_writes_a_page_and_json(folder: Path) -> None:
    result = run(folder, "--set", "Bad.for=2m", "--set", "Bad.threshold=50%")
    assert result.exit_code == 0, result.output
    assert "1 of 1 alert would have fired, 3 times in all" in " ".join(result.output.split())
    found = json.loads((folder / "out" / "backtest.json").read_text())
    [alert] = found["alerts"]
    assert (alert["firings"], alert["score"]["precision"], alert["score"]["recall"]) == (3, 2 / 3, 1)
    assert [one["alerts"][0]["firings"] for one in found["compared"]] == [2, 0]
    page = (folder / "out" / "backtest.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--fail-under", "recall=90%"), 0),
        (("--fail-under", "precision=0.9"), 1),
        (("--max-pages-per-week", "3"), 1),
        (("--max-pages-per-week", "30"), 0),
        (("--fail-under", "recall=10%", "-w", "1h", "--at", str(END)), 2),
        (("--fail-under", "recall=10%", "-w", "1h", "--at", str(END), "--max-pages-per-week", "0"), 2),
        (("--set", "Worse.threshold=1"), 2),
        (("--compare", "nowhere.yml"), 2),
        (("--fail-under", "speed=1"), 2),
        (("--engine", "server"), 2),
        (("--interval", "0s"), 2),
        (("-c", "nowhere.yml"), 2),
    ],
)
def test_its_exit_code_says_whether_all_is_well(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    result = run(folder, *arguments)
    assert result.exit_code == code, result.output


def test_other_rules_stand_beside_them(folder: Path) -> None:
    (folder / "other.yml").write_text(RULES.replace("> 0.1", "> 0.3"))
    result = run(folder, "--compare", "other.yml")
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "out" / "backtest.json").read_text())
    assert [one["rules"] for one in found["compared"]] == ["other.yml"]
    assert found["compared"][0]["alerts"][0]["firings"] == 0


def test_thresholds_are_set_where_an_expression_compares(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'x{a=\"> 1\"} > bool (14.4 * 0.001) and y >= 10'}]}]"
    )
    rules = file_rules([tmp_path / "rules.yml"])

    def expression(text: str) -> str:
        rule = changed(rules, text).groups[0].rules[0].rule
        assert isinstance(rule, AlertingRule)
        return rule.expression

    assert expression("A.threshold1=5%") == 'x{a="> 1"} > bool 0.05 and y >= 10'
    assert expression("A.threshold2=15m,A.for=1m") == 'x{a="> 1"} > bool (14.4 * 0.001) and y >= 900'
    with pytest.raises(SettingError, match="several numbers"):
        expression("A.threshold=1")


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    [rules] = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "groups:" in text]
    simulate(load_scenario("astralfield")).write(tmp_path / "history")
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "known.csv").write_text("start,end\n")
    result = run(tmp_path, "-s", "history", "-w", "30d", "-i", "history/truth.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "backtest.json").read_text())
    high = found["alerts"][0]
    assert high["score"]["recall"] == 1
    assert high["score"]["precision"] == 1
    assert high["score"]["detection_seconds"]["worst"] <= 600
