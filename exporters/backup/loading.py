"""From a configuration to the collectors of what it names."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from sla_kit.errors import MissingExtraError
from sla_kit.exporters.backup.configuration import BackupConfiguration, Folder, Place
from sla_kit.exporters.backup.dumps import DumpsCollector, DumpsPlace
from sla_kit.exporters.backup.remembering import Memory
from sla_kit.exporters.backup.rules import region_of, rules
from sla_kit.exporters.backup.store import BackupStore, FolderStore
from sla_kit.exporters.drill.configuration import beside
from sla_kit.exporters.drill.publishing import DrillResults
from sla_kit.exporters.drill.schedule import DrillService
from sla_kit.exporters.sidecar.collector import Collector
from sla_kit.exporters.sidecar.configuration import read_configuration
from sla_kit.exporters.sidecar.exporter import Loaded


def load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    """Reads a configuration and makes its collectors; no place is asked. Raises `ConfigurationError`, and
    `MissingExtraError` for buckets and RDS without boto3."""
    configuration = read_configuration(path, BackupConfiguration, rules)
    folder = path.parent
    memory = _memory(folder / configuration.state if configuration.state else None, before)
    services = []
    if configuration.drill is not None and configuration.drill.schedule is not None:
        services.append(DrillService(path.absolute(), configuration.drill))
    return Loaded(configuration, list(_collectors(configuration, folder, memory)), services=services)


def open_store(place: Place, folder: Path) -> BackupStore:
    """The store of a place; a relative path is relative to ``folder``. Nobody is asked. Raises `MissingExtraError`."""
    if isinstance(place, Folder):
        return FolderStore((folder / place.path).absolute())
    _needs_boto3("a bucket")
    from sla_kit.exporters.backup.s3 import bucket_store  # only where there is a bucket

    return bucket_store(place)


def _collectors(configuration: BackupConfiguration, folder: Path, memory: Memory) -> Iterator[Collector]:
    root = str(folder.absolute())
    for dumps in configuration.dumps:
        for target in dumps.targets:
            places = [
                DumpsPlace(region_of(each), open_store(each, folder), atomic=not isinstance(each, Folder))
                for each in dumps.places
            ]
            own = msgspec.structs.replace(dumps, targets=[target])
            schedule = configuration.schedule(dumps.interval, dumps.timeout)
            yield DumpsCollector(f"{dumps.kind}_{target}", schedule, target, own, root, tuple(places), memory)
    for rds in configuration.rds:
        from sla_kit.exporters.backup.rds import rds_collector

        _needs_boto3("RDS")
        yield rds_collector(rds, configuration.schedule(rds.interval, rds.timeout))
    for wal in configuration.wal:
        from sla_kit.exporters.backup.wal import wal_collector

        archive = open_store(wal.archive, folder) if wal.archive else None
        yield wal_collector(wal, configuration.schedule(wal.interval, wal.timeout), archive)
    for velero in configuration.velero:
        from sla_kit.exporters.backup.velero import velero_collector

        schedule = configuration.schedule(velero.interval, velero.timeout)
        yield velero_collector(velero, schedule, open_store(velero.place, folder))
    if configuration.drill is not None:
        yield DrillResults(
            beside(folder, configuration.drill.results), configuration.drill, configuration.schedule(30.0)
        )


def _needs_boto3(feature: str) -> None:
    """Only looks whether it is there: a process of its own loads it, so that its absence would show late."""
    if find_spec("boto3") is None:
        raise MissingExtraError(f"asking {feature}", "boto3", "backup")


def _memory(path: Path | None, before: Loaded | None) -> Memory:
    """What is remembered; that of the state before, where it is kept in the same file: two would write over each
    other."""
    for each in before.collectors if before else ():
        if isinstance(each, DumpsCollector) and each.memory.path == path:
            return each.memory
    return Memory(path)
