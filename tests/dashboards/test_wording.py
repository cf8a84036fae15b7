"""Placeholders become what a catalogue says: its jobs, its labels, what the variables choose."""

from __future__ import annotations

from pathlib import Path

import promql_parser

from sla_kit.alert_rules.label_flow import selectors
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.model import Dashboard
from sla_kit.dashboards.vocabulary import exporter
from sla_kit.dashboards.wording import Wording, is_recorded, jobs_of, scope_labels
from tests.dashboards.catalogues import SHOP, catalogue_of

BOARD = Dashboard(name="b", title="B", description="d", folder="F", rows=())


def wording(folder: Path, monitoring: str = "{}", **changes: object) -> Wording:
    board = Dashboard(**{"name": "b", "title": "B", "description": "d", "folder": "F", "rows": (), **changes})  # type: ignore[arg-type]
    return Wording.of(catalogue_of(f"{SHOP}monitoring: {monitoring}\n", folder), board)


def test_an_exporters_placeholder_is_its_job_and_where_the_variables_look(tmp_path: Path) -> None:
    assert wording(tmp_path).expression("redis_up{$redis}") == (
        'redis_up{job="redis", environment=~"$environment", cluster=~"$cluster"}'
    )


def test_instances_are_chosen_where_a_dashboard_offers_them(tmp_path: Path) -> None:
    chosen = wording(tmp_path, instances=("redis",))
    assert chosen.expression("redis_up{$redis}").endswith(', instance=~"$instance"}')
    assert "$instance" not in chosen.expression("pg_up{$postgres}")


def test_several_jobs_are_one_matcher(tmp_path: Path) -> None:
    found = wording(tmp_path, "{jobs: {redis: [cache-a, cache.b]}}").expression("redis_up{$redis}")
    [(selector, _, _)] = selectors(promql_parser.parse(found))
    [matcher] = [each for each in selector.matchers.matchers if each.name == "job"]
    assert "Re" in str(matcher.op)
    assert matcher.value == r"cache-a|cache\.b"


def test_jobs_that_services_claim_are_among_them(tmp_path: Path) -> None:
    text = SHOP.replace("    slis:", "    monitoring: {jobs: {redis: cart}}\n    slis:")
    assert jobs_of(catalogue_of(text, tmp_path))["redis"] == ("cart",)
    shared = catalogue_of(f"{text}monitoring: {{jobs: {{redis: cache}}}}\n", tmp_path)
    assert jobs_of(shared)["redis"] == ("cart", "cache")


def test_kept_labels_are_kept_and_chosen_by(tmp_path: Path) -> None:
    many = wording(tmp_path, "{keep_labels: [cluster, region]}")
    assert many.expression("sum by (x, $keep) (up{$scope})") == (
        'sum by (x, environment, cluster, region) (up{environment=~"$environment", cluster=~"$cluster", '
        'region=~"$region"})'
    )
    none = wording(tmp_path, "{keep_labels: []}")
    assert none.expression("sum by ($keep) (up{$scope})") == 'sum by (environment) (up{environment=~"$environment"})'
    assert scope_labels(Catalogue(name="x", services=[])) == ("environment", "cluster")


def test_labels_are_called_as_the_catalogue_calls_them(tmp_path: Path) -> None:
    found = wording(tmp_path, "{labels: {namespace: exported_namespace}}")
    text = 'sum by (namespace, $keep) (kube_pod_info{$kube_state_metrics, namespace=~"$namespace"})'
    assert 'exported_namespace=~"$namespace"' in found.expression(text)
    assert "by (exported_namespace," in found.expression(text)
    assert found.template("{{namespace}} {{ pod }}") == "{{exported_namespace}} {{pod}}"
    assert found.template("${__field.labels.namespace}") == "${__field.labels.exported_namespace}"
    assert found.label("namespace") == "exported_namespace"


def test_labels_of_what_our_rules_record_are_ours(tmp_path: Path) -> None:
    found = wording(tmp_path, "{labels: {service: exported_service, namespace: exported_namespace}}")
    recorded = 'max by (service) (sla:objective:ratio{$scope, service="a"})'
    assert 'sla:objective:ratio{environment=~"$environment", cluster=~"$cluster", service="a"}' in found.expression(
        recorded
    )
    assert found.template("{{service}} {{namespace}}", recorded) == "{{service}} {{exported_namespace}}"
    assert found.label("service", recorded) == "service"
    measured = 'max by (service) (http_requests_total{$application, service="a"})'
    assert 'exported_service="a"' in found.expression(measured)
    assert found.template("{{service}}", measured) == "{{exported_service}}"
    assert is_recorded(recorded)
    assert not is_recorded(f"{recorded} * {measured}")


def test_what_grafana_fills_stays(tmp_path: Path) -> None:
    text = "increase(up{$scope}[$__range]) * ${other:regex}"
    assert wording(tmp_path).expression(text).endswith("[$__range]) * ${other:regex}")


def test_an_exporter_that_a_dashboard_brings_has_a_placeholder(tmp_path: Path) -> None:
    found = wording(tmp_path, exporters=(exporter("orders", "order-exporter"),), instances=("orders",))
    assert found.expression("orders{$orders}") == (
        'orders{job="order-exporter", environment=~"$environment", cluster=~"$cluster", instance=~"$instance"}'
    )
