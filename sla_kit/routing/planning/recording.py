"""Writing down what a batch made of an incident: its next version, who is told of it and when, and how it went."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection

from sla_kit.routing.deciding import links_of, promise_of
from sla_kit.routing.delivering import Response
from sla_kit.routing.destinations import PEOPLE, Destination
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox import deliveries, incidents, timers
from sla_kit.routing.outbox.deliveries import Delivery
from sla_kit.routing.outbox.incidents import Stored
from sla_kit.routing.planning.bursts import Bursts
from sla_kit.routing.planning.cases import Case, Cases
from sla_kit.routing.planning.digests import DIGEST
from sla_kit.routing.planning.rules import Observe, Rules
from sla_kit.routing.planning.telling import ESCALATE
from sla_kit.routing.planning.titles import titled

CONTEXT, LEDGER = Destination("context"), Destination("ledger")
#: What is not for people waits behind what is.
_BEHIND = 3
Observed = Callable[[Observe], None]


class Recording:
    """Writes cases. ``observed`` gathers what is worth counting, once all is committed."""

    def __init__(self, connection: Connection, rules: Rules, cases: Cases, bursts: Bursts, now: float) -> None:
        self._connection, self._rules, self._cases, self._bursts, self._now = connection, rules, cases, bursts, now
        self._digests: dict[Destination, str] = {}
        self.observed: list[Observed] = []

    def write(self, case: Case) -> None:
        """Writes a case down, if anything of it is new."""
        before = case.stored.incident if case.stored is not None else None
        if case.stored is not None and before == case.incident and not case.wanted:
            self._set_escalation(case, case.stored)
            return
        if before is None or before.labels != case.incident.labels or before.alerts != case.incident.alerts:
            self._describe(case)
        if case.stored is None:
            stored, told = incidents.insert(self._connection, case.incident, self._now), []
        else:
            stored = incidents.save(self._connection, case.stored, case.incident, self._now)
            told = deliveries.told_of(self._connection, stored.id)
        case.stored = stored
        self._tell(case, stored, told)
        self._keep_escalation(case, stored, told, before)
        ended = case.incident.status == "resolved" and (before is None or before.status == "firing")
        if ended:
            self._ended(case.incident, stored, told)
        if before is not None:
            self._bursts.changed(case, ended)

    def finish(self) -> None:
        """Sets the timers of digests that something waits for now."""
        for destination, contact in self._digests.items():
            key = digest_key(destination)
            if timers.get(self._connection, DIGEST, key) is None:
                due_at = self._now + self._rules.routing.digest.every
                data = {"destination": str(destination), "contact": contact, "since": self._now}
                timers.set_timer(self._connection, DIGEST, key, due_at, data)

    def _describe(self, case: Case) -> None:
        catalogue = self._rules.catalogue
        if case.incident.kind == "alerts":
            case.incident = titled(case.incident)
        incident = case.incident
        case.change(promise=promise_of(catalogue, incident.labels), links=links_of(catalogue, incident))

    def _tell(self, case: Case, stored: Stored, told: Sequence[Delivery]) -> None:
        incident = case.incident
        priority = self._rules.deciding.priority(incident.severity)
        known = {each.destination: each for each in told}
        wanted = case.wanted
        again = [
            known[where].id
            for where, each in wanted.items()
            if where in known and known[where].state in ("held", "folded") and not each.held
        ]
        deliveries.revive(self._connection, again, self._now)
        for each in told:
            if each.destination.kind not in PEOPLE:
                continue
            # Of a clock that was set back since, it may be later than now.
            told_at = min(each.told_at or 0.0, self._now)
            waits = 0.0 if case.urgent else told_at + self._rules.routing.update_every
            self._want(stored, each.destination, each.contact, priority, not_before=waits)
        for where, who in wanted.items():
            if where not in known:
                self._want(stored, where, who.contact, priority, held=who.held)
                if who.held:
                    self._digests.setdefault(where, who.contact)
        single = any(not each.held for each in wanted.values())
        asked = bool(self._rules.routing.graphs.prometheus)  # else nobody could be asked
        if asked and single and incident.kind == "alerts" and case.open and CONTEXT not in known:
            self._want(stored, CONTEXT, "", priority)

    def _want(
        self,
        stored: Stored,
        destination: Destination,
        contact: str,
        priority: int,
        *,
        not_before: float = 0.0,
        held: bool = False,
    ) -> None:
        deliveries.want(
            self._connection,
            stored,
            destination,
            contact=contact,
            priority=priority,
            now=self._now,
            not_before=not_before,
            held=held,
        )

    def _keep_escalation(self, case: Case, stored: Stored, told: Sequence[Delivery], before: Incident | None) -> None:
        key = case.incident.dedup_key
        if case.attended:
            if before is not None:
                timers.cancel(self._connection, ESCALATE, key)
            return
        on_its_own = any(not each.held for each in case.wanted.values()) or any(
            each.destination.kind in PEOPLE and each.state not in ("held", "folded") for each in told
        )
        if not on_its_own:  # a storm that it is a part of is taken or escalates as a whole
            if before is not None and case.incident.storms:
                timers.cancel(self._connection, ESCALATE, key)
            return
        if case.escalate_at is not None:
            if before is not None and len(before.escalations) == len(case.incident.escalations):
                known = timers.get(self._connection, ESCALATE, key)  # it got worse: never later than it was to be
                if known is not None and known.data.get("incident") == stored.id:
                    case.escalate_at = min(case.escalate_at, known.due_at)
            self._set_escalation(case, stored)

    def _set_escalation(self, case: Case, stored: Stored) -> None:
        if case.escalate_at is not None:
            data = {"incident": stored.id}
            timers.set_timer(self._connection, ESCALATE, case.incident.dedup_key, case.escalate_at, data)

    def _ended(self, incident: Incident, stored: Stored, told: Sequence[Delivery]) -> None:
        """Counts how it went, and keeps it in the ledger. Storms are no incidents of their own."""
        if incident.kind != "alerts" or incident.resolved_at is None:
            return
        severity, team = incident.severity, incident.labels.get("team", "")
        seconds = incident.resolved_at - incident.opened_at
        self.observed.append(lambda observe: observe.recovered(severity, team, seconds))
        if not self._rules.routing.ledger:
            return
        acknowledged_at, acknowledged_by, told_at = incident.acknowledged_at, incident.acknowledged_by, first_told(told)
        escalations = len(incident.escalations)
        for key in incident.storms:
            storm = self._cases.newest(key)
            if storm is None or storm.stored is None:
                continue
            escalations += len(storm.incident.escalations)
            if acknowledged_at is None and storm.incident.acknowledged_at is not None:
                acknowledged_at, acknowledged_by = storm.incident.acknowledged_at, storm.incident.acknowledged_by
            if told_at is None:
                told_at = first_told(deliveries.told_of(self._connection, storm.stored.id))
        response = Response(
            dedup_key=incident.dedup_key,
            title=incident.title,
            labels=incident.labels,
            severity=severity,
            opened_at=incident.opened_at,
            told_at=told_at,
            acknowledged_at=acknowledged_at,
            acknowledged_by=acknowledged_by,
            resolved_at=incident.resolved_at,
            escalations=escalations,
        )
        deliveries.want_content(
            self._connection,
            response,
            LEDGER,
            contact="",
            priority=_BEHIND,
            now=self._now,
            key=f"response {stored.id}",
        )


def first_told(told: Iterable[Delivery]) -> float | None:
    """When somebody was first told."""
    return min(
        (each.first_told_at for each in told if each.first_told_at and each.destination.kind in PEOPLE), default=None
    )


def digest_key(destination: Destination) -> str:
    """A destination as the key of a timer."""
    return hashlib.sha256(str(destination).encode()).hexdigest()
