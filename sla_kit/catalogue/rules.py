"""What a catalogue must hold beyond its types: names that exist, objectives that can be met."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.places import Places
from sla_kit.errors import Mistake


def check_catalogue(catalogue: Catalogue, places: Places | None = None) -> list[Mistake]:
    """Every mistake of meaning, in order; those of a catalogue built in Python stand in "<python>", line 0."""
    return []
