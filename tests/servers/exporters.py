"""Exporters, each as the distribution packages it ("packaged") and, where people run a newer one, as ``.ci/tools``
built it ("today")."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.servers.process import Server, binary, running
from tests.servers.tools import built

Edition = Literal["packaged", "today"]

#: What is asked of a PostgreSQL beyond the collectors that are on: as people who have alerts on it run the exporter.
_POSTGRES_COLLECTORS = ("database_wraparound", "long_running_transactions", "postmaster", "stat_statements", "wal")
_PROBES = """\
modules:
  http_2xx:
    prober: http
    timeout: 60s
    http: {preferred_ip_protocol: ip4}
  https_self_signed:
    prober: http
    timeout: 60s
    http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}
  tcp_connect:
    prober: tcp
    timeout: 60s
"""
_EVERY_PROCESS = 'process_names: [{name: "{{.Comm}}", cmdline: [".+"]}]\n'


@dataclass(frozen=True, slots=True)
class Exporter(Server):
    """A running exporter."""


@contextmanager
def node_exporter(edition: Edition = "packaged") -> Iterator[Exporter]:
    """The exporter of this machine."""
    with _running("node_exporter", edition, "prometheus-node-exporter") as exporter:
        yield exporter


@contextmanager
def postgres_exporter(url: str, edition: Edition = "packaged") -> Iterator[Exporter]:
    """The exporter of the PostgreSQL at ``url`` (``postgresql://…``), with the collectors that alerts ask for."""
    more = [f"--collector.{name}" for name in _POSTGRES_COLLECTORS] if edition == "today" else []
    name = f"{url}?sslmode=disable"
    with _running(
        "postgres_exporter", edition, "prometheus-postgres-exporter", more, {"DATA_SOURCE_NAME": name}
    ) as exporter:
        yield exporter


@contextmanager
def redis_exporter(url: str, edition: Edition = "packaged") -> Iterator[Exporter]:
    """The exporter of the Redis at ``url`` (``redis://…``)."""
    more = [f"--redis.addr={url}"]
    with _running("redis_exporter", edition, "prometheus-redis-exporter", more) as exporter:
        yield exporter


@contextmanager
def blackbox_exporter(edition: Edition = "packaged") -> Iterator[Exporter]:
    """A prober with the modules ``http_2xx``, ``https_self_signed`` and ``tcp_connect``."""
    with tempfile.TemporaryDirectory(prefix="sla-kit-blackbox-") as scratch:
        configuration = Path(scratch) / "blackbox.yml"
        configuration.write_text(_PROBES)
        more = [f"--config.file={configuration}"]
        with _running("blackbox_exporter", edition, "prometheus-blackbox-exporter", more) as exporter:
            yield exporter


@contextmanager
def elasticsearch_exporter(url: str, edition: Edition = "packaged") -> Iterator[Exporter]:
    """The exporter of the Elasticsearch at ``url``, with indices, shards, snapshots and the cluster's settings."""
    more = [f"--es.uri={url}", "--es.timeout=60s", "--es.all", "--es.indices", "--es.shards"]
    more += (
        ["--es.snapshots", "--es.cluster_settings"]
        if edition == "packaged"
        else ["--collector.snapshots", "--collector.clustersettings"]
    )
    with _running("elasticsearch_exporter", edition, "prometheus-elasticsearch-exporter", more) as exporter:
        yield exporter


@contextmanager
def process_exporter() -> Iterator[Exporter]:
    """The exporter of this machine's processes, grouped by name."""
    with tempfile.TemporaryDirectory(prefix="sla-kit-process-") as scratch:
        configuration = Path(scratch) / "processes.yml"
        configuration.write_text(_EVERY_PROCESS)
        with _running(
            "process_exporter", "packaged", "prometheus-process-exporter", [f"--config.path={configuration}"]
        ) as exporter:
            yield exporter


@contextmanager
def pushgateway() -> Iterator[Exporter]:
    """A Pushgateway, empty: Debian's would keep what was pushed for all that come after."""
    with _running("pushgateway", "packaged", "prometheus-pushgateway", ["--persistence.file="]) as exporter:
        yield exporter


@contextmanager
def _running(
    name: str, edition: Edition, package: str, more: Sequence[str] = (), environment: dict[str, str] | None = None
) -> Iterator[Exporter]:
    program = binary(package, package) if edition == "packaged" else str(built(name))
    # The environment goes through env(1): a command is all that starting a server takes.
    settings = ["env", *(f"{key}={value}" for key, value in (environment or {}).items())]

    def command(port: int) -> list[str]:
        flag = "--web.listen-address" if edition != "packaged" or name != "process_exporter" else "-web.listen-address"
        return [*settings, program, f"{flag}=127.0.0.1:{port}", *more]

    # "/" rather than "/metrics": the latter asks the server behind it, which has its own time to start.
    with (
        tempfile.TemporaryDirectory(prefix=f"sla-kit-{name}-") as scratch,
        running(command, data=Path(scratch).resolve(), ready="/", name=name) as server,
    ):
        yield Exporter(server.url, server.data, server.log, server.pid)
