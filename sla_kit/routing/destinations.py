"""Where a notification goes: a kind of service and an address there, as one text such as ``slack:#incidents``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

from sla_kit.catalogue.model import Contact

Kind = Literal["pagerduty", "slack", "email", "context", "alertmanager", "ledger"]
#: Those that reach people, the most insistent one first.
PEOPLE: tuple[Kind, ...] = ("pagerduty", "slack", "email")
KINDS: tuple[Kind, ...] = (*PEOPLE, "context", "alertmanager", "ledger")


class Destination(NamedTuple):
    """``address`` is a PagerDuty rotation, a Slack channel, a mailbox; empty for what there is only one of."""

    kind: Kind
    address: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.address}" if self.address else self.kind


def parse_destination(text: str) -> Destination:
    """The destination that was written so. Raises ``ValueError``."""
    kind, _, address = text.partition(":")
    if kind not in KINDS or (kind in PEOPLE) != bool(address):
        raise ValueError(f"{text!r} is no destination: such as slack:#incidents, pagerduty:primary, email:a@b.org")
    return Destination(kind, address)


def destinations_of(contacts: Iterable[Contact]) -> list[Destination]:
    """All addresses of contacts, each once, those of one contact from the most insistent to the mildest."""
    found: dict[Destination, None] = {}
    for contact in contacts:
        for kind in PEOPLE:
            if address := cast(str, getattr(contact, kind)):
                found[Destination(kind, address)] = None
    return list(found)
