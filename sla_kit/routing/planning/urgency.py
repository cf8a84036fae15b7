"""Which events are planned before all others: a page must not wait for the planning of ten thousand mild alerts."""

from __future__ import annotations

from sla_kit.generate.alertmanager import WATCHDOG
from sla_kit.routing.deciding.deciding import Deciding
from sla_kit.routing.events import Alerts, Change, Event, Notice


def is_urgent(deciding: Deciding, event: Event) -> bool:
    """Whether an event holds an alert of the highest priority, firing or resolved, or a sign of life, or is what a
    person did. Events of one alert are alike in this, and so stay in their order."""
    if isinstance(event, Alerts):
        return any(
            deciding.priority(alert.labels.get("severity", "")) == 0 or alert.name == WATCHDOG for alert in event.alerts
        )
    if isinstance(event, Notice):
        return deciding.priority(event.severity) == 0
    return not isinstance(event, Change)
