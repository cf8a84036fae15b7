"""What an incident is called in one line, from its state alone."""

from __future__ import annotations

from collections.abc import Mapping

from sla_kit.routing.events import Alert, Labels

_LONGEST = 300


def title_of(alerts: Mapping[str, Alert], group_labels: Labels, *, whole: bool = True) -> str:
    """The summary that its alerts share, else its alertname with what else the group has in common. ``whole`` says
    that these are all of its alerts."""
    summaries = {alert.annotations.get("summary", "").strip() for alert in alerts.values()}
    if whole and len(summaries) == 1 and (summary := summaries.pop()):
        return _line(summary)
    names = {alert.name for alert in alerts.values()}
    name = group_labels.get("alertname") or (names.pop() if len(names) == 1 else "")
    others = ", ".join(
        value if label == "service" else f"{label} {value}"
        for label, value in group_labels.items()
        if label != "alertname"
    )
    if not name:
        return _line(f"Alerts of {others}" if others else "Alerts")
    return _line(f"{name}: {others}" if others else name)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
