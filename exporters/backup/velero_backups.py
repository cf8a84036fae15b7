"""Velero's backups as its storage holds them: `backups/NAME/velero-backup.json` beside `backups/NAME/NAME.tar.gz`.

The document is an object of Velero's API, velero.io/v1 Backup (pkg/apis/velero/v1/backup_types.go), written when the
backup has ended and again when what it waited for has. The layout is pkg/persistence/object_store_layout.go's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import msgspec

SCHEDULE_LABEL = "velero.io/schedule-name"
FOLDER, DOCUMENT = "backups/", "velero-backup.json"
#: The phases that Velero knows, in the order of a backup's life.
PHASES = (
    "New",
    "Queued",
    "ReadyToStart",
    "FailedValidation",
    "InProgress",
    "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed",
    "Finalizing",
    "FinalizingPartiallyFailed",
    "Completed",
    "PartiallyFailed",
    "Failed",
    "Deleting",
)
#: Ours: there is no document that can be read, or no content beside it.
BROKEN = "Broken"


#: A number that a metric holds as it is, and a time that is one wherever it is read.
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Metadata(msgspec.Struct, frozen=True):
    labels: dict[str, str] | None = None


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = ""
    errors: _Count = 0
    warnings: _Count = 0
    expiration: _Time | None = None
    start_timestamp: _Time | None = None
    completion_timestamp: _Time | None = None


class _Document(msgspec.Struct, frozen=True):
    kind: str
    metadata: _Metadata = _Metadata()
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class VeleroBackup:
    """One backup; times are Unix times. ``schedule`` is empty of one made by hand. ``size_bytes`` is that of its
    content, without the volumes, which are kept elsewhere."""

    name: str
    schedule: str
    phase: str
    errors: int
    warnings: int
    started: float | None
    completed: float | None
    expires: float | None
    size_bytes: int

    @property
    def usable(self) -> bool:
        """Whether all of it could be restored: it came to its end without an error."""
        return self.phase == "Completed"


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What there is of one schedule: its ``newest`` backup however it ended, and the newest good one."""

    newest: VeleroBackup
    newest_usable: VeleroBackup | None
    usable: int
    phases: dict[str, int]


def parse_backup(name: str, document: bytes) -> VeleroBackup:
    """The backup that a document tells of, without its content; what can't be read is broken."""
    try:
        found = msgspec.json.decode(document, type=_Document, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return broken(name)
    if found.kind != "Backup":
        return broken(name)
    status = found.status
    return VeleroBackup(
        name,
        (found.metadata.labels or {}).get(SCHEDULE_LABEL, ""),
        status.phase or PHASES[0],
        status.errors,
        status.warnings,
        _seconds(status.start_timestamp),
        _seconds(status.completion_timestamp),
        _seconds(status.expiration),
        0,
    )


def with_content(backup: VeleroBackup, size_bytes: int) -> VeleroBackup:
    """A backup with the size of its content; one that says that it is complete and has none is broken."""
    phase = BROKEN if backup.usable and not size_bytes else backup.phase
    return replace(backup, phase=phase, size_bytes=size_bytes)


def broken(name: str) -> VeleroBackup:
    """A backup of which nothing can be said."""
    return VeleroBackup(name, "", BROKEN, 0, 0, None, None, None, 0)


def by_schedule(backups: Iterable[VeleroBackup], now: float) -> dict[str, ScheduleState]:
    """The state of each schedule, of backups by hand under the empty name.

    One that claims to have ended after ``now`` does not count as good: some clock is wrong.
    """
    grouped: dict[str, list[VeleroBackup]] = {}
    for each in backups:
        grouped.setdefault(each.schedule, []).append(each)
    states = {}
    for schedule, group in grouped.items():
        phases: dict[str, int] = {}
        for each in group:
            phases[each.phase] = phases.get(each.phase, 0) + 1
        usable = [each for each in group if each.usable and (each.completed or each.started or 0.0) <= now]
        states[schedule] = ScheduleState(
            max(group, key=_order), max(usable, key=_order, default=None), len(usable), phases
        )
    return states


def _order(backup: VeleroBackup) -> tuple[float, str]:
    return backup.started or backup.completed or 0.0, backup.name


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
