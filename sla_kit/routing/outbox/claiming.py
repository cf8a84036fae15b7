"""Taking deliveries that are due, for a time (a lease), and keeping what became of them.

However many rows there are, each step is a few searches in small indexes: the destinations that have anything pending
are found by leaping from one to the next, and of each only what is due is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection, Row, bindparam, text

from sla_kit.routing.delivering import Content, Parcel, Response, SilenceWanted
from sla_kit.routing.destinations import Destination, parse_destination
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.incident import Told, decode
from sla_kit.routing.outbox import attachments
from sla_kit.routing.outbox.columns import column, words
from sla_kit.routing.outbox.resuming import database_time

if TYPE_CHECKING:
    from sla_kit.routing.outbox.store import Outbox

#: Pairs of a destination and a priority with something pending, and when the first of each is due.
PENDING_PAIRS = """
WITH RECURSIVE named(destination) AS (
  SELECT (SELECT min(destination) FROM delivery WHERE pending)
  UNION ALL
  SELECT (SELECT min(d.destination) FROM delivery d WHERE d.pending AND d.destination > named.destination)
  FROM named WHERE named.destination IS NOT NULL
), pair(destination, priority) AS (
  SELECT destination, (SELECT min(d.priority) FROM delivery d WHERE d.pending AND d.destination = named.destination)
  FROM named WHERE destination IS NOT NULL
  UNION ALL
  SELECT destination, (SELECT min(d.priority) FROM delivery d
    WHERE d.pending AND d.destination = pair.destination AND d.priority > pair.priority)
  FROM pair WHERE pair.priority IS NOT NULL
)
SELECT destination, priority, (SELECT min(d.due_at) FROM delivery d
  WHERE d.pending AND d.destination = pair.destination AND d.priority = pair.priority) AS due_at
FROM pair WHERE priority IS NOT NULL ORDER BY priority, due_at
"""
#: Of one pair those that are due, not leased, and behind nobody of their queue.
DUE = """
SELECT d.id, d.due_at, d.leased_by FROM delivery d
WHERE d.pending AND d.destination = :destination AND d.priority = :priority AND d.due_at <= :now
  AND (d.leased_until IS NULL OR d.leased_until <= :lease_now)
  AND NOT EXISTS (
    SELECT 1 FROM delivery e WHERE e.pending AND e.queue = d.queue AND e.destination = d.destination
    AND e.id <> d.id AND (e.id < d.id OR e.leased_until > :lease_now))
ORDER BY d.due_at, d.id LIMIT :limit
"""
_LEASE = text("""
UPDATE delivery SET leased_by = :owner, leased_until = :until,
  uncertain = (uncertain OR leased_by IS NOT NULL),
  attempts = attempts + CASE WHEN leased_by IS NULL THEN 0 ELSE 1 END
