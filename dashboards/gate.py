"""What is wrong with dashboards before any Grafana sees them.

The rules of Grafana's dashboard-linter (github.com/grafana/dashboard-linter: templated data source, job and instance
matchers, ``$__rate_interval``, no bare counters, title, description, unit and queries on every panel, not editable),
and our own: metrics and labels that there are, unique ids, no overlap, limits that rise, nothing that Grafana removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from sla_kit.alert_rules.inventory import exporters
from sla_kit.alert_rules.label_flow import Flow, bare_counter, selectors
from sla_kit.catalogue.model import Catalogue, Latency, Requests
from sla_kit.dashboards.grafana import SCHEMA_VERSION
from sla_kit.dashboards.model import COLUMNS, Dashboard
from sla_kit.dashboards.removed import removed
from sla_kit.dashboards.rendering import Rendering, uid_of
from sla_kit.dashboards.wording import scope_labels
from sla_kit.rules.model import RecordingRule, RuleFile
from sla_kit.selectors import Matcher, Selector

_GRAFANA = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "__range_s": "3600", "__interval_ms": "60000"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_LEGEND_LABEL = re.compile(r"{{\s*(\w+)\s*}}")
_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_RATES = frozenset({"rate", "irate", "increase"})
#: Written by Prometheus itself, of every target or alert: who asks for all of them names no job.
_OWN = frozenset({"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped"})
#: A fixed window as long as this is meant: what an alert looks at, or as long as something usually takes.
_LONG = 900.0
_LONGEST_UID = 40


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with a dashboard."""

    dashboard: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.place}: {self.message}"


def faults(catalogue: Catalogue, dashboards: Iterable[Dashboard], rules: Iterable[RuleFile]) -> list[Fault]:
    """Everything that is wrong with some dashboards, sorted. ``rules`` are the rule files whose recordings they may
    read."""
    listed = list(dashboards)
    rendering, others = Rendering.of(catalogue), _others(catalogue, rules)
    found: set[Fault] = set()
    for key in ("name", "uid", "title"):
        seen: dict[str, str] = {}
        for each in listed:
            value = uid_of(each) if key == "uid" else str(getattr(each, key))
            if value in seen:
                found.add(Fault(each.name, "dashboard", f"its {key} {value!r} is that of {seen[value]}, too"))
            seen[value] = each.name
    for each in listed:
        document = rendering.document(each)
        for place, message in (*_document(document), *removed(document), *_queries(catalogue, document, others)):
            found.add(Fault(each.name, place, message))
    return sorted(found)


def _others(catalogue: Catalogue, rules: Iterable[RuleFile]) -> dict[str, frozenset[str] | None]:
    """Series besides the inventory's: what our rules record, with their labels."""
    found: dict[str, frozenset[str] | None] = {}
    for file in rules:
        for group in file.groups:
            for rule in group.rules:
                if isinstance(rule, RecordingRule):
                    known = found.get(rule.record) or frozenset()
                    found[rule.record] = known | frozenset(rule.labels)
    return found


def _promised(catalogue: Catalogue) -> set[tuple[str, frozenset[Matcher]]]:
    """The series that promises are made of: their metrics and matchers, which the catalogue answers for."""
    found = set()
    for service, slo in catalogue.slos():
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Requests | Latency):
            metrics = [sli.metric, f"{sli.metric}_bucket", f"{sli.metric}_count"]
            if isinstance(sli, Requests):
                metrics += [name for name in (sli.good_metric, sli.bad_metric) if name]
            found |= {(name, frozenset(Selector.of(name, sli.matchers).matchers)) for name in metrics}
    return found


# --- the document -----------------------------------------------------------------------------------------------------


def _document(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if document.get("editable"):
        yield "dashboard", "it is editable: what is changed in Grafana would be lost"
    if document.get("schemaVersion") != SCHEMA_VERSION:
        yield "dashboard", f"its schemaVersion is not {SCHEMA_VERSION}"
    for field in ("title", "description", "uid"):
        if not str(document.get(field, "")).strip():
            yield "dashboard", f"it has no {field}"
    if not re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{_LONGEST_UID}}}", str(document.get("uid", ""))):
        yield "dashboard", f"its uid has other characters than letters, digits, - and _, or more than {_LONGEST_UID}"
    names = [variable["name"] for variable in document["templating"]["list"]]
    for name in {name for name in names if names.count(name) > 1}:
        yield "dashboard", f"two variables are called {name}"
    panels = [each for panel in document["panels"] for each in (panel, *panel.get("panels", []))]
    ids = [panel["id"] for panel in panels]
    for number in {number for number in ids if ids.count(number) > 1}:
        yield "dashboard", f"two panels have the id {number}"
    for panel in panels:
        if panel["type"] != "row":
            yield from _panel(panel)
    yield from _placed([panel for panel in document["panels"] if not panel.get("collapsed")])


