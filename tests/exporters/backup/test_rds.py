"""Snapshots and windows of RDS and Aurora, against a server that speaks RDS.

What that server can't be asked for (points in time, a snapshot that fails or is being made, when one was taken) is set
in its state; it answers with it in RDS's own words all the same.
"""

from __future__ import annotations

import math
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.backup.configuration import Credentials, Rds
from sla_kit.exporters.backup.rds import Described, RdsCollector, Snapshot, rds_collector, rds_metrics
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from tests.servers.aws import ACCESS_KEY, ACCOUNT, SECRET_KEY, AwsServer, aws_server

pytestmark = pytest.mark.xdist_group("aws")
KEYS = Credentials(access_key=Secret(env="STORE_KEY"), secret_key=Secret(env="STORE_SECRET"))
HOME, FAR = "eu-central-1", "eu-west-1"
GIB = 1 << 30
NOW = datetime.now(UTC).replace(microsecond=0)
Series = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def running() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture
def aws(running: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    running.reset()
    monkeypatch.setenv("STORE_KEY", ACCESS_KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET_KEY)
    return running


@pytest.fixture
def collectors() -> Iterator[list[RdsCollector]]:
    made: list[RdsCollector] = []
    yield made
    for each in made:
        each.close()


def collector(collectors: list[RdsCollector], aws: AwsServer, **said: object) -> RdsCollector:
    given = {"target": "orders", "region": HOME, "endpoint": aws.url, "credentials": KEYS}
    made = rds_collector(Rds(**{**given, **said}), Schedule())  # type: ignore[arg-type]
    collectors.append(made)
    return made


def read(collector: RdsCollector) -> Series:
    """Values by name and the values of labels beside kind and target."""
    return series(list(collector.collect(time.monotonic() + 60.0)))


def series(metrics: list[object]) -> Series:
    found: Series = {}
    for metric in metrics:
        for sample in metric.samples:  # type: ignore[attr-defined]
            assert sample.labels["target"] == "orders"
            rest = tuple(value for label, value in sample.labels.items() if label not in ("kind", "target"))
            assert (sample.name, *rest) not in found
            found[sample.name, *rest] = sample.value
    return found


def instance(aws: AwsServer, *, region: str = HOME, encrypted: bool = True) -> None:
    aws.client("rds", region).create_db_instance(
        DBInstanceIdentifier="orders-db",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=50,
        MasterUsername="owner",
        MasterUserPassword="an example",
        BackupRetentionPeriod=7,
        StorageEncrypted=encrypted,
        **({"KmsKeyId": key(aws, region)} if encrypted else {}),
    )


def key(aws: AwsServer, region: str) -> str:
    return str(aws.client("kms", region).create_key()["KeyMetadata"]["KeyId"])


def snapshot(aws: AwsServer, name: str, taken: datetime, *, region: str = HOME, status: str = "available") -> None:
    aws.client("rds", region).create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier="orders-db")
    state = aws.databases(region).database_snapshots[name]
    state.created = state.original_snapshot_create_time = taken
    state.status = status


def says(monkeypatch: pytest.MonkeyPatch, of: object, name: str, time: datetime) -> None:
    """Sets a time that the server would make up."""
    monkeypatch.setattr(type(of), name, property(lambda _: time), raising=False)


def hours(count: float) -> datetime:
    return NOW - timedelta(hours=count)


def test_the_newest_usable_snapshot_counts(aws: AwsServer, collectors: list[RdsCollector]) -> None:
    instance(aws)
    aws.databases().database_snapshots.clear()  # the automated one that making an instance made
    snapshot(aws, "old", hours(30))
    snapshot(aws, "new", hours(6))
    snapshot(aws, "failed", hours(1), status="failed")
    snapshot(aws, "making", hours(0), status="creating")
    found = read(collector(collectors, aws, instance="orders-db"))
    assert found["backup_last_success_timestamp_seconds",] == hours(6).timestamp()
    assert found["backup_retained",] == 2.0
    assert found["backup_last_size_bytes",] == 50.0 * GIB
    assert found["backup_encrypted",] == 1.0
    assert found["backup_rds_snapshots", "failed"] == 1.0
    assert found["backup_rds_snapshots", "creating"] == 1.0
    assert found["backup_rds_snapshots", "available"] == 2.0
    assert found["backup_replica_lag_seconds", HOME] == 0.0
    assert found["backup_pitr_retention_seconds",] == 7 * 86400.0


