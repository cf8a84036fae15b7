"""An incident from the alerts of its group, however often and in whichever order they come.

Alertmanager tells again what it is not sure was heard, several of them tell the same, and what was on its way when a
connection broke may arrive late. So per alert, told apart by its fingerprint:

- a later ``starts_at`` supersedes an earlier one; where none was said, an alert that fires goes on firing;
- resolved supersedes firing, where the end is not before the beginning of what is known to fire (of two Prometheus
  servers that tell the same alert Alertmanager keeps the earlier beginning, so that it may move back);
- firing that began no later than one that is known to be resolved is stale if it comes within `STALE_SECONDS` of the
  resolved one. Later than that it is the same alert come back: a Prometheus that was away told nothing for a while,
  and Alertmanager keeps the beginning where alerts overlap;
- resolved that was never heard to fire is nothing to tell; that it is over is remembered all the same.

An alert that is missing in a later webhook stays as it is: nothing says whether it ended. An incident that somebody
closed though it fires is open to all again once something begins to fire in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from sla_kit.routing.events import Alert, Labels
from sla_kit.routing.incident import Incident
from sla_kit.routing.planning.grouping import dedup_key
from sla_kit.routing.planning.titles import titled

#: How long after a resolved alert one that fires with the same beginning is taken for a late message.
STALE_SECONDS = 300.0
#: A beginning that is further ahead than clocks differ, in seconds, is none: Alertmanager takes the end for it where
#: somebody gave it an end only.
_CLOCKS_DIFFER = 60.0
#: How many alerts of an incident are kept whole; the others are counted.
KEPT_ALERTS = 1000


class Resolution(Struct, frozen=True, array_like=True):
    """That an alert ended, and when that was heard."""

    starts_at: float
    ends_at: float
    heard_at: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """Alerts of one group that came together at ``at``."""

    group: str
    group_labels: Labels
    alerts: list[Alert]
    at: float
    receiver: str = ""
    external_url: str = ""
    truncated: int = 0


@dataclass(slots=True)
class Merged:
    """``incident`` is what became of the one that was open, None where there is none. ``urgent`` says that what people
    have to know at once changed: it is new or over, or more severe. ``resolutions`` is what is known to be over."""

    incident: Incident | None
    changed: bool = False
    urgent: bool = False
    resolutions: dict[str, Resolution] = field(default_factory=dict)


def merge(
    incident: Incident | None,
    delivered: Delivered,
    *,
    rank: Callable[[str], int],
    resolutions: Mapping[str, Resolution] | None = None,
    previous: Incident | None = None,
) -> Merged:
    """What the alerts make of the ``incident`` of their group that is open, if any.

    ``resolutions`` is what earlier merges of the group knew to be over, ``previous`` the last incident of the group
    that is over. The lower ``rank`` of a severity, the higher it is. Nothing that is given is changed. Only a new
    incident is given a title; `titles.titled` gives it one anew.
    """
    # Where the clock was set back meanwhile, what was heard later than now is from before that.
    known = {
        name: each for name, each in (resolutions or {}).items() if abs(delivered.at - each.heard_at) < STALE_SECONDS
    }
    group = _Group(incident, delivered, known, rank, previous)
    for alert in delivered.alerts:
        if alert.firing:
            group.fires(alert)
        else:
            group.ends(alert)
    return group.merged()


class _Group:
    """One merge: the state that alerts are put into one by one."""

    def __init__(
        self,
        incident: Incident | None,
        delivered: Delivered,
        resolutions: dict[str, Resolution],
        rank: Callable[[str], int],
        previous: Incident | None,
    ) -> None:
        self._before = incident
        self._delivered = delivered
        self._resolutions = resolutions
        self._rank = rank
        self._previous = previous
        self._alerts = dict(incident.alerts) if incident else {}
        self._beyond = dict(incident.beyond) if incident else {}
        self._beyond_resolved = incident.beyond_resolved if incident else 0
        self._labels = incident.labels if incident else None
        self._severity = incident.severity if incident else None
        self._opened_at = incident.opened_at if incident else None
        self._ended_at = 0.0
        self._evictable: list[str] | None = None
        self._touched = False
        self._news = False

    def fires(self, alert: Alert) -> None:
        over = self._resolutions.get(alert.fingerprint)
        if over is not None and alert.starts_at <= over.starts_at:
            return
        # After it was compared: where our clock is behind all beginnings are ahead, and still tell which was later.
        if alert.starts_at > self._delivered.at + _CLOCKS_DIFFER:
            alert = msgspec.structs.replace(alert, starts_at=self._delivered.at, dated=False)
        alert = msgspec.structs.replace(alert, ends_at=None)
        known = self._alerts.get(alert.fingerprint)
        if known is not None and known.firing and (alert.starts_at < known.starts_at or not alert.dated):
            alert = msgspec.structs.replace(alert, starts_at=known.starts_at, dated=known.dated)
        if alert == known:
            return
        if known is None and alert.fingerprint in self._beyond:
            if alert.dated:
                self._beyond[alert.fingerprint] = max(alert.starts_at, self._beyond[alert.fingerprint])
            return
        self._keep(alert)
        began_again = known is None or not known.firing
        self._news |= began_again or (known is not None and alert.starts_at > known.starts_at)
        self._count(alert, began_again)

    def ends(self, alert: Alert) -> None:
        ends_at = max(alert.starts_at, min(alert.ends_at or self._delivered.at, self._delivered.at))
        over = self._resolutions.get(alert.fingerprint)
        if over is None or (alert.starts_at, ends_at) >= (over.starts_at, over.ends_at):
            self._resolutions[alert.fingerprint] = Resolution(alert.starts_at, ends_at, self._delivered.at)
        known = self._alerts.get(alert.fingerprint)
        if known is not None:
            if known.firing and ends_at >= known.starts_at:
                self._alerts[alert.fingerprint] = msgspec.structs.replace(alert, ends_at=ends_at)
                self._ended(ends_at)
        elif alert.fingerprint in self._beyond and ends_at >= self._beyond[alert.fingerprint]:
            del self._beyond[alert.fingerprint]
            self._beyond_resolved += 1
            self._ended(ends_at)

    def merged(self) -> Merged:
        if not self._touched:
            return Merged(self._before, resolutions=self._resolutions)
        before, delivered = self._before, self._delivered
        firing = bool(self._beyond) or any(alert.firing for alert in self._alerts.values())
        opened_at = delivered.at if self._opened_at is None else self._opened_at
        ends = [alert.ends_at or 0.0 for alert in self._alerts.values()]
        severity = self._severity or ""
        incident = Incident(
            group=delivered.group,
            dedup_key=dedup_key(delivered.group),
            title="",
            severity=severity,
            status="firing" if firing else "resolved",
            opened_at=opened_at,
            received_at=delivered.at,
            group_labels=delivered.group_labels,
            labels=self._labels or {},
            alerts=self._alerts,
            truncated=delivered.truncated,
            receiver=delivered.receiver,
            external_url=delivered.external_url,
            resolved_at=None if firing else max(opened_at, self._ended_at, *ends),
            beyond=self._beyond,
            beyond_resolved=self._beyond_resolved,
        )
        if before is None:
            incident = titled(incident)
            return Merged(incident, changed=True, urgent=True, resolutions=self._resolutions)
        raised = self._rank(severity) < self._rank(before.severity)
        incident = msgspec.structs.replace(
            before,
            severity=severity,
            status=incident.status,
            opened_at=opened_at,
            labels=incident.labels,
            alerts=incident.alerts,
            truncated=max(before.truncated, delivered.truncated),
            receiver=before.receiver or delivered.receiver,
            external_url=delivered.external_url or before.external_url,
            resolved_at=incident.resolved_at,
            beyond=incident.beyond,
            beyond_resolved=incident.beyond_resolved,
        )
        reopened = bool(before.closed_by) and firing and (raised or self._news)
        if reopened:  # whoever took and closed it has not seen this
            incident = msgspec.structs.replace(
                incident, closed_by="", acknowledged_at=None, acknowledged_by="", acknowledged_via=""
            )
        urgent = raised or reopened or incident.status != before.status
        return Merged(incident, incident != before, urgent, self._resolutions)

    def _keep(self, alert: Alert) -> None:
        """Keeps it whole where there is room, or room can be made by one that is over."""
        self._touched = True
        if alert.fingerprint not in self._alerts and len(self._alerts) >= KEPT_ALERTS:
            if self._evictable is None:
                self._evictable = [name for name, each in self._alerts.items() if not each.firing]
            gone = next((name for name in iter(self._evict, None) if not self._alerts[name].firing), None)
            if gone is None:
                self._beyond[alert.fingerprint] = alert.starts_at
                return
            del self._alerts[gone]
            self._beyond_resolved += 1
        self._alerts[alert.fingerprint] = alert

    def _evict(self) -> str | None:
        return self._evictable.pop() if self._evictable else None

    def _count(self, alert: Alert, began_again: bool) -> None:
        common = self._labels
        if common is None:
            self._labels = dict(alert.labels)
        elif not common.items() <= alert.labels.items():
            self._labels = {name: value for name, value in common.items() if alert.labels.get(name) == value}
        severity = alert.labels.get("severity", "")
        if self._severity is None or self._rank(severity) < self._rank(self._severity):
            self._severity = severity
        if began_again:
            began = min(self._since(alert), self._delivered.at)
            self._opened_at = began if self._opened_at is None else min(self._opened_at, began)

    def _since(self, alert: Alert) -> float:
        """When it began, or when it came back: of what was over in between that time is no part of this incident."""
        before = self._previous.alerts.get(alert.fingerprint) if self._previous else None
        if before is None or self._previous is None or alert.starts_at > before.starts_at:
            return alert.starts_at
        return max(alert.starts_at, before.ends_at or self._previous.resolved_at or 0.0)

    def _ended(self, ends_at: float) -> None:
        self._touched = True
        self._ended_at = max(self._ended_at, ends_at)
