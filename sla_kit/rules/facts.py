"""What dashboards have to know of promises, as series: objectives, where alerts fire, and what maintenance left out.

A burn rate at which alerts fire is the same for all SLOs with the same windows; it is recorded once, and an objective
tells by its label ``pairs`` which are its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from sla_kit.catalogue.model import Service, Slo
from sla_kit.rules.conditions import BurnCondition
from sla_kit.rules.model import RecordingRule, RuleGroup
from sla_kit.rules.recordings import Recorded, divided, increase_name, maintained, ratio_name, ratio_series
from sla_kit.rules.sides import Side, events_matcher, promql_duration
from sla_kit.rules.slo_alerts import Watched
from sla_kit.selectors import quote

OBJECTIVE, BURN_LIMIT, WHOLE = "sla:objective:ratio", "sla:burn_limit:ratio", "sla:error_ratio_with_maintenance"
#: How often they are evaluated, in seconds: they hardly ever change.
_INTERVAL = 120.0


def fact_groups(
    slos: Sequence[tuple[Service, Slo]], watched: Iterable[Watched], groups: Iterable[RuleGroup]
) -> Iterator[RuleGroup]:
    """The groups of what dashboards have to know of some SLOs, of which some are ``watched`` by alerts, and whose other
    recordings are those of ``groups``."""
    recorded = {
        (rule.record, rule.labels["sli"])
        for group in groups
        for rule in group.rules
        if isinstance(rule, RecordingRule) and "sli" in rule.labels
    }
    by_key = {
        (each.service.name, each.slo.name): each
        for each in watched
        if (ratio_name(each.window), each.ratio) in recorded
    }
    facts = [objective_rule(service, slo, by_key.get((service.name, slo.name))) for service, slo in slos]
    limits = {pairs_of(each.conditions): each for each in by_key.values() if each.slo.objective < 1}
    facts += [rule for each in limits.values() for rule in burn_limit_rules(each)]
    yield RuleGroup("slo-facts", tuple(facts), _INTERVAL)
    apart: dict[tuple[str, int], dict[str, RecordingRule]] = {}
    whole: dict[str, dict[str, RecordingRule]] = {}
    for each in by_key.values():
        found = each.recorded
        if found is not None and found.sides.total.apart and each.window in found.long:
            kept = apart.setdefault((each.service.name, found.bucket), {})
            kept.update({_during(side): _apart_rule(found, side) for side in (found.sides.total, found.sides.bad)})
            rule = whole_rule(found, each.window)
            whole.setdefault(each.service.name, {})[f"{rule.record} {each.ratio}"] = rule
    for (name, bucket), rules in apart.items():
        yield RuleGroup(f"slo-{name}-maintenance-{promql_duration(bucket)}", tuple(rules.values()), float(bucket))
    for name, rules in whole.items():
        yield RuleGroup(f"slo-{name}-with-maintenance", tuple(rules.values()), _INTERVAL)


def objective_rule(service: Service, slo: Slo, watched: Watched | None) -> RecordingRule:
    """The objective of an SLO; its labels tell which recorded error ratio it is judged by (``sli`` and ``window``),
    where there is one."""
    labels = {"service": service.name, "slo": slo.name, "promise": slo.promise}
    if watched is not None:
        labels |= {"sli": watched.ratio, "window": promql_duration(watched.window)}
        labels |= {"pairs": pairs_of(watched.conditions)} if slo.objective < 1 else {}
    return RecordingRule(OBJECTIVE, f"vector({slo.objective!r})", {key: text for key, text in labels.items() if text})


@lru_cache(maxsize=1024)
def pairs_of(conditions: tuple[BurnCondition, ...]) -> str:
    """A name for the windows and limits of some alerts, which is another as soon as they are."""
    told = [(each.severity, each.long, each.short, each.factor, each.name) for each in conditions]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:8]


def burn_limit_rules(watched: Watched) -> Iterator[RecordingRule]:
    """The burn rates at which alerts fire, a series for each pair of windows."""
    for condition in watched.conditions:
        labels = {
            "pairs": pairs_of(watched.conditions),
            "severity": condition.severity,
            "long_window": promql_duration(condition.long),
            "short_window": promql_duration(condition.short),
        }
        named = {"condition": condition.name} if condition.name else {}
        yield RecordingRule(BURN_LIMIT, f"vector({condition.factor!r})", labels | named)


def whole_rule(recorded: Recorded, seconds: int) -> RecordingRule:
    """The error ratio over a window with what happened during maintenance, which all others leave out."""
    total, bad = (_whole(recorded, side, seconds) for side in (recorded.sides.total, recorded.sides.bad))
    filled = f"{divided(total, bad)}\nand on () {ratio_series(recorded.name, seconds)}"
    return RecordingRule(f"{WHOLE}:{promql_duration(seconds)}", filled, {"sli": recorded.name})


def _whole(recorded: Recorded, side: Side, seconds: int) -> str:
    name, length = increase_name(recorded.bucket), promql_duration(seconds)
    kept = f"sum(sum_over_time({name}{events_matcher(side)}[{length}]))"
    apart = f"sum(sum_over_time({name}{{events={quote(_during(side))}}}[{length}]))"
    return f"({kept} + ({apart} or vector(0)))"


def _apart_rule(recorded: Recorded, side: Side) -> RecordingRule:
    """The events of each bucket that maintenance touches."""
    during = f"{side.bucket(recorded.bucket)}\nand on () {maintained(side, recorded.bucket)}"
    return RecordingRule(increase_name(recorded.bucket), during, {"events": _during(side)})


def _during(side: Side) -> str:
    return side.name.replace(f" outside maintenance of {side.apart}", f" during maintenance of {side.apart}")
