"""report.html as text: self-contained, escaped, bounded, and in agreement with report.json."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from sla_kit.report import formats, render
from tests.report.page import Page
from tests.report.sample import NASTY, many, sample

CSS = Path(__file__).parents[2] / "sla_kit" / "report" / "templates" / "report.css"


@pytest.fixture(scope="module")
def text() -> str:
    return render(sample(), "html")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page.of(text)


def test_its_figures_are_those_of_json_formatted(page: Page) -> None:
    document = json.loads(render(sample(), "json"))
    caption = next(caption for caption in page.tables if caption.startswith("Each objective"))
    rows = {row[0].text: row for row in page.tables[caption][1:]}
    assert len(rows) == len(document["slos"])
    for slo in document["slos"]:
        _, verdict, sli, objective, change, left, counts = rows[f"{slo['service']} / {slo['slo']}"]
        assert verdict.text == formats.verdict(slo["met"])
        assert sli.text == formats.percent(slo["sli"], slo["objective"])
        assert objective.text == formats.objective_percent(slo["objective"])
        assert left.text == formats.share(slo["own"]["budget"]["left_ratio"])
        for cell, number in (
            (sli, slo["sli"]),
            (objective, slo["objective"]),
            (left, slo["own"]["budget"]["left_ratio"]),
            (counts, slo["bad"] if slo["total"] else None),
        ):
            assert (None if cell.value is None else json.loads(cell.value)) == number
        if slo["before"] and slo["before"]["sli"] is not None:
            assert change.text == formats.points(slo["sli"] - slo["before"]["sli"], slo["objective"])


def test_it_says_the_same_as_markdown_in_every_table(page: Page) -> None:
    markdown = render(sample(), "md")
    for caption, rows in page.tables.items():
        for row in rows[1:]:
            for cell in row[1:]:
                if cell.value is not None:
                    assert cell.text.replace("|", "\\|") in markdown, caption


def test_it_loads_and_runs_nothing(page: Page) -> None:
    assert [address for address in page.addresses if not address.startswith(("#", "data:"))] == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "img", "audio", "video"}
    policies = [found for tag, found in page.tags if tag == "meta" and found.get("http-equiv")]
    assert [found["http-equiv"] for found in policies] == ["Content-Security-Policy"]
    assert "default-src 'none'" in str(policies[0]["content"])
    assert not any(name.startswith("on") for _, found in page.tags for name in found)


def test_no_style_points_anywhere_else(text: str) -> None:
    assert "@import" not in text
    assert "@font-face" not in text
    assert re.findall(r"url\((?!#)", text) == []


def test_hostile_names_are_text(text: str) -> None:
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert NASTY not in text


def test_every_id_is_there_once_and_every_anchor_leads_somewhere(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)


def test_headings_go_down_one_level_at_a_time_from_one_title(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    wanted = ["Promises", "What to do now", "Objectives", "Error budgets", "When errors happened", "Incidents"]
    assert [text for level, text in page.headings if level == 2][:6] == wanted


def test_table_headers_have_a_scope_and_pictures_have_names(page: Page) -> None:
    assert all(found.get("scope") in ("col", "row") for tag, found in page.tags if tag == "th")
    pictures = [found for tag, found in page.tags if tag == "svg" and "aria-hidden" not in found]
    assert len(pictures) >= 5
    for found in pictures:
        assert found["role"] == "img"
        assert {found["aria-labelledby"], found["aria-describedby"]} <= set(page.ids)
    assert page.tags[0] == ("html", {"lang": "en"})
    assert {"header", "nav", "main", "footer"} <= {tag for tag, _ in page.tags}


def test_the_same_evaluation_gives_the_same_bytes(text: str) -> None:
    assert render(sample(), "html") == text


def test_a_thousand_objectives_stay_a_page(text: str) -> None:
    large = render(many(1000), "html")
    assert len(large) < 4_000_000
    page = Page.of(large)
    pictures = [found for tag, found in page.tags if tag == "svg" and "aria-hidden" not in found]
    assert len(pictures) <= 18
    caption = next(caption for caption in page.tables if caption.startswith("Each objective"))
    assert len(page.tables[caption]) == 31
    assert sum(len(rows) - 1 for caption, rows in page.tables.items() if caption.startswith("More of service-")) == 970


def test_a_plot_of_every_kind_of_history_can_be_drawn() -> None:
    """One point, a budget far overspent, a heat map without any data: none may fail or make an empty page."""
    import numpy as np

    from sla_kit.engine.results import Burndown, HeatMap
    from sla_kit.report.plots import burndown, heat

    slo = sample().slos[0]
    end = slo.own_window.end
    for times, left in (([end - 60, end], [1.0, -85.0]), ([end], [0.4]), ([end - 60, end], [np.nan, 0.5])):
        odd = replace(slo, burndown=Burndown(np.array(times, dtype=np.int64), np.array(left)))
        assert burndown(odd, "UTC", "x").startswith("<svg")
    for ratio in (np.full((1, 24), np.nan), np.zeros((92, 24)), np.ones((400, 24))):
        days = tuple((np.datetime64("2026-01-01") + np.arange(len(ratio))).astype(str))
        assert heat(replace(slo, heat=HeatMap(days, ratio)), "UTC", "x").startswith("<svg")


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_has_the_contrast_of_wcag_aa_in_both_schemes() -> None:
    blocks = re.findall(r":root \{(.*?)\}", CSS.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        pairs = [(ink, "face") for ink in ("ink", "muted", "link", "met", "missed", "unknown", "plot-debt")]
        pairs += [(tone, f"{tone}-face") for tone in ("met", "missed", "unknown")]
        pairs += [(ink, f"{tone}-face") for tone in ("met", "missed", "unknown") for ink in ("ink", "muted")]
        for ink, face in pairs:
            high, low = sorted((luminance(colours[ink]), luminance(colours[face])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, face)
