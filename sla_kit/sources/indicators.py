"""From bucketed series to timelines: what each kind of indicator asks for, and what the answer means.

The same code serves a live Prometheus and a recorded history; a reader only has to answer `SeriesQuery`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np

from sla_kit.catalogue.model import (
    Bound,
    Freshness,
    LastDuration,
    Latency,
    Matchers,
    Probe,
    Promql,
    Recovery,
    Requests,
)
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.increments import increments, lives
from sla_kit.sources.series import Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline

#: How far before the first bucket a source is read, so that counters and gaps have a known beginning.
LEAD_SECONDS = 3600
#: A metric that has been silent for this long at the end of the history has vanished.
_VANISHED_SECONDS = 600

Frames = Mapping[SeriesQuery, SeriesFrame]


class Reader(Protocol):
    """What a source of metrics must be able to do; everything else is shared."""

    def read(
        self, queries: Sequence[SeriesQuery], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[SeriesQuery, SeriesFrame]]:
        """Each query with its answer, each exactly once, in any order."""
        ...

    def read_native(self, selector: Selector, grid: Grid) -> tuple[Histogram, Mask, tuple[Finding, ...]]:
        """The observations of native histograms per bucket, the buckets that were observed, and findings."""
        ...

    def read_promql(self, expression: str, grid: Grid) -> tuple[Floats, tuple[Finding, ...]]:
        """An expression at the end of each bucket, shape (grid.count,), NaN where it has no value."""
        ...


def queries_of(indicator: Indicator) -> list[SeriesQuery]:
    """What must be read to know an indicator; nothing for those that are not read as bucketed series."""
    match indicator.sli:
        case Requests() as sli:
            return list(_request_queries(sli, indicator.sum_labels))
        case Latency(native=False) as sli:
            return [_histogram_query(sli, indicator.sum_labels)]
        case Probe() as sli:
            selector = Selector.of(sli.metric, sli.matchers)
            return [SeriesQuery(selector, Reduction.SUM), SeriesQuery(selector, Reduction.COUNT)]
        case Freshness() as sli:
            return [_last(sli.metric, sli.matchers)]
        case LastDuration() as sli:
            metrics = [sli.metric] + ([sli.completed_metric] if sli.completed_metric else [])
            return [_last(metric, sli.matchers) for metric in metrics]
        case Bound() as sli:
            return [SeriesQuery(Selector.of(sli.metric, sli.matchers), Reduction.MEAN)]
        case _:
            return []


def timeline_of(indicator: Indicator, frames: Frames, grid: Grid, reader: Reader) -> Timeline:
    """The timeline of one indicator from the answers to `queries_of` (and from the reader, for what is not series)."""
    match indicator.sli:
        case Requests() as sli:
            return _requests(sli, indicator.sum_labels, frames, grid)
        case Latency(native=False) as sli:
            return _latency(sli, indicator.sum_labels, frames[_histogram_query(sli, indicator.sum_labels)], grid)
        case Latency() as sli:
            return _native_latency(sli, reader, grid)
        case Probe() as sli:
            return _probe(sli, frames, grid)
        case Freshness() as sli:
            return _freshness(sli, frames, grid)
        case LastDuration() as sli:
            return _last_duration(sli, frames, grid)
        case Bound() as sli:
            return _bound(sli, frames, grid)
        case Promql() as sli:
            return _promql(sli, reader, grid)
        case Recovery():
            raise ValueError("recovery is derived from the outages of another SLO, not read from a source")


def fetch_timelines(
    reader: Reader, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
) -> Iterator[tuple[Indicator, Timeline]]:
    """Every indicator with its timeline; equal indicators are read and computed once, shared queries asked once."""
    lead = -(-LEAD_SECONDS // grid.step)
    wide = Grid(grid.start - lead * grid.step, grid.step, grid.count + lead)
    same: dict[bytes, list[Indicator]] = {}
    for indicator in indicators:
        same.setdefault(msgspec.json.encode((indicator.sli, indicator.sum_labels)), []).append(indicator)
    waiting = {key: set(queries_of(group[0])) for key, group in same.items()}
    wanted_by: dict[SeriesQuery, list[bytes]] = {}
    for key, wanted in waiting.items():
        for query in wanted:
            wanted_by.setdefault(query, []).append(key)
    frames: dict[SeriesQuery, SeriesFrame] = {}

    def finish(key: bytes) -> Iterator[tuple[Indicator, Timeline]]:
        timeline = _cut(timeline_of(same[key][0], frames, wide, reader), grid, lead)
        for indicator in same[key]:
            yield indicator, timeline

    for key, wanted in waiting.items():
        if not wanted:
            yield from finish(key)
    left = {query: len(keys) for query, keys in wanted_by.items()}
    for query, frame in reader.read(sorted(wanted_by, key=_order), wide, progress):
        frames[query] = _in_order(frame)
        for key in wanted_by[query]:
            waiting[key].discard(query)
            if waiting[key]:
                continue
            yield from finish(key)
            for used in queries_of(same[key][0]):
                left[used] -= 1
                if not left[used]:
                    del frames[used]


def _in_order(frame: SeriesFrame) -> SeriesFrame:
    """The frame with its series by label, so that sums round alike whatever order a source answers in."""
    order = sorted(range(len(frame.labels)), key=frame.labels.__getitem__)
    if order == list(range(len(order))):
        return frame
    return SeriesFrame(frame.grid, tuple(frame.labels[row] for row in order), frame.values[order], frame.findings)


def _order(query: SeriesQuery) -> tuple[str, str, str]:
    return query.selector.metric, query.selector.promql(), query.reduction.value


def _cut(timeline: Timeline, grid: Grid, lead: int) -> Timeline:
    """The timeline without the buckets that were only read to know where counters stood."""

    def tail(array: Floats | None) -> Floats | None:
        return None if array is None else np.ascontiguousarray(array[lead:])

    histogram = timeline.histogram
    return Timeline(
        grid=grid,
        good=timeline.good[lead:].copy(),
        total=timeline.total[lead:].copy(),
        coverage=timeline.coverage[lead:].copy(),
        unit=timeline.unit,
        value=tail(timeline.value),
        completed=tail(timeline.completed),
        histogram=None if histogram is None else Histogram(histogram.bounds, histogram.counts[lead:].copy()),
        findings=timeline.findings,
    )


# --- counters -------------------------------------------------------------------------------------------------------


def _request_queries(sli: Requests, sum_labels: tuple[str, ...]) -> tuple[SeriesQuery, SeriesQuery]:
    """The queries for all events and for the declared side."""
    side = sli.good if sli.good is not None else sli.bad
    metric = (sli.good_metric if sli.good is not None or sli.bad is None else sli.bad_metric) or sli.metric
    if side is None:
        metric = sli.good_metric or sli.bad_metric or sli.metric
    return (
        SeriesQuery(Selector.of(sli.metric, sli.matchers), Reduction.MAX, sum_labels),
        SeriesQuery(Selector.of(metric, sli.matchers, side or {}), Reduction.MAX, sum_labels),
    )


def _requests(sli: Requests, sum_labels: tuple[str, ...], frames: Frames, grid: Grid) -> Timeline:
    total_query, side_query = _request_queries(sli, sum_labels)
    all_frame, side_frame = frames[total_query], frames[side_query]
    known = lives(all_frame, sum_labels)
    total = increments(all_frame, known, sum_labels=sum_labels)[0]
    side = increments(side_frame, known, sum_labels=sum_labels)[0]
    coverage, seen = _coverage(all_frame.values)
    findings = [*all_frame.findings, *side_frame.findings, *_absence(seen, grid, sli.metric)]
    side_name = "good" if sli.good is not None or sli.good_metric else "bad"
    over = side > total * (1 + 1e-9) + 1e-6
    if over.any():
        findings.append(_where(over, grid, f"{side_name}-over-total", f"more {side_name} events than events in all"))
    if side_name == "good":
        good, total = np.minimum(side, total), total
    else:
        # Bad events are never dropped: where two counters disagree, the larger one is believed.
        total = np.maximum(total, side)
        good = total - side
    return Timeline(grid, good, total, coverage, "requests", findings=tuple(findings))


def _histogram_query(sli: Latency, sum_labels: tuple[str, ...]) -> SeriesQuery:
    return SeriesQuery(Selector.of(sli.metric + "_bucket", sli.matchers), Reduction.MAX, sum_labels)


def _latency(sli: Latency, sum_labels: tuple[str, ...], frame: SeriesFrame, grid: Grid) -> Timeline:
    bound_of = [_bound_value(dict(labels).get("le", "")) for labels in frame.labels]
    usable = [row for row, bound in enumerate(bound_of) if bound is not None]
    coverage, seen = _coverage(frame.values)
    findings = [*frame.findings, *_absence(seen, grid, sli.metric + "_bucket")]
    if not usable:
        nothing = np.zeros(grid.count)
        return Timeline(grid, nothing, nothing.copy(), coverage, "requests", findings=tuple(findings))
    frame = SeriesFrame(grid, tuple(frame.labels[row] for row in usable), frame.values[usable])
    rows = [bound for bound in bound_of if bound is not None]
    bounds = np.array(sorted(set(rows)))
    groups = np.searchsorted(bounds, rows)
    # The widest bucket counts everything, so it tells when a process appeared.
    widest = [row for row, bound in enumerate(rows) if bound == bounds[-1]]
    known = lives(SeriesFrame(grid, tuple(frame.labels[row] for row in widest), frame.values[widest]), sum_labels)
    counts = np.ascontiguousarray(increments(frame, known, list(groups), sum_labels).T)
    np.maximum.accumulate(counts, axis=1, out=counts)
    if np.isfinite(bounds[-1]):
        findings.append(
            Finding("no-infinity-bucket", f"{sli.metric} has no le=+Inf bucket; its last one counts as all")
        )
        bounds = np.append(bounds, np.inf)
        counts = np.column_stack([counts, counts[:, -1]])
    histogram = Histogram(bounds * sli.unit_seconds, counts)
    return _judged(sli, histogram, coverage, grid, findings)


def _native_latency(sli: Latency, reader: Reader, grid: Grid) -> Timeline:
    histogram, observed, findings = reader.read_native(Selector.of(sli.metric, sli.matchers), grid)
    coverage = observed.astype(np.float64)
    notes = [*findings, *_absence(observed, grid, sli.metric)]
    return _judged(sli, Histogram(histogram.bounds * sli.unit_seconds, histogram.counts), coverage, grid, notes)


def _judged(sli: Latency, histogram: Histogram, coverage: Floats, grid: Grid, findings: list[Finding]) -> Timeline:
    """Good are the observations at or under the threshold; between two bounds they are taken to lie evenly, as
    Prometheus's histogram_quantile takes them."""
    bounds, counts = histogram.bounds, histogram.counts
    if not counts.shape[1]:
        nothing = np.zeros(grid.count)
        return Timeline(grid, nothing, nothing.copy(), coverage, "requests", None, None, histogram, tuple(findings))
    close = np.isclose(bounds, sli.threshold, rtol=1e-9, atol=0)
    if close.any():
        good = counts[:, int(np.argmax(close))].copy()
    else:
        upper = int(np.searchsorted(bounds, sli.threshold))
        below = counts[:, upper - 1] if upper else np.zeros(grid.count)
        low, high = (float(bounds[upper - 1]) if upper else 0.0), float(bounds[upper])
        share = (sli.threshold - low) / (high - low) if np.isfinite(high) else 0.0
        good = below + (counts[:, upper] - below) * share
        nearest = f"{low:g} s and {high:g} s"
        message = f"{sli.threshold:g} s lies between the buckets {nearest} of {sli.metric}: its share is estimated"
        if not sli.native:
            findings.append(Finding("threshold-between-buckets", message))
    total = counts[:, -1].copy()
    return Timeline(
        grid, np.minimum(good, total), total, coverage, "requests", histogram=histogram, findings=tuple(findings)
    )


