"""PagerDuty's Webhooks V3: what people did to an incident there, believed only where a signature proves it.

https://developer.pagerduty.com/docs/webhooks-overview, /docs/verifying-signatures and /docs/webhooks-behavior.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from sla_kit.errors import SlaKitError
from sla_kit.routing.events import Acknowledgement, Closing, Event

SIGNATURE_HEADER = "x-pagerduty-signature"
_VERSION = "v1="
#: So many signatures of one request are looked at: one for each secret, and there are two while one is being replaced.
_SIGNATURES = 20
_KEY_CHARACTERS = 255

log = logging.getLogger(__name__)


class WebhookError(SlaKitError):
    """A webhook is not taken in. ``status`` is what to answer; PagerDuty then does not send it again."""

    status = 400

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message, place="PagerDuty's webhook", remedy=remedy)


class SignatureError(WebhookError):
    """Nothing proves that it is PagerDuty's."""

    status = 401


def read_webhook(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> list[tuple[str, Event]]:
    """The event that a request brings, with what tells it from others when it is sent again; none for what is of no
    use here: another kind of event, one that our own events caused, an incident that is not ours.

    ``body`` must be as it was received, to the byte. Raises `SignatureError`, and `WebhookError` for what is
    PagerDuty's and can't be understood.
    """
    _check_signature(headers, body, secrets)
    try:
        outer = _outer_decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise WebhookError(f"it can't be understood: {error}") from None
    if outer.event.event_type not in ("incident.acknowledged", "incident.resolved"):
        return []
    try:
        event = _decoder.decode(body).event
        at = datetime.fromisoformat(event.occurred_at)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WebhookError(f"it can't be understood: {error}") from None
    if at.tzinfo is None:
        raise WebhookError("it can't be understood: occurred_at has no time zone")
    if event.agent is not None and event.agent.type.endswith("integration_reference"):
        return []  # what was sent through the Events API comes back so
    if event.event_type == "incident.resolved" and event.data.resolve_reason is not None:
        return []  # merged into another incident: its alerts are still there
    key = event.data.incident_key
    if not key or len(key) > _KEY_CHARACTERS or "\0" in key:
        log.warning(
            "PagerDuty's incident %s names no key, as where alerts are grouped: who took or resolved it stays unknown",
            event.data.id[:40],
        )
        return []
    by = ((event.agent.summary if event.agent is not None else "") or "PagerDuty").replace("\0", "\ufffd")
    kind = Acknowledgement if event.event_type == "incident.acknowledged" else Closing
    return [(_idempotency(event.id), kind(incident=key, by=by[:200], at=at.timestamp(), via="pagerduty"))]


def _check_signature(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    usable = [secret for secret in secrets if secret]
    if not usable:
        remedy = "say routing.pagerduty.webhook_secrets, or set PAGERDUTY_WEBHOOK_SECRET"
        raise SignatureError("no secret is set by which it could be known", remedy=remedy)
    given = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), "")
    marks = [one.strip() for one in given.split(",", _SIGNATURES)[:_SIGNATURES]]
    found = [one[len(_VERSION) :].encode("utf-8", "replace") for one in marks if one.startswith(_VERSION)]
    if not found:
        raise SignatureError("it has no signature (X-PagerDuty-Signature: v1=…)")
    proven = False
    for secret in usable:
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
        for mark in found:  # all of them, so that the time says nothing
            proven |= hmac.compare_digest(expected, mark)
    if not proven:
        remedy = "compare the secret with that of the webhook subscription"
        raise SignatureError("its signature is by none of the secrets", remedy=remedy)


def _idempotency(identifier: str) -> str:
    if len(identifier) > 100 or not identifier.isprintable():
        identifier = hashlib.sha256(identifier.encode()).hexdigest()
    return f"pagerduty:{identifier}"


class _Type(Struct, frozen=True):
    event_type: str


class _Outer(Struct, frozen=True):
    event: _Type


class _Reference(Struct, frozen=True):
    type: str = ""
    summary: str | None = None


class _Reason(Struct, frozen=True):
    type: str = ""


class _Incident(Struct, frozen=True):
    id: str
    incident_key: str | None = None
    resolve_reason: _Reason | str | None = None


class _Outbound(Struct, frozen=True):
    id: str
    event_type: str
    occurred_at: str
    data: _Incident
    agent: _Reference | None = None


class _Webhook(Struct, frozen=True):
    event: _Outbound


_outer_decoder = msgspec.json.Decoder(_Outer)
_decoder = msgspec.json.Decoder(_Webhook)
