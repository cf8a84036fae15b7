"""One SLO judged: its timeline and its promise in, its result out. `conclude` makes the whole answer of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sla_kit.catalogue.model import (
    Bound,
    Catalogue,
    Freshness,
    LastDuration,
    Latency,
    Recovery,
    Service,
    Sli,
    Slo,
)
from sla_kit.engine.budgeting import SLACK, Counted, Terms, count, leaving_out
from sla_kit.engine.burn import alert_pairs, burn_rates, burndown
from sla_kit.engine.conclusion import conclude
from sla_kit.engine.context import Context, Judgement, grid_for
from sla_kit.engine.evidence import runs_seen, worst_value
from sla_kit.engine.exclusions import as_exclusion, during, excluded, touching
from sla_kit.engine.figures import figure, percent, verdict
from sla_kit.engine.heat import heat_map
from sla_kit.engine.incidents import find_incidents
from sla_kit.engine.outages import outage_evidence, outage_timeline, slowest
from sla_kit.engine.results import Figure, Incident, Period, SloResult
from sla_kit.engine.windows import before, nominal_seconds, period_of
from sla_kit.timeline import Finding, Grid, Mask, Timeline

__all__ = ["Context", "Judgement", "conclude", "grid_for", "judge", "judge_recovery"]

#: The measured figure of some buckets: a slice of the grid, and a mask of that slice's shape or None for all of it.
_Worst = Callable[[slice, Mask | None], float | None]


def judge(context: Context, service: Service, slo: Slo, timeline: Timeline) -> Judgement:
    """Judges an SLO by the timeline of its indicator, which must be on `grid_for` of the context."""
    sli = context.catalogue.sli(service, slo)
    grid, terms = timeline.grid, Terms.of(slo, sli)
    keep = _kept(context, service, grid)
    everything = count(timeline, terms)
    counted = everything if keep is None else leaving_out(everything, timeline, terms, keep)

    def worst(where: slice, inside: Mask | None) -> float | None:
        return worst_value(sli, timeline, where, inside)

    result = _figures(context, service, slo, terms, counted, everything, worst)
    pairs = alert_pairs(nominal_seconds(slo.window), grid.step)
    incidents = find_incidents(
        counted,
        terms.allowed_ratio,
        pairs,
        service=service.name,
        slo=slo.name,
        allowed=result.own.budget.allowed,
        requests=timeline.bad if timeline.unit == "requests" else None,
        events=context.events,
    )
    own = grid.slice(result.own_window.start, result.own_window.end)
    result = replace(
        result,
        burn_rates=burn_rates(counted, context.at, pairs, terms.allowed_ratio),
        burndown=burndown(counted, own, result.own.budget.allowed),
        heat=heat_map(counted, grid.slice(context.window.start, context.window.end), context.catalogue.timezone),
        incidents=tuple(incident for incident in incidents if _overlaps(incident, context.window)),
        evidence=runs_seen(sli, timeline, context.window),
        findings=_findings(timeline, result, terms, context.window),
    )
    return Judgement.of(result, incidents, timeline)


def judge_recovery(context: Context, service: Service, slo: Slo, of: Judgement) -> Judgement:
    """Judges an SLO on the time to recover: its events are the outages of the SLO that ``of`` judged.

    Each counts once, when its verdict is known: at its recovery, or when it became overdue (`outage_timeline`). A
    period with data and without outages has no SLI and is met.
    """
    sli = context.catalogue.sli(service, slo)
    if not isinstance(sli, Recovery):
        raise TypeError(f"{service.name}/{slo.name} is no SLO on recovery")
    terms = Terms.of(slo, sli)
    timeline = outage_timeline(of.incidents, of.grid, of.observed(), sli.within)
    counted = everything = count(timeline, terms)
    keep = _kept(context, service, of.grid)
    if keep is not None:  # outages never begin in excluded buckets; only the coverage is without them
        counted = replace(counted, keep=keep)

    def worst(where: slice, inside: Mask | None) -> float | None:
        return slowest(of.incidents, of.grid, sli.within, where, inside)

    result = _figures(context, service, slo, terms, counted, everything, worst)
    result = replace(
        result,
        evidence=outage_evidence(of.incidents, of.grid, sli.within, context.window),
        findings=_findings(timeline, result, terms, context.window),
    )
    return Judgement.of(result, (), timeline)


def _figures(
    context: Context,
    service: Service,
    slo: Slo,
    terms: Terms,
    counted: Counted,
    everything: Counted,
    worst: _Worst,
) -> SloResult:
    """The result's figures over every window, and what the catalogue says of the SLO."""
    catalogue, grid, window = context.catalogue, counted.grid, context.window
    sli = catalogue.sli(service, slo)

    def over(period: Period, events: Counted, inside: Mask | None = None) -> Figure:
        where = grid.slice(period.start, period.end)
        part = inside if inside is None else inside[where]
        kept = events.keep[where] if events.keep is not None else None
        taken = part if kept is None else kept if part is None else part & kept
        seconds = float(period.end - period.start) if part is None else None
        found = figure(events, where, terms, seconds=seconds, inside=part, value=worst(where, taken))
        return _without_outages(found) if isinstance(sli, Recovery) else found

    own_window = period_of(slo.window, context.at, catalogue.timezone)
    earlier = before(window, catalogue.timezone)
    current = over(window, counted)
    same = (own_window.start, own_window.end) == (window.start, window.end)
    own = current if same else over(own_window, counted)
    previous = over(earlier, counted)
    # Buckets that were missing and count as bad are no data to compare with.
    known = previous.coverage > 0 or (previous.total > 0 and terms.missing != "bad")
    split = during(touching(context.events, window, service.name), service.name, grid)
    exclusions = touching(context.maintenance, window, service.name)
    return SloResult(
        service=service.name,
        slo=slo.name,
        kind=str(type(sli).__struct_config__.tag),
        unit=counted.unit,
        objective=slo.objective,
        window=window,
        figure=current,
        without_exclusions=current if counted is everything else over(window, everything),
        own_window=own_window,
        own=own,
        promise=slo.promise,
        description=slo.description,
        owner=service.owner,
        severity=slo.severity,
        consequence=slo.consequence,
        sla_objective=None if slo.sla is None else slo.sla.objective,
        sla_met=None if slo.sla is None else _sla_met(current, terms, slo.sla.objective),
        sla_consequence="" if slo.sla is None else slo.sla.consequence,
        threshold=_threshold(sli),
        quantile=sli.quantile if isinstance(sli, Latency) else None,
        before=previous if known else None,
        during_events=None if split is None else over(window, counted, split),
        outside_events=None if split is None else over(window, counted, ~split),
        exclusions=tuple(as_exclusion(interval) for interval in exclusions),
        action=_action(catalogue, slo, own.budget.left_ratio),
    )


