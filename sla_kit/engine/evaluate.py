"""One SLO judged: its timeline and its promise in, its result out. `conclude` makes the whole answer of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sla_kit.catalogue.model import (
    Bound,
    Composite,
    Freshness,
    LastDuration,
    Latency,
    LogLatency,
    Recovery,
    Service,
    Sli,
    Slo,
)
from sla_kit.engine.budgeting import Counted, Terms, count, leaving_out
from sla_kit.engine.burn import alert_pairs, burn_rates, burndown
from sla_kit.engine.composite import combined, loss_shares, range_of, settling
from sla_kit.engine.conclusion import conclude
from sla_kit.engine.context import Context, Counts, Judgement, grid_for
from sla_kit.engine.evidence import runs_seen, worst_value
from sla_kit.engine.exclusions import as_exclusion, during, excluded, touching
from sla_kit.engine.figures import percent, verdict
from sla_kit.engine.heat import heat_map
from sla_kit.engine.incidents import find_incidents
from sla_kit.engine.outages import outage_evidence, outage_timeline, slowest
from sla_kit.engine.policy import policy_state
from sla_kit.engine.results import Exclusion, Figure, Incident, PartResult, Period, SloResult
from sla_kit.engine.rollups import rolled_up
from sla_kit.engine.windows import before, nominal_seconds, period_of
from sla_kit.timeline import Finding, Floats, Grid, Mask, Timeline

__all__ = ["Context", "Judgement", "conclude", "grid_for", "judge", "judge_composite", "judge_recovery"]

#: The measured figure of some buckets: a slice of the grid, and a mask of that slice's shape or None for all of it.
_Worst = Callable[[slice, Mask | None], float | None]


def judge(context: Context, service: Service, slo: Slo, timeline: Timeline, *, keep_counts: bool = False) -> Judgement:
    """Judges an SLO by the timeline of its indicator, which must be on `grid_for` of the context. The judgement keeps
    what was counted only where it is to be part of a composite."""
    sli = context.catalogue.sli(service, slo)
    grid, terms = timeline.grid, Terms.of(slo, sli)
    keep = _kept(context, service, grid)
    everything = count(timeline, terms)
    counted = everything if keep is None else leaving_out(everything, timeline, terms, keep)
    counts = Counts(counted, everything, terms)

    def worst(where: slice, inside: Mask | None) -> float | None:
        return worst_value(sli, timeline, where, inside)

    result = _figures(context, service, slo, counts, worst)
    requests = timeline.bad if timeline.unit == "requests" else None
    result, incidents = _told_over_time(context, service, slo, result, counts, counted, requests)
    result = replace(
        result,
        evidence=runs_seen(sli, timeline, context.window),
        findings=_findings(timeline, result, terms, context.window),
    )
    return Judgement.of(result, incidents, grid, timeline.coverage, counts if keep_counts else None)


def judge_composite(
    context: Context,
    service: Service,
    slo: Slo,
    judged: Mapping[tuple[str, str], Judgement],
    *,
    keep_counts: bool = False,
) -> Judgement:
    """Judges a composite by what its parts counted: ``judged`` must hold the judgement of each with its counts."""
    sli = context.catalogue.sli(service, slo)
    if not isinstance(sli, Composite):
        raise TypeError(f"{service.name}/{slo.name} is no composite")
    parts = [judged[part.target(service.name)] for part in sli.of]
    counts_of = [part.counts for part in parts if part.counts is not None]
    if len(counts_of) < len(parts) or not parts:
        raise ValueError(f"the parts of {service.name}/{slo.name} were judged without keeping their counts")
    grid = parts[0].grid
    keep = _kept(context, service, grid)
    everything = combined(sli, [counts.everything for counts in counts_of], None)
    same = keep is None and all(counts.counted is counts.everything for counts in counts_of)
    counted = everything if same else combined(sli, [counts.counted for counts in counts_of], keep)
    counts = Counts(counted, everything, Terms.of(slo, sli), settling(sli, counts_of, keep))
    result = _figures(context, service, slo, counts, lambda where, inside: None)
    single = counted if isinstance(counted, Counted) else None
    requests = single.bad if single is not None and single.unit == "requests" else None
    result, incidents = _told_over_time(context, service, slo, result, counts, single, requests)
    where = grid.slice(context.window.start, context.window.end)
    own = grid.slice(result.own_window.start, result.own_window.end)
    figures = [part.figure(where) for part in counts_of]
    events = [part.counted for part in counts_of]
    shares = loss_shares(sli, events, counted, figures, where)
    exclusions: dict[Exclusion, None] = dict.fromkeys(result.exclusions)
    for part in parts:
        exclusions.update(dict.fromkeys(part.result.exclusions))
    result = replace(
        result,
        combine=sli.combine,
        parts=tuple(
            PartResult(
                *judgement.result.key,
                judgement.result.kind,
                judgement.result.unit,
                judgement.result.objective,
                part.weight,
                found,
                part_counts.figure(own),
                share,
                judgement.result.parts,
            )
            for part, judgement, part_counts, found, share in zip(
                sli.of, parts, counts_of, figures, shares, strict=True
            )
        ),
        sli_range=range_of(events, counted, where) if sli.combine == "all" else None,
        exclusions=tuple(sorted(exclusions, key=lambda exclusion: (exclusion.start, exclusion.name))),
        findings=tuple(_coverage_findings(result, counts.terms, context.window, grid, set())),
    )
    return Judgement.of(result, incidents, grid, counted.coverage, counts if keep_counts else None)


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

    counts = Counts(counted, everything, terms, _without_outages)
    result = _figures(context, service, slo, counts, worst)
    result = replace(
        _by_policy(context, service, slo, result, (), counts),
        evidence=outage_evidence(of.incidents, of.grid, sli.within, context.window),
        findings=_findings(timeline, result, terms, context.window),
    )
    return Judgement.of(result, (), of.grid, timeline.coverage)


def _figures(context: Context, service: Service, slo: Slo, counts: Counts, worst: _Worst) -> SloResult:
    """The result's figures over every window, and what the catalogue says of the SLO."""
    counted, terms = counts.counted, counts.terms
    catalogue, grid, window = context.catalogue, counted.grid, context.window
    sli = catalogue.sli(service, slo)

    def over(period: Period, inside: Mask | None = None, whole: bool = False) -> Figure:
        where = grid.slice(period.start, period.end)
        part = inside if inside is None else inside[where]
        keep = counts.everything.keep if whole else counted.keep
        kept = None if keep is None else keep[where]
        taken = part if kept is None else kept if part is None else part & kept
        seconds = float(period.end - period.start) if part is None else None
        return counts.figure(where, inside=part, whole=whole, seconds=seconds, value=worst(where, taken))

    own_window = period_of(slo.window, context.at, catalogue.timezone)
    earlier = before(window, catalogue.timezone)
    current = over(window)
    same = (own_window.start, own_window.end) == (window.start, window.end)
    own = current if same else over(own_window)
    previous = over(earlier)
    # Buckets that were missing and count as bad are no data to compare with.
    known = previous.coverage > 0 or (previous.total > 0 and terms.missing != "bad")
    split = during(touching(context.events, window, service.name), service.name, grid)
    exclusions = touching(context.maintenance, window, service.name)
    where = grid.slice(window.start, window.end)
    return SloResult(
        service=service.name,
        slo=slo.name,
        kind=str(type(sli).__struct_config__.tag),
        unit=counted.unit,
        objective=slo.objective,
        window=window,
        figure=current,
        without_exclusions=current if counted is counts.everything else over(window, whole=True),
        own_window=own_window,
        own=own,
        promise=slo.promise,
        description=slo.description,
        owner=service.owner,
        severity=slo.severity,
        consequence=slo.consequence,
        sla_objective=None if slo.sla is None else slo.sla.objective,
        sla_met=None if slo.sla is None else _sla_met(current, counts, slo.sla.objective, where),
        sla_consequence="" if slo.sla is None else slo.sla.consequence,
        threshold=_threshold(sli),
        quantile=sli.quantile if isinstance(sli, Latency | LogLatency) else None,
        before=previous if known else None,
        during_events=None if split is None else over(window, split),
        outside_events=None if split is None else over(window, ~split),
        exclusions=tuple(as_exclusion(interval) for interval in exclusions),
        rollups=rolled_up(context.rollups, over),
    )


