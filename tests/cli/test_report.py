"""`sla-kit report` and `sla-kit compare` from the outside: roll-ups, comparison, owners, languages, formats."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts

#: 2026-08-30T00:00:00Z, three days before the history's end.
START = 1_788_048_000.0
CATALOGUE = """
name: shop
contacts:
  - {name: platform, email: platform@example.com}
promises:
  - {name: availability, title: Always there}
services:
  - name: api
    owner: platform
    slis:
      requests:
        kind: requests
        metric: http_requests_total
        matchers: {service: api}
        bad: {status_code: "=~5.."}
    slos:
      - {name: availability, sli: requests, objective: 99%, window: 1d, promise: availability}
  - name: idle
    slos:
      - {name: nothing, objective: 99%, window: 1d, sli: {kind: probe, matchers: {job: nobody}}}
environments:
  production: {}
  staging: {}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue, a translation and three recorded days over the end of a month."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "sla.yml").write_text(CATALOGUE)
    (folder / "words").mkdir()
    (folder / "words" / "de.po").write_text('msgid "Met"\nmsgstr "Erfüllt"\n', encoding="utf-8")
    workload = parts.Workload(name="api", labels={"service": "api"}, rps=10, error_ratio=0.001)
    simulate(Scenario(start=START, days=3, scrape_interval=60.0, services=[workload])).write(folder / "history")
    return folder


