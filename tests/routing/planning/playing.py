"""A router without a network: an outbox in a file, a planner, a clock that is set, and a sender that keeps what it was
told to send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sla_kit.catalogue.model import Calendar, Catalogue, Contact, Occasion, Route, Service, SeverityLevel
from sla_kit.catalogue.routing import Routing
from sla_kit.routing.delivering import Content
from sla_kit.routing.destinations import PEOPLE
from sla_kit.routing.events import Alert, Alerts, Event
from sla_kit.routing.incident import Incident, told
from sla_kit.routing.outbox import deliveries, incidents
from sla_kit.routing.outbox.accepting import put
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.incidents import Stored
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.planning.falling_back import fall_back, reached_again
from sla_kit.routing.planning.grouping import dedup_key, group_key
from sla_kit.routing.planning.planner import Planner

START = 1_800_000_000.0
CONTACTS = [
    Contact(name="on-call", pagerduty="primary", slack="#incidents"),
    Contact(name="platform", slack="#platform", email="platform@example.org"),
    Contact(name="chief", email="chief@example.org"),
]
ROUTES = [
    Route(severity=["critical"], to=["on-call"]),
    Route(severity=["critical"], to=["platform"]),
    Route(severity=["critical"], to=["chief"]),
    Route(severity=["warning"], to=["platform"]),
    Route(severity=["warning"], to=["on-call"]),
    Route(to=["platform"]),
]


def catalogue(routing: Routing | None = None, **changes: Any) -> Catalogue:
    """A small catalogue: three contacts, critical escalates from on-call to platform to chief."""
    values: dict[str, Any] = {
        "name": "shop",
        "services": [Service(name="api"), Service(name="web")],
        "contacts": CONTACTS,
        "routes": ROUTES,
        "severities": [
            SeverityLevel(name="critical", respond_within=300),
            SeverityLevel(name="warning", respond_within=1800),
        ],
        "routing": routing or Routing(),
    }
    return Catalogue(**{**values, **changes})


def maintenance(start: str, end: str, services: list[str]) -> Calendar:
    """A calendar with one maintenance window, in UTC."""
    return Calendar(maintenance=[Occasion(name="upgrade", start=start, end=end, services=services, reason="r")])


@dataclass
class Clock:
    """A clock that only moves when it is told to."""

    at: float = START

    def now(self) -> float:
        return self.at


@dataclass
class Watching:
    """Keeps what it was told."""

    acknowledgements: list[tuple[str, str, float]] = field(default_factory=list)
    recoveries: list[tuple[str, str, float]] = field(default_factory=list)
    heartbeats: list[tuple[str, float]] = field(default_factory=list)

    def acknowledged(self, severity: str, team: str, seconds: float) -> None:
        self.acknowledgements.append((severity, team, seconds))

    def recovered(self, severity: str, team: str, seconds: float) -> None:
        self.recoveries.append((severity, team, seconds))

    def heartbeat(self, sender: str, at: float) -> None:
        self.heartbeats.append((sender, at))


@dataclass
class Sent:
    """One message."""

    to: str
    content: Content
    at: float
    contact: str = ""

    @property
    def incident(self) -> Incident:
        assert isinstance(self.content, Incident)
        return self.content


class Router:
    """Everything but the network. ``down`` names destinations that can't be reached."""

    def __init__(self, folder: Path, declared: Catalogue | None = None, address: str = "") -> None:
        self.clock = Clock()
        self.catalogue = declared or catalogue()
        self.outbox: Outbox = open_outbox(address or str(folder / "outbox.db"))
        self.watching = Watching()
        self.planner = Planner(self.catalogue, self.clock, self.watching)
        self.sent: list[Sent] = []
        self.down: set[str] = set()

    def close(self) -> None:
        self.outbox.close()

    def restart(self) -> None:
        """As after a crash: only what is in the outbox is left."""
        self.planner = Planner(self.catalogue, self.clock, self.watching)

    @property
    def now(self) -> float:
        return self.clock.at

    def hear(self, *events: Event) -> None:
        """Accepts events; nothing is planned yet."""

        def accept(connection: Connection) -> None:
            for event in events:
                put(connection, event, self.now)

        self.outbox.write(accept)

    def plan(self, limit: int = 500) -> None:
        while self.outbox.write(lambda on: self.planner.plan(on, self.now, limit)):
            pass

    def send(self) -> list[Sent]:
        """Sends all that is due, one after the other in the order in which it is given."""
        new: list[Sent] = []
        while sent := self.outbox.write(self._send_due):
            new += [each for each in sent if each is not None]
        self.sent += new
        return new

    def step(self, *events: Event, after: float = 0.0) -> list[Sent]:
        """Lets time pass, hears, plans and sends; what people were sent."""
        self.clock.at += after
        self.hear(*events)
        self.plan()
        return [each for each in self.send() if each.to.partition(":")[0] in PEOPLE]

    def open(self, **labels: str) -> Stored | None:
        """The open incident of a group."""
        group = group_key(labels, self.catalogue.routing.group_by)
        with self.outbox.reading() as connection:
            return incidents.find_open(connection, dedup_key(group))

    def incidents(self) -> list[Stored]:
        with self.outbox.reading() as connection:
            return incidents.listed(connection, limit=100_000)

    def due(self) -> float | None:
        with self.outbox.reading() as connection:
            return self.planner.next_due(connection)

    def _send_due(self, connection: Connection) -> list[Sent | None]:
        due = deliveries.claim(connection, "test", limit=100, now=self.now, lease_seconds=60)
        return [self._send(connection, claimed) for claimed in due]

    def _send(self, connection: Connection, claimed: Claimed) -> Sent | None:
        where, content = str(claimed.destination), claimed.content
        if where in self.down:
            self._fail(connection, claimed)
            return None
        known = told(content, self.now) if isinstance(content, Incident) else None
        deliveries.succeed(connection, claimed, known, self.now)
        if claimed.fell_back:
            reached_again(connection, claimed, self.now)
        return Sent(where, content, self.now, claimed.contact)

    def _fail(self, connection: Connection, claimed: Claimed) -> None:
        deliveries.retry(connection, claimed, "no answer", due_at=self.now + 30, now=self.now)
        since = self.now if claimed.failing_since is None else claimed.failing_since
        if self.now - since >= self.catalogue.routing.fallback.after and not claimed.fell_back:
            rules = self.planner.rules
            fall_back(connection, claimed, rules.deciding, rules.routing, "no answer", self.now)
            deliveries.mark_fell_back(connection, claimed.id)


def alert(
    name: str = "Down",
    *,
    firing: bool = True,
    since: float = START,
    until: float | None = None,
    severity: str = "critical",
    service: str = "api",
    annotations: Mapping[str, str] | None = None,
    **labels: str,
) -> Alert:
    """One alert."""
    said = {"alertname": name, "severity": severity, "service": service, **labels}
    return Alert(
        labels=said,
        fingerprint=repr(sorted(said.items())),
        firing=firing,
        starts_at=since,
        ends_at=until,
        annotations=dict(annotations or {}),
    )


def webhook(*alerts: Alert, **changes: Any) -> Alerts:
    """A webhook of Alertmanager's."""
    return Alerts(alerts=list(alerts), receiver="on-call", external_url="http://alertmanager:9093", **changes)


def addresses(sent: list[Sent]) -> list[str]:
    """Who was sent something, sorted."""
    return sorted(each.to for each in sent)
