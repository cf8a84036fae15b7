"""A batch of events and timers, and what becomes of them: all incidents are read once, changed, and written once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sla_kit.routing.events import (
    Acknowledgement,
    Alert,
    Alerts,
    Change,
    Closing,
    Escalating,
    Labels,
    Notice,
    Silencing,
)
from sla_kit.routing.outbox import deliveries, incidents, timers
from sla_kit.routing.outbox.accepting import Accepted
from sla_kit.routing.outbox.timers import Timer
from sla_kit.routing.planning import dead_man
from sla_kit.routing.planning.bursts import Bursts
from sla_kit.routing.planning.cases import Case, Cases
from sla_kit.routing.planning.contents import Contents
from sla_kit.routing.planning.digests import DIGEST
from sla_kit.routing.planning.grouping import dedup_key, group_labels, split
from sla_kit.routing.planning.merging import STALE_SECONDS, Delivered, merge
from sla_kit.routing.planning.recording import Observed, Recording, first_told
from sla_kit.routing.planning.rules import Rules
from sla_kit.routing.planning.telling import ESCALATE, UNMUTE, Telling

#: An acknowledgement that is older than the incident by more than this, in seconds, is of an incident before it; what
#: is less is taken for clocks that differ.
_CLOCKS_DIFFER = 60.0


class Batch:
    """One batch, at one moment (``now``, epoch seconds of the outbox's clock)."""

    def __init__(self, connection: Connection, rules: Rules, now: float) -> None:
        self._connection, self._rules, self._now = connection, rules, now
        self._cases = Cases(connection)
        self._bursts = Bursts(connection, rules, self._cases, now)
        self._telling = Telling(rules, self._bursts, self._cases, now)
        self._contents = Contents(connection, rules, now)
        self._recording = Recording(connection, rules, self._cases, self._bursts, now)
        self._split: dict[int, dict[str, list[Alert]]] = {}
        self._heard: float | None = None
        self._watchdog = False

    @property
    def observed(self) -> list[Observed]:
        """What is worth counting."""
        return self._recording.observed

    def expect(self, events: Sequence[Accepted]) -> None:
        """Reads at once what these will ask for."""
        by = self._rules.routing.group_by
        keys: set[str] = set()
        for accepted in events:
            event = accepted.event
            if isinstance(event, Alerts):
                alerts = dead_man.without_watchdog(event) if event.sender == dead_man.SENDER else event.alerts
                self._split[accepted.id] = groups = split(alerts, by)
                keys.update(dedup_key(group) for group in groups)
        self._cases.load(keys)

    def take(self, accepted: Accepted) -> None:
        """One event, which was expected."""
        event = accepted.event
        if isinstance(event, Alerts):
            self._alerts(event, accepted)
        elif isinstance(event, Notice):
            self._contents.notice(event, accepted.id)
        elif isinstance(event, Change):
            self._contents.change(event, accepted.id)
        elif (case := self._cases.find_open(event.incident)) is None or self._is_older(event, case):
            return  # it is over, or was never here
        elif isinstance(event, Acknowledgement):
            self._acknowledged(event, case)
        elif isinstance(event, Closing):
            case.change(closed_by=event.by or event.via, urgent=True)
        elif isinstance(event, Silencing):
            quiet = self._contents.silence(case.incident, event, accepted.id)
            if quiet is not None:
                case.change(silence=quiet, urgent=True)
        else:
            self._telling.escalate(case, f"{event.by or event.via} asked for it")

    def due(self, timer: Timer, *, behind: bool) -> None:
        """One timer. ``behind`` says that there are events that were not looked at yet."""
        if timer.kind == dead_man.DEAD_MAN:
            if behind:  # a sign of life may be among them
                timers.set_timer(self._connection, timer.kind, timer.key, self._now + 1.0)
            else:
                dead_man.go_off(self._connection, self._rules.routing.dead_man, self._cases, self._now)
        elif timer.kind == DIGEST:
            self._contents.digest(timer)
        elif timer.kind in (ESCALATE, UNMUTE):
            case = self._cases.find_open(timer.key)
            if case is None or case.stored is None or case.stored.id != timer.data.get("incident"):
                return
            if timer.kind == ESCALATE:
                self._overdue(case)
            elif case.incident.muted_by:
                case.asks = case.urgent = True

    def finish(self) -> None:
        """Decides who is told of what, and writes it all down."""
        if self._heard is not None:
            settings = self._rules.routing.dead_man
            dead_man.hear(self._connection, settings, self._cases, self._heard, self._now, watchdog=self._watchdog)
            heard = self._heard
            self.observed.append(lambda observe: observe.heartbeat(dead_man.SENDER, heard))
        rank = self._rules.deciding.rank
        asking = [case for case in self._cases.all() if case.asks]
        asking.sort(key=lambda case: (rank(case.incident.severity), case.incident.opened_at))
        muted = {case: until for case in asking if (until := self._telling.ask(case)) is not None}
        for case in self._cases.all():
            if case.incident.kind != "storm":
                self._recording.write(case)
        grown = self._bursts.finish()
        for case in self._cases.all():
            if case.incident.kind == "storm":
                if case in grown and case.stored is None:
                    within = self._rules.deciding.respond_within(case.incident.severity)
                    if within is not None and self._rules.routing.escalate:
                        case.escalate_at = self._now + within
                self._recording.write(case)
        for case, until in muted.items():
            if case.stored is not None and case.open:
                data = {"incident": case.stored.id}
                timers.set_timer(self._connection, UNMUTE, case.incident.dedup_key, until, data)
        self._recording.finish()
        self._cases.write_over(STALE_SECONDS)

    def _alerts(self, event: Alerts, accepted: Accepted) -> None:
        groups = self._split.pop(accepted.id)
        if event.sender == dead_man.SENDER:
            self._heard = max(accepted.received_at, self._heard or 0.0)
            self._watchdog |= sum(map(len, groups.values())) < len(event.alerts)
        by = self._rules.routing.group_by
        for group, members in groups.items():
            delivered = Delivered(
                group=group,
                group_labels=group_labels(members[0].labels, by),
                alerts=members,
                at=accepted.received_at,
                receiver=event.receiver,
                external_url=event.external_url,
                truncated=event.truncated if len(groups) == 1 else 0,
            )
            self._merge(delivered)

    def _merge(self, delivered: Delivered) -> None:
        key = dedup_key(delivered.group)
        newest = self._cases.newest(key)
        case = newest if newest is not None and newest.open else None
        merged = merge(
            case.incident if case is not None else None,
            delivered,
            rank=self._rules.deciding.rank,
            resolutions=self._cases.over(key),
            previous=newest.incident if newest is not None and case is None else None,
        )
        self._cases.keep_over(key, merged.resolutions)
        if merged.incident is None or not merged.changed:
            return
        if case is None:
            self._cases.begin(merged.incident)
            return
        raised = self._rules.deciding.rank(merged.incident.severity) < self._rules.deciding.rank(case.incident.severity)
        closed_by, case.incident = case.incident.closed_by, merged.incident
        case.asks |= raised
        case.urgent |= merged.urgent
        if closed_by and not case.incident.closed_by:
            self._telling.reopen(case, closed_by)

    def _acknowledged(self, event: Acknowledgement, case: Case) -> None:
        incident = case.incident
        if incident.acknowledged:
            return  # the first one counts
        at = max(min(event.at, self._now), incident.received_at)
        case.change(acknowledged_at=at, acknowledged_by=event.by, acknowledged_via=event.via, urgent=True)
        told = deliveries.told_of(self._connection, case.stored.id) if case.stored is not None else []
        first = first_told(told) or incident.received_at
        severity, team = incident.severity, _team(incident.labels)
        self.observed.append(lambda observe: observe.acknowledged(severity, team, max(0.0, at - first)))

    def _overdue(self, case: Case) -> None:
        if case.attended or self._telling.left_to_others(case):
            return
        quiet = case.incident.silence
        if quiet is not None and quiet.until > self._now:  # whoever asked for quiet has seen it
            case.escalate_at = quiet.until
        else:
            self._telling.escalate(case, self._telling.overdue(case))

    def _is_older(self, event: Acknowledgement | Closing | Silencing | Escalating, case: Case) -> bool:
        """Whether it was meant for an earlier incident of the same group. Where there was none it was not, whatever
        the clocks of those say who tell it; nor is anything known where our clock was set back meanwhile."""
        received_at = case.incident.received_at
        if event.at >= received_at - _CLOCKS_DIFFER or received_at > self._now + _CLOCKS_DIFFER:
            return False
        return incidents.has_earlier(self._connection, case.incident.dedup_key, case.stored)


def _team(labels: Labels) -> str:
    return labels.get("team", "")
