"""The exporter of logs as a process: its command, its faults, its configuration's mistakes."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from sla_kit.errors import ConfigurationError
from sla_kit.exporters.logs import EXPORTER
from tests.exporters.logs.node import create, document, write
from tests.exporters.sidecar.sidecars import run, sidecar
from tests.servers.elasticsearch import Elasticsearch, elasticsearch

COMMAND = [sys.executable, "-m", "sla_kit.exporters.logs"]
UP, LATE = "sla_exporter_collector_up", "sla_logs_late_documents_total"
COUNT = ("sla_logs_documents_total", "unknown", "api")  # its labels in the order of their names
QUICK = """
state: logs.db
index: "logs-*"
interval: 1s
timeout: 5s
settle: 1s
late: {every: 1s}
groups: {on: false}
shipping: {every: 1s}
volume: {on: false}
"""


def test_a_node_that_hangs_takes_the_values_away_and_none_is_counted_twice(tmp_path: Path) -> None:
    written, over = 0, threading.Event()
    with elasticsearch() as node:
        create(node.url, "logs")
        with sidecar(tmp_path, QUICK + f'cluster: {{url: "{node.url}"}}\n', command=COMMAND) as one:
            one.until(lambda values: values[UP, "counts"] == 1)

            def writes() -> None:
                nonlocal written
                while not over.is_set():
                    write(node.url, "logs", [document(time.time(), ingested=time.time())])
                    written += 1

            thread = threading.Thread(target=writes)
            thread.start()
            try:
                one.until(lambda values: values.get(COUNT, 0) > 2)
                os.kill(node.pid, signal.SIGSTOP)
                try:
                    each = [(UP, name) for name in ("counts", "late", "shipping")]
                    gone = one.until(lambda values: not any(values[one] for one in each))
                    assert not [name for name, *_ in gone if name.startswith("sla_logs_")]
                finally:
                    os.kill(node.pid, signal.SIGCONT)
                back = one.until(lambda values: values.get(COUNT, 0) > 2)
                assert back["sla_logs_uncounted_seconds_total",] == 0
            finally:
                over.set()
                thread.join()

            def told(values: dict[tuple[str, ...], float]) -> float:
                return values.get(COUNT, 0) + values.get((LATE, "api"), 0)

            end = time.time()
            at = ("sla_logs_counted_timestamp_seconds", "ingested")
            one.until(lambda values: values.get(at, 0) > end and told(values) == written)
            one.until(lambda values: values.get(at, 0) > end + 2 and values[UP, "late"] == 1)
            one.until(lambda values: values.get(at, 0) > end + 2 and told(values) == written)  # and no more after that
            one.signal(signal.SIGTERM)
            assert one.ended() == 0


def test_a_dry_run_shows_what_would_be_published(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    create(elastic.url, index)
    write(elastic.url, index, [document(time.time(), ingested=time.time() - 60, type="Timeout", group="g")])
    path = tmp_path / "logs.yml"
    path.write_text(f'state: logs.db\ncluster: {{url: "{elastic.url}"}}\nindex: "{index}-*"\nbackfill: 10m\n')
    done = run("--config", str(path), "--dry-run", command=COMMAND)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'sla_logs_errors_total{service="api",type="Timeout"} 1.0' in done.stdout
    assert 'sla_logs_error_groups{service="api"} 1.0' in done.stdout
    assert not (tmp_path / "logs.db").exists()


def test_the_example_is_good_as_it_is(tmp_path: Path) -> None:
    done = run("--example", command=COMMAND)
    (tmp_path / "logs.yml").write_text(done.stdout)
    checked = run("--config", str(tmp_path / "logs.yml"), "--check", command=COMMAND)
    assert checked.returncode == 0, checked.stderr
    assert "5 collectors" in checked.stdout
    # What is commented out is good as well, but for the one or the other of which there can be but one.
    lines = [re.sub(r"^( *)# (\w+: )", r"\1\2", line) for line in done.stdout.splitlines()]
    kept = [line for line in lines if not re.match(r" *(username|password|ca_file):", line)]
    (tmp_path / "logs.yml").write_text("\n".join(kept))
    checked = run("--config", str(tmp_path / "logs.yml"), "--check", command=COMMAND)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state: ''", "is missing"),
        ("index: ' '", "ind"),
        ("index: a/_search?q=", "ind"),
        ("query: 'log.level:(a'", "not closed"),
        ("errors: 'status:[500 TO'", "not closed"),
        ("max_types: 0", "at least 1"),
        ("fields: {service: ''}", "must name a field"),
        ("fields: {servise: x}", "servise"),
        ("backfill: 2d", "longer than catch_up"),
        ("catch_up: 10s", "at least the interval"),
        ("late: {every: 0s}", "at least 1s"),
        ("groups: {window: 31d}", "shorter than lookback"),
        ("groups: {most: 70000}", "65536"),
        ("shipping: {sample: 20000}", "10000"),
        ("shipping: {silence: 0s}", "above 0"),
        ('cluster: {url: "https://es:9200", api_key: {env: A, file: b}}', "env"),
        ('cluster: {url: "https://ada:secret@es:9200"}', "password"),
    ],
)
def test_mistakes_are_told(text: str, said: str, tmp_path: Path) -> None:
    good = {"state": "state: logs.db", "cluster": 'cluster: {url: "http://127.0.0.1:9200"}'}
    key = text.partition(":")[0]
    (tmp_path / "logs.yml").write_text("\n".join([text, *(line for name, line in good.items() if name != key)]))
    with pytest.raises(ConfigurationError) as caught:
        EXPORTER.load(tmp_path / "logs.yml")
    [mistake] = caught.value.mistakes
    assert said in str(mistake)
    assert ":secret" not in str(mistake)
