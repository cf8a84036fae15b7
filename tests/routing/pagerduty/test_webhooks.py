"""Webhooks V3: believed by their signature only, and read as they are documented."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.routing import PagerDutySettings, Routing
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError
from sla_kit.routing.events import Acknowledgement, Closing
from sla_kit.routing.pagerduty.keys import webhook_secrets
from sla_kit.routing.pagerduty.webhooks import WebhookError, read_webhook
from sla_kit.routing.web.reading import RefusedError
from sla_kit.routing.web.signed import signed_paths
from tests.servers.pagerduty import KEY, pagerduty_server, signed

SECRET, NEXT = "QBEyX8tK3b7Yk0bVY1mM5Q", "vUo2nF8sG4l0Wq1cZ9pJ7A"


def outbound(event_type: str = "incident.acknowledged", agent: Any = "", **data: Any) -> dict[str, Any]:
    """A webhook as https://developer.pagerduty.com/docs/webhooks-overview shows one."""
    person = {
        "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
        "id": "PLH1HKV",
        "self": "https://api.pagerduty.com/users/PLH1HKV",
        "summary": "Tenex Engineer",
        "type": "user_reference",
    }
    incident = {
        "id": "PGR0VU2",
        "type": "incident",
        "self": "https://api.pagerduty.com/incidents/PGR0VU2",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
        "number": 2,
        "status": "acknowledged",
        "incident_key": "d3640fbd41094207a1c11e58e46b1662",
        "created_at": "2020-04-09T15:16:27Z",
        "title": "A little bump in the road",
        "priority": None,
        "urgency": "high",
        "conference_bridge": {
            "conference_number": "+1 1234123412,,987654321#",
            "conference_url": "https://example.com",
        },
        "resolve_reason": None,
    }
    return {
        "event": {
            "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": "2020-10-02T18:45:22.169Z",
            "agent": person if agent == "" else agent,
            "client": {"name": "PagerDuty"},
            "data": incident | data,
        }
    }


def read(document: Any, *secrets: str) -> list[tuple[str, Any]]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return read_webhook(signed(body, SECRET), body, secrets or (SECRET,))


def refused(document: Any, headers: dict[str, str] | None = None, *secrets: str) -> WebhookError:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(WebhookError) as caught:
        read_webhook(signed(body, SECRET) if headers is None else headers, body, secrets or (SECRET,))
    assert SECRET not in str(caught.value)
    return caught.value


def test_an_acknowledgement() -> None:
    assert read(outbound()) == [
        (
            "pagerduty:5ac64822-4adc-4fda-ade0-410becf0de4f",
            Acknowledgement(
                incident="d3640fbd41094207a1c11e58e46b1662", by="Tenex Engineer", at=1601664322.169, via="pagerduty"
            ),
        )
    ]


def test_a_resolution_by_a_person_and_one_by_a_rule() -> None:
    [(_, by_person)] = read(outbound("incident.resolved"))
    [(_, by_rule)] = read(outbound("incident.resolved", agent=None))
    assert isinstance(by_person, Closing)
    assert (by_person.by, by_rule.by) == ("Tenex Engineer", "PagerDuty")


@pytest.mark.parametrize(
    "document",
    [
        outbound("incident.triggered"),
        outbound("incident.unacknowledged"),
        outbound("incident.priority_updated"),
        outbound("incident.annotated"),
        {
            "event": {
                "id": "01BRB",
                "event_type": "service.updated",
                "occurred_at": "",
                "agent": None,
                "data": {"id": 1},
            }
        },
        {"event": {"id": "01BRB", "event_type": "pagey.ping", "data": {"message": "Hello from your friend Pagey!"}}},
        outbound("incident.resolved", resolve_reason={"type": "merge_resolve_reason", "incident": {"id": "P2"}}),
        outbound("incident.resolved", resolve_reason="merged"),
        outbound("incident.resolved", agent={"id": "PXMQRWJ", "type": "inbound_integration_reference"}),
        outbound("incident.acknowledged", agent={"type": "generic_events_api_inbound_integration_reference"}),
    ],
    ids=[
        "triggered",
        "unacknowledged",
        "priority",
        "note",
        "service",
        "ping",
        "merged",
        "merged-word",
        "ours",
        "ours2",
    ],
)
def test_what_is_of_no_use_is_taken_and_ignored(document: Any) -> None:
    assert read(document) == []


def test_an_incident_without_a_key_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(outbound(incident_key=None)) == []
    assert "PGR0VU2" in caplog.text


# --- signatures -----------------------------------------------------------------------------------------------------


def test_the_signature_is_the_documented_one() -> None:
    body = json.dumps(outbound()).encode()
    mark = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert read_webhook({"X-PagerDuty-Signature": f"v1={mark}"}, body, [SECRET])
    assert read_webhook({"x-pagerduty-signature": f"v0=abc, v1={'0' * 64},v1={mark}"}, body, [SECRET])


def test_either_secret_serves_while_one_is_replaced() -> None:
    body = json.dumps(outbound()).encode()
    for signers, known in (([SECRET, NEXT], [NEXT]), ([SECRET], [NEXT, SECRET]), ([NEXT], ["", NEXT])):
        assert read_webhook(signed(body, *signers), body, known)


