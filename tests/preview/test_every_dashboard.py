"""Every dashboard of the example, on the simulated history of its whole stack: no query is empty, no page amiss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from sla_kit.catalogue import load
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.rendering import Rendering
from sla_kit.generate.plan import rule_files
from sla_kit.preview.answers import LOGS, Page, asking, kind_of, panels_of
from sla_kit.preview.filling import Range
from sla_kit.preview.page import html
from sla_kit.simulate import load_scenario, simulate
from tests.preview.conftest import PATIENCE_MS
from tests.preview.geometry import DRAWN, OVERFLOWS, OVERLAPS
from tests.servers import prometheus_program

EXAMPLE = Path(__file__).parents[2] / "examples" / "astralfield"
#: Half a day with the game in it; a point every few minutes.
HOURS, POINTS = 12, 180
pytestmark = pytest.mark.xdist_group("previews")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Page]:
    """Each dashboard with its answers, by its name: asked of a Prometheus 3 that holds the history."""
    folder = tmp_path_factory.mktemp("stack")
    history = simulate(load_scenario("stack"))
    history.write(folder)
    catalogue = load(EXAMPLE, "production")
    dashboards = dashboards_of(catalogue)
    rendering = Rendering.of(catalogue)
    span = history.history.span()
    assert span is not None
    end = -(-span[1] // 1000)
    with asking(
        str(folder),
        [rendering.document(each) for each in dashboards],
        Range(end - HOURS * 3600, end, POINTS, scrape_interval=60),
        rule_files(catalogue, end),
        engine="prometheus",
        prometheus=str(prometheus_program("3")),
        interval=round(catalogue.monitoring.evaluation_interval),
        state=folder / "state",
    ) as found:
        return {each.name: page for each, page in zip(dashboards, found, strict=True)}


def test_no_query_of_any_panel_is_empty(pages: Mapping[str, Page]) -> None:
    asked = logs = 0
    dead = []
    for name, page in pages.items():
        for panel in panels_of(page.document):
            answers = page.answers[panel["id"]]
            assert len(answers) == len(panel["targets"]) > 0
            for answered, target in zip(answers, panel["targets"], strict=True):
                asked += 1
                if kind_of(target) == LOGS:
                    logs += 1
                    assert answered.left_out
                elif answered.empty:
                    dead.append(f"{name}: {panel['title']}: {answered.expression} {answered.said}")
    assert dead == []
    # As many as there are: fewer would prove too little.
    assert len(pages) >= 17
    assert asked - logs >= 400
    assert logs == 8


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_has_anything_that_overlaps_is_cut_or_is_empty(
    pages: Mapping[str, Page], browser: Browser, tmp_path: Path, width: int
) -> None:
    amiss = []
    for name, page in pages.items():
        file = tmp_path / f"{name}.html"
        file.write_text(html(page, "history", "UTC"), encoding="utf-8")
        assert file.stat().st_size < 500_000
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.goto(file.as_uri(), timeout=PATIENCE_MS)
        amiss += [f"{name}: {each}" for each in (*tab.evaluate(OVERLAPS), *tab.evaluate(OVERFLOWS))]
        drawn = tab.evaluate(DRAWN)
        for panel in panels_of(page.document):
            if panel["title"] in drawn and drawn[panel["title"]] < 20 and not only_zeros(page, panel["id"]):
                amiss.append(f"{name}: nothing is drawn in {panel['title']!r}")
        tab.close()
    assert amiss == []


def only_zeros(page: Page, panel: int) -> bool:
    """Whether all that a panel shows is nothing, of which bars have no height."""
    answers = [each.answer for each in page.answers[panel] if each.answer is not None]
    return not any(np.nan_to_num(answer.values[answer.present]).any() for answer in answers)
