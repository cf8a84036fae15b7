"""What the rules of SLOs need: by what each is judged, over which windows, who records that; and what no rule tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from sla_kit.catalogue.model import Catalogue, Composite, External, Recovery, Service, Sli, Slo
from sla_kit.rules.conditions import BurnCondition, conditions_of, impossible
from sla_kit.rules.published import left_out, published_conditions, published_windows, read_from_exporter
from sla_kit.rules.recordings import LONGEST_APART, SHORT_SECONDS, Recorded, bucket_of, needs_rates
from sla_kit.rules.sides import sides_of
from sla_kit.rules.slo_alerts import Watched, windows_of

Key = tuple[str, str]


@dataclass(slots=True)
class Indicator:
    """What is recorded under one name: an indicator of its own, a composite of others, or what the exporter of SLOs
    publishes of an SLO."""

    name: str
    windows: set[int] = field(default_factory=set)
    recorded: Recorded | None = None
    composite: tuple[Composite, list[Key]] | None = None
    published: tuple[Service, Slo] | None = None


@dataclass(slots=True)
class Plan:
    """What the SLOs of one server need: ``named`` is the indicator that each is judged by, ``owner`` the first SLO of
    each indicator, with whose rules its own stand, ``first`` the first SLO of each service and indicator, ``recorder``
    the indicator that records a side in one way, ``together`` the SLOs by the documents (or else the one SLO) of which
    figures are published. For people to read are ``unread``, what no rule can tell, and ``notes`` of what the others
    read."""

    catalogue: Catalogue
    by_key: dict[Key, tuple[Service, Slo]]
    indicators: dict[str, Indicator] = field(default_factory=dict)
    named: dict[Key, str] = field(default_factory=dict)
    by_sides: dict[tuple[str, str], str] = field(default_factory=dict)
    owner: dict[str, Key] = field(default_factory=dict)
    first: dict[tuple[str, str], Key] = field(default_factory=dict)
    recorder: dict[tuple[str, str], str] = field(default_factory=dict)
    together: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    watched: dict[Key, Watched | None] = field(default_factory=dict)


def by_source(catalogue: Catalogue) -> dict[str, list[tuple[Service, Slo]]]:
    """The SLOs by the server whose rules watch them: of those that the exporter of SLOs tells of the first one, which
    has the alerts of the stack and scrapes it."""
    found: dict[str, list[tuple[Service, Slo]]] = {}
    published = read_from_exporter(catalogue)
    for service, slo in catalogue.slos():
        of_exporter = (service.name, slo.name) in published
        source = first_source(catalogue) if of_exporter else catalogue.source(service, slo)
        found.setdefault(source, []).append((service, slo))
    return found


def first_source(catalogue: Catalogue) -> str:
    """The first server that holds metrics, "" where none is named."""
    return next((server.name for server in catalogue.sources if not server.holds_logs), "")


def planned(catalogue: Catalogue, slos: Sequence[tuple[Service, Slo]]) -> Plan:
    """What the rules of some SLOs need, all of them for one server."""
    by_key = {(service.name, slo.name): (service, slo) for service, slo in catalogue.slos()}
    plan = Plan(catalogue, by_key)
    here = {(service.name, slo.name) for service, slo in slos}
    published = read_from_exporter(catalogue)
    for service, slo in slos:
        sli = catalogue.sli(service, slo)
        if (service.name, slo.name) in published:
            _published(plan, service, slo, sli)
        elif not isinstance(sli, Composite | Recovery | External):
            _single(plan, service, slo, sli)
    for service, slo in slos:
        sli = catalogue.sli(service, slo)
        if (service.name, slo.name) in published:
            continue
        if isinstance(sli, Composite):
            _composite(plan, service, slo, sli, here)
        elif isinstance(sli, External):
            plan.unread.append(f"{service.name}/{slo.name} is measured by {sli.type}, which no rule can read")
    for service, slo in slos:
        name = plan.named.get((service.name, slo.name))
        if name is not None:
            _want(plan, name, windows_of(slo, _conditions(plan, service, slo)))
            plan.first.setdefault((service.name, name), (service.name, slo.name))
            plan.unread.extend(
                f"{service.name}/{slo.name} can't burn {each.factor:g} times as fast as it may: no alert "
                f"{each.name} of it"
                for each in impossible(catalogue, slo)
            )
    for service, slo in slos:
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Recovery):
            target = sli.target(service.name)
            name = plan.named.get(target)
            if name is None:
                plan.unread.append(f"{service.name}/{slo.name} times the outages of what has no rules here")
            else:
                _want(plan, name, (_conditions(plan, *by_key[target])[0].short,))
        _fallback(plan, service, slo)
    for indicator in plan.indicators.values():
        if indicator.recorded is not None:
            windows = tuple(sorted(indicator.windows))
            long = [seconds for seconds in windows if seconds > SHORT_SECONDS]
            bucket = bucket_of(long)
            if indicator.recorded.sides.bad.apart:
                bucket = min(bucket, LONGEST_APART)
            indicator.recorded = msgspec.structs.replace(indicator.recorded, windows=windows, bucket=bucket)
            rates = needs_rates(indicator.recorded)
            for side in (indicator.recorded.sides.total, indicator.recorded.sides.bad):
                if rates:
                    plan.recorder.setdefault((side.name, "rate"), indicator.name)
                if long:
                    plan.recorder.setdefault((side.name, f"{indicator.recorded.bucket}"), indicator.name)
    for key, name in plan.named.items():
        plan.owner.setdefault(name, key)
    plan.watched = {(service.name, slo.name): _watched(plan, service, slo) for service, slo in slos}
    return plan


def _single(plan: Plan, service: Service, slo: Slo, sli: Sli) -> None:
    """An SLO with an indicator of its own, or one that is recorded for another SLO already."""
    sides = sides_of(plan.catalogue, service, slo, sli)
    if sides is None:
        return
    name = plan.by_sides.get(sides.key)
    if name is None:
        name = f"{service.name}/{slo.sli if isinstance(slo.sli, str) else slo.name}"
        if name in plan.indicators:
            name = f"{service.name}/{slo.name}"
        while name in plan.indicators:
            name += "'"
        plan.by_sides[sides.key] = name
        plan.indicators[name] = Indicator(name, recorded=Recorded(name, sides, (), 0))
    plan.named[service.name, slo.name] = name


def _published(plan: Plan, service: Service, slo: Slo, sli: Sli) -> None:
    """An SLO that the exporter of SLOs tells of: one on logs, or a composite with such a one."""
    key, name = (service.name, slo.name), f"{service.name}/{slo.name}"
    is_made = "is made of what logs measure" if isinstance(sli, Composite) else "is measured by logs"
    plan.notes.append(f"{name} {is_made}: its rules read what `sla-kit exporter slo` publishes of it")
    plan.unread.extend(left_out(plan.catalogue, service, slo))
    while name in plan.indicators:
        name += "'"
    plan.indicators[name] = Indicator(name, published=(service, slo))
    plan.named[key] = name
    plan.together.setdefault(documents(plan, service, slo), []).append(slo.name)


def documents(plan: Plan, service: Service, slo: Slo) -> tuple[str, str]:
    """What tells the documents that an SLO is judged by, within its service; a composite has its own."""
    sli = plan.catalogue.sli(service, slo)
    own = slo.name if isinstance(sli, Composite) else repr((plan.catalogue.source(service, slo), sli))
    return service.name, own


def _conditions(plan: Plan, service: Service, slo: Slo) -> tuple[BurnCondition, ...]:
    """The conditions under which an SLO's alerts fire."""
    name = plan.named.get((service.name, slo.name))
    if name is not None and plan.indicators[name].published is not None:
        return published_conditions(plan.catalogue, slo)
    return conditions_of(plan.catalogue, slo)


