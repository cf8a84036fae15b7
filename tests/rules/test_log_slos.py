"""SLOs on logs have alerts like any others, from what the exporter of promises publishes of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sla_kit.catalogue.model import (
    Alert,
    Catalogue,
    Composite,
    Condition,
    LogEvents,
    Part,
    Recovery,
    Requests,
    Server,
    Service,
    Slo,
    Window,
)
from sla_kit.generate.prometheus_config import servers
from sla_kit.generate.rules_yaml import rule_tests_text, rules_text
from sla_kit.rules import slo
from sla_kit.rules.model import AlertingRule, RecordingRule
from tests.rules.test_slo_rules import proved
from tests.servers import prometheus_versions, promtool

LOGS, METRICS = LogEvents(bad="status:500"), Requests(metric="r_total", bad={"code": "500"})


def shop(*more: Slo, sources: tuple[Server, ...] = (), alerts: tuple[Alert, ...] = ()) -> Catalogue:
    slos = [
        Slo(name="by-logs", sli=LOGS, objective=0.99, alerts=list(alerts)),
        Slo(name="availability", sli=METRICS, objective=0.99),
        *more,
    ]
    return Catalogue(name="shop", sources=list(sources), services=[Service(name="api", slos=slos)])


def recordings(catalogue: Catalogue, sli: str) -> dict[str, str]:
    return {
        rule.record: rule.expression
        for file in slo.rule_files(catalogue)
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, RecordingRule)
        and rule.labels.get("sli") == sli
        and rule.record.startswith("sla:error_ratio")
    }


def alerts(catalogue: Catalogue, name: str) -> list[str]:
    return [
        rule.alert
        for file in slo.rule_files(catalogue)
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, AlertingRule) and rule.labels.get("slo") == name
    ]


def test_error_ratios_follow_from_what_is_published() -> None:
    found = recordings(shop(), "api/by-logs")
    assert found["sla:error_ratio:1h"] == (
        'max(sla_slo_burn_rate_ratio{service="api", slo="by-logs", burn_window="1h"}) * 0.01'
    )
    assert found["sla:error_ratio:30d"] == ('max(1 - sla_slo_sli_ratio{service="api", slo="by-logs", window="30d"})')
    assert set(found) == set(recordings(shop(), "api/availability"))


def test_the_alerts_are_those_of_an_slo_on_metrics() -> None:
    assert alerts(shop(), "by-logs") == alerts(shop(), "availability")
    assert alerts(shop(), "by-logs").count("SloErrorBudgetBurn") == 3


def test_the_files_say_where_the_figures_come_from() -> None:
    comments = "\n".join(file.comment for file in slo.rule_files(shop()))
    assert "api/by-logs is measured by logs: its rules read what `sla-kit exporter slo` publishes of it" in comments


def test_a_window_that_is_not_published_has_no_alert_and_that_is_told() -> None:
    odd = Condition(burn_rate=2.0, over=7000.0, short=700.0)
    usual = Condition(burn_rate=14.4, over=3600.0, short=300.0)
    catalogue = shop(alerts=(Alert(name="own", conditions=[odd, usual]),))
    assert alerts(catalogue, "by-logs").count("SloErrorBudgetBurn") == 1
    assert "no such alert of it" in "\n".join(file.comment for file in slo.rule_files(catalogue))


def test_a_calendar_month_is_the_running_one() -> None:
    catalogue = shop(Slo(name="monthly", sli=LOGS, objective=0.99, window=Window(calendar="month")))
    assert 'window="month"' in recordings(catalogue, "api/monthly")["sla:error_ratio:30d"]


def test_the_rules_are_for_the_server_of_metrics() -> None:
    sources = (Server(name="es", url="elasticsearch+http://es:9200"), Server(name="prom", url="http://prom:9090"))
    catalogue = shop(sources=sources)
    assert [file.name for file in slo.rule_files(catalogue)] == ["slo-recordings", "slo"]
    assert servers(catalogue) == ("",)
    assert alerts(catalogue, "by-logs")


@pytest.mark.parametrize("version", prometheus_versions())
def test_promtool_finds_every_alert_as_it_is_declared(version: str, tmp_path: Path) -> None:
    both = Composite(combine="all", of=[Part(slo="by-logs"), Part(slo="availability")])
    catalogue = shop(
        Slo(name="recovered", sli=Recovery(of="by-logs", within=900.0), objective=0.9),
        Slo(name="both", sli=both, objective=0.9),
    )
    for file in slo.rule_files(catalogue):
        (tmp_path / f"{file.name}.yml").write_text(rules_text(file))
    for test in slo.test_files(catalogue):
        path = tmp_path / f"{test.name}_test.yml"
        path.write_text(rule_tests_text(test, str(tmp_path)))
        done = subprocess.run(
            [str(promtool(version)), "test", "rules", str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", prometheus_versions())
def test_a_burn_that_is_published_pages(version: str, tmp_path: Path) -> None:
    labels = 'service="api", slo="by-logs", job="sla-kit-slo", instance="a"'
    series = [
        {"series": f'sla_slo_burn_rate_ratio{{{labels}, burn_window="{window}"}}', "values": "20x600"}
        for window in ("5m", "1h")
    ]
    proved(
        tmp_path,
        version,
        shop(),
        {
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [
                {
                    "expr": 'sla:error_ratio:1h{sli="api/by-logs"}',
                    "eval_time": "10m",
                    "exp_samples": [{"labels": 'sla:error_ratio:1h{sli="api/by-logs"}', "value": 0.2}],
                },
                {
                    "expr": 'count(ALERTS{alertname="SloErrorBudgetBurn", slo="by-logs", alertstate="firing"})',
                    "eval_time": "30m",
                    "exp_samples": [{"labels": "{}", "value": 1}],
                },
            ],
        },
    )
