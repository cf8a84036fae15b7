"""What may be pushed, and where it is listened for."""

from __future__ import annotations

from collections.abc import Iterable

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.values import Value
from sla_kit.exporters.business.declared import Declared


class Pushed(Value, frozen=True, kw_only=True):
    """What the application may bring."""

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with it; ``path`` is where it stands."""

    def declared(self, path: Part) -> Iterable[Declared]:
        """The metrics that may come, to be told apart from those of queries."""
        return ()