def _composite(plan: Plan, service: Service, slo: Slo, sli: Composite, here: set[Key]) -> None:
    name = f"{service.name}/{slo.name}"
    while name in plan.indicators:
        name += "'"
    parts = [part.target(service.name) for part in sli.of]
    if any(part not in here for part in parts):
        plan.unread.append(f"{service.name}/{slo.name} is made of SLOs of several servers, which no rule can read")
        return
    plan.indicators[name] = Indicator(name, composite=(sli, parts))
    plan.named[service.name, slo.name] = name


def _want(plan: Plan, name: str, windows: Sequence[int], depth: int = 0) -> None:
    """Notes that the error ratio of an indicator is read over some windows, and so that of a composite's parts."""
    indicator = plan.indicators[name]
    indicator.windows.update(windows)
    if indicator.composite is not None and depth < 20:
        for part in indicator.composite[1]:
            if part in plan.named:
                _want(plan, plan.named[part], windows, depth + 1)


def _fallback(plan: Plan, service: Service, slo: Slo) -> None:
    """Where a probe decides at low traffic, its error ratio is read over the windows of the SLO it stands in for."""
    target = _low_traffic(slo, service)
    if target is not None and target in plan.named and (service.name, slo.name) in plan.named:
        windows = [seconds for each in _conditions(plan, service, slo) for seconds in each.windows]
        _want(plan, plan.named[target], windows)
        published = plan.indicators[plan.named[target]].published
        if published is not None and not published_windows(plan.catalogue, *published).issuperset(windows):
            plan.unread.append(
                f"{service.name}/{slo.name} has windows over which nothing is published of {'/'.join(target)}: it does "
                "not decide at low traffic there"
            )


def _low_traffic(slo: Slo, service: Service) -> Key | None:
    if not slo.low_traffic:
        return None
    owner, _, name = slo.low_traffic.rpartition("/")
    return owner or service.name, name


def _watched(plan: Plan, service: Service, slo: Slo) -> Watched | None:
    name = plan.named.get((service.name, slo.name))
    if name is None:
        return None
    indicator = plan.indicators[name]
    target, low = _low_traffic(slo, service), None
    if target is not None and target in plan.named:
        low = (plan.named[target], float(f"{1 - plan.by_key[target][1].objective:.12g}"))
    published = indicator.published is not None
    return Watched(service, slo, name, _conditions(plan, service, slo), indicator.recorded, low, published)
