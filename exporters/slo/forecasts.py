"""Forecasts between collections: service by service, the oldest first, for as long as there is time."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.engine.forecast.results import Outlook
from sla_kit.errors import SlaKitError
from sla_kit.exporters.slo.configuration import Forecasting
from sla_kit.forecasting import forecast_from
from sla_kit.sources import Source, no_progress

_log = logging.getLogger(__name__)
Key = tuple[str, str]


class Forecasts:
    """What is to be expected of the SLOs of one collector, each made anew now and then."""

    def __init__(self) -> None:
        self._made: dict[str, float] = {}  # by service, of time.monotonic
        self._outlooks: dict[str, tuple[Outlook, ...]] = {}

    def refresh(
        self,
        catalogue: Catalogue,
        source: Source,
        chosen: Sequence[tuple[Service, Slo]],
        at: int,
        told: Forecasting,
        *,
        later: Sequence[Interval],
        until: float,
    ) -> None:
        """Makes those that are due, the oldest first, until that time (of `time.monotonic`) has come."""
        services: dict[str, list[tuple[Service, Slo]]] = {}
        for service, slo in chosen:
            services.setdefault(service.name, []).append((service, slo))
        for gone in self._made.keys() - services.keys():
            del self._made[gone]
            self._outlooks.pop(gone, None)
        begun = time.monotonic()
        due = [name for name in services if begun - self._made.get(name, begun - told.every) >= told.every]
        for name in sorted(due, key=lambda name: self._made.get(name, 0.0)):
            if time.monotonic() >= until:
                return
            self._made[name] = time.monotonic()
            horizon, history = int(told.horizon) // 3600 * 3600, int(told.history)
            try:
                found = forecast_from(catalogue, source, at, horizon, history, no_progress, services[name], later)
            except SlaKitError as error:
                self._outlooks.pop(name, None)  # rather nothing than what was true an hour ago
                _log.warning("no forecast: %s", error, extra={"service": name})
            else:
                self._outlooks[name] = found.outlooks

    def outlooks(self) -> Mapping[Key, Outlook]:
        """The newest ones by service and SLO."""
        return {one.key: one for several in self._outlooks.values() for one in several}
