"""What is published of a target's backups that are files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from sla_kit.exporters.backup.judging import Backup, Judgement
from sla_kit.exporters.backup.published import Published


@dataclass(frozen=True, slots=True)
class PlaceSeen:
    """What one place holds: backups, and how many files there are of each state or other kind."""

    backups: Sequence[Backup]
    counts: Mapping[str, int]


def dump_metrics(
    kind: str, target: str, judgement: Judgement, seen: Mapping[str, PlaceSeen], regions: Sequence[str]
) -> list[Metric]:
    """The metrics of a target. ``seen`` are those of its ``regions`` that could be read."""
    labels = {"kind": kind, "target": target}
    out = Published()
    newest = judgement.newest
    out.put("backup_last_success_timestamp_seconds", labels, newest.time if newest else 0.0)
    out.put("backup_retained", labels, judgement.retained)
    for region in regions:
        here = {**labels, "region": region}
        out.put("backup_place_up", here, float(region in seen))
        for state, count in seen[region].counts.items() if region in seen else ():
            out.put("backup_files", {**here, "state": state}, count)
    for region, lag in judgement.lags.items():
        out.put("backup_replica_lag_seconds", {**labels, "region": region}, lag)
    if newest is not None:
        _put_newest(out, labels, newest, judgement)
    return out.metrics()


def _put_newest(out: Published, labels: dict[str, str], newest: Backup, judgement: Judgement) -> None:
    contents = newest.contents
    said = {
        "backup_last_size_bytes": newest.size_bytes,
        "backup_size_median_bytes": judgement.median_bytes,
        "backup_size_change_ratio": judgement.size_change_ratio,
        "backup_encrypted": newest.encrypted,
        "backup_compressed": contents.compressed,
        "backup_verified": newest.verified,
        "backup_last_verified_timestamp_seconds": judgement.verified_time or 0.0,
        "backup_missed_days": judgement.missed_days,
        "backup_oldest_timestamp_seconds": judgement.oldest_time,
    }
    for name, value in said.items():
        if value is not None:
            out.put(name, labels, float(value))
    known = {"format": contents.format, "compression": contents.compression, "encryption": contents.encryption}
    out.put("backup_info", {**labels, **known}, 1.0)
    for key in sorted({*contents.keys, newest.key_id} - {""}):
        out.put("backup_key_info", {**labels, "region": judgement.newest_region, "key": key}, 1.0)
