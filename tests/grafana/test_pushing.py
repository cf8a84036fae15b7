"""What a push does to a Grafana, and what it leaves alone; that nobody's work is lost, and no answer matters twice."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import stamina

from sla_kit.grafana.api import Grafana
from sla_kit.grafana.comparing import Ours, extra, standing
from sla_kit.grafana.connection import Connection, access
from sla_kit.grafana.document import digest, normal
from sla_kit.grafana.pulling import pull
from sla_kit.grafana.pushing import Pushed, push
from tests.grafana.server import EDITOR, VIEWER, Fault, PlayedGrafana, played_grafana


def dashboard(name: str, folder: str = "Data", **more: Any) -> Ours:
    document = {
        "uid": f"sla-kit-{name}",
        "title": name.capitalize(),
        "tags": ["sla-kit"],
        "schemaVersion": 42,
        "version": 0,
        "panels": [{"id": 1, "title": "Requests", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 8.0}}],
        **more,
    }
    return Ours(name, document["uid"], document["title"], folder, document)


OURS = (dashboard("redis"), dashboard("logging", "Logs"), dashboard("postgresql"))
#: One of them after the catalogue has changed.
NEWER = (dashboard("redis", refresh="5m"), *OURS[1:])


@pytest.fixture
def played() -> Iterator[PlayedGrafana]:
    with played_grafana() as state:
        yield state


@pytest.fixture
def grafana(played: PlayedGrafana) -> Iterator[Grafana]:
    with (
        Connection(access(played.url, {"SLA_KIT_GRAFANA_TOKEN": EDITOR}, timeout_seconds=60)) as connection,
        stamina.set_testing(True, attempts=4),
    ):
        yield Grafana(connection)


def outcomes(done: list[Pushed]) -> list[str]:
    return [each.outcome for each in done]


def held(played: PlayedGrafana, ours: Ours) -> bool:
    """Whether the Grafana has a dashboard just as it was to be, in the folder that it belongs to."""
    stored = played.dashboards[ours.uid]
    kept = {key: value for key, value in stored.now.document.items() if key not in ("id", "version")}
    wanted = {key: value for key, value in ours.document.items() if key != "version"}
    return kept == wanted and played.folders[stored.folder] == ours.folder


def retitle(document: dict[str, Any]) -> None:
    document["panels"][0]["title"] = "Mine"


def test_what_is_missing_is_made_with_its_folder(played: PlayedGrafana, grafana: Grafana) -> None:
    assert outcomes(push(grafana, OURS)) == ["created"] * 3
    assert played.folders == {"sla-kit-data": "Data", "sla-kit-logs": "Logs"}
    assert all(held(played, each) for each in OURS)
    assert played.count("POST", "/api/folders$") == 2


def test_what_is_there_is_not_saved_again(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    before = len(played.requests)
    assert outcomes(push(grafana, OURS)) == ["unchanged"] * 3
    assert {method for method, _ in played.requests[before:]} == {"GET"}
    assert [each.now.version for each in played.dashboards.values()] == [1, 1, 1]


def test_what_the_catalogue_has_changed_is_saved(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    assert outcomes(push(grafana, NEWER)) == ["updated", "unchanged", "unchanged"]
    assert all(held(played, each) for each in NEWER)
    assert [each.now.version for each in played.dashboards.values()] == [2, 1, 1]
    assert played.saved_by("admin") == []


@pytest.mark.parametrize(("versions_as_list", "newer_form"), [(True, False), (False, False), (False, True)])
def test_a_hand_edit_is_shown_and_left(
    versions_as_list: bool, newer_form: bool, played: PlayedGrafana, grafana: Grafana
) -> None:
    """In the answers of Grafana up to 11, of later ones, and where Grafana 12 or 13 kept it in a newer form."""
    played.versions_as_list = versions_as_list
    push(grafana, OURS)
    played.edit("sla-kit-redis", retitle, newer_form=newer_form)
    for ours in (OURS, NEWER):
        [first, *others] = push(grafana, ours)
        assert (first.outcome, outcomes(others)) == ("kept", ["unchanged"] * 2)
        assert first.standing is not None
        assert first.standing.state == "edited"
        assert '-      "title": "Mine"' in first.standing.diff
        assert '+      "title": "Requests"' in first.standing.diff
        assert ('+  "refresh": "5m"' in first.standing.diff) is (ours is NEWER)
    assert played.dashboards["sla-kit-redis"].now.document["panels"][0]["title"] == "Mine"
    assert played.dashboards["sla-kit-redis"].now.version == 2
    assert outcomes(push(grafana, NEWER, force=True))[0] == "overwritten"
    assert held(played, NEWER[0])
    assert outcomes(push(grafana, NEWER)) == ["unchanged"] * 3


def test_a_hand_edit_that_was_taken_back_is_none(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    before = copy.deepcopy(played.dashboards["sla-kit-redis"].now.document)
    played.edit("sla-kit-redis", retitle)
    played.edit("sla-kit-redis", lambda document: document.update(before), "Restored from version 1")
    assert outcomes(push(grafana, OURS)) == ["unchanged"] * 3


def test_what_grafana_writes_in_other_words_is_no_edit(played: PlayedGrafana, grafana: Grafana) -> None:
    """A newer Grafana migrates what it has: nobody has changed it, and it is not saved again and again."""

    def migrate(document: dict[str, Any]) -> None:
        document["schemaVersion"] = 43
        document["panels"][0]["pluginVersion"] = "13.0.0"

    push(grafana, OURS)
    played.rewrite("sla-kit-redis", migrate)
    assert outcomes(push(grafana, OURS)) == ["unchanged"] * 3
    assert outcomes(push(grafana, NEWER)) == ["updated", "unchanged", "unchanged"]
    assert held(played, NEWER[0])


def test_the_same_in_other_json_is_the_same() -> None:
    one = {"uid": "a", "id": 7, "version": 3, "iteration": 1, "panels": [{"h": 8.0, "x": None, "t": True}], "y": None}
    other = {"panels": [{"t": True, "h": 8}], "uid": "a"}
    assert normal(one) == normal(other)
    assert digest(one) == digest(other)
    assert digest(one) != digest(other | {"uid": "b"})
    assert digest({"a": [1]}) != digest({"a": [2]})


def test_one_that_was_moved_by_hand_stays_there(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    played.folders["theirs"] = "Theirs"
    played.move("sla-kit-redis", "theirs")
    for ours in (OURS, NEWER):
        [first, *_] = push(grafana, ours)
        assert (first.outcome, first.standing and first.standing.state) == ("kept", "moved")
    assert played.dashboards["sla-kit-redis"].folder == "theirs"
    push(grafana, OURS, force=True)
    assert played.dashboards["sla-kit-redis"].folder == "sla-kit-data"


@pytest.mark.parametrize("there_before", [True, False])
def test_a_change_between_looking_and_saving_is_not_lost(
    there_before: bool, played: PlayedGrafana, grafana: Grafana
) -> None:
    if there_before:
        push(grafana, OURS)

    def meanwhile(uid: str) -> None:
        if there_before:
            played.edit(uid, retitle)
        else:
            played.make(uid, "Mine", "sla-kit-data")

    played.before_save = meanwhile
    [first, *others] = push(grafana, NEWER)
    assert first.outcome == "kept"
    assert all(each.outcome in ("created", "unchanged") for each in others)
    assert played.dashboards["sla-kit-redis"].now.by == "admin"
    assert "Mine" in json.dumps(played.dashboards["sla-kit-redis"].now.document)


def test_even_a_forced_push_loses_nothing_that_it_has_not_seen(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    played.edit("sla-kit-redis", lambda document: document.update(refresh="1h"))
    played.before_save = lambda uid: played.edit(uid, retitle)
    [first, *_] = push(grafana, OURS, force=True)
    assert first.outcome == "kept"
    assert played.dashboards["sla-kit-redis"].now.document["panels"][0]["title"] == "Mine"


@pytest.mark.parametrize("status", [0, 500, 502, 503, 504, 429])
def test_an_answer_that_was_lost_is_no_failure(status: int, played: PlayedGrafana, grafana: Grafana) -> None:
    """The save was carried out, so that the second try meets its own version."""
    played.faults = [
        Fault("POST /api/dashboards/db", status, after=True),
        Fault("POST /api/folders", status, after=True),
    ]
    assert outcomes(push(grafana, OURS)) == ["created"] * 3
    assert all(held(played, each) and each.uid for each in OURS)
    assert [each.now.version for each in played.dashboards.values()] == [1, 1, 1]
    played.faults = [Fault("POST /api/dashboards/db", status, after=True)]
    assert outcomes(push(grafana, NEWER)) == ["updated", "unchanged", "unchanged"]
    assert played.dashboards["sla-kit-redis"].now.version == 2


@pytest.mark.parametrize("pattern", ["GET /api/dashboards/uid/[^/]+$", "GET .*versions", "POST /api/dash", "folders"])
def test_a_busy_server_is_asked_again(pattern: str, played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    played.faults = [Fault(pattern, 503, times=2), Fault(pattern, 429, headers={"Retry-After": "0"})]
    done = push(grafana, (*NEWER, dashboard("hosts", "Platform")))
    assert outcomes(done) == ["updated", "unchanged", "unchanged", "created"]
    assert played.faults == []


def test_one_that_is_refused_keeps_no_other_from_being_saved(played: PlayedGrafana, grafana: Grafana) -> None:
    played.make("theirs", "Logging", "sla-kit-logs")
    played.folders["sla-kit-logs"] = "Logs"
    played.make("sla-kit-postgresql", "Postgresql", "sla-kit-data", provisioned=True)
    [first, second, third] = push(grafana, OURS)
    assert (first.outcome, second.outcome, third.outcome) == ("created", "failed", "failed")
    assert "another dashboard in the folder 'Logs' has the title 'Logging'" in str(second.error)
    assert "reads it from a file" in str(third.error)
    assert played.dashboards["sla-kit-postgresql"].now.version == 1


def test_where_nothing_answers_the_rest_is_not_tried(played: PlayedGrafana, grafana: Grafana) -> None:
    played.faults = [Fault("POST /api/dashboards/db", 503, times=99, after=False)]
    played.folders = {"sla-kit-data": "Data", "sla-kit-logs": "Logs"}
    done = push(grafana, OURS)
    assert outcomes(done) == ["failed", "untried", "untried"]
    assert "status 503" in str(done[0].error)
    assert played.count("POST", "dashboards/db") == 4
    played.faults = []
    assert outcomes(push(grafana, OURS)) == ["created"] * 3


def test_a_folder_that_somebody_made_is_named_in_the_error(played: PlayedGrafana, grafana: Grafana) -> None:
    played.folders["abc"] = "Data"
    done = push(grafana, OURS)
    assert outcomes(done) == ["failed", "created", "failed"]
    assert "a folder 'Data' that somebody made: rename it" in str(done[0].error)
    assert "sla-kit-data" in str(done[0].error)


def test_a_renamed_folder_is_still_ours(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    played.folders["sla-kit-data"] = "Databases"
    assert outcomes(push(grafana, NEWER)) == ["updated", "unchanged", "unchanged"]
    assert played.folders["sla-kit-data"] == "Databases"


def test_a_dry_run_changes_nothing(played: PlayedGrafana, grafana: Grafana) -> None:
    assert outcomes(push(grafana, OURS, dry_run=True)) == ["created"] * 3
    push(grafana, OURS)
    played.edit("sla-kit-logging", retitle)
    before, state = len(played.requests), copy.deepcopy(played.dashboards)
    assert outcomes(push(grafana, NEWER, dry_run=True)) == ["updated", "kept", "unchanged"]
    assert outcomes(push(grafana, NEWER, dry_run=True, force=True)) == ["updated", "overwritten", "unchanged"]
    assert {method for method, _ in played.requests[before:]} == {"GET"}
    assert played.dashboards == state


def test_what_may_only_be_read_can_be_compared(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    played.edit("sla-kit-logging", retitle)
    with Connection(access(played.url, {"SLA_KIT_GRAFANA_TOKEN": VIEWER})) as connection:
        reader = Grafana(connection)
        assert [standing(reader, each).state for each in NEWER] == ["unclear", "unclear", "same"]
        assert outcomes(push(reader, NEWER)) == ["kept", "kept", "unchanged"]
        [made] = push(reader, [dashboard("hosts")])
        assert made.outcome == "failed"
        assert "role Editor" in str(made.error)
        assert "additional permissions" in str(made.error)
    assert "sla-kit-hosts" not in played.dashboards


def test_what_else_has_our_tag_is_found(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    assert extra(grafana, OURS) == []
    played.make("copy", "A copy", tags=("sla-kit", "mine"))
    for number in range(1_100):
        played.make(f"other-{number}", f"Other {number}", tags=("other",))
    assert [hit.uid for hit in extra(grafana, OURS)] == ["copy"]
    assert [hit.uid for hit in extra(grafana, OURS[1:])] == ["copy", "sla-kit-redis"]


def test_a_search_is_read_to_its_end(played: PlayedGrafana, grafana: Grafana) -> None:
    for number in range(2_345):
        played.make(f"d-{number}", f"D {number}", tags=("sla-kit",))
    assert {hit.uid for hit in extra(grafana, OURS)} == {f"d-{number}" for number in range(2_345)}


def test_what_is_pulled_is_as_generated_but_for_hand_edits(played: PlayedGrafana, grafana: Grafana) -> None:
    push(grafana, OURS)
    played.edit("sla-kit-logging", retitle)
    played.make("copy", "A copy", tags=("sla-kit",))
    found = {each.title: each for each in pull(grafana, (*OURS, dashboard("hosts")))}
    wanted = json.dumps(OURS[0].document, indent=2, sort_keys=True) + "\n"
    assert found["Redis"].output is not None
    assert (found["Redis"].output.path, found["Redis"].output.text) == ("redis.json", wanted)
    assert found["Logging"].output is not None
    before = json.dumps(OURS[1].document, indent=2, sort_keys=True).splitlines()
    after = found["Logging"].output.text.splitlines()
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == [
        ('      "title": "Requests"', '      "title": "Mine"')
    ]
    assert (found["Hosts"].output, found["A copy"].generated) == (None, False)
    assert found["A copy"].output is not None
    assert found["A copy"].output.path == "copy.json"
