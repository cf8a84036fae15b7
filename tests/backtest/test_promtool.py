"""What promtool says that fires when is what a replay says, labels and all."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
import yaml

from sla_kit.backtest.replay import Labels, Run, Timing, replay
from sla_kit.backtest.templates import Template, rendered
from tests.servers import binary, prometheus_program, prometheus_versions

TICKS = 40


def promtool(version: str) -> str:
    program = prometheus_program(version)
    assert program is not None
    beside = program.with_name("promtool")
    return str(beside) if beside.is_file() else binary("promtool", "prometheus")


def agreed(version: str, folder: Path, rules: object, tests: object) -> None:
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    (folder / "tests.yml").write_text(yaml.safe_dump(tests))
    done = subprocess.run(
        [promtool(version), "test", "rules", folder / "tests.yml"], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout[-4000:] + done.stderr[-4000:]


def runs_of(ticks: list[bool]) -> list[Run]:
    found: list[Run] = []
    for tick, there in enumerate(ticks):
        if there and found and found[-1].last == tick - 1:
            found[-1] = Run(found[-1].first, tick)
        elif there:
            found.append(Run(tick, tick))
    return found


@pytest.mark.parametrize("version", prometheus_versions())
def test_random_courses_fire_as_promtool_says(version: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    groups, tests = [], []
    for number in range(60):
        interval = chance.choice([15, 30, 60])
        pending, keep = chance.choice([0, 20, 60, 90, 300]), chance.choice([0, 0, 20, 60, 100, 300])
        rule: dict[str, object] = {"alert": f"A{number}", "expr": f"m{number} > 0"}
        if pending:
            rule["for"] = f"{pending}s"
        if keep:
            rule["keep_firing_for"] = f"{keep}s"
        groups.append({"name": f"g{number}", "interval": f"{interval}s", "rules": [rule]})
        series, active = [], {}
        for job in ("a", "b"):
            share, course, there = chance.choice([0.5, 0.8, 0.9]), [], False
            for _ in range(TICKS):
                there = there if chance.random() < share else not there
                course.append(there)
            series.append(
                {"series": f'm{number}{{job="{job}"}}', "values": " ".join("1" if on else "0" for on in course)}
            )
            labels: Labels = (("job", job),)
            active[labels] = runs_of(course)
        fired = replay(active, Timing(interval, pending, keep), 0, TICKS - 1)
        checks = []
        for tick in range(TICKS):
            now = [one for one in fired if one.since <= tick and (one.until is None or tick < one.until)]
            firing = [{"exp_labels": dict(one.labels)} for one in now]
            checks.append({"eval_time": f"{tick * interval}s", "alertname": f"A{number}", "exp_alerts": firing})
        tests.append({"interval": f"{interval}s", "input_series": series, "alert_rule_test": checks})
    rules = {"groups": groups}
    # A group of tests evaluates all rules at one interval: those whose series it lacks are quiet.
    for interval in (15, 30, 60):
        some = [one for one in tests if one["interval"] == f"{interval}s"]
        content = {"rule_files": ["rules.yml"], "evaluation_interval": f"{interval}s", "tests": some}
        agreed(version, tmp_path, rules, content)


TEMPLATES = [
    "{{ $labels.instance }}",
    "at {{ .Labels.job }}, {{ $labels.missing }}!",
    "{{ $labels.job | toUpper }}-{{- $labels.instance | title }}",
    "{{ $value }}",
    "{{ .Value | humanize }}",
    "{{ humanizePercentage $value }}",
    "{{ $value | humanizeDuration }}",
    "{{ $value | humanize1024 }}",
    '{{ printf "%.2f" $value }}',
    '{{ $value | printf "%.0f s" }}',
    '{{ index $labels "job" }}',
    '{{ "quoted | text" }}',
    "{{ stripPort $labels.instance }}",
    "plain {text}",
]
VALUES = [
    "0.5",
    "1",
    "12345678",
    "0.00001234",
    "86461",
    "1e15",
    "100000",
    "999999.5",
    "1000000",
    "123456.789",
    "59.5",
    "-3",
    "1048576",
    "+Inf",
    "0.1",
]


@pytest.mark.parametrize("version", prometheus_versions())
def test_labels_are_filled_in_as_prometheus_does(version: str, tmp_path: Path) -> None:
    source = {"instance": "db-1.example:9100", "job": "node exporter"}
    rules = [
        {"alert": f"T{number}", "expr": f"v{at}", "labels": {"filled": text}}
        for number, text in enumerate(TEMPLATES)
        for at in range(len(VALUES))
    ]
    series = [
        {"series": f'v{at}{{instance="{source["instance"]}",job="{source["job"]}"}}', "values": value}
        for at, value in enumerate(VALUES)
    ]
    checks = []
    for number, text in enumerate(TEMPLATES):
        assert Template(text).understood
        labels = [rendered({"filled": text}, {"__name__": "v", **source}, float(value)) for value in VALUES]
        expected = [{"exp_labels": one} for one in labels]
        checks.append({"eval_time": "0s", "alertname": f"T{number}", "exp_alerts": expected})
    test = {"interval": "1m", "input_series": series, "alert_rule_test": checks}
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    agreed(version, tmp_path, {"groups": [{"name": "g", "rules": rules}]}, content)


def test_a_template_beyond_us_stays_as_it_is() -> None:
    text = '{{ range query "up" }}{{ . }}{{ end }}'
    assert not Template(text).understood
    assert rendered({"a": text}, {}, 1.0) == {"a": text}
