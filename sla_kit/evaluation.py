"""From a catalogue and a source to an evaluation: the edge where fetching meets the pure engine."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.dependencies import Hierarchy
from sla_kit.catalogue.model import Catalogue, Recovery, Service, Slo
from sla_kit.engine.agreement import disagreement, side_by_side
from sla_kit.engine.bounds import with_bound
from sla_kit.engine.evaluate import Context, Judgement, conclude, grid_for, judge, judge_composite, judge_recovery
from sla_kit.engine.needed import needed_for
from sla_kit.engine.results import Evaluation, Period
from sla_kit.engine.rollups import rollup_periods
from sla_kit.engine.windows import parse_period
from sla_kit.errors import SlaKitError
from sla_kit.opening import SETTLE_SECONDS, live_source, moment, opened_ledger
from sla_kit.sources import Indicator, Progress, Source, no_progress

if TYPE_CHECKING:
    from sla_kit.ledger import Ledger
    from sla_kit.opening import Given


def evaluate(
    catalogue: Catalogue,
    source: Given = None,
    window: str | Period = "7d",
    at: datetime | float | None = None,
    progress: Progress = no_progress,
    services: Sequence[str] = (),
    *,
    ledger: Ledger | str | Path | None = None,
    rollups: Sequence[str] = (),
) -> Evaluation:
    """Evaluates every SLO of a catalogue (or only those of some ``services``) over a window that ends at ``at``.

    ``source`` is an address ("http://prometheus:9090", "elasticsearch+http://elastic:9200"), a path of a recorded
    history, a `Source`, a connection of prometheus-api-client or a client of elasticsearch; several are one of metrics
    and one of logs, or ["NAME=ADDRESS", …]; without one the servers are read that the catalogue names. ``window`` is
    what ``--window`` takes: "7d", "week", "last-month", "2026-Q3", "START/END". ``at`` defaults to the end of a
    recorded history, or to a minute ago. ``rollups`` are periods whose figures stand beside the window's, by the same
    names: ("month", "last-quarter", "2026").

    With a ``ledger`` (a path, a URL or an open one) only buckets that it lacks are read from the source, and are kept
    there; its corrections count, and the result carries the proof of what it was made of. A ledger without any source
    is read alone. Raises `SlaKitError`.
    """
    with opened_ledger(ledger) as kept, live_source(source, catalogue, kept) as live:
        reading = live if live is not None else kept.source(catalogue) if kept is not None else None
        assert reading is not None, "without a ledger there is a source, or `live_source` has raised"
        time_of = moment(reading, at, int(catalogue.bucket))
        period = parse_period(window, time_of, catalogue.timezone) if isinstance(window, str) else window
        time_of = min(time_of, period.end) if isinstance(window, str) else period.end
        bucket = int(catalogue.bucket)
        chosen = chosen_slos(catalogue, services)
        context = context_of(catalogue, time_of // bucket * bucket, period, rollups)
        if kept is None:
            return conclude(context, reading.name, results(context, reading, progress, chosen))
        from sla_kit.ledger.reporting import evaluate_kept

        now = int(time.time()) - SETTLE_SECONDS
        return evaluate_kept(kept, live, context, chosen, now=now, progress=progress)


def chosen_slos(catalogue: Catalogue, services: Sequence[str]) -> list[tuple[Service, Slo]]:
    """The SLOs of some services, all where none is named."""
    known = [service.name for service in catalogue.services]
    for name in services:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            remedy = f"did you mean {nearest[0]}?" if nearest else f"the services are {', '.join(known)}"
            raise SlaKitError(f"the catalogue has no service {name!r}", remedy=remedy)
    return [(service, slo) for service, slo in catalogue.slos() if not services or service.name in services]


def results(
    context: Context,
    source: Source,
    progress: Progress,
    chosen: Sequence[tuple[Service, Slo]],
    known: Mapping[tuple[str, str], Judgement] | None = None,
    learn: Callable[[Indicator, Judgement], None] | None = None,
) -> list[Judgement]:
    """The chosen SLOs judged, in the catalogue's order. Timelines are dropped as soon as they are judged, so that
    memory does not grow with their number. Those of ``known`` are not judged again; ``learn`` is told of the others
    that a source measures."""
    catalogue = context.catalogue
    needed = needed_for(catalogue, chosen)
    judged: dict[tuple[str, str], Judgement] = dict(known or {})
    users: dict[tuple[str, str], list[tuple[Service, Slo]]] = {}
    indicators: dict[tuple[str, str], Indicator] = {}
    for service, slo in needed.measured:
        if (service.name, slo.name) in judged:
            continue
        indicator = Indicator.of(catalogue, service, slo)
        users.setdefault(indicator.key, []).append((service, slo))
        indicators[indicator.key] = indicator
    for indicator, timeline in source.fetch(list(indicators.values()), grid_for(context), progress):
        for service, slo in users[indicator.key]:
            key = (service.name, slo.name)
            judged[key] = judge(context, service, slo, timeline, keep_counts=key in needed.parts)
            if learn is not None:
                learn(indicator, judged[key])
    for service, slo in needed.derived:
        key, sli = (service.name, slo.name), catalogue.sli(service, slo)
        if isinstance(sli, Recovery):
            judged[key] = judge_recovery(context, service, slo, judged[sli.target(service.name)])
        else:
            judged[key] = judge_composite(context, service, slo, judged, keep_counts=key in needed.parts)
    hierarchy, results = Hierarchy.of(catalogue), {key: judgement.result for key, judgement in judged.items()}
    found: list[Judgement] = []
    for service, slo in chosen:
        judgement = judged[service.name, slo.name]
        result = with_bound(judgement.result, hierarchy, results)
        compared = None
        if slo.compare_with is not None:
            compared = side_by_side(catalogue, slo, judgement, judged[slo.compare_with.target(service.name)])
            finding = disagreement(compared, context.window)
            result = replace(result, findings=(*result.findings, finding)) if finding is not None else result
        found.append(replace(judgement, result=result, counts=None, compared=compared))
    return found


def context_of(catalogue: Catalogue, at: int, period: Period, rollups: Sequence[str] = ()) -> Context:
    """What an evaluation at ``at`` (epoch seconds) over a period is about, with the calendar around it."""
    bare = Context(catalogue, at, period, (), (), rollup_periods(rollups, at, catalogue.timezone))
    grid = grid_for(bare)
    calendar, zone, folder = catalogue.calendar, catalogue.timezone, catalogue.folder
    return replace(
        bare,
        maintenance=tuple(intervals(calendar.maintenance, grid.start, grid.end, zone, folder)),
        events=tuple(intervals(calendar.events, grid.start, grid.end, zone, folder)),
    )