def run(place: Path, *arguments: str, code: str = "pass") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, away from any terminal; ``code`` runs before it."""
    program = f"import sys; {code}; from sla_kit.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place)


def report(place: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = run(place, "report", "--source", "history", "--window", "1d", "--out", str(out), *arguments)
    assert done.returncode == 0, done.stderr
    return done


def test_roll_ups_of_months_are_the_counts_of_their_days(place: Path, tmp_path: Path) -> None:
    report(place, tmp_path, "-f", "json", "--rollup", "month", "--rollup", "last-month")
    document = json.loads((tmp_path / "report.json").read_text())
    (month, last) = document["slos"][0]["rollups"]
    assert (month["window"]["name"], last["window"]["name"]) == ("2026-09", "2026-08")
    assert month["figure"]["coverage"] == 1.0
    assert last["figure"]["coverage"] == pytest.approx(2 / 31, abs=0.001)
    assert last["figure"]["total"] == pytest.approx(2 * 864_000, rel=0.01)
    assert [one["window"]["name"] for one in document["promises"][0]["rollups"]] == ["2026-09", "2026-08"]


def test_a_report_compares_itself_with_another_window(place: Path, tmp_path: Path) -> None:
    report(place, tmp_path, "-f", "json", "-f", "md", "--compare", "2026-08-31")
    comparison = json.loads((tmp_path / "report.json").read_text())["comparison"]
    assert comparison["first"]["window"] == "2026-08-31"
    assert comparison["second"]["window"] == "1d"
    assert [slo["slo"] for slo in comparison["slos"]] == ["availability", "nothing"]
    assert "## Comparison" in (tmp_path / "report.md").read_text()


def test_a_report_compares_itself_with_another_environment(place: Path, tmp_path: Path) -> None:
    report(place, tmp_path, "-f", "json", "-e", "production", "--compare-environment", "staging")
    comparison = json.loads((tmp_path / "report.json").read_text())["comparison"]
    assert (comparison["first"]["environment"], comparison["second"]["environment"]) == ("staging", "production")
    assert comparison["slos"][0]["change"] == 0


def test_two_reports_are_compared_and_the_exit_code_is_0(place: Path, tmp_path: Path) -> None:
    for name, window in (("a", "2026-08-31"), ("b", "1d")):
        report(place, tmp_path / name, "-f", "json", "-w", window)
    done = run(place, "compare", str(tmp_path / "a/report.json"), str(tmp_path / "b/report.json"))
    assert done.returncode == 0, done.stderr
    assert "api / availability" in done.stdout
    assert "A is 2026-08-31" in done.stdout
    wrong = run(place, "compare", "sla.yml", str(tmp_path / "b/report.json"))
    assert wrong.returncode == 2
    assert "sla.yml: this is no report.json" in wrong.stderr


def test_a_report_of_one_owner_and_one_for_each(place: Path, tmp_path: Path) -> None:
    report(place, tmp_path / "one", "-f", "md", "--owner", "platform")
    assert "You are reached at platform@example.com" in (tmp_path / "one/report.md").read_text().replace("\\", "")
    done = report(place, tmp_path / "all", "-f", "html", "--by-owner")
    names = ["report.html", "owners.html", "owners/platform.html", "owners/_no-owner.html"]
    assert done.stdout.split() == [str(tmp_path / "all" / name) for name in names]
    wrong = run(place, "report", "--source", "history", "--owner", "platfrom")
    assert wrong.returncode == 2
    assert "did you mean platform?" in wrong.stderr


def test_a_report_in_german(place: Path, tmp_path: Path) -> None:
    report(place, tmp_path, "-f", "md", "--language", "de", "--translations", "words")
    text = (tmp_path / "report.md").read_text()
    assert "✅ Erfüllt" in text
    assert "99,9" in text
    missing = run(place, "report", "--source", "history", "--language", "fr", "--translations", "words")
    assert missing.returncode == 2
    assert "fr.po" in missing.stderr


def test_what_can_not_be_written_is_left_out_of_all_and_refused_by_name(place: Path, tmp_path: Path) -> None:
    lacking = "sys.modules['weasyprint'] = None"
    words = ["report", "--source", "history", "--window", "1d", "--out", str(tmp_path)]
    done = run(place, *words, code=lacking)
    assert done.returncode == 0, done.stderr
    assert "report.png" in done.stdout
    assert "report.pdf" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sla-kit: left out: the pdf report needs")
    assert "pip install 'sla-kit[pdf]'" in line
    refused = run(place, *words, "-f", "pdf", code=lacking)
    assert refused.returncode == 2
    assert "pip install 'sla-kit[pdf]'" in refused.stderr


def test_the_router_is_told_of_the_report_once_however_often_the_job_runs(place: Path, tmp_path: Path) -> None:
    from sla_kit.routing.events import Notice
    from sla_kit.routing.outbox.accepting import new_events
    from sla_kit.routing.outbox.store import open_outbox

    outbox = tmp_path / "outbox.db"
    for _ in range(2):
        done = report(
            place, tmp_path / "out", "--format", "html", "--format", "csv", "--tell", str(outbox), "--to", "platform"
        )
        assert done.returncode == 0, done.stderr
    with open_outbox(str(outbox)) as found, found.reading() as connection:
        [told] = [each.event for each in new_events(connection, 10)]
    assert isinstance(told, Notice)
    assert told.to == ["platform"]
    assert [file.name for file in told.files] == ["report.html", "report.csv"]


def test_a_report_tells_how_incidents_were_responded_to_and_is_proven(place: Path, tmp_path: Path) -> None:
    from sla_kit.ledger import open_ledger
    from sla_kit.routing.delivering import Response

    ledger, end = str(tmp_path / "ledger.db"), START + 3 * 86400
    report(place, tmp_path / "none", "-f", "md", "--ledger", ledger)
    assert "## Response" not in (tmp_path / "none" / "report.md").read_text(), "nothing was recorded"
    with open_ledger(ledger) as kept:
        for name, opened, took, lasted in (
            ("today", end - 7200, 90.0, 1800.0),
            ("still open", end - 3600, None, 9999.0),
            ("yesterday", end - 100_000, 600.0, 900.0),
        ):
            kept.record(
                Response(
                    dedup_key=name,
                    title=name,
                    labels={"service": "api"},
                    severity="critical",
                    opened_at=opened,
                    told_at=opened,
                    acknowledged_at=None if took is None else opened + took,
                    acknowledged_by="",
                    resolved_at=opened + lasted,
                )
            )
    report(place, tmp_path, "-f", "json", "-f", "md", "-f", "html", "--ledger", ledger, "--compare", "2026-08-31")
    told = json.loads((tmp_path / "report.json").read_text())["responses"]
    (group,) = told["groups"]
    assert (group["team"], group["service"], group["incidents"], group["open"]) == ("platform", "api", 2, 1)
    assert group["acknowledge_seconds"] == {"known": 1, "open": 1, "median": 90, "p90": None}
    assert group["acknowledged_in_time"] == {"judged": 2, "in_time": 1, "within_seconds": 300}
    assert told["compared"]["groups"][0]["acknowledge_seconds"]["median"] == 600
    text = (tmp_path / "report.md").read_text()
    assert "## Response" in text
    assert "**still open**" in text
    assert "From 2026-08-31 (first) to this window" in text
    verified = run(place, "ledger", "verify", str(tmp_path / "report.json"), "--ledger", ledger)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert '"Response"' in run(place, "report", "--help").stdout
