"""report.html in a real Chromium: nothing sideways, nothing loaded, nothing complained about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from sla_kit.engine.results import Evaluation
from sla_kit.report import render
from tests.report.sample import many, sample

#: How long a browser may take, milliseconds: long, since the machine may be busy with other tests.
_PATIENCE_MS = 120_000
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    binary = next(filter(None, map(shutil.which, _NAMES)), None)
    if binary is None:
        pytest.fail("no Chromium to look at the report with: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=binary, args=_FLAGS, timeout=_PATIENCE_MS)
        yield chromium
        chromium.close()


def deep() -> Evaluation:
    """Budgets overspent a hundredfold, and a week that ends within a day, as rolling windows do."""
    one = sample()
    slo = one.slos[3]
    assert slo.burndown is not None
    downs = [replace(slo.burndown, left_ratio=1 - (1 - slo.burndown.left_ratio) * times) for times in (2, 14, 100)]
    window = replace(one.window, start=one.window.start + 7200, end=one.window.end - 7200)
    slos = tuple(replace(slo, slo=f"down-{place}", burndown=down, window=window) for place, down in enumerate(downs))
    return replace(one, slos=slos, promises=())


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    pages = {"sample": sample(), "many": many(60), "deep": deep()}
    found = {}
    for name, evaluation in pages.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(evaluation, "html"), encoding="utf-8")
    return found


@pytest.mark.parametrize(
    ("width", "scheme"), [(320, "light"), (390, "light"), (390, "dark"), (768, "light"), (1280, "light")]
)
@pytest.mark.parametrize("name", ["sample", "many"])
def test_the_page_is_quiet_and_never_wider_than_the_screen(
    browser: Browser, reports: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(reports[name].as_uri(), timeout=_PATIENCE_MS)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter(part => !part.closest('.scroll, .defs, thead'))
            .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
            .map(part => part.tagName + ' ' + part.textContent.slice(0, 40))"""
    )
    assert wide == []
    assert [url for url in requests if not url.startswith("data:")] == [reports[name].as_uri()]
    assert complaints == []
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["sample", "deep"])
def test_no_text_of_a_plot_is_cut_off_or_overlaps(
    browser: Browser, reports: dict[str, Path], name: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(reports[name].as_uri(), timeout=_PATIENCE_MS)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    troubles = page.evaluate(
        """() => [...document.querySelectorAll('.plot svg')].flatMap(svg => {
            const frame = svg.getBoundingClientRect();
            const texts = [...svg.querySelectorAll('text')].map(
                text => [text.textContent, text.getBoundingClientRect()]);
            const cut = texts.filter(([, box]) => box.left < frame.left - 1 || box.right > frame.right + 1
                || box.top < frame.top - 1 || box.bottom > frame.bottom + 1).map(([text]) => 'cut: ' + text);
            const over = texts.flatMap(([one, a], i) => texts.slice(i + 1).filter(([, b]) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
                .map(([other]) => 'over: ' + one + ' / ' + other));
            return cut.concat(over);
        })"""
    )
    assert troubles == []
    smallest = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('.plot svg')].map(
            svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * 11))"""
    )
    assert smallest >= 9.5, "labels of plots would be too small to read"
    page.close()


def test_headings_and_landmarks_reach_assistive_technology_in_order(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(reports["sample"].as_uri(), timeout=_PATIENCE_MS)
    tree = page.locator("body").aria_snapshot(timeout=_PATIENCE_MS)
    assert tree.index("- banner") < tree.index("- main") < tree.index("- contentinfo")
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(part => Number(part.tagName[1]))")
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    # On a phone the rows are blocks; they must still be rows of a table to a screen reader.
    assert page.get_by_role("rowheader", name="api / availability").count() >= 1
    assert page.get_by_role("img", name="Error budget left, api / availability").count() == 1
    page.close()


def test_it_prints_on_a_few_sheets_of_a4(browser: Browser, reports: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 844}, color_scheme="dark")
    page.goto(reports["sample"].as_uri(), timeout=_PATIENCE_MS)
    printed = page.pdf(prefer_css_page_size=True)
    assert 2 <= printed.count(b"/Type /Page\n") <= 6
    # Paper is 700 pixels wide inside its margins and white, whatever the screen was.
    page.set_viewport_size({"width": 695, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 695
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
