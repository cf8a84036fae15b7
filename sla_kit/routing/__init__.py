"""Alert routing that loses nothing: what comes in is committed to an outbox, planned, and sent until it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sla_kit.routing.notifying import NotifyError, notify, notify_all

__all__ = ["NotifyError", "notify", "notify_all"]


def __getattr__(name: str) -> Any:
    """Loads what tells the router something on first use: parts of it are imported where that is not needed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sla_kit.routing import notifying

    return getattr(notifying, name)
