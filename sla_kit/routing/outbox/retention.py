"""Forgetting what is older than it is kept, a few rows at a time, so that nothing has to wait for it."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, text

#: So many rows of each table at most go in one step.
_STEP = 500

# Dead letters are kept as long as what was delivered.
# That they are of no incident is written so that no index on it can be used: almost all may be.
_OLD_CONTENTS = """
SELECT id FROM delivery WHERE created_at < :before AND coalesce(incident_id, 0) = 0 AND NOT pending AND state <> 'held'
AND leased_by IS NULL ORDER BY created_at LIMIT :limit
"""
_OLD_INCIDENTS = """
SELECT i.id FROM incident i WHERE i.updated_at < :before AND NOT i.open AND NOT EXISTS (
  SELECT 1 FROM delivery d WHERE d.incident_id = i.id
  AND (d.pending OR d.state = 'held' OR d.leased_by IS NOT NULL OR d.told_at >= :before))
ORDER BY i.updated_at LIMIT :limit
"""
_OLD_EVENTS = """
SELECT id FROM event WHERE received_at < :before AND state <> 'new' ORDER BY received_at LIMIT :limit
"""
_OLD_ATTACHMENTS = "SELECT digest FROM attachment WHERE created_at < :before ORDER BY created_at LIMIT :limit"


def purge(connection: Connection, before: float) -> int:
    """One step of forgetting what is from before that time (epoch seconds); how many rows it took, 0 once all is gone.

    Kept, however old: events that are not planned, open incidents with their deliveries, deliveries that are pending or
    held, and the attachments that any of these may need.
    """
    old = {"before": before, "limit": _STEP}
    contents = list(connection.execute(text(_OLD_CONTENTS), old).scalars())
    incidents = list(connection.execute(text(_OLD_INCIDENTS), old).scalars())
    _delete(connection, "history", "delivery_id", contents)
    gone = _delete(connection, "delivery", "id", contents)
    if incidents:
        deliveries = list(
            connection.execute(
                text("SELECT id FROM delivery WHERE incident_id IN :ids").bindparams(bindparam("ids", expanding=True)),
                {"ids": incidents},
            ).scalars()
        )
        _delete(connection, "history", "delivery_id", deliveries)
        gone += _delete(connection, "delivery", "id", deliveries)
        gone += _delete(connection, "incident", "id", incidents)
    gone += _delete(connection, "event", "id", list(connection.execute(text(_OLD_EVENTS), old).scalars()))
    return gone + _purge_attachments(connection, before)


def _purge_attachments(connection: Connection, before: float) -> int:
    digests = connection.execute(text(_OLD_ATTACHMENTS), {"before": before, "limit": 50}).scalars().all()
    return _delete(connection, "attachment", "digest", [one for one in digests if not _named(connection, one)])


def _named(connection: Connection, digest: str) -> bool:
    """Whether anything that may still be told, or planned, names the attachment."""
    holds = "instr({}, :digest) > 0" if connection.dialect.name == "sqlite" else "position(:digest in {}) > 0"
    found = connection.execute(
        text(
            f"SELECT 1 FROM delivery WHERE pending AND content IS NOT NULL AND {holds.format('content')}"  # noqa: S608
            f" UNION ALL SELECT 1 FROM delivery WHERE state <> 'open' AND state IN ('dead', 'held')"
            f" AND content IS NOT NULL AND {holds.format('content')}"
            f" UNION ALL SELECT 1 FROM event WHERE state = 'new' AND {holds.format('body')}"
            f" UNION ALL SELECT 1 FROM event WHERE state = 'dead' AND {holds.format('body')}"
            f" UNION ALL SELECT 1 FROM incident WHERE open AND {holds.format('body')}"
            " LIMIT 1"
        ),
        {"digest": digest.encode()},
    )
    return found.first() is not None


def _delete(connection: Connection, table: str, column: str, keys: list[int] | list[str]) -> int:
    """Deletes rows by a key, in portions that every database takes."""
    gone = 0
    statement = text(f"DELETE FROM {table} WHERE {column} IN :keys").bindparams(  # noqa: S608  # names of this module
        bindparam("keys", expanding=True)
    )
    for start in range(0, len(keys), _STEP):
        gone += connection.execute(statement, {"keys": keys[start : start + _STEP]}).rowcount
    return gone
