"""A healthy stack of real servers and exporters, in which whatever is published only after something has happened has
happened: a table, a snapshot, a replica, a notification, a query that failed."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sla_kit.alert_rules.inventory import exporters
from tests.servers import (
    Edition,
    Elasticsearch,
    Postgresql,
    Prometheus,
    Redis,
    Server,
    alertmanager,
    binary,
    blackbox_exporter,
    elasticsearch,
    elasticsearch_exporter,
    node_exporter,
    postgres_exporter,
    postgresql,
    process_exporter,
    prometheus,
    prometheus_versions,
    pushgateway,
    redis,
    redis_exporter,
)
from tests.servers.tools import built_version

EDITIONS: tuple[Edition, ...] = ("packaged", "today")
_HAPPENS_SECONDS = 60.0
_POSTGRESQL = """\
shared_preload_libraries = 'pg_stat_statements'
wal_level = replica
archive_mode = on
archive_command = 'true'
hot_standby = on
wal_receiver_status_interval = 1s
"""
_RECEIVER = """\
route: {{receiver: hook, group_wait: 100ms}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}"}}]}}]
"""
_RULES = """\
groups:
- name: own
  rules:
  - {record: "targets:up:count", expr: "count(up)"}
  - {alert: Provoked, expr: "vector(1)"}
"""
#: Where the last samples can't be written any more when all of it ends, nobody waits for that.
_FLAGS = ("--web.enable-lifecycle", "--web.enable-remote-write-receiver", "--storage.remote.flush-deadline=100ms")


@dataclass(frozen=True, slots=True)
class Target:
    """Where an exporter is scraped. ``edition`` tells its versions apart, ``about`` is where it says which it is."""

    exporter: str
    edition: str
    address: str
    path: str
    about: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """The whole of its address."""
        query = "&".join(f"{name}={value}" for name, value in self.parameters)
        return f"http://{self.address}{self.path}" + (f"?{query}" if query else "")

    def version(self) -> str:
        """As the exporter's ``…_build_info`` has it; a program that was built without one has a stamp beside it."""
        for family in text_string_to_metric_families(read(self.about)):
            for sample in family.samples:
                if sample.name.endswith(("exporter_build_info", f"{self.exporter}_build_info")):
                    told = [sample.labels.get(label, "") for label in ("version", "revision")]
                    version = next((text for text in told if text[:1].isdigit()), "")
                    return version or built_version(sample.name.removesuffix("_build_info"))
        pytest.fail(f"{self.about} does not tell its version", pytrace=False)


@dataclass(frozen=True, slots=True)
class Machine:
    """The targets, and the Prometheus that scrapes them; it evaluates what is in ``folder / "rules"`` when told to
    reload."""

    targets: tuple[Target, ...]
    prometheus: Prometheus
    folder: Path

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        asked = urllib.parse.urlencode({"query": expression})
        return list(ask(f"{self.prometheus.url}/api/v1/query?{asked}")["result"])


def read(url: str) -> str:
    """What the server answers, as text."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def ask(url: str) -> Any:
    """The data of an answer of Prometheus's API."""
    return json.loads(read(url))["data"]


