"""Timelines of counters: requests, and latency from classic histograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.model import Latency, Matchers, Requests
from sla_kit.selectors import Side
from sla_kit.selectors import side_of as side_of
from sla_kit.sources.coverage import absence, coverage_of, finding_at
from sla_kit.sources.increments import Life, Process, counted_series, increments
from sla_kit.sources.series import Labels, Matcher, Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline


@dataclass(frozen=True, slots=True)
class CountedFrame:
    """The events behind a frame of counters: ``events`` (series, count) per bucket, and what is known of the processes
    they come from. Made once a frame, however many indicators read it."""

    labels: tuple[Labels, ...]
    events: Floats
    lives: dict[Process, Life]
    coverage: Floats
    seen: Mask
    findings: tuple[Finding, ...]


def counted(frame: SeriesFrame, sum_labels: tuple[str, ...]) -> CountedFrame:
    """The events of each series of a frame."""
    known, events = counted_series(frame, sum_labels)
    coverage, seen = coverage_of(frame.values)
    return CountedFrame(frame.labels, events, known, coverage, seen, frame.findings)


def all_query(sli: Requests, sum_labels: tuple[str, ...]) -> SeriesQuery:
    """The query for all events of a requests indicator."""
    return SeriesQuery(Selector.of(sli.metric, sli.matchers), Reduction.MAX, sum_labels)


def side_query(sli: Requests, sum_labels: tuple[str, ...]) -> SeriesQuery | None:
    """The query for the declared side where that is another metric; on the same one it is among all events."""
    side = side_of(sli)
    if side.metric == sli.metric:
        return None
    return SeriesQuery(Selector.of(side.metric, sli.matchers, side.matchers), Reduction.MAX, sum_labels)


def requests(
    sli: Requests, everything: CountedFrame, other: SeriesFrame | None, sum_labels: tuple[str, ...], grid: Grid
) -> Timeline:
    """Good and total events. ``other`` holds the declared side's series where it is another metric's."""
    side = side_of(sli)
    total = everything.events.sum(axis=0)
    findings = [*everything.findings, *absence(everything.seen, grid, sli.metric)]
    if other is None:
        chosen = everything.events[_matching(everything.labels, side.matchers)].sum(axis=0)
        findings.extend(_labels_that_none_has(everything.labels, side))
    else:
        chosen = increments(other, everything.lives, sum_labels=sum_labels)[0]
        findings.extend(other.findings)
    over = chosen > total * (1 + 1e-9) + 1e-6
    if over.any():
        findings.append(
            finding_at(over, grid, f"{side.name}-over-total", f"more {side.name} events than events in all")
        )
    if side.name == "good":
        good = np.minimum(chosen, total)
    else:
        # Bad events are never dropped: where two counters disagree, the larger one is believed.
        total = np.maximum(total, chosen)
        good = total - chosen
    return Timeline(grid, good, total, everything.coverage, "requests", findings=tuple(findings))


def _labels_that_none_has(labels: tuple[Labels, ...], side: Side) -> list[Finding]:
    """A matcher on a label that no series has makes all events good, or all bad, which looks like an answer."""
    had = {name for one in labels for name, _ in one}
    lost = [label for label, text in side.matchers.items() if label not in had and text != ""]
    if not labels or not lost:
        return []
    names = ", ".join(lost)
    return [Finding("unknown-label", f"no series of {side.metric} has the label {names}, by which {side.name} is told")]


def _matching(labels: tuple[Labels, ...], matchers: Matchers) -> list[int]:
    """The rows whose labels match."""
    tests = [(label, Matcher.parse(label, text).predicate()) for label, text in matchers.items()]
    found = []
    for row, one in enumerate(labels):
        values = dict(one)
        if all(test(values.get(label, "")) for label, test in tests):
            found.append(row)
    return found


def histogram_query(sli: Latency, sum_labels: tuple[str, ...]) -> SeriesQuery:
    """The query for a classic histogram's buckets."""
    return SeriesQuery(Selector.of(sli.metric + "_bucket", sli.matchers), Reduction.MAX, sum_labels)


def histogram(frame: CountedFrame) -> Histogram:
    """The observations of a frame of classic buckets, in the metric's own unit; two spellings of a bound are one."""
    bound_of = [_bound_value(dict(labels).get("le", "")) for labels in frame.labels]
    bounds = np.array(sorted({bound for bound in bound_of if bound is not None}))
    counts = np.zeros((bounds.size, frame.events.shape[1]))
    for row, bound in enumerate(bound_of):
        if bound is not None:
            counts[int(np.searchsorted(bounds, bound))] += frame.events[row]
    np.maximum.accumulate(counts, axis=0, out=counts)
    return Histogram(bounds, np.ascontiguousarray(counts.T))


def latency(sli: Latency, observed: Histogram, frame: CountedFrame, grid: Grid) -> Timeline:
    """Good and total observations of a classic histogram."""
    findings = [*frame.findings, *absence(frame.seen, grid, sli.metric + "_bucket")]
    bounds, counts = observed.bounds, observed.counts
    if bounds.size and np.isfinite(bounds[-1]):
        message = f"{sli.metric} has no le=+Inf bucket; its last one counts as all"
        findings.append(Finding("no-infinity-bucket", message))
        bounds = np.append(bounds, np.inf)
        counts = np.column_stack([counts, counts[:, -1]])
    return judged(sli, Histogram(bounds * sli.unit_seconds, counts), frame.coverage, grid, findings)


def judged(sli: Latency, histogram: Histogram, coverage: Floats, grid: Grid, findings: list[Finding]) -> Timeline:
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
