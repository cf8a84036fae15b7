"""Random rules on random series: what a backtest says fires when is what promtool says, evaluation by evaluation."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sla_kit.backtest.evaluators import EngineName
from sla_kit.backtest.replay import Labels
from sla_kit.backtest.running import Settings, backtest
from sla_kit.backtest.sets import file_rules
from sla_kit.history import History, Series, openmetrics
from tests.backtest.test_history import START, ways
from tests.backtest.test_promtool import promtool
from tests.servers import prometheus, prometheus_program

LENGTH, WINDOW, SCRAPE, STEP = 4 * 3_600, 2 * 3_600, 30, 60
Fires = dict[tuple[str, Labels], set[int]]


def history(chance: random.Random) -> History:
    """Two gauges and a counter of two jobs and two instances, with gaps and resets."""
    series = []
    for metric in ("gauge:a", "gauge:b", "counter"):
        for job in "xy":
            for instance in "12":
                value, rate, up, times, values = chance.random(), 1, True, [], []
                for second in range(0, LENGTH + 1, SCRAPE):
                    up = (chance.random() > 0.004) if up else (chance.random() < 0.05)
                    if metric == "counter":
                        rate = chance.choice([0, 1, 5, 20]) if chance.random() < 0.02 else rate
                        value = 0 if chance.random() < 0.003 else value + chance.randint(0, 2 * rate)
                    elif chance.random() < 0.03:
                        value = round(chance.random(), 2)
                    if up:
                        times.append((START + second) * 1000)
                        values.append(value)
                labels = (("instance", instance), ("job", job))
                series.append(Series(metric, labels, np.array(times, dtype=np.int64), np.array(values)))
    return History(series)


def expression(chance: random.Random, recorded: list[str], depth: int = 0) -> str:
    def selector() -> str:
        labels = ("", '{job="x"}', '{job!="y"}', '{instance!~"1"}', '{kind="k", job=~"x|z"}', '{kind!="k"}')
        return chance.choice(recorded or ["gauge:a", "gauge:b"]) + chance.choice(labels)

    def inner() -> str:
        return expression(chance, recorded, depth + 1)

    leaves: list[Callable[[], str]] = [
        selector,
        lambda: chance.choice(["gauge:a", "gauge:b"]),
        lambda: f"rate(counter[{chance.choice(['2m', '5m'])}])",
        lambda: (
            f"{chance.choice(['avg', 'max', 'sum', 'count'])}_over_time({selector()}[{chance.choice(['3m', '10m'])}])"
        ),
        lambda: f"{selector()} offset {chance.choice(['3m', '10m'])}",
        lambda: f"max_over_time({selector()}[10m:1m])",
        lambda: f"absent({selector()})",
        lambda: f"absent_over_time({selector()}[10m])",
    ]
    nodes: list[Callable[[], str]] = [
        lambda: f"sum by ({chance.choice(['job', 'instance', 'job, instance'])}) ({inner()})",
        lambda: f"{inner()} > {chance.choice([0, 0.1, 0.5])}",
        lambda: f"({inner()}) {chance.choice(['and', 'or', 'unless'])} on (job, instance) ({inner()})",
    ]
    return chance.choice(leaves if depth > 1 or chance.random() < 0.5 else nodes)()


def rules(chance: random.Random) -> list[dict[str, Any]]:
    """A group of recordings, each of which may read those before it, and a group of alerts."""
    recorded: list[str] = []
    records: list[dict[str, Any]] = []
    for number in range(5):
        rule: dict[str, Any] = {"record": f"r:{number}", "expr": expression(chance, recorded)}
        if chance.random() < 0.3:
            rule["labels"] = {"kind": chance.choice("kl")}
        records.append(rule)
        recorded.append(rule["record"])
    alerts = []
    for number in range(16):
        compared = f"{chance.choice(['>', '<', '>='])} {chance.choice([0, 0.1, 0.5, 0.8])}"
        rule = {"alert": f"A{number}", "expr": f"{expression(chance, recorded)} {compared}"}
        if chance.random() < 0.5:
            rule["for"] = chance.choice(["1m", "90s", "5m", "20m"])
        if chance.random() < 0.3:
            rule["keep_firing_for"] = chance.choice(["1m", "5m", "15m"])
        if chance.random() < 0.4:
            rule["labels"] = {"what": chance.choice(["x", "of {{ $labels.job }}", "{{ $value | humanize }}"])}
        alerts.append(rule)
    return [{"name": name, "interval": f"{STEP}s", "rules": some} for name, some in (("r", records), ("a", alerts))]


def told_by_promtool(version: str, folder: Path, groups: list[dict[str, Any]], known: History) -> Fires:
    """What fires when. A rule that fails ends promtool, so it is taken out of ``groups``."""
    inputs = []
    for one in known.load(range(12)):
        at = dict(zip(((one.times // 1000 - START) // SCRAPE).tolist(), one.values.tolist(), strict=True))
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels)
        texts = (f"{at[place]!r}" if place in at else "_" for place in range(LENGTH // SCRAPE + 1))
        inputs.append({"series": f"{one.metric}{{{labels}}}", "values": " ".join(texts)})
    wrong = [{"labels": "no_such_alert", "value": 7}]
    asked = [
        {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{second}s", "exp_samples": wrong}
        for second in range(LENGTH - WINDOW, LENGTH + 1, STEP)
    ]
    test = {"interval": f"{SCRAPE}s", "input_series": inputs, "promql_expr_test": asked}
    content = {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP}s", "group_eval_order": ["r", "a"]}
    (folder / "tests.yml").write_text(yaml.safe_dump({**content, "tests": [test]}))
    failed = {""}
    while failed:
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
        command = [promtool(version), "test", "rules", str(folder / "tests.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        failed = set(re.findall(r"rule: (\S+), time: \S+ err", said))
        for group in groups:
            group["rules"] = [one for one in group["rules"] if one.get("alert", one.get("record")) not in failed]
    answers = re.findall(r"got:(.*?)(?=\n\s*expr:|\Z)", said, re.DOTALL)
    assert len(answers) == len(asked), said[:2000]
    found: Fires = {}
    for answer, question in zip(answers, asked, strict=True):
        for inside in re.findall(r'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}', answer):
            carried: dict[str, str] = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', inside))
            name = carried.pop("alertname")
            # ALERTS shows the template of a label that is filled in with nothing; the alert does not have it.
            own = {key: text for key, text in carried.items() if key not in ("__name__", "alertstate")}
            key = name, tuple(sorted((label, text) for label, text in own.items() if "{{" not in text))
            found.setdefault(key, set()).add(int(str(question["eval_time"]).rstrip("s")))
    return found


@pytest.mark.parametrize("seed", [2, 3, 12])
@pytest.mark.parametrize(("version", "engine", "history_is"), ways())
def test_random_rules_fire_as_promtool_says(
    version: str, engine: EngineName, history_is: str, seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    known, groups = history(chance), rules(chance)
    truth = told_by_promtool(version, tmp_path, groups, known)
    assert sum(map(len, truth.values())) > 500
    openmetrics.write(known, tmp_path / "history.om", {})
    with ExitStack() as stack:
        source = str(tmp_path / "history.om")
        if history_is == "live":
            source = stack.enter_context(prometheus(version, openmetrics=tmp_path / "history.om")).url
        settings = Settings(engine=engine, prometheus=str(prometheus_program(version)))
        found = backtest(
            source, [file_rules([tmp_path / "rules.yml"])], window="2h", at=START + LENGTH, settings=settings,
            state=tmp_path / "state",
        )  # fmt: skip
    fires: Fires = {}
    for alert in found.variants[0].alerts:
        for one in alert.firings:
            ends = one.end - START + (STEP if one.open else 0)
            fires.setdefault((alert.alert, one.labels), set()).update(range(one.start - START, ends, STEP))
    # A metric that never was is not known to be missed.
    told = {alert.alert for alert in found.variants[0].alerts if not alert.absent}
    assert fires == {key: at for key, at in truth.items() if key[0] in told}
