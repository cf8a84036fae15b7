"""A file with alerts, in any form that people have at hand, as the events that the router would take of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sla_kit.errors import SlaKitError
from sla_kit.routing.events import Event
from sla_kit.routing.web.alertmanager import read_webhook
from sla_kit.routing.web.moments import moment
from sla_kit.routing.web.native import read_notifications
from sla_kit.routing.web.reading import RefusedError

_FORMS = (
    "a webhook of Alertmanager, an alert or a list of them as its /api/v2/alerts has them, or the router's own JSON"
)
#: What Alertmanager's API says of an alert that it still has.
_OVER = "resolved"


def read_events(text: bytes, name: str, now: float) -> list[Event]:
    """The events of a file called ``name``. Raises `SlaKitError` with line and column where it is no JSON, and with the
    path of the part that can't be taken."""
    document = _parsed(text, name)
    try:
        if _is_native(document):
            return [arrival.event for arrival in read_notifications(text, now)]
        if isinstance(document, dict) and "alerts" in document:
            return [read_webhook(text, now)]
        alerts = [document] if isinstance(document, dict) else document
        if isinstance(alerts, list) and alerts and all(isinstance(each, dict) and "labels" in each for each in alerts):
            return _of_api(alerts, now)
    except RefusedError as error:
        what = f"{error.path}: {error.error}" if error.path else error.error
        raise SlaKitError(what, place=name, remedy=error.hint) from None
    raise SlaKitError("holds no alert that can be read", place=name, remedy=f"give {_FORMS}")


def _parsed(text: bytes, name: str) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = error.msg[:1].lower() + error.msg[1:]
        place = f"{name}:{error.lineno}:{error.colno}"
        raise SlaKitError(f"is no JSON: {message}", place=place, remedy=f"give {_FORMS}") from None
    except UnicodeDecodeError as error:
        raise SlaKitError("is no UTF-8", place=f"{name}, byte {error.start}", remedy="write it as UTF-8") from None
    except RecursionError:
        raise SlaKitError("is nested too deeply", place=name, remedy=f"give {_FORMS}") from None
    except ValueError as error:
        raise SlaKitError(f"is no JSON: {error}", place=name, remedy="numbers are finite and short") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of it")


def _is_native(document: Any) -> bool:
    parts = document if isinstance(document, list) else [document]
    return bool(parts) and all(isinstance(each, dict) and "kind" in each for each in parts)


def _of_api(alerts: list[dict[str, Any]], now: float) -> list[Event]:
    """Alerts of Alertmanager's API, by the receiver that each of them names first."""
    receivers: dict[str, list[dict[str, Any]]] = {}
    for index, alert in enumerate(alerts):
        receivers.setdefault(_receiver(alert), []).append(_as_sent(alert, f"[{index}]", now))
    return [
        read_webhook(json.dumps({"version": "4", "receiver": name, "alerts": sent}).encode(), now)
        for name, sent in receivers.items()
    ]


def _receiver(alert: dict[str, Any]) -> str:
    named = alert.get("receivers")
    first = named[0] if isinstance(named, list) and named else {}
    name = first.get("name") if isinstance(first, dict) else ""
    return name if isinstance(name, str) else ""


def _as_sent(alert: dict[str, Any], path: str, now: float) -> dict[str, Any]:
    """An alert of the API as the webhook has it."""
    status = alert.get("status")
    ends_at = alert.get("endsAt") or ""
    if isinstance(status, str):
        firing = status != _OVER
    elif isinstance(status, dict):
        firing = True  # what it lists is there; endsAt is only until when, if nobody says more
    else:
        end = moment(ends_at, f"{path}.endsAt") if isinstance(ends_at, str) else None
        firing = end is None or end > now
    return {
        "status": "firing" if firing else _OVER,
        "labels": alert["labels"],
        "annotations": alert.get("annotations"),
        "startsAt": alert.get("startsAt") or datetime.fromtimestamp(now, UTC).isoformat(),
        "endsAt": "" if firing and isinstance(ends_at, str) else ends_at,
        "generatorURL": alert.get("generatorURL") or "",
        "fingerprint": alert.get("fingerprint") or "",
    }
