"""promtool on rules and tests, written by PyYAML, so that nothing of our own writer stands between them.

`python -m tests.alert_rules.promtool AREA` runs the tests of one area with the default catalogue, and the lint.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from sla_kit import alert_rules
from sla_kit.alert_rules.lint import lint
from sla_kit.alert_rules.proving import tests_of
from sla_kit.alert_rules.settings import settings_of
from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.model import AlertingRule, RuleFile, RuleTestFile


def written(folder: Path, rules: tuple[RuleFile, ...], tests: tuple[RuleTestFile, ...]) -> list[Path]:
    """Writes the files into a folder; the test files."""
    for file in rules:
        groups = [{"name": group.name, "rules": [_rule(rule) for rule in group.rules]} for group in file.groups]
        (folder / f"{file.name}.yml").write_text(yaml.safe_dump({"groups": groups}))
    paths: list[Path] = []
    for test_file in tests:
        path = folder / f"{test_file.name}_test.yml"
        document = {
            "rule_files": [f"{name}.yml" for name in test_file.rule_files],
            "evaluation_interval": _seconds(test_file.evaluation_interval_seconds),
            "tests": [_test(test) for test in test_file.tests],
        }
        path.write_text(yaml.safe_dump(document))
        paths.append(path)
    return paths


def _seconds(value: float) -> str:
    return f"{round(value * 1000)}ms"


def _rule(rule: Any) -> dict[str, Any]:
    if not isinstance(rule, AlertingRule):
        return {"record": rule.record, "expr": rule.expression, "labels": dict(rule.labels)}
    return {
        "alert": rule.alert,
        "expr": rule.expression,
        "for": _seconds(rule.pending_seconds),
        "keep_firing_for": _seconds(rule.keep_firing_seconds),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
    }


def _test(test: Any) -> dict[str, Any]:
    return {
        "name": test.name,
        "interval": _seconds(test.interval_seconds),
        "input_series": [{"series": name, "values": values} for name, values in test.series.items()],
        "alert_rule_test": [
            {
                "alertname": check.alert,
                "eval_time": _seconds(check.at_seconds),
                "exp_alerts": [
                    {"exp_labels": dict(alert.labels), "exp_annotations": dict(alert.annotations)}
                    for alert in check.firing
                ],
            }
            for check in test.alerts
        ],
        "promql_expr_test": [
            {
                "expr": check.expression,
                "eval_time": _seconds(check.at_seconds),
                "exp_samples": [{"labels": name, "value": value} for name, value in check.values.items()],
            }
            for check in test.values
        ],
    }


def run(promtool: str, folder: Path, catalogue: Catalogue, area: str | None = None) -> str:
    """The mistakes that promtool finds in the tests of an area, of the world in which all are ``healthy``, or in all of
    them; "" where there are none."""
    if area in (None, "healthy"):
        rules, tests = alert_rules.rule_files(catalogue), alert_rules.test_files(catalogue)
        tests = tuple(file for file in tests if file.name.startswith(area or ""))
    else:
        rules = tuple(file for file in alert_rules.rule_files(catalogue) if file.name == area)
        found = [each for each in settings_of(catalogue, alert_rules.areas()) if each.area.name == area]
        groups = tuple(test for each in found for test in tests_of(catalogue, each))
        tests = tuple(alert_rules.paced(area, (area,), groups))
    paths = written(folder, rules, tests)
    checked = subprocess.run(
        [promtool, "check", "rules", *(str(folder / f"{file.name}.yml") for file in rules)],
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode:
        return checked.stdout + checked.stderr
    done = subprocess.run([promtool, "test", "rules", *map(str, paths)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def main(area: str | None = None) -> int:
    """Prints what promtool and the lint find."""
    catalogue = Catalogue(name="test", services=[])
    alerts = alert_rules.resolved(catalogue)
    named = {each.alert.name for each in alerts if area in (None, each.settings.area.name)}
    problems = [str(problem) for problem in lint(catalogue, alerts) if problem.alert in named]
    with tempfile.TemporaryDirectory() as scratch:
        mistakes = run("promtool", Path(scratch), catalogue, area)
    print("\n".join(problems) + mistakes or f"{len(named)} alerts: all pass")
    return int(bool(problems or mistakes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
