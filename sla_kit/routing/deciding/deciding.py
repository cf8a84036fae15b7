"""Who is told: the first route that fits, else the alert's team, else whom Alertmanager meant, else anybody at all.

Nothing is ever lost for want of a route, and no label that is missing or strange raises anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sla_kit.catalogue.model import Catalogue, Contact
from sla_kit.routing.deciding.live_calendar import LiveCalendar, Mute
from sla_kit.routing.deciding.routes import Considered, Routes
from sla_kit.routing.deciding.severities import Severities
from sla_kit.routing.deciding.subjects import Known, Subject, known
from sla_kit.routing.destinations import Destination, destinations_of
from sla_kit.routing.events import Change, Notice

#: The least priority of a notice that may page.
_PAGES_UP_TO = 1
_WAITS, _PAGES_NOBODY = "waits for a digest, and ", "pages nobody who can be told otherwise"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who is told, and where.

    ``contacts`` are names, ``destinations`` their addresses, each once, with the first contact that has it. ``route``
    is the place of the route in the catalogue (0 is the first), None where none fits. ``why`` says in words how it
    came to that. A ``digest`` is told with others later, and pages nobody who can be told otherwise.
    """

    contacts: list[str]
    destinations: list[tuple[str, Destination]]
    route: int | None = None
    why: list[str] = field(default_factory=list)
    digest: bool = False


