"""What people press in Slack: the request that Slack makes of it, its signature, and the event that it is.

https://docs.slack.dev/authentication/verifying-requests-from-slack and
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct, field

from sla_kit.errors import SlaKitError
from sla_kit.routing.events import Acknowledgement, Escalating, Silencing
from sla_kit.routing.slack.incidents import ACKNOWLEDGE, ESCALATE, SILENCE, SILENCE_SECONDS
from sla_kit.routing.slack.texts import clean

#: A request that is older may be one that somebody recorded.
TOLERANCE_SECONDS = 300.0
_LONGEST_KEY = 255
_VIA = "slack"


class SignatureError(SlaKitError):
    """A request is not Slack's, or not of now: to be answered with 401."""


class _Action(Struct, frozen=True):
    action_id: str = ""
    value: str = ""


class _User(Struct, frozen=True):
    id: str = ""
    username: str = ""
    name: str = ""


class _Payload(Struct, frozen=True):
    type: str = ""
    user: _User = field(default_factory=_User)
    actions: list[_Action] = field(default_factory=list)


def read_action(
    headers: Mapping[str, str], body: bytes, secret: str, now: float
) -> Acknowledgement | Silencing | Escalating | None:
    """What somebody asked for by a button of ours; None for what is none of it. ``now`` are epoch seconds. Raises
    `SignatureError`."""
    check_signature(headers, body, secret, now)
    try:
        form = parse_qs(body.decode(), max_num_fields=100)
        payload = msgspec.json.decode(form.get("payload", [""])[-1], type=_Payload)
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None
    if payload.type != "block_actions" or not payload.actions:
        return None
    action, by = payload.actions[0], _name(payload.user)
    if not 0 < len(action.value) <= _LONGEST_KEY or "\0" in action.value:
        return None
    if action.action_id == ACKNOWLEDGE:
        return Acknowledgement(incident=action.value, by=by, at=now, via=_VIA)
    if action.action_id == SILENCE:
        return Silencing(incident=action.value, by=by, at=now, seconds=SILENCE_SECONDS, via=_VIA)
    if action.action_id == ESCALATE:
        return Escalating(incident=action.value, by=by, at=now, via=_VIA)
    return None


def action_key(body: bytes) -> str:
    """The same for the same request that comes again: the idempotency with which its event is accepted."""
    return f"slack:{hashlib.sha256(body).hexdigest()}"


def check_signature(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    """Raises `SignatureError` unless Slack signed this body within the last five minutes."""
    given = {name.lower(): value for name, value in headers.items()}
    moment, signature = given.get("x-slack-request-timestamp", ""), given.get("x-slack-signature", "")
    if not secret:
        raise SignatureError("no signing secret is known", remedy="say slack.signing_secret")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 12 and signature):
        raise SignatureError("the request has no signature of Slack's")
    expected = hmac.new(secret.encode(), b"v0:" + moment.encode() + b":" + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"v0={expected}".encode(), signature.encode(errors="replace")):
        raise SignatureError("the signature is not Slack's", remedy="check slack.signing_secret")
    if abs(now - int(moment)) > TOLERANCE_SECONDS:
        raise SignatureError("the signature is too old", remedy="check the clock of this machine")


def _name(user: _User) -> str:
    name = clean(user.username or user.name, one_line=True)[:80]
    return f"{name} ({user.id[:30]})" if name and user.id else name or user.id[:30] or "somebody in Slack"
