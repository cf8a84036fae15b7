"""Exporters, inventory, alert rules and dashboards name the same metrics.

Each exporter runs once, as people run it, on real sources that make it publish all that it can; what its scrape says is
held against its inventory file, by promtool, and against what rules and panels read.
"""

from __future__ import annotations

import hashlib
import json
import operator
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import promql_parser
import pytest

from sla_kit.alert_rules.inventory import Metric, exporters
from sla_kit.alert_rules.label_flow import selectors
from sla_kit.catalogue import load
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.gate_document import panels_of
from sla_kit.dashboards.rendering import Rendering
from sla_kit.exporters.drill.programs import find_postgresql
from sla_kit.generate.plan import rule_files
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from tests.alert_rules.observed import Published, told
from tests.alert_rules.test_inventory import mistakes
from tests.dashboards.catalogues import ASTRAL, AT
from tests.dashboards.test_live import filled
from tests.exporters.backup.test_rds import hours, instance, snapshot
from tests.exporters.backup.test_velero import put
from tests.exporters.backup.test_wal import Archiving, archiving
from tests.exporters.business.shop import fill, history, reader
from tests.exporters.business.test_example import EXAMPLE
from tests.exporters.logs.node import create, document, write
from tests.exporters.sidecar.sidecars import Sidecar, eventually, sidecar
from tests.servers import promtool
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer, aws_server
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.elasticsearch.clearing import clear, fresh_name

pytestmark = [pytest.mark.xdist_group("exporter_names"), pytest.mark.timeout(1200)]

#: How the names begin that are ours to give.
OURS = ("sla_business_", "backup_", "restore_", "sla_slo_", "sla_logs_", "sla_exporter_", "sla_push_", "sla_job_")
#: What a user's configuration names here, and what prometheus-client tells of any process.
NOT_OURS = ("shop_", "process_")
#: The inventory's keys of the exporters that run here; each tells what ``sidecar`` has besides its own, jobs don't.
SIDECARS = ("business", "backup", "slo_exporter", "logs")
#: Of sla-kit as well, but no exporters of this package: rules record the one, the router publishes the other.
ELSEWHERE = {"calendar", "router"}
VERSION = "0.1.0"
DAY = 86400
#: More series than these has only the API usage of the shop: at each collection, some are dropped.
PUSHED = """
max_series: 10
pushed:
  metrics:
    - {name: shop_exports_total, type: counter, help: Exports.}
"""
BACKUP = """
state: state.json
interval: 1s
timeout: 120s
dumps:
  - &dumps
    targets: [shop, broken]
    pattern: "{{target}}-{{time:%Y%m%d%H%M%S}}.sql"
    read: {{which: always}}
    places:
      - {{type: s3, bucket: dumps, {bucket}}}
      - {{type: folder, path: backups}}
rds: [{{target: catalog, region: eu-central-1, instance: orders-db, endpoint: "{aws}", {credentials}}}]
wal: [{{target: orders, url: "{postgresql}", archive: {{type: folder, path: {archive}}}}}]
velero: [{{target: blue, place: {{type: s3, bucket: velero, {bucket}}}}}]
drill:
  targets: {{shop: {{objective: 1h}}, broken: {{}}}}
  schedule: {{every: weekly}}
"""
CREDENTIALS = "credentials: {access_key: {env: STORE_KEY}, secret_key: {env: STORE_SECRET}}"
CATALOGUE = """
name: shop
bucket: 5m
policy: [{left: 50%, action: slow down}]
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {service: api}, bad: {status_code: "=~5.."}}
    slos:
      - {name: availability, sli: requests, objective: 99.95%, window: 1d}
      - {name: both, sli: {kind: composite, combine: all, of: [availability]}, objective: 99%, window: 1d}
      - name: by-logs
        sli: {kind: log-events, index: "INDEX-*", bad: "http.response.status_code:[500 TO *]"}
        objective: 99%
        window: 1d
"""
LOGS = """
state: state.db
interval: 1s
timeout: 120s
backfill: 10m
late: {{every: 1s}}
groups: {{every: 1s}}
volume: {{every: 1s}}
cluster: {{url: "{url}"}}
index: "{index}-*"
"""
FAILING = """
import sys
from sla_kit.exporters import Textfile, job
with job("nightly", to=Textfile(sys.argv[1])) as run:
    raise OSError("the disk is full")
"""
#: What promtool objects to: days are counted here, no length of time.
COUNTED = 'backup_missed_days use base unit "seconds" instead of "days"'


@pytest.fixture(scope="module")
def scrapes(tmp_path_factory: pytest.TempPathFactory, elastic: Elasticsearch) -> Mapping[str, str]:
    """What each exporter publishes, by the inventory's keys; jobs what they leave for node_exporter."""
    folders = {key: tmp_path_factory.mktemp(key) for key in (*SIDECARS, "jobs")}
    with archiving() as place, aws_server() as aws:
        url = place.server.database("shop")
        fill(url, history(1))
        return {
            "business": of_business(folders["business"], url),
            "backup": of_backup(folders["backup"], url, place, aws),
            "slo_exporter": of_slos(folders["slo_exporter"], elastic),
            "logs": of_logs(folders["logs"], elastic),
            "jobs": of_jobs(folders["jobs"]),
        }