class Deciding:
    """Decisions by one catalogue: the same question has the same answer. Times are epoch seconds."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._contacts = {contact.name: contact for contact in catalogue.contacts}
        self._calendar = LiveCalendar(catalogue)
        self._routes = Routes(catalogue, self._calendar)
        self._severities = Severities(catalogue)

    def decide(self, subject: Subject, at: float) -> Decision:
        """Who is told of it first. Its destinations are empty only where no contact of the catalogue has an address."""
        asked = known(subject, self._catalogue)
        digest = self._severities.digest(asked.severity)
        why: list[str] = []
        for considered in self._routes.consider(asked, at):
            if not considered.fits:
                continue
            names = self._catalogue.routes[considered.route].to
            if self._reachable(names):
                why.append(f"route {considered.route + 1} is the first that fits")
                return self._decision(names, considered.route, self._told_why(why, asked, digest), digest)
            why.append(f"route {considered.route + 1} fits, but leads to nobody with an address")
        return self._without_route(subject, asked, why, digest)

    def next(self, subject: Subject, at: float, told: Collection[str]) -> Decision | None:
        """Who is told where nobody of those ``told`` (names of contacts) has responded: whom the route that fits names
        for that, else the next route that fits and has a contact who was not told yet. None where nobody is left."""
        asked = known(subject, self._catalogue)
        for considered in self._routes.consider(asked, at):
            if not considered.fits:
                continue
            number, route = considered.route + 1, self._catalogue.routes[considered.route]
            for names, why in (
                (route.to, f"route {number} fits and has somebody who was not told yet"),
                (route.escalate, f"route {number} escalates to them"),
            ):
                fresh = [name for name in names if name not in told]
                if self._reachable(fresh):
                    return self._decision(fresh, considered.route, [why], digest=False)
            if route.escalate:
                return None
        return None

    def told_to(self, names: Iterable[str]) -> Decision:
        """What it means to tell these contacts, whatever the routes say; those that the catalogue does not know, or
        knows no address of, are left out."""
        listed = list(dict.fromkeys(names))
        return self._decision(listed, None, [f"it is for {_and(listed)}"] if listed else [], digest=False)

    def for_notice(self, notice: Notice, at: float) -> Decision:
        """Who is told of a notice: the contacts that it names, else whom the routes say. Only what is critical or a
        warning pages somebody who can be told otherwise."""
        decision = self.told_to(notice.to)
        if not decision.destinations:
            decision = self.decide(Subject(notice.labels, notice.severity), at)
        pages = self.priority(notice.severity) <= _PAGES_UP_TO and notice.kind not in ("report", "digest")
        why = [each.replace(_WAITS, "", 1) for each in decision.why]  # a notice is told at once
        told = self._decision(decision.contacts, decision.route, why, digest=not pages)
        return replace(told, digest=False)

    def for_change(self, change: Change, at: float) -> Decision:
        """Who is told of a change: the contacts that it names, else all whom an alert of its service would reach, of
        any severity; in PagerDuty, which shows it beside incidents and pages nobody, and in Slack."""
        named = self.told_to(change.to)
        contacts = named.contacts
        why = named.why
        if not contacts:
            usual = [Subject(change.labels, severity) for severity in ("critical", "warning", "info")]
            contacts = list(dict.fromkeys(name for each in usual for name in self.decide(each, at).contacts))
            why = ["they would be told of an alert of the same labels"]
        reached = self.told_to(contacts)
        shown = [each for each in reached.destinations if each[1].kind in ("pagerduty", "slack")]
        return Decision(reached.contacts, shown, None, why)

    def consider(self, subject: Subject, at: float) -> list[Considered]:
        """Every route in its order, with what speaks against it."""
        return list(self._routes.consider(known(subject, self._catalogue), at))

    def muted(self, subject: Subject, at: float) -> Mute | None:
        """The maintenance of the calendar that keeps it quiet at that time; None where none does."""
        return self._calendar.muted(known(subject, self._catalogue).service, at)

    def event(self, subject: Subject, at: float) -> str:
        """The live event that goes on for its service; empty where none does."""
        return self._calendar.event(known(subject, self._catalogue).service, at)

    def respond_within(self, severity: str) -> float | None:
        """Seconds within which somebody responds, or it escalates; None where it never does. The catalogue's
        severities say; 300 for critical and 1800 for warning where they do not."""
        return self._severities.respond_within(severity)

    def priority(self, severity: str) -> int:
        """What is sent first: 0 critical, 1 warning, 2 others, 3 what waits for a digest."""
        return self._severities.priority(severity)

    def rank(self, severity: str) -> int:
        """Where a severity stands among all; 0 is the highest."""
        return self._severities.rank(severity)

    @property
    def contacts(self) -> list[str]:
        """The names of all contacts, in the catalogue's order."""
        return list(self._contacts)

    @property
    def problem(self) -> str:
        """What of the calendar could not be read when it was last asked; empty where all could."""
        return self._calendar.problem

    # --- where no route fits ----------------------------------------------------------------------------------------

    def _without_route(self, subject: Subject, asked: Known, why: list[str], digest: bool) -> Decision:
        why.append("no route fits" if self._catalogue.routes else "the catalogue has no routes")
        receivers = subject.receiver.split("+") if subject.receiver else []
        for names, reason in (
            ([asked.team], f"the alert's team is {asked.team}"),
            (receivers, f"Alertmanager's receiver is {subject.receiver}"),
            (list(self._contacts), "they are the first with an address"),
        ):
            found = self._reachable(names)
            if found:
                names = [contact.name for contact in found]
                if reason.startswith("they"):
                    names = names[:1]
                why.append(reason)
                return self._decision(names, None, self._told_why(why, asked, digest), digest)
        why.append("no contact has an address")
        return Decision([], [], None, why, digest)

    def _told_why(self, why: list[str], asked: Known, digest: bool) -> list[str]:
        if asked.assumed:
            why.append(f"the alert says no environment: the catalogue's, {asked.environment}, is taken")
        if digest:
            why.append(f"{asked.severity} {_WAITS}{_PAGES_NOBODY}")
        if self._calendar.problem:
            why.append(f"a part of the calendar can't be read: {self._calendar.problem}")
        return why

    # --- contacts ---------------------------------------------------------------------------------------------------

    def _reachable(self, names: Iterable[str]) -> list[Contact]:
        found = (self._contacts.get(name) for name in dict.fromkeys(names))
        return [contact for contact in found if contact is not None and destinations_of([contact])]

    def _decision(self, names: Sequence[str], route: int | None, why: list[str], digest: bool) -> Decision:
        contacts = self._reachable(names)
        destinations: dict[Destination, str] = {}
        for contact in contacts:
            theirs = destinations_of([contact])
            if digest:
                theirs = [each for each in theirs if each.kind != "pagerduty"] or theirs
            for destination in theirs:
                destinations.setdefault(destination, contact.name)
        told = [(name, destination) for destination, name in destinations.items()]
        return Decision([contact.name for contact in contacts], told, route, why, digest)


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
