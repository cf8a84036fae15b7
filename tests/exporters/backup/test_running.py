"""The exporter as it runs: in little memory, whatever lies in the folder, and with what the inventory says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sla_kit.alert_rules.inventory import exporters
from tests.servers.process import READY_SECONDS, free_port

FILES = 20_000
LIMIT_BYTES = 60e6
DUMP = b"--\n-- PostgreSQL database dump\n--\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n"


def test_many_files_in_little_memory_and_metrics_as_the_inventory_has_them(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    now = int(time.time())
    for hours in range(FILES):
        made = now - 3600 * (hours + 1)
        path = folder / f"shop-{datetime.fromtimestamp(made, UTC):%Y%m%d%H%M%S}.sql"
        path.write_bytes(DUMP)
        os.utime(path, (made, made))
    (tmp_path / "backup.yml").write_text(
        'timeout: 300s\ndumps: [{targets: [shop], every: 1h, pattern: "{target}-{time:%Y%m%d%H%M%S}.sql", '
        "places: [{type: folder, path: backups}, {type: folder, path: gone, region: far}]}]"
    )
    port = free_port()
    command = [sys.executable, "-m", "sla_kit.exporters.backup", "--config", "backup.yml", "--listen"]
    process = subprocess.Popen([*command, f"127.0.0.1:{port}"], cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        text = _when_ready(process, port)
        resident = int(next(line for line in _status(process) if line.startswith("VmHWM")).split()[1]) * 1024
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=READY_SECONDS)
    finally:
        process.kill()
        process.wait()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {
        name: [sample.value for sample in family.samples if sample.labels.get("state", "usable") == "usable"]
        for name, family in families.items()
    }
    assert process.returncode == 0
    assert b"Traceback" not in said
    assert b"can't be read" in said
    assert values["backup_last_success_timestamp_seconds"] == [now - 3600]
    assert values["backup_files"] == [1000]
    assert values["backup_missed_days"] == [0]
    assert resident < LIMIT_BYTES
    known = exporters()["backup"].metrics
    for name, family in families.items():
        if name.startswith("backup_"):
            assert family.type == known[name].type.replace("info", "gauge"), name
            assert all(set(sample.labels) == set(known[name].labels) for sample in family.samples), name
            assert family.documentation, name


def _status(process: subprocess.Popen[bytes]) -> list[str]:
    return Path(f"/proc/{process.pid}/status").read_text().splitlines()


def _when_ready(process: subprocess.Popen[bytes], port: int) -> str:
    """What is published once the first collection is done."""
    deadline = time.monotonic() + 4 * READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=READY_SECONDS):
                pass
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=READY_SECONDS) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.05)  # between two looks
    pytest.fail("the exporter did not get ready", pytrace=False)