def _bound_value(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# --- gauges ---------------------------------------------------------------------------------------------------------


def _last(metric: str, matchers: Matchers) -> SeriesQuery:
    return SeriesQuery(Selector.of(metric, matchers), Reduction.LAST)


def _probe(sli: Probe, frames: Frames, grid: Grid) -> Timeline:
    selector = Selector.of(sli.metric, sli.matchers)
    up_frame = frames[SeriesQuery(selector, Reduction.SUM)]
    count_frame = frames[SeriesQuery(selector, Reduction.COUNT)]
    up, count = np.nan_to_num(_aligned(up_frame, count_frame)), np.nan_to_num(count_frame.values)
    if sli.combine == "mean" or not len(count):
        good, total = up.sum(axis=0), count.sum(axis=0)
    else:
        ratio = np.divide(up, count, out=np.full(up.shape, np.nan), where=count > 0)
        best = _combined(ratio, "max" if sli.combine == "any" else "min")
        total = count.max(axis=0)
        good = np.nan_to_num(best) * total
    total = np.asarray(total, dtype=np.float64)
    good = np.minimum(np.maximum(good, 0.0), total)
    coverage, seen = _coverage(count_frame.values)
    findings = (*up_frame.findings, *count_frame.findings, *_absence(seen, grid, sli.metric))
    value = np.full(grid.count, np.nan)
    np.divide(good, total, out=value, where=total > 0)
    return Timeline(grid, good, total, coverage, "samples", value, findings=findings)


def _freshness(sli: Freshness, frames: Frames, grid: Grid) -> Timeline:
    frame = frames[_last(sli.metric, sli.matchers)]
    stamps = _combined(frame.values, "max" if sli.combine == "newest" else "min")
    stamps[stamps <= 0] = np.nan  # exporters say 0 for "never"
    stamps = _held(stamps, frame.values)
    age = grid.ends - stamps
    findings = list(frame.findings)
    ahead = age < -grid.step
    if ahead.any():
        findings.append(_where(ahead, grid, "clock-ahead", f"{sli.metric} names a time in the future"))
    never = _combined(frame.values, "max") <= 0
    if never.any():
        findings.append(_where(never, grid, "never", f"{sli.metric} is 0: it has never happened"))
    return _minutes(grid, frame, sli.metric, age, lambda age: age <= sli.max_age, findings, stamps, never)


def _last_duration(sli: LastDuration, frames: Frames, grid: Grid) -> Timeline:
    frame = frames[_last(sli.metric, sli.matchers)]
    seconds = _held(_combined(frame.values, "max"), frame.values)
    completed = None
    findings = list(frame.findings)
    if sli.completed_metric:
        dated = frames[_last(sli.completed_metric, sli.matchers)]
        completed = _held(_combined(dated.values, "max"), dated.values)
        completed[completed <= 0] = np.nan
        findings.extend(dated.findings)
    return _minutes(grid, frame, sli.metric, seconds, lambda seconds: seconds <= sli.max, findings, completed)


def _bound(sli: Bound, frames: Frames, grid: Grid) -> Timeline:
    frame = frames[SeriesQuery(Selector.of(sli.metric, sli.matchers), Reduction.MEAN)]
    value = _held(_combined(frame.values, sli.combine), frame.values)

    def inside(value: Floats) -> Mask:
        low = -np.inf if sli.min is None else sli.min
        high = np.inf if sli.max is None else sli.max
        kept: Mask = (value >= low) & (value <= high)
        return kept

    return _minutes(grid, frame, sli.metric, value, inside, list(frame.findings))


def _minutes(
    grid: Grid,
    frame: SeriesFrame,
    metric: str,
    value: Floats,
    judge: Callable[[Floats], Mask],
    findings: list[Finding],
    completed: Floats | None = None,
    bad_anyway: Mask | None = None,
) -> Timeline:
    """A timeline whose events are minutes: good ones are those in which the value passes."""
    known = ~np.isnan(value)
    good = np.zeros(grid.count)
    good[known] = judge(value[known])
    counted = known if bad_anyway is None else known | bad_anyway
    minutes = grid.step / 60
    good, total = good * minutes, counted.astype(np.float64) * minutes
    coverage, seen = _coverage(frame.values)
    findings.extend(_absence(seen, grid, metric))
    return Timeline(grid, good, total, coverage, "minutes", value, completed, findings=tuple(findings))


def _combined(values: Floats, how: str) -> Floats:
    """Several series as one, shape (count,); NaN where none has a value."""
    count = values.shape[1]
    if not len(values):
        return np.full(count, np.nan)
    known = ~np.isnan(values)
    some = known.any(axis=0)
    if how == "max":
        result = np.where(known, values, -np.inf).max(axis=0)
    elif how == "min":
        result = np.where(known, values, np.inf).min(axis=0)
    else:
        result = np.where(known, values, 0.0).sum(axis=0)
        if how == "mean":
            result = np.divide(result, known.sum(axis=0), out=np.zeros(count), where=some)
    return np.where(some, result, np.nan)


def _aligned(frame: SeriesFrame, like: SeriesFrame) -> Floats:
    """The values of a frame with its series in the order of another; NaN rows for series it lacks."""
    at = {labels: row for row, labels in enumerate(frame.labels)}
    result = np.full(like.values.shape, np.nan)
    for row, labels in enumerate(like.labels):
        if labels in at:
            result[row] = frame.values[at[labels]]
    return result


# --- coverage -------------------------------------------------------------------------------------------------------


def _cadence(seen: Mask) -> int:
    """How many buckets apart scrapes are: 1 where every bucket has a sample, more where scrapes are rarer."""
    at = np.flatnonzero(seen)
    return int(np.median(np.diff(at))) if at.size > 1 else 1


def _seen(values: Floats) -> Mask:
    """The buckets in which any series has a sample, shape (count,)."""
    return np.asarray((~np.isnan(values)).any(axis=0), dtype=np.bool_)


def _coverage(values: Floats) -> tuple[Floats, Mask]:
    """The share of each bucket that was observed, and the buckets with samples. Where scrapes are rarer than buckets
    a sample also covers the buckets up to the next one that is due."""
    seen = _seen(values)
    covered = seen.copy()
    for late in range(1, _cadence(seen)):
        covered[late:] |= seen[:-late]
    return covered.astype(np.float64), seen


def _held(value: Floats, values: Floats) -> Floats:
    """A gauge held until the next scrape is due, where scrapes are rarer than buckets."""
    cadence = _cadence(_seen(values))
    result = value.copy()
    for late in range(1, cadence):
        gap = np.isnan(result[late:]) & ~np.isnan(value[:-late])
        result[late:][gap] = value[:-late][gap]
    return result


def _absence(seen: Mask, grid: Grid, metric: str) -> list[Finding]:
    """Findings for a metric that was never there, or that has vanished."""
    at = np.flatnonzero(seen)
    if not at.size:
        return [Finding("no-data", f"no series of {metric} matches", grid.count, grid.start, grid.end)]
    silent = grid.count - 1 - int(at[-1])
    if silent * grid.step < max(_VANISHED_SECONDS, 3 * _cadence(seen) * grid.step):
        return []
    last = int(grid.ends[at[-1]])
    return [
        Finding(
            "vanished",
            f"{metric} has vanished: its last sample is in the bucket that ends then",
            silent,
            last,
            grid.end,
        )
    ]


def _where(mask: Mask, grid: Grid, kind: str, message: str) -> Finding:
    at = np.flatnonzero(mask)
    return Finding(kind, message, int(at.size), int(grid.ends[at[0]]) - grid.step, int(grid.ends[at[-1]]))


# --- expressions ----------------------------------------------------------------------------------------------------


def _promql(sli: Promql, reader: Reader, grid: Grid) -> Timeline:
    total, findings = reader.read_promql(sli.total, grid)
    expression = sli.good if sli.good is not None else sli.bad
    assert expression is not None, "check refuses a promql indicator without good or bad"
    side, more = reader.read_promql(expression, grid)
    seen = ~np.isnan(total)
    total = np.clip(np.nan_to_num(total), 0.0, None)
    side = np.clip(np.nan_to_num(side), 0.0, None)
    notes = [*findings, *more, *_absence(seen, grid, sli.total)]
    over = side > total * (1 + 1e-9) + 1e-6
    if over.any():
        notes.append(_where(over, grid, "bad-over-total", "one side of the expression is more than its total"))
    if sli.good is not None:
        good = np.minimum(side, total)
    else:
        total = np.maximum(total, side)
        good = total - side
    return Timeline(grid, good, total, seen.astype(np.float64), "requests", findings=tuple(notes))
