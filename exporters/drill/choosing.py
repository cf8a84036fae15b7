"""Which backup of a target is restored: the newest that is finished, or the newest at or before a point in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sla_kit.exporters.backup.configuration import Dumps
from sla_kit.exporters.backup.naming import Pattern, zone_of
from sla_kit.exporters.backup.reading import declare, look_into
from sla_kit.exporters.backup.store import BackupStore, StoredObject
from sla_kit.exporters.backup.surveying import Candidate, parts_of, survey
from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.sidecar.collector import CollectError

#: How far ahead of ours the clock of whoever makes backups may be.
_CLOCK_SECONDS = 300.0
#: No longer file beside a backup is read.
_LONGEST_BESIDE = 64 << 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """A backup to restore: where it lies, its files, when it was made (epoch seconds), and the digests that its files
    should have, as ``algorithm:digits`` by name."""

    store: BackupStore = field(repr=False)
    name: str
    taken_at: float
    size_bytes: int
    parts: Sequence[StoredObject]
    folder: bool
    declared: dict[str, str]

    def beside(self, suffix: str, deadline: float) -> bytes | None:
        """The content of the file whose name is the backup's with a suffix; None where there is none. Raises
        `CollectError`."""
        wanted = self.name.rstrip("/") + suffix
        found = next(
            (each for each in self.store.list(wanted, deadline) if each.name == wanted and not each.link), None
        )
        if found is None:
            return None
        if found.size_bytes > _LONGEST_BESIDE:
            raise CollectError("data", f"{wanted} is too long to hold counts", place=self.store.place)
        return self.store.read(found, 0, found.size_bytes, deadline)


def choose(
    dumps: Dumps, target: str, stores: Sequence[BackupStore], deadline: float, *, at: float | None = None
) -> Chosen:
    """The newest finished backup in any of the stores, or the newest made at or before ``at``. One that is damaged is
    chosen all the same: that it can't be restored is what a drill is to find.

    Raises `DrillError` where there is none, or where a place can't be read and no other has one.
    """
    now = time.time()
    limit = now + _CLOCK_SECONDS if at is None else at
    pattern = Pattern(dumps.pattern, target, zone_of(dumps.timezone))
    best: Chosen | None = None
    failures: list[CollectError] = []
    for store in stores:
        try:
            found = _newest(dumps, store, pattern, limit, now, deadline)
        except CollectError as error:
            failures.append(error)
            continue
        if found is not None and (best is None or found.taken_at > best.taken_at):
            best = found
    if best is not None:
        return best
    if failures:
        raise DrillError(failures[0].message, place=failures[0].place, remedy=failures[0].remedy)
    when = "" if at is None else f" at or before {datetime.fromtimestamp(at, UTC).isoformat().replace('+00:00', 'Z')}"
    places = ", ".join(store.place for store in stores)
    remedy = "does its `pattern` fit, and did the job that makes backups run?"
    raise DrillError(f"there is no finished backup of {target}{when}", place=places, remedy=remedy)


def _newest(
    dumps: Dumps, store: BackupStore, pattern: Pattern, limit: float, now: float, deadline: float
) -> Chosen | None:
    found = survey(store, pattern, dumps.examined, deadline, complete=dumps.complete)
    for candidate in found.candidates:
        if candidate.time > limit or not _finished(dumps, candidate, now):
            continue
        read = look_into(store, candidate, deadline)
        # What a pattern names is a backup whatever is in it; without one, what looks like a backup is.
        if not dumps.pattern and not dumps.accept_unknown and not read.contents.recognized:
            continue
        declared = declare(store, candidate, read, found, deadline).declared
        return Chosen(
            store,
            candidate.name,
            candidate.time,
            candidate.size_bytes,
            tuple(parts_of(store, candidate, deadline)),
            candidate.folder,
            dict(declared),
        )
    return None


def _finished(dumps: Dumps, candidate: Candidate, now: float) -> bool:
    if candidate.writing:
        return False
    if candidate.folder and dumps.complete:
        return candidate.done
    return now - candidate.modified >= dumps.settle


def without_marks(chosen: Chosen, complete: str) -> Chosen:
    """The same without the file that only says that a folder is complete."""
    parts = tuple(part for part in chosen.parts if part.name != chosen.name + complete)
    return replace(chosen, parts=parts) if complete else chosen
