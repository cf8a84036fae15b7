"""Incidents as rows: of one ``dedup_key`` one at most is open, and each change of it is a version."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, text

from sla_kit.errors import OutboxError
from sla_kit.routing.incident import Incident, decode, encode
from sla_kit.routing.outbox import tables
from sla_kit.routing.outbox.columns import column


class Stored(Struct, frozen=True, kw_only=True):
    """An incident as it is kept."""

    id: int
    version: int
    incident: Incident


def find_open(connection: Connection, dedup_key: str) -> Stored | None:
    """The incident of this key that is firing."""
    return _first(connection, "WHERE open AND dedup_key = :key", {"key": dedup_key})


def recent(connection: Connection, dedup_key: str) -> Stored | None:
    """The newest incident of this key, open or not."""
    return _first(connection, "WHERE dedup_key = :key ORDER BY id DESC LIMIT 1", {"key": dedup_key})


def has_earlier(connection: Connection, dedup_key: str, stored: Stored | None) -> bool:
    """Whether there was another incident of this key before ``stored``, or any where that is not kept yet."""
    found = connection.execute(text("SELECT min(id) FROM incident WHERE dedup_key = :key"), {"key": dedup_key}).scalar()
    return found is not None and (stored is None or int(found) < stored.id)


def load(connection: Connection, id_: int) -> Stored | None:
    """The incident with this number."""
    return _first(connection, "WHERE id = :id", {"id": id_})


def listed(connection: Connection, *, limit: int = 100, open_only: bool = False) -> list[Stored]:
    """Incidents, the one that changed last first."""
    where = "WHERE open" if open_only else ""
    rows = connection.execute(
        text(f"SELECT id, version, body FROM incident {where} ORDER BY updated_at DESC LIMIT :limit"),  # noqa: S608
        {"limit": limit},
    )
    return [_stored(row) for row in rows]


def insert(connection: Connection, incident: Incident, now: float) -> Stored:
    """Keeps a new incident, as version 1. ``now`` in epoch seconds."""
    values = {**_values(incident, now), "version": 1}
    key = connection.execute(tables.incident.insert(), values).inserted_primary_key
    if key is None:
        raise OutboxError("the database gave the incident no number")
    return Stored(id=int(key[0]), version=1, incident=incident)


def save(connection: Connection, stored: Stored, incident: Incident, now: float) -> Stored:
    """Keeps the next version. Raises `OutboxError` where ``stored`` is no longer the newest one."""
    version = stored.version + 1
    done = connection.execute(
        tables.incident.update().where(tables.incident.c.id == stored.id, tables.incident.c.version == stored.version),
        {**_values(incident, now), "version": version},
    )
    if done.rowcount != 1:
        raise OutboxError(f"incident {stored.id} has changed since it was read")
    return Stored(id=stored.id, version=version, incident=incident)


def _values(incident: Incident, now: float) -> dict[str, Any]:
    return {
        "dedup_key": incident.dedup_key,
        "open": incident.status == "firing",
        "kind": incident.kind,
        "severity": column(incident.severity, 40),
        "service": column(incident.service, 200),
        "team": column(incident.labels.get("team", ""), 200),
        "opened_at": incident.opened_at,
        "received_at": incident.received_at,
        "acknowledged_at": incident.acknowledged_at,
        "resolved_at": incident.resolved_at,
        "updated_at": now,
        "body": encode(incident),
    }


def _first(connection: Connection, where: str, values: dict[str, object]) -> Stored | None:
    row = connection.execute(text(f"SELECT id, version, body FROM incident {where}"), values).first()  # noqa: S608
    return None if row is None else _stored(row)


def _stored(row: Row[tuple[object, ...]]) -> Stored:
    return Stored(id=row.id, version=row.version, incident=decode(bytes(row.body)))
