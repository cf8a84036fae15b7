"""Backups as they are, not as the job that makes them says: their age, size, form, checksums, copies and gaps."""

from __future__ import annotations

from pathlib import Path

from sla_kit.exporters.sidecar.exporter import Exporter, Loaded

__all__ = ["EXPORTER"]


def _load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    from sla_kit.exporters.backup.loading import load  # loads what looks into backups

    return load(path, before=before)


EXPORTER = Exporter(
    name="backup",
    summary="backups as they lie there: dumps in folders and buckets, RDS, WAL archives, Velero",
    port=9118,
    load=_load,
)
