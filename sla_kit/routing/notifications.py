"""What the router can be told, by its own JSON and by `sla_kit.routing.notify`: one struct a kind.

Times may be left out: then it is the moment at which the router hears of it. Every kind may have an ``id``, which makes
the same thing told again count once.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

from sla_kit.routing.events import Labels

#: RFC 3339, or epoch seconds.
Moment: TypeAlias = str | int | float


class _Told(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    id: str = ""


class Labelled(_Told, frozen=True, kw_only=True):
    """``service``, ``severity``, ``slo``, ``team`` and ``environment`` are short for labels of these names."""

    service: str = ""
    severity: str = ""
    slo: str = ""
    team: str = ""
    environment: str = ""
    labels: Labels = field(default_factory=dict)


class AlertToTell(Labelled, frozen=True, kw_only=True, tag="alert"):
    """Something that is wrong until it is told to be ``resolved``, with the same ``key`` and the same labels, of which
    only the severity may be another. Told again without ``starts_at`` while it is wrong, it goes on since it began.

    ``key`` is its alertname where the labels have none.
    """

    key: str
    status: Literal["firing", "resolved"] = "firing"
    title: str = ""
    text: str = ""
    annotations: Labels = field(default_factory=dict)
    starts_at: Moment = ""
    ends_at: Moment = ""
    url: str = ""


class LinkToShow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An address, http or https, with its words."""

    url: str
    text: str = ""


class FileToSend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file with its ``content`` in base64 (RFC 4648, section 4)."""

    name: str
    content: str
    media_type: str = "application/octet-stream"


class _Notice(Labelled, frozen=True, kw_only=True):
    title: str
    text: str = ""
    to: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    links: list[LinkToShow] = field(default_factory=list)
    files: list[FileToSend] = field(default_factory=list)


class NoticeToTell(_Notice, frozen=True, kw_only=True, tag="notice"):
    """Something to tell once, to the contacts ``to``, or to whom the routes say."""


class ReportToTell(_Notice, frozen=True, kw_only=True, tag="report"):
    """A report with its files."""


class ChangeToTell(Labelled, frozen=True, kw_only=True, tag="change"):
    """A change that was made, such as a deployment."""

    summary: str
    at: Moment = ""
    source: str = ""
    details: dict[str, str] = field(default_factory=dict)
    links: list[LinkToShow] = field(default_factory=list)
    to: list[str] = field(default_factory=list)


class Deed(_Told, frozen=True, kw_only=True):
    """``incident`` is a dedup key as ``GET /v1/incidents`` tells it, ``by`` who does it."""

    incident: str
    by: str
    at: Moment = ""


class AcknowledgementToTell(Deed, frozen=True, kw_only=True, tag="acknowledge"):
    """Somebody takes an incident."""


class ClosingToTell(Deed, frozen=True, kw_only=True, tag="close"):
    """Somebody declares an incident resolved."""


class EscalatingToTell(Deed, frozen=True, kw_only=True, tag="escalate"):
    """Somebody asks that the next ones be told at once."""


class SilencingToTell(Deed, frozen=True, kw_only=True, tag="silence"):
    """Somebody asks for quiet, for ``seconds``."""

    seconds: float = 3600.0


Notification: TypeAlias = (
    AlertToTell
    | NoticeToTell
    | ReportToTell
    | ChangeToTell
    | AcknowledgementToTell
    | ClosingToTell
    | EscalatingToTell
    | SilencingToTell
)
KINDS: dict[str, type[Notification]] = {
    "alert": AlertToTell,
    "notice": NoticeToTell,
    "report": ReportToTell,
    "change": ChangeToTell,
    "acknowledge": AcknowledgementToTell,
    "close": ClosingToTell,
    "escalate": EscalatingToTell,
    "silence": SilencingToTell,
}
