"""People who have waited for too long, though nothing was attempted just now: their pager does not answer and is left
alone, or another call hangs. They are told elsewhere, at the same time as after an attempt that failed."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, String, bindparam, text

from sla_kit.routing.destinations import PEOPLE, Kind
from sla_kit.routing.dispatching.backoff import PAGE_PRIORITY
from sla_kit.routing.dispatching.recording import OnFailure, hand_on
from sla_kit.routing.outbox.deliveries import look_at

#: So many at a time; the next ones follow.
_LIMIT = 100
# Nobody is told elsewhere for a queue that our own rate limit makes, unless it holds up a page.
_FIND = """
SELECT id FROM delivery
WHERE pending AND state = 'open' AND NOT fell_back AND kind IN :people
  AND coalesce(failing_since, due_at) <= :before
  AND (failing_since IS NOT NULL OR priority <= :page OR kind IN :kinds OR destination IN :destinations)
ORDER BY priority, due_at, id LIMIT :limit
"""


def overdue(
    connection: Connection, before: float, kinds: Collection[Kind], destinations: Collection[str], *, lock: bool = False
) -> list[int]:
    """Deliveries to people that have failed or waited since ``before`` (epoch seconds). Of those that were never
    attempted, pages, and what is for these ``kinds`` and ``destinations``, to which nothing gets through."""
    shared = lock and connection.dialect.name != "sqlite"
    statement = text(f"{_FIND} FOR UPDATE SKIP LOCKED" if shared else _FIND).bindparams(
        # Of a type, since a list may be empty.
        *(bindparam(name, type_=String, expanding=True) for name in ("people", "kinds", "destinations"))
    )
    values = {
        "people": list(PEOPLE),
        "before": before,
        "page": PAGE_PRIORITY,
        "kinds": list(kinds),
        "destinations": list(destinations),
        "limit": _LIMIT,
    }
    return list(connection.execute(statement, values).scalars())


def hand_on_overdue(
    connection: Connection,
    now: float,
    before: float,
    kinds: Collection[Kind],
    destinations: Collection[str],
    on_failure: OnFailure,
) -> list[Kind]:
    """Has them told elsewhere; the kind of each."""
    ids = overdue(connection, before, kinds, destinations, lock=True)
    found = []
    for claimed in look_at(connection, ids, now):
        kind = claimed.destination.kind
        waited = now - (claimed.due_at if claimed.failing_since is None else claimed.failing_since)
        reason = f"{kind} has not taken it for {waited:.0f} seconds"
        if hand_on(connection, claimed, reason, now, on_failure):
            found.append(kind)
    return found
