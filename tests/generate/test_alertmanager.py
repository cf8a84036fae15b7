"""Alertmanager's own tools read the routes as the catalogue means them; a real one mutes and inhibits by them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sla_kit import alert_rules
from sla_kit.alert_rules.alert import Breach
from sla_kit.catalogue import load
from sla_kit.catalogue.model import Calendar, Catalogue, Contact, Occasion, Route
from sla_kit.catalogue.monitoring import Delivery, Monitoring
from sla_kit.catalogue.routing import Routing
from sla_kit.generate.alertmanager import alertmanager_config, inhibitions
from sla_kit.generate.plan import yaml_text
from sla_kit.generate.time_intervals import time_intervals
from sla_kit.routing.deciding import Deciding, Subject
from sla_kit.rules.calendar import occurrences
from tests.generate.test_plan import AT, ROOT, run
from tests.routing.deciding.shop import shop
from tests.servers import tool

SEVERITIES = ("critical", "warning", "info")
TEAMS = ("on-call", "platform", "database", "security", "")
SERVICES = ("api", "postgres", "")
ENVIRONMENTS = ("production", "staging", "dev", "")


def expected(catalogue: Catalogue, labels: Mapping[str, str]) -> str:
    """Who is told, by the catalogue's own words: the first route whose conditions all hold. Those that Alertmanager
    can't judge are none for it."""
    for route in catalogue.routes:
        if route.hours or route.event:
            continue
        conditions = {"severity": route.severity, "service": route.service}
        conditions |= {"team": route.team, "environment": route.environment}
        if all(not values or labels.get(name, "") in values for name, values in conditions.items()):
            return "+".join(route.to)
    if all(route.severity or route.service or route.team or route.environment for route in catalogue.routes):
        for contact in catalogue.contacts:
            if contact.name == labels.get("team"):
                return contact.name
    return "_default"


def told(config: Path, labels: Mapping[str, str]) -> str:
    """The receivers that amtool finds."""
    given = [f"{name}={value}" for name, value in labels.items() if value]
    answer = run(tool("amtool"), "config", "routes", "test", f"--config.file={config}", *given)
    return answer.splitlines()[0]


@pytest.mark.parametrize("through", ["router", "native"])
@pytest.mark.parametrize("environment", ["production", "staging", "dev"])
def test_each_severity_and_team_reaches_the_right_receivers(environment: str, through: str, tmp_path: Path) -> None:
    catalogue = load(ROOT / "examples" / "astralfield", environment)
    if through == "native":
        delivery = Delivery(through="native", smarthost="mail:25", sender="a@example.com", secrets="/secrets")
        catalogue = replaced(catalogue, delivery)
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml_text(alertmanager_config(catalogue, AT)))
    run(tool("amtool"), "check-config", path)
    for severity, team, service, of in product(SEVERITIES, TEAMS, SERVICES, ENVIRONMENTS):
        labels = {"alertname": "A", "severity": severity, "team": team, "service": service, "environment": of}
        assert told(path, labels) == expected(catalogue, labels), labels
    if through == "router":
        assert told(path, {"alertname": "Watchdog", "severity": "info"}) == "_heartbeat"


MAINTENANCE = Calendar(
    maintenance=[Occasion(name="Upgrade", start="2026-09-01T00:00", duration=3600, services=["web"])]
)


@pytest.mark.parametrize(
    "slo",
    [["availability"], ["api/availability", "api/speed"], ["availability", "web/speed", "api/speed"], []],
    ids=lambda slo: "+".join(slo) or "any",
)
@pytest.mark.parametrize("service", [[], ["api"]], ids=lambda service: "+".join(service) or "all")
def test_routes_of_slos_lead_where_the_router_decides(slo: list[str], service: list[str], tmp_path: Path) -> None:
    routes = [Route(to=["on-call"], slo=slo, service=service, severity=["critical"]), Route(to=["platform"])]
    catalogue = shop(*routes, calendar=MAINTENANCE)
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml_text(alertmanager_config(catalogue, AT)))
    run(tool("amtool"), "check-config", path)
    deciding = Deciding(catalogue)
    for of, name, severity in product(("api", "web", ""), ("availability", "speed", ""), ("critical", "warning")):
        labels = {"alertname": "A", "service": of, "slo": name, "severity": severity}
        decision = deciding.decide(Subject(labels, severity), AT)
        assert decision.route is not None
        assert told(path, labels) == "+".join(routes[decision.route].to), labels


