"""The local PagerDuty that tests play against: that it is as strict, and holds as much, as the documented one."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.servers.pagerduty import KEY, OTHER_KEY, FaultKind, PagerDutyServer, pagerduty_server


def event(action: str = "trigger", **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"routing_key": KEY, "event_action": action, "dedup_key": "srv01/mysql"}
    if action == "trigger":
        base["payload"] = {"summary": "DISK at 99 %", "source": "db-1", "severity": "critical"}
    return base | fields


def post(server: PagerDutyServer, body: Any, path: str = "/v2/enqueue") -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_second_trigger_is_appended_and_one_after_a_resolve_opens_another_incident() -> None:
    with pagerduty_server() as server:
        assert post(server, event()) == (
            202,
            {"status": "success", "message": "Event processed", "dedup_key": "srv01/mysql"},
        )
        for action in ("trigger", "acknowledge", "resolve", "resolve", "acknowledge", "trigger"):
            assert post(server, event(action))[0] == 202
        assert [one.actions for one in server.incidents] == [
            ["trigger", "trigger", "acknowledge", "resolve"],
            ["trigger"],
        ]
        assert [one.status for one in server.incidents] == ["resolved", "triggered"]
        assert len(server.pages) == 2


def test_an_incident_is_of_its_routing_key() -> None:
    with pagerduty_server() as server:
        post(server, event())
        post(server, event("resolve", routing_key=OTHER_KEY))
        assert [one.status for one in server.incidents] == ["triggered"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"routing_key": "0" * 32}, "Invalid routing key"),
        ({"event_action": "page"}, "event_action"),
        ({"dedup_key": "x" * 256}, "dedup_key"),
        ({"payload": {"summary": "s", "source": "s", "severity": "page"}}, "severity"),
        ({"payload": {"summary": "s" * 1025, "source": "s", "severity": "info"}}, "summary"),
        ({"payload": {"summary": "s", "severity": "info"}}, "source"),
        ({"images": [{"src": "http://example.org/a.png"}]}, "HTTPS"),
        ({"links": [{"text": "runbook"}]}, "href"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_not_as_documented_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pagerduty_server() as server:
        status, answer = post(server, event(**wrong))
        assert status == 400
        assert said in " ".join(answer["errors"])
        assert not server.incidents
        assert len(server.refused) == 1


def test_too_much_is_refused_and_so_is_what_is_no_json() -> None:
    with pagerduty_server() as server:
        assert post(server, event(client="x" * 512_001))[0] == 413
        assert post(server, b"{")[0] == 400


def test_changes_need_no_more_than_a_summary() -> None:
    with pagerduty_server() as server:
        change = {"routing_key": KEY, "payload": {"summary": "Build 220"}}
        assert post(server, change, "/v2/change/enqueue")[0] == 202
        assert post(server, {"routing_key": KEY, "payload": {}}, "/v2/change/enqueue")[0] == 400
        assert [one["payload"]["summary"] for one in server.changes] == ["Build 220"]
        assert not server.pages


def test_faults_are_used_up_and_some_come_after_acceptance() -> None:
    with pagerduty_server() as server:
        server.fail("rate-limit", retry_after="7")
        server.fail("status")
        assert [post(server, event())[0] for _ in range(3)] == [429, 503, 202]
        faults: list[FaultKind] = ["refuse", "drop", "drop-after"]
        for kind in faults:
            server.fail(kind)
            with pytest.raises((OSError, http.client.HTTPException)):
                post(server, event())
        assert server.incidents[0].actions == ["trigger", "trigger"]


def test_the_limit_of_a_minute_counts_by_routing_key() -> None:
    with pagerduty_server() as server:
        server.limit(2)
        assert [post(server, event())[0] for _ in range(3)] == [202, 202, 429]
        assert post(server, event(routing_key=OTHER_KEY))[0] == 202
