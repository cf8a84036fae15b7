"""The lint finds each thing that people get wrong, and lets right ones pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sla_kit.alert_rules import Resolved
from sla_kit.alert_rules.alert import Alert, Area, Breach, Threshold, gauge
from sla_kit.alert_rules.expanding import rules_of
from sla_kit.alert_rules.inventory import Exporter, Metric, exporters, find, usual_jobs
from sla_kit.alert_rules.lint import lint
from sla_kit.alert_rules.settings import settings_of
from sla_kit.catalogue.model import Catalogue

CATALOGUE = Catalogue(name="test", services=[])
SOUND = Alert(
    name="ProbeFailed",  # which has a runbook
    exporter="shop",
    expression="shop_open{$shop} == 0",
    pending=60,
    severity="critical",
    summary="{{ $labels.shop }} is closed",
    description="{{ $labels.shop }} is {{ $value }}.",
    cases=(Breach(series={'shop_open{$shop, shop="a"}': gauge(1, 0)}, labels={"shop": "a"}, value=0, says="a is 0."),),
)


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An exporter that nobody else knows."""
    shop = Exporter(
        exporter="shop",
        title="shop_exporter",
        job="shop",
        versions=["1"],
        source="https://example.com/",
        metrics={
            "shop_open": Metric(type="gauge", labels=["shop"]),
            "shop_sales_total": Metric(type="counter", labels=["shop", "till"]),
            "shop_wait_seconds": Metric(type="histogram", labels=["shop"]),
            "shop_info": Metric(type="info", labels=["shop", "city"]),
        },
    )
    exporters.cache_clear()
    find.cache_clear()
    monkeypatch.setitem(exporters(), "shop", shop)
    monkeypatch.setitem(usual_jobs(), "shop", "shop")
    find.cache_clear()
    yield
    monkeypatch.undo()
    find.cache_clear()


def problems(alert: Alert) -> list[str]:
    area = Area(name="probes", title="Probes", dashboard="overview", alerts=(alert,))
    [settings] = settings_of(CATALOGUE, [area])
    return [problem.message for problem in lint(CATALOGUE, [Resolved(settings, rules_of(CATALOGUE, settings))])]


def test_a_sound_alert_passes() -> None:
    assert problems(SOUND) == []


