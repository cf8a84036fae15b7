"""The rules that follow from a catalogue's promises: recordings, alerts on the error budgets, and their tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from sla_kit.catalogue.model import Catalogue, Composite, External, Recovery, Service, Sli, Slo
from sla_kit.configuration.quantities import format_duration
from sla_kit.rules.composites import composite_rule
from sla_kit.rules.conditions import BurnCondition, conditions_of, impossible
from sla_kit.rules.facts import fact_groups
from sla_kit.rules.model import AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup, RuleTestFile
from sla_kit.rules.published import known, published_rule
from sla_kit.rules.recordings import (
    LONGEST_APART,
    SHORT_SECONDS,
    Recorded,
    bucket_of,
    bucket_rule,
    direct_rule,
    needs_rates,
    rate_rule,
    ratio_rule,
)
from sla_kit.rules.sides import Side, sides_of
from sla_kit.rules.slo_alerts import Watched, alerts_of, no_data_of, too_slow_of, windows_of

#: So often long windows are summed, in seconds: seldom, since they are long, and often enough that Prometheus, which
#: takes a series to be gone after five minutes, always has a value.
LONG_INTERVAL = 120.0
#: So often long windows are read from raw samples while they are not recorded yet.
DIRECT_INTERVAL = 240.0
#: As many SLOs one group holds at most, so that those of a large service are evaluated side by side.
GROUP_SLOS = 20

_Key = tuple[str, str]


@dataclass(slots=True)
class _Indicator:
    """What is recorded under one name: an indicator of its own, a composite of others, or what the exporter of promises
    publishes of an SLO on logs."""

    name: str
    windows: set[int] = field(default_factory=set)
    recorded: Recorded | None = None
    composite: tuple[Composite, list[_Key]] | None = None
    published: tuple[Service, Slo] | None = None


@dataclass(slots=True)
class _Plan:
    """What the SLOs of one server need: ``named`` is the indicator that each is judged by, ``owner`` the first SLO of
    each indicator, with whose rules its own stand, ``first`` the first SLO of each service and indicator, ``recorder``
    the indicator that records a side in one way, ``unread`` what no rule can tell, for people to read."""

    catalogue: Catalogue
    by_key: dict[_Key, tuple[Service, Slo]]
    indicators: dict[str, _Indicator] = field(default_factory=dict)
    named: dict[_Key, str] = field(default_factory=dict)
    by_sides: dict[tuple[str, str], str] = field(default_factory=dict)
    owner: dict[str, _Key] = field(default_factory=dict)
    first: dict[tuple[str, str], _Key] = field(default_factory=dict)
    recorder: dict[tuple[str, str], str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    watched: dict[_Key, Watched | None] = field(default_factory=dict)


def rule_files(catalogue: Catalogue, at: float = 0.0) -> tuple[RuleFile, ...]:
    """The rules of every SLO: ``slo-recordings`` and ``slo`` (the alerts) for the first or only server, the same with
    ``-<source>`` for each further one that holds the metrics of some: rules can only read what their server holds.
    Alerts have groups of their own, so that no slow recording delays them. ``at`` is not needed yet: nothing of the
    rules depends on the time at which they are written."""
    files: list[RuleFile] = []
    for source, slos in _by_source(catalogue).items():
        plan = _planned(catalogue, slos)
        groups = [group for chunk in _chunks(slos) for group in _groups(plan, chunk)]
        if not catalogue.monitoring.areas.get("slo", True):
            continue
        watched = [each for each in plan.watched.values() if each is not None]
        groups += fact_groups(slos, watched, groups)
        suffix = "" if source == _first_source(catalogue) else f"-{source}"
        for name, alerts, comment in (
            ("slo-recordings", False, "What is counted of each SLO, and its error ratios."),
            ("slo", True, "Alerts that follow from the SLOs."),
        ):
            chosen = tuple(group for group in groups if _alerts(group) is alerts)
            if chosen:
                files.append(RuleFile(name + suffix, chosen, "\n".join((comment, *plan.unread))))
    return tuple(files)


def _alerts(group: RuleGroup) -> bool:
    return isinstance(group.rules[0], AlertingRule)


def watched_slos(catalogue: Catalogue) -> tuple[Watched, ...]:
    """Every SLO that has alerts, with what they read."""
    return tuple(
        watched
        for slos in _by_source(catalogue).values()
        for watched in _planned(catalogue, slos).watched.values()
        if watched is not None
    )


def test_files(catalogue: Catalogue, at: float = 0.0) -> tuple[RuleTestFile, ...]:  # noqa: PT028
    """promtool's tests of every alert on an SLO."""
    from sla_kit.rules.slo_tests import STEP, tests_of

    files: list[RuleTestFile] = []
    for file in rule_files(catalogue, at):
        written = {id(rule): rule for group in file.groups for rule in group.rules}
        tests = tuple(tests_of(tuple(written.values())))
        if tests:
            files.append(RuleTestFile(file.name, (file.name,), tests, STEP))
    return tuple(files)