WHERE id IN :ids
""").bindparams(bindparam("ids", expanding=True))
_LOAD = text("""
SELECT d.*, i.version, i.body FROM delivery d LEFT JOIN incident i ON i.id = d.incident_id WHERE d.id IN :ids
""").bindparams(bindparam("ids", expanding=True))
#: What holds as long as the lease is that of the claim, and nobody else's or a later one.
_MINE = "WHERE id = :id AND leased_by = :owner AND leased_until = :until"
_once: msgspec.json.Decoder[Notice | Change | SilenceWanted | Response] = msgspec.json.Decoder(
    Notice | Change | SilenceWanted | Response
)


class Claimed(Struct, frozen=True, kw_only=True):
    """A delivery that ``owner`` may attempt until ``leased_until`` (epoch seconds by the clock that leases go by).

    ``version`` is that of the content, ``attempts`` how many failed since it last succeeded; see `Parcel` for the rest.
    """

    id: int
    key: str
    destination: Destination
    content: Content
    told: Told | None
    references: dict[str, str] = field(default_factory=dict)
    uncertain: bool = False
    owner: str
    leased_until: float
    version: int
    attempts: int
    failing_since: float | None
    fell_back: bool
    priority: int
    contact: str
    queue: str
    incident_id: int | None
    first_told_at: float | None
    created_at: float
    due_at: float


class _Candidate(NamedTuple):
    priority: int
    due_at: float
    id: int
    leased_before: bool
    destination: str


def claim(
    connection: Connection,
    owner: str,
    *,
    limit: int,
    now: float,
    lease_seconds: float,
    excluding: Collection[str] = (),
    kinds: Collection[str] = (),
    each: int = 0,
    max_priority: int | None = None,
) -> list[Claimed]:
    """Up to ``limit`` deliveries that are due, the lowest priority number first, then by time; of one destination up to
    ``each`` (0: any). ``excluding`` names destinations as text, ``kinds`` those that are looked at (all where empty).
    ``max_priority`` leaves out what is less urgent.

    One of a queue and destination at a time, the oldest first. A delivery whose earlier lease ran out is uncertain.
    """
    shared = connection.dialect.name != "sqlite"
    lease_now = database_time(connection) if shared else now
    due = text(f"{DUE} FOR UPDATE OF d SKIP LOCKED" if shared else DUE)
    found: list[_Candidate] = []
    level: int | None = None
    for destination, priority, first in connection.execute(text(PENDING_PAIRS)).all():
        if first > now or destination in excluding or (kinds and destination.partition(":")[0] not in kinds):
            continue
        if (priority != level and len(found) >= limit) or (max_priority is not None and priority > max_priority):
            break  # whatever else there is comes after these
        level = priority
        rows = connection.execute(
            due,
            {
                "destination": destination,
                "priority": priority,
                "now": now,
                "lease_now": lease_now,
                "limit": min(limit, each) if each else limit,
            },
        )
        found += [_Candidate(priority, row.due_at, row.id, row.leased_by is not None, destination) for row in rows]
    chosen = _first(found, limit, each)
    if not chosen:
        return []
    ids, until = [one.id for one in chosen], lease_now + lease_seconds
    lost = [one.id for one in chosen if one.leased_before]
    if lost:
        _note(connection, lost, "lost", "an attempt ended without a word", now)
    connection.execute(_LEASE, {"ids": ids, "owner": column(owner, 100), "until": until})
    rows_by_id = {row.id: row for row in connection.execute(_LOAD, {"ids": ids})}
    return [one for id_ in ids if (one := _claimed(connection, rows_by_id[id_], now)) is not None]


def look_at(connection: Connection, ids: Collection[int], now: float) -> list[Claimed]:
    """Deliveries as a claim gives them, without taking them: for what is to be done about them otherwise."""
    rows = connection.execute(_LOAD, {"ids": list(ids)}).all() if ids else []
    return [one for row in rows if (one := _claimed(connection, row, now)) is not None]


def next_due(connection: Connection, excluding: Collection[str] = ()) -> float | None:
    """When the next delivery is due, in epoch seconds; one that is leased or waits for another of its queue may be."""
    pairs = connection.execute(text(PENDING_PAIRS)).all()
    return min((float(due) for destination, _, due in pairs if destination not in excluding), default=None)


def parcel(outbox: Outbox, claimed: Claimed) -> Parcel:
    """What an adapter is given."""

    def read(digest: str) -> bytes:
        with outbox.reading() as connection:
            return attachments.read(connection, digest)

    return Parcel(
        id=claimed.id,
        key=claimed.key,
        destination=claimed.destination,
        content=claimed.content,
        told=claimed.told,
        references=claimed.references,
        uncertain=claimed.uncertain,
        read=read,
    )


def remember(connection: Connection, claimed: Claimed, references: Mapping[str, str]) -> bool:
    """Keeps how a message is called in a service, beside what was remembered before. False where the lease was lost;
    it is kept all the same, since the message is there."""
    known = connection.execute(
        text("SELECT remembered FROM delivery WHERE id = :id"), {"id": claimed.id}
    ).scalar_one_or_none()
    kept = msgspec.json.decode(known, type=dict[str, str]) if known else {}
    connection.execute(
        text("UPDATE delivery SET remembered = :kept WHERE id = :id"),
        {"id": claimed.id, "kept": msgspec.json.encode({**kept, **references}).decode()},
    )
    mine = connection.execute(text(f"SELECT 1 FROM delivery {_MINE}"), _lease_of(claimed))  # noqa: S608  # a constant
    return mine.first() is not None


def succeed(connection: Connection, claimed: Claimed, told: Told | None, now: float) -> bool:
    """It is told; due again where more is wanted by now. False where the lease was lost, and nothing is changed."""
    return _end(
        connection,
        claimed,
        "told_version = :version, told = coalesce(:told, told), told_at = :now,"
        " first_told_at = coalesce(first_told_at, :now), attempts = 0, uncertain = FALSE, fell_back = FALSE,"
        " failing_since = NULL, error = CASE WHEN state = 'open' THEN NULL ELSE error END,"
        " pending = (state = 'open' AND wanted > :version)",
        {"version": claimed.version, "told": None if told is None else msgspec.json.encode(told)},
        ("delivered", ""),
        now,
    )


def retry(
    connection: Connection,
    claimed: Claimed,
    error: str,
    *,
    due_at: float,
    since: float | None = None,
    uncertain: bool = False,
    now: float,
) -> bool:
    """It failed, where it had not before since then (or now), and is due again at ``due_at``. ``uncertain``: it may
    have arrived all the same. False where the lease was lost, and nothing is changed."""
    return _end(
        connection,
        claimed,
        "attempts = attempts + 1, failing_since = coalesce(failing_since, :since), error = :error,"
        " uncertain = (uncertain OR :uncertain), due_at = :due_at",
        {"error": words(error), "uncertain": uncertain, "due_at": due_at, "since": now if since is None else since},
        ("failed", error),
        now,
    )


def postpone(connection: Connection, claimed: Claimed, *, due_at: float, now: float) -> bool:
    """It was not attempted, and is due again at ``due_at``: the service takes no more for the moment."""
    return _end(connection, claimed, "due_at = :due_at", {"due_at": due_at}, None, now)


def give_up(connection: Connection, claimed: Claimed, reason: str, now: float) -> bool:
    """It is a dead letter, kept with its reason. False where the lease was lost, and nothing is changed."""
    return _end(
        connection,
        claimed,
        "state = CASE WHEN state = 'open' THEN 'dead' ELSE state END, pending = FALSE, attempts = attempts + 1,"
        " failing_since = coalesce(failing_since, :now), error = :error",
        {"error": words(reason)},
        ("dead", reason),
        now,
    )


def release(connection: Connection, owner: str, now: float) -> int:
    """Ends the leases of this owner's past life; what it was at may have arrived. How many there were."""
    ids = list(connection.execute(text("SELECT id FROM delivery WHERE leased_by = :owner"), {"owner": owner}).scalars())
    if ids:
        _note(connection, ids, "lost", "the router ended during an attempt", now)
        connection.execute(
            text(
                "UPDATE delivery SET leased_by = NULL, leased_until = NULL, uncertain = TRUE, attempts = attempts + 1"
                " WHERE leased_by = :owner"
            ),
            {"owner": owner},
        )
    return len(ids)


