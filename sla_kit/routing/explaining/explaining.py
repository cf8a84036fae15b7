"""What an event leads to, as values: groups, who is told what and when, who is next, and what keeps it quiet.

Pure: nothing is sent, nothing is kept. It asks what planning asks: the same grouping, merging and decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.alertmanager import WATCHDOG
from sla_kit.routing.deciding import Considered, Deciding, Decision, Mute, Subject, links_of, promise_of
from sla_kit.routing.destinations import Destination, destinations_of
from sla_kit.routing.events import Alert, Alerts, Change, Event, Labels, Link, Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.planning.grouping import group_labels, split
from sla_kit.routing.planning.merging import Delivered, merge

#: The receiver of Alertmanager's signs of life, of which no incident is made.
_HEARTBEAT = "_heartbeat"


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told, ``at`` a moment (epoch seconds), if nobody has responded until then."""

    at: float
    decision: Decision


@dataclass(frozen=True, slots=True)
class Explained:
    """What becomes of one group of alerts, or of one notice, change or deed.

    ``kind`` is ``alerts``, ``notice``, ``change``, ``sign-of-life`` or ``deed``. ``steps`` begin with who is told
    first, after maintenance that mutes it; ``responds_within`` (seconds) is how long each of them has, None where
    nobody has to respond. ``fallback`` is who hears of it if the first can't be reached. ``against`` holds the routes
    before the one that fits.
    """

    kind: str
    title: str
    severity: str = ""
    service: str = ""
    group_labels: Labels = field(default_factory=dict)
    dedup_key: str = ""
    firing: int = 0
    resolved: int = 0
    promise: str = ""
    links: tuple[Link, ...] = ()
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
        return [
            _sign_of_life(catalogue, alerts)
            if _is_sign_of_life(event, alerts)
            else _group(catalogue, deciding, event, group, alerts, at)
            for group, alerts in groups.items()
        ]
    if isinstance(event, Notice):
        decision = deciding.for_notice(event, at)
        named = deciding.told_to(event.to).destinations
        against = () if named else _against(deciding, Subject(event.labels, event.severity), decision, at)
        return [
            Explained(
                kind="notice",
                title=event.title,
                severity=event.severity,
                against=against,
                steps=(Step(at, decision),),
                fallback=_fallback(catalogue, decision),
            )
        ]
    if isinstance(event, Change):
        return [Explained(kind="change", title=event.summary, steps=(Step(at, deciding.for_change(event, at)),))]
    deed = type(event).__name__
    return [Explained(kind="deed", title=f"{deed} by {event.by}", dedup_key=event.incident)]


def _is_sign_of_life(event: Alerts, alerts: Sequence[Alert]) -> bool:
    named = all(alert.name == WATCHDOG for alert in alerts)
    return event.sender == "alertmanager" and (named or event.receiver == _HEARTBEAT)


def _sign_of_life(catalogue: Catalogue, alerts: Sequence[Alert]) -> Explained:
    labels = group_labels(alerts[0].labels, catalogue.routing.group_by)
    return Explained(kind="sign-of-life", title=alerts[0].name, group_labels=labels)


def _group(
    catalogue: Catalogue, deciding: Deciding, event: Alerts, group: str, alerts: Sequence[Alert], at: float
) -> Explained:
    incident = _incident(catalogue, deciding, event, group, alerts, at)
    subject = Subject(incident.labels, incident.severity, event.receiver)
    mute = deciding.muted(subject, at)
    start = at if mute is None else mute.until  # when it is looked at again
    decision = deciding.decide(subject, start)
    firing = sum(alert.firing for alert in alerts)
    return Explained(
        kind="alerts",
        title=incident.title,
        severity=incident.severity,
        service=incident.service,
        group_labels=incident.group_labels,
        dedup_key=incident.dedup_key,
        firing=firing,
        resolved=len(alerts) - firing,
        promise=promise_of(catalogue, incident.labels),
        links=tuple(links_of(catalogue, incident)),
        against=_against(deciding, subject, decision, start),
        steps=_steps(catalogue, deciding, subject, decision, start) if firing else (Step(start, decision),),
        responds_within=deciding.respond_within(incident.severity),
        fallback=_fallback(catalogue, decision),
        mute=mute,
        event=deciding.event(subject, start),
    )


def _incident(
    catalogue: Catalogue, deciding: Deciding, event: Alerts, group: str, alerts: Sequence[Alert], at: float
) -> Incident:
    """What planning makes of it where nothing was there before. What has ended was told as it fired."""
    if not any(alert.firing for alert in alerts):
        alerts = [msgspec.structs.replace(alert, firing=True) for alert in alerts]
    by = catalogue.routing.group_by
    delivered = Delivered(
        group=group,
        group_labels=group_labels(alerts[0].labels, by),
        alerts=list(alerts),
        at=at,
        receiver=event.receiver,
        external_url=event.external_url,
    )
    incident = merge(None, delivered, rank=deciding.rank).incident
    assert incident is not None  # of what fires there is one
    return incident


def _against(deciding: Deciding, subject: Subject, decision: Decision, at: float) -> tuple[Considered, ...]:
    """The routes that were passed over: all of them where none fits."""
    return tuple(each for each in deciding.consider(subject, at)[: decision.route] if not each.fits)


def _steps(
    catalogue: Catalogue, deciding: Deciding, subject: Subject, first: Decision, start: float
) -> tuple[Step, ...]:
    steps = [Step(start, first)]
    wait = deciding.respond_within(subject.severity)
    if wait is None or not catalogue.routing.escalate or first.digest:
        return tuple(steps)
    told = set(first.contacts)
    while following := deciding.next(subject, steps[-1].at + wait, told):
        steps.append(Step(steps[-1].at + wait, following))
        told |= set(following.contacts)
    return tuple(steps)


def _fallback(catalogue: Catalogue, decision: Decision) -> tuple[Destination, ...]:
    names = [*decision.contacts, *catalogue.routing.fallback.to]
    contacts = {contact.name: contact for contact in catalogue.contacts}
    others = destinations_of(contacts[name] for name in names if name in contacts)
    first = [destination for _, destination in decision.destinations][:1]
    return tuple(each for each in others if each not in first)
