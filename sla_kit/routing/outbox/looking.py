"""Looking at deliveries without touching them: one, those of an incident, a page of them, and their figures."""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection, Row, text

from sla_kit.routing.destinations import Destination, parse_destination
from sla_kit.routing.incident import Told

State = Literal["pending", "dead", "delivered", "held", "folded", "dropped"]
STATES: tuple[State, ...] = get_args(State)

_SELECT = """
SELECT d.id, d.key, d.incident_id, i.dedup_key, d.contact, d.destination, d.queue, d.priority, d.state, d.pending,
  d.wanted, d.told_version, d.told, d.told_at, d.first_told_at, d.remembered, d.attempts, d.uncertain, d.fell_back,
  d.failing_since, d.due_at, d.leased_by, d.leased_until, d.error, d.created_at
FROM delivery d LEFT JOIN incident i ON i.id = d.incident_id
"""
#: Each says again what its index is on, so that it can be used.
_WHERE: dict[State, str] = {
    "pending": "d.pending",
    "delivered": "d.state = 'open' AND NOT d.pending",
    "dead": "d.state <> 'open' AND d.state = 'dead'",
    "held": "d.state <> 'open' AND d.state = 'held'",
    "folded": "d.state <> 'open' AND d.state = 'folded'",
    "dropped": "d.state <> 'open' AND d.state = 'dropped'",
}


class Delivery(Struct, frozen=True, kw_only=True):
    """A delivery as it stands, without its content; times in epoch seconds. See `tables.delivery`."""

    id: int
    key: str
    incident_id: int | None
    dedup_key: str
    contact: str
    destination: Destination
    queue: str
    priority: int
    state: State
    pending: bool
    wanted: int
    told_version: int
    told: Told | None
    told_at: float | None
    first_told_at: float | None
    references: dict[str, str]
    attempts: int
    uncertain: bool
    fell_back: bool
    failing_since: float | None
    due_at: float
    leased_by: str
    leased_until: float | None
    error: str
    created_at: float


class History(Struct, frozen=True, kw_only=True):
    """One line of what became of a delivery."""

    at: float
    what: str
    version: int
    words: str


class Figures(Struct, frozen=True, kw_only=True):
    """``pending`` and ``dead`` by destination; ``oldest_seconds`` is how long the oldest pending one of each has been
    due, or failing; ``events`` wait for the planner, ``dead_events`` could not be planned."""

    pending: dict[str, int] = field(default_factory=dict)
    oldest_seconds: dict[str, float] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    events: int = 0
    dead_events: int = 0

    @property
    def oldest(self) -> float:
        """Seconds that the oldest of all has been due."""
        return max(self.oldest_seconds.values(), default=0.0)


def told_of(connection: Connection, incident_id: int) -> list[Delivery]:
    """All deliveries of an incident, in the order in which they were wanted."""
    rows = connection.execute(text(f"{_SELECT} WHERE d.incident_id = :id ORDER BY d.id"), {"id": incident_id})
    return [_delivery(row) for row in rows]


def delivery_of(connection: Connection, id_: int) -> Delivery | None:
    """The delivery with this number."""
    row = connection.execute(text(f"{_SELECT} WHERE d.id = :id"), {"id": id_}).first()
    return None if row is None else _delivery(row)


def content_of(connection: Connection, id_: int) -> bytes | None:
    """The content of a delivery that is of no incident, as JSON."""
    found = connection.execute(text("SELECT content FROM delivery WHERE id = :id"), {"id": id_}).scalar()
    return None if found is None else bytes(found)


def history(connection: Connection, id_: int) -> list[History]:
    """What became of a delivery, the latest last; at most the last 200 lines."""
    rows = connection.execute(
        text("SELECT at, what, version, words FROM history WHERE delivery_id = :id ORDER BY history.id DESC LIMIT 200"),
        {"id": id_},
    )
    return [History(at=row.at, what=row.what, version=row.version, words=row.words) for row in rows][::-1]


def page(
    connection: Connection,
    *,
    state: State | None = None,
    destination: str = "",
    incident: int | str | None = None,
    limit: int = 50,
    before_id: int | None = None,
) -> list[Delivery]:
    """Deliveries, the newest first, from before ``before_id`` on. ``destination`` is one as text or only its kind,
    ``incident`` an incident's number or dedup key."""
    where, values = ["d.id < :before"], {"before": before_id or 2**62, "limit": limit, "destination": destination}
    if state is not None:
        where.append(_WHERE[state])
    if destination:
        where.append("d.destination = :destination" if ":" in destination else "d.kind = :destination")
    if incident is not None:
        where.append(
            "d.incident_id = :incident"
            if isinstance(incident, int)
            else "d.incident_id IN (SELECT id FROM incident WHERE dedup_key = :incident)"
        )
    rows = connection.execute(
        text(f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY d.id DESC LIMIT :limit"), {**values, "incident": incident}
    )
    return [_delivery(row) for row in rows]


def figures(connection: Connection, now: float) -> Figures:
    """What waits and what is dead. Reads indexes alone, and of them the parts that history is not in."""
    pending = connection.execute(
        text(
            "SELECT destination, count(*) AS many, min(coalesce(failing_since, due_at)) AS since FROM delivery"
            " WHERE pending GROUP BY destination"
        )
    ).all()
    dead = connection.execute(
        text(
            "SELECT destination, count(*) AS many FROM delivery WHERE state <> 'open' AND state = 'dead'"
            " GROUP BY destination"
        )
    ).all()
    events = {
        state: connection.execute(text(f"SELECT count(*) FROM event WHERE state = '{state}'")).scalar_one()  # noqa: S608
        for state in ("new", "dead")
    }
    return Figures(
        pending={row.destination: row.many for row in pending},
        oldest_seconds={row.destination: max(0.0, now - row.since) for row in pending},
        dead={row.destination: row.many for row in dead},
        events=events["new"],
        dead_events=events["dead"],
    )


def _delivery(row: Row[Any]) -> Delivery:
    state: State = row.state
    if row.state == "open":
        state = "pending" if row.pending else "delivered"
    return Delivery(
        id=row.id,
        key=row.key,
        incident_id=row.incident_id,
        dedup_key=row.dedup_key or "",
        contact=row.contact,
        destination=parse_destination(row.destination),
        queue=row.queue,
        priority=row.priority,
        state=state,
        pending=bool(row.pending),
        wanted=row.wanted,
        told_version=row.told_version,
        told=None if row.told is None else msgspec.json.decode(bytes(row.told), type=Told),
        told_at=row.told_at,
        first_told_at=row.first_told_at,
        references=msgspec.json.decode(row.remembered, type=dict[str, str]) if row.remembered else {},
        attempts=row.attempts,
        uncertain=bool(row.uncertain),
        fell_back=bool(row.fell_back),
        failing_since=row.failing_since,
        due_at=row.due_at,
        leased_by=row.leased_by or "",
        leased_until=row.leased_until,
        error=row.error or "",
        created_at=row.created_at,
    )