test_files.__test__ = False  # type: ignore[attr-defined]  # its name is no test's


def base_rules(catalogue: Catalogue) -> dict[str, tuple[RuleGroup, ...]]:
    """By file, the groups of rules that are recorded straight from samples: what a backfill has to fill. Windows and
    alerts follow from them by themselves."""
    found: dict[str, tuple[RuleGroup, ...]] = {}
    for file in rule_files(catalogue):
        groups = [
            replace(group, rules=tuple(rule for rule in group.rules if _is_base(rule)))
            for group in file.groups
            if any(_is_base(rule) for rule in group.rules)
        ]
        found[file.name] = tuple(groups)
    return found


def longest_window(catalogue: Catalogue) -> int:
    """The longest window in seconds that any alert reads."""
    return max(
        (seconds for _, slo in catalogue.slos() for seconds in windows_of(slo, conditions_of(catalogue, slo))),
        default=0,
    )


def _is_base(rule: Rule) -> bool:
    return isinstance(rule, RecordingRule) and rule.record.startswith("sla:events:")


# --- what is needed ---------------------------------------------------------------------------------------------------


def _planned(catalogue: Catalogue, slos: Sequence[tuple[Service, Slo]]) -> _Plan:
    by_key = {(service.name, slo.name): (service, slo) for service, slo in catalogue.slos()}
    plan = _Plan(catalogue, by_key)
    here = {(service.name, slo.name) for service, slo in slos}
    for service, slo in slos:
        sli = catalogue.sli(service, slo)
        if catalogue.of_logs(sli):
            _published(plan, service, slo)
        elif not isinstance(sli, Composite | Recovery | External):
            _single(plan, service, slo, sli)
    for service, slo in slos:
        sli = catalogue.sli(service, slo)
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


def _single(plan: _Plan, service: Service, slo: Slo, sli: Sli) -> None:
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
        plan.indicators[name] = _Indicator(name, recorded=Recorded(name, sides, (), 0))
    plan.named[service.name, slo.name] = name


def _published(plan: _Plan, service: Service, slo: Slo) -> None:
    """An SLO on logs, whose error ratios come from the exporter of promises."""
    key, name = (service.name, slo.name), f"{service.name}/{slo.name}"
    conditions = conditions_of(plan.catalogue, slo)
    kept = known(plan.catalogue, slo, conditions)
    if not kept:
        plan.unread.append(f"{name} is measured by logs, and none of its alerts' windows is published: it has no rules")
        return
    plan.unread.append(f"{name} is measured by logs: its rules read what `sla-kit exporter slo` publishes of it")
    plan.unread.extend(
        f"{name} has a burn rate published over other windows than {format_duration(each.long)} and "
        f"{format_duration(each.short)}: no such alert of it"
        for each in conditions
        if each not in kept
    )
    while name in plan.indicators:
        name += "'"
    plan.indicators[name] = _Indicator(name, published=(service, slo))
    plan.named[key] = name


