"""Draws the requests of a workload, and what a scrape sees of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import erf, log, sqrt

import numpy as np

from sla_kit.history.store import Series
from sla_kit.simulate.scenario import Latency, Scenario, Span, Workload
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Floats, Ints, Mask

#: A pod that is no longer needed stays this long.
_COOL_DOWN_SECONDS = 300
#: The normal distribution's 95 % point.
_Z95 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Truth:
    """What was drawn for a workload, by scrape: ``ends`` (n,) epoch seconds of the scrape that could see the events
    first; ``total``, ``bad`` and ``unseen`` (n,) events; ``under`` (n, bounds) those at or under each bound.
    ``unseen`` events no scrape ever saw: their process ended or restarted before the next one."""

    ends: Floats
    total: Floats
    bad: Floats
    unseen: Floats
    unseen_bad: Floats
    under: Floats

    def between(self, start: float, end: float) -> tuple[float, float]:
        """Requests and bad requests in (start, end]."""
        inside = (self.ends > start) & (self.ends <= end)
        return float(self.total[inside].sum()), float(self.bad[inside].sum())


@dataclass(frozen=True, slots=True)
class _Life:
    """One process from its first scrape step to its last, and how many processes share the traffic then."""

    instance: str
    phase_ms: int
    steps: slice
    vanishes: bool  # before the scrape of its last step


def scrape_ends(scenario: Scenario) -> Floats:
    """The end of every scrape interval, epoch seconds, shape (n,)."""
    count = int(scenario.days * 86400 // scenario.scrape_interval)
    steps = np.arange(1, count + 1, dtype=np.float64)
    return np.asarray(float(scenario.start) + float(scenario.scrape_interval) * steps, dtype=np.float64)


def inside(ends: Floats, spans: Sequence[Span]) -> Mask:
    """Which scrape intervals end inside one of the spans, shape (n,)."""
    found = np.zeros(ends.size, dtype=np.bool_)
    for span in spans:
        found |= (ends > span.start) & (ends <= span.start + span.length)
    return found


def rate_of(scenario: Scenario, workload: Workload, ends: Floats) -> Floats:
    """Requests per second of all pods together, shape (n,)."""
    hours = ends / 3600 % 24
    rate = workload.rps * (1 + workload.daily * np.sin((hours - 9) / 24 * 2 * np.pi))
    weekday = (ends // 86400 + 4) % 7  # 0 is a Sunday: the epoch was a Thursday
    rate = np.where((weekday == 0) | (weekday == 6), rate * workload.weekend, rate)
    factor = np.ones(ends.size)
    for burst in scenario.events if workload.bursts else []:
        ramp = max(float(burst.ramp), 1e-9)
        risen = np.clip(np.minimum(ends - burst.start, burst.start + burst.length - ends) / ramp, 0, 1)
        factor = np.maximum(factor, 1 + (burst.factor - 1) * risen)
    return np.asarray(rate * factor, dtype=np.float64)


def draw(scenario: Scenario, workload: Workload, random: np.random.Generator) -> tuple[list[Series], Truth]:
    """The recorded series of a workload, and what really happened."""
    ends = scrape_ends(scenario)
    rate = rate_of(scenario, workload, ends)
    pods = _pods(workload, rate, float(scenario.scrape_interval))
    errors = np.full(ends.size, workload.error_ratio)
    for outage in workload.outages:
        errors[inside(ends, [outage])] = outage.error_ratio
    hidden = inside(ends, [gap for gap in scenario.gaps if not gap.services or workload.name in gap.services])
    latency = workload.latency
    bounds = len(latency.bounds) if latency else 0
    slow = np.ones(ends.size)
    for slowdown in workload.slowdowns:
        slow[inside(ends, [slowdown])] = slowdown.factor
    truth = Truth(
        ends=ends,
        total=np.zeros(ends.size),
        bad=np.zeros(ends.size),
        unseen=np.zeros(ends.size),
        unseen_bad=np.zeros(ends.size),
        under=np.zeros((ends.size, bounds)),
    )
    series: list[Series] = []
    for life in _lives(workload, pods, random, float(scenario.scrape_interval)):
        at = life.steps
        mean = rate[at] * float(scenario.scrape_interval) / pods[at]
        total = random.poisson(mean)
        bad = random.binomial(total, errors[at])
        by_code = _shared(total - bad, workload.codes, random)
        by_code[workload.bad_code] = by_code.get(workload.bad_code, 0) + bad
        starts, lost = _resets(scenario, workload, life, total, ends[at], random)
        visible = ~hidden[at]
        if life.vanishes:
            visible[-1] = False
            lost = lost.copy()
            lost[-1] = 1.0
        times = np.rint(ends[at] * 1000).astype(np.int64) - life.phase_ms
        for labels, counts in _split(workload, by_code, random):
            counted = _counter(counts, starts, lost, random)
            if labels[workload.status_label] == workload.bad_code:
                truth.unseen_bad[at] += counts - counted.seen
            truth.unseen[at] += counts - counted.seen
            there = visible & (counted.value > 0)
            if there.any():
                full = sorted_labels({**workload.labels, workload.instance_label: life.instance, **labels})
                series.append(Series(workload.metric, full, times[there], counted.value[there]))
        truth.total[at] += total
        truth.bad[at] += bad
        if latency is not None:
            observed, drawn = _histogram(workload, latency, life, total, slow[at], starts, lost, visible, times, random)
            series.extend(observed)
            truth.under[at] += drawn
    return series, truth


@dataclass(frozen=True, slots=True)
class _Counted:
    """A counter's value at each scrape, and the events of each step that it ever counted."""

    value: Floats
    seen: Floats