def test_an_automated_snapshot_counts_as_one_by_hand_does(aws: AwsServer, collectors: list[RdsCollector]) -> None:
    instance(aws)
    (automated,) = aws.databases().database_snapshots.values()
    assert automated.snapshot_type == "automated"
    found = read(collector(collectors, aws, instance="orders-db"))
    assert found["backup_retained",] == 1.0


def test_storage_that_is_not_encrypted_is_told(aws: AwsServer, collectors: list[RdsCollector]) -> None:
    instance(aws, encrypted=False)
    assert read(collector(collectors, aws, instance="orders-db"))["backup_encrypted",] == 0.0


def test_a_database_without_a_snapshot_has_none(aws: AwsServer, collectors: list[RdsCollector]) -> None:
    instance(aws)
    aws.databases().database_snapshots.clear()
    found = read(collector(collectors, aws, instance="orders-db", copies=[FAR]))
    assert found["backup_last_success_timestamp_seconds",] == 0.0
    assert found["backup_retained",] == 0.0
    assert ("backup_encrypted",) not in found
    assert found["backup_replica_lag_seconds", FAR] == math.inf


def test_copies_in_another_region_lag_by_the_age_of_their_data(aws: AwsServer, collectors: list[RdsCollector]) -> None:
    instance(aws)
    aws.databases().database_snapshots.clear()
    snapshot(aws, "old", hours(30))
    snapshot(aws, "new", hours(6))
    source = f"arn:aws:rds:{HOME}:{ACCOUNT}:snapshot:old"
    # The tests' server finds the source of a copy only in the copy's own region: it is made there first.
    instance(aws, region=FAR)
    aws.databases(FAR).database_snapshots.clear()
    snapshot(aws, "old", hours(30), region=FAR)
    aws.client("rds", FAR).copy_db_snapshot(
        SourceDBSnapshotIdentifier=source.replace(HOME, FAR), TargetDBSnapshotIdentifier="copied"
    )
    del aws.databases(FAR).database_snapshots["old"]
    copied = aws.databases(FAR).database_snapshots["copied"]
    assert copied.created > hours(1).replace(tzinfo=None)  # made just now, of data that is older
    found = read(collector(collectors, aws, instance="orders-db", copies=[FAR]))
    assert found["backup_replica_lag_seconds", FAR] == 24 * 3600.0
    assert found["backup_last_success_timestamp_seconds",] == hours(6).timestamp()
    assert found["backup_retained",] == 2.0


