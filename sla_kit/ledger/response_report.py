"""How the incidents of a period were responded to, as a report tells it: by severity, team and service. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from sla_kit.catalogue.model import Catalogue, Recovery
from sla_kit.engine.results import Period
from sla_kit.ledger import response_times as figures
from sla_kit.routing.deciding.severities import Severities
from sla_kit.routing.deciding.subjects import value_of
from sla_kit.routing.delivering import Response

#: Of (service, SLO) the seconds within which its outages are to be over; "" is any SLO of the service.
RecoverWithin = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Handled:
    """One incident as it stood at the end of a period; times are epoch seconds and seconds.

    ``recovered`` is None where it was open then; ``recover_seconds`` is how long it had lasted by then.
    ``acknowledge_seconds`` is None where nobody had taken it. ``acknowledge_within`` and ``recover_within`` are what
    the catalogue promises, None where it promises nothing; whether that was kept is None, too, where it could still
    be. ``escalations`` is None where they were not recorded.
    """

    title: str
    severity: str
    team: str
    service: str
    opened: float
    recovered: float | None
    recover_seconds: float
    acknowledge_seconds: float | None
    acknowledge_within: float | None
    acknowledged_in_time: bool | None
    recover_within: float | None
    recovered_in_time: bool | None
    escalations: int | None

    @property
    def open(self) -> bool:
        """Whether it was not over at the end of the period."""
        return self.recovered is None


@dataclass(frozen=True, slots=True)
class Spread:
    """Seconds of ``known`` incidents, and of ``open`` ones that will take longer than they have. None where there is
    none, or where the rank falls on an open one."""

    known: int
    open: int
    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Of ``judged`` incidents, for which there is a promise, ``in_time`` kept it. ``within`` is the promise in seconds
    where it is the same for all of them."""

    judged: int
    in_time: int
    within: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents of one severity; of one team and service as well where these are not None. ``acknowledged`` of them
    somebody took, ``open`` ones were not over; ``escalated`` is None where that was not recorded of all."""

    severity: str
    team: str | None
    service: str | None
    incidents: int
    open: int
    acknowledged: int
    escalated: int | None
    acknowledge: Spread
    recover: Spread
    acknowledged_in_time: Kept
    recovered_in_time: Kept

    @property
    def unacknowledged(self) -> int:
        """Those that nobody had taken."""
        return self.incidents - self.acknowledged


@dataclass(frozen=True, slots=True)
class ResponseReport:
    """The incidents of a period by when they opened: those that were over in it, and those open at its end. ``records``
    is the number of the ledger's last response then, ``services`` those that were asked for (none means all), and
    ``compared`` the same of what the report is compared with."""

    period: Period
    records: int
    incidents: tuple[Handled, ...]
    services: tuple[str, ...] = ()
    compared: ResponseReport | None = None

    def of(self, services: Collection[str]) -> ResponseReport:
        """The incidents of some services."""
        mine = tuple(one for one in self.incidents if one.service in services)
        return replace(self, incidents=mine, compared=None if self.compared is None else self.compared.of(services))

    @property
    def open(self) -> list[Handled]:
        """Those that were not over at the end, the longest first."""
        return [one for one in self.incidents if one.open]

    def severities(self) -> list[Group]:
        """One group a severity: first those that somebody must respond to soonest."""
        return _groups(self.incidents, lambda one: (one.severity, None, None))

    def groups(self) -> list[Group]:
        """One group for each severity, team and service, in the same order."""
        return _groups(self.incidents, lambda one: (one.severity, one.team, one.service))


def response_report(
    responses: Iterable[Response],
    catalogue: Catalogue,
    period: Period,
    *,
    records: int = 0,
    services: Collection[str] = (),
) -> ResponseReport:
    """What a report tells of ``responses``: those of the catalogue's environment (or that name none), and of some
    ``services`` where any are named. What happened after the period's end is not known yet then."""
    promised, severities = recover_within(catalogue), Severities(catalogue)
    renamed, owners = catalogue.monitoring.labels, {one.name: one.owner for one in catalogue.services}
    found = []
    for one in responses:
        if not (one.opened_at < period.end and one.resolved_at > period.start):
            continue
        environment = value_of(one.labels, "environment", renamed)
        service = value_of(one.labels, "service", renamed)
        elsewhere = bool(environment and catalogue.environment and environment != catalogue.environment)
        if elsewhere or (services and service not in services):
            continue
        found.append(
            _handled(
                one,
                float(period.end),
                service=service,
                team=value_of(one.labels, "team", renamed) or owners.get(service, ""),
                respond=severities.respond_within(one.severity),
                recover=promised.get((service, value_of(one.labels, "slo", renamed))),
            )
        )
    found.sort(key=lambda one: (one.opened, one.title))
    return ResponseReport(period, records, tuple(found), tuple(services))


