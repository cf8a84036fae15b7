"""Sidecars stay small: what they must not import, and that they start without what an exporter of theirs needs not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Libraries of reports, dashboards and ledgers: 20 to 100 MB each.
HEAVY = {"pandas", "matplotlib", "grafanalib", "prometheus_api_client", "sqlalchemy", "alembic", "jinja2", "weasyprint"}
#: What the sources of one exporter need, and the others do not.
SOURCES = {"psycopg", "redis", "boto3", "botocore", "elasticsearch", "requests", "pyrage"}


def imported(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("exporter", ["business", "backup", "logs"])
def test_a_sidecar_begins_with_no_heavy_library(exporter: str) -> None:
    found = imported(f"from sla_kit.exporters.{exporter} import EXPORTER\nimport sla_kit.exporters.sidecar.running")
    assert found & (HEAVY | SOURCES | {"numpy"}) == set()


def test_the_exporter_of_logs_collects_with_neither_a_client_nor_what_reckons(tmp_path: Path) -> None:
    (tmp_path / "logs.yml").write_text('state: logs.db\ncluster: {url: "http://127.0.0.1:1"}\n')
    collects = f"""
import time
from pathlib import Path
from sla_kit.exporters.logs import EXPORTER
from sla_kit.exporters.sidecar.collector import CollectError
for each in EXPORTER.load(Path({str(tmp_path / "logs.yml")!r})).collectors:
    try:
        each.collect(time.monotonic() + 60)
    except CollectError as error:
        assert error.kind == "connect", error
"""
    assert imported(collects) & (HEAVY | SOURCES | {"numpy", "urllib3", "stamina"}) == set()


def test_the_exporter_of_slos_begins_without_pandas() -> None:
    """The engine reckons with numpy."""
    found = imported("from sla_kit.exporters.slo import EXPORTER\nimport sla_kit.exporters.sidecar.running")
    assert found & HEAVY == set()


def test_recording_a_job_costs_it_next_to_nothing() -> None:
    found = imported("from sla_kit.exporters import job")
    assert found & (HEAVY | SOURCES | {"numpy", "uvicorn", "starlette", "click"}) == set()
