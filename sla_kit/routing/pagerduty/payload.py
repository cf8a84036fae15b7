"""Incidents, notices and changes as PagerDuty's Events API v2 takes them: pure, and never larger than it allows.

https://developer.pagerduty.com/docs/events-api-v2-overview. The routing key is put in where an event is sent.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from sla_kit.routing.events import Alert, Change, Labels, Link, Notice
from sla_kit.routing.incident import Incident, Member

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
Event = dict[str, Json]

#: "Events API payloads are limited to 512 KB"; the smaller of the two things that this may mean.
LIMIT_BYTES = 512_000
SUMMARY_CHARACTERS = 1024
DEDUP_KEY_CHARACTERS = 255
CLIENT = "sla-kit"
#: What is kept free for the routing key, for names and for saying what was left out.
_RESERVED_BYTES = 2_000
_TEXT = 1_000
_SHORT = 200
_ADDRESS = 4_000
_LABELS = 40
_IMAGES = 10
_SERVICES = 10
_SEVERITIES = {"critical": "critical", "warning": "warning", "info": "info"}


def severity(ours: str) -> str:
    """PagerDuty's word for a severity: critical, warning and info are the same, every other one is ``error``."""
    return _SEVERITIES.get(ours.strip().lower(), "error")


def trigger(incident: Incident) -> Event:
    """The event that opens an incident, or brings an open one up to date.

    What would make it larger than allowed is left out: of alerts that are over first, then of a storm's members, of
    alerts that fire (the latest ones), of labels, notes, images and links; ``custom_details`` says how many.
    """
    labels = {**incident.labels, **incident.group_labels}
    payload: Event = {
        "summary": _summary(incident.title, incident.dedup_key),
        "source": _first(labels, "instance", "service", "cluster", "environment") or CLIENT,
        "severity": severity(incident.severity),
    }
    _put(payload, "timestamp", _time(incident.opened_at))
    _put(payload, "component", _first(labels, "component", "slo", "container", "job"))
    _put(payload, "group", _first(labels, "service", "namespace", "cluster"))
    _put(payload, "class", _first(labels, "alertname"))
    event: Event = {
        "event_action": "trigger",
        "dedup_key": dedup_key(incident.dedup_key),
        "payload": payload,
        "client": CLIENT,
    }
    if _is_address(incident.external_url):
        event["client_url"] = incident.external_url
    filling = _Filling(event, payload)
    filling.facts(_facts(incident))
    filling.links(incident.links)
    filling.images(incident)
    filling.texts("escalations", [f"{_time(one.at)}: {', '.join(one.to)} ({one.why})" for one in incident.escalations])
    filling.texts("notes", incident.notes)
    filling.table("labels", incident.labels)
    filling.items("alerts", [_alert(one, incident.labels) for one in incident.firing])
    filling.items("members", [_member(one) for one in incident.members])
    over = sorted((one for one in incident.alerts.values() if not one.firing), key=lambda one: one.starts_at)
    filling.items("resolved alerts", [_alert(one, incident.labels) for one in over])
    return filling.done()


def acknowledge(incident: Incident) -> Event:
    """The event that says that somebody took it."""
    return {"event_action": "acknowledge", "dedup_key": dedup_key(incident.dedup_key)}


def resolve(incident: Incident) -> Event:
    """The event that says that it is over."""
    return {"event_action": "resolve", "dedup_key": dedup_key(incident.dedup_key)}


def notice(notice: Notice, key: str) -> Event:
    """A notice that pages. Nothing resolves it but a person; ``key`` keeps the same notice from paging twice."""
    payload: Event = {
        "summary": _summary(notice.title, key),
        "source": _first(notice.labels, "instance", "service", "cluster", "environment") or CLIENT,
        "severity": severity(notice.severity),
        "class": notice.kind,
    }
    event: Event = {"event_action": "trigger", "dedup_key": dedup_key(key), "payload": payload, "client": CLIENT}
    return _told_once(event, payload, notice.text, notice.fields, notice.labels, notice.links)


