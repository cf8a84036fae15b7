"""What a router does first with an outbox of a past life: it ends that life's leases, and puts the time right.

The clock may have been set back in between. Nothing may be held back for hours by that, so all that is to happen later
is moved by as much as the clock went back since the time was last written down.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, text

from sla_kit.routing.outbox import heartbeats

#: The heartbeat under which the time is written down.
CLOCK = "sla-kit-clock"
#: A clock that went back by less is taken for one that was corrected.
_TOLERANCE_SECONDS = 5.0


def resume(connection: Connection, now: float, *, alone: bool) -> None:
    """Where this router is ``alone``, nobody works on what is leased any more: it may have arrived."""
    if alone:
        connection.execute(
            text(
                "INSERT INTO history (delivery_id, at, what, version, words) SELECT id, :now, 'lost', wanted,"
                " 'the router ended during an attempt' FROM delivery WHERE leased_by IS NOT NULL"
            ),
            {"now": now},
        )
        connection.execute(
            text(
                "UPDATE delivery SET leased_by = NULL, leased_until = NULL, uncertain = TRUE, attempts = attempts + 1"
                " WHERE leased_by IS NOT NULL"
            )
        )
    keep_time(connection, now)


def keep_time(connection: Connection, now: float) -> None:
    """Writes the time down. Where it is less than it was, what is to happen later is moved by as much."""
    if connection.dialect.name != "sqlite":
        # One after the other, and last in its transaction: who waits here is waited for by nobody.
        connection.execute(text("SELECT 1 FROM heartbeat WHERE name = :name FOR UPDATE"), {"name": CLOCK})
    last = heartbeats.last(connection, CLOCK)
    if last is not None and now < last - _TOLERANCE_SECONDS:
        moved = {"now": now, "back": last - now}
        connection.execute(
            text(
                "UPDATE delivery SET due_at = CASE WHEN due_at - :back > :now THEN due_at - :back ELSE :now END"
                " WHERE pending AND due_at > :now"
            ),
            moved,
        )
        connection.execute(
            text(
                "UPDATE timer SET due_at = CASE WHEN due_at - :back > :now THEN due_at - :back ELSE :now END"
                " WHERE due_at > :now"
            ),
            moved,
        )
        connection.execute(text("UPDATE heartbeat SET at = :now WHERE at > :now"), moved)
    heartbeats.beat(connection, CLOCK, now)


def database_time(connection: Connection) -> float:
    """Epoch seconds by the database's own clock; a SQLite file has that of this machine."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
