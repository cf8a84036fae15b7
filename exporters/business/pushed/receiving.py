"""Pushes over HTTP: JSON, taken as a whole or not at all, answered once it is on disk.

POST /push
Content-Type: application/json
Idempotency-Key: 6c1f…       (optional: the same push sent again counts once, for a day)

{"metrics": [
  {"name": "sla_business_signups_total", "add": 1},
  {"name": "queue_length", "labels": {"queue": "mail"}, "set": 12},
  {"name": "checkout_seconds", "observe": [0.2, 1.7]},
  {"name": "sla_business_active_users", "users": ["u-17", "u-42"]}]}
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeAlias

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SecretError
from sla_kit.exporters.business.pushed.changes import Admission, Change, RefusedError
from sla_kit.exporters.business.pushed.committing import Committing
from sla_kit.exporters.business.pushed.configuration import Pushed
from sla_kit.exporters.business.pushed.store import Push

_LONGEST_KEY = 255
_MOST_TOLD = 20
_STATUS = {"series": 429, "overload": 503, "state": 503, "value": 422}
_Number: TypeAlias = int | float


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One metric of a push, with one of the four things that can be done to it."""

    name: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    add: _Number | msgspec.UnsetType = msgspec.UNSET
    set: _Number | msgspec.UnsetType = msgspec.UNSET
    observe: _Number | list[_Number] | msgspec.UnsetType = msgspec.UNSET
    users: str | int | list[str | int] | msgspec.UnsetType = msgspec.UNSET


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A push."""

    metrics: list[Entry]


_DECODER = msgspec.json.Decoder(Body)


def route(pushed: Pushed, committing: Committing) -> Route:
    """The route that takes pushes."""
    admission = Admission(pushed.metrics)

    async def receive(request: Request) -> Response:
        refusal = _not_from_us(request, pushed.token)
        if refusal is not None:
            return refusal
        key = request.headers.get("idempotency-key", "")
        if len(key) > _LONGEST_KEY:
            return _refused(400, "the Idempotency-Key is too long")
        try:
            content = await request.body()
            changes = _changes(content, admission)
            digest = hashlib.blake2b(content, digest_size=20).digest()
            outcome = await committing.commit(Push(changes, key, digest))
        except ClientDisconnect:
            return Response(status_code=400)
        except _MistakesError as error:
            for each in error.refusals:
                committing.dropped["http", each.reason] += 1
            return _refused(400, *map(str, error.refusals))
        except RefusedError as error:
            committing.dropped["http", error.reason] += 1
            return _refused(_STATUS.get(error.reason, 400), str(error))
        if outcome.refused is not None:
            committing.dropped["http", outcome.refused.reason] += len(changes)
            return _refused(_STATUS[outcome.refused.reason], str(outcome.refused))
        if outcome.repeated:
            return JSONResponse({"accepted": len(changes), "repeated": True})
        committing.accepted["http"] += len(changes)
        return JSONResponse({"accepted": len(changes)})

    return Route(pushed.path, receive, methods=["POST"])


class _MistakesError(Exception):
    def __init__(self, refusals: list[RefusedError]) -> None:
        super().__init__(f"{len(refusals)} mistakes")
        self.refusals = refusals


def _not_from_us(request: Request, token: Secret | None) -> Response | None:
    """Why whoever asks may not push: the token is another, or it may be a page in a browser, whose forms can't say that
    they send JSON."""
    if token is not None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            shown = request.headers.get("x-push-token", "")
        try:
            wanted = token.read()
        except SecretError:
            return _refused(503, "the exporter can't read its token")
        if not hmac.compare_digest(shown.encode(), wanted.encode()):
            return _refused(401, "the token is not the one that pushes need", {"WWW-Authenticate": "Bearer"})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _refused(415, "a push is JSON, and says so: Content-Type: application/json")
    return None


def _changes(content: bytes, admission: Admission) -> list[Change]:
    try:
        body = _DECODER.decode(content)
    except msgspec.ValidationError as error:  # names the place and the types, not the value
        raise _MistakesError([RefusedError("malformed", f"the push is not as it should be: {error}")]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _MistakesError([RefusedError("malformed", "the push is no JSON")]) from None
    changes: list[Change] = []
    refusals: list[RefusedError] = []
    for index, entry in enumerate(body.metrics):
        try:
            changes.append(_change(entry, admission))
        except RefusedError as error:
            refusals.append(RefusedError(error.reason, f"metrics[{index}]: {error}"))
    if refusals:
        raise _MistakesError(refusals)
    return changes


def _change(entry: Entry, admission: Admission) -> Change:
    said = [name for name in ("add", "set", "observe", "users") if getattr(entry, name) is not msgspec.UNSET]
    if len(said) != 1:
        raise RefusedError("malformed", f"{entry.name[:100]} must say one of add, set, observe and users")
    value = getattr(entry, said[0])
    values = value if isinstance(value, list) else [value]
    if said[0] == "users":
        return admission.change(entry.name, entry.labels, "seen", ids=tuple(str(each) for each in values))
    try:
        numbers = tuple(float(each) for each in values)
    except OverflowError:
        raise RefusedError("value", f"{entry.name[:100]} has a number that is too large") from None
    return admission.change(entry.name, entry.labels, said[0], numbers)


def _refused(status: int, *reasons: str | dict[str, str]) -> Response:
    """The answer to what was not taken, with the reasons."""
    headers = next((each for each in reasons if isinstance(each, dict)), {})
    told = [each for each in reasons if isinstance(each, str)]
    if status in (429, 503):
        headers = {**headers, "Retry-After": "5"}
    more = {"more": len(told) - _MOST_TOLD} if len(told) > _MOST_TOLD else {}
    return JSONResponse({"error": told[0], "mistakes": told[:_MOST_TOLD], **more}, status, headers)