def until(happened: Callable[[], Any], what: str) -> Any:
    """Waits for something to become true, and returns it."""
    deadline = time.monotonic() + _HAPPENS_SECONDS
    while not (found := happened()):
        if time.monotonic() > deadline:
            pytest.fail(f"in {_HAPPENS_SECONDS:g} s it did not happen that {what}", pytrace=False)
        time.sleep(0.1)  # between two looks, not instead of looking
    return found


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Starts all of it. Prometheus 3 scrapes everything, itself and a Prometheus 2 too; ``folder`` keeps their data."""
    targets: list[Target] = []
    with ExitStack() as stack:
        start = stack.enter_context

        def add(exporter: str, edition: str, server: Server, *parameters: tuple[str, str]) -> None:
            path = exporters()[exporter].path if exporter in exporters() else "/metrics"
            address = f"127.0.0.1:{server.port}"
            targets.append(Target(exporter, edition, address, path, f"{server.url}/metrics", parameters))

        primary = start(postgresql(_POSTGRESQL))
        _use_postgresql(primary)
        replica = start(postgresql("primary_slot_name = 'replica'\n", follows=primary))
        until(lambda: _first(primary, "SELECT count(*) FROM pg_stat_replication"), "the replica streams")
        cache = start(redis("--maxmemory", "64mb", "--appendonly", "yes", "--repl-diskless-sync-delay", "0"))
        copy = start(redis(follows=cache))
        _use_redis(cache)
        logs = start(elasticsearch())
        _use_elasticsearch(logs)
        for edition in EDITIONS:
            add("node", edition, start(node_exporter(edition)))
            add("postgres", edition, start(postgres_exporter(primary.url, edition)))
            add("postgres", edition, start(postgres_exporter(replica.url, edition)))
            add("elasticsearch", edition, start(elasticsearch_exporter(logs.url, edition)))
        for server in (cache, copy):
            add("redis", "packaged", start(redis_exporter(server.url)))
        add("process", "packaged", start(process_exporter()))
        add("pushgateway", "packaged", pushed := start(pushgateway()))
        _push(pushed)
        secured = start(_secured(folder / "secured"))
        for edition in EDITIONS:
            prober = start(blackbox_exporter(edition))
            add("blackbox", edition, prober, ("module", "http_2xx"), ("target", f"{pushed.url}/"))
            add("blackbox", edition, prober, ("module", "https_self_signed"), ("target", f"{secured.url}/-/ready"))
        alerts = start(alertmanager(config=_RECEIVER.format(url=start(_receiver()))))
        _notify(alerts)
        add("alertmanager", "packaged", alerts)
        for version in prometheus_versions():
            own = folder / version
            server = start(prometheus(version, data=own, flags=_FLAGS))
            add("prometheus", version, server)
        for target in [target for target in targets if target.exporter == "prometheus"]:
            # Each is told what to do only now that both are there: they write to each other and scrape themselves.
            own = folder / target.edition
            watched = targets if target.edition == "3" else [target]
            (own / "rules").mkdir()
            (own / "rules" / "own.yml").write_text(_RULES)
            (own / "prometheus.yml").write_text(_configured(watched, alerts, server.url))
            reload(f"http://{target.address}")
        observers = [target for target in targets if target.exporter == "prometheus"]
        until(
            lambda: all(_at_work(read(target.about)) for target in observers),
            "rules are evaluated, alerts sent, samples written",
        )
        yield Machine(tuple(targets), server, folder / server.version)


def _at_work(metrics: str) -> bool:
    late = (
        "remote_storage_samples_total",
        "rule_evaluations_total",
        "notifications_sent_total",
        "target_interval_length_seconds",
    )
    return all(f"\nprometheus_{name}{{" in metrics for name in late)


def reload(url: str) -> None:
    """Has a Prometheus read its configuration again."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/-/reload", method="POST"), timeout=60).close()


def _configured(targets: list[Target], alerts: Server, writes_to: str) -> str:
    """A prometheus.yml: every target by its job, Alertmanager, rules, and somewhere to write samples to."""
    scrapes: list[dict[str, Any]] = []
    for number, target in enumerate(targets):
        known = exporters().get(target.exporter)
        labels = {"job": known.job if known else target.exporter}
        if target.parameters:
            labels["instance"] = f"{dict(target.parameters)['target']}#{target.edition}"
        scrapes.append(
            {
                "job_name": f"target {number}",
                "metrics_path": target.path,
                "params": {name: [value] for name, value in target.parameters},
                "static_configs": [{"targets": [target.address], "labels": labels}],
            }
        )
    document = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": scrapes,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts.port}"]}]}]},
        "rule_files": ["rules/*.yml"],
        "remote_write": [{"url": f"{writes_to}/api/v1/write"}],
    }
    return yaml.safe_dump(document)


