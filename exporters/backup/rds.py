"""Snapshots of RDS and Aurora, their copies in other regions, and the window of restorable points in time."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from prometheus_client.metrics_core import Metric

from sla_kit.exporters.backup.aws import Aws, Child
from sla_kit.exporters.backup.configuration import Rds
from sla_kit.exporters.backup.published import Published
from sla_kit.exporters.sidecar.collector import CollectError, Schedule

_log = logging.getLogger(__name__)
_GIBIBYTE = 1 << 30
_DAY_SECONDS = 86400.0
#: What is left of the time for publishing what was found.
_PUBLISHING_SECONDS = 0.2
#: The state of a snapshot that can be restored.
_USABLE = "available"
#: States that are always published, so that a failure is a change of a value and no new series.
_STATES = ("available", "creating", "failed")


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as RDS describes it; ``taken`` is when its data was, in Unix time, nothing while it is being made."""

    name: str
    status: str
    type: str
    taken: float | None
    gibibytes: int
    encrypted: bool


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What one region knows of a database. Times are Unix times; ``retention_days`` 0 means no automated backups."""

    snapshots: list[Snapshot]
    retention_days: int
    earliest: float | None
    latest: float | None


@dataclass(frozen=True, slots=True)
class RdsCollector:
    """Reads the backups of one instance or cluster."""

    name: str
    schedule: Schedule
    rds: Rds
    _child: Child = field(compare=False, repr=False)
    _said: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def collect(self, deadline: float) -> Iterable[Metric]:
        """The state of its snapshots and its window. A region that can't be read takes nothing from the others; raises
        `CollectError` where none can be read."""
        regions = [self.rds.region, *self.rds.copies]
        found: dict[str, Described] = {}
        errors: dict[str, CollectError] = {}
        for index, region in enumerate(regions):
            # One after the other through one process, as each would take its own memory: a region that does not answer
            # may use up its share of the time, and no more.
            left = max(0.0, deadline - _PUBLISHING_SECONDS - time.monotonic())
            until = time.monotonic() + left / (len(regions) - index)
            try:
                found[region] = self._describe(region, until)
            except CollectError as error:
                errors[region] = error
        self._tell(errors)
        if not found:
            raise errors[self.rds.region]
        return rds_metrics(self.rds, found, time.time())

    def close(self) -> None:
        """Ends the process that asks."""
        self._child.close()

    def _tell(self, errors: Mapping[str, CollectError]) -> None:
        """Says which regions can't be read and which can again, each once."""
        for region in (self.rds.region, *self.rds.copies):
            error = errors.get(region)
            said = str(error) if error else ""
            if said == self._said.get(region, ""):
                continue
            self._said[region] = said
            extra = {"target": self.rds.target, "region": region}
            if error:
                why = f"{error.message} ({error.remedy})" if error.remedy else error.message
                _log.warning("a region of RDS can't be read: %s", why, extra=extra)
            else:
                _log.info("a region of RDS can be read again", extra=extra)

    def _describe(self, region: str, deadline: float) -> Described:
        rds = self.rds
        home = region == rds.region
        place = f"rds {rds.cluster or rds.instance} in {region}"
        asked = {"region": region, "instance": rds.instance, "cluster": rds.cluster, "home": home}
        parts = list(self._child.ask("rds", asked, deadline, place))
        try:
            return msgspec.convert(parts[0], Described)
        except (msgspec.ValidationError, IndexError):
            raise CollectError("data", "answers what is no description of a database", place=place) from None


def rds_collector(rds: Rds, schedule: Schedule) -> RdsCollector:
    """The collector of one entry of the configuration; nobody is asked."""
    aws = Aws(rds.region, rds.endpoint, rds.credentials)
    return RdsCollector(f"rds_{rds.target}", schedule, rds, Child(aws))


def rds_metrics(rds: Rds, found: Mapping[str, Described], now: float) -> list[Metric]:
    """What is published of a database at the time ``now``, from what those of its regions say that could be read."""
    labels = {"kind": rds.kind, "target": rds.target}
    newest = {region: _newest(described.snapshots) for region, described in found.items()}
    last = max((each.taken or 0.0 for each in newest.values() if each is not None), default=0.0)
    out = Published()
    out.put("backup_last_success_timestamp_seconds", labels, last)
    if last:
        protected = all(each.encrypted for each in newest.values() if each is not None)
        out.put("backup_encrypted", labels, float(protected))
    for region in (rds.region, *rds.copies):
        here = {**labels, "region": region}
        out.put("backup_place_up", here, float(region in found))
        if region in found:
            copies = found[region] if region != rds.region else None
            out.put("backup_replica_lag_seconds", here, _lag(last, newest[region], copies))
    if rds.region in found:
        _put_home(out, rds, found[rds.region], newest[rds.region], now)
    return out.metrics()


def _put_home(out: Published, rds: Rds, home: Described, newest: Snapshot | None, now: float) -> None:
    """What only the region knows that the database runs in."""
    labels = {"kind": rds.kind, "target": rds.target}
    out.put("backup_retained", labels, sum(snapshot.status == _USABLE for snapshot in home.snapshots))
    # An Aurora cluster's snapshot does not say how large it is: its allocated storage is 0 or 1 GiB.
    if newest is not None and newest.gibibytes > 1:
        out.put("backup_last_size_bytes", labels, newest.gibibytes * _GIBIBYTE)
    for status in sorted({*_STATES, *(snapshot.status for snapshot in home.snapshots)}):
        count = sum(snapshot.status == status for snapshot in home.snapshots)
        out.put("backup_rds_snapshots", {**labels, "status": status}, count)
    out.put("backup_pitr_retention_seconds", {"target": rds.target}, home.retention_days * _DAY_SECONDS)
    # Without automated backups no log is kept, whatever time is told.
    earliest, latest = (home.earliest, home.latest) if home.retention_days else (None, None)
    out.put_points(rds.target, earliest, latest, None if latest is None else max(0.0, now - latest))


def _newest(snapshots: Iterable[Snapshot]) -> Snapshot | None:
    usable = [each for each in snapshots if each.status == _USABLE and each.taken is not None]
    return max(usable, key=lambda each: each.taken or 0.0, default=None)


def _lag(last: float, newest: Snapshot | None, copies: Described | None) -> float:
    """How much older a region's newest backup is than the ``last``. Automated backups that are replicated to another
    region are no snapshots there, but a window of points in time."""
    newest_time = max(newest.taken or 0.0 if newest else 0.0, copies.latest or 0.0 if copies else 0.0)
    return max(0.0, last - newest_time) if newest_time else math.inf
