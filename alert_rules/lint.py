"""What people get wrong in alert rules, found before Prometheus is asked: by promql-parser and the inventory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sla_kit.alert_rules import Resolved
from sla_kit.alert_rules.alert import Breach, Quiet
from sla_kit.alert_rules.inventory import find
from sla_kit.alert_rules.label_flow import (
    MOVES,
    RISES,
    Flow,
    bare,
    bare_counter,
    comparisons,
    filters,
    joins,
    selectors,
    subqueries,
    walk,
)
from sla_kit.alert_rules.rendering import labels_used, uses_value
from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.model import AlertingRule

#: A runbook that says less helps nobody at night.
RUNBOOK_WORDS = 120
RUNBOOK_SECTIONS = ("Meaning", "Impact", "First checks", "Mitigation", "Escalation")
_QUANTILE = "histogram_quantile"
_DAY = 86400.0


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with an alert."""

    alert: str
    message: str

    def __str__(self) -> str:
        return f"{self.alert}: {self.message}"


def lint(catalogue: Catalogue, alerts: Iterable[Resolved]) -> list[Problem]:
    """Everything that is wrong with the alerts as the catalogue has them, sorted, each once."""
    every, scrape = list(alerts), catalogue.monitoring.scrape_interval
    renamed = catalogue.monitoring.labels
    kept = frozenset(renamed.get(label, label) for label in catalogue.monitoring.keep_labels)
    found: set[Problem] = set()
    known = {each.alert.name for each in every}
    for each in every:
        messages = [*_declared(each, known)]
        for rule in each.rules:
            messages += _written(rule, scrape, kept, renamed, each)
        found.update(Problem(each.alert.name, message) for message in messages)
    return sorted(found)


def _declared(each: Resolved, known: Set[str]) -> Iterator[str]:
    """What is wrong with the declaration, whatever its expression."""
    alert, area = each.alert, each.settings.area
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", alert.name):
        yield "its name is not written LikeThis"
    if not alert.always and not any(isinstance(case, Breach) for case in alert.cases):
        yield "no case in which it fires"
    if alert.thresholds and not alert.always:
        nearly = any(
            isinstance(case, Quiet) or any(shape.near is not None for shape in case.series.values())
            for case in alert.cases
        )
        if not nearly:
            yield "no case in which it nearly fires (near, or a Quiet)"
    for name in (*alert.inhibited_by, *alert.cluster_inhibited_by):
        if name not in known:
            yield f"inhibited by {name}, which is no alert"
    used = " ".join((alert.expression, alert.summary, alert.description))
    for name in alert.thresholds:
        if not re.search(rf"\$\{{?{name}\b|\[\[{name}\]\]", used):
            yield f"its threshold {name} is used nowhere"
    yield from _runbook(area.name, alert.name)


def _runbook(area: str, name: str) -> Iterator[str]:
    page = files("sla_kit.alert_rules") / "runbooks" / area / f"{name}.md"
    if not page.is_file():
        yield f"there is no runbook runbooks/{area}/{name}.md"
        return
    text = page.read_text(encoding="utf-8")
    if len(text.split()) < RUNBOOK_WORDS:
        yield f"its runbook has fewer than {RUNBOOK_WORDS} words"
    sections = re.findall(r"^## (.+?)\s*$", text, re.MULTILINE)
    for section in RUNBOOK_SECTIONS:
        if section not in sections:
            yield f"its runbook has no section {section}"


