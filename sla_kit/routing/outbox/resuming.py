"""What a router does first with an outbox of a past life: it ends that life's leases, and puts the time right.

The clock may have been set in between. Nothing may be held back for hours by that, nor happen hours early, so all that
is to happen later is moved by as much as the clock was set since the time was last written down. How much that is, is
known for sure where the machine has run on since (its time since boot is written down, too); else only a clock that
went back is known to have been set.
"""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, text

from sla_kit.routing.clock import Clock
from sla_kit.routing.outbox import heartbeats

#: The heartbeat under which the time is written down.
CLOCK = "sla-kit-clock"
#: The same for the time since the machine's boot, followed by which boot that was.
_BOOT = "sla-kit-boot-"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: A clock that was set by less is taken for one that was corrected.
_TOLERANCE_SECONDS = 5.0


def resume(connection: Connection, clock: Clock, *, alone: bool) -> None:
    """Where this router is ``alone``, nobody works on what is leased any more: it may have arrived."""
    if alone:
        connection.execute(
            text(
                "INSERT INTO history (delivery_id, at, what, version, words) SELECT id, :now, 'lost', wanted,"
                " 'the router ended during an attempt' FROM delivery WHERE leased_by IS NOT NULL"
            ),
            {"now": clock.now()},
        )
        connection.execute(
            text(
                "UPDATE delivery SET leased_by = NULL, leased_until = NULL, uncertain = TRUE, attempts = attempts + 1"
                " WHERE leased_by IS NOT NULL"
            )
        )
    keep_time(connection, clock, resuming=True)


def keep_time(connection: Connection, clock: Clock, *, resuming: bool = False) -> None:
    """Writes the time down. Where it is less than it was, what is to happen later is moved by as much; ``resuming``
    says that the clock may have been set forward, too."""
    alone = connection.dialect.name == "sqlite"
    if not alone:
        # One after the other, and last in its transaction: who waits here is waited for by nobody.
        connection.execute(text("SELECT 1 FROM heartbeat WHERE name = :name FOR UPDATE"), {"name": CLOCK})
    last = heartbeats.last(connection, CLOCK)
    boot = f"{_BOOT}{boot_id()}" if alone else ""
    before = heartbeats.last(connection, boot) if resuming and alone else None
    # Both at once, and after whatever had to be waited for: time that passes is not to look like a clock that was set.
    now, running = clock.now(), since_boot() if alone else 0.0
    if last is not None:
        ahead = now - last if before is None else now - last - (running - before)
        if ahead < -_TOLERANCE_SECONDS or (before is not None and ahead > _TOLERANCE_SECONDS):
            _move(connection, last, now, ahead)
    heartbeats.beat(connection, CLOCK, now)
    if alone:
        heartbeats.beat(connection, boot, running)
        connection.execute(
            text("DELETE FROM heartbeat WHERE name LIKE :any AND name <> :boot"), {"any": f"{_BOOT}%", "boot": boot}
        )


def _move(connection: Connection, last: float, now: float, ahead: float) -> None:
    """The clock, which read ``last`` before, was set by so many seconds."""
    moved = {"now": now, "last": min(last, now), "ahead": ahead}
    later = "CASE WHEN due_at + :ahead > :now THEN due_at + :ahead ELSE :now END"
    if ahead > 0:
        later = "due_at + :ahead"
    connection.execute(
        text(f"UPDATE delivery SET due_at = {later} WHERE pending AND due_at > :last"),  # noqa: S608  # constants
        moved,
    )
    connection.execute(
        text("UPDATE delivery SET failing_since = failing_since + :ahead WHERE pending AND failing_since IS NOT NULL"),
        moved,
    )
    connection.execute(
        text(f"UPDATE timer SET due_at = {later} WHERE due_at > :last"),  # noqa: S608  # constants
        moved,
    )
    connection.execute(text("UPDATE heartbeat SET at = :now WHERE at > :now"), moved)


def boot_id() -> str:
    """Which boot of the machine this is; empty where that can't be known."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def since_boot() -> float:
    """Seconds since the machine's boot, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def database_time(connection: Connection) -> float:
    """Epoch seconds by the database's own clock; a SQLite file has that of this machine."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
