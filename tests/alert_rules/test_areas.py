"""Every area as it stands: proved by promtool, clean by the lint, silent on a healthy world, whatever is overridden."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import msgspec
import promql_parser
import pytest

from sla_kit import alert_rules
from sla_kit.alert_rules.alert import Breach
from sla_kit.alert_rules.label_flow import selectors
from sla_kit.alert_rules.lint import lint
from sla_kit.alert_rules.rendering import render
from sla_kit.catalogue.model import Catalogue, Contact, Service
from sla_kit.catalogue.monitoring import DuringEvents, Monitoring, RuleSettings, ServiceMonitoring
from sla_kit.rules.model import AlertingRule, RuleTest
from tests.alert_rules.promtool import run
from tests.servers import promtool

DEFAULT = Catalogue(name="test", services=[])
INGRESSES: tuple[Literal["nginx", "envoy", "alb"], ...] = ("nginx", "envoy", "alb")


def every_ingress() -> list[alert_rules.Resolved]:
    """Every alert of every profile, once."""
    found = {
        each.alert.name: each
        for kind in INGRESSES
        for each in alert_rules.resolved(Catalogue(name="test", services=[], monitoring=Monitoring(ingress=kind)))
    }
    return list(found.values())


def test_there_are_more_than_a_hundred_and_each_name_is_one_alerts() -> None:
    names = Counter(alert.name for area in alert_rules.areas() for alert in area.alerts)
    assert len(names) >= 100
    assert [name for name, count in names.items() if count > 1] == []
    assert {area.name for area in alert_rules.areas()} <= set(alert_rules.AREAS)


@pytest.mark.parametrize("ingress", INGRESSES)
def test_the_lint_finds_nothing(ingress: Literal["nginx", "envoy", "alb"]) -> None:
    catalogue = Catalogue(name="test", services=[], monitoring=Monitoring(ingress=ingress))
    assert [str(problem) for problem in lint(catalogue, alert_rules.resolved(catalogue))] == []


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize("area", [area.name for area in alert_rules.areas()])
def test_promtool_passes_every_test_of_an_area(area: str, version: str, tmp_path: Path) -> None:
    assert run(str(promtool(version)), tmp_path, DEFAULT, area) == ""


@pytest.mark.parametrize("ingress", ["envoy", "alb"])
def test_promtool_passes_the_tests_of_other_kinds_of_ingress(
    ingress: Literal["nginx", "envoy", "alb"], tmp_path: Path
) -> None:
    catalogue = Catalogue(name="test", services=[], monitoring=Monitoring(ingress=ingress))
    assert run(str(promtool("2")), tmp_path, catalogue, "ingress") == ""


@pytest.mark.timeout(1800)
def test_every_alert_is_silent_on_a_healthy_world(tmp_path: Path) -> None:
    rules = alert_rules.rule_files(DEFAULT)
    healthy = tuple(file for file in alert_rules.test_files(DEFAULT) if file.name.startswith("healthy"))
    silent = {check.alert for file in healthy for test in file.tests for check in test.alerts}
    always = {alert.name for area in alert_rules.areas() for alert in area.alerts if alert.always}
    written = {
        rule.alert for file in rules for group in file.groups for rule in group.rules if isinstance(rule, AlertingRule)
    }
    assert silent == written - always
    assert run(str(promtool("2")), tmp_path, DEFAULT, "healthy") == ""


def test_the_healthy_world_holds_every_metric_that_an_alert_reads() -> None:
    """Otherwise an alert might be silent there because nothing is there."""
    there = {name.partition("{")[0] for area in alert_rules.areas() for name in area.healthy}
    for each in every_ingress():
        for rule in each.rules:
            read = {selector.name for selector, _, _ in selectors(promql_parser.parse(rule.expression))}
            absent = {name for name in read - there if not name.startswith(("sla_event", "sla_maintenance"))}
            assert not absent, (each.alert.name, absent)


def test_what_an_alert_says_is_what_its_author_wrote_down() -> None:
    for each in every_ingress():
        tests = {test.name: test for test in _tests(each)}
        for case in each.alert.cases:
            if isinstance(case, Breach):
                test = tests[f"{each.alert.name}: {case.name}"]
                [firing] = [alert for check in test.alerts for alert in check.firing]
                assert firing.annotations["description"] == case.says, each.alert.name
                assert firing.annotations["summary"].strip()


def test_annotations_of_absent_alerts_leave_no_gap() -> None:
    for each in every_ingress():
        for rule in each.rules:
            assert "  " not in render(rule.annotations["summary"], {}, 0.0).strip() or not each.alert.missing_fires


def _tests(each: alert_rules.Resolved) -> list[RuleTest]:
    from sla_kit.alert_rules.proving import tests_of

    return list(tests_of(DEFAULT, each.settings))


# --- overridden -----------------------------------------------------------------------------------------------------


def overridden(factor: float) -> Catalogue:
    """A catalogue in which every threshold of every alert is another, as is every ``for``; in which labels and jobs
    are called otherwise, some exporters have several jobs, a region is kept too, scrapes are further apart, and several
    services own exporters."""
    rules: dict[str, bool | RuleSettings] = {}
    for area in alert_rules.areas():
        for alert in area.alerts:
            thresholds = {
                name: repr(each.value * factor if each.unit != "ratio" else min(each.value * factor, 0.995))
                for name, each in alert.thresholds.items()
                if each.unit not in ("window", "seconds") and each.value not in (0, 1)
            }
            rules[alert.name] = RuleSettings(
                pending=alert.pending and alert.pending + 600, thresholds=thresholds, labels={"tier": "one"}
            )
    return Catalogue(
        name="test",
        environment="staging",
        runbooks="https://runbooks.example.com/",
        contacts=[Contact(name="database", email="db@example.com")],
        services=[
            Service(name="pg", owner="database", monitoring=ServiceMonitoring(jobs={"postgres": ["pg-a", "pg-b"]})),
            Service(name="api", monitoring=ServiceMonitoring(jobs={"application": ["api-blue", "api-green"]})),
            Service(name="web", monitoring=ServiceMonitoring(jobs={"application": "web"})),
        ],
        monitoring=Monitoring(
            rules=rules,
            keep_labels=["cluster", "region"],
            labels={"namespace": "exported_namespace", "pod": "exported_pod", "cluster": "k8s_cluster"},
            jobs={
                "redis": ["cache-a", "cache-b"],
                "kube_state_metrics": ["ksm-a", "ksm-b"],
                "backup": ["backup-a", "backup-b"],
                "business": ["figures-a", "figures-b"],
                "blackbox": ["inside", "outside"],
                "alertmanager": ["alertmanager-a", "alertmanager-b"],
                "prometheus": "prom",
            },
            scrape_interval=60.0,
            grafana="https://grafana.example.com",
        ),
    )


@pytest.mark.timeout(1800)  # weeks of several services are evaluated by the minute
@pytest.mark.parametrize("area", [area.name for area in alert_rules.areas()])
def test_promtool_passes_when_everything_is_called_and_set_otherwise(area: str, tmp_path: Path) -> None:
    assert run(str(promtool("2")), tmp_path, overridden(0.97), area) == ""


def test_the_lint_knows_what_labels_are_called_otherwise() -> None:
    catalogue = msgspec.structs.replace(
        overridden(0.97), monitoring=msgspec.structs.replace(overridden(0.97).monitoring, scrape_interval=30.0)
    )
    assert [str(problem) for problem in lint(catalogue, alert_rules.resolved(catalogue))] == []


@pytest.mark.parametrize("during", [DuringEvents(mute=True), DuringEvents(thresholds={"seconds": "2s"})])
def test_a_live_event_mutes_an_alert_or_sets_other_thresholds(during: DuringEvents, tmp_path: Path) -> None:
    settings = RuleSettings(during_events=during)
    catalogue = replace_monitoring(DEFAULT, Monitoring(rules={"ProbeSlow": settings}, areas={}))
    assert run(str(promtool("2")), tmp_path, catalogue, "probes") == ""
    rules = [rule for each in alert_rules.resolved(catalogue) if each.alert.name == "ProbeSlow" for rule in each.rules]
    assert len(rules) == (1 if during.mute else 2)


def replace_monitoring(catalogue: Catalogue, monitoring: Monitoring) -> Catalogue:
    return Catalogue(name=catalogue.name, services=catalogue.services, monitoring=monitoring)


def test_an_area_and_an_alert_can_be_switched_off() -> None:
    monitoring = Monitoring(
        areas={"redis": False}, rules={"ProbeSlow": False, "ProbeFailed": RuleSettings(enabled=False)}
    )
    left = {each.alert.name for each in alert_rules.resolved(replace_monitoring(DEFAULT, monitoring))}
    everything = {each.alert.name for each in alert_rules.resolved(DEFAULT)}
    redis = {alert.name for area in alert_rules.areas() if area.name == "redis" for alert in area.alerts}
    assert everything - left == redis | {"ProbeSlow", "ProbeFailed"}


def test_a_service_has_settings_and_an_owner_of_its_own() -> None:
    catalogue = Catalogue(
        name="test",
        contacts=[Contact(name="core", email="a@example.com"), Contact(name="edge", email="b@example.com")],
        services=[
            Service(
                name="site",
                owner="edge",
                monitoring=ServiceMonitoring(
                    jobs={"blackbox": "probe-site"},
                    rules={"ProbeSlow": RuleSettings(thresholds={"seconds": "3s"}), "ProbeFailed": False},
                ),
            ),
            Service(name="core", owner="core", monitoring=ServiceMonitoring(jobs={"blackbox": ["a", "b"]})),
        ],
    )
    alerts = [each for each in alert_rules.resolved(catalogue) if each.alert.name.startswith("Probe")]
    by_service = {(each.alert.name, each.rules[0].labels["service"]): each.rules[0] for each in alerts}
    assert ("ProbeFailed", "site") not in by_service
    slow = by_service["ProbeSlow", "site"]
    assert slow.expression.endswith("> 3")
    assert 'job="probe-site"' in slow.expression
    assert slow.labels["team"] == "edge"
    assert 'job=~"a|b"' in by_service["ProbeSlow", "core"].expression
    assert by_service["ProbeSlow", "core"].expression.endswith("> 1")
    assert by_service["ProbeFailed", "core"].labels == {
        "severity": "critical",
        "area": "probes",
        "team": "core",
        "service": "core",
    }
