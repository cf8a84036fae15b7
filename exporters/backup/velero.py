"""Backups of clusters, from where Velero keeps them: no cluster is asked, which may be the one that is lost."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from sla_kit.exporters.backup.configuration import Bucket, Velero
from sla_kit.exporters.backup.judging import CLOCK_SECONDS
from sla_kit.exporters.backup.published import Published
from sla_kit.exporters.backup.store import BackupStore, StoredObject
from sla_kit.exporters.backup.velero_backups import (
    BROKEN,
    DOCUMENT,
    FOLDER,
    PHASES,
    ScheduleState,
    VeleroBackup,
    broken,
    by_schedule,
    parse_backup,
    with_content,
)
from sla_kit.exporters.sidecar.collector import CollectError, Schedule

#: Documents are some kilobytes; more than this is none.
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class VeleroCollector:
    """Reads one storage location of Velero. A document that was read is read again only when it has changed."""

    name: str
    schedule: Schedule
    velero: Velero
    store: BackupStore = field(compare=False, repr=False)
    _read: dict[str, tuple[str, VeleroBackup]] = field(default_factory=dict, compare=False, repr=False)

    def collect(self, deadline: float) -> Iterable[Metric]:
        """The state of each schedule's backups. Raises `CollectError`."""
        documents: dict[str, StoredObject] = {}
        contents: dict[str, StoredObject] = {}
        names: set[str] = set()
        for each in self.store.list(FOLDER, deadline, depth=2):
            name, _, file = each.name.removeprefix(FOLDER).partition("/")
            if not file:
                continue
            names.add(name)
            if file == DOCUMENT:
                documents[name] = each
            elif file == f"{name}.tar.gz":
                contents[name] = each
        sizes = {name: each.size_bytes for name, each in contents.items()}
        backups = [
            with_content(self._backup(name, documents.get(name), deadline), sizes.get(name, 0))
            for name in sorted(names)
        ]
        for name in self._read.keys() - documents.keys():
            del self._read[name]
        return self._published(by_schedule(backups, time.time() + CLOCK_SECONDS), contents, deadline)

    def close(self) -> None:
        """Lets go of the store."""
        self.store.close()

    def _backup(self, name: str, document: StoredObject | None, deadline: float) -> VeleroBackup:
        if document is None or document.size_bytes > _MOST_BYTES:
            return broken(name)
        etag = f"{document.etag} {document.size_bytes} {document.modified}"
        before = self._read.get(name)
        if before is not None and before[0] == etag:
            return before[1]
        try:
            data = self.store.read(document, 0, _MOST_BYTES, deadline)
        except CollectError as error:
            if error.kind != "data":
                raise
            return broken(name)  # deleted or replaced since it was listed: the next run sees it
        backup = parse_backup(name, data)
        self._read[name] = (etag, backup)
        return backup

    def _published(
        self, states: dict[str, ScheduleState], contents: dict[str, StoredObject], deadline: float
    ) -> list[Metric]:
        out = Published()
        velero = self.velero
        for schedule, each in sorted(states.items()):
            # What is broken does not say of which schedule it is.
            if velero.schedule and schedule not in ("", velero.schedule):
                continue
            _put_schedule(out, velero.target, schedule, each)
        for target, state in self._counted(states):
            labels = {"kind": velero.kind, "target": target}
            usable = state.newest_usable if state else None
            last = (usable.completed or usable.started or 0.0) if usable else 0.0
            out.put("backup_last_success_timestamp_seconds", labels, last)
            out.put("backup_retained", labels, state.usable if state else 0)
            if usable is not None:
                out.put("backup_last_size_bytes", labels, usable.size_bytes)
                # A file system does not say whether it encrypts; a bucket does, of each object.
                if isinstance(velero.place, Bucket):
                    facts = self.store.facts(contents[usable.name], deadline)
                    out.put("backup_encrypted", labels, float(bool(facts.encryption)))
        return out.metrics()

    def _counted(self, states: dict[str, ScheduleState]) -> list[tuple[str, ScheduleState | None]]:
        """The targets, and the state that counts for each; one that has no backup is a target all the same."""
        velero = self.velero
        if velero.schedule:
            return [(velero.target, states.get(velero.schedule))]
        found: list[tuple[str, ScheduleState | None]] = [
            (f"{velero.target}/{schedule}", state) for schedule, state in sorted(states.items()) if schedule
        ]
        if velero.by_hand or not found:
            found.append((velero.target, states.get("") if velero.by_hand else None))
        return found


def velero_collector(velero: Velero, schedule: Schedule, store: BackupStore) -> VeleroCollector:
    """The collector of one entry of the configuration, with the store of its place; nobody is asked."""
    return VeleroCollector(f"velero_{velero.target}", schedule, velero, store)


def _put_schedule(out: Published, target: str, schedule: str, state: ScheduleState) -> None:
    """What Velero says of a schedule's backups."""
    labels = {"target": target, "schedule": schedule}
    newest = state.newest
    for phase in dict.fromkeys([*PHASES, BROKEN, newest.phase]):
        out.put("backup_velero_phase", {**labels, "phase": phase}, float(phase == newest.phase))
    for phase in dict.fromkeys(["Completed", "PartiallyFailed", "Failed", BROKEN, *state.phases]):
        out.put("backup_velero_backups", {**labels, "phase": phase}, state.phases.get(phase, 0))
    out.put("backup_velero_errors", labels, newest.errors)
    out.put("backup_velero_warnings", labels, newest.warnings)
    if newest.started is not None:
        out.put("backup_velero_start_timestamp_seconds", labels, newest.started)
    if newest.completed is not None:
        out.put("backup_velero_completion_timestamp_seconds", labels, newest.completed)
    if state.newest_usable is not None and state.newest_usable.expires is not None:
        out.put("backup_velero_expiry_timestamp_seconds", labels, state.newest_usable.expires)
