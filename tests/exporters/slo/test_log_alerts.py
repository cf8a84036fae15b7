"""Alerts of SLOs on logs, from documents to pages: Elasticsearch, the exporter, and Prometheus with generated rules."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sla_kit.catalogue import load
from sla_kit.generate.files import write as write_files
from sla_kit.generate.plan import outputs
from sla_kit.rules.published import OBSERVED
from sla_kit.rules.slo_alerts import BURN, NO_DATA
from tests.exporters.logs.node import Document, create, document, write
from tests.exporters.sidecar.sidecars import Sidecar, sidecar
from tests.exporters.slo.promises import value
from tests.exporters.slo.test_sidecar import asked, scraped
from tests.generate.chain import OFF, firing, until
from tests.servers import Prometheus, prometheus, prometheus_versions
from tests.servers.elasticsearch import Elasticsearch

COMMAND = [sys.executable, "-m", "sla_kit.exporters.slo"]
FLOOR = 20
#: Long, since the machine may be busy with other tests.
PATIENCE_SECONDS = 180.0
BURNS = 'sla:error_ratio:2m{{sli="api/{slo}"}} > 0.144 and sla:error_ratio:1m > 0.144'
#: Windows of a day are watched over two minutes and one (14.4 times), twelve and one (6), 144 and twelve (1).
CATALOGUE = """\
name: shop
bucket: 1m
logs: {{index: "{index}-*", quiet: 1h}}
sources:
  - {{name: metrics, url: "http://127.0.0.1:9090"}}
  - {{name: documents, url: "elasticsearch+{url}"}}
services:
  - name: api
    slis:
      many: {{kind: log-events, query: "service.name:many", bad: "http.response.status_code:[500 TO *]"}}
      few: {{kind: log-events, query: "service.name:few", bad: "http.response.status_code:[500 TO *]"}}
    slos:
      - {{name: many, sli: many, objective: 99%, window: 1d}}
      - {{name: few, sli: few, objective: 99%, window: 1d}}
monitoring:
  scrape_interval: 1s
  evaluation_interval: 1s
  areas: {{{off}}}
  targets: {{sla-kit-slo: ["127.0.0.1:{port}"]}}
  slo: {{min_bad_events: {floor}, no_data_after: 5s}}
"""
CONFIG = """\
catalogue: sla.yml
sources: {{documents: "elasticsearch+{url}"}}
interval: 1s
timeout: 40s
forecast: {{on: false}}
"""


def catalogue_of(node: Elasticsearch, index: str, port: int) -> str:
    off = ", ".join(f"{area}: off" for area in (*OFF, "application", "monitoring"))
    return CATALOGUE.format(index=index, url=node.url, off=off, port=port, floor=FLOOR)


def a_third_fails(now: float) -> Iterator[Document]:
    """From minutes ago until minutes from now a third of all requests fails: of three a minute, and of sixty."""
    for minute in range(-6, 12):
        for service, number in (("few", 3), ("many", 60)):
            for each in range(number):
                at = now + 60 * minute + 60 * each / number
                yield document(at, service, status=500 if each % 3 == 0 else 200)


@contextmanager
def exporter(folder: Path, node: Elasticsearch, index: str) -> Iterator[Sidecar]:
    """The exporter, which judges by what is in the index."""
    (folder / "tmp").mkdir()
    (folder / "sla.yml").write_text(catalogue_of(node, index, 9119))
    config = CONFIG.format(url=node.url)
    with sidecar(folder, config, command=COMMAND, environment={"TMPDIR": str(folder / "tmp")}) as running:
        yield running


def generated(folder: Path, text: str) -> str:
    """The rules in a folder, and the configuration of a Prometheus that evaluates them."""
    folder.mkdir()
    (folder / "sla.yml").write_text(text)
    write_files(outputs(load(folder / "sla.yml"), time.time(), ("rules", "config")), folder)
    return (folder / "prometheus.yml").read_text()


def test_many_errors_page_a_few_do_not_and_figures_that_are_gone_are_told(
    elastic: Elasticsearch, index: str, tmp_path: Path
) -> None:
    create(elastic.url, index)
    write(elastic.url, index, a_third_fails(time.time()))
    with ExitStack() as stack:
        running = stack.enter_context(exporter(tmp_path, elastic, index))
        text = catalogue_of(elastic, index, running.port)
        servers: dict[str, Prometheus] = {}
        for version in prometheus_versions():
            folder = tmp_path / version
            servers[version] = stack.enter_context(prometheus(version, config=generated(folder, text), data=folder))

        def everywhere(what: str, holds: Callable[[Prometheus], bool]) -> None:
            until(what, lambda: all(holds(server) for server in servers.values()), PATIENCE_SECONDS)

        everywhere("a page", lambda server: firing(server, BURN, slo="many", severity="critical"))
        everywhere("what few burn", lambda server: bool(asked(server.url, BURNS.format(slo="few"))))
        for server in servers.values():
            # As many times too fast, but not often enough.
            [burn] = asked(server.url, BURNS.format(slo="few"))
            assert float(burn["value"][1]) == pytest.approx(1 / 3, abs=0.01)
            [bad] = asked(server.url, 'sla_slo_burn_window_bad_events{slo="few", burn_window="12m"}')
            assert 0 < float(bad["value"][1]) < FLOOR
            states = asked(server.url, 'count by (slo) (ALERTS{alertname="SloErrorBudgetBurn"})')
            assert [each["metric"]["slo"] for each in states] == ["many"]
            assert not firing(server, NO_DATA)
        age = time.time() - (value(scraped(running), OBSERVED, slo="few") or 0.0)
        assert age < 360, "what is well is not told of"

        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        for name in ("few", "many"):
            told = {"service": "api", "sli": f"api/{name}", "severity": "warning"}
            everywhere(f"no data of {name}", lambda server, told=told: firing(server, NO_DATA, **told))  # type: ignore[misc]


def test_logs_that_ended_are_observed_until_then(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    """The exporter goes on, and its figures of days are still there."""
    create(elastic.url, index)
    ended = int(time.time()) // 60 * 60 - 3 * 3600
    write(elastic.url, index, [document(ended - 60 * minute - 1, "few", status=200) for minute in range(100)])
    with exporter(tmp_path, elastic, index) as running:
        found = scraped(running)
        assert value(found, "sla_slo_sli_ratio", slo="few") == 1
        assert value(found, OBSERVED, slo="few") == ended
        # Silence is the whole index's: what asks for nothing in it has been observed as long.
        assert value(found, OBSERVED, slo="many") == ended


def test_an_index_that_is_not_there_is_observed_at_no_time(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    with exporter(tmp_path, elastic, index) as running:
        found = scraped(running)
        assert value(found, "sla_slo_coverage_ratio", slo="few") == 0
        assert value(found, OBSERVED, slo="few") is None
        assert value(found, "sla_slo_burn_window_bad_events", slo="few", burn_window="12m") == 0
