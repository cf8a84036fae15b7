"""What `sla-kit route test` tells: who would hear of an alert, where, when and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.model import Calendar, Catalogue, Occasion, Route
from sla_kit.catalogue.routing import Fallback, Routing
from sla_kit.errors import SlaKitError
from sla_kit.routing.events import Alert, Alerts
from sla_kit.routing.explaining.explaining import Explained, explain
from sla_kit.routing.explaining.reading import read_events
from sla_kit.routing.explaining.telling import document, tell
from sla_kit.routing.planning.grouping import dedup_key, group_key
from tests.routing.deciding.shop import NOW, at, shop

STARTED = "2026-09-07T11:58:00Z"


def webhook(*alerts: dict[str, Any], receiver: str = "") -> bytes:
    whole = [{"startsAt": STARTED, "status": "firing", "annotations": {}, **alert} for alert in alerts]
    return json.dumps({"version": "4", "receiver": receiver, "alerts": whole}).encode()


def explained(catalogue: Catalogue, text: bytes, now: float = NOW) -> list[Explained]:
    return [each for event in read_events(text, "alert.json", now) for each in explain(catalogue, event, now)]


def labels(**given: str) -> dict[str, Any]:
    return {"labels": {"alertname": "A", **given}}


ROUTED = shop(
    Route(to=["platform"], severity=["warning"]),
    Route(to=["on-call"], severity=["critical"], escalate=["leads"]),
    Route(to=["platform"]),
    routing=Routing(fallback=Fallback(to=["platform"])),
)


def test_each_group_is_explained_by_itself_with_the_key_that_pagerduty_gets() -> None:
    first, second = explained(
        ROUTED,
        webhook(
            labels(service="api", pod="1", severity="critical"),
            labels(service="api", pod="2", severity="warning"),
            labels(service="web", severity="warning"),
        ),
    )
    key = dedup_key(group_key({"alertname": "A", "service": "api"}, ROUTED.routing.group_by))
    assert (first.dedup_key, first.group_labels) == (key, {"alertname": "A", "service": "api"})
    assert (first.severity, first.firing, first.resolved) == ("critical", 2, 0)
    assert (second.severity, second.service) == ("warning", "web")
    assert first.told is not None
    assert first.told.route == 1
    assert [each.route for each in first.against] == [0]


def test_who_is_next_and_when() -> None:
    [found] = explained(ROUTED, webhook(labels(severity="critical")))
    assert [(step.at - NOW, step.decision.contacts) for step in found.steps] == [(0.0, ["on-call"]), (300.0, ["leads"])]
    [mild] = explained(ROUTED, webhook(labels(severity="info")))
    assert [step.decision.digest for step in mild.steps] == [True]
    off = shop(*ROUTED.routes, routing=Routing(escalate=False))
    [kept] = explained(off, webhook(labels(severity="critical")))
    assert len(kept.steps) == 1
    assert "Escalation is switched off." in tell(off, [kept], NOW)


def test_maintenance_puts_it_off_until_it_is_over() -> None:
    window = Occasion(name="Upgrade", start="2026-09-07T11:00", end="2026-09-07T13:00", reason="New disks")
    routes = [Route(to=["platform"], hours=["00:00-13:00"]), Route(to=["on-call"], escalate=["leads"])]
    catalogue = shop(*routes, calendar=Calendar(maintenance=[window]))
    [found] = explained(catalogue, webhook(labels(severity="critical")))
    over = at("2026-09-07T13:00:00+00:00")
    assert found.mute is not None
    assert found.mute.until == over
    assert [(step.at, step.decision.contacts) for step in found.steps] == [(over, ["on-call"]), (over + 300, ["leads"])]
    text = tell(catalogue, [found], NOW)
    assert "Muted by maintenance 'Upgrade' (New disks) until 2026-09-07 13:00:00 UTC" in text
    assert "at once" not in text


def test_what_has_ended_is_no_news_to_who_never_heard_of_it() -> None:
    [found] = explained(ROUTED, webhook({**labels(severity="critical"), "status": "resolved", "endsAt": STARTED}))
    assert (found.firing, found.resolved, len(found.steps)) == (0, 1, 1)
    text = tell(ROUTED, [found], NOW)
    assert "PagerDuty rotation primary: resolve" in text
    assert "Only where it was told of before" in text


def test_a_sign_of_life_is_told_to_nobody() -> None:
    [named] = explained(ROUTED, webhook({"labels": {"alertname": "Watchdog"}}))
    [received] = explained(ROUTED, webhook(labels(), receiver="_heartbeat"))
    assert (named.kind, received.kind) == ("sign-of-life", "sign-of-life")
    assert not named.lost
    assert "sign of life" in tell(ROUTED, [named], NOW)


def test_text_tells_the_way_of_an_alert_from_end_to_end() -> None:
    text = tell(ROUTED, explained(ROUTED, webhook(labels(service="api", severity="critical"))), NOW)
    assert text.splitlines()[0] == "A: api (critical, 1 firing)"
    for line in (
        "  Route 1 does not fit: severity is 'critical', not warning",
        "  Route 2 [severity critical] is the first that fits:",
        "    PagerDuty rotation primary: trigger, at once (on-call)",
        "    Slack #incidents: message, at once (on-call)",
        "  If nobody has acknowledged it after 5m (2026-09-07 12:05:00 UTC), route 2 escalates to them:",
        "    PagerDuty leads (leads)",
        "  If pagerduty:primary can't be reached for 1m, word of that goes to slack:#incidents, slack:#platform, "
        "email:platform@example.com.",
        "  Of more than 10 new ones of its severity within 1m, the rest become one message.",
    ):
        assert line in text.splitlines()


def test_json_says_the_same_for_scripts() -> None:
    found = explained(ROUTED, webhook(labels(service="api", severity="critical")))
    whole = json.loads(document(ROUTED, found, NOW))
    assert (whole["version"], whole["at"], whole["catalogue"]) == (1, "2026-09-07T12:00:00Z", "shop")
    [group] = whole["groups"]
    assert [(step["route"], step["after_seconds"], step["contacts"]) for step in group["steps"]] == [
        (2, 0.0, ["on-call"]),
        (2, 300.0, ["leads"]),
    ]
    assert group["against"] == [{"route": 1, "reasons": ["severity is 'critical', not warning"]}]
    assert group["steps"][0]["destinations"][0] == {"contact": "on-call", "kind": "pagerduty", "address": "primary"}
    assert group["lost"] is False
    assert group["muted"] is None


# --- whatever people have at hand -------------------------------------------------------------------------------------

API = {
    "labels": {"alertname": "A", "severity": "critical"},
    "annotations": {"summary": "It is down"},
    "startsAt": "2026-09-07T11:58:00.000Z",
    "endsAt": "2026-09-07T11:59:00.000Z",
    "updatedAt": "2026-09-07T11:58:00.000Z",
    "fingerprint": "f00",
    "generatorURL": "http://p/graph",
    "receivers": [{"name": "platform"}],
    "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
}


def test_an_alert_as_alertmanagers_api_has_it_fires_as_long_as_it_is_there() -> None:
    for written in (API, [API]):
        [event] = read_events(json.dumps(written).encode(), "x", NOW)
        assert isinstance(event, Alerts)
        assert event.receiver == "platform"
        [alert] = event.alerts
        assert (alert.firing, alert.fingerprint, alert.annotations) == (True, "f00", {"summary": "It is down"})


def test_alerts_of_several_receivers_are_several_events() -> None:
    other = {**API, "receivers": [{"name": "on-call"}]}
    events = read_events(json.dumps([API, other, API]).encode(), "x", NOW)
    assert [(event.receiver, len(event.alerts)) for event in events if isinstance(event, Alerts)] == [
        ("platform", 2),
        ("on-call", 1),
    ]


@pytest.mark.parametrize(
    ("ends_at", "firing"),
    [("2026-09-07T11:59:00Z", False), ("2026-09-07T12:30:00Z", True), ("0001-01-01T00:00:00Z", True), (None, True)],
)
def test_an_alert_as_prometheus_sends_it_fires_until_its_end(ends_at: str | None, firing: bool) -> None:
    [event] = read_events(json.dumps({"labels": {"alertname": "A"}, "endsAt": ends_at}).encode(), "x", NOW)
    assert isinstance(event, Alerts)
    assert [alert.firing for alert in event.alerts] == [firing]


def test_the_routers_own_json_is_read_too() -> None:
    notice = {"kind": "notice", "title": "Hello", "to": ["platform"]}
    change = {"kind": "change", "summary": "api 1.4.2"}
    deed = {"kind": "acknowledge", "incident": "k", "by": "ada"}
    found = explained(ROUTED, json.dumps([notice, change, deed]).encode())
    assert [each.kind for each in found] == ["notice", "change", "deed"]
    assert not any(each.lost for each in found)
    text = tell(ROUTED, found, NOW)
    assert "Notice: Hello (info)" in text
    assert "It is for platform:" in text
    assert "Change: api 1.4.2" in text
    assert "It concerns the incident k" in text
    assert json.loads(document(ROUTED, found, NOW))["groups"][2]["steps"] == []


def test_a_notice_that_the_routes_take_is_not_said_to_wait_for_a_digest() -> None:
    text = tell(ROUTED, explained(ROUTED, b'{"kind": "notice", "title": "Hello"}'), NOW)
    assert "Info pages nobody who can be told otherwise" in text
    assert "digest" not in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{\n  "version": "4",\n  "alerts": [,]\n}', "alert.json:3:14: is no JSON: expecting value"),
        (b"", "alert.json:1:1: is no JSON"),
        (b"\xff\xfe", "alert.json, byte 0: is no UTF-8"),
        (b'{"version": "4", "alerts": [NaN]}', "NaN is no number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "holds no alert that can be read"),
        (b"3", "holds no alert that can be read"),
        (b'{"a": 1}', "holds no alert that can be read"),
        (b'{"version": "3", "alerts": []}', "version"),
        (b'{"version": "4", "alerts": [{"status": "on"}]}', "alerts[0]"),
        (b'{"labels": {"alertname": 3}}', "labels"),
        (b'{"labels": {"a": "b"}, "startsAt": "soon"}', "startsAt: is no time"),
        (b'{"labels": {"a": "b"}, "endsAt": 7}', "endsAt"),
        (b'{"kind": "alrt"}', "there is no kind 'alrt'"),
        (b'[{"kind": "notice", "title": "x"}, {"kind": "notice"}]', "[1]"),
    ],
)
def test_what_can_not_be_read_says_where_and_why(text: bytes, words: str) -> None:
    with pytest.raises(SlaKitError) as caught:
        read_events(text, "alert.json", NOW)
    assert words in str(caught.value)
    assert str(caught.value).startswith("alert.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["labels", "kind", "version", "alerts", "receivers", "name", "status", "startsAt", "endsAt"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_any_file_is_explained_or_refused(text: bytes) -> None:
    try:
        found = explained(ROUTED, text)
    except SlaKitError:
        return
    assert tell(ROUTED, found, NOW)
    json.loads(document(ROUTED, found, NOW))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=5))
def test_whatever_labels_say_no_line_holds_what_a_terminal_obeys(given_labels: dict[str, str]) -> None:
    alert = Alert(labels=given_labels, fingerprint="f", firing=True, starts_at=NOW)
    found = explain(ROUTED, Alerts(alerts=[alert]), NOW)
    assert not any(each.lost for each in found)
    for line in tell(ROUTED, found, NOW).split("\n"):
        assert line.isprintable()


def test_where_nobody_has_an_address_it_is_said_that_it_would_be_lost() -> None:
    catalogue = shop(Route(to=["nobody"]), contacts=[])
    [found] = explained(catalogue, webhook(labels(severity="critical")))
    assert found.lost
    assert "NOBODY can be told" in tell(catalogue, [found], NOW)


def test_no_alerts_at_all_are_told_as_such() -> None:
    assert "no alerts" in tell(ROUTED, explained(ROUTED, webhook()), NOW)
