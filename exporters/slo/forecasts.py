"""Forecasts between collections: a few SLOs at a time, the oldest first, for as long as there is time."""

from __future__ import annotations

import logging
import math
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
#: Forecast at once, so that a service with many SLOs does not take the time that its figures need.
_AT_ONCE = 10
#: What was expected so many times ``every`` ago is no longer told: rather nothing than what was true long ago.
_LASTS = 3


class Forecasts:
    """What is to be expected of the SLOs of one collection, each made anew now and then."""

    def __init__(self) -> None:
        self._made: dict[Key, float] = {}  # of time.monotonic
        self._outlooks: dict[Key, Outlook] = {}

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
        wanted = {(service.name, slo.name): (service, slo) for service, slo in chosen}
        begun = time.monotonic()
        ages = {key: begun - self._made[key] if key in self._made else math.inf for key in wanted}
        self._made = {key: made for key, made in self._made.items() if key in wanted}
        self._outlooks = {
            key: one for key, one in self._outlooks.items() if key in wanted and ages[key] < _LASTS * told.every
        }
        due = sorted((key for key in wanted if ages[key] >= told.every), key=lambda key: -ages[key])
        horizon, history = int(told.horizon) // 3600 * 3600, int(told.history)
        for start in range(0, len(due), _AT_ONCE):
            if time.monotonic() >= until:
                return
            keys = due[start : start + _AT_ONCE]
            self._made.update(dict.fromkeys(keys, time.monotonic()))
            for key in keys:
                self._outlooks.pop(key, None)
            try:
                some = [wanted[key] for key in keys]
                found = forecast_from(catalogue, source, at, horizon, history, no_progress, some, later)
            except SlaKitError as error:
                _log.warning("no forecast: %s", error, extra={"slos": ", ".join("/".join(key) for key in keys)})
            else:
                self._outlooks.update({one.key: one for one in found.outlooks})

    def outlooks(self) -> Mapping[Key, Outlook]:
        """The newest ones by service and SLO."""
        return self._outlooks
