"""The rules that follow from a catalogue's promises: recordings, alerts on the error budgets, and their tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sla_kit.catalogue.model import Catalogue, Recovery, Service, Sli, Slo
from sla_kit.rules.composites import composite_rule
from sla_kit.rules.conditions import conditions_of
from sla_kit.rules.facts import fact_groups
from sla_kit.rules.model import AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup, RuleTestFile
from sla_kit.rules.planning import Indicator, Plan, by_source, documents, first_source, planned
from sla_kit.rules.published import (
    published_rule,
)
from sla_kit.rules.recordings import (
    SHORT_SECONDS,
    Recorded,
    bucket_rule,
    direct_rule,
    needs_rates,
    rate_rule,
    ratio_rule,
)
from sla_kit.rules.sides import Side
from sla_kit.rules.slo_alerts import Watched, alerts_of, no_data_of, too_slow_of, windows_of

#: So often long windows are summed, in seconds: seldom, since they are long, and often enough that Prometheus, which
#: takes a series to be gone after five minutes, always has a value.
LONG_INTERVAL = 120.0
#: So often long windows are read from raw samples while they are not recorded yet.
DIRECT_INTERVAL = 240.0
#: As many SLOs one group holds at most, so that those of a large service are evaluated side by side.
GROUP_SLOS = 20


def rule_files(catalogue: Catalogue, at: float = 0.0) -> tuple[RuleFile, ...]:
    """The rules of every SLO: ``slo-recordings`` and ``slo`` (the alerts) for the first or only server, the same with
    ``-<source>`` for each further one that holds the metrics of some: rules can only read what their server holds.
    Alerts have groups of their own, so that no slow recording delays them. ``at`` is not needed yet: nothing of the
    rules depends on the time at which they are written."""
    files: list[RuleFile] = []
    for source, slos in by_source(catalogue).items():
        plan = planned(catalogue, slos)
        groups = [group for chunk in _chunks(slos) for group in _groups(plan, chunk)]
        if not catalogue.monitoring.areas.get("slo", True):
            continue
        watched = [each for each in plan.watched.values() if each is not None]
        groups += fact_groups(slos, watched, groups)
        suffix = "" if source == first_source(catalogue) else f"-{source}"
        for name, alerts, comment in (
            ("slo-recordings", False, "What is counted of each SLO, and its error ratios."),
            ("slo", True, "Alerts that follow from the SLOs."),
        ):
            chosen = tuple(group for group in groups if _alerts(group) is alerts)
            if chosen:
                files.append(RuleFile(name + suffix, chosen, "\n".join((comment, *plan.notes, *plan.unread))))
    return tuple(files)


def _alerts(group: RuleGroup) -> bool:
    return isinstance(group.rules[0], AlertingRule)


def left_out(catalogue: Catalogue) -> tuple[str, ...]:
    """What SLOs promise and no rule tells, a sentence each; nothing where the area is off."""
    if not catalogue.monitoring.areas.get("slo", True):
        return ()
    return tuple(text for slos in by_source(catalogue).values() for text in planned(catalogue, slos).unread)


def watched_slos(catalogue: Catalogue) -> tuple[Watched, ...]:
    """Every SLO that has alerts, with what they read."""
    return tuple(
        watched
        for slos in by_source(catalogue).values()
        for watched in planned(catalogue, slos).watched.values()
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


# --- groups -----------------------------------------------------------------------------------------------------------


def _groups(plan: Plan, chunk: tuple[str, Sequence[tuple[Service, Slo]]]) -> Iterator[RuleGroup]:
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
            together = plan.together[documents(plan, service, slo)] if watched.published else []
            first = (service.name, together[0]) if together else plan.first[service.name, watched.ratio]
            if first == (service.name, slo.name):
                alerts.extend(no_data_of(plan.catalogue, watched, together))
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


def _ratio(plan: Plan, indicator: Indicator, seconds: int, cold: bool) -> RecordingRule | None:
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


def _recovery(plan: Plan, service: Service, slo: Slo) -> Iterator[Rule]:
    sli: Sli = plan.catalogue.sli(service, slo)
    if isinstance(sli, Recovery):
        outage = plan.watched.get(sli.target(service.name))
        if outage is not None and outage.slo.objective < 1:
            yield from too_slow_of(plan.catalogue, service, slo, sli.within, outage)


def _first_seen(plan: Plan, recorded: Recorded, needed: bool, kind: str) -> Iterator[Side]:
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
