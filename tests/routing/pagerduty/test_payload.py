"""What is sent to PagerDuty: valid whatever the incident is, never too large, and the most important things in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.routing.events import Change, Link, Notice
from sla_kit.routing.incident import Escalation, Incident, Member, Silence
from sla_kit.routing.pagerduty import payload
from tests.routing.pagerduty.incidents import T, alert, incident, incidents
from tests.servers.pagerduty import KEY, LIMIT_BYTES, change_faults, event_faults


def sent(event: payload.Event) -> tuple[dict[str, Any], int]:
    """The event as it arrives, and its size in the longest usual form."""
    body = json.dumps({**event, "routing_key": KEY})
    return json.loads(body), max(len(body), len(json.dumps(json.loads(body), ensure_ascii=False).encode()))


def test_a_trigger_says_what_who_is_called_must_know() -> None:
    shown = incident(
        alert(1, annotations={"summary": "api-1 burns", "image_url": "https://example.org/a.png"}),
        alert(2, firing=False),
        escalations=[Escalation(at=T, to=["lead"], why="not acknowledged within 5 minutes")],
        silence=Silence(until=T + 3600, by="R. Byrd"),
        notes=["a deployment was made 3 minutes before"],
    )
    assert payload.trigger(shown) == {
        "event_action": "trigger",
        "dedup_key": "8a6d4c0de1b2f3a4",
        "client": "sla-kit",
        "client_url": "https://alertmanager.example.org",
        "links": [{"href": "https://runbooks.example.org/api", "text": "Runbook"}],
        "images": [{"src": "https://example.org/a.png", "alt": "ErrorBudgetBurn"}],
        "payload": {
            "summary": "api: error budget burns 14 times too fast",
            "source": "api",
            "severity": "critical",
            "timestamp": "2026-09-21T14:13:20.000Z",
            "group": "api",
            "class": "ErrorBudgetBurn",
            "custom_details": {
                "promise": "99.99 % of requests succeed over 30 days",
                "budget left": "42.0 %",
                "severity": "critical",
                "since": "2026-09-21T14:13:20.000Z",
                "alerts firing": 1,
                "alerts resolved": 1,
                "silenced": "until 2026-09-21T15:13:20.000Z by R. Byrd",
                "escalations": ["2026-09-21T14:13:20.000Z: lead (not acknowledged within 5 minutes)"],
                "notes": ["a deployment was made 3 minutes before"],
                "labels": {"alertname": "ErrorBudgetBurn", "service": "api", "team": "platform"},
                "alerts": [
                    {
                        "alert": "ErrorBudgetBurn",
                        "summary": "api-1 burns",
                        "since": "2026-09-21T14:13:21.000Z",
                        "labels": {"instance": "api-1"},
                        "source": "http://prometheus.example.org/graph?g0.expr=up",
                    }
                ],
                "resolved alerts": [
                    {
                        "alert": "ErrorBudgetBurn",
                        "summary": "api-2 burns 14 times too fast",
                        "since": "2026-09-21T14:13:22.000Z",
                        "until": "2026-09-21T14:23:20.000Z",
                        "labels": {"instance": "api-2"},
                        "source": "http://prometheus.example.org/graph?g0.expr=up",
                    }
                ],
            },
        },
    }


def test_an_acknowledgement_leaves_the_trigger_as_it_is() -> None:
    taken = incident(acknowledged_at=T + 60, acknowledged_by="R. Byrd", acknowledged_via="slack")
    assert payload.trigger(taken) == payload.trigger(incident())
    assert payload.acknowledge(taken) == {"event_action": "acknowledge", "dedup_key": "8a6d4c0de1b2f3a4"}
    assert payload.resolve(taken) == {"event_action": "resolve", "dedup_key": "8a6d4c0de1b2f3a4"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("critical", "critical"), ("warning", "warning"), ("info", "info"), ("page", "error"), ("", "error")],
)
def test_severities(ours: str, theirs: str) -> None:
    assert payload.severity(ours) == theirs


def test_a_storm_tells_counts_and_the_likely_root() -> None:
    down = [f"api-{number} is down" for number in range(3)]
    members = [Member(dedup_key=one, title=one, severity="critical", service="api", opened_at=T) for one in down]
    storm = incident(kind="storm", members=members, members_total=1000, members_firing=990, root="the switch is down")
    details = sent(payload.trigger(storm))[0]["payload"]["custom_details"]
    assert (details["likely root"], details["incidents"], details["incidents firing"]) == (
        "the switch is down",
        1000,
        990,
    )
    assert details["members"][0]["incident"] == "api-0 is down"


def test_pictures_that_are_not_served_by_https_are_left_out() -> None:
    shown = incident(alert(annotations={"image_url": "http://example.org/a.png"}))
    assert "images" not in payload.trigger(shown)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(incidents)
def test_any_incident_gives_valid_events(any_incident: Incident) -> None:
    for make in (payload.trigger, payload.acknowledge, payload.resolve):
        event = make(any_incident)
        arrived, size = sent(event)
        assert event_faults(arrived) == []
        assert size <= LIMIT_BYTES
        assert json.dumps(event) == json.dumps(make(any_incident))


@pytest.mark.parametrize("text", ["x", "é", "漢", "😀", '"', "\x01"], ids=["ascii", "2", "3", "4", "quoted", "escaped"])
@pytest.mark.parametrize("resolved", [0, 3000])
def test_a_huge_incident_is_trimmed_to_the_limit_and_says_so(text: str, resolved: int) -> None:
    alerts = [alert(n, annotations={"summary": text * 900}) for n in range(3000)]
    over = [alert(10_000 + n, firing=False, annotations={"summary": text * 900}) for n in range(resolved)]
    huge = incident(*alerts, *over, promise=text * 5000, notes=[text * 5000] * 5)
    arrived, size = sent(payload.trigger(huge))
    assert event_faults(arrived) == []
    assert LIMIT_BYTES - 20_000 < size <= LIMIT_BYTES
    details = arrived["payload"]["custom_details"]
    assert details["alerts firing"] == 3000
    assert len(details["alerts"]) + details["left out"]["alerts"] == 3000
    assert details["alerts"][0]["labels"] == {"instance": "api-0"}  # the earliest
    assert details.get("left out", {}).get("resolved alerts", 0) + len(details.get("resolved alerts", [])) == resolved
    assert arrived["links"]


def test_alerts_that_are_over_are_left_out_before_those_that_fire() -> None:
    alerts = [alert(n, annotations={"summary": "x" * 900}) for n in range(350)]
    over = [alert(1000 + n, firing=False, annotations={"summary": "x" * 900}) for n in range(350)]
    details = sent(payload.trigger(incident(*over, *alerts)))[0]["payload"]["custom_details"]
    assert len(details["alerts"]) == 350
    assert details["left out"] == {"resolved alerts": 350 - len(details["resolved alerts"])}


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=3000), st.floats(), st.dictionaries(st.text(max_size=50), st.text(max_size=2000), max_size=5))
def test_any_change_is_valid(text: str, at: float, pairs: dict[str, str]) -> None:
    event = payload.change(
        Change(summary=text, at=at, source=text, labels=pairs, details=pairs, links=[Link(url=text, text=text)])
    )
    arrived, size = sent(event)
    assert change_faults(arrived) == []
    assert size <= LIMIT_BYTES


def test_a_change_has_its_details_and_links() -> None:
    change = Change(
        summary="web 2026.9.1 is deployed",
        at=T,
        source="argo",
        labels={"service": "web"},
        details={"commit": "a1b2c3"},
        links=[Link(url="https://ci.example.org/220", text="Build 220")],
    )
    assert payload.change(change) == {
        "payload": {
            "summary": "web 2026.9.1 is deployed",
            "timestamp": "2026-09-21T14:13:20.000Z",
            "source": "argo",
            "custom_details": {"commit": "a1b2c3", "labels": {"service": "web"}},
        },
        "links": [{"href": "https://ci.example.org/220", "text": "Build 220"}],
    }


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=300), st.floats())
def test_any_notice_is_valid(text: str, key: str, at: float) -> None:
    notice = Notice(title=text, text=text, severity="critical", fields={text: text}, labels={text: text})
    assert event_faults(sent(payload.notice(notice, key))[0]) == []
    assert change_faults(sent(payload.quiet_notice(notice, at))[0]) == []


def test_no_password_of_an_address_is_handed_on() -> None:
    secret = "https://ada:geheim@example.org/a.png"
    shown = incident(
        alert(1, annotations={"image_url": secret}, generator_url=secret),
        external_url=secret,
        links=[Link(url=secret, text="Runbook")],
    )
    assert "geheim" not in json.dumps(payload.trigger(shown))
    told = Notice(title="t", links=[Link(url=secret), Link(url="https://ada@example.org/")])
    assert [link["href"] for link in sent(payload.notice(told, "k"))[0]["links"]] == ["https://ada@example.org/"]
