"""What a product does, as metrics: from SQL, Redis, Elasticsearch or a Prometheus, or pushed by the application."""

from __future__ import annotations

from pathlib import Path

from sla_kit.exporters.sidecar.exporter import Exporter, Loaded


def _load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    from sla_kit.exporters.business.loading import load

    return load(path, before=before)


EXPORTER = Exporter(
    "business", "active users, API usage, feature adoption, sign-ups and payments, from SQL and elsewhere", 9117, _load
)
