"""`sla-kit exporter`: which there are, and running one without the others."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sla_kit.cli import exporter as module
from sla_kit.cli import main
from tests.exporters.sidecar.sidecars import ROOT, sidecar

COMMAND = str(Path(sys.executable).parent / "sla-kit")


@pytest.fixture
def with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two exporters of another distribution, of which one is broken."""
    others = EntryPoints(
        [
            EntryPoint("told", "tests.exporters.sidecar.told:EXPORTER", "sla_kit.exporters"),
            EntryPoint("broken", "tests.no_such_module:EXPORTER", "sla_kit.exporters"),
        ]
    )

    def entry_points(**chosen: Any) -> EntryPoints:
        return others.select(**chosen)

    monkeypatch.setattr(module, "entry_points", entry_points)


def test_all_there_are_are_listed_with_what_they_are_for(with_others: None) -> None:
    for arguments in (["exporter"], ["exporter", "--help"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0
        for name in ("business", "slo", "told", "broken"):
            assert name in result.output
        assert "Does what it is told." in result.output
        assert "can't be loaded" in result.output


def test_one_of_another_distribution_is_a_command(with_others: None, tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text("collectors: [{name: one}]\n")
    result = CliRunner().invoke(main, ["exporter", "told", "--config", str(tmp_path / "told.yml"), "--check"])
    assert result.exit_code == 0
    assert "told would listen on" in result.output


def test_mistakes_leave_with_the_codes_of_every_command(with_others: None, tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text("collector: []\n")
    result = CliRunner().invoke(main, ["exporter", "told", "--config", str(tmp_path / "told.yml"), "--check"])
    assert result.exit_code == 1
    assert "told.yml:1:1: unknown key collector (did you mean collectors?)" in result.output
    assert CliRunner().invoke(main, ["exporter", "told"]).exit_code == 2


def test_a_name_that_there_is_not_gets_the_nearest(with_others: None) -> None:
    result = CliRunner().invoke(main, ["exporter", "busines"])
    assert result.exit_code == 2
    assert "did you mean business?" in result.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sla-kit exporter b", {"backup", "business"}),
        ("sla-kit exporter slo --log-", {"--log-format", "--log-level"}),
        ("sla-kit exporter slo --web-config ", {"file,"}),
        ("sla-kit drill m", {"mark-scratch"}),
        ("sla-kit drill -c drills.yml ", {"mark-scratch", "record", "shop", "users"}),
        ("sla-kit drill -c drills.yml shop ", {"users"}),
    ],
)
def test_shells_complete_names_and_options(words: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "drills.yml").write_text(
        "dumps: [{targets: [shop, users], places: [{type: folder, path: .}], pattern: '{target}-{time:%Y%m%d}'}]\n"
        "drill: {targets: {shop: {}, users: {}}}\n"
    )
    environment = {
        **os.environ,
        "_SLA_KIT_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run([COMMAND], capture_output=True, text=True, env=environment, timeout=300, cwd=tmp_path)
    assert {line.removeprefix("plain,") for line in done.stdout.split()} == expected


def test_loading_one_loads_no_other() -> None:
    code = """
import sys
from click.testing import CliRunner
from sla_kit.cli import main
assert CliRunner().invoke(main, ["exporter", "slo", "--help"]).exit_code == 0
print(*sorted(name for name in sys.modules if name.startswith("sla_kit.exporters.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert {name.split(".")[2] for name in done.stdout.split()} == {"sidecar", "slo"}


def test_it_serves_and_ends_as_a_command(tmp_path: Path) -> None:
    code = "import sys; from importlib.metadata import EntryPoint, EntryPoints\n"
    code += "from sla_kit.cli import exporter, main\n"
    code += "found = EntryPoints([EntryPoint('told', 'tests.exporters.sidecar.told:EXPORTER', 'sla_kit.exporters')])\n"
    code += "exporter.entry_points = found.select\nmain(['exporter', 'told', *sys.argv[1:]])\n"
    with sidecar(tmp_path, "collectors: [{name: one}]\n", command=[sys.executable, "-c", code]) as running:
        assert "told_value" in running.ask().text
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


def test_the_group_of_entry_points_is_the_one_that_is_documented() -> None:
    assert "sla_kit.exporters" in (ROOT / "docs/exporters.md").read_text()
    assert importlib.metadata.entry_points(group="sla_kit.exporters") is not None


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("psycopg", ["drill", "-c", "drills.yml"], "backup"),
        ("psycopg", ["drill", "record", "postgresql://db/shop", "-o", "counts.json"], "backup"),
        ("psycopg", ["drill", "mark-scratch", "postgresql://db/shop"], "backup"),
        ("alembic", ["drill", "-c", "drills.yml", "--ledger", "ledger.db"], "ledger"),
        ("alembic", ["drill", "-c", "drills.yml", "--ledger", "ledger.db", "--list"], "ledger"),
    ],
)
def test_what_is_not_installed_is_no_drill_that_failed(
    missing: str, words: list[str], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("drills.yml").write_text(
        "dumps: [{targets: [shop], places: [{type: folder, path: .}]}]\ndrill: {targets: {shop: {}}}\n"
    )
    there = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else there(name))
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert f"needs the Python package '{missing}'" in result.output
    assert f"pip install 'sla-kit[{extra}]'" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["drills.yml"]


@pytest.mark.parametrize(
    "looked_after",
    [
        "dumps: [{targets: [shop], places: [{type: s3, bucket: shop, region: eu-west-1}]}]",
        "rds: [{target: shop, region: eu-west-1, instance: shop}]",
        "velero: [{target: blue, place: {type: s3, bucket: velero, region: eu-west-1}}]",
    ],
)
def test_what_a_child_process_loads_is_missed_before_anything_serves(
    looked_after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "backup.yml"
    path.write_text(looked_after + "\n")
    words = ["exporter", "backup", "-c", str(path), "--check"]
    assert CliRunner().invoke(main, words).exit_code == 0
    monkeypatch.setattr("sla_kit.exporters.backup.loading.find_spec", lambda name: None)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "needs the Python package 'boto3'" in result.output
    assert "pip install 'sla-kit[backup]'" in result.output