def _kept(context: Context, service: Service, grid: Grid) -> Mask | None:
    """The buckets that maintenance leaves in; None where that is all of them."""
    mask = excluded(context.maintenance, service.name, grid)
    return None if mask is None else ~mask


def _without_outages(found: Figure) -> Figure:
    """A period of a recovery SLO that was observed and had no outages: met."""
    if found.total > 0 or found.coverage <= 0 or found.met is not None:
        return found
    return replace(found, met=True, reason="no outages")


def _sla_met(found: Figure, terms: Terms, objective: float) -> bool | None:
    """Whether the customers' objective was met by the same events."""
    if found.total <= 0:
        return found.met
    promised = replace(terms, objective=objective)
    return verdict(found.total, found.bad, found.coverage, found.interval, promised)[0]


def _threshold(sli: Sli) -> float | None:
    """The limit that the measured figure is held against, in the figure's own unit."""
    match sli:
        case Latency():
            return sli.threshold
        case Freshness():
            return sli.max_age
        case LastDuration():
            return sli.max
        case Recovery():
            return sli.within
        case Bound():
            return sli.max if sli.max is not None else sli.min
        case _:
            return None


def _action(catalogue: Catalogue, slo: Slo, left: float | None) -> str:
    """What the error-budget policy says to do now: its lowest step that the budget left has come down to."""
    if left is None:
        return ""
    steps = catalogue.policy if slo.policy is None else slo.policy
    reached = [(step.left, step.action) for step in steps if step.left is not None and left <= step.left + SLACK]
    return min(reached, key=lambda step: step[0])[1] if reached else ""


def _overlaps(incident: Incident, period: Period) -> bool:
    end = incident.recovered if incident.recovered is not None else incident.until
    return incident.start < period.end and (end is None or end > period.start)


def _findings(timeline: Timeline, result: SloResult, terms: Terms, window: Period) -> tuple[Finding, ...]:
    """What the source found in the periods of the result, and what the engine finds itself."""
    first = min(window.start, result.own_window.start)
    found = [
        finding
        for finding in timeline.findings
        if (finding.end is None or finding.end > first) and (finding.start is None or finding.start < window.end)
    ]
    known = {finding.kind for finding in found}
    with np.errstate(invalid="ignore"):
        over = timeline.good > timeline.total * (1 + 1e-9) + 1e-6
        negative = (timeline.good < 0) | (timeline.total < 0)
    for kind, mask, message in (
        ("good-over-total", over, "more good events than events in all: taken as all good"),
        ("negative-events", negative, "fewer than no events: taken as none"),
    ):
        if mask.any() and kind not in known:
            at = np.flatnonzero(mask)
            ends = timeline.grid.ends
            found.append(Finding(kind, message, int(at.size), int(ends[at[0]]) - timeline.grid.step, int(ends[at[-1]])))
    found.extend(_coverage_findings(result, terms, window, timeline.grid, known))
    return tuple(found)


def _coverage_findings(result: SloResult, terms: Terms, window: Period, grid: Grid, known: set[str]) -> list[Finding]:
    """Findings for periods that were not, or hardly, observed."""
    found: list[Finding] = []
    for period, one in ((window, result.figure), (result.own_window, result.own)):
        share = one.coverage
        where = grid.slice(period.start, period.end)
        gaps = max(0, round((where.stop - where.start) * (1 - share)))
        if one.reason == "all of it is excluded":
            continue
        if share <= 0 and "no-data" not in known:
            found.append(Finding("no-data", f"nothing was observed in {period.name}", gaps, period.start, period.end))
        elif 0 < share < terms.min_coverage:
            message = f"only {percent(share)} of {period.name} was observed"
            found.append(Finding("coverage", message, gaps, period.start, period.end))
        if (result.own_window.start, result.own_window.end) == (window.start, window.end):
            break
    return found
