"""`sla-kit logs load` and `example` at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from sla_kit.cli import main
from tests.servers.elasticsearch import Elasticsearch

LINE = '10.0.0.1 - - [17/May/2015:10:05:{:02d} +0000] "GET /{} HTTP/1.1" 200 2 "-" "curl/8"\n'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["logs", *(str(argument) for argument in arguments)])


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "access.log"
    path.write_text("".join(LINE.format(number, number) for number in range(20)))
    return path


def documents(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def test_a_dry_run_prints_documents_and_asks_nobody(log: Path) -> None:
    result = run("load", log, "--dry-run", "--service", "web")
    assert result.exit_code == 0, result.output
    assert len(documents(result)) == 3
    assert documents(result)[0]["service"] == {"name": "web"}
    assert "combined" in result.stderr


def test_unreadable_lines_show_in_a_dry_run_and_in_the_exit_code(log: Path) -> None:
    with log.open("a") as file:
        file.write("\x1b[31mwhat\n")
    result = run("load", log, "-n")
    assert result.exit_code == 1
    assert "access.log:21" in result.stderr
    assert "\x1b" not in result.output


def test_times_are_moved(log: Path) -> None:
    result = run("load", log, "-n", "--shift-to", "2026-01-01T00:00:19Z")
    assert documents(result)[0]["@timestamp"] == "2026-01-01T00:00:00.000Z"
    result = run("load", log, "-n", "--shift", "-1h")
    assert documents(result)[0]["@timestamp"] == "2015-05-17T09:05:00.000Z"
    assert run("load", log, "-n", "--shift", "1h", "--shift-to", "now").exit_code == 2
    assert run("load", log, "-n", "--shift", "soon").exit_code == 2


def test_exit_codes_of_a_load(log: Path, elastic: Elasticsearch, index: str) -> None:
    source = f"elasticsearch+{elastic.url}"
    assert run("load", log, "--to", index, "--source", source).exit_code == 2
    done = run("load", log, "--to", index, "--source", source, "--create", "index")
    assert done.exit_code == 0, done.output
    with log.open("a") as file:
        file.write("what\n")
    done = run("load", log, "--to", index, "--source", source)
    assert done.exit_code == 1, done.output
    assert "dead-letters.ndjson" in done.stderr
    assert json.loads(Path("dead-letters.ndjson").read_text())["text"] == "what"


def test_a_catalogue_says_where_logs_are_and_what_their_fields_are_called(
    log: Path, elastic: Elasticsearch, index: str
) -> None:
    Path("sla.yml").write_text(
        f"name: shop\nsources: [{{name: logs, type: elasticsearch, url: '{elastic.url}'}}]\n"
        f"logs: {{index: {index}, fields: {{status: code}}}}\n"
        "services: [{name: web, slos: [{name: a, objective: 99%, window: 7d,"
        " sli: {kind: log-events, bad: 'code:[500 TO *]'}}]}]\n"
    )
    done = run("load", log, "-c", "sla.yml", "--create", "index")
    assert done.exit_code == 0, done.output
    assert documents(run("load", log, "-c", "sla.yml", "-n"))[0]["code"] == 200


def test_what_is_missing_is_named(log: Path) -> None:
    assert "--to" in run("load", log).output
    result = run("load", log, "--to", "x")
    assert result.exit_code == 2
    assert run("load", "nothing.log", "-n").exit_code == 2
    result = run("load", log, "-n", "--format", "nonsense")
    assert result.exit_code == 2
    assert "nginx.conf" in result.output


def test_an_example_is_not_overwritten_unasked(tmp_path: Path) -> None:
    arguments = ("example", "--out", tmp_path / "shop", "--hours", "0.5")
    assert run(*arguments).exit_code == 0
    assert run(*arguments).exit_code != 0
    assert run(*arguments, "--force").exit_code == 0


def test_a_shell_completes_formats_and_commands() -> None:
    complete = ShellComplete(main, {}, "sla-kit", "_SLA_KIT_COMPLETE")
    found = [item.value for item in complete.get_completions(["logs", "load", "x", "--format"], "nginx")]
    assert found == ["nginx-timed", "nginx-time", "nginx-main"]
    parts = ["logs", "apply", "--skip"]
    assert [item.value for item in complete.get_completions(parts, "")] == ["lifecycle", "pipeline", "templates"]
    found = [item.value for item in complete.get_completions(parts, "pipeline,")]
    assert found == ["pipeline,lifecycle", "pipeline,templates"]
    assert [item.value for item in complete.get_completions(parts, "pipeline,t")] == ["pipeline,templates"]
    assert {"apply", "example", "generate", "load"} <= {each.value for each in complete.get_completions(["logs"], "")}


def test_help_teaches() -> None:
    for command in ("load", "example"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert "Example" in result.output
