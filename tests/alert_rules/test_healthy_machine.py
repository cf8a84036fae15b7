"""The alert rules in a real Prometheus that scrapes the real exporters of a stack in which all is well."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from sla_kit import alert_rules
from sla_kit.alert_rules.inventory import find
from sla_kit.alert_rules.label_flow import selectors
from sla_kit.catalogue.model import Catalogue
from tests.alert_rules.machine import Machine, reload
from tests.alert_rules.promtool import written
from tests.alert_rules.provoking import ask, until

CATALOGUE = Catalogue(name="test", services=[])
#: How often the rules are evaluated on fresh samples before their silence counts.
EVALUATIONS = 12
#: How long what a busy machine has missed may take to come back.
PATIENCE_SECONDS = 120.0

#: Alerts that may be right on a machine that runs tests, and why.
RIGHT = {
    "HostCpuHigh": "the other tests keep the processors busy",
    "HostDiskFillsSoon": "what is installed and built fills the disk faster than a day's work would",
    "HostClockWrong": "a container's clock follows no time server that can be seen",
}
#: Series that this stack doesn't have, and why.
NOT_HERE = {
    'up{job="application"}': "no application runs here",
    'pg_stat_activity_count{job="postgres",wait_event_type="Lock"}': "no session waits for another one's lock",
    'prometheus_target_interval_length_seconds{job="prometheus",interval="15s",quantile="0.99"}': "it is every four",
}
_FLOOR = re.compile(r"\s+>=?\s+[\d.]+(?=\s|\)|$)")
#: Alerts whose expression has a value only in trouble, and which.
NO_VALUE: dict[str, str] = {}


@pytest.fixture(scope="module")
def evaluated(healthy_machine: Machine) -> Iterator[dict[str, Any]]:
    """The groups of rules as Prometheus tells of them, once each was evaluated often enough."""
    folder = healthy_machine.folder / "rules"
    before = set(folder.iterdir())
    written(folder, alert_rules.rule_files(CATALOGUE), ())
    reload(healthy_machine.prometheus.url)
    began = time.time()

    def often_enough() -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = ask(f"{healthy_machine.prometheus.url}/api/v1/rules")["groups"]
        done = 'min(increase(prometheus_rule_group_iterations_total{job="prometheus"}[5m]))'
        loaded = len(groups) > 1 and all(group["lastEvaluation"][:4] != "0001" for group in groups)
        counted = healthy_machine.query(done) if loaded and time.time() - began > EVALUATIONS else []
        return groups if counted and float(counted[0]["value"][1]) >= EVALUATIONS else []

    groups = until(often_enough, "every group of rules is evaluated often enough")
    yield {group["name"]: group for group in groups}
    for path in set(folder.iterdir()) - before:
        path.unlink()
    reload(healthy_machine.prometheus.url)


def alerts(evaluated: dict[str, Any]) -> list[dict[str, Any]]:
    """Every rule of the areas."""
    return [rule for name, group in evaluated.items() if name != "own" for rule in group["rules"]]


@pytest.mark.xdist_group("machine")
def test_no_rule_fails(evaluated: dict[str, Any]) -> None:
    """Many-to-many joins and the like show only on real series."""
    assert {rule["name"]: rule["lastError"] for rule in alerts(evaluated) if rule["health"] != "ok"} == {}


@pytest.mark.xdist_group("machine")
def test_nothing_is_pending_or_fires_while_all_is_well(evaluated: dict[str, Any], healthy_machine: Machine) -> None:
    here = {target.exporter for target in healthy_machine.targets}
    # Where a whole system is not there, the alerts that say so are right.
    declared = {alert.name: alert for area in alert_rules.areas() for alert in area.alerts}
    absent = {name for name, alert in declared.items() if alert.missing_fires and alert.exporter not in here}
    always = {name for name, alert in declared.items() if alert.always}
    quiet = absent | always | set(RIGHT) | {"Provoked"}

    def active() -> list[dict[str, Any]]:
        found = ask(f"{healthy_machine.prometheus.url}/api/v1/alerts")["alerts"]
        return [alert for alert in found if alert["labels"]["alertname"] not in quiet]

    # A busy machine may miss a scrape; what is wrong with a rule stays.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := active()) and time.monotonic() < deadline:
        time.sleep(0.5)  # between two looks, not instead of looking
    assert not found, "\n".join(f"{alert['labels']} {alert['annotations']['description']}" for alert in found)
    assert always <= {rule["name"] for rule in alerts(evaluated) if rule["state"] == "firing"}


@pytest.mark.xdist_group("machine")
def test_every_series_that_an_alert_reads_is_there(healthy_machine: Machine) -> None:
    """A matcher that no series has is an alert that never fires; what is missing for a reason is listed."""
    here = {target.exporter for target in healthy_machine.targets}
    read: dict[str, str] = {}
    for each in alert_rules.resolved(CATALOGUE):
        for rule in each.rules:
            for selector, _, _ in selectors(promql_parser.parse(rule.expression)):
                found = find(selector.name)
                if found is None or found[0].exporter not in here or found[1].unprovoked:
                    continue
                text = selector.name + _matchers(selector)
                if text not in NOT_HERE:
                    read[f"{each.alert.name}: {text}"] = f"last_over_time({text}[5m])"
    assert _without_value(healthy_machine, read) == []


@pytest.mark.xdist_group("machine")
def test_what_an_alert_compares_has_a_value(evaluated: dict[str, Any], healthy_machine: Machine) -> None:
    """Where labels of a join never meet, no threshold is ever passed. Floors of traffic are left out: there is none."""
    here = {target.exporter for target in healthy_machine.targets}
    asked: dict[str, str] = {}
    for each in alert_rules.resolved(CATALOGUE):
        for rule in each.rules:
            tree = promql_parser.parse(rule.expression)
            read = [(selector, find(selector.name)) for selector, _, _ in selectors(tree)]
            series = {selector.name + _matchers(selector) for selector, _ in read}
            if not isinstance(tree, promql_parser.BinaryExpr) or not isinstance(tree.rhs, promql_parser.NumberLiteral):
                continue
            if each.alert.missing_fires or series & set(NOT_HERE) or each.alert.name in NO_VALUE:
                continue
            if all(found and found[0].exporter in here for _, found in read):
                compared = _FLOOR.sub("", tree.lhs.prettify())
                asked[f"{each.alert.name}: {compared}"] = compared
    assert asked
    empty = _without_value(healthy_machine, asked)
    assert not empty, "\n".join(empty)


def _without_value(machine: Machine, asked: dict[str, str]) -> list[str]:
    """What stays empty of some expressions. One that a scrape was missed of has a value again after the next one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (empty := {said: text for said, text in asked.items() if not machine.query(text)}) and (
        time.monotonic() < deadline
    ):
        asked = empty
        time.sleep(0.5)  # between two looks, not instead of looking
    return list(empty)


def _matchers(selector: Any) -> str:
    return "{" + ",".join(map(_matcher, selector.matchers.matchers)) + "}"


def _matcher(matcher: Any) -> str:
    operator = {"Equal": "=", "NotEqual": "!="}.get(str(matcher.op).rpartition(".")[2])
    operator = operator or ("=~" if "Not" not in str(matcher.op) else "!~")
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{matcher.name}{operator}"{value}"'
