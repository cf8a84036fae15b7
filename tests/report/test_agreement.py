"""All formats say the same: CSV equals JSON, and Markdown's figures are JSON's, formatted."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from sla_kit.report import formats, render
from sla_kit.report.as_csv import COLUMNS
from tests.report.sample import ZONE, sample


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(render(sample(), "json"))
    return content


def test_csv_holds_exactly_the_numbers_of_json(document: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(render(sample(), "csv"))))
    assert len(rows) == len(document["slos"])
    compared = 0
    for row, slo in zip(rows, document["slos"], strict=True):
        for column, path in COLUMNS.items():
            expected: Any = slo
            for step in path:
                expected = None if expected is None else expected[step]
            got = row[column]
            if isinstance(expected, bool):
                assert got == str(expected).lower()
            elif isinstance(expected, int | float):
                assert json.loads(got) == expected
                compared += 1
            elif expected is None:
                assert got == ""
            else:
                assert got.removeprefix("'") == expected
    assert compared > 250


def test_markdown_shows_the_formatted_numbers_of_json(document: dict[str, Any]) -> None:
    rows = {cells[0]: cells for cells in markdown_rows(render(sample(), "md"), "Objectives")}
    assert len(rows) == len(document["slos"])
    for slo in document["slos"]:
        _, verdict, sli, objective, change, left, counts = rows[f"{slo['service']} / {slo['slo']}"]
        assert verdict == formats.verdict(slo["met"])
        assert sli == formats.percent(slo["sli"], slo["objective"])
        assert objective == formats.objective_percent(slo["objective"])
        before = slo["before"] and slo["before"]["sli"]
        moved = None if before is None or slo["sli"] is None else slo["sli"] - before
        assert change == formats.points(moved, slo["objective"])
        assert left == formats.share(slo["own"]["budget"]["left_ratio"])
        if slo["total"]:
            assert counts == f"{formats.count(slo['bad'])} / {formats.count(slo['total'])}"


def test_markdown_shows_the_incidents_of_json(document: dict[str, Any]) -> None:
    rows = markdown_rows(render(sample(), "md"), "Incidents")
    assert len(rows) == len(document["incidents"]) == 3
    for incident, (name, _, lasted, detected, recovered, spent, _) in zip(document["incidents"], rows, strict=True):
        assert name == f"{incident['service']} / {incident['slo']}"
        assert lasted == formats.duration(incident["seconds"])
        assert detected == formats.duration(incident["detect_seconds"])
        seconds = incident["recover_seconds"]
        assert recovered == ("not yet" if seconds is None else formats.duration(seconds))
        assert spent == formats.share(incident["budget_spent"])


def test_promises_stand_for_the_same_reason_in_every_format(document: dict[str, Any]) -> None:
    rows = markdown_rows(render(sample(), "md"), "Promises")
    page = render(sample(), "html").replace("\N{NO-BREAK SPACE}", " ")
    for promise, (title, target, verdict, why) in zip(document["promises"], rows, strict=True):
        assert (title, target, verdict) == (promise["title"], promise["target"], formats.verdict(promise["met"]))
        assert why == promise["summary"]
        assert why in page


def test_the_window_is_shown_in_the_catalogues_time_zone(document: dict[str, Any]) -> None:
    assert document["window"]["start"] == "2026-09-14T04:00:00Z"
    assert formats.span(sample().window.start, sample().window.end, ZONE) == "Mon 14 Sep 2026 – Sun 20 Sep 2026"
    assert "Mon 14 Sep 2026 – Sun 20 Sep 2026" in render(sample(), "md")


def markdown_rows(text: str, section: str) -> list[list[str]]:
    """The cells of a section's first table as a reader sees them: no marks, no small print, no escapes."""
    body = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    table = re.search(r"(?:^\|.*\n)+", body, re.MULTILINE)
    assert table is not None
    rows = []
    for line in table[0].splitlines()[2:]:
        cells = [cell.strip().split("<br>")[0] for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        cells = [re.sub(r"^[✅❌❔] ", "", cell) for cell in cells]
        cells = [re.sub(r"\\(.)", r"\1", cell) for cell in cells]
        rows.append([cell.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for cell in cells])
    return rows
