"""The SLOs judged at one moment, over their own windows and others, as plain results by the names that labels have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.engine.alert_windows import window_label
from sla_kit.engine.burn import burn_rate
from sla_kit.engine.context import Context, Judgement, grid_for
from sla_kit.engine.exclusions import touching
from sla_kit.engine.results import Figure, Period, SloResult
from sla_kit.engine.windows import DAY, duration_name, parse_period
from sla_kit.evaluation import context_of, results
from sla_kit.exporters.slo.configuration import EVENT
from sla_kit.rules.published import counted_windows, published_windows
from sla_kit.sources import Progress, Source
from sla_kit.timeline import Grid


@dataclass(frozen=True, slots=True)
class Judged:
    """One SLO at one moment: its ``result``, its ``figures`` and ``burn_rates`` by window, the ``bad_events`` of the
    windows of alerts that want some least number of them, up to when it was ``observed`` (epoch seconds; None where
    there is no data), and whether a live event goes on or an exclusion counts now."""

    service: Service
    slo: Slo
    result: SloResult
    window: str
    figures: Mapping[str, Figure]
    burn_rates: Mapping[str, float]
    bad_events: Mapping[str, float]
    observed: int | None
    event: bool
    excluded: bool


@dataclass(frozen=True, slots=True)
class Asking:
    """What is judged: some SLOs of a catalogue at ``at`` (epoch seconds, a multiple of the bucket), and further
    ``windows``. ``later`` are exclusions beside the calendar's."""

    catalogue: Catalogue
    chosen: Sequence[tuple[Service, Slo]]
    at: int
    windows: Sequence[str] = ()
    later: Sequence[Interval] = ()

    def context(self) -> Context:
        """What the engine must know, with every further window as a roll-up."""
        day = Period("1d", self.at - DAY, self.at)
        context = context_of(self.catalogue, self.at, day, self.windows)
        grid = grid_for(context)
        later = [one for one in self.later if one.start < grid.end and one.end > grid.start]
        now = Period("now", self.at - 1, self.at)
        events = [_so_far(event, grid, self.at) for event in touching(context.events, now)]
        windows = sorted({seconds for one in self.chosen for seconds in published_windows(self.catalogue, *one)})
        burns = [_last(seconds, self.at) for seconds in windows]
        return replace(
            context,
            maintenance=tuple(sorted([*context.maintenance, *later])),
            rollups=tuple(dict.fromkeys([*context.rollups, *events, *burns])),
        )


def judged(asking: Asking, context: Context, source: Source, progress: Progress) -> list[Judged]:
    """The SLOs judged in the order given. Raises `SlaKitError` where the source or the catalogue can't be read."""
    catalogue, at = asking.catalogue, asking.at
    periods = {text: parse_period(text, at, catalogue.timezone) for text in asking.windows}
    now = Period("now", at - 1, at)
    grid, found = grid_for(context), []
    judgements = results(context, source, progress, asking.chosen)
    for judgement, (service, slo) in zip(judgements, asking.chosen, strict=True):
        result, own = judgement.result, window_label(slo.window)
        rolled = {rollup.period: rollup.figure for rollup in result.rollups}
        figures = {text: rolled[period] for text, period in periods.items()}
        events = touching(context.events, now, service.name)
        for event in events:
            figures[EVENT] = rolled[_so_far(event, grid, at)]
        found.append(
            Judged(
                service,
                slo,
                replace(result, rollups=()),
                own,
                {**figures, own: result.own},
                _burn_rates(result, rolled, at, slo, published_windows(catalogue, service, slo)),
                {
                    duration_name(seconds): rolled[_last(seconds, at)].bad
                    for seconds in sorted(counted_windows(catalogue, service, slo))
                },
                _observed(judgement),
                bool(events),
                bool(touching(context.maintenance, now, service.name)),
            )
        )
    return found


def _so_far(event: Interval, grid: Grid, at: int) -> Period:
    """A live event that goes on, from its first bucket until now."""
    return Period(EVENT, max(event.start // grid.step * grid.step, grid.start), at)


def _last(seconds: int, at: int) -> Period:
    return Period(duration_name(seconds), at - seconds, at)


def _observed(judgement: Judgement) -> int | None:
    """The end of the last bucket of which there is data, epoch seconds."""
    seen, grid = np.flatnonzero(judgement.observed()), judgement.grid
    return int(grid.start + grid.step * (seen[-1] + 1)) if seen.size else None


def _burn_rates(
    result: SloResult, rolled: Mapping[Period, Figure], at: int, slo: Slo, windows: Iterable[int]
) -> dict[str, float]:
    """The burn rates by window, without those of windows in which nothing happened."""
    if not result.burn_rates:
        return {}  # its events are too few to burn at a rate
    rates: dict[str, float | None] = {}
    for seconds in sorted(windows):
        figure = rolled[_last(seconds, at)]
        rates[duration_name(seconds)] = burn_rate(figure.total, figure.bad, 1.0 - slo.objective)
    for burning in result.burn_rates:
        rates[duration_name(burning.window_seconds)] = burning.rate
    return {name: rate for name, rate in rates.items() if rate is not None}
