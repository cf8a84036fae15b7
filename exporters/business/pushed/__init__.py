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


def bring(pushed: Pushed, state: Path | None, schedule: Schedule, before: Loaded | None, folder: Path) -> Brought:
    """What a configuration's ``pushed`` makes; ``state`` is the file of `sla_kit.exporters.sidecar.counters.Counters`,
    ``schedule`` that of collectors without one of their own, ``before`` the state of the exporter that this follows,
    ``folder`` that of the configuration.

    What is pushed is kept beside ``state``, in a file whose name has ``-pushed`` added; in memory where there is none.
    """
    from sla_kit.exporters.business.pushed.committing import Committing
    from sla_kit.exporters.business.pushed.listening import PushService
    from sla_kit.exporters.business.pushed.publishing import PushedCollector
    from sla_kit.exporters.business.pushed.receiving import route

    path = state.with_name(f"{state.name}-pushed") if state else None
    services = before.services if before else ()
    running = (each.committing for each in services if isinstance(each, PushService))
    committing = next((each for each in running if each.store.path == path), None) or Committing(path)
    return Brought(
        [PushedCollector(pushed, schedule, committing)],
        [route(pushed, committing)],
        [PushService(pushed, folder, committing)],
    )