@pytest.mark.parametrize(
    "expression",
    [
        "sum by ($keep, shop) (rate(shop_sales_total{$shop}[5m])) < 1",
        "histogram_quantile(0.9, sum by ($keep, shop, le) (rate(shop_wait_seconds_bucket{$shop}[5m]))) > 3"
        " and on ($keep, shop) sum by ($keep, shop) (rate(shop_wait_seconds_count{$shop}[5m])) > 1",
        "max_over_time(rate(shop_sales_total{$shop}[5m])[1h:]) > 3",
        "max by ($keep, shop) (shop_open{$shop}) < on ($keep, shop) max by ($keep, shop) (shop_open{$shop} offset 1w)",
        "shop_open{$shop} < shop_open{$shop} offset 1h",
        "changes(shop_sales_total{$shop}[5m]) == 0",
        "shop_open{$shop} == 0 unless on ($keep, shop) shop_info{$shop}",
        "shop_open{$shop} * on ($keep, shop) group_left (city) shop_info{$shop} == 0",
        'shop_open{$shop, shop=~"a.*"} == 0 or shop_open{$shop} == 2',
        "count by ($keep, shop) (shop_sales_total{$shop}) < 2",
        'label_replace(shop_open{$shop}, "kind", "$$1", "shop", "(.*)") == 0',
        "sum by ($keep, shop) (increase(shop_sales_total{$shop}[1h])) == 0 and on ($keep, shop) shop_open{$shop} == 1",
        "(time() - shop_open{$shop} > 60) and shop_open{$shop} > 0",
    ],
)
def test_sound_expressions_pass(expression: str) -> None:
    assert problems(replace(SOUND, expression=expression)) == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(shop_open{$shop}[5m]) > 1", "rate() of shop_open, which is a gauge"),
        ("deriv(shop_sales_total{$shop}[5m]) > 1", "deriv() of shop_sales_total, which is a counter"),
        ("shop_sales_total{$shop} > 5", "compares the counter shop_sales_total itself"),
        ("sum by ($keep, shop) (shop_sales_total{$shop}) / 2 > 5", "compares the counter shop_sales_total itself"),
        ("shop_wait_seconds_count{$shop} > 5", "compares the counter shop_wait_seconds_count itself"),
        ("max_over_time(shop_sales_total{$shop}[5m]) > 5", "compares the counter shop_sales_total itself"),
        ("abs(shop_sales_total{$shop}) > 5", "compares the counter shop_sales_total itself"),
        ("-shop_sales_total{$shop} < 5", "compares the counter shop_sales_total itself"),
        (
            "shop_sales_total{$shop} - shop_sales_total{$shop} offset 5m > 5",
            "compares the counter shop_sales_total itself",
        ),
        ("deriv(shop_wait_seconds_count{$shop}[5m]) > 1", "deriv() of shop_wait_seconds_count, which is a counter"),
        (
            "histogram_quantile(0.9, sum by ($keep, shop, le) (shop_wait_seconds_bucket{$shop})) > 3",
            "histogram_quantile() of shop_wait_seconds_bucket since the start",
        ),
        (
            "histogram_quantile(0.9, sum by ($keep, shop) (rate(shop_wait_seconds_bucket{$shop}[5m]))) > 3",
            "histogram_quantile() needs the label le",
        ),
        (
            "histogram_quantile(0.9, sum by ($keep, shop, le) (rate(shop_wait_seconds_bucket{$shop}[5m]))) > 3",
            "no floor of traffic beside it",
        ),
        ("max_over_time(shop_open{$shop}[30s:15s]) < 1", "the window of a subquery is shorter than four scrapes"),
        ("rate(sum by ($keep, shop) (shop_sales_total{$shop})[5m:]) > 1", "rate() of a subquery"),
        ("shop_open{$shop} < 0.5 * shop_open{$shop} offset 1w", "match by instance"),
        ("shop_open{$shop}", "compares nothing"),
        ("shop_open{$shop} == bool 0", "compares nothing"),
        ("sum by ($keep) (shop_open{$shop}) == 0", "names the label shop, which the expression has not"),
        ("sum by (shop) (shop_open{$shop}) == 0", "drops the label cluster"),
        ("sum by ($keep, shop, city) (shop_open{$shop}) == 0", "by (city): there is no such label"),
        ("sum by ($keep, shop) (rate(shop_sales_total{$shop}[30s])) < 1", "shorter than four scrapes"),
        ("shop_open{$shop} == 0 and on (city) shop_info{$shop}", "only one of them has city"),
        ("shop_open{$shop} == 0 and shop_info{$shop}", "never match: only one of them has city"),
        ("shop_open{$shop} * on ($keep, shop) group_left () shop_info{$shop} == 0", "takes no label from it"),
        (
            "shop_open{$shop} / on ($keep) sum by ($keep) (shop_open{$shop}) < 1",
            "the left side has shop too and may have several series each",
        ),
        ("shop_opened{$shop} == 0", "shop_opened is not in the inventory"),
        ('shop_open{$shop, till="1"} == 0', "shop_open has no label till (shop_exporter)"),
        ("shop_open{$shop} ==", "promql-parser can't read it"),
    ],
)
def test_what_is_wrong_with_an_expression_is_told(expression: str, said: str) -> None:
    assert any(said in problem for problem in problems(replace(SOUND, expression=expression)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pending": 20}, "for is shorter than two scrapes"),
        ({"pending": 0}, "for is shorter than two scrapes"),
        ({"name": "NobodyWroteThis"}, "there is no runbook runbooks/probes/NobodyWroteThis.md"),
        ({"name": "probe_failed"}, "not written LikeThis"),
        ({"cases": ()}, "no case in which it fires"),
        ({"description": "It is closed."}, "tells neither its value nor a label"),
        ({"summary": ""}, "its summary is empty"),
        ({"summary": "{{ $labels.till }}"}, "names the label till"),
        ({"inhibited_by": ("Nothing",)}, "inhibited by Nothing, which is no alert"),
        ({"thresholds": {"least": Threshold(1, "count", "least")}}, "its threshold least is used nowhere"),
        ({"thresholds": {"least": Threshold(1, "count", "least")}}, "no case in which it nearly fires"),
    ],
)
def test_what_is_wrong_with_a_declaration_is_told(changed: dict[str, object], said: str) -> None:
    assert any(said in problem for problem in problems(replace(SOUND, **changed)))  # type: ignore[arg-type]
