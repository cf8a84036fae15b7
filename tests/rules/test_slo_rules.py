"""What rules say of SLOs that change, are maintained, have no errors, or can't burn as fast as a usual pair asks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
import yaml

from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.rules_yaml import rule_tests_text, rules_text
from sla_kit.rules import facts, slo
from sla_kit.rules.conditions import conditions_of
from sla_kit.rules.model import AlertingRule, RecordingRule, RuleTestFile
from sla_kit.rules.sides import sides_of
from sla_kit.selectors import quote
from tests.servers import prometheus, promtool

CATALOGUE = """\
name: league
monitoring: {scrape_interval: 15s}
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, bad: {code: "=~5.."}}
    slos:
      - {name: availability, sli: requests, objective: 99%}
"""
MAINTAINED = """\
calendar:
  maintenance:
    - {name: nodes, start: 2026-10-06T05:00, duration: 30m, services: [api], reason: new images, approved_by: platform}
"""


def catalogue_of(folder: Path, text: str) -> Catalogue:
    (folder / "sla.yml").write_text(text)
    return load(folder / "sla.yml")


def written(folder: Path, catalogue: Catalogue) -> list[str]:
    """The rule files of a catalogue on disk, as a test of promtool names them."""
    names = []
    for file in slo.rule_files(catalogue):
        (folder / f"{file.name}.yml").write_text(rules_text(file))
        names.append(f"{file.name}.yml")
    return names


def proved(folder: Path, version: str, catalogue: Catalogue, *tests: dict[str, Any]) -> None:
    """promtool finds what the tests say. Labels alone are compared of alerts: their texts have tests of their own."""
    shown = {"rule_files": written(folder, catalogue), "evaluation_interval": "1m", "tests": list(tests)}
    (folder / "test.yml").write_text(yaml.safe_dump(shown))
    command = [str(promtool(version)), "test", "rules", str(folder / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def states(expression: str, at: str, *firing: str) -> dict[str, Any]:
    """The alerts that fire at a time, by the value of one label."""
    samples = [{"labels": labels, "value": 1} for labels in firing]
    return {"expr": expression, "eval_time": at, "exp_samples": samples}


def firing(by: str, alert: str, **labels: str) -> str:
    """Which alerts of a name fire, one sample each."""
    told = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f'count by ({by}) (group by ({by}) (ALERTS{{alertname="{alert}",alertstate="firing"{told}}}))'


@pytest.mark.parametrize("objective", [0.1, 0.5, 0.9, 0.93, 0.95, 0.99, 0.999, 0.99999])
@pytest.mark.parametrize("window", ["1h", "1d", "7d", "30d", "90d", "quarter"])
def test_every_pair_fires_in_a_total_outage(objective: float, window: str, tmp_path: Path) -> None:
    text = CATALOGUE.replace("objective: 99%", f"objective: {objective * 100:g}%, window: {window}")
    catalogue = catalogue_of(tmp_path, text)
    [(_, declared)] = catalogue.slos()
    for condition in conditions_of(catalogue, declared):
        assert condition.factor * (1 - objective) < 1, condition
        assert condition.short <= condition.long


def test_a_pair_that_could_not_hold_tells_of_the_same_share_of_the_budget(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, CATALOGUE.replace("99%", "90%"))
    [(_, declared)] = catalogue.slos()
    first, second, _ = conditions_of(catalogue, declared)
    # 14.4 times is more than the 10 times of a total outage; half of all requests failing is 5 times, and spends
    # 2 % of 30 days' budget in 2.88 h. SRE Workbook ch. 5: 2 % and 5 %.
    assert first.long == pytest.approx(2.88 * 3600, abs=60)
    assert first.factor == pytest.approx(5, rel=0.01)
    assert first.factor * first.long / (30 * 86400) == pytest.approx(0.02)
    assert (second.long, second.short, second.factor) == (6 * 3600, 30 * 60, 6)


def test_no_pair_waits_for_longer_than_an_hour(tmp_path: Path) -> None:
    """Fifty minutes of 3.6 times in a game that is ninety minutes old, after a game two days before: of three days that
    is 1.1 times, and an hour and a half later, as the game goes on well, under 1."""
    catalogue = catalogue_of(tmp_path, CATALOGUE.replace("99%", "95%, window: 30d"))
    [(_, declared)] = catalogue.slos()
    pairs = [(each.long, each.short, each.pending) for each in conditions_of(catalogue, declared)]
    assert pairs == [(3600, 300, 150), (6 * 3600, 1800, 900), (3 * 86400, 6 * 3600, 3600)]


def test_a_declared_condition_that_can_never_hold_is_left_out_and_told(tmp_path: Path) -> None:
    declared = "objective: 95%, alerts: [{name: a, conditions: [{name: never, burn_rate: 25, over: 1h}, "
    declared += "{name: may, burn_rate: 19, over: 1h}]}]"
    files = slo.rule_files(catalogue_of(tmp_path, CATALOGUE.replace("objective: 99%", declared)))
    rules = [rule for file in files for group in file.groups for rule in group.rules]
    burns = [rule for rule in rules if isinstance(rule, AlertingRule) and rule.alert == "SloErrorBudgetBurn"]
    assert [rule.labels["condition"] for rule in burns] == ["may"]
    assert all("never" in file.comment for file in files)


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize("side", ["bad", "good"])
def test_an_indicator_that_changed_is_quiet_until_it_is_recorded_anew(version: str, side: str, tmp_path: Path) -> None:
    kind = {"bad": 'bad: {code: "=~5.."}', "good": 'good: {code: "!~5.."}'}[side]
    catalogue = catalogue_of(tmp_path, CATALOGUE.replace('bad: {code: "=~5.."}', kind))
    rules = [rule for file in slo.rule_files(catalogue) for group in file.groups for rule in group.rules]
    recorded = [rule for rule in rules if isinstance(rule, RecordingRule)]
    total, bad = (rule.labels["events"] for rule in recorded if rule.record == "sla:events:rate5m")
    assert "code" not in total
    assert "code" in bad
    [hour] = [rule for rule in recorded if rule.record == "sla:error_ratio:1h"]
    lines = ["# TYPE sla:events:rate5m gauge"]
    for name, since, value in ((total, 0, 100), (bad, 3 * 3600, 2)):
        told = name.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'sla:events:rate5m{{events="{told}"}} {value} {at}' for at in range(since, 6 * 3600, 30)]
    history = tmp_path / "history.om"
    history.write_text("\n".join([*lines, "# EOF", ""]))
    with prometheus(version, openmetrics=history) as server:

        def at(seconds: int) -> list[float]:
            answer = requests.get(
                server.url + "/api/v1/query", params={"query": hour.expression, "time": str(seconds)}, timeout=300
            ).json()
            assert answer["status"] == "success", answer
            return [float(each["value"][1]) for each in answer["data"]["result"]]

        # The total has been recorded all along; the other side has begun at three hours.
        assert at(3 * 3600 + 60) == at(3 * 3600 + 1800) == at(3 * 3600 + 3200) == []
        assert at(4 * 3600 + 60) == [pytest.approx(0.02, rel=0.01)]


@pytest.mark.parametrize("version", ["2", "3"])
def test_maintenance_neither_spends_budget_nor_pages_once_it_is_over(version: str, tmp_path: Path) -> None:
    # Everything fails for 30 minutes, from 8:00 on.
    outage = {
        'http_requests_total{job="api",instance="a",code="200"}': "0+600x480 288000x30 288000+600x600",
        'http_requests_total{job="api",instance="a",code="500"}': "0x480 0+600x30 18000x600",
    }
    series = [{"series": name, "values": values} for name, values in outage.items()]
    planned = {"series": 'sla_maintenance_active{service="api"}', "values": "_x480 1x30 _x600"}
    pages = firing("severity", "SloErrorBudgetBurn", severity="critical")
    during = {
        "interval": "1m",
        "input_series": [*series, planned],
        "promql_expr_test": [
            *(states(pages, f"{minutes}m") for minutes in range(481, 620, 3)),
            states('max_over_time(sla:error_ratio:6h{sli="api/requests"}[4h]) > 0.0001', "720m"),
            # The windows go on being told when what maintenance left out is their oldest part.
            *(states('group by (sli) (sla:error_ratio:1h{sli="api/requests"})', f"{at}m",
              '{sli="api/requests"}') for at in range(520, 620, 2)),
        ],
    }  # fmt: skip
    unplanned = {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [states(pages, "505m", '{severity="critical"}')],
    }
    proved(tmp_path, version, catalogue_of(tmp_path, CATALOGUE + MAINTAINED), during)
    proved(tmp_path, version, catalogue_of(tmp_path, CATALOGUE), unplanned)


@pytest.mark.parametrize("version", ["2", "3"])
def test_no_data_is_told_of_series_that_are_gone_and_not_of_a_service_without_errors(
    version: str, tmp_path: Path
) -> None:
    shared = 'slis: {edge: {kind: requests, metric: edge_total, bad: {code: "=~5.."}}}\n'
    more = "\n".join(
        f"  - {{name: {name}, slos: [{{name: edge, sli: edge, objective: 99%}}]}}" for name in ("web", "app")
    )
    catalogue = catalogue_of(tmp_path, shared + CATALOGUE + more)
    gone = firing("service", "SloNoData")
    test = {
        "interval": "1m",
        "input_series": [
            {"series": 'http_requests_total{code="200"}', "values": "0+60x120"},
            {"series": 'edge_total{code="200"}', "values": "0+60x60 stale"},
        ],
        "promql_expr_test": [
            states(gone, "60m"),
            states('sla:error_ratio:5m{sli="api/requests"} == 0', "60m", 'sla:error_ratio:5m{sli="api/requests"}')
            | {"exp_samples": [{"labels": 'sla:error_ratio:5m{sli="api/requests"}', "value": 0}]},
            states(gone, "69m"),
            # Both services whose promises are judged by it are told of, once each.
            states(gone, "73m", '{service="web"}', '{service="app"}'),
        ],
    }
    proved(tmp_path, version, catalogue, test)


@pytest.mark.parametrize("version", ["2", "3"])
def test_slices_are_told_where_samples_are_as_far_apart_as_slices_are_long(version: str, tmp_path: Path) -> None:
    sliced = "objective: 99%, budgeting: timeslices, slice: 1m, slice_target: 95%"
    text = CATALOGUE.replace("objective: 99%", sliced).replace("15s", "1m")
    test = {
        "interval": "1m",
        "input_series": [
            {"series": 'http_requests_total{code="200"}', "values": "0+90x60 5400+600x60"},
            {"series": 'http_requests_total{code="500"}', "values": "0+10x60 600x60"},
        ],
        "promql_expr_test": [
            {"expr": 'max by () (sla:error_ratio:4m{sli="api/requests"})', "eval_time": at,
             "exp_samples": [{"labels": "{}", "value": value}]}
            for at, value in (("50m", 1), ("80m", 0))
        ],
    }  # fmt: skip
    proved(tmp_path, version, catalogue_of(tmp_path, text), test)


def test_everything_that_is_read_is_recorded(tmp_path: Path) -> None:
    probes = "".join(
        f"      - {{name: {name}, sli: {{kind: probe, matchers: {{zone: {name}}}}}, objective: 99%, window: 7d}}\n"
        for name in ("here", "there")
    )
    both = (
        "      - {name: both, sli: {kind: composite, combine: worst, of: [here, there]}, objective: 99%, window: 7d}\n"
    )
    text = CATALOGUE.replace("objective: 99%}", "objective: 99.9%, low_traffic: both}") + probes + both
    files = slo.rule_files(catalogue_of(tmp_path, text))
    rules = [rule for file in files for group in file.groups for rule in group.rules]
    recorded = {
        (rule.record, f"{{{name}={quote(value)}}}")
        for rule in rules
        if isinstance(rule, RecordingRule)
        for name, value in rule.labels.items()
    }
    read = {
        match for rule in rules for match in re.findall(r'(sla:[\w:]+)(\{\w+="(?:[^"\\]|\\.)*"\})', rule.expression)
    }
    # What dashboards have to know of a promise is read by them alone.
    assert read == {each for each in recorded if each[0] not in (facts.OBJECTIVE, facts.BURN_LIMIT)}


def test_nothing_is_recorded_that_nobody_reads(tmp_path: Path) -> None:
    def records(settings: str) -> set[str]:
        catalogue = catalogue_of(tmp_path, CATALOGUE.replace("scrape_interval: 15s", settings))
        rules = [rule for file in slo.rule_files(catalogue) for group in file.groups for rule in group.rules]
        return {rule.record for rule in rules if isinstance(rule, RecordingRule)}

    windows = {f"sla:error_ratio:{window}" for window in ("5m", "30m", "1h", "6h", "3d", "30d")}
    events = {"sla:events:rate5m", "sla:events:increase15m"}
    everything = records("scrape_interval: 15s")
    assert everything == windows | events | {facts.OBJECTIVE, facts.BURN_LIMIT}
    # Dashboards show budgets and burn rates also where nobody is told of them.
    assert records("rules: {SloErrorBudgetRunsOut: off, SloErrorBudgetSpent: off}") == everything
    assert records("areas: {slo: off}") == set()


@pytest.mark.parametrize("version", ["2", "3"])
def test_the_tests_that_are_generated_hold_where_one_budget_is_spent_as_another_is_half_left(
    version: str, tmp_path: Path
) -> None:
    more = "\n      - {name: stricter, sli: requests, objective: 99.5%}\n"
    done, _ = generated(tmp_path, version, catalogue_of(tmp_path, CATALOGUE + more.lstrip("\n")))
    assert done.returncode == 0, done.stdout + done.stderr


def several(number: int) -> str:
    """A catalogue with so many SLOs on one indicator."""
    more = [f"      - {{name: o{at}, sli: requests, objective: {98 - at}%, window: {7 + at}d}}" for at in range(number)]
    return CATALOGUE + "\n".join(more)


@pytest.mark.parametrize("version", ["2", "3"])
def test_each_of_many_slos_on_one_indicator_is_proved_at_its_own_threshold(version: str, tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, several(12))
    done, [tests] = generated(tmp_path, version, catalogue)
    assert done.returncode == 0, done.stdout + done.stderr
    budgets = {"SloErrorBudgetBurn", "SloErrorBudgetRunsOut", "SloErrorBudgetSpent"}
    rules = [rule for file in slo.rule_files(catalogue) for group in file.groups for rule in group.rules]
    alerts = [rule for rule in rules if isinstance(rule, AlertingRule) and rule.alert in budgets]
    asked = [value for test in tests.tests for value in test.values]
    fired = {(check.alert, each.labels.get("slo")) for t in tests.tests for check in t.alerts for each in check.firing}
    for rule in alerts:
        if rule.labels["slo"] != "availability":  # the first, which whole alerts are tested of
            inside = rule.expression.replace("\n", "\n  ")
            assert sorted(len(each.values) for each in asked if inside in each.expression) == [0, 1], rule
        if rule.alert != "SloErrorBudgetRunsOut":
            assert (rule.alert, rule.labels["slo"]) in fired


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_threshold_that_is_another_is_found_by_the_tests(version: str, tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, several(3))
    [tests] = slo.test_files(catalogue)
    [last] = [test for test in tests.tests if test.values]
    wrong = [msgspec.structs.replace(each, values={"{}": 1.0} if not each.values else {}) for each in last.values]
    generated(tmp_path, version, catalogue)
    for number in range(len(wrong)):
        values = (*last.values[:number], wrong[number], *last.values[number + 1 :])
        test = msgspec.structs.replace(last, values=values)
        text = rule_tests_text(msgspec.structs.replace(tests, tests=(test,)))
        (tmp_path / "tests" / "slo.yml").write_text(text)
        assert proof(tmp_path, version).returncode == 1, number


def test_what_proves_many_slos_on_one_indicator_grows_with_their_number(tmp_path: Path) -> None:
    few, many = (
        sum(len(rule_tests_text(file)) for file in slo.test_files(catalogue_of(tmp_path, several(number))))
        for number in (20, 40)
    )
    assert many < 2.2 * few


def generated(
    folder: Path, version: str, catalogue: Catalogue
) -> tuple[subprocess.CompletedProcess[str], tuple[RuleTestFile, ...]]:
    """What promtool says of the tests that are generated, and these."""
    for name in ("rules", "tests"):
        (folder / name).mkdir()
    written(folder / "rules", catalogue)
    files = slo.test_files(catalogue)
    for file in files:
        (folder / "tests" / f"{file.name}.yml").write_text(rule_tests_text(file))
    return proof(folder, version), files


def proof(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    """What promtool says of the tests in a folder."""
    command = [str(promtool(version)), "test", "rules", *map(str, sorted((folder / "tests").iterdir()))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["2", "3"])
@pytest.mark.parametrize("combine", ["mean", "any"])
def test_an_outage_over_the_edge_of_two_buckets_counts_once_in_both(version: str, combine: str, tmp_path: Path) -> None:
    probe = "slis: {probe: {kind: probe, metric: probe_success, matchers: {job: web}, combine: " + combine + "}}"
    text = f"name: p\nservices:\n- name: api\n  {probe}\n  slos: [{{name: up, sli: probe, objective: 99.9%}}]\n"
    catalogue = catalogue_of(tmp_path, text)
    [(service, declared)] = catalogue.slos()
    sides = sides_of(catalogue, service, declared, catalogue.sli(service, declared))
    assert sides is not None
    values = [
        {"expr": side.bucket(900), "eval_time": at, "exp_samples": [{"labels": "{}", "value": seconds}]}
        for side, found in ((sides.bad, (120, 60)), (sides.total, (900, 900)))
        for at, seconds in zip(("15m", "30m"), found, strict=True)
    ]
    # Down in the samples of minutes 14, 15 and 16, of which the second is the last of the first quarter of an hour.
    test = {"interval": "1m", "input_series": [{"series": 'probe_success{job="web"}', "values": "1x13 0x2 1x20"}]}
    proved(tmp_path, version, catalogue, test | {"promql_expr_test": values})
