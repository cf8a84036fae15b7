"""The page on running exporters and on jobs: its code runs, and what it names is there."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path

import pytest

from sla_kit import alert_rules
from sla_kit.alert_rules.inventory import exporters
from sla_kit.exporters.jobs.command import main as wrapper
from sla_kit.exporters.jobs.destinations import DIRECTORY
from tests.exporters.deployment.examples import EXAMPLES
from tests.exporters.jobs.reading import told_in

PAGE = (EXAMPLES.parents[1] / "docs" / "deploying-exporters.md").read_text()


def test_the_jobs_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {"batches": lambda: [[1, 2], [3]]}
    exec(compile(code, "page", "exec"), names)
    assert told_in(tmp_path, "nightly-report")["sla_job_records_processed", "rows"] == 3
    asyncio.run(names["sync_users"]())  # type: ignore[operator]
    assert told_in(tmp_path, "sync-users")["sla_job_expected_interval_seconds"] == 600


def test_the_line_for_cron_is_one_that_the_wrapper_takes() -> None:
    [line] = re.findall(r"```cron\n(.*?)```", PAGE, re.DOTALL)
    words = shlex.split(line)
    arguments = words[words.index("sla_kit.exporters.jobs") + 1 :]
    asked = wrapper.make_context("jobs", arguments).params
    assert (asked["name"], asked["expected_every"]) == ("nightly-dump", "1d")
    assert asked["command"][-4:] == ("pg_dump", "--file", "/backups/shop.dump", "shop")


def test_metrics_alerts_and_files_of_the_page_are_there() -> None:
    inventory = exporters()["jobs"].metrics
    named = set(re.findall(r"`(sla_job_\w+)`", PAGE))
    assert named <= set(inventory)
    assert set(inventory) - named == {"sla_job_first_start_timestamp_seconds"}  # in the same row as the last
    alerts = {alert.name for area in alert_rules.areas() for alert in area.alerts}
    assert set(re.findall(r"`(Job[A-Z]\w+)`", PAGE)) == {"JobFailed", "JobOverdue", "JobUnfinished"} <= alerts
    table = PAGE.partition("| file | is |")[2].partition("\n\n")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    folders = {"slo.yml": "kubernetes/slo.yml"}
    files = {folders.get(name, name) for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    assert {"Dockerfile", "kubernetes/slo.yml", "systemd/"} <= files
    assert [name for name in files if not (EXAMPLES / name).exists()] == []
