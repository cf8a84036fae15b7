"""report.png as a picture: its size, its colours where they belong, no text over another or cut off."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.text import Text
from PIL import Image

from sla_kit.engine.results import Evaluation
from sla_kit.report import as_png, render_bytes
from sla_kit.report.as_png import HEIGHT, WIDTH
from sla_kit.report.translations import open_language
from tests.report.sample import NASTY, many, sample

MISSED, MET = (0xB3, 0x26, 0x1E), (0x1A, 0x6B, 0x4B)


def odd() -> Evaluation:
    """Names in Greek and Cyrillic, with what elsewhere would be markup, and far too long."""
    one = sample()
    slos = tuple(replace(slo, service="платежи", slo=f"{slo.slo} $διαθεσιμότητα$ {NASTY}" * 9) for slo in one.slos)
    promises = tuple(replace(promise, title="Доступность " * 30, target="99,99 % " * 20) for promise in one.promises)
    return replace(one, catalogue="Αστρικό Πεδίο " * 20, slos=slos, promises=promises)


def evaluations() -> dict[str, Evaluation]:
    one = sample()
    return {
        "sample": one,
        "odd": odd(),
        "many": many(10_000),
        "one": replace(one, slos=one.slos[:1], promises=()),
        "none": replace(one, slos=(), promises=()),
    }


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """Every text that is on the picture at the end."""
    found: list[Text] = []
    save = as_png._Sheet.png

    def look(sheet: as_png._Sheet, **about: str) -> bytes:
        found.extend(sheet._axes.texts)
        return save(sheet, **about)

    monkeypatch.setattr(as_png._Sheet, "png", look)
    return found


@pytest.mark.parametrize("name", list(evaluations()))
def test_no_text_is_cut_off_or_lies_over_another(name: str, drawn: list[Text]) -> None:
    made = Image.open(io.BytesIO(render_bytes(evaluations()[name], "png")))
    assert made.size == (WIDTH, HEIGHT) == (1200, 675)
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn if text.get_text().strip()]
    assert len(boxes) >= 4
    for text, box in boxes:
        inside = (max(box.x0, 0), min(box.x1, WIDTH), max(box.y0, 0), min(box.y1, HEIGHT))
        assert inside == (box.x0, box.x1, box.y0, box.y1), text
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 1 or down <= 5, (one, other)


def test_texts_are_large_enough_for_a_preview_of_a_third_of_the_size(drawn: list[Text]) -> None:
    render_bytes(sample(), "png")
    pixels = [float(text.get_fontsize()) * 100 / 72 for text in drawn]
    assert min(pixels) >= 20
    assert sorted(pixels)[len(pixels) // 2] >= 22


def test_a_verdict_is_a_word_and_a_shape_as_well_as_a_colour(drawn: list[Text]) -> None:
    picture = Image.open(io.BytesIO(render_bytes(sample(), "png"))).convert("RGB")
    words = [text.get_text() for text in drawn]
    assert {"Missed", "Met", "Can't tell"} <= set(words)
    assert picture.getpixel((50, 62)) == MISSED, "the left edge of the octagon"
    assert picture.getpixel((74, 62)) == (255, 255, 255), "its cross"
    met = replace(sample(), slos=tuple(slo for slo in sample().slos if slo.figure.met), promises=())
    assert Image.open(io.BytesIO(render_bytes(met, "png"))).convert("RGB").getpixel((74, 50)) == MET


def test_it_says_the_worst_first_and_how_many_there_are(drawn: list[Text]) -> None:
    render_bytes(sample(), "png")
    words = [text.get_text() for text in drawn]
    assert "the 5 worst of 13" in words
    assert words.index("api / availability") < words.index("redis / availability")
    assert "99.972 % of 99.99 %" in words
    assert "−42 %" in words
    assert "3 incidents" in words
    assert "1 still going on" in words


def test_the_same_evaluation_gives_the_same_bytes() -> None:
    assert render_bytes(sample(), "png") == render_bytes(sample(), "png")


def test_it_speaks_the_language_of_the_report(drawn: list[Text]) -> None:
    render_bytes(sample(), "png", language=open_language("de", Path(__file__).parent / "translations"))
    words = [text.get_text() for text in drawn]
    assert {"Verfehlt", "Erfüllt", "Offen", "Ziele"} <= set(words)


def test_greek_and_cyrillic_are_letters_and_no_boxes() -> None:
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        patch.setattr(as_png, "_quiet", warnings.catch_warnings)
        warnings.filterwarnings("error", message="Glyph .* missing")
        assert render_bytes(odd(), "png")


def test_a_letter_that_no_font_has_is_no_reason_to_fail_or_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert render_bytes(replace(sample(), catalogue="\U0001f9ff 𓀀 星"), "png")