def test_what_alertmanager_can_not_judge_is_left_to_the_router(tmp_path: Path) -> None:
    routes = [
        Route(to=["leads"], hours=["22:00-06:00"]),
        Route(to=["on-call"], event="during"),
        Route(to=["platform"], severity=["critical"], escalate=["leads"]),
    ]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml_text(alertmanager_config(shop(*routes), AT)))
    run(tool("amtool"), "check-config", path)
    assert told(path, {"severity": "critical"}) == "platform"
    assert told(path, {"severity": "warning", "team": "on-call"}) == "on-call"
    assert told(path, {"severity": "warning"}) == "_default"


def test_alertmanager_groups_as_the_router_does() -> None:
    def grouped(by: list[str], through: Any = "router") -> Any:
        catalogue = shop(routing=Routing(group_by=by), monitoring=Monitoring(delivery=Delivery(through=through)))
        return alertmanager_config(catalogue, AT)["route"]["group_by"]

    assert grouped(["alertname", "region"]) == ["alertname", "region"]
    assert grouped(["alertname", "..."]) == ["..."]
    assert grouped(["region"], "native") == ["alertname", "service", "cluster", "environment"]


def replaced(catalogue: Catalogue, delivery: Delivery) -> Catalogue:
    """The catalogue with another delivery."""
    monitoring = msgspec.structs.replace(catalogue.monitoring, delivery=delivery)
    return msgspec.structs.replace(catalogue, monitoring=monitoring)


def receivers(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in alertmanager_config(catalogue, AT)["receivers"]}


def test_every_contact_of_a_native_receiver_is_told_by_every_way_it_names() -> None:
    catalogue = load(ROOT / "examples" / "astralfield", "production")
    delivery = Delivery(through="native", smarthost="mail:25", sender="a@example.com", secrets="/secrets/")
    found = receivers(replaced(catalogue, delivery))["on-call+database"]
    assert [each["channel"] for each in found["slack_configs"]] == ["#incidents", "#database"]
    assert [each["to"] for each in found["email_configs"]] == ["database@astralfield.com"]
    [page] = found["pagerduty_configs"]
    assert page["routing_key_file"] == "/secrets/pagerduty-astralfield-primary"
    assert page["links"][0]["text"] == "runbook"
    assert all(each["send_resolved"] for kind, configs in found.items() if kind != "name" for each in configs)


def test_a_runbook_without_a_base_is_no_link() -> None:
    contact = Contact(name="a", slack="#a", pagerduty="key")
    monitoring = Monitoring(delivery=Delivery(through="native", secrets="/s"))
    found = receivers(Catalogue(name="t", services=[], contacts=[contact], monitoring=monitoring))["a"]
    assert "<{{ .Annotations.runbook_url }}" not in found["slack_configs"][0]["text"]
    assert "links" not in found["pagerduty_configs"][0]


@pytest.mark.parametrize("through", ["router", "native"])
@pytest.mark.parametrize("heartbeat", ["", "https://beats.example.com/x"])
def test_the_dead_mans_switch_is_heard_by_nobody_but_the_heartbeat(
    through: Any, heartbeat: str, tmp_path: Path
) -> None:
    delivery = Delivery(through=through, heartbeat=heartbeat, smarthost="m:25", sender="a@b.c", secrets="/s")
    monitoring = Monitoring(delivery=delivery)
    contact = Contact(name="a", email="a@example.com")
    catalogue = Catalogue(name="t", services=[], contacts=[contact], monitoring=monitoring)
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml_text(alertmanager_config(catalogue, AT)))
    run(tool("amtool"), "check-config", path)
    assert told(path, {"alertname": "Watchdog", "severity": "info", "team": "a"}) == "_heartbeat"
    config = receivers(catalogue)["_heartbeat"]
    urls = [each["url"] for each in config.get("webhook_configs", [])]
    assert urls == ([heartbeat] if heartbeat else [delivery.router] if through == "router" else [])
    assert set(config) <= {"name", "webhook_configs"}
    [route] = [
        each for each in alertmanager_config(catalogue, AT)["route"]["routes"] if each["receiver"] == "_heartbeat"
    ]
    assert (route["group_interval"], route["repeat_interval"]) == ("1m", "50s")


