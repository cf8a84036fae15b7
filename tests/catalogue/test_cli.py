"""`sla-kit check` from outside: lines, formats, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sla_kit.cli import main
from tests.catalogue.written import GOOD


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(text: str, *arguments: str) -> Result:
    Path("sla.yml").write_text(text)
    return CliRunner().invoke(main, ["check", *arguments])


BAD = GOOD.replace("99.9%", "100%").replace("owner:", "onwer:")


def test_a_right_catalogue_is_one_line() -> None:
    result = run(GOOD)
    assert (result.exit_code, result.output) == (0, "sla.yml: 1 service, 2 SLOs\n")


def test_mistakes_are_told_with_file_line_and_column() -> None:
    result = run(BAD, "-c", "sla.yml")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "sla.yml:6:5: unknown key onwer (did you mean owner?)"
    assert result.stdout.splitlines()[1].startswith("sla.yml:11:56: an objective of 100 % is impossible (")
    assert result.stderr == "sla.yml: 2 mistakes\n"


def test_json() -> None:
    result = run(BAD, "--format", "json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)["mistakes"]
    assert [(each["file"], each["line"], each["column"]) for each in told] == [("sla.yml", 6, 5), ("sla.yml", 11, 56)]
    right = run(GOOD, "--format", "json")
    assert json.loads(right.stdout) == {
        "catalogue": "sla.yml",
        "services": 1,
        "slos": 2,
        "mistakes": [],
        "warnings": [],
    }


def test_github_annotations_are_escaped() -> None:
    result = run(BAD, "--format", "github")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "::error file=sla.yml,line=6,col=5::unknown key onwer (did you mean owner?)"
    assert lines[1].startswith("::error file=sla.yml,line=11,col=56::an objective of 100 %25 is impossible")


def test_an_environment_is_chosen() -> None:
    text = GOOD + "environments:\n  dev: {bucket: 7s}\n  staging: {}\n"
    assert run(text, "-e", "staging").exit_code == 0
    assert run(text, "-e", "dev").stdout.startswith("sla.yml:14:17: a bucket of 7 s")
    assert run(text, "-e", "prod").exit_code == 1


def test_a_missing_catalogue() -> None:
    result = CliRunner().invoke(main, ["check", "-c", "nowhere.yml"])
    assert (result.exit_code, result.stdout.splitlines()[0][:25]) == (1, "nowhere.yml: no such file")


def test_a_promise_of_more_than_its_dependencies_allow_is_a_warning() -> None:
    text = GOOD.replace("objective: 99.9%}", "objective: 99.9%, depends_on: [reachable]}")
    result = run(text)
    told = "api/availability promises 99.9 %, but what it depends on allows 99 % at best"
    hint = "(promise less, or make them redundant)"
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"sla.yml:11:56: warning: {told} {hint}"
    assert run(text, "--format", "github").stdout.startswith("::warning file=sla.yml,line=11,col=56::api/availability")
    [warning] = json.loads(run(text, "--format", "json").stdout)["warnings"]
    assert (warning["line"], warning["message"]) == (11, told)