def _conditions(plan: _Plan, service: Service, slo: Slo) -> tuple[BurnCondition, ...]:
    """The conditions under which an SLO's alerts fire, of one on logs those whose windows are published."""
    found = conditions_of(plan.catalogue, slo)
    name = plan.named.get((service.name, slo.name))
    published = name is not None and plan.indicators[name].published is not None
    return known(plan.catalogue, slo, found) if published else found


def _composite(plan: _Plan, service: Service, slo: Slo, sli: Composite, here: set[_Key]) -> None:
    name = f"{service.name}/{slo.name}"
    while name in plan.indicators:
        name += "'"
    parts = [part.target(service.name) for part in sli.of]
    if any(part not in here for part in parts):
        plan.unread.append(f"{service.name}/{slo.name} is made of SLOs of several servers, which no rule can read")
        return
    plan.indicators[name] = _Indicator(name, composite=(sli, parts))
    plan.named[service.name, slo.name] = name


def _want(plan: _Plan, name: str, windows: Sequence[int], depth: int = 0) -> None:
    """Notes that the error ratio of an indicator is read over some windows, and so that of a composite's parts."""
    indicator = plan.indicators[name]
    indicator.windows.update(windows)
    if indicator.composite is not None and depth < 20:
        for part in indicator.composite[1]:
            if part in plan.named:
                _want(plan, plan.named[part], windows, depth + 1)


def _fallback(plan: _Plan, service: Service, slo: Slo) -> None:
    """Where a probe decides at low traffic, its error ratio is read over the windows of the SLO it stands in for."""
    target = _low_traffic(slo, service)
    if target is not None and target in plan.named and (service.name, slo.name) in plan.named:
        windows = [seconds for each in _conditions(plan, service, slo) for seconds in each.windows]
        _want(plan, plan.named[target], windows)


def _low_traffic(slo: Slo, service: Service) -> _Key | None:
    if not slo.low_traffic:
        return None
    owner, _, name = slo.low_traffic.rpartition("/")
    return owner or service.name, name


def _watched(plan: _Plan, service: Service, slo: Slo) -> Watched | None:
    name = plan.named.get((service.name, slo.name))
    if name is None:
        return None
    indicator = plan.indicators[name]
    target, low = _low_traffic(slo, service), None
    if target is not None and target in plan.named:
        low = (plan.named[target], float(f"{1 - plan.by_key[target][1].objective:.12g}"))
    return Watched(service, slo, name, _conditions(plan, service, slo), indicator.recorded, low)


# --- groups -----------------------------------------------------------------------------------------------------------


def _groups(plan: _Plan, chunk: tuple[str, Sequence[tuple[Service, Slo]]]) -> Iterator[RuleGroup]:
    """The groups of some SLOs of one service: what is evaluated at every turn, buckets, and long windows."""
    name, slos = chunk
    mine = [
        indicator
        for service, slo in slos
        if (key := plan.named.get((service.name, slo.name))) is not None
        for indicator in [plan.indicators[key]]
        if plan.owner[indicator.name] == (service.name, slo.name)
    ]
    quick: list[Rule] = []
    slow: list[Rule] = []
    direct: list[Rule] = []
    buckets: dict[int, list[Rule]] = {}
    cold = plan.catalogue.monitoring.slo.cold_start == "direct"
    for indicator in mine:
        if indicator.recorded is not None:
            for side in _first_seen(plan, indicator.recorded, needs_rates(indicator.recorded), "rate"):
                quick.append(rate_rule(side))
            bucket = indicator.recorded.bucket
            for side in _first_seen(plan, indicator.recorded, bool(indicator.recorded.long), f"{bucket}"):
                buckets.setdefault(bucket, []).append(bucket_rule(side, bucket))
    for indicator in mine:
        for seconds in sorted(indicator.windows):
            rule = _ratio(plan, indicator, seconds, cold)
            if rule is not None:
                (quick if seconds <= SHORT_SECONDS else slow).append(rule)
            if cold and indicator.recorded is not None and seconds > 300:
                direct.append(direct_rule(indicator.recorded, seconds))
    alerts: list[Rule] = []
    for service, slo in slos:
        watched = plan.watched[service.name, slo.name]
        if watched is not None:
            alerts.extend(alerts_of(plan.catalogue, watched))
            if plan.first[service.name, watched.ratio] == (service.name, slo.name):
                alerts.extend(no_data_of(plan.catalogue, watched))
        alerts.extend(_recovery(plan, service, slo))
    yield from _group(f"slo-{name}-alerts", alerts, plan.catalogue.monitoring.evaluation_interval)
    yield from _group(f"slo-{name}", quick, plan.catalogue.monitoring.evaluation_interval)
    yield from _group(f"slo-{name}-long", slow, max(LONG_INTERVAL, plan.catalogue.monitoring.evaluation_interval))
    for bucket, rules in buckets.items():
        yield from _group(f"slo-{name}-buckets" + (f"-{bucket}s" if len(buckets) > 1 else ""), rules, float(bucket))
    yield from _group(f"slo-{name}-direct", direct, DIRECT_INTERVAL)