def _counter(counts: Ints, starts: Ints, lost: Floats, random: np.random.Generator) -> _Counted:
    """``starts`` are the steps in which the process begins anew, ``lost`` the share of a step's events before that."""
    seen = counts.astype(np.float64)
    for step in np.flatnonzero(lost):
        seen[step] -= random.binomial(int(counts[step]), lost[step])
    value = np.cumsum(seen)
    for step in starts:
        value[step:] -= value[step] - seen[step]
    return _Counted(value, seen)


def _resets(
    scenario: Scenario, workload: Workload, life: _Life, total: Ints, ends: Floats, random: np.random.Generator
) -> tuple[Ints, Floats]:
    """The steps of a life in which its process restarts, and the share of each step's events that is lost by it."""
    lost = np.zeros(total.size)
    starts = []
    number = life.instance.removeprefix(f"{workload.name}-").split("-")
    for restart in workload.restarts:
        step = int(np.searchsorted(ends, float(restart.at)))
        if number == [str(restart.pod)] and 0 < step < total.size:
            starts.append(step)
            lost[step] = 1 - (ends[step] - float(restart.at)) / float(scenario.scrape_interval)
    return np.array(sorted(starts), dtype=np.int64), lost


def _pods(workload: Workload, rate: Floats, interval: float) -> Ints:
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
            phase = int(random.integers(0, int(interval * 1000)))
            yield _Life(name, phase, slice(first, last), vanishes=number >= workload.pods)


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


def _histogram(
    workload: Workload,
    latency: Latency,
    life: _Life,
    total: Ints,
    slow: Floats,
    starts: Ints,
    lost: Floats,
    visible: Mask,
    times: Ints,
    random: np.random.Generator,
) -> tuple[list[Series], Floats]:
    """The histogram's series of one process, and the events at or under each bound, shape (steps, bounds)."""
    labels = workload.labels if latency.labels is None else latency.labels
    base = {**labels, workload.instance_label: life.instance}
    below = np.zeros((total.size, len(latency.bounds)))
    series = []
    left = total.copy()
    under = np.zeros(total.size, dtype=np.int64)
    before = np.zeros(total.size)
    counted_sum = np.zeros(total.size)
    lower = 0.0
    for column, bound in enumerate(latency.bounds):
        share = _share_under(latency, bound, slow)
        ratio = np.divide(share - before, 1 - before, out=np.zeros(total.size), where=before < 1)
        taken = random.binomial(left, np.clip(ratio, 0, 1))
        under, left, before = under + taken, left - taken, share
        below[:, column] = under
        counted_sum += taken * (lower + bound) / 2
        lower = bound
        # The same share is lost everywhere, so that the buckets stay in order.
        value = _cumulated(under * (1 - lost), starts)
        text = f"{bound:g}"
        series.append(_seen(f"{latency.metric}_bucket", {**base, "le": text}, times, value, visible))
    everything = _cumulated(total * (1 - lost), starts)
    series.append(_seen(f"{latency.metric}_bucket", {**base, "le": "+Inf"}, times, everything, visible))
    series.append(_seen(f"{latency.metric}_count", base, times, everything, visible))
    seconds = _cumulated((counted_sum + left * lower * 1.5) * (1 - lost), starts)
    series.append(_seen(f"{latency.metric}_sum", base, times, seconds, visible))
    return [one for one in series if one.times.size], below


def _cumulated(events: Floats, starts: Ints) -> Floats:
    value = np.cumsum(events)
    for step in starts:
        value[step:] -= value[step] - events[step]
    return value


def _seen(metric: str, labels: dict[str, str], times: Ints, value: Floats, visible: Mask) -> Series:
    rounded = value if metric.endswith("_sum") else np.rint(value)
    return Series(metric, sorted_labels(labels), times[visible], rounded[visible])


def _share_under(latency: Latency, bound: float, slow: Floats) -> Floats:
    """The share of requests at or under a bound, of a lognormal that is ``slow`` times as long."""
    width = log(latency.p95 / latency.median) / _Z95
    share = np.empty(slow.size)
    for factor in np.unique(slow):
        share[slow == factor] = 0.5 * (1 + erf((log(bound / factor) - log(latency.median)) / (width * sqrt(2))))
    return share
