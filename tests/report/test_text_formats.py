"""CSV and Markdown: hostile names stay text."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.report import render
from sla_kit.report.as_markdown import escape
from sla_kit.visibility import visible
from tests.report.sample import NASTY, many, sample

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_name_that_a_spreadsheet_would_run_is_made_text(text: str) -> None:
    one = sample()
    evaluation = replace(one, slos=(replace(one.slos[0], service=text, action=text),))
    row = next(csv.DictReader(io.StringIO(render(evaluation, "csv"), newline="")))
    assert row["service"] == "'" + visible(text)
    assert row["action"] == "'" + visible(text)


@pytest.mark.parametrize("format", ["csv", "md"])
def test_no_name_orders_a_terminal_about(format: str) -> None:
    one = sample()
    text = render(replace(one, slos=(replace(one.slos[0], service="a\x1b[2J\x9b31m\u202eb"),)), format)
    assert not set(text) & {"\x1b", "\x9b", "\u202e"}


def test_negative_numbers_stay_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(render(sample(), "csv"), newline="")))
    assert any(float(row["own_budget_left_ratio"] or 0) < 0 for row in rows)


def test_csv_has_one_row_an_slo_of_the_same_width() -> None:
    rows = list(csv.reader(io.StringIO(render(many(100), "csv"), newline="")))
    assert len(rows) == 101
    assert len({len(row) for row in rows}) == 1


def test_hostile_names_are_escaped_in_markdown() -> None:
    text = render(sample(), "md")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    rows = [line for line in text.splitlines() if line.startswith("| ingress / &lt;")]
    assert rows
    assert all("\\| pipe" in row for row in rows)
    assert NASTY not in text


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_escaped_text_is_one_line_without_live_markup(text: str) -> None:
    line = escape(text)
    assert len(line.splitlines()) <= 1
    assert "<" not in line
    bare = line.replace("\\\\", "")
    for mark in "|*_`[]~":
        assert bare.count(mark) == bare.count(f"\\{mark}")


@pytest.mark.parametrize("text", ["# title", "- item", "1. item", "12) item", "==="])
def test_text_that_would_open_a_block_does_not(text: str) -> None:
    assert "\\" in escape(text)


def test_every_table_row_has_as_many_cells_as_its_header() -> None:
    width = 0
    for line in render(sample(), "md").splitlines():
        cells = line.replace("\\\\", "").replace("\\|", "").count("|")
        if not line.startswith("|"):
            width = 0
        elif not width:
            width = cells
        else:
            assert cells == width, line


def test_an_evaluation_without_anything_still_makes_every_report() -> None:
    empty = replace(sample(), slos=(), promises=(), events=(), exclusions=(), findings=())
    for format in ("html", "md", "json", "csv"):
        assert render(empty, format)
    assert "nothing to judge" in render(empty, "md")