def _group(name: str, rules: list[Rule], interval: float) -> Iterator[RuleGroup]:
    if rules:
        yield RuleGroup(name, tuple(rules), interval)


def _ratio(plan: _Plan, indicator: _Indicator, seconds: int, cold: bool) -> RecordingRule | None:
    if indicator.recorded is not None:
        return ratio_rule(indicator.recorded, seconds, cold)
    if indicator.published is not None:
        return published_rule(*indicator.published, indicator.name, seconds)
    assert indicator.composite is not None
    sli, parts = indicator.composite
    if any(part not in plan.named for part in parts):
        return None
    named = [plan.named[part] for part in parts]
    return composite_rule(sli, indicator.name, [(name, plan.indicators[name].recorded) for name in named], seconds)


def _recovery(plan: _Plan, service: Service, slo: Slo) -> Iterator[Rule]:
    sli: Sli = plan.catalogue.sli(service, slo)
    if isinstance(sli, Recovery):
        outage = plan.watched.get(sli.target(service.name))
        if outage is not None and outage.slo.objective < 1:
            yield from too_slow_of(plan.catalogue, service, slo, sli.within, outage)


def _first_seen(plan: _Plan, recorded: Recorded, needed: bool, kind: str) -> Iterator[Side]:
    """The sides of an indicator that no indicator before it records in the same way."""
    if not needed:
        return
    seen: set[str] = set()
    for side in (recorded.sides.total, recorded.sides.bad):
        if plan.recorder[side.name, kind] == recorded.name and side.name not in seen:
            seen.add(side.name)
            yield side


def _chunks(slos: Sequence[tuple[Service, Slo]]) -> Iterator[tuple[str, Sequence[tuple[Service, Slo]]]]:
    """The SLOs of each service, some at a time, with a name."""
    by_service: dict[str, list[tuple[Service, Slo]]] = {}
    for service, slo in slos:
        by_service.setdefault(service.name, []).append((service, slo))
    for name, mine in by_service.items():
        for start in range(0, len(mine), GROUP_SLOS):
            yield (
                (name if len(mine) <= GROUP_SLOS else f"{name}-{start // GROUP_SLOS + 1}"),
                mine[start : start + GROUP_SLOS],
            )


def _by_source(catalogue: Catalogue) -> dict[str, list[tuple[Service, Slo]]]:
    """The SLOs by the server whose rules watch them: of those on logs the first one, which has the alerts of the stack
    and scrapes the exporter of promises."""
    found: dict[str, list[tuple[Service, Slo]]] = {}
    for service, slo in catalogue.slos():
        of_logs = catalogue.of_logs(catalogue.sli(service, slo))
        source = _first_source(catalogue) if of_logs else catalogue.source(service, slo)
        found.setdefault(source, []).append((service, slo))
    return found


def _first_source(catalogue: Catalogue) -> str:
    return next((server.name for server in catalogue.sources if not server.holds_logs), "")
