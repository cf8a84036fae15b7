"""From a catalogue and a source to an evaluation: the edge where fetching meets the pure engine."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.dependencies import Hierarchy
from sla_kit.catalogue.model import Catalogue, Recovery, Service, Slo
from sla_kit.engine.bounds import with_bound
from sla_kit.engine.evaluate import Context, Judgement, conclude, grid_for, judge, judge_composite, judge_recovery
from sla_kit.engine.needed import needed_for
from sla_kit.engine.results import Evaluation, Period
from sla_kit.engine.windows import parse_period
from sla_kit.errors import SlaKitError, SourceError
from sla_kit.sources import Indicator, Progress, Source, no_progress, open_source

if TYPE_CHECKING:
    from prometheus_api_client import PrometheusConnect

#: A fresh Prometheus answers for the last scrapes only after a moment; the newest buckets are left to the next run.
_SETTLE_SECONDS = 60


def evaluate(
    catalogue: Catalogue,
    source: Source | PrometheusConnect | str | Path,
    window: str | Period = "7d",
    at: datetime | float | None = None,
    progress: Progress = no_progress,
    services: Sequence[str] = (),
) -> Evaluation:
    """Evaluates every SLO of a catalogue (or only those of some ``services``) over a window that ends at ``at``.

    ``source`` is an address ("http://prometheus:9090"), a path of a recorded history, a `Source` or a connection of
    prometheus-api-client. ``window`` is what ``--window`` takes: "7d", "week", "last-month", "2026-Q3",
    "START/END". ``at`` defaults to the end of a recorded history, or to a minute ago. Raises `SlaKitError`.
    """
    with _opened(source) as opened:
        moment = _moment(opened, at, catalogue)
        period = parse_period(window, moment, catalogue.timezone) if isinstance(window, str) else window
        moment = min(moment, period.end) if isinstance(window, str) else period.end
        bucket = int(catalogue.bucket)
        context = _context(catalogue, moment // bucket * bucket, period)
        return conclude(context, opened.name, _results(context, opened, progress, _chosen(catalogue, services)))


def _chosen(catalogue: Catalogue, services: Sequence[str]) -> list[tuple[Service, Slo]]:
    """The SLOs of some services, all where none is named."""
    known = [service.name for service in catalogue.services]
    for name in services:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean {nearest[0]}?" if nearest else f"the services are {', '.join(known)}"
            raise SlaKitError(f"the catalogue has no service {name!r}", remedy=remedy)
    return [(service, slo) for service, slo in catalogue.slos() if not services or service.name in services]


def _results(
    context: Context, source: Source, progress: Progress, chosen: list[tuple[Service, Slo]]
) -> list[Judgement]:
    """The chosen SLOs judged, in the catalogue's order. Timelines are dropped as soon as they are judged, so that
    memory does not grow with their number."""
    catalogue = context.catalogue
    needed = needed_for(catalogue, chosen)
    users: dict[tuple[str, str], list[tuple[Service, Slo]]] = {}
    indicators: dict[tuple[str, str], Indicator] = {}
    for service, slo in needed.measured:
        indicator = Indicator.of(catalogue, service, slo)
        users.setdefault(indicator.key, []).append((service, slo))
        indicators[indicator.key] = indicator
    judged: dict[tuple[str, str], Judgement] = {}
    for indicator, timeline in source.fetch(list(indicators.values()), grid_for(context), progress):
        for service, slo in users[indicator.key]:
            key = (service.name, slo.name)
            judged[key] = judge(context, service, slo, timeline, keep_counts=key in needed.parts)
    for service, slo in needed.derived:
        key, sli = (service.name, slo.name), catalogue.sli(service, slo)
        if isinstance(sli, Recovery):
            judged[key] = judge_recovery(context, service, slo, judged[sli.target(service.name)])
        else:
            judged[key] = judge_composite(context, service, slo, judged, keep_counts=key in needed.parts)
    hierarchy, results = Hierarchy.of(catalogue), {key: judgement.result for key, judgement in judged.items()}
    return [
        replace(judgement, result=with_bound(judgement.result, hierarchy, results), counts=None)
        for judgement in (judged[service.name, slo.name] for service, slo in chosen)
    ]


def _context(catalogue: Catalogue, at: int, period: Period) -> Context:
    bare = Context(catalogue, at, period, (), ())
    grid = grid_for(bare)
    calendar, zone, folder = catalogue.calendar, catalogue.timezone, catalogue.folder
    return Context(
        catalogue,
        at,
        period,
        tuple(intervals(calendar.maintenance, grid.start, grid.end, zone, folder)),
        tuple(intervals(calendar.events, grid.start, grid.end, zone, folder)),
    )


def _moment(source: Source, at: datetime | float | None, catalogue: Catalogue) -> int:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise SlaKitError(f"the time {at.isoformat()} has no time zone", remedy="give it one, such as UTC")
        return int(at.timestamp())
    if at is not None:
        return int(at)
    span = source.span()
    if span is not None:
        bucket = int(catalogue.bucket)
        return -(-span[1] // bucket) * bucket  # the bucket that holds the last sample counts
    return int(time.time()) - _SETTLE_SECONDS


@contextmanager
def _opened(source: Source | PrometheusConnect | str | Path) -> Iterator[Source]:
    """A source from whatever was given; closed afterwards only if it was opened here."""
    if isinstance(source, str | Path):
        opened = open_source(str(source))
        try:
            yield opened
        finally:
            opened.close()
    elif isinstance(source, Source):
        yield source
    elif type(source).__name__ == "PrometheusConnect" or hasattr(source, "custom_query_range"):
        from sla_kit.sources.prometheus import PrometheusSource

        yield PrometheusSource(source)
    else:
        raise SourceError(
            f"a {type(source).__name__} is no source", remedy="give an address, a path, a Source or a PrometheusConnect"
        )
