"""The page on the simulator holds: its Python runs, and truth.json has the shape that it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sla_kit.simulate import load_scenario, simulate

PAGE = (Path(__file__).parent.parent.parent / "docs/simulate.md").read_text()


def block(language: str) -> str:
    run = re.sub(r"<!-- not run[^>]*-->\s*```.*?```", "", PAGE, flags=re.DOTALL)
    [text] = re.findall(rf"```{language}\n(.*?)```", run, flags=re.DOTALL)
    return str(text)


def shape(value: Any) -> Any:
    """The keys of objects, the first item of lists; days' and bounds' names do not matter."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items() if key not in ("under", "labels")}
    if isinstance(value, list):
        return [shape(one) for one in value[:1] if not isinstance(one, str)]
    return type(value).__name__


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("python"), "docs/simulate.md", "exec"), {"__name__": "page"})
    ratio, between = capsys.readouterr().out.splitlines()
    assert 0 < float(ratio) < 0.01
    assert re.fullmatch(r"\(\d+\.0, \d+\.0\)", between)


def test_truth_has_the_shape_that_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(block("yaml"))
    simulate(load_scenario(tmp_path / "shop.yml")).write(tmp_path)
    assert shape(json.loads((tmp_path / "truth.json").read_text())) == shape(json.loads(block("json")))


def test_what_is_measured_is_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(block("yaml"))
    simulation = simulate(load_scenario(tmp_path / "shop.yml"))
    found = {(each.metric, dict(each.labels).get("le", "")): each for each in simulation.history.series}
    queries = found["db_queries_total", ""].values
    requests = simulation.truth["services"]["api"]["total"]
    assert queries[-1] - queries[0] == pytest.approx(3 * requests + 2 * 7 * 86400, rel=0.01)
    assert found["db_query_seconds_count", ""].values[-1] == pytest.approx(queries[-1] - 1e6, rel=1e-6)
    assert found["shop_sale_active", ""].times.size == 3 * 3600 // 15
    assert found["cache_flushed_timestamp_seconds", ""].values[-1] == simulation.scenario.end - 3600