def of_business(folder: Path, url: str) -> str:
    """The example that is shipped, with what the application pushes."""
    text = EXAMPLE.read_text().replace("postgresql://reader@127.0.0.1:5432/shop", reader(url)) + PUSHED
    with running("business", folder, text) as one:
        entries = [{"name": name, "add": 1} for name in ("shop_exports_total", "shop_unheard_of_total")]
        for entry in entries:
            one.ask("/push", "POST", json.dumps({"metrics": [entry]}).encode(), Content_Type="application/json")
        return complete(one, "business", "sidecar")


def of_backup(folder: Path, url: str, place: Archiving, aws: AwsServer) -> str:
    """Dumps in a folder and a bucket, RDS, WAL, Velero, and two drills: a good one, and one of what was cut off."""
    bucket = f'region: eu-central-1, endpoint: "{aws.url}", path_style: true, {CREDENTIALS}'
    text = BACKUP.format(
        bucket=bucket,
        credentials=CREDENTIALS,
        aws=aws.url,
        postgresql=place.server.url,
        archive=place.archive,
    )
    dumped(folder / "backups", url, aws)
    instance(aws)
    snapshot(aws, "nightly", hours(6))
    put(folder, "daily-1", errors=1, warnings=2)
    store = aws.bucket("velero")
    for path in (folder / "backups" / "daily-1").iterdir():
        store.put_object(Bucket="velero", Key=f"backups/daily-1/{path.name}", Body=path.read_bytes())
    place.base_backup()
    place.write()
    place.archived(place.switch())
    environment = {"STORE_KEY": ACCESS_KEY, "STORE_SECRET": SECRET_KEY}
    (folder / "backup.yml").write_text(text)
    command = [sys.executable, "-m", "sla_kit.exporters.drill", "--config", str(folder / "backup.yml")]
    drilled = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert drilled.returncode == 1, drilled
    with running("backup", folder, text, **environment) as one:
        return complete(one, "backup")


