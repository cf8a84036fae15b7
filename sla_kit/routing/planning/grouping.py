"""What belongs together: alerts with the same values of the labels that they are grouped by are one incident."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from sla_kit.routing.events import Alert, Labels

#: Among the labels to group by: all of an alert's labels, as in Alertmanager's configuration.
ALL_LABELS = "..."
_PREFIX = "sla-kit-"
_DIGITS = 40


def group_labels(labels: Labels, by: Sequence[str]) -> Labels:
    """The labels that tell an alert's group. One with an empty value is one that is not there, as in Prometheus."""
    names = labels if ALL_LABELS in by else by
    return {name: labels[name] for name in sorted(set(names)) if labels.get(name)}


def group_key(labels: Labels, by: Sequence[str]) -> str:
    """The canonical text of a group: JSON with sorted names. Different groups have different texts."""
    return json.dumps(group_labels(labels, by), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def dedup_key(group: str) -> str:
    """What an incident of a group is known by wherever it is told: the same for every router and after every restart,
    within the 255 characters that PagerDuty takes."""
    return _PREFIX + hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def split(alerts: Iterable[Alert], by: Sequence[str]) -> dict[str, list[Alert]]:
    """Alerts by their group, in the order in which they came. One webhook may hold several groups, where Alertmanager
    groups by fewer labels."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(group_key(alert.labels, by), []).append(alert)
    return found
