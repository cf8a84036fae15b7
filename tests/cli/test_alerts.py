"""`sla-kit alerts` tells what there is, as a catalogue sets it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from sla_kit.cli import main

CATALOGUE = """\
name: shop
services: [{name: api, slos: [{name: up, sli: {kind: probe}, objective: 99%}]}]
monitoring:
  rules:
    ProbeSlow: {thresholds: {seconds: 3s}, for: 20m}
    ProbeFailed: off
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["alerts", *arguments])
    return result.exit_code, result.output


def test_the_list_holds_every_alert_of_the_areas_asked_for(tmp_path: Path) -> None:
    code, output = run("list", "probes")
    assert code == 0
    assert "ProbeFailed" in output
    assert "Redis" not in output
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    code, output = run("list", "-c", str(tmp_path / "sla.yml"), "--json")
    [slow] = [each for each in json.loads(output) if each["name"] == "ProbeSlow"]
    assert (slow["for_seconds"], slow["thresholds"]["seconds"]["value"]) == (1200, 3)
    assert "ProbeFailed" not in output


def test_one_alert_is_shown_with_its_thresholds_and_its_runbook(tmp_path: Path) -> None:
    code, output = run("show", "ProbeSlow")
    assert code == 0
    assert "probe_duration_seconds" in output
    assert "seconds: 1s" in output
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "ProbeSlow.md").write_text("Call Ada.")
    _, output = run("show", "ProbeSlow", "-c", str(tmp_path / "sla.yml"))
    assert "seconds: 3s" in output
    assert "Call Ada." in output


def test_a_wrong_name_is_told_with_the_right_one(tmp_path: Path) -> None:
    code, output = run("show", "ProbeSlo")
    assert code == 2
    assert "did you mean ProbeSlow?" in output
    code, output = run("list", "probe")
    assert code == 2
    assert "did you mean probes?" in output
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    code, output = run("show", "ProbeFailed", "-c", str(tmp_path / "sla.yml"))
    assert code == 2
    assert "is off here" in output


def test_the_page_of_alerts_is_the_list() -> None:
    """`sla-kit alerts list --markdown` writes docs/alert-list.md anew, after its first lines."""
    page = (Path(__file__).parent.parent.parent / "docs" / "alert-list.md").read_text(encoding="utf-8")
    _, output = run("list", "--markdown")
    assert page.endswith(output)