# --- what has happened ----------------------------------------------------------------------------------------------


def _use_postgresql(server: Postgresql) -> None:
    for statement in (
        "CREATE EXTENSION pg_stat_statements",
        "SELECT pg_create_physical_replication_slot('replica')",
        "CREATE TABLE kept (id serial PRIMARY KEY, text text)",
        "INSERT INTO kept (text) SELECT md5(n::text) FROM generate_series(1, 1000) n",
        "UPDATE kept SET text = 'changed' WHERE id % 3 = 0",
        "DELETE FROM kept WHERE id % 5 = 0",
        "VACUUM ANALYZE kept",
        "SELECT count(*) FROM kept WHERE id = 7",
        "SELECT pg_switch_wal()",
    ):
        server.run(statement)
    until(lambda: _first(server, "SELECT archived_count FROM pg_stat_archiver"), "a segment is archived")


def _first(server: Postgresql, query: str) -> Any:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def _use_redis(server: Redis) -> None:
    server.run("SET", "kept", "1")
    server.run("SET", "short", "1", "EX", "3600")
    server.run("GET", "kept")
    server.run("GET", "missing")
    server.run("BGSAVE")
    until(lambda: _section(server).get("rdb_last_bgsave_status") == "ok", "Redis saved")
    until(lambda: _section(server, "replication").get("connected_slaves") == "1", "the replica is there")


def _section(server: Redis, name: str = "persistence") -> dict[str, str]:
    lines = (line.partition(":") for line in server.run("INFO", name).splitlines())
    return {key: value for key, _, value in lines}


def _use_elasticsearch(server: Elasticsearch) -> None:
    def put(path: str, body: object, method: str = "PUT") -> None:
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(server.url + path, json.dumps(body).encode(), kind, method=method)
        urllib.request.urlopen(request, timeout=60).close()

    put("/logs-app", {"settings": {"number_of_replicas": 0}})
    for number in range(3):
        put(f"/logs-app/_doc/{number}?refresh=true", {"message": f"line {number}"})
    put("/logs-app/_search", {"query": {"match": {"message": "line"}}}, "POST")
    put("/_snapshot/nightly", {"type": "fs", "settings": {"location": "nightly"}})
    put("/_snapshot/nightly/first?wait_for_completion=true", {})


def _push(server: Server) -> None:
    body = b"batch_last_success_timestamp_seconds 1\n"
    put = urllib.request.Request(f"{server.url}/metrics/job/batch/instance/one", body, method="PUT")
    urllib.request.urlopen(put, timeout=60).close()


def _notify(server: Server) -> None:
    body = json.dumps([{"labels": {"alertname": "Provoked", "severity": "info"}}]).encode()
    post = urllib.request.Request(f"{server.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(post, timeout=60).close()
    said = 'alertmanager_notifications_total{integration="webhook"} '
    until(lambda: said in read(f"{server.url}/metrics") and f"{said}0" not in read(f"{server.url}/metrics"), "it told")


@contextmanager
def _secured(folder: Path) -> Iterator[Server]:
    """A server that speaks TLS, with a certificate for a year that it signed itself."""
    folder.mkdir()
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost"
    files = ["-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(
        [binary("openssl", "openssl"), *arguments.split(), *files], cwd=folder, check=True, capture_output=True
    )
    web = f"tls_server_config: {{cert_file: {folder / 'certificate.pem'}, key_file: {folder / 'key.pem'}}}\n"
    trusting = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    trusting.check_hostname = False
    with prometheus("2", data=folder, web_config=web, tls=trusting) as server:
        yield server


@contextmanager
def _receiver() -> Iterator[str]:
    """Takes what Alertmanager sends and says thank you."""

    class Thanks(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Thanks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
