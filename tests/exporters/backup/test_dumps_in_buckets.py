"""Dumps in buckets of two regions, on a server that speaks S3."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.sidecar.collector import CollectError, Collector
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer, aws_server

pytestmark = pytest.mark.xdist_group("aws")
DAY = 86400
DUMP = b"--\n-- PostgreSQL database dump\n--\n" + b"INSERT INTO t VALUES (1);\n" * 9000 + b"--\n"
DUMP += b"-- PostgreSQL database dump complete\n--\n"
TEXT = """
state: state.json
dumps:
  - targets: [shop]
    pattern: "{{target}}/{{time:%Y-%m-%dT%H%M%S}}.sql"
    places:
      - &home
        type: s3
        bucket: dumps
        prefix: nightly
        region: eu-central-1
        endpoint: {url}
        path_style: true
        credentials: {{access_key: {{env: STORE_KEY}}, secret_key: {{env: STORE_SECRET}}}}
      - {{type: s3, bucket: copies, region: eu-west-1, endpoint: "{url}", path_style: true,
         credentials: {{access_key: {{env: STORE_KEY}}, secret_key: {{env: STORE_SECRET}}}}}}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture
def aws(running: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    running.reset()
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STORE_KEY", ACCESS_KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET_KEY)
    return running


@pytest.fixture
def collector(aws: AwsServer, tmp_path: Path) -> Iterator[Collector]:
    path = tmp_path / "backup.yml"
    path.write_text(TEXT.format(url=aws.url))
    (made,) = EXPORTER.load(path).collectors
    yield made
    made.close()


def look(collector: Collector) -> dict[tuple[str, str], float]:
    """Values by name, and by region, state or key where there is one."""
    samples = [sample for metric in collector.collect(time.monotonic() + 60) for sample in metric.samples]
    return {
        (
            each.name,
            " ".join(each.labels[label] for label in ("region", "state", "key") if label in each.labels),
        ): each.value
        for each in samples
    }


def name(now: int, days: int) -> str:
    return f"shop/{datetime.fromtimestamp(now - days * DAY, UTC):%Y-%m-%dT%H%M%S}.sql"


def test_encryption_checksums_and_lag_of_a_copy(aws: AwsServer, collector: Collector) -> None:
    now = int(time.time())
    home, away = aws.bucket("dumps"), aws.bucket("copies", "eu-west-1")
    key = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    for days in (1, 2, 3):
        home.put_object(
            Bucket="dumps", Key=f"nightly/{name(now, days)}", Body=DUMP, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
        )
    sums = f"{hashlib.sha256(DUMP).hexdigest()}  x.sql\n"
    home.put_object(Bucket="dumps", Key=f"nightly/{name(now, 1)}.sha256", Body=sums.encode())
    home.put_object(Bucket="dumps", Key="nightly/shop/notes.txt", Body=b"foreign")
    away.put_object(Bucket="copies", Key=name(now, 3), Body=DUMP)
    away.put_object(Bucket="copies", Key=name(now, 2), Body=DUMP[:-50])
    seen = look(collector)
    assert seen["backup_last_success_timestamp_seconds", ""] == now - DAY
    assert seen["backup_encrypted", ""] == 1
    assert seen["backup_verified", ""] == 1
    assert seen["backup_key_info", f"eu-central-1 {key}"] == 1
    assert seen["backup_retained", ""] == 3
    assert seen["backup_replica_lag_seconds", "eu-central-1"] == 0
    assert seen["backup_replica_lag_seconds", "eu-west-1"] == 2 * DAY
    assert seen["backup_files", "eu-central-1 foreign"] == 1
    assert seen["backup_files", "eu-central-1 usable"] == 3
    assert seen["backup_files", "eu-west-1 truncated"] == 1


def test_region_that_is_gone_and_then_both(aws: AwsServer, collector: Collector) -> None:
    now = int(time.time())
    aws.bucket("dumps").put_object(Bucket="dumps", Key=f"nightly/{name(now, 1)}", Body=DUMP)
    seen = look(collector)
    assert seen["backup_place_up", "eu-central-1"] == 1
    assert seen["backup_place_up", "eu-west-1"] == 0
    assert seen["backup_retained", ""] == 1
    aws.reset()
    with pytest.raises(CollectError) as told:
        look(collector)
    assert "s3://dumps/nightly" in str(told.value)
    assert SECRET_KEY not in str(told.value)
