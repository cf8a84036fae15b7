"""How each of our dashboards stands in a Grafana: as generated, missing, behind, changed there by hand.

No file remembers what was pushed. Grafana's version history does: the message of each of our saves holds the digest of
what was saved. Where the last save is ours, nobody has changed the dashboard since, even if Grafana writes it down in
other words (a newer schema, defaults filled in).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sla_kit.generate.dashboards import Document, folder_uid
from sla_kit.grafana.api import Grafana, Hit, Kept
from sla_kit.grafana.document import Json, difference, digest, normal

TAG = "sla-kit"
#: What a dashboard is found to be. ``edited`` and ``moved`` are somebody's doing since our last push; what is
#: ``unclear`` differs, and who saved it last can't be told; ``provisioned`` ones Grafana reads from files.
State = Literal["same", "missing", "behind", "edited", "moved", "unclear", "provisioned"]
#: The states that a push does not change unless it is forced to.
BY_HAND: tuple[State, ...] = ("edited", "moved", "unclear")


@dataclass(frozen=True, slots=True)
class Ours:
    """A dashboard as the catalogue has it."""

    name: str
    uid: str
    title: str
    folder: str
    document: Json

    @classmethod
    def of(cls, made: Document) -> Ours:
        """A dashboard that was made for a file."""
        return cls(made.name, made.uid, made.title, made.folder, json.loads(made.text))


@dataclass(frozen=True, slots=True)
class Standing:
    """One of ours, what Grafana has of it, and how that differs; ``diff`` leads from there to what would be pushed."""

    ours: Ours
    kept: Kept | None
    state: State
    diff: str = ""


def standing(grafana: Grafana, ours: Ours) -> Standing:
    """How one dashboard stands."""
    kept = grafana.dashboard(ours.uid)
    if kept is None:
        return Standing(ours, None, "missing")
    moved = not kept.provisioned and kept.folder_uid != folder_uid(ours.folder)
    where: State = "moved" if moved else "same"
    if normal(kept.document) == normal(ours.document):
        return Standing(ours, kept, where)
    diff = difference(kept.document, ours.document, (f"{ours.name} in Grafana", f"{ours.name} of the catalogue"))
    if kept.provisioned:
        return Standing(ours, kept, "provisioned", diff)
    last = grafana.last_save(kept)
    if last == digest(ours.document):
        return Standing(ours, kept, where)
    if not last:
        return Standing(ours, kept, "unclear" if last is None else "edited", diff)
    return Standing(ours, kept, "moved" if moved else "behind", diff)


def extra(grafana: Grafana, ours: Sequence[Ours]) -> list[Hit]:
    """Dashboards with our tag that the catalogue has not: no more generated, or copies that somebody made."""
    known = {each.uid for each in ours}
    return sorted((hit for hit in grafana.tagged(TAG) if hit.uid not in known), key=lambda hit: (hit.title, hit.uid))