def _panel(panel: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    place = f"panel {panel.get('title')!r}"
    for field in ("title", "description"):
        if not str(panel.get(field, "")).strip():
            yield place, f"it has no {field}"
    if not panel.get("targets"):
        yield place, "it has no queries"
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    if not defaults.get("unit"):
        yield place, "it has no unit"
    for source in (panel.get("datasource"), *(target.get("datasource") for target in panel.get("targets", []))):
        if not re.fullmatch(r"\$\{\w+\}", str((source or {}).get("uid", ""))):
            yield place, "its data source is not a variable"
    steps = defaults.get("thresholds", {}).get("steps", [])
    values = [step["value"] for step in steps]
    if values and (values[0] is not None or any(value is None for value in values[1:])):
        yield place, "only the first of its limits may have no value, and must have none"
    if any(low >= high for low, high in pairwise(value for value in values if value is not None)):
        yield place, "its limits do not rise"
    colors = [override for each in panel.get("fieldConfig", {}).get("overrides", []) for override in each["properties"]]
    fixed = [each["value"]["fixedColor"] for each in colors if each["id"] == "color"]
    if len(fixed) != len(set(fixed)):
        yield place, "two of its queries have the same colour"


def _placed(panels: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for panel in panels:
        where = panel["gridPos"]
        if where["x"] < 0 or where["w"] < 1 or where["h"] < 1 or where["x"] + where["w"] > COLUMNS:
            yield f"panel {panel.get('title')!r}", "it does not lie on the grid"
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not beside and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            yield f"panel {one.get('title')!r}", f"it overlaps {other.get('title')!r}"


# --- queries ----------------------------------------------------------------------------------------------------------


def _queries(
    catalogue: Catalogue, document: Mapping[str, Any], others: Mapping[str, frozenset[str] | None]
) -> Iterator[tuple[str, str]]:
    names = {variable["name"] for variable in document["templating"]["list"]}
    for annotation in document["annotations"]["list"]:
        place = f"annotation {annotation['name']!r}"
        for message in _expression(catalogue, annotation["expr"], names, others, "", fixed=True):
            yield place, message
    for panel in (each for outer in document["panels"] for each in (outer, *outer.get("panels", []))):
        for target in panel.get("targets", []):
            if "expr" in target:
                place = f"panel {panel['title']!r}, query {target['refId']}"
                legend, instant = target.get("legendFormat", ""), bool(target.get("instant"))
                for message in _expression(catalogue, target["expr"], names, others, legend, fixed=instant):
                    yield place, message


def _expression(
    catalogue: Catalogue,
    expression: str,
    variables: set[str],
    others: Mapping[str, frozenset[str] | None],
    legend: str,
    *,
    fixed: bool,
) -> Iterator[str]:
    """What is wrong with one expression; ``fixed`` allows windows of a fixed length."""
    import promql_parser

    for match in _VARIABLE.finditer(expression):
        name = match[1] or match[2]
        if name not in variables and name not in _GRAFANA:
            yield f"there is no variable ${name}"
    filled = _VARIABLE.sub(lambda match: _GRAFANA.get(match[1] or match[2], ".*"), expression)
    try:
        tree = promql_parser.parse(filled)
    except ValueError as error:
        yield f"promql-parser can't read it: {' '.join(str(error).split())}"
        return
    promised = _promised(catalogue)
    for selector, _, _ in selectors(tree):
        asked = {Matcher(each.name, _OPERATORS[str(each.op)], each.value) for each in selector.matchers.matchers}
        if any(selector.name == name and matchers <= asked for name, matchers in promised):
            others = {**others, selector.name: None}
    renamed = catalogue.monitoring.labels
    scope = frozenset(renamed.get(label, label) for label in scope_labels(catalogue))
    flow = Flow(scope, renamed, others)
    labels = flow.labels(tree) or frozenset()
    yield from flow.problems
    for label in _LEGEND_LABEL.findall(legend):
        if label not in labels:
            yield f"its legend names the label {label}, which the expression has not"
    counter = bare_counter(tree)
    if counter:
        yield f"it shows the counter {counter} itself, not its rate"
    for selector, function, seconds in selectors(tree):
        named = {matcher.name for matcher in selector.matchers.matchers}
        publishers = sum(each.metric(selector.name) is not None for each in exporters().values())
        if publishers == 1 and selector.name not in _OWN and selector.name not in others and "job" not in named:
            yield f"{selector.name} has no matcher of its job"
        missing = sorted(label for label in scope if label not in named)
        if missing and publishers:
            yield f"{selector.name} has no matcher of {', '.join(missing)}"
        if function in _RATES and not fixed and seconds != 300 and seconds < _LONG:
            yield f"{function}() of {selector.name} over a fixed time: write [$__rate_interval]"
