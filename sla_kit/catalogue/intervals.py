"""Stretches of time that the calendar yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """One occurrence of a live event or a maintenance window: (start, end] in epoch seconds; no services means all."""

    start: int
    end: int
    name: str
    services: tuple[str, ...] = ()
    reason: str = ""
    approved_by: str = ""

    def concerns(self, service: str) -> bool:
        """Whether it touches that service."""
        return not self.services or service in self.services
