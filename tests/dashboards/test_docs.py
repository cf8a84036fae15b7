"""The page on dashboards: its example is a dashboard that the gate has nothing against, and it tells of all of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from sla_kit.catalogue import load
from sla_kit.cli import main
from sla_kit.dashboards import own_dashboards, vocabulary
from tests.dashboards.catalogues import ASTRAL, ROOT

PAGE = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    [text] = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(text)


def test_the_pages_dashboard_is_generated_and_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "orders.py").write_text(block("python"))
    (tmp_path / "sla.yml").write_text(block("yaml"))
    catalogue, out = str(tmp_path / "sla.yml"), tmp_path / "out"

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, [*arguments, "-c", catalogue], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "orders" in run("dashboards", "list")
    run("dashboards", "check")
    run("generate", "--only", "dashboards", "--out", str(out))
    written = {path.stem: json.loads(path.read_text()) for path in (out / "dashboards").iterdir()}
    assert "cloud" not in written
    panels = {each["title"]: each for each in written["orders"]["panels"]}
    assert panels["Orders by country"]["targets"][0]["expr"].startswith(
        'sum by (country, environment, cluster) (rate(shop_orders_total{job="order-exporter", environment=~'
    )
    assert [each["value"] for each in panels["Waiting"]["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [
        None, 100, 1000,
    ]  # fmt: skip


def test_the_page_tells_of_every_dashboard() -> None:
    told = set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))
    names = {each.name for each in own_dashboards(load(ASTRAL, "production"))} - {"astralfield-overview"}
    assert names <= told
    assert "<catalogue>-overview" in told


def test_the_page_names_words_that_there_are() -> None:
    [sentence] = re.findall(r"`stat`, .*? make a panel, `row`", PAGE, flags=re.DOTALL)
    words = re.findall(r"`(\w+)`", sentence)
    assert len(words) > 7
    assert set(words) <= set(vocabulary.__all__)
