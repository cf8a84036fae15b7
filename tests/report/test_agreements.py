"""SLOs by logs and by metrics, side by side in every format of the report."""

from __future__ import annotations

import csv
import io
import json
from io import StringIO

import pytest
from rich.console import Console

from sla_kit.report import render
from sla_kit.report.content import page
from sla_kit.report.language import Language, speaking
from sla_kit.report.status import render_status
from sla_kit.report.told import told
from tests.report.sample import sample
from tests.report.side_by_side import REASON, compared, with_comparison
from tests.report.test_language import Cyrillic


@pytest.mark.parametrize("format", ["html", "md"])
def test_both_figures_the_difference_and_its_bound_are_told(format: str) -> None:
    text = render(with_comparison(compared()), format)
    for words in ("By logs and by metrics", "99.91", "99.99", "at most 0.05 pp", "Disagree", "97 %", "0 / 900"):
        assert words in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "nothing excluded" in text
    assert REASON in text.replace("\N{NO-BREAK SPACE}", " ")


def test_there_is_no_section_without_a_comparison() -> None:
    assert "agreement" not in [section.id for section in page(sample()).sections]
    assert "By logs and by metrics" not in render(sample(), "html")


def test_those_that_disagree_come_first_and_others_have_their_reason() -> None:
    agreeing, unknown = compared(True, ""), compared(None, "one of the two has no events")
    [section] = [
        each for each in page(with_comparison(agreeing, unknown, compared())).sections if each.id == "agreement"
    ]
    table = section.blocks[0]
    assert [row[1].text for row in table.rows] == ["Disagree", "Can't tell", "Agree"]  # type: ignore[union-attr]
    assert table.rows[1][1].note == "one of the two has no events"  # type: ignore[union-attr]


def test_two_of_the_same_means_are_not_called_logs_and_metrics() -> None:
    [section] = [each for each in page(with_comparison(compared(second="logs"))).sections if each.id == "agreement"]
    titles = [column.title for column in section.blocks[0].columns]  # type: ignore[union-attr]
    assert titles[2:4] == ["SLI", "SLI of the other"]


def test_programs_read_it_in_json_and_csv() -> None:
    evaluation = with_comparison(compared())
    [document] = json.loads(render(evaluation, "json"))["comparisons"]
    assert document["agree"] is False
    assert document["difference"] == -0.0008
    assert document["first"]["means"] == "logs"
    assert document["second"]["total"] == 1_000_000
    assert document["most"][0]["bad"] == [0, 60]
    assert json.loads(render(sample(), "json"))["comparisons"] == []
    rows = list(csv.DictReader(io.StringIO(render(evaluation, "csv"))))
    assert rows[0]["compared_slo"] == sample().slos[1].slo
    assert float(rows[0]["compared_difference"]) == -0.0008
    assert rows[0]["compared_agree"] == "false"
    assert rows[1]["compared_slo"] == ""
    assert "compared_slo" not in render(sample(), "csv")


def test_the_terminal_tells_of_a_disagreement() -> None:
    out = StringIO()
    render_status(with_comparison(compared()), Console(file=out, width=140, color_system=None))
    assert REASON in out.getvalue()


@pytest.mark.parametrize(
    "sentence",
    [
        REASON,
        "availability by logs 136800 events and by metrics 144000 events differ by 5 %, more than 1 %",
        "edge/by-logs 98 % and api/availability 99 % differ by 1 %, more than 0.05 %",
        "only 50 % of api/availability was observed, 90 % are needed",
    ],
)
def test_what_the_engine_says_of_it_can_be_said_in_other_languages(sentence: str) -> None:
    assert told(sentence) == sentence
    with speaking(Language("xx", Cyrillic())):
        said = told(sentence)
    for word in ("by logs", "by metrics", "events", "differ", "more than", "observed", "needed"):
        assert word not in said
