"""Whether links and alerts lead to dashboards that there are, and whether panels turn where their alerts fire."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sla_kit.alert_rules.label_flow import walk
from sla_kit.dashboards.colors import MEANING
from sla_kit.dashboards.gate_document import Found, panels_of, place_of
from sla_kit.dashboards.model import Dashboard, Limit
from sla_kit.dashboards.rendering import panel_ids
from sla_kit.rules.model import AlertingRule, RuleFile

_LOCAL = re.compile(r"/d/([^/?]+)")


@dataclass(frozen=True, slots=True)
class Destinations:
    """The dashboards that links may lead to, by their uids, with the names of their variables."""

    variables: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> Destinations:
        """Those of some documents."""
        return cls(
            {each["uid"]: frozenset(one["name"] for one in each["templating"]["list"]) for each in documents},
        )

    def wrong(self, address: str) -> Iterator[str]:
        """What is wrong with an address that leads to a dashboard; nothing for any other."""
        path = urlsplit(address).path
        found = _LOCAL.search(path)
        if not found:
            return
        if found[1] not in self.variables:
            yield f"it leads to the dashboard {found[1]}, which there is not"
            return
        for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True):
            variable = name.removeprefix("var-")
            if name.startswith("var-") and variable not in self.variables[found[1]]:
                yield f"it fills the variable {variable}, which {found[1]} has not"


def of_alerts(rules: Iterable[RuleFile], destinations: Destinations) -> Found:
    """What is wrong with where alerts lead to."""
    for rule in _alerts(rules):
        for message in destinations.wrong(rule.annotations.get("dashboard_url", "")):
            yield f"alert {rule.alert}", message


def of_links(document: Mapping[str, Any], destinations: Destinations) -> Found:
    """What is wrong with a dashboard's links to others."""
    for panel in panels_of(document):
        for link in _links(panel):
            for message in destinations.wrong(link["url"]):
                yield f"{place_of(panel)}, link {link['title']!r}", message


def of_limits(dashboard: Dashboard, document: Mapping[str, Any], rules: Sequence[RuleFile]) -> Found:
    """Whether every limit in a document is one that its panel declares, and those of alerts are what the alerts' own
    expressions compare with."""
    alerts: dict[str, list[AlertingRule]] = {}
    for rule in _alerts(rules):
        alerts.setdefault(rule.alert, []).append(rule)
    ids, panels = panel_ids(dashboard), {panel["id"]: panel for panel in panels_of(document)}
    for row in dashboard.rows:
        for panel in row.panels:
            shown = panels[ids[row.title, panel.title]]
            config, place = shown["fieldConfig"], f"panel {panel.title!r}"
            yield from _limits(place, panel.limits, config["defaults"].get("thresholds", {}).get("steps", []), alerts)
            overrides = {one["matcher"]["options"]: one["properties"] for one in config["overrides"]}
            for column in panel.columns:
                found = {one["id"]: one["value"] for one in overrides.get(column.title or column.name, ())}
                steps = found.get("thresholds", {}).get("steps", [])
                yield from _limits(f"{place}, column {column.name!r}", column.limits, steps, alerts)


def _limits(
    place: str, limits: Sequence[Limit], steps: Sequence[Mapping[str, Any]], alerts: Mapping[str, list[AlertingRule]]
) -> Found:
    shown = {float(step["value"]): step["color"] for step in steps if step["value"] is not None}
    declared: dict[float, set[str]] = {}
    for limit in limits:
        rules = alerts.get(limit.alert, [])
        if limit.alert and not rules:
            continue  # switched off: then there is no limit
        values = (
            {limit.value or 0.0} if not limit.alert else {n * limit.factor for rule in rules for n in _numbers(rule)}
        )
        severities = {limit.severity} if limit.severity or not limit.alert else {_severity(rule) for rule in rules}
        for value in values:
            declared.setdefault(value, set()).update(MEANING[severity or "critical"] for severity in severities)
        if not any(_near(value, each) for value in values for each in shown):
            what = f"{limit.alert} fires at none of them" if limit.alert else f"{limit.value:g} is none of them"
            yield place, f"its limits are {', '.join(f'{value:g}' for value in shown) or 'none'}, but {what}"
    for value in shown:
        if not any(_near(value, each) for each in declared):
            yield place, f"its limit {value:g} is no alert's, nor one that it declares"
    if len(limits) == 1 and shown:
        # What is bad has the colour of a limit below it on the left, of one above on its right.
        bad = {steps[0]["color"]} if limits[0].side == "below" else set(shown.values())
        wanted = {
            color for value in shown for each, colors in declared.items() if _near(value, each) for color in colors
        }
        if wanted and not bad & wanted:
            yield place, "its colour is not that of the alert's severity"


def _numbers(rule: AlertingRule) -> set[float]:
    """Every number of an alert's expression."""
    import promql_parser

    tree = promql_parser.parse(rule.expression)
    return {float(each.val) for each in walk(tree) if type(each).__name__ == "NumberLiteral"}


def _severity(rule: AlertingRule) -> str:
    return "critical" if rule.labels.get("severity") == "critical" else "warning"


def _near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def _alerts(rules: Iterable[RuleFile]) -> Iterator[AlertingRule]:
    for file in rules:
        for group in file.groups:
            yield from (rule for rule in group.rules if isinstance(rule, AlertingRule))


def _links(panel: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    config = panel.get("fieldConfig", {})
    yield from panel.get("links", [])
    yield from config.get("defaults", {}).get("links", [])
    for override in config.get("overrides", []):
        for each in override["properties"]:
            if each["id"] == "links":
                yield from each["value"]
