"""What the exporter publishes of backups: the names of metrics with their help, and the series gathered by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

#: Help by name. A counter's name ends in ``_total``, that of labels without a value in ``_info``.
HELP = {
    "backup_compressed": "1 where the newest backup is compressed; absent where nobody can tell, as inside of what is "
    "encrypted.",
    "backup_encrypted": "1 where the newest backup is encrypted.",
    "backup_files": "Files, or folders, by what they are: usable or why not, or none of the target's backups.",
    "backup_info": "What the newest backup is.",
    "backup_key_info": "The keys for which the newest backup is encrypted, by their ids.",
    "backup_last_size_bytes": "Size of the newest usable backup.",
    "backup_last_success_timestamp_seconds": "When the newest usable backup was made; 0 where there is none.",
    "backup_last_verified_timestamp_seconds": "When the newest backup was made whose checksum is right; 0 where "
    "there is none.",
    "backup_missed_days": "Days of late on which a backup was due and none was made.",
    "backup_oldest_timestamp_seconds": "When the oldest usable backup was made.",
    "backup_pitr_gap_seconds": "How long ago the newest point in time lies to which a restore could go; "
    "+Inf where there is none.",
    "backup_pitr_newest_timestamp_seconds": "The newest point in time to which a restore could go; 0 where there is "
    "none.",
    "backup_pitr_oldest_timestamp_seconds": "The oldest point in time from which a restore could go to every later "
    "one; 0 where there is none.",
    "backup_pitr_retention_seconds": "For how long points in time are kept, as the database is set; 0 where none are.",
    "backup_place_up": "1 where the place could be read.",
    "backup_rds_snapshots": "Snapshots by their status.",
    "backup_replica_lag_seconds": "How much older the newest backup in the region is than the newest of all; +Inf "
    "where it has none.",
    "backup_retained": "How many usable backups there are.",
    "backup_size_change_ratio": "By how much the newest backup is larger than the median of those before it; below 0 "
    "where it is smaller.",
    "backup_size_median_bytes": "Median size of the usable backups before the newest one.",
    "backup_velero_backups": "Backups in Velero's storage by the phase that they ended in.",
    "backup_velero_completion_timestamp_seconds": "When the newest backup ended, well or not.",
    "backup_velero_errors": "Errors of the newest backup.",
    "backup_velero_expiry_timestamp_seconds": "When Velero may delete the newest completed backup.",
    "backup_velero_phase": "1 for the phase of the newest backup, 0 for the others.",
    "backup_velero_start_timestamp_seconds": "When the newest backup began.",
    "backup_velero_warnings": "Warnings of the newest backup.",
    "backup_verified": "1 where the newest backup was read and its checksum is right.",
    "backup_wal_archived_total": "Segments that PostgreSQL's archiver has archived.",
    "backup_wal_failed_total": "Failed tries of PostgreSQL's archiver.",
    "backup_wal_last_archived_timestamp_seconds": "When a segment was last archived; 0 where none was.",
    "backup_wal_last_failed_timestamp_seconds": "When archiving last failed; 0 where it never did.",
    "backup_wal_missing_segments": "Segments that are not in the archive, between its first base backup and its end.",
    "backup_wal_timeline": "The newest timeline in the archive.",
    "backup_wal_waiting_segments": "Complete segments that are not archived yet.",
}


@dataclass(slots=True)
class Published:
    """Series, gathered so that those of one name stand in one family."""

    _families: dict[str, tuple[list[str], Metric]] = field(default_factory=dict)

    def put(self, name: str, labels: dict[str, str], value: float) -> None:
        """Adds a series; ``name`` is one of `HELP`, and has the same labels each time."""
        if name not in self._families:
            self._families[name] = (list(labels), _family(name, list(labels)))
        names, metric = self._families[name]
        metric.add_sample(name, {each: labels[each] for each in names}, value)

    def put_points(self, target: str, oldest: float | None, newest: float | None, gap: float | None) -> None:
        """Adds the window of restorable points in time: Unix times, and how many seconds of changes are not in it.

        Where there is no such point, the gap is infinite, whatever an alert's limit.
        """
        self.put_newest_point(target, newest, gap)
        self.put("backup_pitr_oldest_timestamp_seconds", {"target": target}, oldest or 0.0)

    def put_newest_point(self, target: str, newest: float | None, gap: float | None) -> None:
        """Adds the end of that window, where its beginning is not known."""
        labels = {"target": target}
        self.put("backup_pitr_gap_seconds", labels, math.inf if gap is None else gap)
        self.put("backup_pitr_newest_timestamp_seconds", labels, newest or 0.0)

    def metrics(self) -> list[Metric]:
        """The families, by name."""
        return [metric for _, (_, metric) in sorted(self._families.items())]


def _family(name: str, labels: list[str]) -> Metric:
    if name.endswith("_total"):
        return CounterMetricFamily(name, HELP[name], labels=labels)
    if name.endswith("_info"):
        return InfoMetricFamily(name.removesuffix("_info"), HELP[name], labels=labels)
    return GaugeMetricFamily(name, HELP[name], labels=labels)