def mark_fell_back(connection: Connection, id_: int) -> None:
    """What can't be delivered is told otherwise; this is kept so that it is told once."""
    connection.execute(text("UPDATE delivery SET fell_back = TRUE WHERE id = :id"), {"id": id_})


def _end(
    connection: Connection,
    claimed: Claimed,
    changes: str,
    values: dict[str, Any],
    line: tuple[str, str] | None,
    now: float,
) -> bool:
    done = connection.execute(
        text(f"UPDATE delivery SET leased_by = NULL, leased_until = NULL, {changes} {_MINE}"),  # noqa: S608  # constants
        {**_lease_of(claimed), **values, "now": now},
    )
    if not done.rowcount:
        return False
    if line is not None:
        _note(connection, [claimed.id], *line, now, claimed.version)
    return True


def _lease_of(claimed: Claimed) -> dict[str, object]:
    return {"id": claimed.id, "owner": column(claimed.owner, 100), "until": claimed.leased_until}


def _note(connection: Connection, ids: list[int], what: str, line: str, now: float, version: int | None = None) -> None:
    connection.execute(
        text(
            "INSERT INTO history (delivery_id, at, what, version, words)"
            " VALUES (:id, :now, :what, coalesce(:version, (SELECT wanted FROM delivery WHERE id = :id)), :words)"
        ),
        [{"id": id_, "now": now, "what": what, "version": version, "words": words(line)} for id_ in ids],
    )


def _first(found: list[_Candidate], limit: int, each: int) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    counts: Counter[str] = Counter()
    for one in sorted(found):
        if len(chosen) < limit and (not each or counts[one.destination] < each):
            counts[one.destination] += 1
            chosen.append(one)
    return chosen


def _claimed(connection: Connection, row: Row[Any], now: float) -> Claimed | None:
    """The claim of a row; one whose content can't be read (any more) is dead, and blocks no other."""
    try:
        return Claimed(
            id=row.id,
            key=row.key,
            destination=parse_destination(row.destination),
            content=_once.decode(bytes(row.content)) if row.incident_id is None else decode(bytes(row.body)),
            told=None if row.told is None else msgspec.json.decode(bytes(row.told), type=Told),
            references=msgspec.json.decode(row.remembered, type=dict[str, str]) if row.remembered else {},
            uncertain=bool(row.uncertain),
            owner=row.leased_by or "",
            leased_until=row.leased_until or 0.0,
            version=1 if row.incident_id is None else row.version,
            attempts=row.attempts,
            failing_since=row.failing_since,
            fell_back=bool(row.fell_back),
            priority=row.priority,
            contact=row.contact,
            queue=row.queue,
            incident_id=row.incident_id,
            first_told_at=row.first_told_at,
            created_at=row.created_at,
            due_at=row.due_at,
        )
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        reason = words(f"it can't be read: {error}")
        connection.execute(
            text(
                "UPDATE delivery SET state = 'dead', pending = FALSE, leased_by = NULL, leased_until = NULL,"
                " error = :reason WHERE id = :id"
            ),
            {"id": row.id, "reason": reason},
        )
        _note(connection, [row.id], "dead", reason, now)
        return None