def recover_within(catalogue: Catalogue) -> RecoverWithin:
    """What SLOs on the time to recover promise: of the SLO that each of them times, and of its service the strictest,
    for incidents that name no SLO."""
    found: dict[tuple[str, str], float] = {}
    for service, slo in catalogue.slos():
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Recovery):
            of = sli.target(service.name)
            for key in (of, (of[0], ""), (service.name, "")):
                found[key] = min(found.get(key, math.inf), sli.within)
    return found


def spread(known: Iterable[float], open: int) -> Spread:
    """The median and the 90th percentile by nearest rank. An ``open`` one counts as longer than any that is known: it
    can't make a figure shorter."""
    ordered = sorted(known)
    longer = [*ordered, *[math.inf] * open]
    median, p90 = (figures.percentile(longer, percent) for percent in (50, 90))
    return Spread(len(ordered), open, _finite(median), _finite(p90))


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds


def _handled(
    response: Response, end: float, *, service: str, team: str, respond: float | None, recover: float | None
) -> Handled:
    open = response.resolved_at > end
    known = structs.replace(
        response,
        told_at=_by(response.told_at, end),
        acknowledged_at=_by(response.acknowledged_at, end),
        resolved_at=min(response.resolved_at, end),
    )
    taken, lasted = figures.seconds_to_acknowledge(known), figures.seconds_to_recover(known)
    acknowledged_in_time = figures.in_time(known, respond)
    if open and taken is None and acknowledged_in_time:
        acknowledged_in_time = None  # there is still time
    recovered_in_time = None if recover is None or (open and lasted <= recover) else not open and lasted <= recover
    return Handled(
        title=response.title,
        severity=response.severity,
        team=team,
        service=service,
        opened=response.opened_at,
        recovered=None if open else response.resolved_at,
        recover_seconds=lasted,
        acknowledge_seconds=taken,
        acknowledge_within=respond,
        acknowledged_in_time=acknowledged_in_time,
        recover_within=recover,
        recovered_in_time=recovered_in_time,
        escalations=response.escalations,
    )


def _by(moment: float | None, end: float) -> float | None:
    return None if moment is None or moment > end else moment


def _groups(incidents: Iterable[Handled], key: Callable[[Handled], tuple[str, str | None, str | None]]) -> list[Group]:
    held: dict[tuple[str, str | None, str | None], list[Handled]] = {}
    for one in incidents:
        held.setdefault(key(one), []).append(one)

    def urgency(found: tuple[str, str | None, str | None]) -> tuple[float, str, str, str]:
        within = held[found][0].acknowledge_within
        return math.inf if within is None else within, found[0], found[1] or "", found[2] or ""

    return [_group(*found, held[found]) for found in sorted(held, key=urgency)]


def _group(severity: str, team: str | None, service: str | None, held: Sequence[Handled]) -> Group:
    taken = [one.acknowledge_seconds for one in held if one.acknowledge_seconds is not None]
    escalations = [one.escalations for one in held if one.escalations is not None]
    return Group(
        severity=severity,
        team=team,
        service=service,
        incidents=len(held),
        open=sum(one.open for one in held),
        acknowledged=len(taken),
        escalated=sum(one > 0 for one in escalations) if len(escalations) == len(held) else None,
        acknowledge=spread(taken, sum(one.open and one.acknowledge_seconds is None for one in held)),
        recover=spread((one.recover_seconds for one in held if not one.open), sum(one.open for one in held)),
        acknowledged_in_time=_kept((one.acknowledged_in_time, one.acknowledge_within) for one in held),
        recovered_in_time=_kept((one.recovered_in_time, one.recover_within) for one in held),
    )


def _kept(verdicts: Iterable[tuple[bool | None, float | None]]) -> Kept:
    judged = [(kept, within) for kept, within in verdicts if kept is not None]
    promises = {within for _, within in judged}
    return Kept(len(judged), sum(kept for kept, _ in judged), promises.pop() if len(promises) == 1 else None)
