"""Ends that Alertmanager does not tell, seen on the list of a real one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue import Catalogue, Contact
from sla_kit.routing.alertmanager.connection import access
from sla_kit.routing.alertmanager.silences import Client, Silence
from sla_kit.routing.alertmanager.watching import Seen, Watching, key_of, missing
from sla_kit.routing.events import Alert, Alerts
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox import timers
from sla_kit.routing.outbox.accepting import accept
from sla_kit.routing.outbox.incidents import recent
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.planning.grouping import dedup_key, group_key
from sla_kit.routing.planning.planner import Planner
from sla_kit.selectors import Matcher
from tests.servers import Alertmanager, alertmanager

CATALOGUE = Catalogue(name="c", services=[], contacts=[Contact(name="a", slack="#a")])
LABELS = {"alertname": "Slow", "service": "api", "severity": "warning"}
KEY = dedup_key(group_key(LABELS, CATALOGUE.routing.group_by))


@pytest.fixture(scope="module")
def server() -> Iterator[Alertmanager]:
    with alertmanager() as found:
        yield found


class Desk:
    """An outbox with a planner and a watch, and a real Alertmanager that holds one alert."""

    def __init__(self, outbox: Outbox, server: Alertmanager) -> None:
        self.outbox, self.server = outbox, server
        self.client = Client(access(CATALOGUE.routing.alertmanager, server.url, timeout_seconds=60.0))
        self.planner = Planner(CATALOGUE, outbox.clock)
        self.watching = Watching(CATALOGUE, outbox, held_back_seconds=0.0, told_seconds=3600.0)

    def fires(self, starts_at: float, ends_at: float | None = None) -> None:
        """Alertmanager is told of the alert, as Prometheus does."""
        moments = {"startsAt": starts_at, "endsAt": time.time() + 600 if ends_at is None else ends_at}
        told = {name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for name, at in moments.items()}
        answer = requests.post(f"{self.server.url}/api/v2/alerts", json=[{"labels": LABELS, **told}], timeout=60)
        answer.raise_for_status()

    def webhook(self, starts_at: float) -> None:
        """The router hears that the alert fires."""
        alert = Alert(labels=LABELS, fingerprint="f", firing=True, starts_at=starts_at)
        accept(self.outbox, Alerts(alerts=[alert])).result()
        self.plan()

    def look(self) -> None:
        """The watch looks at the list of the real one."""
        self.watching.look(self.client.firing())
        self.plan()

    def plan(self) -> None:
        self.outbox.write(lambda connection: self.planner.plan(connection, self.outbox.clock.now()))

    def incident(self) -> Incident:
        with self.outbox.reading() as connection:
            found = recent(connection, KEY)
        assert found is not None
        return found.incident


@pytest.fixture
def desk(tmp_path: Path, server: Alertmanager) -> Iterator[Desk]:
    with open_outbox(str(tmp_path / "outbox.db"), exclusive=True) as outbox:
        one = Desk(outbox, server)
        yield one
        one.client.close()


def test_what_ends_while_it_is_silenced_is_over_here_and_pages_when_it_comes_back(desk: Desk) -> None:
    began = float(int(time.time()) - 3600)
    desk.fires(began)
    desk.webhook(began)
    silence = Silence(
        matchers=(Matcher("service", "=", "api"),), starts_at=time.time(), ends_at=time.time() + 600,
        created_by="erin", comment="quiet",
    )  # fmt: skip
    made = desk.client.make(silence)
    desk.look()
    assert desk.incident().status == "firing"

    desk.fires(began, time.time() - 5)  # it ends; nobody is told
    desk.look()
    assert desk.incident().status == "resolved"
    assert desk.incident().resolved_at == pytest.approx(desk.outbox.clock.now(), abs=120)

    again = float(int(time.time()) - 1)
    desk.fires(again)
    desk.look()
    assert desk.incident().status == "resolved"  # it is silenced still
    desk.client.expire(made)
    desk.look()
    assert desk.incident().status == "firing"
    desk.look()
    with desk.outbox.reading() as connection:
        assert not timers.of_kind(connection, "ended")
    desk.fires(again, time.time() - 1)


def test_what_was_never_on_the_list_is_left_alone(desk: Desk) -> None:
    desk.webhook(time.time() - 60)
    desk.look()
    desk.look()
    assert desk.incident().status == "firing"


def test_what_nothing_holds_back_is_left_to_alertmanager_for_long(desk: Desk) -> None:
    began = float(int(time.time()) - 3600)
    desk.fires(began)
    desk.webhook(began)
    desk.look()
    desk.fires(began, time.time() - 5)
    desk.look()
    assert desk.incident().status == "firing"


@given(st.floats(0, 1e6), st.booleans(), st.booleans())
def test_an_alert_is_missing_once_it_was_off_the_list_for_as_long_as_its_state_asks(
    away: float, held_back: bool, known: bool
) -> None:
    alert = Alert(labels={"a": "b", "empty": ""}, fingerprint="f", firing=True, starts_at=1.0)
    seen = {key_of({"a": "b"}): Seen(0.0, held_back)} if known else {}
    expected = known and away > (120.0 if held_back else 900.0)
    assert missing([alert], seen, away, 120.0, 900.0) == ([alert] if expected else [])
