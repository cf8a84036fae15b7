"""What is to happen later, such as an escalation: one timer of a kind and key, which outlives the process."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, text

Data = dict[str, Any]


class Timer(Struct, frozen=True, kw_only=True):
    """``due_at`` is in epoch seconds, ``data`` what it was set with."""

    kind: str
    key: str
    due_at: float
    data: Data


def set_timer(connection: Connection, kind: str, key: str, due_at: float, data: Data | None = None) -> None:
    """Sets a timer, or sets it anew. ``key`` has 255 characters at most; ``data`` is kept as JSON."""
    connection.execute(
        text(
            "INSERT INTO timer (kind, key, due_at, data) VALUES (:kind, :key, :due_at, :data)"
            " ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, data = excluded.data"
        ),
        {"kind": kind, "key": key, "due_at": due_at, "data": msgspec.json.encode(data or {}).decode()},
    )


def get(connection: Connection, kind: str, key: str) -> Timer | None:
    """The timer of that kind and key, if it is set."""
    found = connection.execute(
        text("SELECT kind, key, due_at, data FROM timer WHERE kind = :kind AND key = :key"), {"kind": kind, "key": key}
    ).first()
    return None if found is None else _timer(*found)


def of_kind(connection: Connection, kind: str) -> list[Timer]:
    """All timers of a kind."""
    found = connection.execute(text("SELECT kind, key, due_at, data FROM timer WHERE kind = :kind"), {"kind": kind})
    return [_timer(*row) for row in found]


def cancel(connection: Connection, kind: str, key: str) -> bool:
    """Takes a timer away; whether there was one."""
    done = connection.execute(text("DELETE FROM timer WHERE kind = :kind AND key = :key"), {"kind": kind, "key": key})
    return bool(done.rowcount)


def due(connection: Connection, now: float, limit: int = 500) -> list[Timer]:
    """Timers whose time has come, the earliest first; they are taken away in this transaction."""
    statement = "SELECT kind, key, due_at, data FROM timer WHERE due_at <= :now ORDER BY due_at, kind, key LIMIT :limit"
    if connection.dialect.name != "sqlite":
        statement += " FOR UPDATE SKIP LOCKED"
    found = connection.execute(text(statement), {"now": now, "limit": limit}).all()
    timers = [_timer(*row) for row in found]
    for timer in timers:
        cancel(connection, timer.kind, timer.key)
    return timers


def next_due(connection: Connection) -> float | None:
    """When the next one is due, in epoch seconds."""
    found = connection.execute(text("SELECT min(due_at) FROM timer")).scalar()
    return None if found is None else float(found)


def _timer(kind: str, key: str, due_at: float, data: str) -> Timer:
    return Timer(kind=kind, key=key, due_at=float(due_at), data=msgspec.json.decode(data, type=Data))
