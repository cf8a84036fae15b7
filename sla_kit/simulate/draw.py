"""Draws the requests of a workload, and what the scrapes see of them.

The life of a process is cut into pieces at every moment that matters (the ends of the steps, its scrapes, restarts, the
edges of outages and slowdowns) and the events of each piece are drawn. Every label and bucket divides those same
events, a sample is the sum of the pieces before it, and the truth is the sum of pieces: nothing is rounded to a scrape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import erf, log, sqrt

import numpy as np

from sla_kit.history.store import Series
from sla_kit.simulate.scenario import Burst, Latency, Scenario, Span, Workload
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Floats, Ints, Mask

#: A pod that is no longer needed stays this long.
_COOL_DOWN_SECONDS = 300
#: The normal distribution's 95 % point.
_Z95 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Truth:
    """What was drawn for a workload, by step: ``ends`` (n,) the steps' ends, epoch seconds; ``total``, ``bad`` and the
    unseen (n,) events in the step; ``under`` (n, bounds) those at or under each latency bound; ``outages`` the requests
    and bad requests of each declared outage.

    Unseen are the events that no sample ever shows, from the last scrape before a process restarts, ends, or before
    the history does; where a restart is hidden because the counter has already passed its old value, also as many
    events as that.
    """

    ends: Floats
    total: Ints
    bad: Ints
    unseen: Ints
    unseen_bad: Ints
    under: Ints
    outages: list[tuple[int, int]]

    def between(self, start: float, end: float) -> tuple[float, float]:
        """Requests and bad requests in the steps that end in (start, end]."""
        inside = (self.ends > start) & (self.ends <= end)
        return float(self.total[inside].sum()), float(self.bad[inside].sum())


@dataclass(frozen=True, slots=True)
class _Life:
    """A process from the begin of its first step to the end of its last. ``phase_ms`` before each one's end is its
    scrape."""

    instance: str
    number: int
    phase_ms: int
    steps: slice


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The pieces of a life: piece k is (``edges``[k], ``edges``[k + 1]], ms.

    ``step`` is the scenario's step that each lies in; ``scrapes`` the index of the edge at each scrape that succeeds;
    ``starts`` the first piece of each run of the process, between restarts.
    """

    edges: Ints
    step: Ints
    scrapes: Ints
    starts: Ints

    def middles(self) -> Floats:
        """The middle of each piece, epoch seconds."""
        return (self.edges[1:] + self.edges[:-1]) / 2000.0

    def sampled(self, events: Ints) -> tuple[Ints, Ints]:
        """A counter's value at each scrape, from its events by piece; and by piece the events that no sample shows.

        What the samples show is the sum of their increases, from zero, each fall being a restart from zero. Scrapes
        that find nothing counted yet are taken to find no series.
        """
        so_far = np.concatenate(([0], np.cumsum(events)))
        # A scrape at the very moment of a restart still finds the old process.
        begun = self.starts[np.searchsorted(self.starts, self.scrapes) - 1]
        values = so_far[self.scrapes] - so_far[begun]
        shown = values > 0
        after, at = values[shown], self.scrapes[shown]
        before = np.concatenate(([0], after[:-1]))
        increases = np.where(after < before, after, after - before)
        unseen = np.zeros(events.size, dtype=np.int64)
        unseen[at - 1] = np.diff(so_far[at], prepend=0) - increases
        unseen[-1] += so_far[-1] - (so_far[at[-1]] if at.size else 0)
        return values, unseen