@pytest.mark.parametrize(
    "header",
    ["", "v1=", "v1=" + "0" * 64, "v2=abc", "abc", "v1=é", ",,,", "v1=0," * 10_000],
    ids=["none", "empty", "wrong", "version", "bare", "odd", "commas", "many"],
)
def test_without_a_right_signature_nothing_is_believed(header: str) -> None:
    assert refused(outbound(), {"X-PagerDuty-Signature": header}).status == 401


def test_another_body_another_secret_or_none_is_not_believed() -> None:
    body = json.dumps(outbound()).encode()
    assert refused(body + b" ", signed(body, SECRET)).status == 401
    assert refused(body, signed(body, NEXT)).status == 401
    assert refused(body, {}).status == 401
    with pytest.raises(WebhookError, match="no secret"):
        read_webhook(signed(body, ""), body, [""])
    with pytest.raises(WebhookError, match="PAGERDUTY_WEBHOOK_SECRET"):
        read_webhook(signed(body, ""), body, [])


# --- what can't be understood ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff",
        [],
        {},
        {"event": None},
        {"messages": []},
        {"event": {"event_type": "incident.acknowledged"}},
        {"event": {**outbound()["event"], "occurred_at": "yesterday"}},
        {"event": {**outbound()["event"], "occurred_at": "2020-10-02T18:45:22"}},
        {"event": {**outbound()["event"], "data": {"id": 7}}},
    ],
    ids=["nothing", "cut", "bytes", "list", "object", "null", "v2", "fields", "time", "zone", "data"],
)
def test_what_is_signed_and_makes_no_sense_is_refused_clearly(document: Any) -> None:
    error = refused(document)
    assert error.status == 400
    assert "can't be understood" in error.message


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(["id", "event_type", "occurred_at", "agent", "data", "client"]), _json)
def test_a_signed_webhook_is_read_or_refused_whatever_is_in_it(name: str, value: Any) -> None:
    document = outbound()
    document["event"][name] = value
    events: list[tuple[str, Any]] = []
    with suppress(WebhookError):
        events = read(document)
    assert len(events) <= 1
    assert all(len(key) <= 200 for key, _ in events)


# --- where secrets are ----------------------------------------------------------------------------------------------


def test_secrets_are_those_of_the_catalogue_or_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", SECRET)
    monkeypatch.setenv("TWO", NEXT)
    two = PagerDutySettings(webhook_secrets=[Secret(env="ONE"), Secret(env="TWO")])
    assert webhook_secrets(two, {"PAGERDUTY_WEBHOOK_SECRET": "other"}) == [SECRET, NEXT]
    assert webhook_secrets(PagerDutySettings(), {"PAGERDUTY_WEBHOOK_SECRET": SECRET}) == [SECRET]
    assert webhook_secrets(PagerDutySettings(), {}) == []


def test_a_secret_that_is_being_replaced_keeps_no_other_from_being_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE", SECRET)
    (tmp_path / "two").touch()
    settings = PagerDutySettings(webhook_secrets=[Secret(file=str(tmp_path / "two")), Secret(env="ONE")])
    assert webhook_secrets(settings, {}) == [SECRET]
    [hear] = signed_paths(Routing(pagerduty=settings), {}).values()
    body = json.dumps(outbound()).encode()
    assert len(hear(signed(body, SECRET), body, 0.0)) == 1
    with pytest.raises(RefusedError) as caught:  # not 401, after which it would not come again
        hear(signed(body, NEXT), body, 0.0)
    assert caught.value.status == 503
    monkeypatch.delenv("ONE")
    with pytest.raises(SecretError):
        webhook_secrets(settings, {})


def test_the_local_server_sends_what_is_read() -> None:
    with pagerduty_server() as server:
        event = {"routing_key": KEY, "event_action": "trigger", "dedup_key": "k"}
        payload = {"summary": "api is down", "source": "api", "severity": "critical"}
        server.receive("/v2/enqueue", {}, json.dumps(event | {"payload": payload}).encode())
        body = server.webhook(server.incidents[0], "incident.acknowledged", "R. Byrd")
        [(_, read)] = read_webhook(signed(body, SECRET), body, [SECRET])
        assert (read.incident, read.by) == ("k", "R. Byrd")  # type: ignore[union-attr]
        ours = server.webhook(server.incidents[0], "incident.resolved", "")
        assert read_webhook(signed(ours, SECRET), ours, [SECRET]) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"event":{"event_type":"incident.resolved"}}',
        b'{"event":{"event_type":"incident.resolved","x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"}",
    ],
    ids=["lists", "objects"],
)
def test_what_nests_too_deeply_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(WebhookError) as caught:
        read(body)
    assert caught.value.status == 400


def test_no_nul_goes_into_an_event() -> None:
    assert read(outbound(incident_key="a\0b")) == []
    document = outbound(agent={"type": "user_reference", "summary": "a\0b"})
    document["event"]["id"] = "a\0b"
    ((idempotency, event),) = read(document)
    assert "\0" not in idempotency + event.by
