"""Our rules beside Sloth's for the same SLOs: samples touched, time to evaluate, the error of long windows, time to
generate.

    python -m bench.rules             everything, about three minutes
    python -m bench.rules generate    only the time to generate the rules of 1,000 SLOs

Samples are those that Prometheus says it touched (``stats=all``), which no other load on the machine changes. Both
sides read a month that is scraped every 15 s, and their own recordings of it: ours filled by our backfill, Sloth's
five-minute ratio by promtool.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import requests
import yaml

from sla_kit.catalogue import load
from sla_kit.generate.rules_yaml import rules_text
from sla_kit.rules import backfill, slo
from sla_kit.rules.model import RecordingRule
from sla_kit.simulate import load_scenario, simulate
from tests.servers import Prometheus, prometheus, promtool, tool

TOTAL = 'http_requests_total{service="api"}'
BAD = 'http_requests_total{service="api",status_code=~"5.."}'


def main(part: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if part in ("all", "evaluate"):
            evaluate(folder)
        if part in ("all", "generate"):
            generate(folder)


def evaluate(folder: Path) -> None:
    """One SLO on a month of game days: what both sides' rules touch, how long they take, and how far off they are."""
    scenario = load_scenario("astralfield")
    api = next(each for each in scenario.services if each.name == "api")
    alone = msgspec.structs.replace(api, latency=None)
    parts = {"services": [alone], "probes": [], "gauges": [], "jobs": [], "scrape_interval": 15.0}
    simulation = simulate(msgspec.structs.replace(scenario, **parts))
    simulation.write(folder / "month")
    truth, end = simulation.truth["services"]["api"], float(simulation.truth["end"])
    (folder / "sla.yml").write_text(yaml.safe_dump(_catalogue(1, 1)))
    catalogue = load(folder / "sla.yml")
    theirs = _sloth(folder, 1, 1)
    ours = [rule for file in slo.rule_files(catalogue) for group in file.groups for rule in group.rules]
    for each in backfill.backfills(catalogue):
        (folder / f"{each.rules.name}.yml").write_text(rules_text(each.rules))
    (folder / "backfill.sh").write_text(backfill.script(backfill.backfills(catalogue)))
    five = next(rule for rule in theirs if rule.get("record") == "slo:sli_error:ratio_rate5m")
    (folder / "five.yml").write_text(yaml.safe_dump({"groups": [{"name": "five", "interval": "5m", "rules": [five]}]}))
    data = folder / "data"
    with prometheus("3", openmetrics=folder / "month" / "history.om.gz", data=data) as server:
        series = len(_query(server, TOTAL, end)["result"])
        script = ["sh", str(folder / "backfill.sh"), "--promtool", str(promtool("3")), "--until", f"{end:.0f}"]
        subprocess.run([*script, "--url", server.url, "--out", str(data / "tsdb")], check=True, capture_output=True)
        filling = [promtool("3"), "tsdb", "create-blocks-from", "rules", "-q", "--url", server.url]
        filling += [f"--start={end - 30 * 86400:.0f}", f"--end={end:.0f}", f"--output-dir={data / 'tsdb'}"]
        subprocess.run([*map(str, filling), str(folder / "five.yml")], check=True, capture_output=True)
    with prometheus("3", data=data) as server:
        our_samples, our_seconds = _cost(server, [rule.expression for rule in ours], end)
        their_samples, their_seconds = _cost(server, [str(rule["expr"]) for rule in theirs], end)
        recorded = next(
            rule for rule in ours if isinstance(rule, RecordingRule) and rule.record == "sla:error_ratio:30d"
        )
        month = float(_query(server, recorded.expression, end)["result"][0]["value"][1])
        mean_rule = next(rule for rule in theirs if rule.get("record") == "slo:sli_error:ratio_rate30d")
        mean = float(_query(server, str(mean_rule["expr"]), end)["result"][0]["value"][1])
    true_ratio = truth["bad"] / truth["total"]
    print(f"one SLO on {series} series, {len(ours)} rules of ours, {len(theirs)} of Sloth's")
    print(
        f"samples touched an evaluation: {our_samples:,} beside {their_samples:,}: 1/{their_samples / our_samples:.1f}"
    )
    print(f"evaluation time: {our_seconds * 1000:.1f} ms beside {their_seconds * 1000:.1f} ms: "
          f"1/{their_seconds / our_seconds:.1f}")  # fmt: skip
    print(f"30-day error ratio: true {true_ratio:.6%}; ours {month / true_ratio - 1:+.2%}, mean of ratios "
          f"{mean / true_ratio - 1:+.2%}")  # fmt: skip


