"""Silence of Alertmanager is told, and only that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.routing import DeadMan, Routing
from sla_kit.routing.events import Alerts
from sla_kit.routing.planning.dead_man import DEFAULT_AFTER_SECONDS
from tests.routing.planning.playing import Router, addresses, alert, catalogue, webhook

ON_CALL = ["pagerduty:primary", "slack:#incidents"]
WATCHDOG = webhook(alert("Watchdog", severity="none"))


@pytest.fixture
def router(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Router]:
    settings = getattr(request, "param", DeadMan(after=300))
    declared: Catalogue = catalogue(Routing(dead_man=settings))
    made = Router(tmp_path, declared)
    yield made
    made.close()


def test_silence_pages_and_a_sign_of_life_resolves_it(router: Router) -> None:
    assert router.step(WATCHDOG) == []
    assert router.step(WATCHDOG, after=200) == []
    assert router.step(after=299) == []
    sent = router.step(after=1)
    assert addresses(sent) == ON_CALL
    assert {(each.incident.kind, each.incident.title) for each in sent} == {
        ("dead-man", "Alertmanager has been silent for 5m")
    }
    sent = router.step(WATCHDOG, after=100)
    assert {each.incident.status for each in sent} == {"resolved"}
    assert addresses(sent) == ON_CALL
    assert addresses(router.step(after=300)) == ON_CALL  # silent again


def test_any_webhook_is_a_sign_of_life_and_what_others_send_is_none(router: Router) -> None:
    router.step(WATCHDOG)
    router.step(webhook(alert()), after=299)
    assert [each for each in router.step(after=299) if each.incident.kind == "dead-man"] == []
    sent = router.step(Alerts(alerts=[alert("Native")], sender="api"), after=1)
    assert "dead-man" in {each.incident.kind for each in sent}


def test_watchdog_is_no_incident(router: Router) -> None:
    router.step(WATCHDOG, Alerts(alerts=[alert("Other")], receiver="_heartbeat"))
    assert router.incidents() == []
    assert router.watching.heartbeats


def test_it_is_armed_from_the_start_where_a_time_is_set(router: Router) -> None:
    router.step()
    assert router.step(after=299) == []
    assert addresses(router.step(after=1)) == ON_CALL


@pytest.mark.parametrize("router", [DeadMan()], indirect=True, ids=["default"])
def test_it_is_armed_by_the_first_watchdog_else(router: Router) -> None:
    router.step()
    router.step(webhook(alert("A", severity="info")))
    assert router.step(after=2 * DEFAULT_AFTER_SECONDS) == []
    router.step(WATCHDOG)
    assert router.step(after=DEFAULT_AFTER_SECONDS - 1) == []
    assert addresses(router.step(after=1)) == ON_CALL


def test_a_start_of_the_router_gives_the_full_time(router: Router) -> None:
    router.step(WATCHDOG)
    router.clock.at += 10_000  # it was down
    router.restart()
    assert router.step() == []
    assert router.step(after=299) == []
    assert addresses(router.step(after=1)) == ON_CALL


def test_what_waits_to_be_planned_may_be_a_sign_of_life(router: Router) -> None:
    router.step(WATCHDOG)
    router.clock.at += 299
    router.hear(*[webhook(alert(f"A{number}", severity="info")) for number in range(5)])
    router.clock.at += 2
    router.plan(limit=2)
    assert [each for each in router.send() if each.to == "pagerduty:primary"] == []


@pytest.mark.parametrize("router", [DeadMan(after=300, off=True)], indirect=True, ids=["off"])
def test_it_can_be_off(router: Router) -> None:
    router.step(WATCHDOG)
    assert router.step(after=10_000) == []


@pytest.mark.parametrize("router", [DeadMan(after=300, to=["chief"])], indirect=True, ids=["chief"])
def test_it_goes_to_whom_it_is_for_and_then_to_others(router: Router) -> None:
    router.step(WATCHDOG)
    assert addresses(router.step(after=300)) == ["email:chief@example.org"]
    assert addresses(router.step(after=300)) == sorted(["email:chief@example.org", *ON_CALL])
