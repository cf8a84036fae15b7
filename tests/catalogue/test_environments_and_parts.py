"""Environments that are named, labels that look like kinds, and folders of which one file can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.catalogue import Freshness, check, load
from tests.catalogue.written import GOOD, assert_marked, mistakes_of


def test_an_overlay_merges_matchers_on_a_label_called_kind(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text("""\
name: shop
services:
  - name: backups
    slis: {last: {kind: freshness, metric: backup, max_age: 1d, matchers: {kind: full, job: backup}}}
    slos: [{name: nightly, sli: last, objective: 99%}]
environments:
  dev: {services: {backups: {slis: {last: {matchers: {kind: partial}}}}}}
""")
    last = load(tmp_path / "sla.yml", "dev").services[0].slis["last"]
    assert isinstance(last, Freshness)
    assert last.matchers == {"kind": "partial", "job": "backup"}


def test_routes_name_environments_that_are_declared() -> None:
    assert_marked("""\
name: shop
contacts: [{name: platform}]
services:
  - name: api
    slos: [{name: reachable, sli: {kind: probe}, objective: 99%}]
routes:
  - to: [platform]
    environment: [prodution]  #! there is no environment 'prodution' (did you mean production?)
  - to: [platform]
    environment: [production]
environments:
  production:
""")


@pytest.mark.parametrize("name", ["''", "a b", "-x"])
def test_an_environment_has_a_name_that_an_option_can_give(name: str) -> None:
    assert_marked(f"""\
{GOOD}environments:
  {name}: {{}}  #! can't be the name of an environment
""")


def test_a_file_that_can_not_be_read_hides_no_mistakes_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD.replace("99.9%", "101%"))
    (tmp_path / "b.yml").write_text("contacts: [\n")
    (tmp_path / "c.yml").write_text("services:\n  - {name: web, owner: nobody, slo: []}\n")
    found = [(Path(mistake.file).name, mistake.line, mistake.message) for mistake in check(tmp_path)[1]]
    assert [(file, line) for file, line, _ in found] == [("a.yml", 11), ("b.yml", 2), ("c.yml", 2)], found
    assert found[2][2] == "unknown key slo"


def test_what_only_an_unreadable_file_may_hold_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("routes: [{to: [platform], environment: [dev]}]\n")
    (tmp_path / "b.yml").write_text("name: shop\n\tservices: []\n")
    for environment in (None, "dev"):
        assert [Path(mistake.file).name for mistake in check(tmp_path, environment)[1]] == ["b.yml"]


def test_a_link_that_leads_nowhere_loses_no_promises_in_silence(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "loop.yml").symlink_to(tmp_path / "loop.yml")
    (tmp_path / "gone.yml").symlink_to(tmp_path / "nowhere")
    found = check(tmp_path)[1]
    assert [Path(mistake.file).name for mistake in found] == ["gone.yml", "loop.yml"]
    assert "can't be read" in found[1].message


def test_a_folder_mounted_by_kubernetes_is_read_once(tmp_path: Path) -> None:
    """A ConfigMap is a hidden folder of the version, a hidden link to it, and links to the files through that."""
    (tmp_path / "..2026_11_23").mkdir()
    (tmp_path / "..2026_11_23" / "sla.yml").write_text(GOOD)
    (tmp_path / "..data").symlink_to("..2026_11_23")
    (tmp_path / "sla.yml").symlink_to("..data/sla.yml")
    assert [service.name for service in load(tmp_path).services] == ["api"]


def test_the_same_mistake_in_base_and_overlays_is_told_once() -> None:
    text = GOOD.replace("99.9%", "100%") + "environments: {dev: {}, staging: {runbooks: nowhere}}\n"
    assert [(mistake.line, mistake.message.split(" of ")[0]) for mistake in mistakes_of(text)] == [
        (11, "an objective"),
        (13, "'nowhere' is no http(s) address"),
    ]