def generate(folder: Path) -> None:
    """1,000 SLOs, from the YAML that a user writes to the rules on disk; whole processes in turn, the best of nine."""
    (folder / "large.yml").write_text(yaml.safe_dump(_catalogue(100, 10)))
    (folder / "sloth.yml").write_text("---\n".join(yaml.safe_dump(each) for each in _specs(100, 10)))
    ours = [str(Path(sys.executable).parent / "sla-kit"), "generate", "-c", str(folder / "large.yml")]
    ours += ["--only", "rules", "--out", str(folder / "ours")]
    theirs = [str(tool("sloth")), "generate", "-i", str(folder / "sloth.yml"), "-o", str(folder / "theirs.yml")]
    turns = [(_timed(ours), _timed(theirs)) for _ in range(9)]
    for what, number in (("passed", 0), ("of CPU", 1)):
        our_seconds, their_seconds = (min(turn[side][number] for turn in turns) for side in (0, 1))
        print(f"rules of 1,000 SLOs: {our_seconds:.2f} s {what} beside {their_seconds:.2f} s of Sloth's: "
              f"{our_seconds / their_seconds:.2f}x")  # fmt: skip


def _catalogue(services: int, slos: int) -> dict[str, Any]:
    """A catalogue of that many services with that many SLOs each."""
    return {
        "name": "bench",
        "services": [
            {
                "name": f"s{service}" if services > 1 else "api",
                "slis": {
                    f"i{number}": {
                        "kind": "requests",
                        "metric": "http_requests_total",
                        "matchers": _labels(services, service) | ({"route": f"/{number}"} if slos > 1 else {}),
                        "bad": {"status_code": "=~5.."},
                    }
                    for number in range(slos)
                },
                "slos": [{"name": f"o{number}", "sli": f"i{number}", "objective": "99.9%"} for number in range(slos)],
            }
            for service in range(services)
        ],
    }


def _labels(services: int, service: int) -> dict[str, str]:
    return {"service": f"s{service}" if services > 1 else "api"}


def _specs(services: int, slos: int) -> list[dict[str, Any]]:
    """The same for Sloth."""
    found = []
    for service in range(services):
        name = f"s{service}" if services > 1 else "api"
        objectives = []
        for number in range(slos):
            route = f',route="/{number}"' if slos > 1 else ""
            total = f'sum(rate(http_requests_total{{service="{name}"{route}}}[{{{{.window}}}}]))'
            bad = f'sum(rate(http_requests_total{{service="{name}"{route},status_code=~"5.."}}[{{{{.window}}}}]))'
            objectives.append(
                {
                    "name": f"o{number}",
                    "objective": 99.9,
                    "sli": {"events": {"error_query": bad, "total_query": total}},
                    "alerting": {"name": f"Burn{number}"},
                }
            )
        found.append({"version": "prometheus/v1", "service": name, "slos": objectives})
    return found


def _sloth(folder: Path, services: int, slos: int) -> list[dict[str, Any]]:
    (folder / "spec.yml").write_text("---\n".join(yaml.safe_dump(each) for each in _specs(services, slos)))
    command = [str(tool("sloth")), "generate", "-i", str(folder / "spec.yml"), "-o", str(folder / "sloth-rules.yml")]
    subprocess.run(command, check=True, capture_output=True)
    groups = yaml.safe_load((folder / "sloth-rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _cost(server: Prometheus, expressions: list[str], at: float) -> tuple[int, float]:
    """Samples that all expressions touch, and the seconds that the server needs for them, the best of three."""
    samples, seconds = 0, 0.0
    for expression in expressions:
        answers = [_query(server, expression, at) for _ in range(3)]
        samples += int(answers[0]["stats"]["samples"]["totalQueryableSamples"])
        seconds += min(float(answer["stats"]["timings"]["evalTotalTime"]) for answer in answers)
    return samples, seconds


def _query(server: Prometheus, expression: str, at: float) -> dict[str, Any]:
    parameters = {"query": expression, "time": str(at), "stats": "all"}
    answer = requests.get(server.url + "/api/v1/query", params=parameters, timeout=300).json()
    assert answer["status"] == "success", answer
    data: dict[str, Any] = answer["data"]
    return data


def _timed(command: list[str]) -> tuple[float, float]:
    """The seconds that passed until a command was done, and those of CPU that it took."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    passed, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["all", "evaluate", "generate"], default="all")
    main(parser.parse_args().part)
