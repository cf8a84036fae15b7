"""From a catalogue and a source to a forecast: the edge where fetching meets the pure engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Bound, Catalogue, Composite, Recovery, Resource, Service, Slo
from sla_kit.configuration.quantities import parse_duration
from sla_kit.engine.budgeting import Counted, Terms, count, leaving_out
from sla_kit.engine.composite import combined
from sla_kit.engine.exclusions import excluded
from sla_kit.engine.forecast.capacity import service_need
from sla_kit.engine.forecast.courses import WORDS, Seen
from sla_kit.engine.forecast.hours import HOUR, Future
from sla_kit.engine.forecast.outlook import outlook, window_name
from sla_kit.engine.forecast.results import EventForecast, Forecast, Outlook, Risk, ServiceNeed
from sla_kit.engine.needed import needed_for
from sla_kit.engine.windows import DAY, period_of
from sla_kit.errors import SlaKitError
from sla_kit.evaluation import chosen_slos
from sla_kit.opening import SETTLE_SECONDS, live_source, moment, opened_ledger
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Floats, Grid, Timeline

if TYPE_CHECKING:
    from sla_kit.ledger import Ledger
    from sla_kit.opening import Given

Key = tuple[str, str]
LONGEST_HORIZON = 366 * DAY


def forecast(
    catalogue: Catalogue,
    source: Given = None,
    at: datetime | float | None = None,
    horizon: str | float = "30d",
    history: str | float = "60d",
    progress: Progress = no_progress,
    services: Sequence[str] = (),
    *,
    ledger: Ledger | str | Path | None = None,
) -> Forecast:
    """Forecasts when each error budget runs out, what each live event of the calendar needs, and which promises it
    puts at risk, from ``at`` to ``horizon`` after it.

    ``source``, ``at`` and ``ledger`` are those of `sla_kit.evaluate`; ``horizon`` and ``history``, how far to look
    ahead and back (at least over each SLO's own window), are seconds or text such as "30d". Raises `SlaKitError`.
    """
    ahead, back = _length(horizon, "horizon", HOUR), _length(history, "history", DAY)
    bucket = int(catalogue.bucket)
    with opened_ledger(ledger) as kept, live_source(source, catalogue, kept) as live:
        reading, later = live, []
        if kept is not None:
            from sla_kit.ledger.through import ThroughLedger

            reading = ThroughLedger(kept, catalogue, live, int(time.time()) - SETTLE_SECONDS)
            later = kept.exclusions(catalogue)
        assert reading is not None, "without a ledger there is a source, or `live_source` has raised"
        time_of = moment(reading, at, bucket) // bucket * bucket
        chosen = chosen_slos(catalogue, services)
        return forecast_from(catalogue, reading, time_of, ahead, back, progress, chosen, later)


def forecast_from(
    catalogue: Catalogue,
    source: Source,
    at: int,
    horizon: int,
    history: int,
    progress: Progress,
    chosen: Sequence[tuple[Service, Slo]],
    later: Sequence[Interval] = (),
) -> Forecast:
    """A forecast of the chosen SLOs from an open source; ``at`` is a multiple of the bucket, lengths are seconds.
    ``later`` are exclusions beside the calendar's."""
    work = _Work.of(catalogue, at, horizon, history, chosen, later)
    needed = needed_for(catalogue, chosen)
    wanted = {(service.name, slo.name) for service, slo in chosen}
    parts: dict[Key, Counted] = {}
    users: dict[Key, list[tuple[Service, Slo]]] = {}
    indicators: dict[Key, Indicator] = {}
    for service, slo in needed.measured:
        if (service.name, slo.name) in wanted | needed.parts:
            indicator = Indicator.of(catalogue, service, slo)
            users.setdefault(indicator.key, []).append((service, slo))
            indicators[indicator.key] = indicator
    carriers = {service.name for service, _ in chosen}
    capacities = [_Carrier(service) for service in catalogue.services if service.name in carriers and service.capacity]
    for carrier in capacities:
        indicators |= {indicator.key: indicator for indicator in carrier.indicators(catalogue)}
    for indicator, timeline in source.fetch(list(indicators.values()), work.grid, progress):
        for service, slo in users.get(indicator.key, ()):
            counted = work.counted(service, slo, timeline)
            if (service.name, slo.name) in needed.parts:
                parts[service.name, slo.name] = counted
            if (service.name, slo.name) in wanted:
                work.look(service, slo, counted)
        for carrier in capacities:
            carrier.take(indicator, timeline, work)
    for service, slo in needed.derived:
        key, sli = (service.name, slo.name), catalogue.sli(service, slo)
        made = _made(work, service, sli, parts) if isinstance(sli, Composite) else None
        if made is not None and key in needed.parts:
            parts[key] = made
        if key in wanted:
            work.look(service, slo, made)
    return work.told(source.name, capacities, chosen)


def _made(work: _Work, service: Service, sli: Composite, parts: dict[Key, Counted]) -> Counted | None:
    """The events of a composite; None for one whose figure is not made of events."""
    of = [parts.get(part.target(service.name)) for part in sli.of]
    known = [part for part in of if part is not None]
    if not sli.counts_events or len(known) < len(of):
        return None
    away = excluded(work.maintenance, service.name, work.grid)
    found = combined(sli, known, None if away is None else ~away)
    return found if isinstance(found, Counted) else None


@dataclass
class _Work:
    """A forecast in the making: what surrounds it, and what has been found so far."""

    catalogue: Catalogue
    at: int
    horizon: int
    history: int
    grid: Grid
    events: tuple[Interval, ...]
    maintenance: tuple[Interval, ...]
    outlooks: dict[Key, Outlook] = field(default_factory=dict)
    risks: dict[int, list[Risk]] = field(default_factory=dict)  # by the start of the event
    futures: dict[str, Future] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        at: int,
        horizon: int,
        history: int,
        chosen: Sequence[tuple[Service, Slo]],
        later: Sequence[Interval] = (),
    ) -> _Work:
        bucket = int(catalogue.bucket)
        starts = [period_of(slo.window, at, catalogue.timezone).start for _, slo in chosen]
        start = min([at - history, *starts]) // bucket * bucket
        grid = Grid(start, bucket, (at - start) // bucket)
        calendar, zone, folder = catalogue.calendar, catalogue.timezone, catalogue.folder
        events = intervals(calendar.events, start, at + horizon, zone, folder)
        maintenance = intervals(calendar.maintenance, start, at + horizon, zone, folder)
        return cls(catalogue, at, horizon, at - start, grid, tuple(events), tuple(sorted([*maintenance, *later])))

    def future(self, service: str) -> Future:
        """The hours to come of a service."""
        if service not in self.futures:
            hours, step = self.horizon // HOUR, self.grid.step
            self.futures[service] = Future.of(self.at, hours, step, self.events, self.maintenance, service)
        return self.futures[service]

    def counted(self, service: Service, slo: Slo, timeline: Timeline) -> Counted:
        """The events of an SLO without those in maintenance."""
        terms = Terms.of(slo, self.catalogue.sli(service, slo))
        counted = count(timeline, terms)
        away = excluded(self.maintenance, service.name, self.grid)
        return counted if away is None else leaving_out(counted, timeline, terms, ~away)

    def look(self, service: Service, slo: Slo, counted: Counted | None) -> None:
        """Forecasts one SLO."""
        key, zone = (service.name, slo.name), self.catalogue.timezone
        sli = self.catalogue.sli(service, slo)
        if counted is None:
            reason = (
                "outages are too few to forecast; see the SLO that they are of"
                if isinstance(sli, Recovery)
                else "it is not made of events that could be forecast"
            )
            self.outlooks[key] = Outlook(*key, slo.objective, window_name(slo.window, self.at, zone), reason=reason)
            return
        seen = Seen.of(counted, self.events, slo.window.timezone or zone, service.name)
        future = self.future(service.name)
        self.outlooks[key], risks = outlook(seen, Terms.of(slo, sli), slo.window, future, key)
        for place, risk in risks:
            self.risks.setdefault(future.events[place].start, []).append(risk)

    def told(self, source: str, carriers: Sequence[_Carrier], chosen: Sequence[tuple[Service, Slo]]) -> Forecast:
        """Everything that was found, in the catalogue's order."""
        needs: dict[int, list[ServiceNeed]] = {}
        for carrier in carriers:
            for start, need in carrier.needs(self):
                needs.setdefault(start, []).append(need)
        coming = [event for event in self.events if event.end > self.at]
        order = [(service.name, slo.name) for service, slo in chosen]
        events = tuple(
            EventForecast(
                event.name,
                event.start,
                event.end,
                event.services,
                tuple(needs.get(event.start, ())),
                tuple(sorted(self.risks.get(event.start, ()), key=lambda risk: (-risk.probability, risk.service))),
            )
            # Of events that begin together the first one carries the forecast: for a service they are one.
            for event in {event.start: event for event in reversed(coming)}.values()
        )
        catalogue = self.catalogue
        return Forecast(
            catalogue.name,
            catalogue.environment,
            source,
            catalogue.timezone,
            self.at,
            self.at + self.horizon // HOUR * HOUR,
            self.history,
            WORDS,
            tuple(self.outlooks[key] for key in order),
            tuple(sorted(events, key=lambda event: event.start)),
        )


class _Carrier:
    """A service with a declared capacity, and what was read of it."""

    def __init__(self, service: Service) -> None:
        assert service.capacity is not None
        self.service = service
        self.capacity = service.capacity
        self.seen: Seen | None = None
        self.gauges: dict[str, Floats] = {}

    def indicators(self, catalogue: Catalogue) -> list[Indicator]:
        """What must be fetched for it."""
        service, labels = self.service, tuple(catalogue.sum_labels)
        fitting = [server.name for server in catalogue.sources if not server.holds_logs]
        default = service.source if service.source in fitting or not fitting else fitting[0]
        sli = service.slis[self.capacity.requests]
        found = [Indicator((service.name, self.capacity.requests), sli, labels, sli.source or default)]
        for what, resource in self._resources():
            sli = Bound(metric=resource.metric, matchers=resource.matchers, combine=resource.combine, max=np.inf)
            found.append(Indicator((service.name, f"capacity:{what}"), sli, labels, default))
        return found

    def _resources(self) -> list[tuple[str, Resource]]:
        both = (("pods", self.capacity.pods), ("connections", self.capacity.connections))
        return [(what, resource) for what, resource in both if resource is not None]

    def take(self, indicator: Indicator, timeline: Timeline, work: _Work) -> None:
        """Keeps what belongs to it."""
        if indicator.key == (self.service.name, self.capacity.requests):
            # Traffic is traffic, in maintenance too.
            counted = count(timeline, Terms(0.5, "occurrences"))
            self.seen = Seen.of(counted, work.events, work.catalogue.timezone, self.service.name)
        for what, _ in self._resources():
            if indicator.key == (self.service.name, f"capacity:{what}") and timeline.value is not None:
                self.gauges[what] = timeline.value

    def needs(self, work: _Work) -> list[tuple[int, ServiceNeed]]:
        """What each coming event needs of it, with the event's start."""
        if self.seen is None:
            return []
        found = []
        for event in work.future(self.service.name).events:
            need = service_need(
                self.service.name,
                self.capacity,
                self.seen,
                event,
                pods=self.gauges.get("pods"),
                connections=self.gauges.get("connections"),
            )
            if need is not None:
                found.append((event.start, need))
        return found


def _length(given: str | float, what: str, least: int) -> int:
    """A length of time in whole hours."""
    remedy = 'give "30d", "36h" or seconds'
    try:
        seconds = parse_duration(given) if isinstance(given, str) else float(given)
    except ValueError as error:
        raise SlaKitError(f"the {what} {given!r} is no length of time", remedy=remedy) from error
    if not least <= seconds <= LONGEST_HORIZON * 10:
        raise SlaKitError(f"a {what} of {given} can't be: from {least // HOUR} h to ten years", remedy=remedy)
    return int(seconds) // HOUR * HOUR
