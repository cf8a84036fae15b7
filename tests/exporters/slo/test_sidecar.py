"""The running exporter: scraped by a real Prometheus, its catalogue changed, its source killed, and told to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from sla_kit.cli import main
from sla_kit.ledger import Ledger, open_ledger
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from tests.exporters.sidecar.sidecars import Sidecar, eventually, replace, run, sidecar
from tests.exporters.slo.promises import Series, value
from tests.servers import Prometheus, prometheus

pytestmark = pytest.mark.xdist_group("slo_sidecar")

COMMAND = [sys.executable, "-m", "sla_kit.exporters.slo"]
UP, RELOADED = "sla_exporter_collector_up", "sla_exporter_config_last_reload_successful"
HOURS = 26
CATALOGUE = """\
name: shop
bucket: 1m
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {service: api}, bad: {status_code: "=~5.."}}
    slos:
      - {name: availability, sli: requests, objective: 99.8%, window: 1d}
      - {name: perfect, sli: requests, objective: 99.99%, window: 6h}
      - {name: absent, sli: {kind: requests, metric: absent_total, bad: {code: "500"}}, objective: 99%, window: 1d}
"""
CONFIG = """\
catalogue: sla.yml
source: {url}
interval: 1s
timeout: {timeout}
forecast: {{on: false}}
"""
#: What scrapes the exporter, once a file says where it is.
SCRAPES = """\
scrape_configs:
  - job_name: slo
    scrape_interval: 1s
    file_sd_configs: [{{files: ["{file}"], refresh_interval: 1s}}]
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of requests until a moment ago."""
    folder = tmp_path_factory.mktemp("recording")
    start = int(time.time()) // 60 * 60 - HOURS * 3600
    labels = {"service": "api"}
    api = parts.Workload(name="api", labels=labels, rps=20, error_ratio=0.001)
    simulate(Scenario(start=start, days=HOURS / 24, services=[api], scrape_interval=60)).write(folder)
    return folder / "history.om.gz"


@pytest.fixture
def server(recording: Path, tmp_path: Path) -> Iterator[Prometheus]:
    with prometheus("2", openmetrics=recording, config=SCRAPES.format(file=tmp_path / "targets.json")) as found:
        yield found


@contextmanager
def exporter(folder: Path, url: str, timeout: str = "40s", *, ready: bool = True) -> Iterator[Sidecar]:
    """The exporter as a process, with temporary files in a folder of its own."""
    (folder / "sla.yml").write_text(CATALOGUE)
    (folder / "tmp").mkdir()
    config = CONFIG.format(url=url, timeout=timeout)
    environment = {"TMPDIR": str(folder / "tmp")}
    with sidecar(folder, config, command=COMMAND, environment=environment, ready=ready) as running:
        yield running


def scraped(running: Sidecar) -> dict[Series, float]:
    """What one scrape finds, by name and labels."""
    families = text_string_to_metric_families(running.ask().text)
    return {(one.name, frozenset(one.labels.items())): one.value for each in families for one in each.samples}


def names(found: Mapping[Series, float]) -> list[str]:
    return sorted({name for name, _ in found if name.startswith("sla_slo_")})


def asked(url: str, query: str) -> list[dict[str, Any]]:
    """What a Prometheus answers now."""
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


@contextmanager
def killed(server: Prometheus, *, emptied: bool = False) -> Iterator[None]:
    """The Prometheus is killed, and started again on its port when the block ends; without its data if wanted."""
    command = Path(f"/proc/{server.pid}/cmdline").read_text().split("\0")[:-1]
    os.kill(server.pid, signal.SIGKILL)
    yield
    if emptied:
        shutil.rmtree(server.data / "tsdb")
    with (server.data / "again.log").open("wb") as log:
        again.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=server.data))


again: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    while again:
        process = again.pop()
        process.kill()
        process.wait()


def test_a_prometheus_that_scrapes_it_stores_what_the_report_says(server: Prometheus, tmp_path: Path) -> None:
    with exporter(tmp_path, server.url) as running:
        (tmp_path / "targets.json").write_text(json.dumps([{"targets": [f"127.0.0.1:{running.port}"]}]))
        eventually(lambda: asked(server.url, 'sla_slo_sli_ratio{slo="perfect"}'), bool)
        # Several scrapes in a row, since on a busy machine one may be too late for the second that it has.
        in_a_row = "count_over_time(up[10s]) > 3 and min_over_time(up[10s]) == 1"
        eventually(lambda: asked(server.url, in_a_row), bool, 200.0)
        before = scraped(running)
        assert value(before, UP, collector="promises") == 1
        at = value(before, "sla_slo_evaluated_timestamp_seconds", source="promises")
        assert at is not None
        assert 60 <= time.time() - at < 600
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        arguments = ["report", "-c", str(tmp_path / "sla.yml"), "--source", server.url, "--window", "1d"]
        told = CliRunner().invoke(
            main, [*arguments, "--at", moment, "--format", "json", "--out", str(tmp_path / "report")]
        )
        assert told.exit_code in (0, 1), told.output
        [file] = (tmp_path / "report").glob("*.json")
        said = {slo["slo"]: slo["own"] for slo in json.loads(file.read_bytes())["slos"]}
        assert said["perfect"]["met"] is False
        for slo in ("availability", "perfect"):
            for name, expected in (
                ("sli_ratio", said[slo]["sli"]),
                ("bad_events", said[slo]["bad"]),
                ("error_budget_left_ratio", said[slo]["budget"]["left_ratio"]),
                ("met", float(said[slo]["met"])),
            ):
                assert value(before, f"sla_slo_{name}", slo=slo) == pytest.approx(expected, rel=1e-9), (slo, name)
        assert value(before, "sla_slo_coverage_ratio", slo="absent") == 0
        for name in ("met", "sli_ratio", "error_budget_left_ratio"):
            assert value(before, f"sla_slo_{name}", slo="absent") is None
        [stored] = asked(server.url, 'sla_slo_met{slo="perfect"} and on (slo, window) sla_slo_objective_ratio')
        assert stored["value"][1] == "0"


def test_a_changed_catalogue_is_taken_over_and_a_wrong_one_changes_nothing(server: Prometheus, tmp_path: Path) -> None:
    catalogue = tmp_path / "sla.yml"
    with exporter(tmp_path, server.url) as running:

        def until(slo: str, objective: float | None, **labels: str) -> dict[Series, float]:
            told = "sla_slo_objective_ratio"
            return eventually(
                lambda: scraped(running), lambda found: value(found, told, slo=slo, **labels) == objective
            )

        events = value(until("availability", 0.998), "sla_slo_events", slo="availability")
        replace(catalogue, CATALOGUE.replace("99.8%", "99.7%"))
        until("availability", 0.997)
        replace(catalogue, CATALOGUE.replace("window: 6h", "window: 12h"))
        until("perfect", 0.9999, window="12h")
        assert value(scraped(running), "sla_slo_met", slo="perfect", window="6h") is None
        replace(catalogue, CATALOGUE.replace("perfect", "renamed"))
        found = until("renamed", 0.9999)
        assert not [labels for _, labels in found if ("slo", "perfect") in labels]
        again_events = value(found, "sla_slo_events", slo="availability")
        assert again_events is not None
        assert again_events == pytest.approx(events, rel=0.05), "what was read is still there"

        for wrong, word in (
            (CATALOGUE.replace("99.8%", "199%"), "sla.yml:8"),
            ("", "sla.yml"),
            ("services: []", "name"),
        ):
            replace(catalogue, wrong)
            eventually(lambda: scraped(running), lambda found: value(found, RELOADED) == 0)
            assert word in running.logged(word)
            assert value(scraped(running), "sla_slo_objective_ratio", slo="renamed") == 0.9999
            assert value(scraped(running), UP, collector="promises") == 1
            assert running.ask("/readyz").status == 200
            replace(catalogue, CATALOGUE.replace("perfect", "renamed"))
            eventually(lambda: scraped(running), lambda found: value(found, RELOADED) == 1)

        # No file changes: only the signal has it read again.
        collections = value(scraped(running), "sla_exporter_config_last_reload_success_timestamp_seconds")
        running.signal(signal.SIGHUP)
        eventually(
            lambda: value(scraped(running), "sla_exporter_config_last_reload_success_timestamp_seconds"),
            lambda seen: seen is not None and collections is not None and seen > collections,
        )
        assert value(scraped(running), "sla_slo_objective_ratio", slo="renamed") == 0.9999


def test_figures_vanish_with_their_source_and_come_back_with_it(server: Prometheus, tmp_path: Path) -> None:
    with exporter(tmp_path, server.url, "5s") as running:
        figures = names(eventually(lambda: scraped(running), lambda found: value(found, UP) == 1))
        assert "sla_slo_met" in figures

        def gone(kind: str) -> None:
            found = eventually(
                lambda: scraped(running),
                lambda found: value(found, UP) == 0 and (value(found, "sla_exporter_errors_total", kind=kind) or 0) > 0,
            )
            assert names(found) == []
            assert running.ask("/healthz").status == 200

        def back() -> None:
            found = eventually(lambda: scraped(running), lambda found: value(found, UP) == 1)
            assert names(found) == figures

        with killed(server):
            gone("connect")
        back()
        os.kill(again[-1].pid, signal.SIGSTOP)  # it takes connections, and never answers
        gone("timeout")
        os.kill(again[-1].pid, signal.SIGCONT)
        back()


def test_what_was_closed_outlives_a_source_that_has_lost_its_data(server: Prometheus, tmp_path: Path) -> None:
    with exporter(tmp_path, server.url) as running:

        def events() -> float:
            found = eventually(lambda: scraped(running), lambda found: value(found, UP) == 1)
            number = value(found, "sla_slo_events", slo="availability")
            assert number is not None
            return number

        before = events()
        with killed(server, emptied=True):
            eventually(lambda: scraped(running), lambda found: value(found, UP) == 0)
        # At most the lag and an hour that is not closed, of a day.
        assert before * 0.8 < events() < before


def test_it_ends_in_a_collection_and_leaves_nothing_behind(server: Prometheus, tmp_path: Path) -> None:
    with exporter(tmp_path, server.url) as running:
        eventually(lambda: scraped(running), lambda found: value(found, UP) == 1)
        assert list((tmp_path / "tmp").iterdir()) != []
        os.kill(server.pid, signal.SIGSTOP)
        try:
            asking = running.process.pid
            eventually(lambda: waits_for(asking, server.port), bool)
            running.signal(signal.SIGTERM)
            assert running.ended() == 0
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert "ended" in running.log.read_text()
        assert "Traceback" not in running.log.read_text()
        assert list((tmp_path / "tmp").iterdir()) == []


def test_a_dry_run_publishes_the_same_and_keeps_nothing(server: Prometheus, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    path, ledger = tmp_path / "slo.yml", tmp_path / "ledger.db"
    text = CONFIG.format(url=server.url, timeout="40s")
    for more in ("", f"ledger: {ledger}\n"):
        path.write_text(text + more)
        done = run("--config", str(path), "--dry-run", command=COMMAND, TMPDIR=str(tmp_path / "tmp"))
        assert done.returncode == 0, done.stderr
        assert 'sla_slo_met{service="api",slo="perfect",window="6h"} 0.0' in done.stdout
        assert list((tmp_path / "tmp").iterdir()) == []
        assert not ledger.exists()
    with open_ledger(str(ledger)) as kept:
        before = rows(kept)
    done = run("--config", str(path), "--dry-run", command=COMMAND, TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 0, done.stderr
    with open_ledger(str(ledger)) as kept:
        assert rows(kept) == before == 0


def rows(ledger: Ledger) -> int:
    """How many days of indicators a ledger has."""
    with ledger.store.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM day").scalar() or 0)


def waits_for(process: int, port: int) -> bool:
    """Whether a server has what a process sent it in its queue, unread: a request that it does not answer."""
    for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]:
        _, local, _, _, queues, *_ = line.split()
        if int(local.rpartition(":")[2], 16) == port and int(queues.rpartition(":")[2], 16) > 0:
            return True
    return False
