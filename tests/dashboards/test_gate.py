"""The gate: nothing of ours is wrong in any catalogue, and each of its rules catches a dashboard that breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sla_kit.alert_rules import areas
from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.gate_document import of_document
from sla_kit.dashboards.gate_links import Destinations, of_alerts, of_limits
from sla_kit.dashboards.marks import DEPLOYMENTS
from sla_kit.dashboards.model import Dashboard, Link, Panel, Variable
from sla_kit.dashboards.rendering import Rendering
from sla_kit.dashboards.units import UNITS
from sla_kit.dashboards.vocabulary import (
    Metric,
    alert_limit,
    bars,
    column,
    exporter,
    leads_to,
    limit,
    log_lines,
    logs,
    query,
    row,
    stat,
    table,
    timeseries,
)
from sla_kit.generate.plan import rule_files
from sla_kit.rules.model import AlertingRule
from tests.dashboards.catalogues import ASTRAL, AT, ODD, SHOP, catalogue_of, found_in

_MEMORY = "max(redis_memory_used_bytes{$redis})"
_SHARD = Variable(name="shard", title="Shard", metric="redis_up{$redis}", label="instance")
_LOST = replace(DEPLOYMENTS, expression="sla_launched{$scope}")
_SAME = (limit(3), limit(3, "above", "warning"))
_KEPT = query("max by (instance, $keep) (redis_memory_used_bytes{$redis})", "Bytes")


def panel(**changes: Any) -> Panel:
    """A panel with nothing wrong."""
    return replace(stat("Memory", _MEMORY, unit="bytes", description="What keys take."), **changes)


def board(*panels: Panel, **changes: Any) -> Dashboard:
    """A dashboard with nothing wrong of its own."""
    made = Dashboard(name="mine", title="Mine", description="Of mine.", folder="Mine", rows=(row("Row", *panels),))
    return replace(made, **changes)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return catalogue_of(SHOP, tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("environment", [None, "production", "staging", "dev"])
def test_every_dashboard_of_the_first_user_is_well_in_each_environment(environment: str | None) -> None:
    assert [str(each) for each in found_in(load(ASTRAL, environment))] == []


@pytest.mark.parametrize("text", ODD.values(), ids=list(ODD))
def test_every_dashboard_is_well_in_odd_catalogues(text: str, tmp_path: Path) -> None:
    catalogue = catalogue_of(text, tmp_path)
    assert dashboards_of(catalogue)
    assert [str(each) for each in found_in(catalogue)] == []


def test_dashboards_can_be_read_where_nothing_is_promised() -> None:
    """A catalogue of Python may be so; what is asked of promises is then nothing, but still PromQL."""
    said = [each.message for each in found_in(Catalogue(name="test", services=[]))]
    assert "sla:objective:ratio is not in the inventory" in said
    assert [each for each in said if "promql-parser" in each] == []


def test_a_dashboard_with_nothing_wrong_passes(shop: Catalogue) -> None:
    assert found_in(shop, board(panel())) == []


WRONG: Mapping[str, tuple[Dashboard, str]] = {
    "no title": (board(panel(title=" ")), "it has no title"),
    "no description": (board(panel(description=" ")), "it has no description"),
    "no queries": (board(panel(queries=())), "it has no queries"),
    "no unit": (board(panel(unit="")), "it has no unit"),
    "a unit of nobody's": (board(panel(unit="sec")), "Grafana knows no unit 'sec'"),
    "a unit of a column": (
        board(table("T", _KEPT, description="d", columns=(column("instance"), column("Bytes", unit="kilos")))),
        "Grafana knows no unit 'kilos'",
    ),
    "no description of all": (board(panel(), description=""), "dashboard: it has no description"),
    "a uid that Grafana refuses": (board(panel(), uid="a b"), "its uid has other characters"),
    "a uid that is too long": (board(panel(), uid="a" * 41), "its uid has other characters"),
    "two variables of one name": (board(panel(), variables=(_SHARD, _SHARD)), "two variables are called shard"),
    "a variable called as one of ours": (
        board(panel(), variables=(replace(_SHARD, name="environment"),)),
        "two variables are called environment",
    ),
    "wider than the grid": (board(panel(width=25)), "it does not lie on the grid"),
    "a metric that there is not": (board(panel(queries=(query("max(redis_memory{$redis})"),))), "not in the inventory"),
    "a label that there is not": (
        board(panel(queries=(query('max(redis_up{$redis, shard="1"})'),))),
        "redis_up has no label shard",
    ),
    "a label that is dropped before": (
        board(panel(queries=(query(_MEMORY, "{{instance}}"),))),
        "its legend names the label instance",
    ),
    "a counter itself": (
        board(panel(queries=(query("sum(redis_commands_processed_total{$redis})"),))),
        "shows the counter redis_commands",
    ),
    "a fixed time": (
        board(panel(queries=(query("sum(rate(redis_commands_processed_total{$redis}[2m]))"),))),
        "over a fixed time: write [$__rate_interval]",
    ),
    "no job": (board(panel(queries=(query("max(redis_up{$scope})"),))), "redis_up has no matcher of its job"),
    "no scope": (board(panel(queries=(query('max(redis_up{job="redis"})'),))), "no matcher of cluster, environment"),
    "a variable that there is not": (
        board(panel(queries=(query('max(redis_up{$redis, instance="$shard"})'),))),
        "there is no variable $shard",
    ),
    "no PromQL": (board(panel(queries=(query("max(redis_up{$redis}"),))), "promql-parser can't read it"),
    "sides that never match": (
        board(panel(queries=(query("max(redis_up{$redis} / on (cmd) redis_commands_total{$redis})"),))),
        "the sides of / never match",
    ),
    "logs that are not over time": (
        board(bars("B", logs("*", "log.level", over_time=False), unit="short", description="d")),
        "its query of logs is not over time",
    ),
    "logs that a table does not divide": (
        board(table("T", logs("*", over_time=False), description="d")),
        "its query of logs is divided by nothing",
    ),
    "two data sources": (
        board(timeseries("T", logs("*"), _MEMORY, unit="short", description="d")),
        "it asks Prometheus and Elasticsearch",
    ),
    "a column of nothing": (
        board(table("T", _KEPT, description="d", columns=(column("instance"), column("Bytes"), column("shard")))),
        "its column 'shard' is no label",
    ),
    "a label that is neither shown nor hidden": (
        board(table("T", _KEPT, description="d", columns=(column("Bytes"),))),
        "the label instance is neither shown nor hidden",
    ),
    "a column twice": (
        board(table("T", _KEPT, description="d", columns=(column("instance"), column("Bytes"), column("Bytes")))),
        "two of its columns are 'Bytes'",
    ),
    "sorted by no heading": (
        board(
            table("T", _KEPT, description="d", columns=(column("instance", "Which"), column("Bytes")), sort_by="Kind")
        ),
        "it is sorted by 'Kind'",
    ),
    "two limits in one place": (board(panel(limits=_SAME)), "two of its limits are"),
    "two limits in one place of a column": (
        board(table("T", _KEPT, description="d", columns=(column("instance"), column("Bytes", limits=_SAME)))),
        "two of its limits are the same",
    ),
    "two queries of one colour": (
        board(
            timeseries(
                "T", query(_MEMORY, "a", color="red"), query(_MEMORY, "b", color="red"), unit="bytes", description="d"
            )
        ),
        "two of its queries have the same colour",
    ),
    "a link to nowhere": (
        board(panel(links=(leads_to("nowhere", "There"),))),
        "leads to the dashboard sla-kit-nowhere, which there is not",
    ),
    "a link of a column to nowhere": (
        board(
            table(
                "T",
                _KEPT,
                description="d",
                columns=(column("instance", link=leads_to("nowhere", "There")), column("Bytes")),
            )
        ),
        "leads to the dashboard sla-kit-nowhere",
    ),
    "a link that fills no variable": (
        board(panel(links=(leads_to("mine", "Here", shard="1"),))),
        "it fills the variable shard, which sla-kit-mine has not",
    ),
    "an address of Grafana's own": (
        board(panel(links=(Link(title="There", url="https://grafana.example.com/d/abc/x"),))),
        "leads to the dashboard abc",
    ),
    "an annotation of nothing": (board(panel(), annotations=(_LOST,)), "sla_launched is not in the inventory"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_gate_catches(name: str, shop: Catalogue) -> None:
    dashboard, message = WRONG[name]
    found = [str(each) for each in found_in(shop, dashboard)]
    assert any(message in each for each in found), found


_MINE = board(panel())


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("name", replace(_MINE, uid="other", title="Other")),
        ("uid", replace(_MINE, name="other", uid="sla-kit-mine", title="Other")),
        ("title", replace(_MINE, name="other")),
    ],
)
def test_no_two_dashboards_are_one_to_grafana(key: str, other: Dashboard, shop: Catalogue) -> None:
    found = [str(each) for each in found_in(shop, board(panel()), other)]
    assert any(f"its {key} " in each and "is that of mine, too" in each for each in found), found


def spoilt(shop: Catalogue, change: Any) -> list[str]:
    """What the gate says of a document that something was done to which no dashboard of ours would."""
    document = Rendering.of(shop).document(board(panel(limits=(limit(5), limit(9))), panel(title="Two")))
    change(document)
    return [message for _, message in of_document(document)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it.update(editable=True), "it is editable: what is changed in Grafana would be lost"),
        (lambda it: it.update(schemaVersion=12), "its schemaVersion is not 39"),
        (lambda it: it["panels"][2].update(id=it["panels"][1]["id"]), "two panels have the id"),
        (lambda it: it["panels"][2].update(gridPos=it["panels"][1]["gridPos"]), "it overlaps 'Two'"),
        (lambda it: it["panels"][1]["datasource"].update(uid="P1809F7CD0C75ACF3"), "its data source is not a variable"),
        (lambda it: it["panels"][1]["targets"][0].update(datasource=None), "its data source is not a variable"),
        (lambda it: steps(it).reverse(), "only the first of its limits may have no value, and must have none"),
        (lambda it: steps(it)[1].update(value=10), "its limits do not rise"),
        (lambda it: steps(it)[1].update(color="green"), "its colour green is none of colors.py's"),
    ],
)
def test_the_gate_catches_what_a_document_must_not_be(change: Any, message: str, shop: Catalogue) -> None:
    assert spoilt(shop, lambda _: None) == []
    assert any(message in each for each in spoilt(shop, change))


def steps(document: Any) -> Any:
    return document["panels"][1]["fieldConfig"]["defaults"]["thresholds"]["steps"]


def test_alerts_lead_to_dashboards_that_there_are(tmp_path: Path) -> None:
    catalogue = catalogue_of(f"{SHOP}monitoring: {{grafana: https://grafana.example.com}}\n", tmp_path)
    documents = [Rendering.of(catalogue).document(each) for each in dashboards_of(catalogue)]
    rules = rule_files(catalogue, AT)
    led = {
        rule.annotations["dashboard_url"]
        for file in rules
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, AlertingRule) and "dashboard_url" in rule.annotations
    }
    # Every area's, and that of SLOs: none of them is led to by nobody.
    assert {f"https://grafana.example.com/d/sla-kit-{area.dashboard}" for area in areas()} <= led
    assert list(of_alerts(rules, Destinations.of(documents))) == []
    without = [each for each in documents if each["uid"] != "sla-kit-redis"]
    lost = list(of_alerts(rules, Destinations.of(without)))
    assert ("alert RedisDown", "it leads to the dashboard sla-kit-redis, which there is not") in lost
    assert {place.removeprefix("alert ") for place, _ in lost} == {
        alert.name for area in areas() for alert in area.alerts if (alert.dashboard or area.dashboard) == "redis"
    }


def test_limits_are_what_the_alerts_compare_with(tmp_path: Path) -> None:
    """The thresholds of one catalogue are not those of another: the same panel passes only with its own rules."""
    memory = panel(unit="percentunit", limits=(alert_limit("RedisMemoryHigh", "ratio"),))
    catalogue = catalogue_of(f"{SHOP}{_rules('61%')}", tmp_path)
    assert _wrong(catalogue, memory, catalogue) == []
    (tmp_path / "other").mkdir()
    other = catalogue_of(f"{SHOP}{_rules('62%')}", tmp_path / "other")
    assert _wrong(catalogue, memory, other) == [
        "its limits are 0.61, but RedisMemoryHigh fires at none of them",
        "its limit 0.61 is no alert's, nor one that it declares",
    ]
    severe = catalogue_of(f"{SHOP}{_rules('61%', 'critical')}", tmp_path)
    assert _wrong(catalogue, memory, severe) == ["its colour is not that of the alert's severity"]


def test_a_limit_that_nobody_declares_is_found(shop: Catalogue) -> None:
    dashboard = board(panel(limits=(limit(5),)))
    document = Rendering.of(shop).document(dashboard)
    steps(document)[1]["value"] = 6
    assert [message for _, message in of_limits(dashboard, document, rule_files(shop, AT))] == [
        "its limits are 6, but 5 is none of them",
        "its limit 6 is no alert's, nor one that it declares",
    ]


def _rules(ratio: str, severity: str = "warning") -> str:
    return f"monitoring: {{rules: {{RedisMemoryHigh: {{thresholds: {{ratio: {ratio}}}, severity: {severity}}}}}}}\n"


def _wrong(catalogue: Catalogue, memory: Panel, rules: Catalogue) -> list[str]:
    dashboard = board(memory)
    document = Rendering.of(catalogue).document(dashboard)
    return [message for _, message in of_limits(dashboard, document, rule_files(rules, AT))]


def test_metrics_of_somebody_elses_exporter_are_known(shop: Catalogue) -> None:
    orders = exporter(
        "orders", job="order-exporter", orders_placed_total=Metric(type="counter", labels=["country"]),
        orders_value=Metric(type="histogram", labels=["country"]),
    )  # fmt: skip

    def told(expression: str, legend: str = "") -> list[str]:
        asked = panel(queries=(query(expression, legend),), unit="short")
        return [each.message for each in found_in(shop, board(asked, exporters=(orders,)))]

    assert told("sum by (country) (rate(orders_placed_total{$orders}[$__rate_interval]))", "{{country}}") == []
    assert told(
        "histogram_quantile(0.5, sum by (le) (rate(orders_value_bucket{$orders}[$__rate_interval])))"
    ) == []  # fmt: skip
    assert told("sum by (city) (rate(orders_placed_total{$orders}[$__rate_interval]))") == [
        "by (city): there is no such label to aggregate"
    ]
    assert told("sum(orders_placed_total{$orders})") == [
        "it shows the counter orders_placed_total itself, not its rate"
    ]
    assert told("sum(rate(orders_placed_total{$scope}[$__rate_interval]))") == [
        "orders_placed_total has no matcher of its job"
    ]
    assert told("sum(rate(orders_shipped_total{$orders}[$__rate_interval]))") == [
        "orders_shipped_total is not in the inventory"
    ]


def test_log_lines_are_no_count_over_time(shop: Catalogue) -> None:
    assert found_in(shop, board(log_lines("Lines", "*", description="All of them."))) == []


def test_units_are_in_use_or_grafanas() -> None:
    """Those that our panels have are among Grafana's, which the list is copied from; a misspelt one is not."""
    used = {panel.unit for each in dashboards_of(load(ASTRAL, "production")) for panel in each.panels}
    assert used <= UNITS
    assert not {"seconds", "byte", "percentage", ""} & UNITS
