"""The incidents that are open, as JSON for people and programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from sla_kit.routing.incident import Incident, decode
from sla_kit.routing.outbox import tables

MAX_LISTED = 1_000


def open_incidents(connection: Connection, limit: int, service: str = "") -> list[dict[str, Any]]:
    """Those that fire, the earliest first, up to ``limit``, of one service where it is named."""
    columns = tables.incident.c
    query = select(columns.body).where(columns.open).order_by(columns.received_at, columns.id).limit(limit)
    if service:
        query = query.where(columns.service == service)
    return [_told(decode(body)) for (body,) in connection.execute(query)]


def is_open(connection: Connection, dedup_key: str) -> bool:
    """Whether there is an open incident of that key."""
    columns = tables.incident.c
    query = select(columns.id).where(columns.dedup_key == dedup_key, columns.open).limit(1)
    return connection.execute(query).first() is not None


def _told(incident: Incident) -> dict[str, Any]:
    silence = incident.silence
    return {
        "dedup_key": incident.dedup_key,
        "kind": incident.kind,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity,
        "service": incident.service,
        "labels": incident.labels,
        "opened_at": _moment(incident.opened_at),
        "received_at": _moment(incident.received_at),
        "firing": incident.members_firing if incident.kind == "storm" else incident.firing_count,
        "promise": incident.promise,
        "acknowledged_at": _moment(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "closed_by": incident.closed_by,
        "escalations": [{"at": _moment(each.at), "to": each.to, "why": each.why} for each in incident.escalations],
        "silence": None if silence is None else {"until": _moment(silence.until), "by": silence.by, "id": silence.id},
        "muted_by": incident.muted_by,
        "links": [{"url": link.url, "text": link.text} for link in incident.links],
    }


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
