"""SLOs on logs have alerts like any others, from what the exporter of promises publishes of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

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
from sla_kit.catalogue.monitoring import Monitoring, SloRules
from sla_kit.catalogue.writing import to_yaml
from sla_kit.cli import main
from sla_kit.generate.prometheus_config import scraped_jobs, servers
from sla_kit.generate.rules_yaml import rule_tests_text, rules_text
from sla_kit.rules import slo
from sla_kit.rules.model import AlertingRule, RecordingRule
from sla_kit.rules.published import BAD_EVENTS, OBSERVED, counted_windows, published_conditions, published_windows
from sla_kit.rules.slo import left_out
from sla_kit.rules.slo_alerts import BURN
from sla_kit.selectors import quote
from tests.rules.test_slo_rules import firing, proved, states
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
    return [rule.alert for rule in rules_of(catalogue) if rule.labels.get("slo") == name]


def rules_of(catalogue: Catalogue) -> list[AlertingRule]:
    return [
        rule
        for file in slo.rule_files(catalogue)
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, AlertingRule)
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


def test_the_only_difference_between_alerts_is_where_their_figures_come_from() -> None:
    told: dict[str, list[tuple[object, ...]]] = {}
    for rule in rules_of(shop()):
        name = rule.labels.get("slo") or rule.labels["sli"].partition("/")[2]
        labels = {key: text for key, text in rule.labels.items() if key not in ("slo", "sli")}
        texts = {key: text.replace(name, "it") for key, text in rule.annotations.items() if rule.alert != "SloNoData"}
        links = {key: text for key, text in rule.annotations.items() if key not in ("summary", "description")}
        parts = (rule.alert, rule.pending_seconds, rule.keep_firing_seconds, labels, texts, links)
        told.setdefault(name, []).append(parts)
    assert told["by-logs"] == told["availability"]
    assert [alert for alert, *_ in told["by-logs"]].count("SloNoData") == 1


@pytest.mark.parametrize("bucket", [60.0, 300.0, 420.0, 3600.0])
@pytest.mark.parametrize("window", [3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0, 30 * 86400.0])
def test_usual_pairs_are_whole_buckets_so_that_none_is_left_out(bucket: float, window: float) -> None:
    logs = Slo(name="by-logs", sli=LOGS, objective=0.99, window=Window(rolling=window))
    catalogue = Catalogue(name="shop", bucket=bucket, services=[Service(name="api", slos=[logs])])
    [service] = catalogue.services
    for condition in published_conditions(catalogue, logs):
        assert all(seconds % bucket == 0 for seconds in condition.windows)
        assert published_windows(catalogue, service, logs).issuperset(condition.windows)
    assert alerts(catalogue, "by-logs").count("SloErrorBudgetBurn") >= 1
    assert left_out(catalogue) == ()


ODD = Condition(burn_rate=2.0, over=7000.0, short=700.0)


def test_alerts_of_its_own_read_windows_of_their_own() -> None:
    catalogue = shop(alerts=(Alert(name="own", conditions=[Condition(burn_rate=3.0, over=7200.0, short=720.0)]),))
    found = recordings(catalogue, "api/by-logs")
    assert 'burn_window="2h"' in found["sla:error_ratio:2h"]
    assert 'burn_window="12m"' in found["sla:error_ratio:12m"]
    assert left_out(catalogue) == ()


def test_windows_that_are_no_whole_buckets_have_no_alert_and_that_is_told() -> None:
    usual = Condition(burn_rate=14.4, over=3600.0, short=300.0)
    catalogue = shop(alerts=(Alert(name="own", conditions=[ODD, usual]),))
    assert alerts(catalogue, "by-logs").count("SloErrorBudgetBurn") == 1
    [told] = left_out(catalogue)
    assert told == (
        "api/by-logs is counted in buckets of 1m, of which 7000s and 700s are no whole numbers: no such alert of it"
    )
    assert all(told in file.comment for file in slo.rule_files(catalogue))


def test_an_slo_is_watched_by_the_usual_pairs_where_none_of_its_own_can_be() -> None:
    catalogue = shop(alerts=(Alert(name="own", conditions=[ODD]),))
    assert alerts(catalogue, "by-logs") == alerts(shop(), "by-logs")
    assert [text.rpartition(": ")[2] for text in left_out(catalogue)] == ["the usual pairs take its place"]


def test_generate_tells_in_the_terminal_what_it_leaves_out(tmp_path: Path) -> None:
    file = tmp_path / "sla.yml"
    file.write_text(to_yaml(shop(alerts=(Alert(name="own", conditions=[ODD]),))))
    arguments = ["generate", "-c", str(file), "--out", str(tmp_path / "build"), "--only", "rules"]
    for more in ([], ["--check"]):
        done = CliRunner().invoke(main, [*arguments, *more])
        assert done.exit_code == 0, done.output
        assert "left out: api/by-logs is counted in buckets of 1m" in done.output
    file.write_text(to_yaml(shop()))
    assert "left out" not in CliRunner().invoke(main, arguments).output


def test_what_is_composed_of_logs_reads_its_own_figures() -> None:
    """Windows of the composite need be none of its parts."""
    both = Composite(combine="all", of=[Part(slo="by-logs"), Part(slo="availability")])
    catalogue = shop(
        Slo(name="both", sli=both, objective=0.9, window=Window(rolling=7 * 86400.0)),
        Slo(name="more", sli=Composite(combine="all", of=[Part(slo="both")]), objective=0.9),
    )
    for name in ("both", "more"):
        found = recordings(catalogue, f"api/{name}")
        assert found
        assert all(f'slo="{name}"' in expression for expression in found.values())
        assert alerts(catalogue, name).count("SloErrorBudgetBurn") == 3
    assert left_out(catalogue) == ()


def test_slices_of_time_are_no_events_that_a_floor_could_count() -> None:
    sliced = Slo(name="sliced", sli=LOGS, objective=0.99, budgeting="timeslices", slice_target=0.9)
    burns = {
        name: [r.expression for r in rules_of(shop(sliced)) if r.alert == BURN and r.labels["slo"] == name]
        for name in ("sliced", "by-logs")
    }
    assert all(BAD_EVENTS in expression for expression in burns["by-logs"])
    assert burns["sliced"]
    assert not any(BAD_EVENTS in expression for expression in burns["sliced"])
    catalogue = shop()
    free = msgspec.structs.replace(catalogue, monitoring=Monitoring(slo=SloRules(min_bad_events=0)))
    assert not any(BAD_EVENTS in rule.expression for rule in rules_of(free))
    [service] = free.services
    assert counted_windows(free, service, service.slos[0]) == frozenset()


def test_slos_on_the_same_documents_have_one_alert_for_missing_data() -> None:
    strict = Slo(name="strict", sli=LOGS, objective=0.999)
    other = Slo(name="other", sli=LogEvents(bad="status:503"), objective=0.999)
    gone = {rule.labels["sli"]: rule for rule in rules_of(shop(strict, other)) if rule.alert == "SloNoData"}
    assert set(gone) == {"api/by-logs", "api/availability", "api/other"}
    assert 'slo="strict"' in gone["api/by-logs"].expression
    assert "api/by-logs, api/strict" in gone["api/by-logs"].annotations["description"]


def test_what_publishes_the_figures_is_scraped_even_where_its_own_alerts_are_off() -> None:
    off = msgspec.structs.replace(shop(), monitoring=Monitoring(areas={"promises": False}))
    assert "sla-kit-slo" in [job for job, _ in scraped_jobs(off)]
    metrics = msgspec.structs.replace(off, services=[Service(name="api", slos=[off.services[0].slos[1]])])
    assert "sla-kit-slo" not in [job for job, _ in scraped_jobs(metrics)]


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


def published(name: str, values: str, **labels: str) -> dict[str, str]:
    """A series that the exporter publishes of the SLO."""
    told = {"service": "api", "slo": "by-logs", "job": "sla-kit-slo", "instance": "a", **labels}
    return {"series": f"{name}{{{', '.join(f'{key}={quote(text)}' for key, text in told.items())}}}", "values": values}


@pytest.mark.parametrize("version", prometheus_versions())
def test_a_burn_that_is_published_pages_once_there_are_enough_bad_events(version: str, tmp_path: Path) -> None:
    burns = [published("sla_slo_burn_rate_ratio", "20x600", burn_window=window) for window in ("5m", "1h")]
    pages = firing("severity", BURN, slo="by-logs")
    proved(
        tmp_path,
        version,
        shop(),
        {
            "interval": "1m",
            "input_series": [*burns, published(BAD_EVENTS, "9x60 10x500", burn_window="1h")],
            "promql_expr_test": [
                {
                    "expr": 'sla:error_ratio:1h{sli="api/by-logs"}',
                    "eval_time": "10m",
                    "exp_samples": [{"labels": 'sla:error_ratio:1h{sli="api/by-logs"}', "value": 0.2}],
                },
                states(pages, "60m"),
                states(pages, "70m", '{severity="critical"}'),
            ],
        },
    )


@pytest.mark.parametrize("version", prometheus_versions())
def test_no_data_is_told_of_figures_that_are_gone_and_of_logs_that_have_ended(version: str, tmp_path: Path) -> None:
    gone = firing("sli", "SloNoData", sli="api/by-logs")
    told = '{sli="api/by-logs"}'

    def test(values: str, *states: dict[str, Any]) -> dict[str, Any]:
        return {"interval": "1m", "input_series": [published(OBSERVED, values)], "promql_expr_test": list(states)}

    proved(
        tmp_path,
        version,
        shop(),
        # Two minutes late, as it is by its nature.
        test("-120+60x200", *(states(gone, f"{minutes}m") for minutes in range(0, 200, 10))),
        # A silence of six minutes, and then no end to one.
        test(
            "0+60x60 3600x6 3960+60x30 5760x60", states(gone, "66m"), states(gone, "100m"), states(gone, "120m", told)
        ),
        # The exporter is gone; then it is there again.
        test("0+60x60 stale _x15 4620+60x60", states(gone, "70m"), states(gone, "72m", told), states(gone, "80m")),
        # Nothing was ever published, as of an index that is not there.
        test("_x60", states(gone, "9m"), states(gone, "11m", told)),
    )


@pytest.mark.parametrize("version", prometheus_versions())
def test_of_several_exporters_one_that_knows_is_enough(version: str, tmp_path: Path) -> None:
    series = [published(OBSERVED, values, instance=name) for name, values in (("a", "0x120"), ("b", "0+60x120"))]
    gone = states(firing("sli", "SloNoData", sli="api/by-logs"), "110m")
    proved(tmp_path, version, shop(), {"interval": "1m", "input_series": series, "promql_expr_test": [gone]})
