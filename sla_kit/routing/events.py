"""What comes in, as values: alerts, notices, changes, and what people or hosted services do to an incident.

An event is committed to the outbox as it is here before it is acknowledged; planning makes deliveries of it later.
Times are epoch seconds in UTC.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct, field

Labels = dict[str, str]


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert as it was at one moment. ``fingerprint`` tells it from others with other labels; ``starts_at`` tells
    one firing of it from the next, unless it is not ``dated``: then nobody said when it began, and ``starts_at`` is
    when it was heard."""

    labels: Labels
    fingerprint: str
    firing: bool
    starts_at: float
    ends_at: float | None = None
    annotations: Labels = field(default_factory=dict)
    generator_url: str = ""
    dated: bool = True

    @property
    def name(self) -> str:
        """Its label ``alertname``."""
        return self.labels.get("alertname", "")


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An address with its words."""

    url: str
    text: str = ""


class File(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a notice, such as a report: its content is an attachment in the outbox with this ``digest`` (SHA-256 in
    hexadecimal)."""

    name: str
    digest: str
    size_bytes: int
    media_type: str = "application/octet-stream"


class Alerts(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="alerts"):
    """Alerts that came together. ``receiver`` is Alertmanager's name of who is meant (our own configuration joins
    contacts by ``+``); ``truncated`` is how many it left out; ``sender`` is ``alertmanager`` or ``api``."""

    alerts: list[Alert]
    receiver: str = ""
    external_url: str = ""
    truncated: int = 0
    sender: str = "alertmanager"


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="notice"):
    """Something to tell once: a report, a word of the router. ``to`` names contacts; where empty, the routes say.
    ``text`` is plain text with empty lines between paragraphs. ``fields`` are short facts in their order."""

    title: str
    text: str = ""
    severity: str = "info"
    labels: Labels = field(default_factory=dict)
    to: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    kind: Literal["notice", "report", "digest", "word"] = "notice"


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="change"):
    """A change that was made, such as a deployment: PagerDuty shows it beside incidents, Slack tells it."""

    summary: str
    at: float
    source: str = ""
    labels: Labels = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    to: list[str] = field(default_factory=list)


class Acknowledgement(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="acknowledgement"):
    """Somebody took an incident. ``incident`` is its dedup key; ``via`` is slack, pagerduty, api or command."""

    incident: str
    by: str
    at: float
    via: str


class Closing(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="closing"):
    """Somebody declared an incident resolved in a hosted service, though its alerts may go on firing."""

    incident: str
    by: str
    at: float
    via: str


class Silencing(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="silencing"):
    """Somebody asked for quiet: a silence of the incident's group in Alertmanager, for ``seconds``."""

    incident: str
    by: str
    at: float
    seconds: float
    via: str


class Escalating(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="escalating"):
    """Somebody asked that the next ones be told at once."""

    incident: str
    by: str
    at: float
    via: str


Event = Alerts | Notice | Change | Acknowledgement | Closing | Silencing | Escalating

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """An event as the outbox keeps it."""
    return _encoder.encode(event)


def decode(body: bytes) -> Event:
    """The event that was encoded. Raises ``msgspec.ValidationError`` for anything else."""
    found: Event = _decoder.decode(body)
    return found
