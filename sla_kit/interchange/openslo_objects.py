"""What all OpenSLO objects have: a kind, a name, metadata and a spec."""

from __future__ import annotations

import re
from typing import Any

from sla_kit.catalogue.model import Alert
from sla_kit.configuration.places import Place
from sla_kit.interchange.leftovers import Leftover

Document = dict[str, Any]
_RFC_1123 = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def document(kind: str, name: str, thing: Any, spec: Document) -> Document:
    """A document of that kind; ``thing`` has its title, labels and annotations."""
    metadata: Document = {"name": name}
    for key, own in (("displayName", "title"), ("labels", "labels"), ("annotations", "annotations")):
        if getattr(thing, own):
            metadata[key] = getattr(thing, own)
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": metadata, "spec": spec}


def described(description: str, spec: Document) -> Document:
    """A spec that begins with its description, if there is one."""
    return {"description": description, **spec} if description else spec


class Objects:
    """The names of all objects of an export, and what it could not say."""

    def __init__(self) -> None:
        self.leftovers: list[Leftover] = []
        self._told: set[str] = set()

    def left(self, where: str, what: str, why: str) -> None:
        """Notes what has no place in OpenSLO."""
        self.leftovers.append(Leftover.at(Place(where, 0, 0), what, why))

    def name(self, kind: str, name: str) -> str:
        """The name of an object, which stays as it is. One that readers of OpenSLO may refuse is told: they must take
        those of RFC 1123, small letters, digits and -, 63 at most."""
        if name not in self._told and not _RFC_1123.fullmatch(name):
            self._told.add(name)
            why = "small letters, digits and - are what every reader of OpenSLO takes, 63 at most"
            self.left(name, f"the name of this {kind}", why)
        return name

    def policies(self, alert: Alert) -> list[str]:
        """The names of the policies that an alert becomes: one for each condition, since a policy takes one."""
        if len(alert.conditions) < 2:
            return [self.name("AlertPolicy", alert.name)]
        return [self.name("AlertPolicy", f"{alert.name}-{number}") for number in range(1, len(alert.conditions) + 1)]
