"""Brings PagerDuty from what it was told of an incident to what is so now: trigger, acknowledge, resolve, each once.

PagerDuty applies events by routing key and dedup key, so that the same one again changes nothing: a trigger while its
incident is open is appended to that, acknowledge and resolve without an open one are dropped. What can't be excluded
stands in docs/pagerduty.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping

import msgspec

from sla_kit.catalogue.routing import PagerDutySettings
from sla_kit.redacting import redacted
from sla_kit.retrying import retry_after
from sla_kit.routing.delivering import DeliveryError, Parcel, Remember
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.pagerduty import payload
from sla_kit.routing.pagerduty.clients import TIMEOUT_SECONDS, Answer, Clients, Library, NotAnsweredError, clients
from sla_kit.routing.pagerduty.keys import routing_key

_EVENTS = "/v2/enqueue"
_CHANGES = "/v2/change/enqueue"
#: What is remembered of a delivery: the digest of the trigger that was accepted last, and ``acknowledged`` where that
#: was, or ``resolved``.
_STEPS, _ACKNOWLEDGED, _RESOLVED = "steps", "acknowledged", "resolved"
#: Of the answers that are no success: the same again would be answered the same.
_PERMANENT = frozenset((400, 413, 414, 415, 422))
_LONGEST_RETRY_AFTER = 3600.0


def open_adapter(
    settings: PagerDutySettings,
    *,
    library: Library | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    environment: Mapping[str, str] = os.environ,
) -> PagerDutyAdapter:
    """The adapter of destinations ``pagerduty:ROTATION``. Raises `MissingExtraError` without either library, and
    `SlaKitError` for an address that is not HTTPS."""
    return PagerDutyAdapter(
        settings, clients(settings.url, library=library, timeout_seconds=timeout_seconds), environment
    )


class PagerDutyAdapter:
    """Sends to the Events API v2; see `sla_kit.routing.delivering.Adapter`."""

    def __init__(
        self, settings: PagerDutySettings, clients: Clients, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._settings, self._clients, self._environment = settings, clients, environment

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Sends what is missing. Raises `DeliveryError`."""
        match parcel.content:
            case Incident() as incident:
                self._tell(parcel, incident, remember)
            case Notice(severity="info") as notice:
                self._send(parcel, _CHANGES, payload.quiet_notice(notice, time.time()))
            case Notice() as notice:
                self._send(parcel, _EVENTS, payload.notice(notice, parcel.key))
            case Change() as change:
                self._send(parcel, _CHANGES, payload.change(change))
            case other:
                raise DeliveryError(
                    f"PagerDuty takes no {type(other).__name__}", permanent=True, place=str(parcel.destination)
                )

    def close(self) -> None:
        """Lets go of connections."""
        self._clients.close()

    def _tell(self, parcel: Parcel, incident: Incident, remember: Remember) -> None:
        told, steps = parcel.told, parcel.references.get(_STEPS, "").split()
        if incident.status == "resolved" or incident.closed_by:
            is_open = steps != [_RESOLVED] if steps else told is not None and told.status == "firing"
            if is_open or parcel.uncertain:
                self._send(parcel, _EVENTS, payload.resolve(incident))
                remember({_STEPS: _RESOLVED})
            return
        # Where it fires again, the steps are those of an incident that is over there; and after an attempt of which
        # nothing is known, PagerDuty may show a state that came after them.
        if steps == [_RESOLVED] or parcel.uncertain:
            steps = []
        event = payload.trigger(incident)
        digest = _digest(event)
        if digest not in steps:
            self._send(parcel, _EVENTS, event)
            steps = [digest, *(step for step in steps if step == _ACKNOWLEDGED)]
            remember({_STEPS: " ".join(steps)})  # only now: an event that was refused must be sent again
        # To a rotation where it was taken, too: another one may be told of it by another key, and again is no harm.
        if incident.acknowledged and _ACKNOWLEDGED not in steps:
            self._send(parcel, _EVENTS, payload.acknowledge(incident))
            remember({_STEPS: " ".join([*steps, _ACKNOWLEDGED])})

    def _send(self, parcel: Parcel, path: str, event: payload.Event) -> None:
        place = str(parcel.destination)
        key = routing_key(self._settings, parcel.destination.address, self._environment)
        try:
            answer = self._clients.send(path, event, key)
        except NotAnsweredError as error:
            what = "gave no answer" if error.sent else "can't be reached"
            raise DeliveryError(
                f"PagerDuty {what} ({error})", uncertain=error.sent, unreachable=True, place=place
            ) from None
        if answer.status == 202:
            return
        said = _said(answer.text)
        message = f"PagerDuty answered {answer.status}{f': {said}' if said else ''}"
        if answer.status in _PERMANENT:
            raise DeliveryError(
                message, permanent=True, place=place, remedy="check the integration key of the rotation"
            )
        if answer.status == 429:
            raise DeliveryError(message, retry_after_seconds=_wait_seconds(answer), place=place)
        # 2xx that is not 202, 3xx and 4xx of somebody in between, such as a proxy: PagerDuty itself did not answer.
        raise DeliveryError(
            message,
            uncertain=answer.status >= 500 or answer.status == 408,
            unreachable=True,
            retry_after_seconds=_wait_seconds(answer),
            place=place,
            remedy="" if answer.status >= 500 else "check routing.pagerduty.url, and what is between",
        )


def _digest(event: payload.Event) -> str:
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()[:32]


def _said(text: str) -> str:
    """PagerDuty's messages, or nothing where the answer is not its own."""
    try:
        answer = msgspec.json.decode(text.encode(), type=_Refusal)
    except msgspec.MsgspecError:
        return ""
    return redacted("; ".join([answer.message, *answer.errors])[:1000]).strip("; ")


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""
    errors: list[str] = []  # msgspec makes one for each


def _wait_seconds(answer: Answer) -> float | None:
    seconds = retry_after(answer.headers.get("retry-after", ""))
    return None if seconds is None else min(seconds, _LONGEST_RETRY_AFTER)
