"""Pages in a real Chromium: nothing overlaps, nothing leaves its panel, nothing is empty, whatever is drawn."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from playwright.sync_api import Browser

from sla_kit.preview.page import height_of, html
from sla_kit.preview.panels import WIDTH
from sla_kit.preview.screenshot import take
from tests.preview.conftest import PATIENCE_MS
from tests.preview.extremes import extremes
from tests.preview.geometry import DRAWN, OVERFLOWS, OVERLAPS, SMALLEST


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("preview") / "extremes.html"
    file.write_text(html(extremes(), "history", "UTC"), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_overlaps_and_nothing_leaves_its_panel(browser: Browser, page_file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri(), timeout=PATIENCE_MS)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(OVERFLOWS) == []
    assert page.evaluate(SMALLEST) >= 50
    drawn = page.evaluate(DRAWN)
    assert len(drawn) >= 18
    # Of a single point there is a dot, which has no length; of what is no number there is nothing.
    assert {title for title, size in drawn.items() if size < 20} == {"One point", "No number", "Cold"}
    assert complaints == []
    assert asked == [page_file.as_uri()]
    page.close()


def test_the_geometry_sees_what_is_wrong(browser: Browser) -> None:
    """The questions themselves: a page on which all that they look for is wrong."""
    page = browser.new_page(viewport={"width": 400, "height": 300})
    page.set_content(
        "<section style='width:100px;height:50px;overflow:hidden'><h3>Bad</h3><p style='margin-top:-30px'>over it</p>"
        "<div style='height:90px'>tall</div><div class='plot'><svg width=9 height=9><path d='M0 0'/></svg></div>"
        "</section>",
        timeout=PATIENCE_MS,
    )
    assert page.evaluate(OVERLAPS)
    assert len(page.evaluate(OVERFLOWS)) >= 2
    assert page.evaluate(DRAWN) == {"Bad": 0}
    page.close()


def test_a_picture_has_the_size_of_the_page_and_shows_it(browser: Browser, page_file: Path, tmp_path: Path) -> None:
    height = height_of(extremes().document)
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    page.goto(page_file.as_uri(), timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollHeight") == height
    page.close()
    picture = tmp_path / "extremes.png"
    take(page_file, picture, WIDTH, height)
    pixels = np.asarray(matplotlib.image.imread(picture))
    assert pixels.shape[:2] == (height, WIDTH)
    colors = np.unique((pixels[..., :3].reshape(-1, 3) * 255).astype(int), axis=0)
    assert len(colors) > 100
    # There is something to see in every tenth of it.
    assert all(part.std() > 0.01 for part in np.array_split(pixels[..., :3], 10))
