"""Which mail is due: one when an incident opens, when it is raised or escalated to this mailbox, when somebody else
can't be reached, when it resolves.

What was sent is remembered as the state that it told, so that an attempt after a crash knows what there was before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from sla_kit.routing.incident import Incident, Told

Kind = Literal["opened", "raised", "escalated", "unreached", "resolved", "both", "again"]
#: The key under which the state is remembered that the mails so far have told.
STATE = "state"


@dataclass(frozen=True, slots=True)
class Step:
    """A mail that is due. ``name`` is the same for every attempt at it, and other for every other mail of the
    delivery."""

    kind: Kind
    name: str


def next_step(
    incident: Incident, told: Told | None, references: Mapping[str, str], names: Collection[str]
) -> Step | None:
    """The mail that brings the mailbox to what the incident is now; None where it needs to hear nothing.

    ``names`` are the contacts who read this mailbox.
    """
    known = _known(told, references)
    resolved = incident.status == "resolved"
    if known is None:
        return Step("both", "resolved") if resolved else Step("opened", f"opened-{incident.severity}")
    status, severity, escalations, fallbacks = known
    if resolved:
        return None if status == "resolved" else Step("resolved", "resolved")
    if status == "resolved":
        return Step("again", f"again-{int(incident.opened_at)}-{incident.firing_count}")
    if incident.severity != severity:
        return Step("raised", f"raised-{incident.severity}")
    for number, escalation in enumerate(incident.escalations[escalations:], start=escalations + 1):
        if any(name in names for name in escalation.to):
            return Step("escalated", f"escalated-{number}")
    if incident.fallbacks > fallbacks and incident.unreached(but="E-mail"):
        return Step("unreached", f"unreached-{incident.fallbacks}")
    return None


def state(incident: Incident) -> str:
    """What a mail about this state has told, to be remembered."""
    return f"{incident.status} {len(incident.escalations)}+{incident.fallbacks} {incident.severity}"


def _known(told: Told | None, references: Mapping[str, str]) -> tuple[str, str, int, int] | None:
    """Status, severity and numbers of escalations and fallbacks that the mailbox knows of. What is remembered is of the
    last mail, and newer than what was told where a process ended in between."""
    if remembered := references.get(STATE, ""):
        status, counts, severity = remembered.split(" ", 2)
        escalations, _, fallbacks = counts.partition("+")
        return status, severity, int(escalations), int(fallbacks or 0)
    if told is None:
        return None
    return told.status, told.severity, told.escalations, told.fallbacks
