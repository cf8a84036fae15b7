"""The commands, from a catalogue to a Grafana and back, with what they print and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sla_kit.catalogue import load
from sla_kit.generate.dashboards import documents
from tests.grafana.server import EDITOR, VIEWER, Fault, PlayedGrafana, played_grafana

CATALOGUE = """\
name: shop
services: [{name: api, slos: [{name: up, sli: {kind: probe}, objective: 99.9%}]}]
"""
Called = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def played() -> Iterator[PlayedGrafana]:
    with played_grafana() as state:
        yield state


@pytest.fixture
def called(played: PlayedGrafana, tmp_path: Path) -> Called:
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    (tmp_path / "token").write_text(EDITOR)

    def call(command: str, *more: str, url: str = played.url) -> subprocess.CompletedProcess[str]:
        entry = [str(Path(sys.executable).parent / "sla-kit"), "dashboards", command, "--url", url]
        token = [] if "--token-file" in more else ["--token-file", "token"]
        done = subprocess.run([*entry, *token, *more], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert EDITOR not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return call


def retitle(document: dict[str, object]) -> None:
    document["title"] = "Mine"


def test_push_diff_pull(called: Called, played: PlayedGrafana, tmp_path: Path) -> None:
    made = documents(load(tmp_path / "sla.yml"))
    differs = called("diff")
    assert differs.returncode == 1
    assert f"{len(made)} dashboards differ" in differs.stderr
    assert f"{made[0].title}: missing" in differs.stdout

    dry = called("push", "--dry-run")
    assert (dry.returncode, played.dashboards) == (0, {})
    assert f"would be: {len(made)} created" in dry.stdout
    pushed = called("push")
    assert pushed.returncode == 0, pushed.stderr
    assert f"{len(made)} created" in pushed.stdout
    assert {uid: each.now.document["title"] for uid, each in played.dashboards.items()} == {
        each.uid: each.title for each in made
    }
    assert {uid: played.folders[each.folder] for uid, each in played.dashboards.items()} == {
        each.uid: each.folder for each in made
    }
    again = called("push")
    assert (again.returncode, again.stdout) == (0, f"{len(made)} unchanged\n")
    assert called("diff").returncode == 0

    played.edit("sla-kit-redis", retitle)
    played.make("copy", "A copy", tags=("sla-kit",))
    differs = called("diff")
    assert differs.returncode == 1
    assert "Redis: changed in Grafana since the last push" in differs.stdout
    assert '-  "title": "Mine",' in differs.stdout
    assert '+  "title": "Redis",' in differs.stdout
    assert "A copy: not of this catalogue (uid copy, folder none)" in differs.stdout
    assert "2 dashboards differ" in differs.stderr
    kept = called("push")
    assert kept.returncode == 1
    assert "Redis: was changed in Grafana since the last push; is left so" in kept.stderr
    assert '-  "title": "Mine",' in kept.stderr
    assert "--force" in kept.stderr
    assert "A copy: not of this catalogue" in kept.stderr

    pulled = called("pull", "--out", "grafana")
    assert pulled.returncode == 0, pulled.stderr
    files = {path.name: path.read_text() for path in (tmp_path / "grafana").glob("[!.]*.json")}
    assert set(files) == {f"{each.name}.json" for each in made} | {"copy.json"}
    differing = [each.name for each in made if files[f"{each.name}.json"] != each.text]
    assert differing == ["redis"]
    assert json.loads(files["redis.json"])["title"] == "Mine"

    forced = called("push", "--force")
    assert forced.returncode == 0
    assert "1 overwritten" in forced.stdout
    assert '-  "title": "Mine",' in forced.stderr
    assert played.dashboards["sla-kit-redis"].now.document["title"] == "Redis"


def test_a_failure_in_between_tells_what_was_done(called: Called, played: PlayedGrafana, tmp_path: Path) -> None:
    made = documents(load(tmp_path / "sla.yml"))
    called("push")
    for uid in [each.uid for each in made]:
        del played.dashboards[uid]
    played.faults = [Fault(f"GET /api/dashboards/uid/{made[3].uid}$", 401)]
    pushed = called("push")
    assert pushed.returncode == 2
    assert set(played.dashboards) == {each.uid for each in made[:3]}
    assert f"3 created, 1 failed, {len(made) - 4} not tried" in pushed.stdout
    assert f"{made[2].title}: created in {made[2].folder}" in pushed.stdout
    assert f"{made[3].title}: " in pushed.stderr
    assert "token is not known" in pushed.stderr
    done = called("push")
    assert done.returncode == 0
    assert f"{len(made) - 3} created, 3 unchanged" in done.stdout


def test_a_reader_may_compare_and_not_push(called: Called, played: PlayedGrafana, tmp_path: Path) -> None:
    (tmp_path / "reader").write_text(VIEWER)
    called("push")
    assert called("diff", "--token-file", "reader").returncode == 0
    played.dashboards.clear()
    refused = called("push", "--token-file", "reader")
    assert refused.returncode == 2
    assert "role Editor" in refused.stderr
    assert VIEWER not in refused.stderr + refused.stdout


@pytest.mark.parametrize("command", ["push", "pull", "diff"])
def test_what_can_not_be_asked_ends_with_2(command: str, called: Called, tmp_path: Path) -> None:
    for more, url, said in (
        ((), "http://grafana.example.com", "unencrypted"),
        ((), f"https://u:{EDITOR}@grafana.example.com", "more than an address"),
        (("--token-file", "missing"), "http://localhost:1", "can't be read"),
    ):
        done = called(command, *more, url=url)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert "try:" in done.stderr


def test_a_pull_writes_over_nothing_of_yours(called: Called, tmp_path: Path) -> None:
    called("push")
    (tmp_path / "grafana").mkdir()
    (tmp_path / "grafana" / "redis.json").write_text("mine")
    refused = called("pull")
    assert refused.returncode == 2
    assert "redis.json is not a file of ours" in refused.stderr
    assert [path.name for path in (tmp_path / "grafana").iterdir()] == ["redis.json"]
    assert called("pull", "--force").returncode == 0
