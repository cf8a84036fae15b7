"""report.pdf opened again: its pages, its text, its outline, its fonts, and nothing beyond its margins."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from sla_kit.engine.results import Evaluation
from sla_kit.errors import SlaKitError
from sla_kit.report import render, render_bytes
from sla_kit.report.translations import open_language
from tests.report.sample import many, sample

POINTS = {"A4": (595, 842), "letter": (612, 792)}


def root(report: PdfReader) -> Any:
    """The document's catalogue."""
    return report.trailer["/Root"]


def pdf(evaluation: Evaluation, **how: Any) -> PdfReader:
    return PdfReader(io.BytesIO(render_bytes(evaluation, "pdf", **how)))


@pytest.fixture(scope="module")
def report() -> PdfReader:
    return pdf(sample())


def test_it_has_a_few_sheets_of_the_size_that_was_asked_for(report: PdfReader) -> None:
    assert 4 <= len(report.pages) <= 8
    letter = pdf(replace(sample(), slos=sample().slos[:3]), paper="letter")
    for found, name in ((report, "A4"), (letter, "letter")):
        assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in found.pages} == {POINTS[name]}


def test_its_text_is_there_with_running_titles_and_page_numbers(report: PdfReader) -> None:
    pages = [" ".join(page.extract_text().split()) for page in report.pages]
    assert "3 of 13 objectives were missed" in pages[0]
    assert "99.972 %" in pages[0]
    for number, text in enumerate(pages, 1):
        assert f"{number} / {len(pages)}" in text
    assert all("SLA report 2026-W38: Astral Field, production" in text for text in pages)
    whole = " ".join(pages)
    for objective in sample().slos[3:6]:
        assert f"{objective.service} / {objective.slo}" in whole


def test_it_can_be_walked_by_its_outline(report: PdfReader) -> None:
    outline: Any = report.outline
    title, sections = outline
    assert title["/Title"] == "SLA report 2026-W38: Astral Field, production"
    names = [section["/Title"] for section in sections]
    assert names[:4] == ["Promises", "What to do now", "Objectives", "Error budgets"]
    assert len(names) == 11


def test_it_says_what_it_is_and_when_it_is_of_and_is_tagged(report: PdfReader) -> None:
    about = report.metadata
    assert about is not None
    assert about.title == "SLA report 2026-W38: Astral Field, production"
    assert about.author == "Astral Field, production"
    assert about.creation_date is not None
    assert about.creation_date.timestamp() == sample().at
    assert root(report)["/Lang"] == "en"
    assert root(report)["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in root(report)


def test_its_fonts_are_embedded(report: PdfReader) -> None:
    found = 0
    for page in report.pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            (inner,) = font.get_object()["/DescendantFonts"]
            descriptor = inner.get_object()["/FontDescriptor"]
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor)
            found += 1
    assert found > 0


def placed(report: PdfReader) -> list[tuple[int, float, float, str]]:
    """Where each piece of text begins: its page, how far right and how far up, in points."""
    found: list[tuple[int, float, float, str]] = []
    for number, page in enumerate(report.pages):

        def visit(text: str, space: list[float], at: list[float], _font: Any, _size: float, page: int = number) -> None:
            if text.strip():
                across = space[0] * at[4] + space[2] * at[5] + space[4]
                up = space[1] * at[4] + space[3] * at[5] + space[5]
                found.append((page, across, up, text))

        page.extract_text(visitor_text=visit)
    return found


@pytest.mark.parametrize("size", ["A4", "letter"])
def test_nothing_stands_outside_the_margins(size: str) -> None:
    width, height = POINTS[size]
    pieces = placed(pdf(sample(), paper=size))
    assert len(pieces) > 500
    assert [piece for piece in pieces if not (35 <= piece[1] <= width - 35 and 15 <= piece[2] <= height - 15)] == []


def test_a_tables_head_is_repeated_on_each_sheet_that_it_runs_over() -> None:
    pages = [page.extract_text() for page in pdf(many(60)).pages]
    running = [text for text in pages if text.count("spent, 30d") >= 5]
    assert len(running) >= 2
    assert all("Bad / total" in text for text in running)


def test_a_row_is_never_cut() -> None:
    """The note under an objective's name is on the sheet of its name."""
    evaluation = many(40)
    slos = tuple(replace(slo, description=f"note of {slo.slo} " * 12) for slo in evaluation.slos)
    pages = [" ".join(page.extract_text().split()) for page in pdf(replace(evaluation, slos=slos)).pages]
    shown = [slo.slo for slo in slos if any(f"note of {slo.slo} " in text for text in pages)]
    assert len(shown) >= 30
    for name in shown:
        assert len([text for text in pages if f"note of {name} " in text]) == 1


def test_what_is_folded_and_long_is_named_with_where_it_is() -> None:
    reader = pdf(many(1000))
    text = " ".join(" ".join(page.extract_text().split()) for page in reader.pages)
    assert "The other 970 objectives by service" in text
    assert "in report.html and report.json" in text
    assert len(reader.pages) < 20


def test_the_same_evaluation_gives_the_same_bytes() -> None:
    assert render_bytes(sample(), "pdf") == render_bytes(sample(), "pdf")


def test_it_speaks_the_language_of_the_report() -> None:
    reader = pdf(sample(), language=open_language("de", Path(__file__).parent / "translations"))
    assert root(reader)["/Lang"] == "de"
    assert "wurden verfehlt" in reader.pages[0].extract_text()


def test_it_is_no_text() -> None:
    with pytest.raises(SlaKitError, match="no text"):
        render(sample(), "pdf")


WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class NoPango(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")

if sys.argv[1] == "pango":
    sys.meta_path.insert(0, NoPango())
else:
    sys.modules["weasyprint"] = None
from sla_kit.errors import SlaKitError
from sla_kit.report import available, render_bytes
from tests.report.sample import sample
try:
    render_bytes(sample(), "pdf")
except SlaKitError as error:
    print(error)
names, lacking = available()
print("pdf" in names, "html" in names, *lacking)
"""


@pytest.mark.parametrize(
    ("what", "needs", "remedy"),
    [("pango", "Pango", "apt-get install libpango"), ("weasyprint", "'weasyprint'", "pip install 'sla-kit[pdf]'")],
)
def test_what_it_lacks_is_told_with_how_to_get_it(what: str, needs: str, remedy: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, what], capture_output=True, text=True, check=True, timeout=600
    )
    asked, left_out = done.stdout.split("False True ")
    for told in (asked, left_out):
        assert needs in told
        assert remedy in told