def _told_over_time(
    context: Context,
    service: Service,
    slo: Slo,
    result: SloResult,
    counts: Counts,
    single: Counted | None,
    requests: Floats | None,
) -> tuple[SloResult, tuple[Incident, ...]]:
    """A result with burn rates, budget over time, heat map and how it stands by its policy, and all its incidents.
    ``single`` is what was counted where it holds events bucket by bucket, which incidents are made of; ``requests``
    (count,) the bad requests where events are requests."""
    counted, allowed_ratio = counts.counted, counts.terms.allowed_ratio
    grid = counted.grid
    pairs = alert_pairs(nominal_seconds(slo.window), grid.step, allowed_ratio)
    incidents: tuple[Incident, ...] = ()
    if single is not None:
        incidents = find_incidents(
            single,
            allowed_ratio,
            pairs,
            service=service.name,
            slo=slo.name,
            allowed=result.own.budget.allowed,
            requests=requests,
            events=context.events,
        )
    own = grid.slice(result.own_window.start, result.own_window.end)
    told = replace(
        result,
        burn_rates=burn_rates(counted, context.at, pairs, allowed_ratio),
        burndown=burndown(counted, own, result.own.budget.allowed),
        heat=heat_map(counted, grid.slice(context.window.start, context.window.end), context.catalogue.timezone),
        incidents=tuple(incident for incident in incidents if _overlaps(incident, context.window)),
    )
    return _by_policy(context, service, slo, told, incidents, counts), incidents