def quiet_notice(notice: Notice, at: float) -> Event:
    """A notice that pages nobody, as a change event: shown beside the service's incidents. ``at`` in epoch seconds."""
    payload: Event = {"summary": _summary(notice.title, notice.kind), "source": CLIENT}
    _put(payload, "timestamp", _time(at))
    return _told_once({"payload": payload}, payload, notice.text, notice.fields, notice.labels, notice.links)


def change(change: Change) -> Event:
    """A change event, such as a deployment."""
    payload: Event = {"summary": _summary(change.summary, "a change")}
    _put(payload, "timestamp", _time(change.at))
    _put(payload, "source", _clipped(change.source, _TEXT))
    return _told_once({"payload": payload}, payload, "", change.details, change.labels, change.links)


def dedup_key(key: str) -> str:
    """The key as it is, or, where it is longer than PagerDuty takes, a digest of it."""
    if 0 < len(key) <= DEDUP_KEY_CHARACTERS:
        return key
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def size(value: Json) -> int:
    """The bytes of a value as JSON in its longest usual form: with spaces, and with everything beyond ASCII escaped.
    Whichever way a library writes it, it is no longer than that."""
    return len(json.dumps(value))


# --- filling up to the limit ----------------------------------------------------------------------------------------


class _Filling:
    """Puts into an event what fits, the most important things first, and counts what does not."""

    def __init__(self, event: Event, payload: Event) -> None:
        self._event, self._payload = event, payload
        self._details: Event = {}
        self._left_out: Event = {}
        self._room = LIMIT_BYTES - _RESERVED_BYTES - size(event)

    def facts(self, facts: Mapping[str, str | int]) -> None:
        """Short facts by their names."""
        for name, value in facts.items():
            if value != "":
                self._add(self._details, name, _clipped(value, _TEXT) if isinstance(value, str) else value, "facts")

    def links(self, links: Iterable[Link]) -> None:
        """Links, each address once."""
        found: dict[str, Json] = {}
        for link in links:
            if not _is_address(link.url):
                continue
            found.setdefault(
                link.url, {"href": link.url, **({"text": _clipped(link.text, _SHORT)} if link.text else {})}
            )
        self._list(self._event, "links", found.values(), "links")

    def images(self, incident: Incident) -> None:
        """Pictures that alerts name in ``image_url``: PagerDuty fetches them itself, by HTTPS only."""
        found: dict[str, Json] = {}
        for alert in [*incident.firing, *(one for one in incident.alerts.values() if not one.firing)]:
            address = alert.annotations.get("image_url", "")
            if address.startswith("https://") and _is_address(address) and len(found) < _IMAGES:
                found.setdefault(address, {"src": address, "alt": _clipped(alert.name or incident.title, _SHORT)})
        self._list(self._event, "images", found.values(), "images")

    def texts(self, name: str, texts: Iterable[str]) -> None:
        """Lines of text."""
        self._list(self._details, name, [_clipped(text, _TEXT) for text in texts], name)

    def table(self, name: str, pairs: Mapping[str, str]) -> None:
        """Names and values in the order of their names."""
        held: Event = {}
        for key in sorted(pairs):
            self._add(held, _clipped(key, _SHORT), _clipped(pairs[key], _TEXT), name)
        if held:
            self._details[name] = held

    def items(self, name: str, items: Iterable[Event]) -> None:
        """Things that are listed, the first ones first."""
        self._list(self._details, name, items, name)

    def done(self) -> Event:
        """The event, with what was left out."""
        if self._left_out:
            self._details["left out"] = self._left_out
        if self._details:
            self._payload["custom_details"] = self._details
        return self._event

    def _add(self, into: Event, name: str, value: Json, what: str) -> None:
        cost = size(name) + size(value) + 4
        if cost > self._room:
            self._miss(what)
            return
        self._room -= cost
        into[name] = value

    def _list(self, into: Event, name: str, items: Iterable[Json], what: str) -> None:
        held: list[Json] = []
        for item in items:
            cost = size(item) + 2 + (0 if held else size(name) + 6)
            if cost > self._room:
                self._miss(what)
                continue
            self._room -= cost
            held.append(item)
        if held:
            into[name] = held

    def _miss(self, what: str) -> None:
        before = self._left_out.get(what, 0)
        self._left_out[what] = (before if isinstance(before, int) else 0) + 1


