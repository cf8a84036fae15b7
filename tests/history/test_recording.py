"""The two ways to record a history that docs/history.md shows, on a real Prometheus."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sla_kit.history import History, openmetrics
from tests.history.samples import HOURS, START, generated
from tests.history.strategies import contents
from tests.servers import prometheus, prometheus_versions, promtool

PAGE = Path(__file__).parents[2] / "docs" / "history.md"


def expected() -> History:
    return History([one for one in generated().series if one.metric in ("requests_total", "limit")])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    openmetrics.write(generated(), tmp_path / "history.om", {"requests": "counter", "seconds": "histogram"})
    return tmp_path / "history.om"


@pytest.mark.parametrize("version", prometheus_versions())
def test_the_ways_to_record_give_the_samples_back(version: str, recording: Path, tmp_path: Path) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "def record" in block)
    shown: dict[str, Any] = {}
    exec(code, shown)
    recorded = {"by the API": tmp_path / "api.om.gz"}
    with prometheus(version, openmetrics=recording, data=tmp_path / "data") as server:
        metrics, end = ["requests_total", "limit"], START + HOURS * 3600
        shown["record"](server.url, metrics, START, end, recorded["by the API"], hours=3)
    if version == "3":  # that of 2.42 can't dump OpenMetrics
        chosen = '--match={__name__=~"requests_total|limit"}'
        command: list[str | Path] = [promtool(version), "tsdb", "dump-openmetrics", chosen, tmp_path / "data" / "tsdb"]
        dumped = subprocess.run(command, capture_output=True, check=True).stdout
        recorded["by promtool"] = tmp_path / "dump.om.gz"
        recorded["by promtool"].write_bytes(gzip.compress(dumped))
    for way, path in recorded.items():
        found = openmetrics.read(path)
        assert contents(found) == contents(expected()), way
        assert found.findings == (), way
