"""Figures that the application brings itself, over HTTP or StatsD, where nothing can be asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from sla_kit.exporters.business.pushed.configuration import Pushed
from sla_kit.exporters.sidecar.collector import Collector, Schedule
from sla_kit.exporters.sidecar.exporter import Loaded, Service


@dataclass(frozen=True, slots=True)
class Brought:
    """What pushing adds to the exporter."""

    collectors: Sequence[Collector] = ()
    routes: Sequence[BaseRoute] = ()
    services: Sequence[Service] = ()


def bring(pushed: Pushed, state: Path | None, schedule: Schedule, before: Loaded | None) -> Brought:
    """What a configuration's ``pushed`` makes; ``state`` is the file of `sla_kit.exporters.business.counters.Counters`,
    ``schedule`` that of collectors without one of their own, ``before`` the state of the exporter that this follows."""
    return Brought()
