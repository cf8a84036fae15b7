"""The units, as systemd's own tools judge them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.exporters.deployment.examples import EXAMPLES
from tests.servers.process import binary

UNITS = EXAMPLES / "systemd"
#: What `systemd-analyze security` calls OK begins at 5; most services of a distribution have about 9.
MOST_EXPOSURE = 2.0


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the programs that they start in a place where they are."""
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sla-kit", "python"):
        (programs / name).symlink_to("/bin/true")
    for file in folder.glob("*.service"):
        file.write_text(file.read_text().replace("/opt/sla-kit/bin", str(programs)))
    return folder


def analyzed(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [binary("systemd-analyze", "systemd"), *arguments]
    plain = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}  # whatever the machine's zone and language are
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=plain)


def test_systemd_finds_nothing_wrong(units: Path) -> None:
    exporters = [f"./sla-kit-exporter@{name}.service" for name in ("business", "logs")]
    names = [*exporters, "./sla-kit-drill.service", "./sla-kit-drill.timer"]
    found = analyzed("verify", "--man=no", *names, folder=units)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
    unit = units / "sla-kit-drill.service"
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in analyzed("verify", "--man=no", "./sla-kit-drill.service", folder=units).stderr


@pytest.mark.parametrize("name", ["sla-kit-exporter@.service", "sla-kit-drill.service"])
def test_services_are_little_exposed(name: str, units: Path) -> None:
    found = analyzed("security", "--offline=true", f"./{name}", folder=units).stdout
    [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", found)
    assert float(exposure) <= MOST_EXPOSURE


def test_the_timer_comes_on_sunday_nights(units: Path) -> None:
    [calendar] = re.findall(r"^OnCalendar=(.*)$", (units / "sla-kit-drill.timer").read_text(), re.MULTILINE)
    found = analyzed("calendar", "--base-time=2026-11-25 00:00 UTC", calendar, folder=units).stdout
    assert re.search(r"Next elapse: Sun 2026-11-29 03:00:00 UTC", found)