def dumped(folder: Path, url: str, aws: AwsServer) -> None:
    """Two days' dumps of a database, with their checksums, and in a bucket under a key; and one without its end."""
    folder.mkdir()
    sql = subprocess.run([find_postgresql("pg_dump"), url], capture_output=True, check=True).stdout
    client, key = aws.bucket("dumps"), aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    for days in (1, 2):
        made = int(time.time()) - days * DAY
        name = f"{datetime.fromtimestamp(made, UTC):%Y%m%d%H%M%S}.sql"
        for target, content in (("shop", sql), ("broken", sql[: len(sql) // 2])):
            path = folder / f"{target}-{name}"
            path.write_bytes(content)
            path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
            os.utime(path, (made, made))
            client.put_object(
                Bucket="dumps", Key=path.name, Body=content, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
            )


def of_slos(folder: Path, node: Elasticsearch) -> str:
    """SLOs with a part, a policy and a forecast, on a history that ends now, and one on documents."""
    days, index = 9, fresh_name()
    start = int(time.time()) // 3600 * 3600 - days * DAY
    api = parts.Workload(name="api", labels={"service": "api"}, rps=5, error_ratio=0.001)
    simulate(Scenario(start=start, days=days, services=[api], scrape_interval=300)).write(folder)
    (folder / "sla.yml").write_text(CATALOGUE.replace("INDEX", index))
    create(node.url, index)
    write(node.url, index, [document(start + days * DAY - 60, status=500)])
    text = f"catalogue: sla.yml\nsource: [history.om.gz, elasticsearch+{node.url}]\ninterval: 1s\ntimeout: 120s\n"
    text += "forecast: {horizon: 7d, history: 9d}\n"
    try:
        with running("slo", folder, text) as one:
            return complete(one, "slo_exporter")
    finally:
        clear(node.url, index)


def of_logs(folder: Path, node: Elasticsearch) -> str:
    """Documents of a service that has an error which it never had, and one that it had weeks ago."""
    index, now = fresh_name(), time.time()
    create(node.url, index)
    written = [document(now - 60, ingested=now - 50, type="ValueError", group=group) for group in ("old", "new")]
    write(node.url, index, [*written, document(now - 14 * DAY, type="ValueError", group="old")])
    try:
        with running("logs", folder, LOGS.format(url=node.url, index=index)) as one:
            return complete(one, "logs")
    finally:
        clear(node.url, index)


def of_jobs(folder: Path) -> str:
    """A job that failed as a block, and then went well as a command."""
    failed = subprocess.run([sys.executable, "-c", FAILING, str(folder)], capture_output=True, text=True)
    assert "the disk is full" in failed.stderr
    command = [sys.executable, "-m", "sla_kit.exporters.jobs", "--textfile", str(folder)]
    promises = ["--expected-every", "1d", "--expected-within", "1h"]
    subprocess.run([*command, *promises, "nightly", "--", "true"], check=True)
    [file] = folder.glob("*.prom")
    return file.read_text()


@contextmanager
def running(name: str, folder: Path, text: str, **environment: str) -> Iterator[Sidecar]:
    """An exporter as a process, once it is ready."""
    command = [sys.executable, "-m", f"sla_kit.exporters.{name}"]
    with sidecar(folder, text, command=command, environment=environment) as one:
        yield one


def complete(one: Sidecar, *keys: str) -> str:
    """A scrape that lacks nothing of the inventory's files; fails with what never came."""
    wanted = {name for key in keys for name, metric in exporters()[key].metrics.items() if not metric.unprovoked}
    page = ""

    def lacking() -> list[str]:
        nonlocal page
        page = one.ask().text
        return sorted(wanted - told([page]).keys())

    eventually(lacking, operator.not_, 240.0)
    return page


def wrong(key: str, found: Mapping[str, Published]) -> list[str]:
    """What one inventory file says otherwise than what is published: names, types, and exactly these labels."""
    said: list[str] = []
    for name, metric in exporters()[key].metrics.items():
        said += mistakes(name, metric, {VERSION: found})
        more = found[name].any - set(metric.labels) if name in found else set()
        said += [f"{name} has the label {label}, too" for label in sorted(more)]
    return said


@pytest.mark.parametrize("key", [*SIDECARS, "jobs"])
def test_what_an_exporter_publishes_is_what_its_inventory_file_says(key: str, scrapes: Mapping[str, str]) -> None:
    found = told([scrapes[key]])
    assert wrong(key, found) == []
    known = exporters()[key].metrics.keys() | (exporters()["sidecar"].metrics.keys() if key in SIDECARS else set())
    assert [name for name in found if name not in known and not name.startswith(NOT_OURS)] == []


def test_every_sidecar_tells_the_same_of_itself(scrapes: Mapping[str, str]) -> None:
    assert wrong("sidecar", told(scrapes[key] for key in SIDECARS)) == []
    rare = "sla_exporter_series_dropped_total"  # only of what has too many
    for key in SIDECARS:
        assert exporters()["sidecar"].metrics.keys() - told([scrapes[key]]).keys() <= {rare}, key


@pytest.mark.parametrize("key", [*SIDECARS, "jobs"])
def test_promtool_finds_nothing_to_object_to(key: str, scrapes: Mapping[str, str]) -> None:
    """Names, base units, suffixes and help texts, as Prometheus's own linter has them."""
    done = subprocess.run([promtool("3"), "check", "metrics"], input=scrapes[key], capture_output=True, text=True)
    said = (done.stdout + done.stderr).splitlines()
    assert said == ([COUNTED] if key == "backup" else [])
    assert done.returncode == (3 if said else 0)


def test_what_rules_and_panels_read_is_published(scrapes: Mapping[str, str]) -> None:
    published = told(scrapes.values()).keys()
    read = {name: where for where, name in all_read() if name.startswith(OURS)}
    assert {name: where for name, where in read.items() if name not in published} == {}
    # As many as there are at least: fewer would prove too little.
    assert len(read) >= 40
    assert {prefix for prefix in OURS if any(name.startswith(prefix) for name in read)} == set(OURS)


def all_read() -> Iterator[tuple[str, str]]:
    """Every name in the alert rules and dashboards of the example, and where it is read."""
    catalogue = load(ASTRAL, "production")
    for file in rule_files(catalogue, AT):
        for group in file.groups:
            for rule in group.rules:
                yield from ((group.name, each.name) for each, _, _ in selectors(promql_parser.parse(rule.expression)))
    rendering = Rendering.of(catalogue)
    for dashboard in dashboards_of(catalogue):
        for panel in panels_of(rendering.document(dashboard)):
            place = f"{dashboard.name}: {panel['title']}"
            for target in panel.get("targets", []):
                if "expr" in target:
                    tree = promql_parser.parse(filled(target["expr"], ""))
                    yield from ((place, each.name) for each, _, _ in selectors(tree))


def test_every_inventory_file_of_ours_is_held() -> None:
    ours = {key for key, exporter in exporters().items() if "://" not in exporter.source}
    assert ours - ELSEWHERE == {*SIDECARS, "jobs", "sidecar"}


def test_what_is_wrong_is_found() -> None:
    """A file that lags behind is told of: a metric that is gone, another type, a label more, a label less."""
    business = dict.fromkeys(exporters()["business"].metrics, Published("gauge", {"window"}, {"window"}))
    del business["sla_push_series"]
    said = wrong("business", business)
    assert "0.1.0 does not publish sla_push_series" in said
    assert "sla_business_signups_total is a gauge, not a counter" in said
    assert "sla_business_event_audience has no label event" in said
    assert "sla_business_event_audience has the label window, too" in said
    assert not [each for each in said if "active_users" in each]
    assert mistakes("sla_x", Metric(type="gauge", unprovoked="why"), {VERSION: business}) == []
