"""The exporter of logs: errors, volume and how late what is shipped arrives, as an Elasticsearch knows them."""

from __future__ import annotations

from pathlib import Path

from sla_kit.exporters.sidecar.exporter import Exporter, Loaded

__all__ = ["EXPORTER"]


def _load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    from sla_kit.exporters.logs.loading import load

    return load(path, before=before)


EXPORTER = Exporter(
    name="logs",
    summary="errors by service and type, new kinds of errors, volume and shipping lag, from the logs in Elasticsearch",
    port=9120,
    load=_load,
)
