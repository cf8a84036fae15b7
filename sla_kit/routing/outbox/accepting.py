"""What comes in: events, committed before they are acknowledged, and then given to the planner one after the other,
the urgent ones first."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from concurrent.futures import Future
from typing import NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from sla_kit.routing.events import Event, decode, encode
from sla_kit.routing.outbox import tables
from sla_kit.routing.outbox.columns import column, words
from sla_kit.routing.outbox.store import Outbox


class Accepted(Struct, frozen=True, kw_only=True):
    """An event that is to be planned; ``received_at`` is in epoch seconds."""

    id: int
    received_at: float
    event: Event


class DeadEvent(Struct, frozen=True, kw_only=True):
    """An event that could not be planned. ``event`` is None where it can't be decoded."""

    id: int
    received_at: float
    kind: str
    state: str
    reason: str
    body: bytes
    event: Event | None


class _Incoming(NamedTuple):
    received_at: float
    kind: str
    idempotency: str | None
    urgent: bool
    body: bytes


def accept(outbox: Outbox, event: Event, *, idempotency: str = "", urgent: bool = False) -> Future[bool]:
    """Commits an event, together with others that come at the same time. The future is False where one with the same
    ``idempotency`` was there already; it fails with `OutboxError` where it can't be written. One that is ``urgent`` is
    planned before those that are not."""
    key = None if not idempotency else column(idempotency, 10_000)
    if key is not None and len(key) > 200:
        key = hashlib.sha256(key.encode()).hexdigest()
    kind = str(type(event).__struct_config__.tag)
    return outbox.submit_gathered(_insert, _Incoming(outbox.clock.now(), kind, key, urgent, encode(event)))


def put(connection: Connection, event: Event, now: float) -> None:
    """Commits an event together with whatever else the transaction does."""
    _insert(connection, [_Incoming(now, str(type(event).__struct_config__.tag), None, True, encode(event))])


def new_events(connection: Connection, limit: int) -> list[Accepted]:
    """Events that are not planned yet, the urgent ones first, then in the order in which they came. One that can't be
    decoded is dead then."""
    rows = connection.execute(
        text("SELECT id, received_at, body FROM event WHERE state = 'new' ORDER BY urgent DESC, id LIMIT :limit"),
        {"limit": limit},
    ).all()
    found = []
    for row in rows:
        try:
            found.append(Accepted(id=row.id, received_at=float(row.received_at), event=decode(bytes(row.body))))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            mark_dead(connection, row.id, f"it can't be read: {error}")
    return found


def mark_planned(connection: Connection, ids: Collection[int]) -> None:
    """These are done with."""
    if ids:
        connection.execute(
            text("UPDATE event SET state = 'planned' WHERE id = :event AND state = 'new'"),
            [{"event": id_} for id_ in ids],
        )


def mark_dead(connection: Connection, id_: int, reason: str) -> None:
    """This can't be planned; others go on."""
    connection.execute(
        text("UPDATE event SET state = 'dead', reason = :reason WHERE id = :id"), {"id": id_, "reason": words(reason)}
    )


def dead_events(connection: Connection, limit: int = 100) -> list[DeadEvent]:
    """Events that could not be planned, the newest first."""
    rows = connection.execute(
        text(
            "SELECT id, received_at, kind, state, reason, body FROM event WHERE state = 'dead'"
            " ORDER BY id DESC LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [_dead(row) for row in rows]


def count_dead_events(connection: Connection) -> int:
    """How many events could not be planned."""
    return int(connection.execute(text("SELECT count(*) FROM event WHERE state = 'dead'")).scalar_one())


def waiting_events(connection: Connection) -> int:
    """How many events are not planned yet."""
    return int(connection.execute(text("SELECT count(*) FROM event WHERE state = 'new'")).scalar_one())


def event_of(connection: Connection, id_: int) -> DeadEvent | None:
    """An event, whatever its state."""
    row = connection.execute(
        text("SELECT id, received_at, kind, state, reason, body FROM event WHERE id = :id"), {"id": id_}
    ).first()
    return None if row is None else _dead(row)


def plan_again(connection: Connection, ids: Collection[int]) -> int:
    """Dead events are to be planned once more; how many there were."""
    return _move(connection, ids, "new")


def drop_events(connection: Connection, ids: Collection[int]) -> int:
    """Dead events are given up for good; how many there were."""
    return _move(connection, ids, "dropped")


def _move(connection: Connection, ids: Collection[int], state: str) -> int:
    statement = text("UPDATE event SET state = :state WHERE id IN :ids AND state IN ('dead', 'dropped')").bindparams(
        bindparam("ids", expanding=True)
    )
    return connection.execute(statement, {"state": state, "ids": list(ids)}).rowcount if ids else 0


def _insert(connection: Connection, incoming: list[_Incoming]) -> list[bool]:
    """Inserts them all; of each whether it is new."""
    fresh = _new_keys(connection, incoming)
    answers, rows = [], []
    for one in incoming:
        new = one.idempotency is None or one.idempotency in fresh
        answers.append(new)
        if not new:
            continue
        if one.idempotency is not None:
            fresh.remove(one.idempotency)  # the same key twice in one batch
            if connection.dialect.name != "sqlite":
                continue  # `_new_keys` has inserted it
        rows.append({**one._asdict(), "state": "new"})
    if rows:
        connection.execute(tables.event.insert(), rows)
    return answers


def _new_keys(connection: Connection, incoming: list[_Incoming]) -> set[str]:
    """Keys that nothing was accepted with before. In PostgreSQL, where another router may insert the same at the same
    time, only inserting tells; in an order that all keep to, so that none waits for one that waits for it."""
    keyed = {one.idempotency: one for one in reversed(incoming) if one.idempotency is not None}
    if not keyed:
        return set()
    if connection.dialect.name == "sqlite":
        statement = text("SELECT idempotency FROM event WHERE idempotency IN :keys").bindparams(
            bindparam("keys", expanding=True)
        )
        keys = list(keyed)
        for start in range(0, len(keys), 500):
            for known in connection.execute(statement, {"keys": keys[start : start + 500]}).scalars():
                del keyed[known]
        return set(keyed)
    rows = [{**keyed[key]._asdict(), "state": "new"} for key in sorted(keyed)]
    insert = postgresql_insert(tables.event).on_conflict_do_nothing(index_elements=["idempotency"])
    return set(connection.execute(insert.returning(tables.event.c.idempotency), rows).scalars())


def _dead(row: Row[tuple[object, ...]]) -> DeadEvent:
    body = bytes(row.body)
    try:
        event = decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        event = None
    return DeadEvent(
        id=row.id,
        received_at=float(row.received_at),
        kind=row.kind,
        state=row.state,
        reason=row.reason or "",
        body=body,
        event=event,
    )
