"""Text that fits into a column of any database: short enough, and without what PostgreSQL can't hold."""

from __future__ import annotations

from sla_kit.redacting import redacted


def column(text: str, length: int) -> str:
    """The text with at most ``length`` characters, without NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:length]


def words(text: str) -> str:
    """An error or a reason, without secrets, at most 2,000 characters."""
    return column(redacted(text), 2000)
