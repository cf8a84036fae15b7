"""`sla-kit route test` as a person and a pipeline meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ALERT = {
    "version": "4",
    "receiver": "on-call+platform",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "SloErrorBudgetBurn", "service": "api", "slo": "error-rate", "severity": "warning"},
            "startsAt": "2026-09-06T17:00:00Z",
        }
    ],
}
UNREACHABLE = """\
name: shop
contacts: [{name: platform}]
services:
  - name: api
    slos: [{name: up, sli: {kind: probe}, objective: 99%}]
"""


def run(folder: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [str(Path(sys.executable).parent / "sla-kit"), "route", "test", *arguments]
    found = subprocess.run(command, input=given, capture_output=True, timeout=600, cwd=folder)
    return subprocess.CompletedProcess(command, found.returncode, found.stdout.decode(), found.stderr.decode())


@pytest.fixture
def alert(tmp_path: Path) -> Path:
    """A webhook in a file."""
    (tmp_path / "alert.json").write_text(json.dumps(ALERT))
    return tmp_path


EXAMPLE = ("-c", str(ROOT / "examples" / "astralfield"), "-e", "production")


@pytest.mark.parametrize(
    ("moment", "contacts", "destinations"),
    [
        (
            "2026-09-06T13:30:00-04:00",  # while everybody plays
            ["on-call", "platform"],
            ["pagerduty:astralfield-primary", "slack:#incidents", "slack:#platform", "email:platform@astralfield.com"],
        ),
        ("2026-09-07T13:30:00-04:00", ["platform"], ["slack:#platform", "email:platform@astralfield.com"]),
    ],
    ids=["during-a-game", "on-a-quiet-day"],
)
def test_the_same_alert_goes_elsewhere_while_a_game_is_on(
    alert: Path, moment: str, contacts: list[str], destinations: list[str]
) -> None:
    result = run(alert, "alert.json", *EXAMPLE, "--at", moment, "--json")
    assert result.returncode == 0, result.stderr
    [group] = json.loads(result.stdout)["groups"]
    told = group["steps"][0]
    assert told["contacts"] == contacts
    assert [f"{each['kind']}:{each['address']}" for each in told["destinations"]] == destinations


def test_standard_input_is_read_where_a_dash_stands(alert: Path) -> None:
    result = run(alert, "-", *EXAMPLE, given=json.dumps(ALERT).encode())
    assert result.returncode == 0, result.stderr
    assert "is the first that fits" in result.stdout


def test_an_alert_that_nobody_can_be_told_of_is_code_1(alert: Path) -> None:
    (alert / "sla.yml").write_text(UNREACHABLE)
    result = run(alert, "alert.json")
    assert result.returncode == 1
    assert "NOBODY can be told" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "given", "code", "words"),
    [
        (["gone.json", *EXAMPLE], b"", 2, "gone.json: can't be read"),
        (["-", *EXAMPLE], b'{"labels":\n{"a": }}', 2, "standard input:2:7: is no JSON"),
        (["-", "-c", "gone.yml"], b"{}", 1, "gone.yml"),
        (["alert.json", *EXAMPLE, "--at", "noon"], b"", 2, "is no time"),
    ],
)
def test_what_can_not_be_done_says_so_and_leaves_with_a_code(
    alert: Path, arguments: list[str], given: bytes, code: int, words: str
) -> None:
    result = run(alert, *arguments, given=given)
    assert result.returncode == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr
