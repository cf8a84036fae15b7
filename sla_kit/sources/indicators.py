"""From bucketed series to timelines: what each kind of indicator asks for, and what the answer means.

The same code serves a live Prometheus and a recorded history; a reader only has to answer `SeriesQuery`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec
import numpy as np

from sla_kit.catalogue.model import (
    Bound,
    Composite,
    External,
    Freshness,
    LastDuration,
    Latency,
    LogEvents,
    LogLatency,
    Probe,
    Promql,
    Recovery,
    Requests,
    Sli,
)
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.counters import (
    CountedFrame,
    all_query,
    counted,
    histogram,
    histogram_query,
    judged,
    latency,
    requests,
    side_of,
    side_query,
)
from sla_kit.sources.coverage import absence, finding_at
from sla_kit.sources.gauges import bound, bound_of_values, freshness, last_duration, last_query, probe
from sla_kit.sources.series import Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline, Unit

#: How far before the first bucket a source is read, so that counters and gaps have a known beginning.
LEAD_SECONDS = 3600


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


class _Answers(Mapping[SeriesQuery, SeriesFrame]):
    """The frames that are there, and what was computed from them, as long as an indicator still needs them."""

    def __init__(self) -> None:
        self._frames: dict[SeriesQuery, SeriesFrame] = {}
        self._counted: dict[SeriesQuery, CountedFrame] = {}
        self._histograms: dict[SeriesQuery, Histogram] = {}

    def __getitem__(self, query: SeriesQuery) -> SeriesFrame:
        return self._frames[query]

    def __iter__(self) -> Iterator[SeriesQuery]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, query: SeriesQuery, frame: SeriesFrame) -> None:
        """Keeps an answer."""
        self._frames[query] = _in_order(frame)

    def drop(self, query: SeriesQuery) -> None:
        """Lets go of an answer."""
        for kept in (self._frames, self._counted, self._histograms):
            kept.pop(query, None)

    def counted(self, query: SeriesQuery) -> CountedFrame:
        """The events behind an answer of counters."""
        if query not in self._counted:
            self._counted[query] = counted(self._frames[query], query.sum_labels)
        return self._counted[query]

    def histogram(self, query: SeriesQuery) -> Histogram:
        """The observations behind an answer of classic buckets."""
        if query not in self._histograms:
            self._histograms[query] = histogram(self.counted(query))
        return self._histograms[query]


def queries_of(indicator: Indicator) -> list[SeriesQuery]:
    """What must be read to know an indicator; nothing for those that are not read as bucketed series."""
    labels = indicator.sum_labels
    match indicator.sli:
        case Requests() as sli:
            other = side_query(sli, labels)
            return [all_query(sli, labels)] + ([other] if other is not None else [])
        case Latency(native=False) as sli:
            return [histogram_query(sli, labels)]
        case Probe() as sli:
            selector = Selector.of(sli.metric, sli.matchers)
            return [SeriesQuery(selector, Reduction.SUM), SeriesQuery(selector, Reduction.COUNT)]
        case Freshness() as sli:
            return [last_query(sli.metric, sli.matchers)]
        case LastDuration() as sli:
            metrics = [sli.metric] + ([sli.completed_metric] if sli.completed_metric else [])
            return [last_query(metric, sli.matchers) for metric in metrics]
        case Bound(promql="") as sli:
            return [SeriesQuery(Selector.of(sli.metric, sli.matchers), Reduction.MEAN)]
        case _:
            return []


def _timeline_of(indicator: Indicator, answers: _Answers, grid: Grid, reader: Reader) -> Timeline:
    """The timeline of one indicator from the answers to `queries_of` (and from the reader, for what is not series)."""
    labels = indicator.sum_labels
    match indicator.sli:
        case Requests() as sli:
            other = side_query(sli, labels)
            side = None if other is None else answers[other]
            return requests(sli, answers.counted(all_query(sli, labels)), side, labels, grid)
        case Latency(native=False) as sli:
            query = histogram_query(sli, labels)
            return latency(sli, answers.histogram(query), answers.counted(query), grid)
        case Latency() as sli:
            return _native_latency(sli, reader, grid)
        case Probe() as sli:
            return probe(sli, answers, grid)
        case Freshness() as sli:
            return freshness(sli, answers, grid)
        case LastDuration() as sli:
            return last_duration(sli, answers, grid)
        case Bound(promql="") as sli:
            return bound(sli, answers, grid)
        case Bound() as sli:
            return bound_of_values(sli, *reader.read_promql(sli.promql, grid), grid)
        case External() as sli:
            return unread(sli, grid)
        case LogEvents() | LogLatency():
            return without_logs(grid)
        case Promql() as sli:
            return _promql(sli, reader, grid)
        case Recovery() | Composite():
            raise ValueError("what is derived from other SLOs is not read from a source")


def fetch_timelines(
    reader: Reader, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
) -> Iterator[tuple[Indicator, Timeline]]:
    """Every indicator with its timeline; equal indicators are read and computed once, shared queries asked once."""
    lead = -(-LEAD_SECONDS // grid.step)
    wide = Grid(grid.start - lead * grid.step, grid.step, grid.count + lead)
    kept = _dividing(indicators)
    same: dict[bytes, list[Indicator]] = {}
    for indicator in indicators:
        same.setdefault(msgspec.json.encode((indicator.sli, indicator.sum_labels)), []).append(indicator)
    wanted = {key: _summing(group[0], kept) for key, group in same.items()}
    waiting = {key: set(queries_of(indicator)) for key, indicator in wanted.items()}
    wanted_by: dict[SeriesQuery, list[bytes]] = {}
    for key, queries in waiting.items():
        for query in queries:
            wanted_by.setdefault(query, []).append(key)
    answers = _Answers()

    def finish(key: bytes) -> Iterator[tuple[Indicator, Timeline]]:
        timeline = _cut(_timeline_of(wanted[key], answers, wide, reader), grid, lead)
        for indicator in same[key]:
            yield indicator, timeline

    for key, queries in waiting.items():
        if not queries:
            yield from finish(key)
    left = {query: len(keys) for query, keys in wanted_by.items()}
    for query, frame in reader.read(_reading_order(wanted_by, waiting), wide, progress):
        answers.add(query, frame)
        for key in wanted_by[query]:
            waiting[key].discard(query)
            if waiting[key]:
                continue
            yield from finish(key)
            for used in queries_of(wanted[key]):
                left[used] -= 1
                if not left[used]:
                    answers.drop(used)


def absence_of(sli: Sli, seen: Mask, grid: Grid) -> list[Finding]:
    """Findings for an indicator whose metric was never there, or has vanished, from the buckets that were observed."""
    match sli:
        case Latency(native=False):
            return absence(seen, grid, sli.metric + "_bucket")
        case Promql():
            return absence(seen, grid, sli.total)
        case Bound():
            return absence(seen, grid, sli.promql or sli.metric)
        case Requests() | Latency() | Probe() | Freshness() | LastDuration():
            return absence(seen, grid, sli.metric)
        case _:
            return []


def summed_alone(indicators: Sequence[Indicator]) -> list[Indicator]:
    """The indicators with the labels that may be summed for them even if each is read without the others."""
    kept = _dividing(indicators)
    return [_summing(indicator, kept) for indicator in indicators]


def _dividing(indicators: Sequence[Indicator]) -> dict[str, set[str]]:
    """By metric, the labels that tell good events from bad ones. They must survive summing, and then one answer
    serves every indicator on the metric."""
    found: dict[str, set[str]] = {}
    for indicator in indicators:
        if isinstance(indicator.sli, Requests):
            side = side_of(indicator.sli)
            if side.metric == indicator.sli.metric:
                found.setdefault(side.metric, set()).update(side.matchers)
    return found


def _summing(indicator: Indicator, kept: Mapping[str, set[str]]) -> Indicator:
    """The indicator with the labels that may be summed for its metric."""
    if not isinstance(indicator.sli, Requests):
        return indicator
    needed = kept.get(indicator.sli.metric, set())
    labels = tuple(label for label in indicator.sum_labels if label not in needed)
    return replace(indicator, sum_labels=labels)


def _in_order(frame: SeriesFrame) -> SeriesFrame:
    """The frame with its series by label, so that sums round alike whatever order a source answers in."""
    order = sorted(range(len(frame.labels)), key=frame.labels.__getitem__)
    if order == list(range(len(order))):
        return frame
    return SeriesFrame(frame.grid, tuple(frame.labels[row] for row in order), frame.values[order], frame.findings)


def _reading_order(
    wanted_by: Mapping[SeriesQuery, Sequence[bytes]], wants: Mapping[bytes, Collection[SeriesQuery]]
) -> list[SeriesQuery]:
    """The queries, those of one indicator after each other, so that no answer waits long for what it is needed with."""
    ordered: dict[SeriesQuery, None] = {}
    for query in sorted(wanted_by, key=_order):
        if query not in ordered:
            ordered[query] = None
            others = {other for key in wanted_by[query] for other in wants[key]}
            ordered.update(dict.fromkeys(sorted(others - {query}, key=_order)))
    return list(ordered)


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
        findings=tuple(_clipped(finding, grid) for finding in timeline.findings),
    )


def _clipped(finding: Finding, grid: Grid) -> Finding:
    """A finding that begins in the lead, as the grid has it."""
    if finding.start is None or finding.start >= grid.start or finding.end is None or finding.end <= grid.start:
        return finding
    return replace(finding, start=grid.start, count=min(finding.count, grid.count))


# --- what is not read as series -------------------------------------------------------------------------------------


def _native_latency(sli: Latency, reader: Reader, grid: Grid) -> Timeline:
    observed, seen, findings = reader.read_native(Selector.of(sli.metric, sli.matchers), grid)
    notes = [*findings, *absence(seen, grid, sli.metric)]
    seconds = Histogram(observed.bounds * sli.unit_seconds, observed.counts)
    return judged(sli, seconds, seen.astype(np.float64), grid, notes)


def unread(sli: External, grid: Grid) -> Timeline:
    """The timeline of an indicator that no source of ours reads: nothing is known, and a finding says so."""
    message = f"no source of sla-kit reads {sli.type}: nothing is known of this indicator"
    nothing = np.zeros(grid.count)
    unit: Unit = "requests" if sli.counts_events else "minutes"
    finding = Finding("unread", message, grid.count, grid.start, grid.end)
    return Timeline(grid, nothing, nothing.copy(), nothing.copy(), unit, findings=(finding,))


def without_logs(grid: Grid) -> Timeline:
    """The timeline of an indicator of documents that a source of metrics is asked for."""
    message = "this source holds no logs: give --source elasticsearch+http://host:9200 as well"
    nothing = np.zeros(grid.count)
    finding = Finding("unread", message, grid.count, grid.start, grid.end)
    return Timeline(grid, nothing, nothing.copy(), nothing.copy(), "requests", findings=(finding,))


def without_metrics(sli: Sli, grid: Grid) -> Timeline:
    """The timeline of an indicator of metrics that a source of logs is asked for."""
    if isinstance(sli, External):
        return unread(sli, grid)
    message = "this source holds no metrics: give --source http://host:9090 as well"
    nothing = np.zeros(grid.count)
    unit: Unit = "minutes"
    if isinstance(sli, Requests | Latency | Promql):
        unit = "requests"
    elif isinstance(sli, Probe):
        unit = "samples"
    finding = Finding("unread", message, grid.count, grid.start, grid.end)
    return Timeline(grid, nothing, nothing.copy(), nothing.copy(), unit, findings=(finding,))


def _promql(sli: Promql, reader: Reader, grid: Grid) -> Timeline:
    total, findings = reader.read_promql(sli.total, grid)
    expression = sli.good if sli.good is not None else sli.bad
    assert expression is not None, "check refuses a promql indicator without good or bad"
    side, more = reader.read_promql(expression, grid)
    seen = ~np.isnan(total)
    total = np.clip(np.nan_to_num(total), 0.0, None)
    side = np.clip(np.nan_to_num(side), 0.0, None)
    notes = [*findings, *more, *absence(seen, grid, sli.total)]
    over = side > total * (1 + 1e-9) + 1e-6
    if over.any():
        notes.append(finding_at(over, grid, "bad-over-total", "one side of the expression is more than its total"))
    if sli.good is not None:
        good = np.minimum(side, total)
    else:
        total = np.maximum(total, side)
        good = total - side
    return Timeline(grid, good, total, seen.astype(np.float64), "requests", findings=tuple(notes))
