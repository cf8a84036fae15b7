"""`sla-kit import` and `sla-kit export` as commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sla_kit.cli import main
from tests.interchange.published import EXAMPLES

SLOTH = str(EXAMPLES / "sloth/examples/getting-started.yml")
PLUGIN = str(EXAMPLES / "sloth/examples/plugin-getting-started.yml")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_import_writes_a_catalogue_that_check_accepts_and_prints_what_became_of_each_slo(tmp_path: Path) -> None:
    result = run("import", "sloth", SLOTH, "--out", tmp_path / "shop")
    assert result.exit_code == 0, result.output
    assert "myservice  requests-availability  requests   99.9 %     30d" in result.output
    assert "left behind" not in result.output
    assert run("check", "-c", tmp_path / "shop").exit_code == 0
    assert (tmp_path / "shop/sla.yml").read_text().startswith("name: shop\n")


def test_leftovers_are_printed_with_file_line_and_column_and_strict_fails(tmp_path: Path) -> None:
    result = run("import", "sloth", PLUGIN, "--out", tmp_path / "a")
    assert result.exit_code == 0
    assert f"{PLUGIN}:14:13: the SLI plugin getting_started_availability" in result.output
    assert "job=myservice" in result.output
    assert run("import", "sloth", PLUGIN, "--out", tmp_path / "b", "--strict").exit_code == 1
    assert run("import", "sloth", SLOTH, "--out", tmp_path / "c", "--strict").exit_code == 0


def test_import_does_not_overwrite_a_catalogue(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text("name: mine\n")
    result = run("import", "sloth", SLOTH, "--out", tmp_path)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert (tmp_path / "sla.yml").read_text() == "name: mine\n"
    assert run("import", "sloth", SLOTH, "--out", tmp_path, "--force").exit_code == 0
    assert run("check", "-c", tmp_path).exit_code == 0


def test_mistakes_are_told_all_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    bad.write_text(
        """version: prometheus/v1
service: shop
slos:
  - name: one
    objective: 101
    sli: {raw: {error_ratio_query: "x"}, plugin: {id: y}}
    alerting: {name: A}
  - objective: 99
    alerting: {name: B}
"""
    )
    result = run("import", "sloth", bad, tmp_path / "missing.yml", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "5 mistakes in what was to be imported" in result.output
    for told in (
        f"{bad}:5:16: an objective of 101 % is impossible",
        f"{bad}:6:5: sli of slos 1 of the document has raw and plugin",
        f"{bad}:8:5: slos 2 of the document has no name",
        f"{bad}:8:5: slos 2 of the document has no sli",
        "missing.yml: no such file",
    ):
        assert told in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tool", ["openslo", "pyrra"])
def test_a_file_of_another_tool_is_named_as_that(tool: str, tmp_path: Path) -> None:
    result = run("import", tool, SLOTH, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"this is a document of sloth, not of {tool} (sla-kit import sloth)" in result.output


def test_files_without_slos_say_so(tmp_path: Path) -> None:
    result = run("import", "sloth", EXAMPLES / "sloth/examples/windows/7d.yaml", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "none of the files holds an SLO" in result.output
    assert "alert windows (they belong to SLOs" in result.output


def test_alert_windows_beside_slos_are_their_period(tmp_path: Path) -> None:
    result = run("import", "sloth", SLOTH, EXAMPLES / "sloth/examples/windows/7d.yaml", "--out", tmp_path / "out")
    assert "7d" in result.output or "1w" in result.output
    text = (tmp_path / "out/sla.yml").read_text()
    assert "window: 1w" in text
    assert "burn_rate: 13.44" in text  # 8 % of a week in an hour: 0.08 * 168


def test_export_and_import_again_give_the_same_promises(tmp_path: Path) -> None:
    run("import", "sloth", SLOTH, "--out", tmp_path / "first")
    exported = run("export", "-c", tmp_path / "first", "--out", tmp_path / "openslo.yml")
    assert exported.exit_code == 0, exported.output
    result = run("import", "openslo", tmp_path / "openslo.yml", "--out", tmp_path / "again", "--strict")
    assert "myservice  requests-availability  requests   99.9 %     30d" in result.output
    assert run("check", "-c", tmp_path / "again").exit_code == 0


def test_export_tells_what_has_no_place(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(
        """name: shop
services:
  - name: web
    runbook: https://example.com
    slos:
      - {name: up, sli: {kind: probe}, objective: 99%, missing: fail}
      - {name: back, sli: {kind: recovery, of: up, within: 5m}, objective: 90%}
"""
    )
    result = run("export", "-c", tmp_path, "--strict")
    assert result.exit_code == 1
    assert "runbook (an OpenSLO service has none)" in result.output
    assert "missing (OpenSLO has no such thing)" in result.output
    assert "its indicator is derived from other SLOs" in result.output
    assert "probe_success" in result.output


def test_an_indicator_that_openslo_cannot_tell_whole_comes_back_unless_it_was_changed(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(
        """name: shop
services:
  - name: web
    slos:
      - {name: up, sli: {kind: probe, combine: any}, objective: 99%}
      - {name: range, sli: {kind: bound, metric: level, min: 1, max: 9}, objective: 99%}
      - {name: restore, sli: {kind: duration, metric: restore_seconds, max: 1h}, objective: 99%}
"""
    )
    run("export", "-c", tmp_path, "--out", tmp_path / "openslo.yaml.txt")
    text = (tmp_path / "openslo.yaml.txt").read_text()
    (tmp_path / "as-written.json").write_text(text)
    run("import", "openslo", tmp_path / "as-written.json", "--out", tmp_path / "again")
    again = (tmp_path / "again/sla.yml").read_text()
    assert "combine: any" in again
    assert "min: 1.0" in again
    assert "max: 9.0" in again
    assert "kind: duration" in again
    (tmp_path / "changed.json").write_text(text.replace("(probe_success[", "(up["))
    result = run("import", "openslo", tmp_path / "changed.json", "--out", tmp_path / "other")
    assert "sla-kit/indicator (the queries beside it have been changed since" in result.output
    assert "combine: any" not in (tmp_path / "other/sla.yml").read_text()
    assert "metric: up" in (tmp_path / "other/sla.yml").read_text()
