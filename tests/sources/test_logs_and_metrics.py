"""One report of a Prometheus and an Elasticsearch: the same requests, counted by both, and what is lost by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

import sla_kit
from sla_kit.catalogue import load
from sla_kit.cli import main
from sla_kit.timeline import Floats, Ints
from tests.servers import prometheus
from tests.servers.elasticsearch import Elasticsearch as Node

START, HOURS = 1_788_220_800, 2
END = START + HOURS * 3600
EVENTS = 12_000
CATALOGUE = """\
name: shop
logs: {{index: {index}}}
services:
  - name: api
    slos:
      - name: availability
        objective: 99%
        window: 2h
        sli: {{kind: requests, metric: http_requests_total, matchers: {{service: api}}, bad: {{status_code: =~5..}}}}
      - name: availability-by-logs
        objective: 99%
        window: 2h
        sli: {{kind: log-events, query: "service.name:api", bad: "http.response.status_code:[500 TO *]"}}
        compare_with: {{slo: availability, within: 0.1%, total_within: 1%}}
      - name: fast
        objective: 90%
        window: 2h
        sli: {{kind: log-latency, query: {{term: {{service.name: api}}}}, threshold: 100ms}}
"""


@dataclass(frozen=True)
class Truth:
    """Requests: when each was (epoch seconds), its status, and how long it took in seconds."""

    times: Floats
    status: Ints
    seconds: Floats


@pytest.fixture(scope="module")
def truth() -> Truth:
    random = np.random.default_rng(7)
    times = np.sort(np.round(random.uniform(START + 1, END - 1, EVENTS), 3))
    broken = (times > START + 3600) & (times < START + 3900)
    status = np.where(random.uniform(size=EVENTS) < np.where(broken, 0.2, 0.002), 503, 200)
    return Truth(times, status.astype(np.int64), random.gamma(2.0, 0.03, EVENTS))


@pytest.fixture(scope="module")
def metrics(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that scraped counters of these requests every 15 seconds."""
    path = tmp_path_factory.mktemp("metrics") / "history.om"
    lines = ["# TYPE http_requests counter"]
    for status in (200, 503):
        mine = truth.times[truth.status == status]
        for at in range(START - 60, END + 1, 15):
            count = int(np.searchsorted(mine, at, side="right"))
            lines.append(
                f'http_requests_total{{job="api",instance="a",service="api",status_code="{status}"}} {count} {at}'
            )
    path.write_text("\n".join([*lines, "# EOF", ""]))
    with prometheus(openmetrics=path) as server:
        yield server.url


def shipped(node: Node, index: str, truth: Truth, lost: float) -> str:
    """The address of an Elasticsearch whose index has a document of each request, apart from a share that was lost."""
    random = np.random.default_rng(11)
    with Elasticsearch(node.url, request_timeout=120) as client:
        client.indices.create(
            index=index,
            mappings={
                "properties": {
                    "@timestamp": {"type": "date"},
                    "service": {"properties": {"name": {"type": "keyword"}}},
                    "event": {"properties": {"duration": {"type": "long"}}},
                    "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
                }
            },
        )
        documents = (
            {
                "_index": index,
                "@timestamp": round(float(at) * 1000),
                "service": {"name": "api"},
                "event": {"duration": round(float(took) * 1e9)},
                "http": {"response": {"status_code": int(status)}},
            }
            for at, status, took in zip(truth.times, truth.status, truth.seconds, strict=True)
            if random.uniform() >= lost
        )
        bulk(client, documents, refresh=True)
    return f"elasticsearch+{node.url}"


def written(folder: Path, index: str) -> Path:
    path = folder / "sla.yml"
    path.write_text(CATALOGUE.format(index=index))
    return path


