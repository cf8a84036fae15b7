"""From what was counted to timelines: good, total and coverage, the histogram of durations, and what must be told.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sla_kit.catalogue.model import LogEvents, LogLatency
from sla_kit.engine.quantiles import quantile_of
from sla_kit.sources.elasticsearch.fields import Remark
from sla_kit.sources.elasticsearch.quantiles import RATIO, cumulative, error_step
from sla_kit.sources.elasticsearch.questions import Question
from sla_kit.sources.elasticsearch.quiet import observed
from sla_kit.sources.elasticsearch.searches import Answered, Counting, Measured, Presence
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline

#: A document that came so much later than it happened (seconds) may have missed the run that closed its bucket.
LATE_SECONDS = 3600.0
#: A clock may be off by so much (seconds) before it is told.
SKEW_SECONDS = 300.0
_VANISHED_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Seen:
    """Which buckets of a grid an index was seen in: ``coverage`` (n,), and what is to be told of it."""

    coverage: Floats
    answered: Answered
    findings: tuple[Finding, ...]


def seen_in(presence: Presence, grid: Grid, target: str, quiet_seconds: float, now: float, ahead: int) -> Seen:
    """The coverage that an index has on ``grid``, which lies inside the presence's own, were all of it answered.

    Silence in the future is none: buckets that are not over at ``now`` (epoch seconds) are left out of it. ``ahead``
    are the documents of a time that has not come.
    """
    wide = presence.grid
    shift = (grid.start - wide.start) // wide.step
    where = slice(shift, shift + grid.count)
    over = int(np.searchsorted(wide.ends, now, side="right"))
    seen = presence.total > 0
    known = np.ones(wide.count, dtype=np.bool_)
    known[:over] = observed(seen[:over], quiet_seconds, wide.step)
    covered = known[where] & ((wide.ends <= now)[where] | seen[where])
    coverage = covered.astype(np.float64)
    findings = [
        *_absence(seen[where], presence.answered.share[where] >= 1, grid, target, quiet_seconds),
        *_clocks(presence, where, grid, target),
    ]
    if ahead:
        message = f"{target}: documents of a time more than {SKEW_SECONDS / 60:g} minutes ahead: a clock is wrong"
        findings.append(Finding("clock-skew", message))
    return Seen(coverage, presence.answered, tuple(findings))


def _absence(seen: Mask, answered: Mask, grid: Grid, target: str, quiet_seconds: float) -> Iterator[Finding]:
    """Only where everything ``answered`` is it known that there is nothing."""
    at = np.flatnonzero(seen)
    if not at.size:
        if answered.all():
            yield Finding("no-data", f"{target} has no document in that time", grid.count, grid.start, grid.end)
        return
    silent = grid.count - 1 - int(at[-1])
    if silent * grid.step >= max(_VANISHED_SECONDS, quiet_seconds) and answered[at[-1] :].all():
        last = int(grid.ends[at[-1]])
        message = f"{target} has no document after that, up to the end of the time that was asked for"
        yield Finding("vanished", message, silent, last, grid.end)


def _clocks(presence: Presence, where: slice, grid: Grid, target: str) -> Iterator[Finding]:
    starts = (grid.ends - grid.step).astype(np.float64)
    with np.errstate(invalid="ignore"):
        early = presence.first_arrival[where] < starts - SKEW_SECONDS
        late = presence.last_arrival[where] > grid.ends + LATE_SECONDS
    if early.any():
        message = f"{target}: documents arrived before what they tell of happened: a clock is wrong"
        yield _at(early, grid, "clock-skew", message)
    if late.any():
        message = (
            f"{target}: documents arrived more than {LATE_SECONDS / 60:g} minutes late: what was read before lacks them"
        )
        yield _at(late, grid, "late-data", message)


def _at(mask: Mask, grid: Grid, kind: str, message: str) -> Finding:
    at = np.flatnonzero(mask)
    return Finding(kind, message, int(at.size), int(grid.ends[at[0]]) - grid.step, int(grid.ends[at[-1]]))


@dataclass(slots=True)
class Dark:
    """Buckets in which an indicator can't be counted, for documents of theirs are in indices that were left out or
    are closed; shape (n,)."""

    buckets: Mask
    remarks: list[Remark] = field(default_factory=list)


def timeline(
    question: Question, counting: Counting, seen: Seen, dark: Dark, grid: Grid, measured: Measured | None = None
) -> Timeline:
    """The timeline of one question."""
    shift = (grid.start - seen.answered.grid.start) // grid.step
    # The same shards were asked twice: whether there is anything, and for these.
    share = np.minimum(counting.answered.share, seen.answered.share[shift : shift + grid.count])
    coverage = seen.coverage * share
    coverage[dark.buckets] = 0.0
    # Where documents are left out, or one of the two searches has no answer, the rest is no count of anything.
    believed = coverage > 0
    whole = bool((share >= 1).all())
    total = np.where(believed, counting.total, 0.0)
    findings = [*_remarks(dark.remarks, grid), *seen.findings]
    findings += list(seen.answered.findings(shift, grid.count))
    findings += [each for each in counting.answered.findings(0, grid.count) if each not in findings]
    sli = question.indicator.sli
    if isinstance(sli, LogLatency) and question.durations is not None:
        counts = np.where(believed[:, None], counting.ranges(question), 0.0)
        return _latency(sli, question, counts, coverage, grid, findings, measured, whole)
    assert isinstance(sli, LogEvents), "a question is of documents"
    if whole and believed.any() and not total.any():
        findings.append(Finding("no-events", "no document matches the query", grid.count, grid.start, grid.end))
    # Without a point in time there may be more of a side than there were of all a moment before.
    side = np.minimum(np.where(believed, counting.side(question), 0.0), total)
    good = side if sli.good is not None else total - side
    return Timeline(grid, good, total, coverage, "requests", findings=tuple(findings))


def _latency(
    sli: LogLatency,
    question: Question,
    counts: Floats,
    coverage: Floats,
    grid: Grid,
    findings: list[Finding],
    measured: Measured | None,
    whole: bool,
) -> Timeline:
    assert question.durations is not None
    bounds = question.durations.bounds
    histogram = Histogram(bounds, cumulative(counts))
    total = histogram.counts[:, -1].copy()
    good = histogram.counts[:, int(np.searchsorted(bounds, sli.threshold))].copy()
    if not total.any():
        if whole and coverage.any():
            message = f"no document that matches the query has the field {sli.field}"
            findings.append(Finding("no-events", message, grid.count, grid.start, grid.end))
    else:
        findings.append(Finding("estimated", _method(sli, histogram, measured)))
    if measured is not None and measured.negative:
        message = f"documents whose {sli.field} is below zero are no events"
        findings.append(Finding("negative-durations", message, 1, grid.start, grid.end))
    return Timeline(grid, good, total, coverage, "requests", histogram=histogram, findings=tuple(findings))


def _method(sli: LogLatency, histogram: Histogram, measured: Measured | None) -> str:
    """How the quantile was found, and how wrong it may be."""
    low, high = sli.threshold / 10, sli.threshold * 10
    text = (
        f"p{sli.quantile * 100:g} is interpolated between {histogram.bounds.size} fixed bounds: within "
        f"{RATIO - 1:.0%} from {low:g} s to {high:g} s; the share at or under {sli.threshold:g} s is exact"
    ).replace("%", " %")
    if measured is None or measured.quantile is None:
        return text
    estimate = quantile_of(histogram.bounds, histogram.counts.sum(axis=0), sli.quantile)
    step = error_step(estimate, measured.quantile) if np.isfinite(estimate) else ""
    return f"{text}; here it was off by {step} (HDR percentiles, 3 digits)" if step else text


def _remarks(remarks: Sequence[Remark], grid: Grid) -> Iterator[Finding]:
    for remark in remarks:
        yield Finding(remark.kind, remark.message, grid.count, grid.start, grid.end)


def unknown(grid: Grid, findings: Sequence[Finding]) -> Timeline:
    """The timeline of an indicator of which nothing can be known."""
    nothing = np.zeros(grid.count)
    return Timeline(grid, nothing, nothing.copy(), nothing.copy(), "requests", findings=tuple(findings))
