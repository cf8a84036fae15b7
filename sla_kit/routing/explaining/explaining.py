"""What an event leads to, as values: groups, who is told what and when, who is next, and what keeps it quiet.

Pure: nothing is sent, nothing is kept; the router's own decisions and grouping are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.alertmanager import WATCHDOG
from sla_kit.routing.deciding import Considered, Deciding, Decision, Mute, Subject
from sla_kit.routing.destinations import Destination, destinations_of
from sla_kit.routing.events import Alert, Alerts, Change, Event, Labels, Notice
from sla_kit.routing.planning.grouping import dedup_key, group_labels, split
from sla_kit.routing.planning.titles import title_of


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told, ``after`` so many seconds, if nobody has responded until then."""

    after: float
    decision: Decision


@dataclass(frozen=True, slots=True)
class Explained:
    """What becomes of one group of alerts, or of one notice or change.

    ``kind`` is ``alerts``, ``notice``, ``change``, ``sign-of-life`` or ``deed``. ``steps`` begin with who is told
    first; ``responds_within`` (seconds) is how long each of them has, None where nobody has to respond. ``fallback`` is
    who hears of it if the first can't be reached. ``against`` holds the routes before the one that fits.
    """

    kind: str
    title: str
    severity: str = ""
    service: str = ""
    group_labels: Labels = field(default_factory=dict)
    dedup_key: str = ""
    firing: int = 0
    resolved: int = 0
    against: tuple[Considered, ...] = ()
    steps: tuple[Step, ...] = ()
    responds_within: float | None = None
    fallback: tuple[Destination, ...] = ()
    mute: Mute | None = None
    event: str = ""

    @property
    def told(self) -> Decision | None:
        """Who is told first."""
        return self.steps[0].decision if self.steps else None

    @property
    def lost(self) -> bool:
        """Whether somebody should hear of it and nobody can."""
        return self.kind in ("alerts", "notice") and not (self.told and self.told.destinations)


def explain(catalogue: Catalogue, event: Event, at: float) -> list[Explained]:
    """What would become of an event that came at that time (epoch seconds)."""
    deciding = Deciding(catalogue)
    if isinstance(event, Alerts):
        groups = split(event.alerts, catalogue.routing.group_by)
        return [_group(catalogue, deciding, event, group, alerts, at) for group, alerts in groups.items()]
    if isinstance(event, Notice):
        return [_notice(catalogue, deciding, event, at)]
    if isinstance(event, Change):
        subject = Subject(event.labels, "info")
        decision = deciding.told_to(event.to) if event.to else deciding.decide(subject, at)
        return [Explained(kind="change", title=event.summary, steps=(Step(0.0, decision),))]
    deed = type(event).__name__.lower()
    return [Explained(kind="deed", title=f"{deed} by {event.by}", dedup_key=event.incident)]


def _group(
    catalogue: Catalogue, deciding: Deciding, event: Alerts, group: str, alerts: Sequence[Alert], at: float
) -> Explained:
    labels = group_labels(alerts[0].labels, catalogue.routing.group_by)
    title = title_of({alert.fingerprint: alert for alert in alerts}, labels)
    if alerts[0].name == WATCHDOG:
        return Explained(kind="sign-of-life", title=title, group_labels=labels)
    firing = [alert for alert in alerts if alert.firing]
    shared = dict(set.intersection(*(set(alert.labels.items()) for alert in alerts)))
    severity = min((_severity(alert) for alert in firing or alerts), key=deciding.rank)
    subject = Subject(shared, severity, event.receiver)
    decision = deciding.decide(subject, at)
    return Explained(
        kind="alerts",
        title=title,
        severity=severity,
        service=shared.get("service", ""),
        group_labels=labels,
        dedup_key=dedup_key(group),
        firing=len(firing),
        resolved=len(alerts) - len(firing),
        against=_against(deciding, subject, decision, at),
        steps=_steps(catalogue, deciding, subject, decision, at) if firing else (Step(0.0, decision),),
        responds_within=deciding.respond_within(severity),
        fallback=_fallback(catalogue, decision),
        mute=deciding.muted(subject, at),
        event=deciding.event(subject, at),
    )


def _notice(catalogue: Catalogue, deciding: Deciding, notice: Notice, at: float) -> Explained:
    subject = Subject(notice.labels, notice.severity)
    decision = deciding.told_to(notice.to) if notice.to else deciding.decide(subject, at)
    return Explained(
        kind="notice",
        title=notice.title,
        severity=notice.severity,
        against=() if notice.to else _against(deciding, subject, decision, at),
        steps=(Step(0.0, decision),),
        fallback=_fallback(catalogue, decision),
    )


def _severity(alert: Alert) -> str:
    return alert.labels.get("severity", "")


def _against(deciding: Deciding, subject: Subject, decision: Decision, at: float) -> tuple[Considered, ...]:
    looked_at = deciding.consider(subject, at)
    return tuple(each for each in looked_at[: decision.route] if not each.fits)


def _steps(catalogue: Catalogue, deciding: Deciding, subject: Subject, first: Decision, at: float) -> tuple[Step, ...]:
    steps = [Step(0.0, first)]
    wait = deciding.respond_within(subject.severity)
    if wait is None or not catalogue.routing.escalate or first.digest:
        return tuple(steps)
    told = set(first.contacts)
    while following := deciding.next(subject, at + steps[-1].after + wait, told):
        steps.append(Step(steps[-1].after + wait, following))
        told |= set(following.contacts)
    return tuple(steps)


def _fallback(catalogue: Catalogue, decision: Decision) -> tuple[Destination, ...]:
    names = [*decision.contacts, *catalogue.routing.fallback.to]
    contacts = {contact.name: contact for contact in catalogue.contacts}
    others = destinations_of(contacts[name] for name in names if name in contacts)
    first = [destination for _, destination in decision.destinations][:1]
    return tuple(each for each in others if each not in first)
