"""What planning goes by: the catalogue, its decisions, how the router is set, and who wants to know of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.routing import Routing
from sla_kit.generate.alertmanager import inhibitions
from sla_kit.routing.deciding import Deciding
from sla_kit.routing.planning.inhibiting import Inhibitions


class Observe(Protocol):
    """Who is told how people respond, such as `dispatching.metrics.RouterMetrics`. Seconds throughout."""

    def acknowledged(self, severity: str, team: str, seconds: float) -> None:
        """So long after somebody was first told."""

    def recovered(self, severity: str, team: str, seconds: float) -> None:
        """So long after the first alert began to fire."""

    def heartbeat(self, sender: str, at: float) -> None:
        """A sign of life, at that time in epoch seconds."""


class Unobserved:
    """Nobody wants to know."""

    def acknowledged(self, severity: str, team: str, seconds: float) -> None:
        """Nothing."""

    def recovered(self, severity: str, team: str, seconds: float) -> None:
        """Nothing."""

    def heartbeat(self, sender: str, at: float) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All that does not change while the router runs."""

    catalogue: Catalogue
    deciding: Deciding
    inhibitions: Inhibitions
    routing: Routing


def rules_of(catalogue: Catalogue) -> Rules:
    """The rules of a catalogue."""
    return Rules(catalogue, Deciding(catalogue), Inhibitions(inhibitions(catalogue)), catalogue.routing)
