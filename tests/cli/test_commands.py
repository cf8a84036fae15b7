"""The commands as a person and a pipeline meet them: files, exit codes, messages."""

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
services:
  - name: api
    slis:
      requests:
        kind: requests
        metric: http_requests_total
        matchers: {service: api}
        bad: {status_code: "=~5.."}
    slos:
      - {name: availability, sli: requests, objective: 99%, window: 1d}
      - {name: strict, sli: requests, objective: 99.9999%, window: 1d}
  - name: idle
    slos:
      - name: nothing
        objective: 99%
        window: 1d
        sli: {kind: probe, matchers: {job: nobody}}
  - name: quiet
    slos:
      - {name: recovers, objective: 99%, window: 1d, sli: {kind: recovery, of: api/availability, within: 15m}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue and a recorded day."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "sla.yml").write_text(CATALOGUE)
    workload = parts.Workload(name="api", labels={"service": "api"}, rps=10, error_ratio=0.001)
    simulate(Scenario(start=START, days=1, scrape_interval=60.0, services=[workload])).write(folder / "history")
    return folder


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, away from any terminal."""
    command = [str(Path(sys.executable).parent / "sla-kit"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place)


@pytest.mark.parametrize(
    ("services", "code"),
    [(["api"], 1), (["idle"], 2), (["quiet"], 0), ([], 1)],
    ids=["missed", "cannot-tell", "met", "all"],
)
def test_status_leaves_with_a_code_that_a_pipeline_can_act_on(place: Path, services: list[str], code: int) -> None:
    chosen = [word for service in services for word in ("--service", service)]
    result = run(place, "status", "--source", "history", "--window", "1d", *chosen)
    assert result.returncode == code, result.stderr
    assert result.stderr == ""  # no progress bar where nobody watches


def test_status_as_json_says_the_same(place: Path) -> None:
    result = run(place, "status", "--source", "history", "--window", "1d", "--json")
    document = json.loads(result.stdout)
    assert document["met"] is False
    assert {slo["slo"]: slo["met"] for slo in document["slos"]} == {
        "availability": True,
        "strict": False,
        "nothing": None,
        "recovers": True,
    }


def test_report_writes_every_format_and_prints_where(place: Path, tmp_path: Path) -> None:
    result = run(place, "report", "--source", "history", "--window", "1d", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    names = [f"report.{format}" for format in ("html", "md", "json", "csv", "pdf", "png")]
    assert result.stdout.split() == [str(tmp_path / name) for name in names]
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["window"]["end"] == "2026-09-02T00:00:00Z"


def test_report_writes_only_the_formats_asked_for(place: Path, tmp_path: Path) -> None:
    arguments = ["--source", "history/history.om.gz", "-f", "json", "-f", "csv", "--out", str(tmp_path)]
    assert run(place, "report", *arguments).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.json"]


def test_a_moment_is_rfc_3339_or_seconds(place: Path, tmp_path: Path) -> None:
    documents = []
    for number, at in enumerate(("2026-09-01T12:00:00Z", "2026-09-01T14:00:00+02:00", str(START + 43200))):
        out = tmp_path / str(number)
        arguments = ["--source", "history", "--at", at, "-w", "6h", "-f", "json", "--out", str(out)]
        assert run(place, "report", *arguments).returncode == 0
        documents.append((out / "report.json").read_text())
    assert documents[0] == documents[1] == documents[2]
    assert json.loads(documents[0])["window"]["start"] == "2026-09-01T06:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "--source", "nowhere"], ["nowhere", "no such file"]),
        (["status", "--source", "gopher://x"], ["gopher", "http"]),
        (["status", "--source", "history", "--window", "fortnight"], ["fortnight", "7d"]),
        (["status", "--source", "history", "--service", "apo"], ["apo", "did you mean api"]),
        (["status", "--source", "history", "-e", "prod"], ["environment", "prod"]),
        (["status", "-c", "none.yml", "--source", "history"], ["none.yml"]),
        (["status", "--source", "history", "--at", "noon"], ["noon", "seconds"]),
        (["status"], ["--source"]),
        (["staus"], ["staus"]),
    ],
)
def test_a_wrong_call_gets_a_message_and_no_traceback(place: Path, arguments: list[str], words: list[str]) -> None:
    result = run(place, *arguments)
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(place: Path, shell: str) -> None:
    result = run(place, "completion", shell)
    assert result.returncode == 0
    assert "_SLA_KIT_COMPLETE" in result.stdout


def test_the_demo_needs_no_server_and_no_catalogue(tmp_path: Path) -> None:
    result = run(tmp_path, "demo", "--out", "out")
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "out/report.json").read_text())
    assert len(document["promises"]) == 5
    assert document["incidents"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "ledger.db",
        "monitoring",
        "report.csv",
        "report.html",
        "report.json",
        "report.md",
        "report.pdf",
        "report.png",
    ]
    watched = tmp_path / "out/monitoring"
    assert (watched / "rules/slo.yml").is_file()
    assert (watched / "dashboards/astralfield-overview.json").is_file()
    proven = run(tmp_path, "ledger", "verify", "out/report.json", "--ledger", "out/ledger.db")
    assert proven.stdout.startswith("Proven"), proven.stdout
