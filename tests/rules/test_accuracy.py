"""The error ratios that the rules record are those that happened: on real servers, over months whose truth is known."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import requests

from sla_kit import evaluate
from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue, Composite, Recovery
from sla_kit.generate.rules_yaml import rules_text
from sla_kit.rules import backfill, slo
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.recordings import divided
from sla_kit.rules.sides import sides_of
from sla_kit.simulate import load_scenario, simulate
from tests.servers import Prometheus, prometheus, promtool

ROOT = Path(__file__).parent.parent.parent
GAME_DAYS = """\
name: league
services:
  - name: api
    slis:
      requests:
        kind: requests
        metric: http_requests_total
        matchers: {service: api}
        bad: {status_code: "=~5.."}
    slos:
      - {name: availability, sli: requests, objective: 99.9%, window: 30d}
"""


@dataclass(frozen=True, slots=True)
class Month:
    """A month with bursts and outages: its history, its end, and the share of requests that failed."""

    folder: Path
    end: float
    error_ratio: float


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    """Thirty days of the API alone, with an outage in a burst."""
    scenario = load_scenario("astralfield")
    api = next(each for each in scenario.services if each.name == "api")
    alone = msgspec.structs.replace(api, latency=None, split={})
    scenario = msgspec.structs.replace(scenario, services=[alone], probes=[], gauges=[], jobs=[])
    simulation = simulate(scenario)
    folder = tmp_path_factory.mktemp("month")
    simulation.write(folder)
    truth = simulation.truth["services"]["api"]
    return Month(folder, float(simulation.truth["end"]), truth["bad"] / truth["total"])


def value(server: Prometheus, expression: str, at: float) -> float:
    """The one value of an expression."""
    answer = requests.get(
        server.url + "/api/v1/query", params={"query": expression, "time": str(at)}, timeout=300
    ).json()
    assert answer["status"] == "success", answer
    [only] = answer["data"]["result"]
    return float(only["value"][1])


def ratio_rule(catalogue: Catalogue, record: str) -> RecordingRule:
    """The rule that records an error ratio."""
    rules = [rule for file in slo.rule_files(catalogue) for group in file.groups for rule in group.rules]
    [found] = [rule for rule in rules if isinstance(rule, RecordingRule) and rule.record == record]
    return found


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("version", ["2", "3"])
def test_a_backfilled_month_has_the_true_error_ratio_at_once(version: str, month: Month, tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(GAME_DAYS)
    catalogue = load(tmp_path / "sla.yml")
    for each in backfill.backfills(catalogue):
        (tmp_path / f"{each.rules.name}.yml").write_text(rules_text(each.rules))
    script = tmp_path / "backfill.sh"
    script.write_text(backfill.script(backfill.backfills(catalogue)))
    data = tmp_path / "data"
    out = data / "tsdb"
    with prometheus(version, openmetrics=month.folder / "history.om.gz", data=data) as server:
        rule = ratio_rule(catalogue, "sla:error_ratio:30d")
        answer = requests.get(
            server.url + "/api/v1/query", params={"query": rule.expression, "time": str(month.end)}, timeout=120
        )
        assert answer.json()["data"]["result"] == []  # quiet, since nothing has been recorded
        command = ["sh", str(script), "--url", server.url, "--out", str(out), "--until", f"{month.end:.0f}"]
        command += ["--promtool", str(promtool(version))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        again = subprocess.run(command, capture_output=True, text=True, check=False)
        assert again.stdout.count("\n") == 1, again.stdout  # nothing is filled twice
        mean = value(server, _mean_of_ratios(), month.end)
    with prometheus(version, data=data) as server:
        recorded = value(server, rule.expression, month.end)
        hour = ratio_rule(catalogue, "sla:error_ratio:1h")
        assert value(server, hour.expression, month.end) >= 0
    assert recorded == pytest.approx(month.error_ratio, rel=0.01)
    assert mean < 0.85 * month.error_ratio  # the way of others


def _mean_of_ratios() -> str:
    """The 30-day error ratio as the mean of those of five minutes."""
    bad, total = ('http_requests_total{service="api",status_code=~"5.."}', 'http_requests_total{service="api"}')
    return f"avg_over_time(((sum(rate({bad}[5m])) or vector(0)) / sum(rate({total}[5m])))[30d:5m])"


@pytest.fixture(scope="module")
def example() -> Catalogue:
    """The example without what would leave time out, which rules don't do after the fact."""
    loaded = load(ROOT / "examples" / "astralfield")
    calendar = msgspec.structs.replace(loaded.calendar, maintenance=[])
    return msgspec.structs.replace(loaded, calendar=calendar)


@pytest.fixture(scope="module", params=["2", "3"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Prometheus, float]]:
    """The example's last two days on a server."""
    scenario = load_scenario("astralfield")
    with tempfile.TemporaryDirectory() as scratch:
        simulation = simulate(scenario)
        simulation.write(Path(scratch))
        with prometheus(request.param, openmetrics=Path(scratch) / "history.om.gz") as server:
            yield server, float(simulation.truth["end"])


@pytest.mark.timeout(1800)
def test_each_kind_of_indicator_has_the_error_ratio_that_the_report_tells(
    served: tuple[Prometheus, float], example: Catalogue
) -> None:
    server, end = served
    evaluation = evaluate(example, server.url, "2d", end)
    checked = set()
    for service, declared in example.slos():
        sli = example.sli(service, declared)
        if isinstance(sli, Recovery | Composite):
            continue
        sides = sides_of(example, service, declared, sli)
        assert sides is not None
        expression = divided(sides.total.rate(2 * 86400), sides.bad.rate(2 * 86400))
        figure = evaluation[service.name, declared.name].figure
        assert figure.sli is not None
        assert value(server, expression, end) == pytest.approx(1 - figure.sli, rel=0.02, abs=2e-5), declared.name
        checked.add(type(sli).__name__)
    assert checked == {"Requests", "Latency", "Probe", "Freshness", "LastDuration", "Bound"}
