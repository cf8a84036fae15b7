"""Errors grouped by what they are: which are new, which came back, which surge, and what they began with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sla_kit.error_tracking.tracking import track

__all__ = ["track"]


def __getattr__(name: str) -> Any:
    # Results are read by what has no client of Elasticsearch: it is imported once something is asked.
    if name == "track":
        from sla_kit.error_tracking.tracking import track

        return track
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