def scrape_ends(scenario: Scenario) -> Floats:
    """The end of every scrape interval, epoch seconds, shape (n,)."""
    count = int(scenario.days * 86400 // scenario.scrape_interval)
    steps = np.arange(1, count + 1, dtype=np.float64)
    return np.asarray(float(scenario.start) + float(scenario.scrape_interval) * steps, dtype=np.float64)


def inside(moments: Floats, spans: Sequence[Span]) -> Mask:
    """Which moments lie in one of the spans, after its start and up to its end, shape (n,)."""
    found = np.zeros(moments.size, dtype=np.bool_)
    for span in spans:
        found |= (moments > span.start) & (moments <= span.start + span.length)
    return found


def rate_of(scenario: Scenario, workload: Workload, ends: Floats) -> Floats:
    """Requests per second of all pods together, shape (n,)."""
    hours = ends / 3600 % 24
    rate = workload.rps * (1 + workload.daily * np.sin((hours - 9) / 24 * 2 * np.pi))
    weekday = (ends // 86400 + 4) % 7  # 0 is a Sunday: the epoch was a Thursday
    rate = np.where((weekday == 0) | (weekday == 6), rate * workload.weekend, rate)
    if workload.growth:
        rate = rate * (1 + workload.growth) ** ((ends - scenario.start) / (7 * 86400))
    factor = np.ones(ends.size)
    bursts: Sequence[Burst] = scenario.events if workload.bursts else []
    for burst in bursts:
        ramp = max(float(burst.ramp), 1e-9)
        risen = np.clip(np.minimum(ends - burst.start, burst.start + burst.length - ends) / ramp, 0, 1)
        factor = np.maximum(factor, 1 + (burst.factor - 1) * risen)
    return np.asarray(rate * factor, dtype=np.float64)


def draw(scenario: Scenario, workload: Workload, random: np.random.Generator) -> tuple[list[Series], Truth]:
    """The recorded series of a workload, and what really happened."""
    ends = scrape_ends(scenario)
    rate = rate_of(scenario, workload, ends)
    pods = pods_of(workload, rate, float(scenario.scrape_interval))
    latency = workload.latency
    tally = _Tally(ends.size, len(latency.bounds) if latency else 0, len(workload.outages))
    series: list[Series] = []
    for life in _lives(workload, pods, random, float(scenario.scrape_interval)):
        pieces = _cut(scenario, workload, life, ends)
        middles = pieces.middles()
        mean = (rate / pods)[pieces.step] * np.diff(pieces.edges) / 1000
        total = random.poisson(mean).astype(np.int64)
        errors = np.full(total.size, float(workload.error_ratio))
        for outage in workload.outages:
            errors[inside(middles, [outage])] = outage.error_ratio
        bad = random.binomial(total, errors)
        tally.count(tally.total, pieces, total)
        tally.count(tally.bad, pieces, bad)
        for number, outage in enumerate(workload.outages):
            there = inside(middles, [outage])
            tally.outages[number] += (int(total[there].sum()), int(bad[there].sum()))
        by_code = _shared(total - bad, workload.codes, random)
        by_code[workload.bad_code] = by_code.get(workload.bad_code, 0) + bad
        for labels, events in _split(workload, by_code, random):
            value, unseen = pieces.sampled(events)
            tally.count(tally.unseen, pieces, unseen)
            if labels[workload.status_label] == workload.bad_code:
                tally.count(tally.unseen_bad, pieces, unseen)
            # Client libraries show a combination of labels from its first event on, and not before.
            full = {**workload.labels, workload.instance_label: life.instance, **labels}
            series.append(_series(workload.metric, full, pieces, value, value > 0))
        if latency is not None:
            slow = np.ones(total.size)
            for slowdown in workload.slowdowns:
                slow[inside(middles, [slowdown])] = slowdown.factor
            labels = workload.labels if latency.labels is None else latency.labels
            buckets = _buckets(latency, total, slow, random)
            for column in range(len(latency.bounds)):
                tally.count(tally.under[:, column], pieces, buckets[:, : column + 1].sum(axis=1))
            series.extend(_histogram(latency, {**labels, workload.instance_label: life.instance}, pieces, buckets))
    return [one for one in series if one.times.size], tally.truth(ends)


class _Tally:
    """The truth while it is being counted; the arrays are as in `Truth`."""

    def __init__(self, steps: int, bounds: int, outages: int) -> None:
        self.total, self.bad, self.unseen, self.unseen_bad = (np.zeros(steps, dtype=np.int64) for _ in range(4))
        self.under = np.zeros((steps, bounds), dtype=np.int64)
        self.outages = np.zeros((outages, 2), dtype=np.int64)

    @staticmethod
    def count(into: Ints, pieces: _Pieces, events: Ints) -> None:
        """Adds the events of pieces to their steps."""
        first = np.flatnonzero(np.diff(pieces.step, prepend=-1))
        into[pieces.step[first]] += np.add.reduceat(events, first)

    def truth(self, ends: Floats) -> Truth:
        """What was counted."""
        outages = [(int(total), int(bad)) for total, bad in self.outages]
        return Truth(ends, self.total, self.bad, self.unseen, self.unseen_bad, self.under, outages)


def _cut(scenario: Scenario, workload: Workload, life: _Life, ends: Floats) -> _Pieces:
    """The pieces of a life."""
    step_ends = np.rint(ends[life.steps] * 1000).astype(np.int64)
    interval = round(float(scenario.scrape_interval) * 1000)
    scrapes = step_ends - life.phase_ms
    begin, end = int(step_ends[0]) - interval, int(step_ends[-1])
    spans: list[Span] = [*workload.outages, *workload.slowdowns]
    restarts = [round(restart.at * 1000) for restart in workload.restarts if restart.pod == life.number]
    cuts = [round(moment * 1000) for span in spans for moment in (span.start, span.start + span.length)]
    edges = np.unique(np.concatenate((step_ends, scrapes, [begin, end], cuts, restarts))).astype(np.int64)
    edges = edges[(edges >= begin) & (edges <= end)]
    step = np.searchsorted(step_ends, edges[1:]) + (life.steps.start or 0)
    starts = np.unique([0, *(np.searchsorted(edges, at) for at in restarts if begin < at < end)])
    gaps = [gap for gap in scenario.gaps if not gap.services or workload.name in gap.services]
    kept = ~inside(scrapes / 1000, gaps)
    return _Pieces(edges, step, np.searchsorted(edges, scrapes[kept]), starts)


def pods_of(workload: Workload, rate: Floats, interval: float) -> Ints:
    """How many pods there are at each step: as many as the traffic of the last minutes needs."""
    wanted = np.clip(np.ceil(rate / workload.pod_rps), workload.pods, workload.pods_most)
    held = wanted.copy()
    for back in range(1, int(_COOL_DOWN_SECONDS // interval) + 1):
        held[back:] = np.maximum(held[back:], wanted[:-back])
    return held.astype(np.int64)


def _lives(workload: Workload, pods: Ints, random: np.random.Generator, interval: float) -> Iterator[_Life]:
    """Every process: the pods that are always there by number, the others anew each time they are needed."""
    for number in range(int(pods.max())):
        there = np.concatenate(([False], pods > number, [False]))
        edges = np.flatnonzero(there[1:] != there[:-1])
        for run, (first, last) in enumerate(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)):
            name = f"{workload.name}-{number}" if number < workload.pods else f"{workload.name}-{number}-{run}"
            phase = int(random.integers(0, int(interval * 1000)))  # less than an interval: never at the begin of a step
            yield _Life(name, number, phase, slice(first, last))


def _shared(counts: Ints, shares: dict[str, float], random: np.random.Generator) -> dict[str, Ints]:
    """Counts divided by shares, drawn: a multinomial as a chain of binomials."""
    left, left_share = counts.copy(), 1.0
    found = {}
    for name, share in shares.items():
        ratio = min(1.0, share / left_share) if left_share > 1e-12 else 0.0
        taken = left if ratio >= 1 - 1e-12 else random.binomial(left, ratio)
        found[name] = taken
        left, left_share = left - taken, left_share - share
    return found


def _split(
    workload: Workload, by_code: dict[str, Ints], random: np.random.Generator
) -> Iterator[tuple[dict[str, str], Ints]]:
    """Every combination of status and further labels with its counts."""
    parts = [({workload.status_label: code}, counts) for code, counts in by_code.items()]
    for label, shares in workload.split.items():
        parts = [
            ({**labels, label: value}, piece)
            for labels, counts in parts
            for value, piece in _shared(counts, shares, random).items()
        ]
    yield from parts


def _buckets(latency: Latency, total: Ints, slow: Floats, random: np.random.Generator) -> Ints:
    """The events of each piece by bucket, not cumulative, the last one without an upper bound: (pieces, bounds + 1)."""
    found = np.zeros((total.size, len(latency.bounds) + 1), dtype=np.int64)
    left, before = total.copy(), np.zeros(total.size)
    for column, bound in enumerate(latency.bounds):
        share = _share_under(latency, bound, slow)
        ratio = np.divide(share - before, 1 - before, out=np.zeros(total.size), where=before < 1)
        found[:, column] = random.binomial(left, np.clip(ratio, 0, 1))
        left, before = left - found[:, column], share
    found[:, -1] = left
    return found


def _histogram(latency: Latency, labels: dict[str, str], pieces: _Pieces, buckets: Ints) -> Iterator[Series]:
    """The series of a histogram: a process shows all of its buckets from the beginning."""
    values = np.stack([pieces.sampled(buckets[:, column])[0] for column in range(buckets.shape[1])], axis=1)
    always = np.ones(pieces.scrapes.size, dtype=np.bool_)
    below = np.cumsum(values, axis=1)
    for column, bound in enumerate([*(f"{bound:g}" for bound in latency.bounds), "+Inf"]):
        yield _series(f"{latency.metric}_bucket", {**labels, "le": bound}, pieces, below[:, column], always)
    yield _series(f"{latency.metric}_count", labels, pieces, below[:, -1], always)
    # A request is taken to last as long as the middle of its bucket, one above all bounds half as long again.
    bounds = np.array([0.0, *latency.bounds])
    middles = np.append((bounds[1:] + bounds[:-1]) / 2, bounds[-1] * 1.5)
    yield _series(f"{latency.metric}_sum", labels, pieces, np.round(values @ middles, 6), always)


def _series(metric: str, labels: dict[str, str], pieces: _Pieces, values: Ints | Floats, shown: Mask) -> Series:
    times = pieces.edges[pieces.scrapes]
    return Series(metric, sorted_labels(labels), times[shown], values[shown].astype(np.float64))


def _share_under(latency: Latency, bound: float, slow: Floats) -> Floats:
    """The share of requests at or under a bound, of a lognormal that is ``slow`` times as long."""
    share = np.empty(slow.size)
    for factor in np.unique(slow):
        [share[slow == factor]] = under_bounds(latency.median, latency.p95, [bound / factor])
    return share


def under_bounds(median: float, p95: float, bounds: Sequence[float]) -> list[float]:
    """The share of a lognormal with this median and 95th percentile that is at or under each bound."""
    width = log(p95 / median) / _Z95 * sqrt(2)
    return [0.5 * (1 + erf(log(bound / median) / width)) for bound in bounds]