def _kept(context: Context, service: Service, grid: Grid) -> Mask | None:
    """The buckets that maintenance leaves in; None where that is all of them."""
    mask = excluded(context.maintenance, service.name, grid)
    return None if mask is None else ~mask


def _without_outages(found: Figure, promised: Terms, where: slice, inside: Mask | None, whole: bool) -> Figure:
    """A period of a recovery SLO that was observed and had no outages: met."""
    if found.total > 0 or found.coverage <= 0 or found.met is not None:
        return found
    return replace(found, met=True, reason="no outages")


def _sla_met(found: Figure, counts: Counts, objective: float, where: slice) -> bool | None:
    """Whether the customers' objective was met by the same events."""
    if found.total <= 0:
        return found.met
    promised = replace(counts.terms, objective=objective)
    met, reason = verdict(found.total, found.bad, found.coverage, found.interval, promised)
    return counts.settle(replace(found, met=met, reason=reason), promised, where, None, False).met


def _threshold(sli: Sli) -> float | None:
    """The limit that the measured figure is held against, in the figure's own unit."""
    match sli:
        case Latency() | LogLatency():
            return sli.threshold
        case Freshness():
            return sli.max_age
        case LastDuration():
            return sli.max
        case Recovery():
            return sli.within
        case Bound():
            return sli.upper if sli.upper is not None else sli.lower
        case _:
            return None


def _by_policy(
    context: Context, service: Service, slo: Slo, result: SloResult, incidents: Sequence[Incident], counts: Counts
) -> SloResult:
    """A result with how it stands by its error-budget policy."""
    state = policy_state(context, service, slo, result.own, result.own_window, incidents, counts)
    reached = () if state is None else state.reached
    return replace(result, policy=state, action=reached[0].action if reached else "")


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
