"""The report of one owner, and one for each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sla_kit.catalogue.model import Catalogue, Contact, Service
from sla_kit.engine.results import Evaluation
from sla_kit.errors import SlaKitError
from sla_kit.report import render
from sla_kit.report.comparing import compared
from sla_kit.report.owners import for_owner, services_of, write_by_owner
from tests.report.page import Page
from tests.report.sample import rolled, sample

CATALOGUE = Catalogue(
    name="Astral Field",
    contacts=[Contact(name="database", email="dba@astralfield.com", slack="#dba")],
    services=[
        Service(name="postgres", owner="database"),
        Service(name="backups", owner="database"),
        Service(name="web", owner="frontend"),
        Service(name="api", owner="platform"),
    ],
)


def week() -> Evaluation:
    """The sample, whose redis nobody owns, and no hostile names."""
    one = rolled()
    slos = tuple(
        replace(slo, owner="" if slo.service == "redis" else slo.owner) for slo in one.slos if "<" not in slo.slo
    )
    return replace(one, slos=slos)


def test_an_owner_sees_their_own_objectives_actions_and_incidents_only() -> None:
    text = render(for_owner(week(), CATALOGUE, "frontend"), "md")
    assert "# SLA report 2026-W38 for frontend: Astral Field, production" in text
    assert "Your services: web. The catalogue holds no address of yours." in text.replace("\\", "")
    assert "## What you should do now" in text
    assert "Freeze feature releases" in text
    assert "Rehearse a restore" not in text
    assert "api / availability" not in text
    document = json.loads(render(for_owner(week(), CATALOGUE, "frontend"), "json"))
    assert {slo["service"] for slo in document["slos"]} == {"web"}
    assert {incident["service"] for incident in document["incidents"]} == {"web"}


def test_their_addresses_stand_on_the_page() -> None:
    text = render(for_owner(week(), CATALOGUE, "database"), "md").replace("\\", "")
    assert "Your services: postgres, backups. You are reached at dba@astralfield.com, #dba." in text


def test_a_promise_stands_there_as_their_own_objectives_do() -> None:
    whole = {promise.name: promise.met for promise in week().promises}
    mine = {promise.name: promise.met for promise in for_owner(week(), CATALOGUE, "database").promises}
    assert whole["availability"] is False
    assert mine == {"availability": True, "backup-recovery": False}


def test_a_comparison_is_theirs_too() -> None:
    evaluation = replace(week(), comparison=compared(week(), week()))
    found = for_owner(evaluation, CATALOGUE, "frontend").comparison
    assert found is not None
    assert {change.named.service for change in found.changes} == {"web"}


def test_each_owner_gets_a_file_of_each_format_and_the_indexes_link_to_them(tmp_path: Path) -> None:
    written = write_by_owner(week(), CATALOGUE, tmp_path, ["html", "md", "json"])
    names = {str(path.relative_to(tmp_path)) for path in written}
    owners = ["database", "frontend", "platform", "_no-owner"]
    assert names == {"owners.html", "owners.md"} | {
        f"owners/{owner}.{format}" for owner in owners for format in ("html", "md", "json")
    }
    page = Page.of((tmp_path / "owners.html").read_text())
    links = [address for address in page.addresses if not address.startswith(("#", "data:"))]
    assert sorted(links) == sorted(f"owners/{owner}.html" for owner in owners)
    assert all((tmp_path / link).is_file() for link in links)
    assert "](owners/database.md)" in (tmp_path / "owners.md").read_text()
    assert "no owner" in (tmp_path / "owners.md").read_text()
    assert "These services have no owner: redis." in (tmp_path / "owners" / "_no-owner.md").read_text()


def test_the_parts_are_the_whole(tmp_path: Path) -> None:
    write_by_owner(week(), CATALOGUE, tmp_path, ["json"])
    parts = [json.loads(path.read_text()) for path in (tmp_path / "owners").iterdir()]
    whole = json.loads(render(week(), "json"))
    assert sorted((slo["service"], slo["slo"]) for part in parts for slo in part["slos"]) == sorted(
        (slo["service"], slo["slo"]) for slo in whole["slos"]
    )
    assert sum(len(part["incidents"]) for part in parts) == len(whole["incidents"])


def test_an_owner_of_nothing_is_an_error_with_the_nearest_name() -> None:
    assert services_of(CATALOGUE, "database") == ["postgres", "backups"]
    with pytest.raises(SlaKitError, match="'frontent'") as caught:
        services_of(CATALOGUE, "frontent")
    assert "did you mean frontend?" in caught.value.remedy


def test_the_whole_report_speaks_to_nobody_in_particular() -> None:
    assert "Your services" not in render(sample(), "md")
    assert "## What to do now" in render(sample(), "md")
