"""What the tests of the exporter of SLOs share: configurations written, collections made, figures found by labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from prometheus_client.metrics_core import Metric

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.writing import to_yaml
from sla_kit.exporters.sidecar.exporter import Loaded
from sla_kit.exporters.slo import EXPORTER
from sla_kit.exporters.slo.collecting import PromiseCollector
from sla_kit.opening import SETTLE_SECONDS

PATIENCE_SECONDS = 300.0
#: A series: its name and its labels.
Series = tuple[str, frozenset[tuple[str, str]]]


def configured(folder: Path, catalogue: Catalogue | str, text: str = "") -> Path:
    """A configuration for a catalogue, both written to a folder."""
    (folder / "sla.yml").write_text(catalogue if isinstance(catalogue, str) else to_yaml(catalogue))
    path = folder / "slo.yml"
    path.write_text(f"catalogue: sla.yml\nforecast: {{on: false}}\n{text}")
    return path


def loaded(path: Path, at: Callable[[], float] | None = None, before: Loaded | None = None) -> Loaded:
    """The exporter; events are counted up to ``at`` where that is given."""
    found = EXPORTER.load(path, before=before)
    if at is None:
        return found
    clock = at
    collectors = [
        replace(cast(PromiseCollector, each), clock=lambda: clock() + SETTLE_SECONDS) for each in found.collectors
    ]
    return replace(found, collectors=collectors)


def collected(state: Loaded) -> dict[Series, float]:
    """What all collectors publish."""
    found: list[Metric] = []
    for collector in state.collectors:
        found += collector.collect(time.monotonic() + PATIENCE_SECONDS)
    return series(found)


def series(metrics: Iterable[Metric]) -> dict[Series, float]:
    """The samples of metrics by name and labels; none is there twice."""
    found: dict[Series, float] = {}
    for metric in metrics:
        for sample in metric.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(found: Mapping[Series, float], name: str, **labels: str) -> float | None:
    """The value of the one series with these labels, whatever others it has; None where there is none."""
    values = [number for (each, has), number in found.items() if each == name and labels.items() <= dict(has).items()]
    assert len(values) <= 1, (name, labels)
    return values[0] if values else None
