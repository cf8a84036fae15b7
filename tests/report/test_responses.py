"""How incidents were responded to, in every format of the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sla_kit.catalogue.model import Catalogue, Service
from sla_kit.ledger.response_report import ResponseReport
from sla_kit.report import render, write
from sla_kit.report.blocks import Bullets, Fold, Paragraph, Table
from sla_kit.report.content import page
from sla_kit.report.document import Report, to_report
from sla_kit.report.owners import for_owner
from sla_kit.report.responses import headline, responses
from sla_kit.report.translations import open_language
from tests.report.responses_sample import handled, responses_sample, still_open
from tests.report.sample import WEEK, ZONE, sample

EVALUATION = replace(sample(), responses=responses_sample())


def test_the_headline_counts_incidents_and_those_that_somebody_took() -> None:
    assert headline(responses_sample()) == (
        "4 incidents, of which 2 were acknowledged and 1 was still open at the end of the window."
    )
    assert headline(responses_sample(handled(1))) == "1 incident, of which 1 was acknowledged."


def test_each_severity_has_its_figures_and_what_was_promised() -> None:
    by_severity, by_service, compared = [one for one in responses(responses_sample(), ZONE) if isinstance(one, Table)]
    critical, warning = by_severity.rows
    assert [(cell.text, cell.note) for cell in critical] == [
        ("critical", ""),
        ("3", ""),
        ("2", "1 not acknowledged"),
        ("2 min", "p90 7 min"),
        ("1 of 3", "within 5 min"),
        ("10 min", "p90 30 min"),
        ("2 of 3", "within 15 min"),
        ("2", ""),
    ]
    assert (critical[4].tone, critical[3].value) == ("missed", 120)
    assert [(cell.text, cell.note) for cell in warning[1:]] == [
        ("1", "1 still open"),
        ("0", "1 not acknowledged"),
        ("not yet", "p90 not yet"),
        ("–", ""),
        ("not yet", "p90 not yet"),
        ("–", ""),
        ("0", ""),
    ]
    assert [(row[0].text, row[0].note, row[1].text) for row in by_service.rows] == [
        ("api", "platform", "critical"),
        ("–", "", "warning"),
    ]
    assert [cell.text for cell in compared.rows[0]] == [
        "critical", "1 → 3", "1 → 2", "30 s → 2 min", "1 of 1 → 1 of 3", "5 min → 10 min", "1 of 1 → 2 of 3"
    ]  # fmt: skip
    assert compared.rows[0][3].note == "p90 30 s → p90 7 min"
    assert [cell.text for cell in compared.rows[1]][:2] == ["warning", "– → 1"]


def test_what_is_open_is_told_by_name() -> None:
    found = responses(responses_sample(still_open(167, "disk fills"), still_open(166, "queue grows")), ZONE)
    (bullets,) = [one for one in found if isinstance(one, Bullets)]
    assert bullets.items[0] == (
        "disk fills", "warning, since Sun 20 Sep 2026, 23:00, 1 h so far, not acknowledged"
    )  # fmt: skip
    many = responses(responses_sample(*(still_open(100 + number) for number in range(12))), ZONE)
    assert any(isinstance(one, Paragraph) and one.text == "And 2 more." for one in many)


def test_escalations_are_told_where_they_were_recorded() -> None:
    unknown = replace(handled(1), escalations=None)
    (table, *_rest) = [one for one in responses(responses_sample(unknown), ZONE) if isinstance(one, Table)]
    assert "Escalated" not in [column.title for column in table.columns]
    (table, *_rest) = [one for one in responses(responses_sample(handled(1)), ZONE) if isinstance(one, Table)]
    assert table.columns[-1].title == "Escalated"


def test_many_services_are_folded() -> None:
    found = responses(responses_sample(*(replace(handled(1), service=f"s{number}") for number in range(25))), ZONE)
    (fold,) = [one for one in found if isinstance(one, Fold)]
    assert fold.title == "5 more rows"


@pytest.mark.parametrize("format", ["html", "md"])
def test_people_read_it(format: str) -> None:
    text = render(EVALUATION, format).replace("\N{NO-BREAK SPACE}", " ")
    for words in ("Response", "not acknowledged", "within 15 min", "p90 7 min", "nearest rank", "2026-W37"):
        assert words in text
    assert "<script>alert" not in text


def test_it_stands_after_the_incidents_and_only_where_something_was_recorded() -> None:
    ids = [section.id for section in page(EVALUATION).sections]
    assert ids[ids.index("incidents") + 1] == "response"
    assert "response" not in [section.id for section in page(sample()).sections]
    (told,) = [
        section
        for section in page(replace(sample(), responses=ResponseReport(WEEK, 1, ()))).sections
        if section.id == "response"
    ]
    assert isinstance(told.blocks[0], Paragraph)
    assert told.blocks[0].text == "No incident was over in the window or open at its end."


def test_a_pdf_holds_it(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    (path,) = write(EVALUATION, tmp_path, ["pdf"])
    text = " ".join(one.extract_text() for one in pypdf.PdfReader(path).pages)
    assert "Time to acknowledge" in " ".join(text.split())


def test_programs_read_it_in_json() -> None:
    document = json.loads(render(EVALUATION, "json"))["responses"]
    assert (document["window"], document["records"]) == ("2026-W38", 9)
    assert document["severities"][0] == {
        "severity": "critical",
        "team": None,
        "service": None,
        "incidents": 3,
        "open": 0,
        "acknowledged": 2,
        "unacknowledged": 1,
        "escalated": 2,
        "acknowledge_seconds": {"known": 2, "open": 0, "median": 120, "p90": 420},
        "recover_seconds": {"known": 3, "open": 0, "median": 600, "p90": 1800},
        "acknowledged_in_time": {"judged": 3, "in_time": 1, "within_seconds": 300},
        "recovered_in_time": {"judged": 3, "in_time": 2, "within_seconds": 900},
    }
    assert document["severities"][1]["recover_seconds"] == {"known": 0, "open": 1, "median": None, "p90": None}
    assert document["open"][0]["open_seconds"] == 3600
    assert document["compared"]["severities"][0]["incidents"] == 1
    assert json.loads(render(sample(), "json"))["responses"] is None
    assert isinstance(to_report(EVALUATION), Report)


def test_an_owner_reads_of_their_services() -> None:
    owned = Catalogue(name="x", services=[Service(name="api", owner="platform")])
    found = for_owner(EVALUATION, owned, "platform").responses
    assert found is not None
    assert {one.service for one in found.incidents} == {"api"}
    assert found.compared is not None


def test_german_reads_as_german() -> None:
    text = render(EVALUATION, "md", language=open_language("de", Path(__file__).parent / "translations"))
    assert "## Reaktion auf Störungen" in text
    assert "4 Störungen, davon wurden 2 angenommen und 1 war am Ende des Zeitraums noch offen." in text
    for words in ("Zeit bis zur Annahme", "innerhalb von", "nicht angenommen", "noch nicht"):
        assert words in text
    section = text.partition("## Reaktion")[2].partition("\n## ")[0]
    assert "acknowledged" not in section
    assert "incident" not in section
