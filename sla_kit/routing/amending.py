"""What is learnt of an open incident while it is told, such as its budget or the id of its silence, is kept with it,
and its messages in Slack, which can be changed without calling anybody, say it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox.deliveries import told_of
from sla_kit.routing.outbox.incidents import find_open, save
from sla_kit.routing.outbox.wanting import want


def amend(connection: Connection, dedup_key: str, change: Callable[[Incident], Incident], now: float) -> bool:
    """Makes the change to the open incident of that key; False where there is none, or nothing to change. ``now`` in
    epoch seconds."""
    stored = find_open(connection, dedup_key)
    if stored is None or (changed := change(stored.incident)) == stored.incident:
        return False
    stored = save(connection, stored, changed, now)
    for delivery in told_of(connection, stored.id):
        if delivery.destination.kind == "slack":
            want(
                connection,
                stored,
                delivery.destination,
                contact=delivery.contact,
                priority=delivery.priority,
                now=now,
            )
    return True