# --- what makes what superfluous ------------------------------------------------------------------------------------


def alternatives(matcher: str) -> list[str]:
    found = re.fullmatch(r'alertname=~?"(.*)"', matcher)
    return found[1].split("|") if found else []


@pytest.mark.parametrize("ingress", ["nginx", "envoy", "alb"])
def test_what_inhibits_and_what_is_inhibited_are_alerts_that_have_the_labels_to_be_told_apart(ingress: Any) -> None:
    catalogue = Catalogue(name="t", services=[], monitoring=Monitoring(ingress=ingress))
    declared = {each.alert.name: each for each in alert_rules.resolved(catalogue)}
    pairs = 0
    for rule in inhibitions(catalogue)[2:]:
        sources, targets = alternatives(rule["source_matchers"][0]), alternatives(rule["target_matchers"][0])
        assert not set(sources) & set(targets)
        for source, target in product(sources, targets):
            pairs += 1
            have = [labels_of(declared[name]) for name in (source, target)]
            if any(not each for each in have):
                continue
            for label in set(rule["equal"]) - {"environment", "cluster"}:
                assert label in have[0], (source, label, "would match only targets that lack it")
                assert label in have[1], (target, label, "would be inhibited only by sources that lack it")
    assert pairs > 30


def labels_of(each: alert_rules.Resolved) -> set[str]:
    """The labels that the first case in which it fires says it has, besides those of the rule."""
    breach = next((case for case in each.alert.cases if isinstance(case, Breach)), None)
    return set(breach.labels) | {"alertname", "severity", "area"} if breach else set()


def test_a_budget_that_burns_in_one_cluster_says_nothing_of_another() -> None:
    assert all("cluster" in rule["equal"] for rule in inhibitions(Catalogue(name="t", services=[])))


def test_down_inhibits_slow_critical_inhibits_warning_and_cluster_inhibits_pod() -> None:
    rules = inhibitions(Catalogue(name="t", services=[]))
    assert rules[0]["source_matchers"] == ['severity="critical"']
    by_target = {
        (source, target): rule["equal"]
        for rule in rules[2:]
        for source in alternatives(rule["source_matchers"][0])
        for target in alternatives(rule["target_matchers"][0])
    }
    assert by_target["AppDown", "AppSlow"] == ["environment", "cluster", "job"]
    assert by_target["KubeNodesLost", "KubePodCrashLooping"] == ["environment", "cluster"]
    assert by_target["ProbeFailed", "ProbeSlow"] == ["environment", "cluster", "instance"]
    assert ("KubeNodeNotReady", "KubeDaemonSetPodsMissing") not in by_target


# --- maintenance ----------------------------------------------------------------------------------------------------


def matched(interval: Mapping[str, Any], at: datetime) -> bool:
    """Whether Alertmanager takes a moment (UTC) for one in the interval, by its documentation: times are minutes of a
    day, the end left out; days, months and years must fit as well."""
    minute = at.hour * 60 + at.minute

    def fits(times: Mapping[str, str]) -> bool:
        begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (times["start_time"], times["end_time"]))
        return begin <= minute < end

    return (
        any(map(fits, interval["times"]))
        and str(at.day) in interval["days_of_month"]
        and str(at.month) in interval["months"]
        and str(at.year) in interval["years"]
    )


PLANNED = """\
name: t
timezone: {zone}
contacts: [{{name: a, slack: "#a"}}]
routes: {routes}
services: [{{name: api, owner: a, slos: {slos}}}, {{name: web, owner: a, slos: {slos}}}]
calendar:
  maintenance:
    - {{name: long, start: 2026-12-30T12:00, end: 2027-01-02T00:00, services: [api], reason: r, approved_by: a}}
    - {{name: odd, start: 2026-11-23T03:07:30, duration: 90s, services: [web], reason: r, approved_by: a}}
"""
NIGHT = """\
    - {name: night, start: 2026-10-24T22:30, duration: 5h, repeat: FREQ=WEEKLY, reason: r, approved_by: a}
"""


