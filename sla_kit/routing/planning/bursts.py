"""Storm control: whether a contact is told of an incident on its own, or of a storm that it is a part of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, text

from sla_kit.configuration.quantities import format_duration
from sla_kit.routing.destinations import Destination
from sla_kit.routing.outbox import deliveries, timers
from sla_kit.routing.planning.cases import Case, Cases, Wanted
from sla_kit.routing.planning.rules import Rules
from sla_kit.routing.planning.storms import Burst, Opened, lately, open_storm, with_changes, with_members

#: Timers that hold a `Burst`, by contact and severity.
BURST = "burst"


@dataclass(slots=True)
class _Growing:
    """A storm while a batch adds to it."""

    case: Case
    joined: list[Case] = field(default_factory=list)
    changed: list[Case] = field(default_factory=list)
    ended: int = 0


class Bursts:
    """The storms of a batch. All that is asked of them is written by `finish`."""

    def __init__(self, connection: Connection, rules: Rules, cases: Cases, now: float) -> None:
        self._connection, self._rules, self._cases, self._now = connection, rules, cases, now
        self._settings = rules.routing.storm
        self._bursts: dict[tuple[str, str], Burst] = {}
        self._growing: dict[str, _Growing] = {}

    def take(self, case: Case, contact: str, destinations: list[Destination]) -> bool:
        """Whether the contact is told of it as a part of a storm; if not, on its own."""
        if self._settings.incidents <= 0 or case.incident.kind != "alerts":
            return False
        if case.stored is not None and self._is_told(case.stored.id, contact):
            return False  # it has a message of its own
        severity, key = case.incident.severity, case.incident.dedup_key
        burst = lately(self._burst(contact, severity), self._settings, self._now)
        if burst.storm:
            storm = self._cases.find_open(burst.storm)
            if storm is not None and not storm.incident.closed_by:
                self._join(storm, case, contact, destinations)
                self._bursts[contact, severity] = msgspec.structs.replace(burst, last_at=self._now)
                return True
            burst = Burst()  # all of its members are over, or somebody closed it, who has not seen this one
        opened = [*(each for each in burst.opened if each.dedup_key != key), Opened(key, self._now)]
        if len(opened) <= self._settings.incidents:
            self._bursts[contact, severity] = Burst(opened)
            return False
        within = format_duration(self._settings.within)
        why = f"{contact} would have been told of more than {self._settings.incidents} incidents within {within}"
        storm = self._cases.begin(open_storm(contact, severity, self._now, case.incident, why))
        storm.asks = False
        self._bursts[contact, severity] = Burst(storm=storm.incident.dedup_key, last_at=self._now)
        for earlier in opened[:-1]:
            self._take_back(earlier.dedup_key, storm, contact, destinations)
        self._join(storm, case, contact, destinations)
        return True

    def changed(self, case: Case, ended: bool) -> None:
        """A member of storms has changed; ``ended`` with that."""
        for key in case.incident.storms:
            storm = self._cases.find_open(key)
            if storm is None:
                continue
            growing = self._growing.setdefault(key, _Growing(storm))
            if case not in growing.joined:
                growing.changed.append(case)
                growing.ended += ended

    def finish(self) -> list[Case]:
        """The storms that have changed, to be written after their members."""
        for (contact, severity), burst in sorted(self._bursts.items()):
            key = _key(contact, severity)
            timers.set_timer(self._connection, BURST, key, burst.due_at(self._settings), msgspec.to_builtins(burst))
        for growing in self._growing.values():
            case = growing.case
            before = case.incident
            storm = with_members(before, [each.incident for each in growing.joined], self._rules.inhibitions)
            changed = [each.incident for each in growing.changed]
            storm = with_changes(storm, changed, growing.ended, self._now)
            case.incident = storm
            case.urgent |= storm.status != before.status
        return [growing.case for growing in self._growing.values()]

    def _burst(self, contact: str, severity: str) -> Burst:
        if (contact, severity) not in self._bursts:
            timer = timers.get(self._connection, BURST, _key(contact, severity))
            self._bursts[contact, severity] = Burst() if timer is None else msgspec.convert(timer.data, Burst)
        return self._bursts[contact, severity]

    def _join(self, storm: Case, case: Case, contact: str, destinations: list[Destination]) -> None:
        growing = self._growing.setdefault(storm.incident.dedup_key, _Growing(storm))
        if storm.incident.dedup_key not in case.incident.storms:
            case.change(storms=[*case.incident.storms, storm.incident.dedup_key])
            growing.joined.append(case)
        if contact not in storm.incident.contacts:
            storm.change(contacts=[*storm.incident.contacts, contact])
        for destination in destinations:
            storm.wanted.setdefault(destination, Wanted(contact))

    def _take_back(self, dedup_key: str, storm: Case, contact: str, destinations: list[Destination]) -> None:
        """What the contact was not told yet of an earlier incident becomes a part of the storm."""
        case = self._cases.newest(dedup_key)
        if case is None:
            return
        told = [where for where, wanted in case.wanted.items() if wanted.contact == contact and not wanted.held]
        for where in told:
            del case.wanted[where]
        if case.stored is not None:
            ids = self._untold(case.stored.id, contact)
            deliveries.fold(self._connection, ids, f"storm {storm.incident.dedup_key}", self._now)
            if ids and not told:
                told = destinations
        if told:
            self._join(storm, case, contact, told)

    def _is_told(self, incident_id: int, contact: str) -> bool:
        found = self._connection.execute(
            text(
                "SELECT 1 FROM delivery WHERE incident_id = :incident AND contact = :contact AND state = 'open'"
                " AND kind IN ('pagerduty', 'slack', 'email') LIMIT 1"
            ),
            {"incident": incident_id, "contact": contact},
        )
        return found.first() is not None

    def _untold(self, incident_id: int, contact: str) -> list[int]:
        """Deliveries that nobody has begun with."""
        found = self._connection.execute(
            text(
                "SELECT id FROM delivery WHERE incident_id = :incident AND contact = :contact AND state = 'open'"
                " AND told_version = 0 AND attempts = 0 AND NOT uncertain AND leased_by IS NULL"
                " AND kind IN ('pagerduty', 'slack', 'email')"
            ),
            {"incident": incident_id, "contact": contact},
        )
        return [int(each) for each in found.scalars()]


def _key(contact: str, severity: str) -> str:
    return hashlib.sha256(msgspec.json.encode([contact, severity])).hexdigest()