def test_the_window_of_points_in_time_is_what_the_instance_says(
    aws: AwsServer, collectors: list[RdsCollector], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance(aws)
    says(monkeypatch, aws.databases().databases["orders-db"], "latest_restorable_time", NOW - timedelta(minutes=4))
    before = time.time()
    found = read(collector(collectors, aws, instance="orders-db"))
    newest = (NOW - timedelta(minutes=4)).timestamp()
    assert before - newest <= found["backup_pitr_gap_seconds",] <= time.time() - newest
    assert found["backup_pitr_newest_timestamp_seconds",] == (NOW - timedelta(minutes=4)).timestamp()


def test_an_instance_without_automated_backups_has_no_point_in_time(
    aws: AwsServer, collectors: list[RdsCollector]
) -> None:
    instance(aws)
    aws.databases().databases["orders-db"].backup_retention_period = 0
    found = read(collector(collectors, aws, instance="orders-db"))
    assert found["backup_pitr_gap_seconds",] == math.inf
    assert found["backup_pitr_oldest_timestamp_seconds",] == 0.0
    assert found["backup_pitr_retention_seconds",] == 0.0


def test_a_cluster_of_aurora_is_read_as_an_instance_is(
    aws: AwsServer, collectors: list[RdsCollector], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = aws.client("rds")
    client.create_db_cluster(
        DBClusterIdentifier="orders-cluster",
        Engine="aurora-postgresql",
        MasterUsername="owner",
        MasterUserPassword="an example",
        BackupRetentionPeriod=3,
        StorageEncrypted=True,
    )
    aws.databases().cluster_snapshots.clear()
    for name, taken in (("old", hours(30)), ("new", hours(6))):
        client.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier="orders-cluster")
        aws.databases().cluster_snapshots[name].created = taken
    state = aws.databases().clusters["orders-cluster"]
    says(monkeypatch, state, "earliest_restorable_time", hours(72))
    says(monkeypatch, state, "latest_restorable_time", hours(0.1))
    found = read(collector(collectors, aws, cluster="orders-cluster"))
    assert found["backup_last_success_timestamp_seconds",] == hours(6).timestamp()
    assert found["backup_retained",] == 2.0
    assert found["backup_encrypted",] == 1.0
    assert ("backup_last_size_bytes",) not in found  # RDS does not say
    assert found["backup_pitr_oldest_timestamp_seconds",] == hours(72).timestamp()
    assert found["backup_pitr_newest_timestamp_seconds",] == hours(0.1).timestamp()
    assert found["backup_pitr_retention_seconds",] == 3 * 86400.0


@pytest.mark.parametrize("said", [{"instance": "nowhere"}, {"cluster": "nowhere"}])
def test_a_database_that_is_not_there_is_an_error(
    aws: AwsServer, collectors: list[RdsCollector], said: dict[str, str]
) -> None:
    with pytest.raises(CollectError) as raised:
        read(collector(collectors, aws, **said))
    assert raised.value.kind == "query"
    assert raised.value.place == f"rds nowhere in {HOME} at {aws.url}"
    assert "there is no such" in raised.value.message


def test_collectors_of_the_same_entry_are_equal(aws: AwsServer, collectors: list[RdsCollector]) -> None:
    one, two = (collector(collectors, aws, instance="orders-db") for _ in range(2))
    assert one == two
    assert one.name == "rds_orders"
    assert one != collector(collectors, aws, instance="other")


def test_automated_backups_that_are_replicated_count_as_copies() -> None:
    """They are no snapshots in the other region, but a window; the tests' server does not know of them."""
    taken = Snapshot(name="rds:a", status="available", type="automated", taken=5000.0, gibibytes=5, encrypted=True)
    found = {
        HOME: Described(snapshots=[taken], retention_days=7, earliest=0.0, latest=9000.0),
        FAR: Described(snapshots=[], retention_days=0, earliest=1000.0, latest=4000.0),
    }
    rds = Rds(target="orders", region=HOME, instance="orders-db", copies=[FAR])
    lags = series(list(rds_metrics(rds, found, 10_000.0)))
    assert lags["backup_replica_lag_seconds", FAR] == 1000.0
    assert lags["backup_pitr_gap_seconds",] == 1000.0


def test_one_copy_that_is_not_encrypted_is_told() -> None:
    def one(encrypted: bool) -> Described:
        kept = Snapshot(name="a", status="available", type="manual", taken=5000.0, gibibytes=5, encrypted=encrypted)
        return Described(snapshots=[kept], retention_days=7, earliest=None, latest=None)

    rds = Rds(target="orders", region=HOME, instance="orders-db", copies=[FAR])
    assert series(list(rds_metrics(rds, {HOME: one(True), FAR: one(False)}, 1.0)))["backup_encrypted",] == 0.0


def test_a_region_that_does_not_know_the_database_takes_nothing_from_the_copies(
    aws: AwsServer, collectors: list[RdsCollector], caplog: pytest.LogCaptureFixture
) -> None:
    """As where it was deleted: what was copied away is what is left."""
    caplog.set_level("INFO")
    instance(aws, region=FAR)
    aws.databases(FAR).database_snapshots.clear()
    snapshot(aws, "copied", hours(6), region=FAR)
    made = collector(collectors, aws, instance="orders-db", copies=[FAR])
    found = read(made)
    assert found["backup_place_up", HOME] == 0.0
    assert found["backup_place_up", FAR] == 1.0
    assert found["backup_last_success_timestamp_seconds",] == hours(6).timestamp()
    assert found["backup_encrypted",] == 1.0
    assert found["backup_replica_lag_seconds", FAR] == 0.0
    # Only the region of the database knows these, and nobody may take a 0 for what it says.
    of_home = ("backup_retained", "backup_rds_snapshots", "backup_pitr_gap_seconds", "backup_pitr_retention_seconds")
    assert not [key for key in found if key[0] in of_home or key == ("backup_replica_lag_seconds", HOME)]
    read(made)
    assert [record.message for record in caplog.records if "can't be read" in record.message] == [
        "a region of RDS can't be read: there is no such instance (check its name and region)"
    ]
    instance(aws)
    assert read(made)["backup_place_up", HOME] == 1.0
    assert "a region of RDS can be read again" in caplog.text


@pytest.mark.parametrize("silent", [HOME, FAR])
def test_a_region_that_says_nothing_takes_no_more_than_its_share_of_the_time(
    aws: AwsServer, collectors: list[RdsCollector], silent: str
) -> None:
    instance(aws)
    instance(aws, region=FAR)
    other = FAR if silent == HOME else HOME
    with one_region_silent(aws.url, silent) as url:
        made = collector(collectors, aws, instance="orders-db", copies=[FAR], endpoint=url)
        found: Series = {}
        for seconds in (16.0, 200.0):  # a slow machine may take longer than half of the first to start who asks
            with suppress(CollectError):
                found = series(list(made.collect(time.monotonic() + seconds)))
            if found.get(("backup_place_up", other)):
                break
    assert (found["backup_place_up", silent], found["backup_place_up", other]) == (0.0, 1.0)
    assert found["backup_last_success_timestamp_seconds",] > hours(1).timestamp()


@contextmanager
def one_region_silent(url: str, region: str) -> Iterator[str]:
    """What passes requests on to a server, save those for a region: these are taken, and never answered."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if f"/{region}/rds/" in self.headers["Authorization"]:
                done.wait()
                return
            asked = urllib.request.Request(url, data=body, headers=dict(self.headers.items()), method="POST")
            with urllib.request.urlopen(asked, timeout=60) as answer:
                text = answer.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        done.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_hundreds_of_snapshots_come_over_pages_and_each_status_is_counted(
    aws: AwsServer, collectors: list[RdsCollector]
) -> None:
    """RDS answers with a hundred at once. One that is being made has no time yet, and is not the newest."""
    instance(aws)
    kept = aws.databases().database_snapshots
    kept.clear()
    statuses = ["available", "creating", "failed", "deleting", "copying"]
    for count in range(330):
        snapshot(aws, f"s{count:03}", hours(count + 1), status=statuses[count % len(statuses)])
    kept["s000"].status, kept["s001"].status = "creating", "creating"
    for name in ("s000", "s001"):
        kept[name].created = kept[name].original_snapshot_create_time = None
        kept[name].snapshot_type = "automated"
    found = read(collector(collectors, aws, instance="orders-db"))
    counts = {key[1]: value for key, value in found.items() if key[0] == "backup_rds_snapshots"}
    assert counts == {"available": 65, "creating": 67, "failed": 66, "deleting": 66, "copying": 66}
    assert found["backup_retained",] == 65
    assert found["backup_last_success_timestamp_seconds",] == hours(6).timestamp()
