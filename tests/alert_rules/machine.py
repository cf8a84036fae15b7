"""A healthy stack of real servers and exporters, in which whatever is published only after something has happened has
happened: a table, a snapshot, a replica, a notification, a query that failed."""

from __future__ import annotations

import ssl
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sla_kit.alert_rules.inventory import exporters
from tests.alert_rules.provoking import (
    ask,
    first,
    kept_busy,
    notify,
    push,
    read,
    until,
    use_elasticsearch,
    use_postgresql,
    use_redis,
)
from tests.servers import (
    Edition,
    Prometheus,
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
_FLAGS = (
    "--web.enable-lifecycle",
    "--web.enable-remote-write-receiver",
    "--storage.remote.flush-deadline=100ms",
    # An alert that fires before Alertmanager is found is dropped, and sent anew only a minute later otherwise.
    "--rules.alert.resend-delay=1s",
)


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


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Starts all of it. Prometheus 3 scrapes everything, itself and a Prometheus 2 too; ``folder`` keeps their data."""
    with ExitStack() as stack:
        targets = [*_stores(stack), *_programs(stack, folder)]
        alerts = stack.enter_context(alertmanager(config=_RECEIVER.format(url=stack.enter_context(_receiver()))))
        notify(alerts)
        targets.append(_target("alertmanager", "packaged", alerts))
        observers = {
            version: stack.enter_context(prometheus(version, data=folder / version, flags=_FLAGS))
            for version in prometheus_versions()
        }
        themselves = [_target("prometheus", version, server) for version, server in observers.items()]
        targets += themselves
        for target in themselves:
            # Each is told what to do only now that both are there, for they write samples to each other.
            own, other = folder / target.edition, next(v for v in observers if v != target.edition)
            watched = targets if target.edition == "3" else [target]
            (own / "rules").mkdir()
            (own / "rules" / "own.yml").write_text(_RULES)
            (own / "prometheus.yml").write_text(_configured(watched, alerts, observers[other].url, target.edition))
            reload(observers[target.edition].url)
        until(
            lambda: all(_at_work(read(target.about)) for target in themselves),
            "rules are evaluated, alerts sent, samples written",
        )
        yield Machine(tuple(targets), observers["3"], folder / "3")


def _stores(stack: ExitStack) -> Iterator[Target]:
    """PostgreSQL and Redis, each with a replica, Elasticsearch, and what exports them."""
    start = stack.enter_context
    primary = start(postgresql(_POSTGRESQL))
    use_postgresql(primary)
    replica = start(postgresql("primary_slot_name = 'replica'\n", follows=primary))
    until(lambda: first(primary, "SELECT count(*) FROM pg_stat_replication"), "the replica streams")
    cache = start(redis("--maxmemory", "64mb", "--appendonly", "yes", "--repl-diskless-sync-delay", "0"))
    # One that may throw out any key is full by design, and told apart by its policy.
    copy = start(redis("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", follows=cache))
    use_redis(cache)
    logs = start(elasticsearch())
    use_elasticsearch(logs)
    start(kept_busy(primary, cache, logs))
    for edition in EDITIONS:
        yield _target("postgres", edition, start(postgres_exporter(primary.url, edition)))
        yield _target("postgres", edition, start(postgres_exporter(replica.url, edition)))
        yield _target("elasticsearch", edition, start(elasticsearch_exporter(logs.url, edition)))
        for server in (cache, copy):
            yield _target("redis", edition, start(redis_exporter(server.url, edition)))


def _programs(stack: ExitStack, folder: Path) -> Iterator[Target]:
    """What exports this machine, and probes of what listens here."""
    start = stack.enter_context
    pushed, secured = start(pushgateway()), start(_secured(folder / "secured"))
    push(pushed)
    yield _target("pushgateway", "packaged", pushed)
    yield _target("process", "packaged", start(process_exporter()))
    for edition in EDITIONS:
        yield _target("node", edition, start(node_exporter(edition)))
        prober = start(blackbox_exporter(edition))
        yield _target("blackbox", edition, prober, module="http_2xx", target=f"{pushed.url}/")
        yield _target("blackbox", edition, prober, module="https_self_signed", target=f"{secured.url}/-/ready")


def _target(exporter: str, edition: str, server: Server, **parameters: str) -> Target:
    path = exporters()[exporter].path
    return Target(
        exporter, edition, f"127.0.0.1:{server.port}", path, f"{server.url}/metrics", tuple(parameters.items())
    )


def _at_work(metrics: str) -> bool:
    late = (
        "remote_storage_samples_total",
        "rule_evaluations_total",
        "notifications_sent_total",
        "notifications_latency_seconds",
        "target_interval_length_seconds",
    )
    return all(f"\nprometheus_{name}{{" in metrics for name in late)


def reload(url: str) -> None:
    """Has a Prometheus read its configuration again."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/-/reload", method="POST"), timeout=60).close()


def _configured(targets: Sequence[Target], alerts: Server, writes_to: str, name: str) -> str:
    """A prometheus.yml: every target by its job, Alertmanager, rules, and where to write a series to under its name."""
    scrapes: list[dict[str, Any]] = []
    for number, target in enumerate(targets):
        labels = {"job": exporters()[target.exporter].job}
        if target.edition in ("today", "3"):
            # Some people label what they scrape with its cluster, others don't; some exporters have such a label, too.
            labels["cluster"] = "here"
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
        "global": {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "1s"},
        "scrape_configs": scrapes,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts.port}"]}]}]},
        "rule_files": ["rules/*.yml"],
        "remote_write": [
            {
                "url": f"{writes_to}/api/v1/write",
                "write_relabel_configs": [
                    {"source_labels": ["__name__"], "regex": "targets:up:count", "action": "keep"},
                    {"target_label": "from", "replacement": name},
                ],
            }
        ],
    }
    return yaml.safe_dump(document)


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
