"""Saying who is to be told of what, and what is not to be told after all.

One row is one destination and one incident, whose newest version is wanted, or one content. It is pending while it is
open and told less than is wanted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from sla_kit.routing.delivering import Response, SilenceWanted
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.outbox import tables
from sla_kit.routing.outbox.columns import column, words
from sla_kit.routing.outbox.incidents import Stored


def _among(statement: str) -> TextClause:
    """A statement with a list of numbers, ``:ids``."""
    return text(statement).bindparams(bindparam("ids", expanding=True))


# Told of an incident before, or about to be. What is about to be told is not put off by an update; what fails goes on
# waiting as long as it was to. A person or a digest has the last word: such a row stays what it is.
_WANT_MORE = text("""
UPDATE delivery SET
  wanted = :wanted,
  priority = :priority,
  pending = (state = 'open' AND :wanted > told_version),
  due_at = CASE
    WHEN attempts > 0 THEN due_at
    WHEN pending AND due_at < :due_at THEN due_at
    ELSE :due_at END
WHERE incident_id = :incident AND destination = :destination
""")
# Who waits behind others of its queue lends them its priority.
_HURRY = text("""
UPDATE delivery SET priority = :priority
WHERE pending AND queue = :queue AND destination = :destination AND priority > :priority
""")
_UNTOLD = _among("""
SELECT d.id FROM delivery d LEFT JOIN incident i ON i.id = d.incident_id
WHERE d.id IN :ids AND coalesce(i.version, d.wanted) > d.told_version
""")
_REVIVE = _among("""
UPDATE delivery SET
  state = 'open', pending = TRUE, attempts = 0, failing_since = NULL, fell_back = FALSE, due_at = :now,
  wanted = coalesce((SELECT version FROM incident WHERE incident.id = delivery.incident_id), wanted)
WHERE id IN :ids
""")
# What was told, or is told as a part of something else, can't be given up any more.
_TO_GIVE_UP = _among("SELECT id FROM delivery WHERE id IN :ids AND (pending OR state IN ('dead', 'held'))")
_CLOSE = _among("""
UPDATE delivery SET state = :state, pending = FALSE, error = coalesce(nullif(:reason, ''), error) WHERE id IN :ids
""")
_NOTE = _among("""
INSERT INTO history (delivery_id, at, what, version, words)
SELECT id, :now, :what, wanted, :words FROM delivery WHERE id IN :ids
""")


def want(
    connection: Connection,
    stored: Stored,
    destination: Destination,
    *,
    contact: str,
    priority: int,
    now: float,
    not_before: float = 0.0,
    held: bool = False,
) -> None:
    """A destination is to be told of this version of an incident, or of a later one, at ``not_before`` (epoch seconds).

    ``priority`` 0 goes first. ``held`` keeps a new one for a digest. One that is held, folded, dead or dropped stays
    so; `revive` opens it.
    """
    where, due_at = str(destination), max(now, not_before)
    queue = column(stored.incident.dedup_key, 500)
    known = connection.execute(
        _WANT_MORE,
        {
            "wanted": stored.version,
            "priority": priority,
            "due_at": due_at,
            "incident": stored.id,
            "destination": where,
        },
    )
    if not known.rowcount:
        _insert(
            connection,
            destination,
            key=uuid4().hex,
            incident_id=stored.id,
            contact=contact,
            queue=queue,
            priority=priority,
            state="held" if held else "open",
            wanted=stored.version,
            due_at=due_at,
            now=now,
        )
    if not held:
        connection.execute(_HURRY, {"priority": priority, "queue": queue, "destination": where})


def want_content(
    connection: Connection,
    content: Notice | Change | SilenceWanted | Response,
    destination: Destination,
    *,
    contact: str,
    priority: int,
    now: float,
    key: str = "",
    not_before: float = 0.0,
    queue: str = "",
) -> bool:
    """A destination is to be told this content once; False where the same ``key`` was given for it before. What has
    the same ``queue`` is told one after the other."""
    where = str(destination)
    named = hashlib.sha256(f"{key}\n{where}".encode()).hexdigest()[:40] if key else uuid4().hex
    new = _insert(
        connection,
        destination,
        key=named,
        content=msgspec.json.encode(content),
        contact=contact,
        queue=column(queue, 500) or named,
        priority=priority,
        state="open",
        wanted=1,
        due_at=max(now, not_before),
        now=now,
    )
    if new and queue:
        connection.execute(_HURRY, {"priority": priority, "queue": column(queue, 500), "destination": where})
    return new


def fold(connection: Connection, ids: Collection[int], into: str, now: float | None = None) -> int:
    """These are told as a part of ``into``, which says it in words; they are no longer due. How many there were."""
    return _close(connection, ids, "folded", into, time.time() if now is None else now)


def drop(connection: Connection, ids: Collection[int], now: float, by: str = "") -> int:
    """These are not to be told, as a person decided: those that are pending, held or dead; the others, which were told,
    folded or dropped before, stay as they are. How many there were."""
    found = [id_ for some in _chunks(ids) for id_ in connection.execute(_TO_GIVE_UP, {"ids": some}).scalars()]
    return _close(connection, found, "dropped", f"dropped by {by}" if by else "", now)


def revive(connection: Connection, ids: Collection[int], now: float) -> int:
    """These are to be told at once: dead, folded, dropped and held ones are open again, failing ones don't wait, and
    each is to be told its incident's newest version. How many have something to tell; the others stay as they are."""
    return sum(_revive(connection, some, now) for some in _chunks(ids))


def _revive(connection: Connection, ids: list[int], now: float) -> int:
    found = connection.execute(_UNTOLD, {"ids": ids}).scalars().all()
    if found:
        connection.execute(_REVIVE, {"ids": list(found), "now": now})
        _note(connection, list(found), "revived", "", now)
    return len(found)


def _close(connection: Connection, ids: Collection[int], state: str, reason: str, now: float) -> int:
    done = 0
    for some in _chunks(ids):
        done += connection.execute(_CLOSE, {"ids": some, "state": state, "reason": words(reason)}).rowcount
        _note(connection, some, state, reason, now)
    return done


def _note(connection: Connection, ids: list[int], what: str, reason: str, now: float) -> None:
    connection.execute(_NOTE, {"ids": ids, "now": now, "what": what, "words": words(reason)})


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(set(ids))  # in an order that all keep to, so that none waits for one that waits for it
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]


def _insert(connection: Connection, destination: Destination, *, now: float, **values: Any) -> bool:
    insert: Any = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    row = {
        "incident_id": None,
        "content": None,
        **values,
        "kind": destination.kind,
        "destination": str(destination),
        "contact": column(values["contact"], 200),
        "pending": values["state"] == "open",
        "told_version": 0,
        "attempts": 0,
        "uncertain": False,
        "fell_back": False,
        "created_at": now,
    }
    statement = insert(tables.delivery).on_conflict_do_nothing(index_elements=["key"])
    if connection.dialect.name == "sqlite":
        return bool(connection.execute(statement, row).rowcount)
    return connection.execute(statement.returning(tables.delivery.c.id), row).first() is not None
