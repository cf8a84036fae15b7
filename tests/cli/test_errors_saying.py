"""`sla-kit errors resolve`, `ignore`, `reopen`, `own` and `history`: what people say of groups, without any logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from sla_kit.cli import main
from sla_kit.ledger import open_ledger

KEY, OTHER = "0123456789abcdef", "01ff456789abcdef"
CATALOGUE = """
name: shop
timezone: UTC
contacts: [{name: platform, email: p@example.com}, {name: front, email: f@example.com}]
services:
  - {name: api, owner: platform, slos: [{name: up, sli: {kind: probe, matchers: {job: api}}, objective: 99%}]}
  - {name: web, owner: front, slos: [{name: up, sli: {kind: probe, matchers: {job: web}}, objective: 99%}]}
environments: {staging: {}}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    monkeypatch.chdir(tmp_path)
    for name in ("SLA_KIT_SOURCE", "SLA_KIT_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(main, ["errors", *words])


def done(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_whole_key_with_its_service_needs_no_logs(place: Path) -> None:
    text = done("resolve", KEY, "--service", "api", "--release", "1.4.2", "--note", "mended", "--by", "R. Byrd")
    assert text == f"api/{KEY}: resolved in 1.4.2 (kept in ledger.db)\n"
    with open_ledger(str(place / "ledger.db"), create=False) as kept:
        (state,) = kept.error_states().values()
    assert (state.status, state.release, state.note, state.by) == ("resolved", "1.4.2", "mended", "R. Byrd")


def test_a_group_of_which_something_was_said_is_known_by_the_beginning_of_its_key(place: Path) -> None:
    done("resolve", KEY, "--service", "api")
    assert "ignored" in done("ignore", KEY)
    assert "open, owner front" in done("reopen", "0123") + done("own", "0123", "front")[:0] + done(
        "own", "012", "front"
    )
    done("ignore", OTHER, "--service", "web")
    result = run("reopen", "01")
    assert result.exit_code == 2
    assert "can't be told which group" in result.stderr
    assert "open" in done("reopen", "01", "--service", "web")


def test_an_owner_is_a_contact_and_a_wrong_name_gets_a_hint(place: Path) -> None:
    result = run("own", KEY, "platfrom", "--service", "api")
    assert result.exit_code == 2
    assert "no contact 'platfrom'" in result.stderr
    assert "did you mean platform?" in result.stderr
    assert not (place / "ledger.db").exists()
    assert "owner platform" in done("own", KEY, "platform", "--service", "api")
    assert "owner" not in done("own", KEY, "")


def test_an_unknown_key_says_where_to_look(place: Path) -> None:
    result = run("resolve", "beef")
    assert result.exit_code == 2
    assert "--source elasticsearch+" in result.stderr


def test_the_history_has_every_saying_and_environments_apart(place: Path) -> None:
    done("resolve", KEY, "--service", "api", "--by", "rb", "--note", "[bold]deployed[/]")
    done("own", KEY, "front", "--by", "an")
    done("ignore", OTHER, "--service", "web", "--environment", "staging")
    text = done("history")
    assert "resolved" in text
    assert "owner front" in text
    assert "[bold]deployed[/]" in text
    assert OTHER not in text
    said = json.loads(done("history", KEY[:4], "--json"))
    assert [(one["status"], one["owner"], one["by"]) for one in said] == [
        ("resolved", None, "rb"),
        (None, "front", "an"),
    ]
    assert said[0]["at"].endswith("Z")
    assert len(json.loads(done("history", "-e", "staging", "--json"))) == 1
    assert json.loads(done("history", "--service", "web", "--json")) == []


def test_options_before_the_subcommand_count_for_it_too(place: Path) -> None:
    other = place / "other"
    other.mkdir()
    (place / "sla.yml").rename(other / "sla.yml")
    done("-c", str(other / "sla.yml"), "--ledger", "kept.db", "--service", "api", "resolve", KEY)
    assert (place / "kept.db").exists()
    assert KEY in done("-c", str(other / "sla.yml"), "--ledger", "kept.db", "history")


def test_a_shell_completes_keys_that_the_ledger_knows(place: Path) -> None:
    done("resolve", KEY, "--service", "api")
    done("ignore", OTHER, "--service", "web")
    shell = ShellComplete(main, {}, "sla-kit", "_SLA_KIT_COMPLETE")
    found = shell.get_completions(["errors", "show"], "01")
    assert {one.value for one in found} == {KEY, OTHER}
    assert [one.value for one in shell.get_completions(["errors", "reopen"], "012")] == [KEY]


def test_without_logs_the_list_says_what_to_give(place: Path) -> None:
    result = run()
    assert result.exit_code == 2
    assert "--source elasticsearch+" in result.stderr
    assert run("--exact", "--sample", "1000").exit_code == 2