def _written(
    rule: AlertingRule, scrape: float, kept: frozenset[str], renamed: Mapping[str, str], each: Resolved
) -> Iterator[str]:
    """What is wrong with the rule as Prometheus will read it."""
    import promql_parser

    try:
        tree = promql_parser.parse(rule.expression)
    except ValueError as error:
        yield f"promql-parser can't read it: {' '.join(str(error).split())}"
        return
    flow = Flow(kept, renamed)
    labels = flow.labels(tree) or frozenset()
    yield from flow.problems
    yield from _functions(tree, scrape)
    for comparison in comparisons(tree):
        counter = bare_counter(comparison.lhs) or bare_counter(comparison.rhs)
        if counter:
            yield f"compares the counter {counter} itself, not its rate"
    if not filters(tree) and not each.alert.always:
        yield "compares nothing: it fires wherever its series are"
    for join in joins(tree):
        if not join.modifier.group_labels and _is_info(join.rhs if "group_left" in str(join.modifier) else join.lhs):
            yield "joins an info metric but takes no label from it: name some in group_left"
    yield from _past(tree, kept, renamed)
    longest = max((seconds for _, _, seconds in selectors(tree)), default=0.0)
    if rule.pending_seconds < 2 * scrape and (rule.pending_seconds or longest < 4 * scrape) and not each.alert.always:
        yield "its for is shorter than two scrapes"
    yield from _texts(rule, labels, each)
    if not each.alert.missing_fires and not each.alert.always:
        yield from (f"drops the label {name}" for name in sorted(kept - labels))


def _functions(tree: Any, scrape: float) -> Iterator[str]:
    quantiles = [each for each in walk(tree) if type(each).__name__ == "Call" and each.func.name == _QUANTILE]
    for selector, function, seconds in selectors(tree):
        found = find(selector.name)
        kind = found[1].type if found else ""
        if function in RISES and kind in ("gauge", "info"):
            yield f"{function}() of {selector.name}, which is a gauge"
        if function in MOVES and bare_counter(selector):
            yield f"{function}() of {selector.name}, which is a counter"
        if function == _QUANTILE:
            yield f"{function}() of {selector.name} since the start, not of its rate"
        if 0 < seconds < 4 * scrape:
            yield f"the window of {selector.name} is shorter than four scrapes"
    for subquery, function in subqueries(tree):
        if subquery.range.total_seconds() < 4 * scrape:
            yield "the window of a subquery is shorter than four scrapes"
        if function in RISES:
            yield f"{function}() of a subquery: what starts anew among its counters is not seen, rate them first"
    if quantiles and not any(type(each).__name__ == "BinaryExpr" and str(each.op) == "and" for each in walk(tree)):
        yield f"{_QUANTILE}() with no floor of traffic beside it: a single slow request fires it"


def _past(tree: Any, kept: frozenset[str], renamed: Mapping[str, str]) -> Iterator[str]:
    """What is compared with days ago by instance: whatever was replaced meanwhile has another, and never matches."""
    for each in walk(tree):
        if type(each).__name__ != "BinaryExpr":
            continue
        both = (each.lhs, each.rhs)
        ages = [max((_ago(selector) for selector, _, _ in selectors(side)), default=0.0) for side in both]
        sides = [Flow(kept, renamed).labels(side) or frozenset() for side in both]
        matching = each.modifier.matching if each.modifier else None
        if (
            abs(ages[0] - ages[1]) >= _DAY
            and matching is None
            and all(renamed.get("instance", "instance") in side for side in sides)
        ):
            yield f"the sides of {each.op} are days apart but match by instance, which is another after a replacement"


def _ago(selector: Any) -> float:
    return float(selector.offset.total_seconds()) if selector.offset else 0.0


def _is_info(node: Any) -> bool:
    node = bare(node)
    while type(node).__name__ in ("AggregateExpr", "ParenExpr"):
        node = node.expr
    found = find(node.name) if type(node).__name__ == "VectorSelector" else None
    return found is not None and found[1].type == "info"


def _texts(rule: AlertingRule, labels: frozenset[str], each: Resolved) -> Iterator[str]:
    for name, text in rule.annotations.items():
        for label in sorted(labels_used(text) - labels):
            yield f"its {name} names the label {label}, which the expression has not"
        if not text.strip():
            yield f"its {name} is empty"
    description = rule.annotations.get("description", "")
    if not (uses_value(description) or labels_used(description) or each.alert.missing_fires or each.alert.always):
        yield "its description tells neither its value nor a label"