def test_both_tell_the_same_of_the_same_requests(
    elastic: Node, index: str, metrics: str, truth: Truth, tmp_path: Path
) -> None:
    catalogue = load(written(tmp_path, index))
    logs = shipped(elastic, index, truth, 0.0)
    found = sla_kit.evaluate(catalogue, [metrics, logs], "2h", END)
    bad = int((truth.status == 503).sum())
    by_logs, by_metrics = found["api", "availability-by-logs"].figure, found["api", "availability"].figure
    assert (by_logs.total, by_logs.bad) == (EVENTS, bad)
    assert by_metrics.total == pytest.approx(EVENTS, rel=0.005)
    [compared] = found.comparisons
    assert compared.agree is True, compared.reason
    fast = found["api", "fast"].figure
    assert fast.good == int((truth.seconds <= 0.1).sum())
    assert fast.value == pytest.approx(float(np.quantile(truth.seconds, 0.95)), rel=0.1)
    assert found.source == f"{metrics}, {elastic.url}"


def test_lines_that_were_lost_are_a_disagreement(
    elastic: Node, index: str, metrics: str, truth: Truth, tmp_path: Path
) -> None:
    logs = shipped(elastic, index, truth, 0.05)
    out, ledger = tmp_path / "out", str(tmp_path / "ledger.db")
    arguments = ["report", "-c", str(written(tmp_path, index)), "--window", "2h", "--at", str(END), "-f", "json"]
    arguments += ["--out", str(out), "--ledger", ledger]
    told = CliRunner().invoke(main, [*arguments, "--source", metrics, "--source", logs])
    assert told.exit_code in (0, 1), told.output
    report = json.loads((out / "report.json").read_text())
    [compared] = report["comparisons"]
    assert compared["agree"] is False
    assert compared["total_difference"] == pytest.approx(0.05, abs=0.01)
    assert abs(compared["difference"]) < 0.001
    assert any(finding["kind"] == "disagreement" for finding in report["findings"])
    kept = CliRunner().invoke(main, arguments)
    assert kept.exit_code == told.exit_code, kept.output
    again = json.loads((out / "report.json").read_text())
    assert again["comparisons"][0]["total_difference"] == compared["total_difference"]
    assert again["comparisons"][0]["agree"] is False


@pytest.mark.parametrize("command", ["status", "gate", "forecast", "ledger update"])
def test_every_command_reads_both(
    command: str, elastic: Node, index: str, metrics: str, truth: Truth, tmp_path: Path
) -> None:
    logs = shipped(elastic, index, truth, 0.0)
    arguments = [*command.split(), "-c", str(written(tmp_path, index)), "--source", metrics, "--source", logs]
    if command == "ledger update":
        arguments += ["--ledger", str(tmp_path / "ledger.db"), "--until", str(END)]
    else:
        arguments += ["--at", str(END)]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code in (0, 1), told.output
    assert "Error" not in told.output
    if command == "status":
        assert "by-logs" in told.output


def test_metrics_alone_leave_the_logs_unread(index: str, metrics: str, tmp_path: Path) -> None:
    found = sla_kit.evaluate(load(written(tmp_path, index)), metrics, "2h", END)
    assert found["api", "availability"].figure.met is not None
    assert "unread" in {finding.kind for finding in found["api", "availability-by-logs"].findings}
    [compared] = found.comparisons
    assert (compared.agree, compared.reason) == (None, "nothing was observed of api/availability-by-logs")


def test_logs_alone_leave_the_metrics_unread(elastic: Node, index: str, truth: Truth, tmp_path: Path) -> None:
    logs = shipped(elastic, index, truth, 0.0)
    found = sla_kit.evaluate(load(written(tmp_path, index)), logs, "2h", END)
    assert found["api", "availability-by-logs"].figure.total == EVENTS
    assert "unread" in {finding.kind for finding in found["api", "availability"].findings}


def test_a_users_own_client_is_a_source(elastic: Node, index: str, metrics: str, truth: Truth, tmp_path: Path) -> None:
    shipped(elastic, index, truth, 0.0)
    with Elasticsearch(elastic.url, request_timeout=120) as client:
        found = sla_kit.evaluate(load(written(tmp_path, index)), [client, metrics], "2h", END)
        assert found["api", "availability-by-logs"].figure.total == EVENTS
        assert client.ping()
    assert found.comparisons[0].agree is True
