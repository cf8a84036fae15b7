"""What people see of a backtest: the page in a real Chromium, the tables in a narrow terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from sla_kit.backtest.as_html import html
from sla_kit.backtest.as_text import print_backtest
from sla_kit.backtest.results import Backtest
from sla_kit.backtest.running import backtest
from sla_kit.backtest.sets import file_rules, set_otherwise
from sla_kit.history import openmetrics
from tests.backtest.test_history import END, INCIDENTS, RULES, history

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: How long a browser may take, milliseconds: long, since the machine may be busy with other tests.
PATIENCE_MS = 120_000
LONG = "Waiting.threshold=15%,Waiting.for=17m30s"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    folder = tmp_path_factory.mktemp("run")
    openmetrics.write(history(), folder / "history.om", {})
    (folder / "rules.yml").write_text(RULES)
    rules = file_rules([folder / "rules.yml"], "rules.yml")
    sets = [rules, set_otherwise(rules, LONG, None, END), set_otherwise(rules, "Plain.for=2m", None, END)]
    return backtest(str(folder / "history.om"), sets, window="1d", at=END, incidents=INCIDENTS, state=folder / "state")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    binary = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if binary is None:
        pytest.fail("no Chromium to look at the page with: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=binary,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            timeout=PATIENCE_MS,
        )
        yield chromium
        chromium.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_fits_its_screen_and_no_title_is_under_a_bar(
    found: Backtest, browser: Browser, width: int, tmp_path: Path
) -> None:
    (tmp_path / "backtest.html").write_text(html(found), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 844})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((tmp_path / "backtest.html").as_uri(), timeout=PATIENCE_MS)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
    hidden = page.evaluate(
        """() => {
            const box = part => part.getBoundingClientRect();
            const bars = [...document.querySelectorAll('.strip .right, .strip .wrong, .strip .incident')].map(box);
            return [...document.querySelectorAll('.strip text')].filter(text => bars.some(bar =>
                bar.left < box(text).right && bar.right > box(text).left &&
                bar.top < box(text).bottom - 2 && bar.bottom > box(text).top + 2)).map(text => text.textContent);
        }"""
    )
    assert hidden == []
    heights = page.evaluate(
        """() => ['right', 'wrong'].map(kind =>
            Math.max(...[...document.querySelectorAll('.strip .' + kind)].map(part => part.getBBox().height)))"""
    )
    assert heights[0] > heights[1], "who sees no colours sees the difference, too"


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_column_of_a_table_is_cut_off(found: Backtest, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    print_backtest(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.lstrip().startswith("Waiting")]
    assert rows
    # The last column of the first table and of the comparison: how soon it told.
    assert sum(line.endswith("2 min") for line in rows) == 2
    assert any(line.endswith(("17 min 30 s", "17 min")) for line in lines)
    unseen = next(number for number, line in enumerate(lines) if line.lstrip().startswith("unseen"))
    assert "a" in (lines[unseen].split() if width >= 130 else lines[unseen + 1].split())