def planned(folder: Path, zone: str = "UTC", routes: str = "[]", night: bool = True) -> Catalogue:
    """A catalogue whose calendar has maintenance of everything, of one service and of another."""
    slos = "[{name: up, sli: {kind: probe}, objective: 99%}]"
    path = folder / "sla.yml"
    path.write_text(PLANNED.format(zone=zone, routes=routes, slos=slos) + (NIGHT if night else ""))
    return load(path)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia"])
def test_intervals_are_the_calendars_to_the_minute(zone: str, tmp_path: Path) -> None:
    catalogue = planned(tmp_path, zone)
    intervals = {each["name"]: each["time_intervals"] for each in time_intervals(catalogue, AT)}
    assert list(intervals) == ["maintenance", "maintenance-api", "maintenance-web"]
    services: tuple[list[str], ...] = ([], ["api"], ["web"])
    for name, of in zip(intervals, services, strict=True):
        spans = occurrences(catalogue, [one for one in catalogue.calendar.maintenance if one.services == of], AT)
        edges = [edge for span in spans for edge in (span.start, span.end)]
        assert edges
        near = {edge + offset for edge in edges for offset in (-3600, -61, -60, -59, -1, 0, 1, 59, 60, 61, 3600)}
        for moment in near:
            minute = moment // 60 * 60
            active = any(span.start < minute + 60 and minute < span.end for span in spans)
            found = any(matched(each, datetime.fromtimestamp(moment, UTC)) for each in intervals[name])
            assert found == active, (name, moment)


def test_maintenance_every_night_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "sla.yml"
    daily = NIGHT.replace("WEEKLY", "DAILY").replace("22:30, duration: 5h", "01:30, duration: 1h")
    slos = "[{name: up, sli: {kind: probe}, objective: 99%}]"
    path.write_text(PLANNED.format(zone="Europe/Berlin", routes="[]", slos=slos) + daily)
    catalogue = load(path)
    nights = [one for one in catalogue.calendar.maintenance if not one.services]
    spans = occurrences(catalogue, nights, AT)
    [found] = [each["time_intervals"] for each in time_intervals(catalogue, AT) if each["name"] == "maintenance"]
    assert len(spans) > 300
    assert len(found) < 30
    for span in spans:
        for moment, inside in ((span.start - 60, False), (span.start, True), (span.end - 60, True), (span.end, False)):
            assert any(matched(each, datetime.fromtimestamp(moment, UTC)) for each in found) is inside


@pytest.mark.parametrize("routes", ["[]", "[{to: [a]}]", "[{to: [a], severity: [critical]}]"])
def test_what_is_maintained_is_muted_and_nothing_else_is(routes: str, tmp_path: Path) -> None:
    config = alertmanager_config(planned(tmp_path, routes=routes, night=False), AT)
    for labels in ({"severity": "critical"}, {"severity": "warning", "team": "a"}, {"severity": "info"}):
        assert muting(config["route"], {**labels, "service": "api"}) == ["maintenance-api"]
        assert muting(config["route"], labels) == []
    config = alertmanager_config(planned(tmp_path, routes=routes), AT)
    assert muting(config["route"], {"severity": "warning"}) == ["maintenance"]
    assert muting(config["route"], {"severity": "critical", "service": "web"}) == ["maintenance", "maintenance-web"]
    assert muting(config["route"], {"alertname": "Watchdog"}) == []


def muting(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """The time intervals of the route that takes an alert: the first child whose matchers all hold, and so on down."""
    for child in route.get("routes", []):
        if all(holds(matcher, labels) for matcher in child.get("matchers", [])):
            return muting(child, labels)
    return list(route.get("mute_time_intervals", []))


def holds(matcher: str, labels: Mapping[str, str]) -> bool:
    found = re.fullmatch(r'(\w+)(=~|=)"(.*)"', matcher)
    assert found is not None, matcher
    value = labels.get(found[1], "")
    return re.fullmatch(found[3], value) is not None if found[2] == "=~" else value == found[3]
