"""Asking RDS, in the process that has boto3: a database, its snapshots, its window of points in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from sla_kit.exporters.backup.aws_child import Clients

#: Without a type, RDS answers with automated snapshots and those by hand; AWS Backup's are asked for apart.
_KINDS: tuple[dict[str, str], ...] = ({}, {"SnapshotType": "awsbackup"})


def describe(clients: Clients, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One part: what the ``region`` knows of an ``instance`` or a ``cluster``, in the words of `rds.Described`.

    ``home`` is true of the region that the database runs in: elsewhere there are only copies.
    """
    client = clients.client("rds", given["region"])
    if given["cluster"]:
        yield _cluster(client, given["cluster"], given["home"])
    else:
        yield _instance(client, given["instance"], given["home"])


def _instance(client: Any, name: str, home: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"retention_days": 0, "earliest": None, "latest": None}
    snapshots: dict[str, dict[str, Any]] = {}
    for each in _pages(client, "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups", name):
        # One of a deleted instance that had the same name is kept as "retained".
        if each.get("Status") != "retained":
            window = each.get("RestoreWindow", {})
            found["earliest"] = _seconds(window.get("EarliestTime"))
            found["latest"] = _seconds(window.get("LatestTime"))
    if home:
        instance = client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        found["retention_days"] = instance.get("BackupRetentionPeriod", 0)
        # The instance knows of the log's last upload sooner than the list of automated backups does.
        found["latest"] = _seconds(instance.get("LatestRestorableTime")) or found["latest"]
    for kind in _KINDS:
        for each in _pages(client, "describe_db_snapshots", "DBSnapshots", name, **kind):
            name_of = each["DBSnapshotIdentifier"]
            snapshots[name_of] = _snapshot(each, name_of, each.get("Encrypted", False))
    return {**found, "snapshots": list(snapshots.values())}


def _cluster(client: Any, name: str, home: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"retention_days": 0, "earliest": None, "latest": None}
    snapshots: dict[str, dict[str, Any]] = {}
    if home:
        cluster = client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
        found["retention_days"] = cluster.get("BackupRetentionPeriod", 0)
        found["earliest"] = _seconds(cluster.get("EarliestRestorableTime"))
        found["latest"] = _seconds(cluster.get("LatestRestorableTime"))
    for kind in _KINDS:
        pages = client.get_paginator("describe_db_cluster_snapshots").paginate(DBClusterIdentifier=name, **kind)
        for page in pages:
            for each in page["DBClusterSnapshots"]:
                name_of = each["DBClusterSnapshotIdentifier"]
                snapshots[name_of] = _snapshot(each, name_of, each.get("StorageEncrypted", False))
    return {**found, "snapshots": list(snapshots.values())}


def _snapshot(each: dict[str, Any], name: str, encrypted: bool) -> dict[str, Any]:
    """A copy keeps the time of the snapshot that it was made of: its data is no newer for having been copied."""
    return {
        "name": name,
        "status": each.get("Status", ""),
        "type": each.get("SnapshotType", ""),
        "taken": _seconds(each.get("OriginalSnapshotCreateTime") or each.get("SnapshotCreateTime")),
        "gibibytes": each.get("AllocatedStorage", 0),
        "encrypted": bool(encrypted),
    }


def _pages(client: Any, operation: str, key: str, name: str, **more: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(DBInstanceIdentifier=name, **more):
        yield from page.get(key, [])


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
