"""Example logs: the same bytes from the same seed, and the truth about them."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from sla_kit.logs.example import FILES, write_example


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_example(tmp_path / name, hours=2, rps=1, seed=seed)
    for file in FILES:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / FILES[0]).read_bytes() != (tmp_path / "c" / FILES[0]).read_bytes()


def test_the_truth_is_what_stands_in_the_files(tmp_path: Path) -> None:
    write_example(tmp_path, hours=6, rps=2)
    truth = json.loads((tmp_path / "truth.json").read_text())
    access = (tmp_path / "access.log").read_text().splitlines()
    assert truth["access"]["lines"] == len(access)
    assert truth["access"]["statuses"] == dict(sorted(Counter(re.findall(r'" (\d{3}) ', "\n".join(access))).items()))
    assert sum(hour["total"] for hour in truth["access"]["hours"]) == len(access)
    application = [json.loads(line) for line in (tmp_path / "application.log").read_text().splitlines()]
    assert truth["application"]["lines"] == len(application)
    errors = [line for line in application if line["level"] == "error"]
    assert truth["application"]["errors"] == dict(sorted(Counter(line["exc_type"] for line in errors).items()))
    assert truth["application"]["users"] == {
        kind: len({line["user_id"] for line in errors if line["exc_type"] == kind})
        for kind in truth["application"]["errors"]
    }
    durations = sorted(float(line.rsplit(" ", 1)[1]) for line in access)
    assert truth["access"]["seconds"]["p95"] == durations[-(-95 * len(durations) // 100) - 1]


def test_all_is_in_the_window_of_the_example(tmp_path: Path) -> None:
    """A window begins after its start: what happened at that very second would be left out."""
    write_example(tmp_path, hours=0.01, rps=50)
    assert "07/Sep/2026:00:00:00" not in (tmp_path / "access.log").read_text()
    assert "07/Sep/2026:00:00:01" in (tmp_path / "access.log").read_text()
    assert "2026-09-07T00:00:00" not in (tmp_path / "application.log").read_text()
    write_example(tmp_path, hours=0.0002)
    assert (tmp_path / "access.log").read_text() == ""


def test_the_outage_and_the_bad_release_show(tmp_path: Path) -> None:
    write_example(tmp_path, hours=12, rps=2)
    truth = json.loads((tmp_path / "truth.json").read_text())
    bad = [hour for hour in truth["access"]["hours"] if hour["bad"] > 20]
    assert bad
    assert all(hour["start"] - 3600 < truth["outage"]["end"] for hour in bad)
    application = [json.loads(line) for line in (tmp_path / "application.log").read_text().splitlines()]
    assert {line["version"] for line in application if line.get("exc_type") == "KeyError"} == {"2.4.1"}
    times = [line["timestamp"] for line in application]
    assert times == sorted(times)
