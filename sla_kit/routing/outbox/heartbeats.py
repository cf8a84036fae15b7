"""Last signs of life, by name."""

from __future__ import annotations

from sqlalchemy import Connection, text


def beat(connection: Connection, name: str, at: float) -> None:
    """``name`` was heard of at that time, in epoch seconds."""
    connection.execute(
        text("INSERT INTO heartbeat (name, at) VALUES (:name, :at) ON CONFLICT (name) DO UPDATE SET at = excluded.at"),
        {"name": name[:200], "at": at},
    )


def last(connection: Connection, name: str) -> float | None:
    """When it was heard of last, in epoch seconds."""
    found = connection.execute(text("SELECT at FROM heartbeat WHERE name = :name"), {"name": name[:200]}).scalar()
    return None if found is None else float(found)
