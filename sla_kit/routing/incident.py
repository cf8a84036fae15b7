"""An incident: one firing of a group of alerts, from the first that fires to the last that is resolved.

Everything that messages say is in here, so that a message can be written anew from the newest state at any time. Times
are epoch seconds in UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct, field

from sla_kit.routing.events import Alert, Labels, Link

Status = Literal["firing", "resolved"]
#: What a note says, after the name of the service, as long as somebody can't be reached there.
UNREACHED = "can't be reached since"


class Escalation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That further contacts were told, and why."""

    at: float
    to: list[str]
    why: str


class Silence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Quiet that somebody asked for. ``id`` is Alertmanager's, empty until it has answered."""

    until: float
    by: str
    id: str = ""


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was looked up for the message. ``budget_left`` is a ratio of the error budget (negative once overspent);
    ``graph`` the digest of a PNG among the outbox's attachments."""

    budget_left: float | None = None
    graph: str = ""
    at: float = 0.0


class Member(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An incident that is told as a part of a storm. ``labels`` are those that all its alerts have."""

    dedup_key: str
    title: str
    severity: str
    service: str
    opened_at: float
    firing: bool = True
    labels: Labels = field(default_factory=dict)


class Incident(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of an incident.

    ``group`` is the canonical text of the labels that it is grouped by (`grouping.group_key`), ``dedup_key`` what
    PagerDuty knows it by, the same for every incident of the group. ``labels`` are those that all its alerts have.
    ``severity`` is the highest that it has had. ``alerts`` are all it has had, by fingerprint. ``opened_at`` is when
    the first alert began to fire, ``received_at`` when that was heard here. ``promise`` says in words which promise is
    at stake.

    Of a very large group ``alerts`` holds a part only: ``beyond`` names the others that fire, by fingerprint with when
    they began, and ``beyond_resolved`` counts those that are over; `firing_count` and `alert_count` count all.
    ``contacts`` names whom it is for so far, ``storms`` are the dedup keys of the storms that it is told in. A storm
    has ``members`` (a part of them, of ``members_total`` and ``members_firing``), ``by_service``, how many each service
    has had of all of them, and ``root``, the title of the likely root. Where ``closed_by`` is set somebody declared it
    resolved though it may go on firing: whoever pages resolves it then, and does not page again. ``fallbacks`` counts
    how often others had to be told that somebody can't be reached; ``notes`` say it.
    """

    group: str
    dedup_key: str
    title: str
    severity: str
    status: Status
    opened_at: float
    received_at: float
    kind: Literal["alerts", "storm", "dead-man"] = "alerts"
    group_labels: Labels = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    truncated: int = 0
    receiver: str = ""
    external_url: str = ""
    promise: str = ""
    links: list[Link] = field(default_factory=list)
    resolved_at: float | None = None
    acknowledged_at: float | None = None
    acknowledged_by: str = ""
    acknowledged_via: str = ""
    closed_by: str = ""
    escalations: list[Escalation] = field(default_factory=list)
    silence: Silence | None = None
    muted_by: str = ""
    notes: list[str] = field(default_factory=list)
    context: Context | None = None
    members: list[Member] = field(default_factory=list)
    members_total: int = 0
    members_firing: int = 0
    by_service: dict[str, int] = field(default_factory=dict)
    root: str = ""
    beyond: dict[str, float] = field(default_factory=dict)
    beyond_resolved: int = 0
    storms: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    fallbacks: int = 0

    @property
    def service(self) -> str:
        """Its label ``service``."""
        return self.labels.get("service", "")

    @property
    def firing(self) -> list[Alert]:
        """Its alerts that fire, the earliest first."""
        return sorted((alert for alert in self.alerts.values() if alert.firing), key=lambda alert: alert.starts_at)

    @property
    def firing_count(self) -> int:
        """How many of its alerts fire, those beyond what is kept included."""
        return sum(alert.firing for alert in self.alerts.values()) + len(self.beyond)

    @property
    def alert_count(self) -> int:
        """How many alerts it has had, those beyond what is kept included."""
        return len(self.alerts) + len(self.beyond) + self.beyond_resolved

    def unreached(self, but: str) -> list[str]:
        """The notes that say who can't be reached, other than by the service that is called ``but``."""
        return [note for note in self.notes if UNREACHED in note and not note.startswith(but)]

    @property
    def acknowledged(self) -> bool:
        """Whether somebody took it."""
        return self.acknowledged_at is not None


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a destination was told last: enough to know which steps are still to be taken there."""

    status: Status
    severity: str
    acknowledged: bool = False
    firing: int = 0
    escalations: int = 0
    fallbacks: int = 0
    at: float = 0.0


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Incident)


def encode(incident: Incident) -> bytes:
    """An incident as the outbox keeps it."""
    return _encoder.encode(incident)


def decode(body: bytes) -> Incident:
    """The incident that was encoded."""
    return _decoder.decode(body)


def told(incident: Incident, at: float) -> Told:
    """What somebody knows who was told of this state."""
    return Told(
        status=incident.status,
        severity=incident.severity,
        acknowledged=incident.acknowledged,
        firing=incident.firing_count,
        escalations=len(incident.escalations),
        fallbacks=incident.fallbacks,
        at=at,
    )
