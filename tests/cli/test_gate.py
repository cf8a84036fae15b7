"""`sla-kit gate` as a pipeline meets it: exit codes, one sentence, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts

START = 1_788_220_800.0
CATALOGUE = """
name: shop
timezone: Europe/Berlin
contacts: [{name: head}]
policy:
  - {left: 50%, action: Look at it., effects: [review]}
  - {left: 25%, action: Freeze. Ask the head., effects: [freeze, escalate], to: [head], exempt: [security, docs]}
  - {left: 0%, action: Freeze all., effects: [freeze], exempt: [security]}
services:
  - name: api
    slos:
      - {name: strict, sli: &api {kind: requests, metric: http_requests_total, matchers: {service: api},
         bad: {status_code: "=~5.."}}, objective: 99.99%, window: 1d}
  - name: low
    slos:
      - {name: nearly, sli: *api, objective: 99.877%, window: 1d}
  - name: calm
    slos:
      - {name: lenient, sli: *api, objective: 99%, window: 1d}
  - name: idle
    slos:
      - {name: nothing, objective: 99%, window: 1d, sli: {kind: probe, matchers: {job: nobody}}}
  - name: talk
    slos:
      - {name: words, sli: *api, objective: 99.99%, window: 1d, policy: [{left: 50%, action: Talk.}]}
  - name: journey
    slos:
      - {name: through, objective: 99.5%, window: 1d,
         sli: {kind: composite, combine: all, of: [calm/lenient, idle/nothing]}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue and a recorded day of which one request in a thousand failed."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "sla.yml").write_text(CATALOGUE)
    workload = parts.Workload(name="api", labels={"service": "api"}, rps=10, error_ratio=0.001)
    simulate(Scenario(start=START, days=1, scrape_interval=60.0, services=[workload])).write(folder / "history")
    return folder


def run(place: Path, *arguments: str, source: str = "history") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "sla-kit"), "gate", "--source", source, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place)


@pytest.mark.parametrize(
    ("arguments", "code", "begins"),
    [
        (["--service", "calm"], 0, "Go: no step that freezes is reached; at worst calm/lenient has 91 % "),
        (["--service", "api"], 1, "Stop: api/strict has -8"),
        (["--service", "api", "--change", "feature"], 1, "Stop: api/strict has -8"),
        (["--service", "api", "--change", "security"], 0, "Go: api/strict has -8"),
        (["--service", "api", "--change", "docs"], 1, "Stop: api/strict has -8"),
        (["--service", "low"], 1, 'Stop: low/nearly has 2'),
        (["--service", "low", "--change", "docs"], 0, "Go: low/nearly has 2"),
        (["--service", "idle"], 2, "Can't tell: the error budget of idle/nothing is not known (no data)."),
        (["--service", "idle", "--on-unknown", "pass"], 0, "Go, as what can't be told is to pass: "),
        (["--service", "idle", "--change", "security"], 0, "Go: "),
        (["--service", "idle", "--service", "api"], 1, "Stop: api/strict"),
        (["--service", "talk"], 0, "Go: no step of the error-budget policy freezes anything."),
        (["--service", "journey"], 2, "Can't tell: the error budget of journey/through is not known"),
        ([], 1, "Stop: api/strict"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_exit_code_and_sentence(place: Path, arguments: list[str], code: int, begins: str) -> None:
    result = run(place, *arguments)
    assert result.returncode == code, result.stdout + result.stderr
    [sentence] = result.stdout.splitlines()
    assert sentence.startswith(begins)
    assert result.stderr == ""


def test_a_stop_says_which_step_holds_and_until_when(place: Path) -> None:
    sentence = run(place, "--service", "low").stdout
    assert 'the policy\'s step at 25 % left ("Freeze") holds releases back until 2026-09-0' in sentence
    assert "Europe/Berlin if nothing else goes wrong." in sentence


def test_json_holds_the_details(place: Path) -> None:
    result = run(place, "--service", "api", "--service", "idle", "--json")
    told = json.loads(result.stdout)
    assert (result.returncode, told["decision"], told["exit_code"]) == (1, "stop", 1)
    assert told["sentence"].startswith("Stop: ")
    assert [hold["step"]["left"] for hold in told["holds"]] == [0, 0.25]
    assert told["holds"][1]["step"]["to"] == ["head"]
    assert told["holds"][0]["frees_at"].startswith("2026-09-0")
    assert {hold["slo"] for hold in told["untold"]} == {"nothing"}
    assert [(slo["service"], slo["effects"]) for slo in told["slos"]] == [
        ("api", ["freeze", "escalate", "review"]),
        ("idle", []),
    ]


def test_a_source_that_does_not_answer_is_not_known(place: Path) -> None:
    result = run(place, source="nowhere.om")
    assert result.returncode == 2
    assert result.stdout.startswith("Can't tell: nothing could be judged (")
    assert run(place, "--on-unknown", "pass", source="nowhere.om").returncode == 0
    told = json.loads(run(place, "--json", source="nowhere.om").stdout)
    assert (told["decision"], told["slos"], told["at"]) == ("unknown", [], None)


def test_a_mistake_in_the_catalogue_does_not_say_stop(place: Path) -> None:
    (place / "wrong.yml").write_text("name: shop\n")
    result = run(place, "-c", "wrong.yml", "--on-unknown", "pass")
    assert (result.returncode, result.stdout) == (2, "")
    assert "mistake" in result.stderr


def test_a_forgotten_source_is_no_unknown_that_may_pass(place: Path) -> None:
    command = [str(Path(sys.executable).parent / "sla-kit"), "gate", "--on-unknown", "pass"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--source" in result.stderr


def test_a_ledger_alone_gives_the_same_answer(place: Path) -> None:
    first = run(place, "--service", "low", "--ledger", "ledger.db")
    command = [str(Path(sys.executable).parent / "sla-kit"), "gate", "--service", "low", "--ledger", "ledger.db"]
    at = ["--at", str(START + 86400)]
    again = subprocess.run([*command, *at], capture_output=True, text=True, timeout=600, cwd=place)
    assert (again.returncode, again.stdout) == (first.returncode, first.stdout) == (1, first.stdout)


def test_an_unknown_service_is_told_with_the_nearest(place: Path) -> None:
    result = run(place, "--service", "apy")
    assert result.returncode == 2
    assert "did you mean api?" in result.stderr
