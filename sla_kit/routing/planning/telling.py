"""Whom an incident is told to: at first, when it gets worse, when nobody responds, and when maintenance is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sla_kit.configuration.quantities import format_duration
from sla_kit.routing.deciding import Decision, Subject
from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import Escalation
from sla_kit.routing.planning.bursts import Bursts
from sla_kit.routing.planning.cases import Case, Cases, Wanted
from sla_kit.routing.planning.rules import Rules

#: Timers by dedup key: further contacts are told, or a maintenance window ends.
ESCALATE, UNMUTE = "escalate", "unmute"
NOBODY = "Nobody can be told: no contact of the catalogue has an address."
NOBODY_LEFT = "Nobody is left to tell: every route that fits has been told."


class Telling:
    """Decisions on the incidents of a batch."""

    def __init__(self, rules: Rules, bursts: Bursts, cases: Cases, now: float) -> None:
        self._rules, self._bursts, self._cases, self._now = rules, bursts, cases, now

    def ask(self, case: Case) -> float | None:
        """Decides who is told of an incident that is new or got worse. The end of the maintenance that mutes it, if
        any does: then nobody is told."""
        incident, deciding = case.incident, self._rules.deciding
        subject = Subject(incident.labels, incident.severity, incident.receiver)
        if incident.kind == "alerts" and not incident.contacts:
            mute = deciding.muted(subject, self._now)
            case.change(muted_by=mute.name if mute is not None else "")
            if mute is not None:
                return mute.until
        if incident.kind == "dead-man":
            self.tell(case, deciding.told_to(self._watchers()))
        elif incident.kind == "alerts":
            self.tell(case, deciding.decide(subject, self._now))
        within = deciding.respond_within(incident.severity)
        if within is not None and self._rules.routing.escalate:
            case.escalate_at = self._now + within
        return None

    def tell(self, case: Case, decision: Decision) -> None:
        """Has those told whom a decision names; each as a part of a storm, where there is one."""
        if not decision.destinations:
            self.note(case, NOBODY)
        case.change(contacts=list(dict.fromkeys([*case.incident.contacts, *decision.contacts])))
        for contact, destinations in _by_contact(decision.destinations).items():
            if decision.digest:
                case.wanted |= {each: Wanted(contact, held=True) for each in destinations if each not in case.wanted}
            elif not self._bursts.take(case, contact, destinations):
                case.wanted |= {each: Wanted(contact) for each in destinations}

    def escalate(self, case: Case, why: str) -> bool:
        """Has the next ones told; whether there are any."""
        incident, deciding = case.incident, self._rules.deciding
        labels = [each.labels for each in incident.members if each.firing] or [incident.labels]
        told = [*incident.contacts, *self._told_of_members(case)]
        contacts: list[str] = []
        for each in {tuple(sorted(each.items())): each for each in labels}.values():
            subject = Subject(each, incident.severity, incident.receiver)
            found = (
                self._after_dead_man(incident.contacts)
                if incident.kind == "dead-man"
                else deciding.next(subject, self._now, told)
            )
            contacts += [name for name in found.contacts if name not in contacts] if found is not None else []
        case.escalate_at = None
        if not contacts:
            self.note(case, NOBODY_LEFT)
            return False
        escalation = Escalation(at=self._now, to=contacts, why=why)
        case.change(escalations=[*incident.escalations, escalation], urgent=True)
        self.tell(case, deciding.told_to(contacts))
        within = deciding.respond_within(incident.severity)
        if within is not None and self._rules.routing.escalate and not case.attended:
            case.escalate_at = self._now + within
        return True

    def reopen(self, case: Case, closed_by: str) -> None:
        """Has all who know of an incident told aloud that it fires again, though somebody had closed it."""
        case.asks = True
        why = f"it began again after {closed_by} had closed it"
        again = Escalation(at=self._now, to=list(case.incident.contacts), why=why)
        case.change(escalations=[*case.incident.escalations, again], urgent=True)

    def left_to_others(self, case: Case) -> bool:
        """Whether each member of a storm that is named and fires was taken by itself, or is in another storm that
        somebody has taken, or that is larger and escalates for both: of one thing that many are told of, one person
        is enough."""
        members = self._members(case)
        return bool(members) and all(
            each.attended or any(storm.attended or _larger(storm, case) for storm in self._storms_of(each))
            for each in members
        )

    def _told_of_members(self, case: Case) -> Iterator[str]:
        """Who knows what a storm consists of: by themselves, or by storms of their own."""
        for member in self._members(case):
            yield from member.incident.contacts
            for storm in self._storms_of(member):
                yield from storm.incident.contacts

    def _members(self, case: Case) -> list[Case]:
        keys = [each.dedup_key for each in case.incident.members if each.firing]
        self._cases.load(keys)
        return [found for key in keys if (found := self._cases.find_open(key)) is not None]

    def _storms_of(self, member: Case) -> list[Case]:
        return [found for key in member.incident.storms if (found := self._cases.find_open(key)) is not None]

    def note(self, case: Case, line: str) -> None:
        """Says it in the incident, once."""
        if line not in case.incident.notes:
            case.change(notes=[*case.incident.notes, line])

    def overdue(self, case: Case) -> str:
        """Why an incident escalates that nobody took."""
        within = self._rules.deciding.respond_within(case.incident.severity)
        return f"not acknowledged within {format_duration(within)}" if within else "not acknowledged"

    def _watchers(self) -> list[str]:
        """Who hears that Alertmanager is silent: those who are named, else the first with a pager, else the first."""
        named = self._rules.routing.dead_man.to
        if named and self._rules.deciding.told_to(named).destinations:
            return list(named)
        contacts = self._rules.catalogue.contacts
        paged = [each.name for each in contacts if each.pagerduty]
        reached = [each.name for each in contacts if self._rules.deciding.told_to([each.name]).destinations]
        return [*paged, *reached][:1]

    def _after_dead_man(self, told: Iterable[str]) -> Decision | None:
        left = [each.name for each in self._rules.catalogue.contacts if each.name not in set(told)]
        reached = [name for name in left if self._rules.deciding.told_to([name]).destinations]
        return self._rules.deciding.told_to(reached[:1]) if reached else None


def _larger(storm: Case, other: Case) -> bool:
    """Whether it has more members; of equally many the one with the lower key counts as larger."""
    one, two = storm.incident, other.incident
    return (-one.members_total, one.dedup_key) < (-two.members_total, two.dedup_key)


def _by_contact(destinations: Iterable[tuple[str, Destination]]) -> dict[str, list[Destination]]:
    found: dict[str, list[Destination]] = {}
    for contact, destination in destinations:
        found.setdefault(contact, []).append(destination)
    return found