def _told_once(
    event: Event, payload: Event, text: str, fields: Mapping[str, str], labels: Labels, links: Iterable[Link]
) -> Event:
    filling = _Filling(event, payload)
    filling.facts({_clipped(name, _SHORT): value for name, value in fields.items()})
    filling.links(links)
    filling.texts("text", [part for part in text.split("\n\n") if part.strip()])
    filling.table("labels", labels)
    return filling.done()


# --- parts ----------------------------------------------------------------------------------------------------------


def _facts(incident: Incident) -> dict[str, str | int]:
    facts: dict[str, str | int] = {"promise": incident.promise, "budget left": _budget(incident)}
    facts["severity"] = incident.severity
    facts["since"] = _time(incident.opened_at)
    facts["alerts firing"] = incident.firing_count
    facts["alerts resolved"] = incident.alert_count - incident.firing_count
    if incident.truncated:
        facts["alerts that Alertmanager left out"] = incident.truncated
    if incident.kind == "storm":
        facts["likely root"] = incident.root
        facts["incidents"] = incident.members_total
        facts["incidents firing"] = incident.members_firing
        most = sorted(incident.by_service.items(), key=lambda each: -each[1])[:_SERVICES]
        facts["by service"] = ", ".join(f"{name or 'none named'} {count}" for name, count in most)
    if incident.silence is not None:
        facts["silenced"] = f"until {_time(incident.silence.until)} by {incident.silence.by}"
    facts["muted by"] = incident.muted_by
    return facts


def _budget(incident: Incident) -> str:
    left = None if incident.context is None else incident.context.budget_left
    return f"{left * 100:.1f} %" if left is not None and math.isfinite(left) and abs(left) < 1e9 else ""


def _alert(alert: Alert, common: Labels) -> Event:
    found: Event = {}
    _put(found, "alert", _clipped(alert.name, _SHORT))
    about = alert.annotations
    told = [text for name in ("summary", "message", "description") if (text := about.get(name, "").strip())]
    _put(found, "summary", _clipped(next(iter(told), ""), _TEXT))
    if told and told[-1] != told[0]:
        _put(found, "description", _clipped(told[-1], _TEXT))
    _put(found, "since", _time(alert.starts_at))
    if not alert.firing and alert.ends_at is not None:
        _put(found, "until", _time(alert.ends_at))
    own = [name for name in sorted(alert.labels) if common.get(name) != alert.labels[name] and name != "alertname"]
    if own:
        found["labels"] = {_clipped(name, _SHORT): _clipped(alert.labels[name], _SHORT) for name in own[:_LABELS]}
    if _is_address(alert.generator_url):
        found["source"] = alert.generator_url
    return found


def _member(member: Member) -> Event:
    found: Event = {"incident": _clipped(member.title, _SHORT), "severity": _clipped(member.severity, _SHORT)}
    _put(found, "service", _clipped(member.service, _SHORT))
    _put(found, "since", _time(member.opened_at))
    found["firing"] = member.firing
    return found


def _put(into: Event, name: str, value: str) -> None:
    if value:
        into[name] = value


def _summary(text: str, otherwise: str) -> str:
    found = " ".join(_sound(text).split())
    return _clipped(found or " ".join(_sound(otherwise).split()) or CLIENT, SUMMARY_CHARACTERS)


def _first(labels: Labels, *names: str) -> str:
    for name in names:
        if found := labels.get(name, "").strip():
            return _clipped(found, _TEXT)
    return ""


def _clipped(text: str, characters: int) -> str:
    text = _sound(text)
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _sound(text: str) -> str:
    """Without halves of surrogate pairs, which no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def _time(seconds: float) -> str:
    """RFC 3339, or nothing for what is no time in the years 1970 to 9999."""
    if not 0 <= seconds < 253402300799:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_address(text: str) -> bool:
    """Whether it is an address of the web that PagerDuty can show, and that holds no password."""
    if not text or len(text) > _ADDRESS or any(one.isspace() or not one.isprintable() for one in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.password is None
