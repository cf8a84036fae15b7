"""Velero's backups in a folder and in a bucket, laid out as Velero does (pkg/persistence/object_store_layout.go)."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.backup.configuration import Bucket, Credentials, Folder, Velero
from sla_kit.exporters.backup.s3 import bucket_store
from sla_kit.exporters.backup.store import FolderStore
from sla_kit.exporters.backup.velero import VeleroCollector, velero_collector
from sla_kit.exporters.backup.velero_backups import PHASES, VeleroBackup, by_schedule, parse_backup
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, aws_server

Series = dict[tuple[str, ...], float]


def document(
    name: str,
    *,
    schedule: str | None = "daily",
    phase: str = "Completed",
    started: str = "2024-11-20T01:00:05Z",
    completed: str | None = "2024-11-20T01:12:41Z",
    **status: Any,
) -> dict[str, Any]:
    """A document as Velero 1.18 writes it of a backup that a schedule made (or, with none, somebody by hand)."""
    labels = {"velero.io/storage-location": "default"}
    if schedule is not None:
        labels["velero.io/schedule-name"] = schedule
    return {
        "kind": "Backup",
        "apiVersion": "velero.io/v1",
        "metadata": {
            "name": name,
            "namespace": "velero",
            "uid": "3f6a2c5e-8f19-4a0d-9d0e-5a3f8a4f9d11",
            "resourceVersion": "1043",
            "generation": 7,
            "creationTimestamp": started,
            "labels": labels,
            "annotations": {"velero.io/source-cluster-k8s-gitversion": "v1.33.1"},
        },
        "spec": {
            "metadata": {},
            "includedNamespaces": ["*"],
            "excludedResources": None,
            "ttl": "720h0m0s",
            "hooks": {},
            "storageLocation": "default",
            "defaultVolumesToFsBackup": False,
            "csiSnapshotTimeout": "10m0s",
        },
        "status": {
            "version": 1,
            "formatVersion": "1.1.0",
            "expiration": "2024-12-20T01:00:05Z",
            "phase": phase,
            "startTimestamp": started,
            "completionTimestamp": completed,
            "progress": {"totalItems": 812, "itemsBackedUp": 812},
            "hookStatus": {},
            **status,
        },
    }


def put(folder: Path, name: str, *, content: int | None = 1000, **said: Any) -> Path:
    """Writes a backup into a folder, with a content of so many bytes."""
    place = folder / "backups" / name
    place.mkdir(parents=True)
    (place / "velero-backup.json").write_text(json.dumps(document(name, **said)))
    for other in ("logs.gz", "resource-list.json.gz", "volumeinfo.json.gz"):
        (place / f"{name}-{other}").write_bytes(b"x")
    if content is not None:
        (place / f"{name}.tar.gz").write_bytes(bytes(content))
    return place


def collector(folder: Path, **said: Any) -> VeleroCollector:
    velero = Velero(target="blue", place=Folder(path=str(folder)), **said)
    return velero_collector(velero, Schedule(), FolderStore(folder))


def read(collector: VeleroCollector) -> Series:
    """Values by name and the values of labels; of metrics of all kinds of backups without the kind."""
    found: Series = {}
    for metric in collector.collect(time.monotonic() + 60.0):
        for sample in metric.samples:
            key = (sample.name, *(value for label, value in sample.labels.items() if label != "kind"))
            assert key not in found
            found[key] = sample.value
            assert sample.labels.get("kind", "cluster") == "cluster"
            assert not sample.name.startswith("velero_")  # those names are Velero's own
    return found


def at(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


def test_the_newest_completed_backup_of_each_schedule_counts(tmp_path: Path) -> None:
    put(tmp_path, "daily-1", completed="2024-11-19T01:12:00Z", started="2024-11-19T01:00:00Z")
    put(tmp_path, "daily-2", content=2000)
    put(tmp_path, "daily-3", phase="PartiallyFailed", started="2024-11-21T01:00:00Z", errors=3, warnings=7)
    put(tmp_path, "hourly-1", schedule="hourly", started="2024-11-21T05:00:00Z", completed="2024-11-21T05:03:00Z")
    put(tmp_path, "by-hand", schedule=None, started="2024-11-22T05:00:00Z", completed="2024-11-22T05:03:00Z")
    found = read(collector(tmp_path))
    assert found["backup_last_success_timestamp_seconds", "blue/daily"] == at("2024-11-20T01:12:41Z")
    assert found["backup_last_size_bytes", "blue/daily"] == 2000.0
    assert found["backup_retained", "blue/daily"] == 2.0
    assert found["backup_last_success_timestamp_seconds", "blue/hourly"] == at("2024-11-21T05:03:00Z")
    assert ("backup_last_success_timestamp_seconds", "blue") not in found
    assert ("backup_encrypted", "blue/daily") not in found  # a folder does not say

    assert found["backup_velero_phase", "blue", "daily", "PartiallyFailed"] == 1.0
    assert found["backup_velero_phase", "blue", "daily", "Completed"] == 0.0
    assert found["backup_velero_errors", "blue", "daily"] == 3.0
    assert found["backup_velero_warnings", "blue", "daily"] == 7.0
    assert found["backup_velero_errors", "blue", "hourly"] == 0.0
    assert found["backup_velero_start_timestamp_seconds", "blue", "daily"] == at("2024-11-21T01:00:00Z")
    assert found["backup_velero_expiry_timestamp_seconds", "blue", "daily"] == at("2024-12-20T01:00:05Z")
    assert found["backup_velero_backups", "blue", "daily", "Completed"] == 2.0
    assert found["backup_velero_backups", "blue", "daily", "PartiallyFailed"] == 1.0
    assert found["backup_velero_backups", "blue", "daily", "Failed"] == 0.0
    assert found["backup_velero_phase", "blue", "", "Completed"] == 1.0


def test_one_schedule_can_be_the_target_itself(tmp_path: Path) -> None:
    put(tmp_path, "daily-1")
    put(tmp_path, "hourly-1", schedule="hourly", completed="2024-11-21T05:03:00Z")
    found = read(collector(tmp_path, schedule="daily"))
    assert found["backup_last_success_timestamp_seconds", "blue"] == at("2024-11-20T01:12:41Z")
    assert [key for key in found if key[0] == "backup_retained"] == [("backup_retained", "blue")]
    assert {key[2] for key in found if key[0].startswith("backup_velero_")} == {"daily"}


def test_a_schedule_that_never_made_a_backup_is_told(tmp_path: Path) -> None:
    put(tmp_path, "hourly-1", schedule="hourly")
    found = read(collector(tmp_path, schedule="daily"))
    assert found["backup_last_success_timestamp_seconds", "blue"] == 0.0
    assert found["backup_retained", "blue"] == 0.0


def test_an_empty_place_has_no_backup_and_one_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert read(collector(tmp_path)) == {
        ("backup_last_success_timestamp_seconds", "blue"): 0.0,
        ("backup_retained", "blue"): 0.0,
    }
    with pytest.raises(CollectError) as raised:
        read(collector(tmp_path / "nowhere"))
    assert raised.value.kind == "connect"


def test_backups_by_hand_count_where_that_is_said(tmp_path: Path) -> None:
    put(tmp_path, "by-hand", schedule=None)
    assert read(collector(tmp_path))["backup_last_success_timestamp_seconds", "blue"] == 0.0
    found = read(collector(tmp_path, by_hand=True))
    assert found["backup_last_success_timestamp_seconds", "blue"] == at("2024-11-20T01:12:41Z")


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase != "Completed"])
def test_a_backup_in_any_other_phase_is_no_success(tmp_path: Path, phase: str) -> None:
    put(tmp_path, "daily-1", phase=phase, completed=None)
    found = read(collector(tmp_path, schedule="daily"))
    assert found["backup_last_success_timestamp_seconds", "blue"] == 0.0
    assert found["backup_velero_phase", "blue", "daily", phase] == 1.0
    assert ("backup_velero_completion_timestamp_seconds", "blue", "daily") not in found


def test_a_phase_that_only_a_later_velero_knows_is_told_and_no_success(tmp_path: Path) -> None:
    put(tmp_path, "daily-1", phase="Pondering")
    found = read(collector(tmp_path, schedule="daily"))
    assert found["backup_velero_phase", "blue", "daily", "Pondering"] == 1.0
    assert found["backup_retained", "blue"] == 0.0


@pytest.mark.parametrize("content", [None, 0])
def test_a_complete_backup_without_content_is_broken(tmp_path: Path, content: int | None) -> None:
    put(tmp_path, "daily-1", content=content)
    found = read(collector(tmp_path, schedule="daily"))
    assert found["backup_velero_phase", "blue", "daily", "Broken"] == 1.0
    assert found["backup_last_success_timestamp_seconds", "blue"] == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"kind": "Restore"}',
        '{"kind": "Backup", "status": 7}',
        '{"kind": "Backup", "status": {"errors": 1%s}}' % ("0" * 400),
        '{"kind": "Backup", "status": {"errors": -1}}',
        '{"kind": "Backup", "status": {"completionTimestamp": "0001-01-01T00:00:00"}}',
        '{"kind": "Backup", "spec": ' + "[" * 100_000,
    ],
)
def test_a_document_that_is_none_takes_nothing_from_the_others(tmp_path: Path, text: str) -> None:
    put(tmp_path, "daily-1")
    (put(tmp_path, "daily-2") / "velero-backup.json").write_text(text)
    found = read(collector(tmp_path, schedule="daily"))
    assert found["backup_retained", "blue"] == 1.0
    assert found["backup_velero_backups", "blue", "", "Broken"] == 1.0


def test_a_packed_document_is_none(tmp_path: Path) -> None:
    path = put(tmp_path, "daily-1") / "velero-backup.json"
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert read(collector(tmp_path))["backup_velero_backups", "blue", "", "Broken"] == 1.0


def test_a_backup_that_ended_in_the_future_is_no_success(tmp_path: Path) -> None:
    put(tmp_path, "daily-1")
    put(tmp_path, "daily-2", started="2999-11-20T01:00:05Z", completed="2999-11-20T01:02:05Z")
    found = read(collector(tmp_path))
    assert found["backup_last_success_timestamp_seconds", "blue/daily"] < time.time()
    assert found["backup_retained", "blue/daily"] == 1.0


def test_a_folder_whose_document_is_gone_is_broken(tmp_path: Path) -> None:
    (put(tmp_path, "daily-1") / "velero-backup.json").unlink()
    assert read(collector(tmp_path))["backup_velero_backups", "blue", "", "Broken"] == 1.0


def test_a_document_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    place = put(tmp_path, "daily-1", phase="WaitingForPluginOperations")
    watching = collector(tmp_path, schedule="daily")
    assert read(watching)["backup_retained", "blue"] == 0.0
    (place / "new").write_text(json.dumps(document("daily-1", phase="Completed")))
    (place / "new").rename(place / "velero-backup.json")
    assert read(watching)["backup_retained", "blue"] == 1.0
    for each in place.iterdir():
        each.unlink()
    place.rmdir()
    assert read(watching)["backup_retained", "blue"] == 0.0
    assert watching._read == {}


def test_other_things_in_velero_s_storage_are_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "daily-1")
    for other in ("restores/again/restore-again-logs.gz", "kopia/ns/kopia.repository", "backups/stray"):
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_bytes(b"x")
    assert {key[2] for key in read(collector(tmp_path)) if key[0] == "backup_velero_errors"} == {"daily"}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setenv("STORE_KEY", ACCESS_KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET_KEY)
    return Credentials(access_key=Secret(env="STORE_KEY"), secret_key=Secret(env="STORE_SECRET"))


@pytest.fixture
def bucket(keys: Credentials) -> Iterator[tuple[Bucket, Any]]:
    with aws_server() as server:
        server.reset()
        client = server.bucket("velero")
        yield (
            Bucket(
                bucket="velero",
                prefix="blue",
                region="eu-central-1",
                endpoint=server.url,
                credentials=keys,
                path_style=True,
            ),
            client,
        )


@pytest.mark.xdist_group("aws")
@pytest.mark.parametrize(("encryption", "expected"), [({"ServerSideEncryption": "AES256"}, 1.0), ({}, 0.0)])
def test_a_bucket_is_read_as_a_folder_is_and_says_whether_it_encrypts(
    bucket: tuple[Bucket, Any], encryption: dict[str, str], expected: float
) -> None:
    place, client = bucket
    for number in (1, 2):
        name = f"daily-{number}"
        started = f"2024-11-2{number}T01:00:05Z"
        text = json.dumps(document(name, started=started, completed=None)).encode()
        client.put_object(Bucket="velero", Key=f"blue/backups/{name}/velero-backup.json", Body=text)
        client.put_object(Bucket="velero", Key=f"blue/backups/{name}/{name}.tar.gz", Body=os.urandom(50), **encryption)
    watching = velero_collector(Velero(target="blue", place=place), Schedule(), bucket_store(place))
    try:
        found = read(watching)
    finally:
        watching.close()
    assert found["backup_last_success_timestamp_seconds", "blue/daily"] == at("2024-11-22T01:00:05Z")
    assert found["backup_last_size_bytes", "blue/daily"] == 50.0
    assert found["backup_retained", "blue/daily"] == 2.0
    assert found["backup_encrypted", "blue/daily"] == expected


def test_collectors_of_the_same_entry_are_equal(tmp_path: Path) -> None:
    assert collector(tmp_path) == collector(tmp_path)
    assert collector(tmp_path) != collector(tmp_path, schedule="daily")
    assert collector(tmp_path).name == "velero_blue"


backups = st.builds(
    VeleroBackup,
    name=st.text("ab", max_size=2),
    schedule=st.sampled_from(["", "daily", "hourly"]),
    phase=st.sampled_from(["Completed", "Failed", "InProgress"]),
    errors=st.just(0),
    warnings=st.just(0),
    started=st.one_of(st.none(), st.floats(1.0, 9.0)),
    completed=st.none(),
    expires=st.none(),
    size_bytes=st.just(1),
)


@settings(deadline=None)
@given(st.lists(backups, max_size=12))
def test_every_backup_is_counted_once_and_the_newest_is_the_newest(found: list[VeleroBackup]) -> None:
    states = by_schedule(found, 10.0)
    assert sum(sum(state.phases.values()) for state in states.values()) == len(found)
    for schedule, state in states.items():
        own = [each for each in found if each.schedule == schedule]
        assert (state.newest.started or 0.0) == max(each.started or 0.0 for each in own)
        usable = [each for each in own if each.phase == "Completed"]
        assert state.usable == len(usable)
        if usable:
            assert state.newest_usable is not None
            assert (state.newest_usable.started or 0.0) == max(each.started or 0.0 for each in usable)
        else:
            assert state.newest_usable is None


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_document_is_too_odd(data: bytes) -> None:
    assert parse_backup("x", data).phase == "Broken"
