"""Files by the SHA-256 of their content: reports, graphs."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text

from sla_kit.errors import OutboxError


def keep(connection: Connection, body: bytes, now: float) -> str:
    """Keeps a content, and returns its digest: SHA-256 in hexadecimal. The same content is kept once."""
    digest = hashlib.sha256(body).hexdigest()
    connection.execute(
        text(
            "INSERT INTO attachment (digest, created_at, body) VALUES (:digest, :now, :body)"
            " ON CONFLICT (digest) DO UPDATE SET created_at = excluded.created_at"
        ),
        {"digest": digest, "now": now, "body": body},
    )
    return digest


def read(connection: Connection, digest: str) -> bytes:
    """A content. Raises `OutboxError` where it isn't kept (any more)."""
    found = connection.execute(text("SELECT body FROM attachment WHERE digest = :digest"), {"digest": digest}).scalar()
    if found is None:
        raise OutboxError(f"the outbox has no attachment {digest[:12]}…: it was older than is kept")
    return bytes(found)
