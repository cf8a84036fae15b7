"""What is told once, and is no incident: notices, changes, silences and digests."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, text

from sla_kit.routing.delivering import SilenceWanted
from sla_kit.routing.destinations import Destination, parse_destination
from sla_kit.routing.events import Change, Notice, Silencing
from sla_kit.routing.incident import Incident, decode
from sla_kit.routing.incident import Silence as Quiet
from sla_kit.routing.outbox import deliveries
from sla_kit.routing.outbox.timers import Timer
from sla_kit.routing.planning.digests import digest
from sla_kit.routing.planning.grouping import ALL_LABELS
from sla_kit.routing.planning.rules import Rules
from sla_kit.routing.times import zone_of

ALERTMANAGER = Destination("alertmanager")
#: How many of the incidents of a digest are looked at for what it says; all are counted.
_LOOKED_AT = 2000
_AT_ONCE = 500


def matchers(incident: Incident, by: Sequence[str]) -> dict[str, str]:
    """The labels that tell an incident's alerts from those of other groups. One to group by that none of them has must
    be empty, or the silence would take the groups that have it, too."""
    absent = {
        name: ""
        for name in by
        if name != ALL_LABELS
        and not incident.labels.get(name)
        and not any(alert.labels.get(name) for alert in incident.alerts.values())
    }
    return absent | (incident.group_labels or incident.labels)


class Contents:
    """Has contents delivered. What comes from one event is delivered once, however often that is planned."""

    def __init__(self, connection: Connection, rules: Rules, now: float) -> None:
        self._connection, self._rules, self._now = connection, rules, now

    def notice(self, notice: Notice, event_id: int) -> None:
        """To the contacts that it names, else to whom the routes say."""
        deciding = self._rules.deciding
        priority = deciding.priority(notice.severity)
        for contact, destination in deciding.for_notice(notice, self._now).destinations:
            self._want(notice, destination, contact, priority, f"event {event_id}")

    def change(self, change: Change, event_id: int) -> None:
        """To PagerDuty, wherever something of that service would page, and to Slack."""
        deciding = self._rules.deciding
        for contact, destination in deciding.for_change(change, self._now).destinations:
            self._want(change, destination, contact, deciding.priority("info"), f"event {event_id}")

    def silence(self, incident: Incident, event: Silencing, event_id: int) -> Quiet | None:
        """A silence of the incident's group; of a storm, of those of its members that it names. None where there is
        nothing to tell it by."""
        quiet = Quiet(until=event.at + event.seconds, by=event.by)
        by = self._rules.routing.group_by
        groups = {incident.dedup_key: matchers(incident, by)}
        if incident.kind == "storm":
            groups = {each.dedup_key: self._matchers(each.dedup_key, by) for each in incident.members if each.firing}
        wanted = {key: labels for key, labels in groups.items() if any(labels.values())}
        for key, labels in wanted.items():
            content = SilenceWanted(
                incident=key, matchers=labels, silence=quiet, comment=f"{event.by} asked for it by {event.via}"
            )
            self._want(content, ALERTMANAGER, "", 0, f"event {event_id} {key}")
        return quiet if wanted else None

    def digest(self, timer: Timer) -> None:
        """Tells what was held back for a destination."""
        where = str(timer.data["destination"])
        rows = self._connection.execute(
            text("SELECT id, incident_id FROM delivery WHERE state = 'held' AND destination = :where ORDER BY id DESC"),
            {"where": where},
        ).all()
        if not rows:
            return
        incidents: list[Incident] = []
        firing = 0
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            firing += self._count_firing([row.incident_id for row in part])
            if start < _LOOKED_AT:
                incidents += self._incidents([row.incident_id for row in part])
            deliveries.fold(self._connection, [row.id for row in part], "a digest", self._now)
        zone = zone_of(self._rules.catalogue.timezone)
        notice = digest(incidents, len(rows), firing, float(timer.data["since"]), zone)
        priority = self._rules.deciding.priority(notice.severity)
        contact = str(timer.data["contact"])
        self._want(notice, parse_destination(where), contact, priority, f"digest {timer.due_at!r}")

    def _incidents(self, ids: list[int]) -> list[Incident]:
        found = self._connection.execute(
            text("SELECT body FROM incident WHERE id IN :ids").bindparams(bindparam("ids", expanding=True)),
            {"ids": ids},
        )
        return [decode(bytes(body)) for body in found.scalars()]

    def _count_firing(self, ids: list[int]) -> int:
        found = self._connection.execute(
            text("SELECT count(*) FROM incident WHERE open AND id IN :ids").bindparams(
                bindparam("ids", expanding=True)
            ),
            {"ids": ids},
        )
        return int(found.scalar_one())

    def _matchers(self, key: str, by: Sequence[str]) -> dict[str, str]:
        body = self._connection.execute(
            text("SELECT body FROM incident WHERE dedup_key = :key AND open"), {"key": key}
        ).scalar()
        if body is None:
            return {}
        return matchers(decode(bytes(body)), by)

    def _want(
        self, content: Notice | Change | SilenceWanted, where: Destination, contact: str, priority: int, key: str
    ) -> None:
        deliveries.want_content(
            self._connection, content, where, contact=contact, priority=priority, now=self._now, key=key
        )
