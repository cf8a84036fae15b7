"""The walk-through of docs/logs-load.md, command by command, on a real Elasticsearch."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sla_kit.cli import main
from tests.servers.elasticsearch import Elasticsearch

PAGE = Path(__file__).parents[2] / "docs" / "logs-load.md"
_INDEX, _SOURCE = "logs-shop", "http://localhost:9200"


def commands() -> list[str]:
    text = PAGE.read_text().partition("## What is read")[0]
    return [line[2:] for line in re.findall(r"^\$ .*", text, re.MULTILINE)]


def test_the_walk_through_holds(
    elastic: Elasticsearch, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results: dict[str, Result] = {}
    for command in commands():
        arguments = shlex.split(command.replace(_INDEX, index).replace(_SOURCE, elastic.url))
        assert arguments.pop(0) == "sla-kit"
        if arguments[:2] == ["logs", "example"]:
            arguments += ["--rps", "0.3"]
        result = CliRunner().invoke(main, arguments)
        assert "Traceback" not in result.output, result.output
        # Errors that are new are what `errors` tells by its exit code.
        assert result.exit_code == (1 if arguments[0] == "errors" else 0), (command, result.output)
        results[" ".join(arguments[:2]) + (" again" if " ".join(arguments[:2]) in results else "")] = result
        catalogue = Path("shop/sla.yml")
        catalogue.write_text(catalogue.read_text().replace(_INDEX, index))

        # The index is asked for what was written a moment ago.
        if arguments[:2] == ["logs", "load"] and "--to" in arguments:
            from sla_kit.elastic import Cluster

            Cluster(elastic.url).ask("refresh", lambda client: client.indices.refresh(index=index))

    truth = json.loads(Path("shop/truth.json").read_text())["access"]
    report = json.loads(Path("report/report.json").read_text())
    [availability] = [slo for slo in report["slos"] if slo["slo"] == "availability"]
    assert availability["total"] == truth["lines"]
    assert availability["bad"] == truth["bad"]
    assert availability["sli"] == pytest.approx(truth["availability"], abs=1e-12)
    told = next(result.output for name, result in results.items() if name.startswith("errors"))
    assert "PoolTimeout" in told
    for new in ("KeyError", "HTTP 503"):
        assert re.search(rf"^\| {new}.*\| ❌ new \|.*after 2\.4\.\d", told, re.MULTILINE), told


def test_the_catalogue_of_the_page_is_the_one_that_is_written(tmp_path: Path) -> None:
    from sla_kit.logs.example import write_example

    write_example(tmp_path, hours=0.1)
    [shown] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown == "".join((tmp_path / "sla.yml").read_text().splitlines(keepends=True)[1:])
    result = CliRunner().invoke(main, ["check", "-c", str(tmp_path / "sla.yml")])
    assert result.exit_code == 0, result.output
