"""What all OpenSLO objects have: a kind, a name that Kubernetes would take, metadata and a spec."""

from __future__ import annotations

import re
from typing import Any

from sla_kit.catalogue.model import Alert
from sla_kit.catalogue.places import Place
from sla_kit.interchange.leftovers import Leftover

Document = dict[str, Any]
_LONGEST = 63


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
        self._names: dict[tuple[str, str], str] = {}

    def left(self, where: str, what: str, why: str) -> None:
        """Notes what has no place in OpenSLO."""
        self.leftovers.append(Leftover.at(Place(where, 0, 0), what, why))

    def name(self, kind: str, name: str) -> str:
        """The name of an object as every reader of OpenSLO takes it: small letters, digits and -, 63 at most (RFC
        1123). The same name is always the same object."""
        if (kind, name) not in self._names:
            mended = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST].strip("-") or "unnamed"
            free, number = mended, 2
            while free in {used for (of, _), used in self._names.items() if of == kind}:
                free, number = f"{mended[: _LONGEST - 4]}-{number}", number + 1
            if free != name:
                self.left(name, f"the name became {free}", "names there are small letters, digits and -, and used once")
            self._names[kind, name] = free
        return self._names[kind, name]

    def policies(self, alert: Alert) -> list[str]:
        """The names of the policies that an alert becomes: one for each condition, since a policy takes one."""
        if len(alert.conditions) < 2:
            return [self.name("AlertPolicy", alert.name)]
        return [self.name("AlertPolicy", f"{alert.name}-{number}") for number in range(1, len(alert.conditions) + 1)]
