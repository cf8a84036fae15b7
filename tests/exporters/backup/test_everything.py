"""One exporter that looks after all there is, as one process: in bounded memory, soon, and through reloads."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.exporters.backup.test_wal import archiving
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer, aws_server
from tests.servers.process import READY_SECONDS, free_port

pytestmark = [pytest.mark.xdist_group("aws"), pytest.mark.timeout(900)]
LIMIT_BYTES = 60e6
DAY = 86400
DUMP = b"--\n-- PostgreSQL database dump\n--\n" + b"INSERT INTO t VALUES (1);\n" * 200_000
DUMP += b"--\n-- PostgreSQL database dump complete\n--\n"
REGION = "eu-central-1"
TEXT = """
state: state.json
interval: 1s
timeout: 50s
dumps:
  - targets: [shop]
    every: {every}
    pattern: "{{target}}-{{time:%Y%m%d%H%M%S}}.sql"
    places:
      - {{type: folder, path: backups}}
      - &bucket {{type: s3, bucket: dumps, region: eu-central-1, endpoint: "{url}", path_style: true,
          credentials: &keys {{access_key: {{env: STORE_KEY}}, secret_key: {{env: STORE_SECRET}}}}}}
    read: {{which: declared, bytes_per_run: 1048576}}
rds: [{{target: orders, region: eu-central-1, instance: orders-db, endpoint: "{url}", credentials: *keys}}]
wal: [{{target: ledger, url: "{server}", archive: {{type: folder, path: "{archive}"}}}}]
velero: [{{target: blue, place: *bucket}}]
drill: {{targets: {{shop: {{objective: 1h}}}}, schedule: {{every: weekly}}}}
"""


@dataclass
class Exporter:
    """A running one."""

    process: subprocess.Popen[bytes]
    port: int
    configuration: Path
    said: Path
    text: str

    def values(self) -> dict[str, float]:
        """What is published now: values by name and, where there is one, target."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=READY_SECONDS) as answer:
            text = answer.read().decode()
        return {
            f"{sample.name} {sample.labels.get('target', sample.labels.get('collector', ''))}": sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def wait(self, done: Callable[[dict[str, float]], bool], what: str) -> dict[str, float]:
        deadline = time.monotonic() + 2 * READY_SECONDS
        values: dict[str, float] = {}
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                values = self.values()
            except OSError:
                values = {}
            if done(values):
                return values
            time.sleep(0.05)  # between two looks
        pytest.fail(f"waited for {what} for too long\n{self.said.read_text()[-3000:]}\n{sorted(values)}", pytrace=False)

    def resident(self) -> int:
        """The most memory that the process itself ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with aws_server() as server:
        server.reset()
        server.bucket("dumps", REGION)
        server.client("rds", REGION).create_db_instance(
            DBInstanceIdentifier="orders-db",
            DBInstanceClass="db.t3.micro",
            Engine="postgres",
            AllocatedStorage=50,
            MasterUsername="owner",
            MasterUserPassword="an example",
            BackupRetentionPeriod=7,
        )
        yield server


@contextmanager
def exporter(aws: AwsServer, folder: Path) -> Iterator[Exporter]:
    """Looks after dumps in a folder and a bucket, RDS, WAL archiving, Velero and a drill."""
    now = int(time.time())
    (folder / "backups").mkdir()
    client = aws.client("s3", REGION)
    for days in (1, 2, 3):
        made = now - days * DAY
        name = f"shop-{datetime.fromtimestamp(made, UTC):%Y%m%d%H%M%S}.sql"
        path = folder / "backups" / name
        path.write_bytes(DUMP)
        os.utime(path, (made, made))
        path.with_name(f"{name}.sha256").write_text(f"{hashlib.sha256(DUMP).hexdigest()}  {name}\n")
        client.put_object(Bucket="dumps", Key=name, Body=DUMP)
        backup = {
            "kind": "Backup",
            "apiVersion": "velero.io/v1",
            "metadata": {"name": f"n{days}", "labels": {"velero.io/schedule-name": "nightly"}},
            "status": {
                "phase": "Completed",
                "startTimestamp": f"{datetime.fromtimestamp(made, UTC):%FT%TZ}",
                "completionTimestamp": f"{datetime.fromtimestamp(made, UTC):%FT%TZ}",
            },
        }
        for key, body in (("velero-backup.json", json.dumps(backup).encode()), (f"n{days}.tar.gz", b"content")):
            client.put_object(Bucket="dumps", Key=f"backups/n{days}/{key}", Body=body)
    with archiving() as wal:
        wal.base_backup()
        wal.archived(wal.switch())
        text = TEXT.replace("{server}", wal.server.url).replace("{archive}", str(wal.archive)).replace("{url}", aws.url)
        path, said, port = folder / "backup.yml", folder / "said", free_port()
        path.write_text(text.format(every="1d"))
        command = [sys.executable, "-m", "sla_kit.exporters.backup", "--config", "backup.yml"]
        with said.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--listen", f"127.0.0.1:{port}"],
                cwd=folder,
                stderr=output,
                env={**os.environ, "STORE_KEY": ACCESS_KEY, "STORE_SECRET": SECRET_KEY},
            )
        try:
            running = Exporter(process, port, path, said, text)
            yield running
            process.send_signal(signal.SIGTERM)
            assert process.wait(READY_SECONDS) == 0
            assert "Traceback" not in said.read_text()
            assert SECRET_KEY not in said.read_text()
        finally:
            process.kill()
            process.wait()


RELOADED = "sla_exporter_config_last_reload_success_timestamp_seconds "
EVERYTHING = (
    "backup_verified shop",
    "backup_pitr_retention_seconds orders",
    "backup_wal_archived_total ledger",
    "backup_velero_errors blue",
    "restore_next_drill_timestamp_seconds shop",
)


def test_all_at_once_in_bounded_memory_and_reloads_under_load_forget_nothing(aws: AwsServer) -> None:
    with tempfile.TemporaryDirectory(prefix="sla-kit-backup-") as scratch, exporter(aws, Path(scratch)) as running:
        running.wait(lambda values: all(name in values for name in EVERYTHING), "everything to be seen")
        # A part of each file is read in a run, so that this takes some; nothing less would tell what is remembered.
        running.wait(lambda values: values.get("backup_verified shop") == 1.0, "the newest to be verified")
        stop, scrapes = threading.Event(), [0]
        wrong: list[str] = []

        def scrape() -> None:
            while not stop.is_set():
                try:
                    seen = running.values().get("backup_verified shop", 1.0)
                    scrapes[0] += 1
                    if seen != 1.0:
                        wrong.append("forgot what was verified")
                except OSError as error:
                    wrong.append(repr(error))

        threads = [threading.Thread(target=scrape) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for every in ("12h", "1d", "8h"):
                before = running.values()[RELOADED]
                running.configuration.write_text(running.text.format(every=every))
                running.process.send_signal(signal.SIGHUP)
                running.wait(partial(_reloaded, before), "a reload")
                running.wait(lambda values: all(name in values for name in EVERYTHING), "everything to be seen again")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert wrong == []
        assert scrapes[0] > 0
        assert running.resident() < LIMIT_BYTES


def _reloaded(before: float, values: dict[str, float]) -> bool:
    return values.get(RELOADED, before) > before
