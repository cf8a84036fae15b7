"""The table in the terminal, and its JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from sla_kit.report import formats
from sla_kit.report.status import render_status, status_document
from sla_kit.timeline import Finding
from tests.report.sample import sample


def shown(width: int) -> str:
    out = io.StringIO()
    render_status(sample(), Console(file=out, width=width, color_system=None))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 66, 80, 92, 120, 200])
def test_every_verdict_and_sli_fits_whatever_the_width(width: int) -> None:
    text = shown(width)
    assert max(len(line) for line in text.splitlines()) <= width
    for slo in sample().slos:
        assert formats.percent(slo.figure.sli, slo.objective) in text
    assert text.count("Missed") == 3
    assert text.count("Met") == 7


def test_a_wide_table_shows_objective_burn_rate_and_reason() -> None:
    text = shown(120)
    assert "Objective" in text
    assert "22.4× over 3 d" in text
    assert "too few" in text


def test_the_worst_come_first_and_the_verdict_is_a_sentence_under_the_table() -> None:
    text = shown(100)
    assert text.index("Missed") < text.index("Can't tell") < text.index("Met")
    assert "3 of 13 objectives were missed" in text


def test_a_promise_that_is_declared_by_a_label_which_is_not_there_is_told_of_though_it_looks_kept() -> None:
    one = sample()
    finding = Finding("unknown-label", "no series of http_requests_total has the label code, by which bad is told")
    out = io.StringIO()
    render_status(
        replace(one, slos=(replace(one.slos[0], findings=(finding,)),)), Console(file=out, width=160, color_system=None)
    )
    assert f"{one.slos[0].service}/{one.slos[0].slo}: no series of http_requests_total has the label" in out.getvalue()
    assert "has the label code" not in shown(160)


def test_names_are_text_and_steer_neither_rich_nor_the_terminal() -> None:
    one = sample()
    odd = replace(one, slos=(replace(one.slos[0], service="[red]x[/red]", slo="\x1b[2Jgone"),))
    out = io.StringIO()
    render_status(odd, Console(file=out, width=120, color_system=None))
    assert "[red]x[/red]" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_console_without_unicode_gets_plain_characters() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="replace")
    render_status(sample(), Console(file=out, width=100, color_system=None))
    out.flush()
    assert "█" not in raw.getvalue().decode("ascii")
    assert b"###" in raw.getvalue()
    assert b"-42 %" in raw.getvalue()
    assert b"22.4x over 3 d" in raw.getvalue()


def test_the_status_document_is_plain_json_with_the_figures_a_pipeline_gates_on() -> None:
    document = json.loads(json.dumps(status_document(sample()), allow_nan=False))
    assert document["met"] is False
    assert len(document["slos"]) == 13
    api = next(slo for slo in document["slos"] if (slo["service"], slo["slo"]) == ("api", "availability"))
    assert api["burn_rate"] == {
        "window_seconds": 259200,
        "rate": 22.4,
        "threshold": 1,
        "severity": "ticket",
        "fires": True,
    }
    assert api["budget_left_ratio"] == pytest.approx(-0.4234, abs=1e-4)
