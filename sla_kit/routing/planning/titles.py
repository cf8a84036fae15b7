"""What an incident is called in one line, from its state alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sla_kit.routing.events import Alert, Labels
from sla_kit.routing.incident import Incident

_LONGEST = 300


def titled(incident: Incident) -> Incident:
    """The incident with the title that its alerts give it."""
    whole = not (incident.beyond or incident.beyond_resolved)
    return msgspec.structs.replace(incident, title=title_of(incident.alerts, incident.group_labels, whole=whole))


def title_of(alerts: Mapping[str, Alert], group_labels: Labels, *, whole: bool = True) -> str:
    """The summary that its alerts share, else its alertname with what else the group has in common. ``whole`` says
    that these are all of its alerts."""
    if whole and (summary := _shared(alert.annotations.get("summary", "").strip() for alert in alerts.values())):
        return _line(summary)
    name = group_labels.get("alertname") or _shared(alert.name for alert in alerts.values())
    others = ", ".join(
        value if label == "service" else f"{label} {value}"
        for label, value in group_labels.items()
        if label != "alertname"
    )
    if not name:
        return _line(f"Alerts of {others}" if others else "Alerts")
    return _line(f"{name}: {others}" if others else name)


def _shared(texts: Iterable[str]) -> str:
    """The text that all of them are; empty where they differ."""
    first = None
    for text in texts:
        if first is None:
            first = text
        elif text != first:
            return ""
    return first or ""


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
