"""Timelines of gauges: probes, ages, durations and bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sla_kit.catalogue.model import Bound, Freshness, LastDuration, Matchers, Probe
from sla_kit.sources.coverage import absence, coverage_of, finding_at, held
from sla_kit.sources.series import Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Finding, Floats, Grid, Mask, Timeline

Frames = Mapping[SeriesQuery, SeriesFrame]


def last_query(metric: str, matchers: Matchers) -> SeriesQuery:
    return SeriesQuery(Selector.of(metric, matchers), Reduction.LAST)


def probe(sli: Probe, frames: Frames, grid: Grid) -> Timeline:
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
    coverage, seen = coverage_of(count_frame.values)
    findings = (*up_frame.findings, *count_frame.findings, *absence(seen, grid, sli.metric))
    value = np.full(grid.count, np.nan)
    np.divide(good, total, out=value, where=total > 0)
    return Timeline(grid, good, total, coverage, "samples", value, findings=findings)


def freshness(sli: Freshness, frames: Frames, grid: Grid) -> Timeline:
    frame = frames[last_query(sli.metric, sli.matchers)]
    stamps = _combined(frame.values, "max" if sli.combine == "newest" else "min")
    stamps[stamps <= 0] = np.nan  # exporters say 0 for "never"
    stamps = held(stamps, frame.values)
    age = grid.ends - stamps
    findings = list(frame.findings)
    ahead = age < -grid.step
    if ahead.any():
        findings.append(finding_at(ahead, grid, "clock-ahead", f"{sli.metric} names a time in the future"))
    never = _combined(frame.values, "max") <= 0
    if never.any():
        findings.append(finding_at(never, grid, "never", f"{sli.metric} is 0: it has never happened"))
    return _minutes(grid, frame, sli.metric, age, lambda age: age <= sli.max_age, findings, stamps, never)


def last_duration(sli: LastDuration, frames: Frames, grid: Grid) -> Timeline:
    frame = frames[last_query(sli.metric, sli.matchers)]
    seconds = held(_combined(frame.values, "max"), frame.values)
    completed = None
    findings = list(frame.findings)
    if sli.completed_metric:
        dated = frames[last_query(sli.completed_metric, sli.matchers)]
        completed = held(_combined(dated.values, "max"), dated.values)
        completed[completed <= 0] = np.nan
        findings.extend(dated.findings)
    return _minutes(grid, frame, sli.metric, seconds, lambda seconds: seconds <= sli.max, findings, completed)


def bound(sli: Bound, frames: Frames, grid: Grid) -> Timeline:
    frame = frames[SeriesQuery(Selector.of(sli.metric, sli.matchers), Reduction.MEAN)]
    value = held(_combined(frame.values, sli.combine), frame.values)
    return _minutes(grid, frame, sli.metric, value, lambda value: _inside(sli, value), list(frame.findings))


def bound_of_values(sli: Bound, value: Floats, findings: tuple[Finding, ...], grid: Grid) -> Timeline:
    """A bound on the values of an expression, shape (grid.count,), NaN where it has none."""
    known = ~np.isnan(value)
    good = np.zeros(grid.count)
    good[known] = _inside(sli, value[known])
    minutes = grid.step / 60
    notes = (*findings, *absence(known, grid, sli.promql))
    seen = known.astype(np.float64)
    return Timeline(grid, good * minutes, seen * minutes, seen, "minutes", value, findings=notes)


def _inside(sli: Bound, value: Floats) -> Mask:
    kept: Mask = np.ones(value.shape, dtype=np.bool_)
    if sli.min is not None:
        kept &= value >= sli.min
    if sli.max is not None:
        kept &= value <= sli.max
    if sli.above is not None:
        kept &= value > sli.above
    if sli.below is not None:
        kept &= value < sli.below
    return kept


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
    coverage, seen = coverage_of(frame.values)
    findings.extend(absence(seen, grid, metric))
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
