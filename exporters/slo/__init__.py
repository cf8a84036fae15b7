"""The exporter of promises: what the engine says of every SLO of a catalogue, for Grafana and alert rules to read."""

from __future__ import annotations

from pathlib import Path

from sla_kit.errors import MissingExtraError
from sla_kit.exporters.sidecar.exporter import Exporter, Loaded

__all__ = ["EXPORTER"]


def _load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    try:
        from sla_kit.exporters.slo.loading import load  # loads what reads and judges
    except ModuleNotFoundError as error:
        raise MissingExtraError("the exporter of SLOs", error.name or "?", "slo") from error
    return load(path, before=before)


EXPORTER = Exporter(
    name="slo",
    summary="every SLO of a catalogue as the engine judges it: SLI, error budget, burn rates, forecast",
    port=9119,
    load=_load,
)
