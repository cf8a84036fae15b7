"""Alertmanager's webhook, version 4, as a value: strict where meaning depends on it, open to keys that are new.

Of a key that stands twice the last one counts, as in Go. A text may hold any character in Prometheus; NUL, which no
database keeps, becomes U+FFFD rather than costing the alert. Limits: `MAX_ALERTS` alerts, and those of `reading`;
annotations that are longer are cut, and addresses that are none are left out.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from sla_kit.routing.events import Alert, Alerts, Labels
from sla_kit.routing.web.moments import moment
from sla_kit.routing.web.reading import MAX_LABELS, MAX_NAME, RefusedError, check_labels, is_url, read_json, shortened

MAX_ALERTS = 50_000
_MAX_TRUNCATED = 10**9
_MAX_FINGERPRINT = 100


class _Alert(Struct, rename={"starts_at": "startsAt", "ends_at": "endsAt", "generator_url": "generatorURL"}):
    status: Literal["firing", "resolved"]
    labels: Labels
    starts_at: str
    annotations: Labels | None = None
    ends_at: str = ""
    generator_url: str = ""
    fingerprint: str = ""


class _Webhook(Struct, rename={"external_url": "externalURL", "truncated": "truncatedAlerts"}):
    version: str
    alerts: list[_Alert] | None
    receiver: str = ""
    external_url: str = ""
    truncated: int | None = field(default=None)


def read_webhook(body: bytes, now: float) -> Alerts:
    """The alerts of a webhook that came at ``now``, which stands for the beginning of an alert that tells none. Raises
    `RefusedError`."""
    found = read_json(body, _Webhook)
    if found.version != "4":
        hint = "Alertmanager 0.15 and later send version 4"
        raise RefusedError(f"version {shortened(found.version, 20)!r} is not known here", "version", hint)
    alerts = found.alerts or []
    if len(alerts) > MAX_ALERTS:
        hint = f"at most {MAX_ALERTS}; max_alerts of Alertmanager's webhook_config limits them"
        raise RefusedError(f"{len(alerts)} alerts are too many", "alerts", hint)
    truncated = found.truncated or 0
    if not 0 <= truncated <= _MAX_TRUNCATED:
        raise RefusedError("is no number of alerts", "truncatedAlerts", f"0 to {_MAX_TRUNCATED}")
    if len(found.receiver) > MAX_NAME:
        raise RefusedError("is too long", "receiver", f"at most {MAX_NAME} characters")
    return Alerts(
        alerts=[_alert(alert, f"alerts[{index}]", now) for index, alert in enumerate(alerts)],
        receiver=_storable(found.receiver),
        external_url=found.external_url if is_url(found.external_url) else "",
        truncated=truncated,
        sender="alertmanager",
    )


def fingerprint(labels: Labels) -> str:
    """What Prometheus and Alertmanager call labels by: FNV-1a with 64 bits over the sorted names and values, each
    followed by a byte 255 (prometheus/common, model/signature.go)."""
    found = 14695981039346656037
    for name, value in sorted((name.encode(), value.encode()) for name, value in labels.items()):
        for byte in name + b"\xff" + value + b"\xff":
            found = ((found ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"


def _alert(alert: _Alert, path: str, now: float) -> Alert:
    check_labels(alert.labels, f"{path}.labels")
    if len(alert.fingerprint) > _MAX_FINGERPRINT:
        raise RefusedError("is too long", f"{path}.fingerprint", f"at most {_MAX_FINGERPRINT} characters")
    annotations = alert.annotations or {}
    if len(annotations) > MAX_LABELS:
        raise RefusedError(f"{len(annotations)} are too many", f"{path}.annotations", f"at most {MAX_LABELS}")
    starts_at = moment(alert.starts_at, f"{path}.startsAt")
    return Alert(
        labels=_all_storable(alert.labels),
        fingerprint=_storable(alert.fingerprint) or fingerprint(alert.labels),
        firing=alert.status == "firing",
        starts_at=now if starts_at is None else starts_at,
        ends_at=moment(alert.ends_at, f"{path}.endsAt"),
        annotations={shortened(name, MAX_NAME): shortened(text) for name, text in _all_storable(annotations).items()},
        generator_url=alert.generator_url if is_url(alert.generator_url) else "",
        dated=starts_at is not None,
    )


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _all_storable(texts: Labels) -> Labels:
    if not any("\0" in name or "\0" in text for name, text in texts.items()):
        return texts
    return {_storable(name): _storable(text) for name, text in texts.items()}
