"""Events, incidents and deliveries for tests, in few words."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox import deliveries, incidents
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.incidents import Stored

NOW = 1_800_000_000.0
SLACK, OTHER_SLACK = Destination("slack", "#incidents"), Destination("slack", "#other")
PAGER, MAIL = Destination("pagerduty", "primary"), Destination("email", "ann@example.com")
LEASE = 60.0


def notice(title: str = "a word", **fields: Any) -> Notice:
    return Notice(title=title, **fields)


def incident(key: str = "shop", **fields: Any) -> Incident:
    known: dict[str, Any] = {
        "group": key,
        "dedup_key": key,
        "title": f"{key} is down",
        "severity": "critical",
        "status": "firing",
        "opened_at": NOW,
        "received_at": NOW,
        "labels": {"service": "shop", "team": "web"},
    }
    return Incident(**{**known, **fields})


def opened(connection: Connection, key: str = "shop", *where: Destination, now: float = NOW, **wanted: Any) -> Stored:
    """A new incident that is to be told there."""
    stored = incidents.insert(connection, incident(key), now)
    for destination in where:
        deliveries.want(connection, stored, destination, **{"contact": "ann", "priority": 1, "now": now, **wanted})
    return stored


def changed(connection: Connection, stored: Stored, *where: Destination, now: float = NOW, **fields: Any) -> Stored:
    """The incident's next version, to be told there."""
    stored = incidents.save(connection, stored, replace(stored.incident, **fields), now)
    for destination in where:
        deliveries.want(connection, stored, destination, contact="ann", priority=1, now=now)
    return stored


def claim(
    connection: Connection, owner: str = "a", *, now: float = NOW, limit: int = 100, **options: Any
) -> list[Claimed]:
    return deliveries.claim(connection, owner, **{"limit": limit, "now": now, "lease_seconds": LEASE, **options})
