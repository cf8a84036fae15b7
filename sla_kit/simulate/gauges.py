"""What a simulated history measures besides requests: probes, values with excursions, counters and histograms of
them, and the marks that jobs leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from sla_kit.history.store import Series
from sla_kit.simulate.draw import inside, pods_of, rate_of, scrape_ends, under_bounds
from sla_kit.simulate.scenario import Counter, Distribution, Gauge, Job, ProbeTarget, Scenario
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Floats, Mask


@dataclass(frozen=True, slots=True)
class JobRun:
    """One successful run of a job."""

    completed: float
    seconds: float


def probe(scenario: Scenario, target: ProbeTarget) -> tuple[Series, dict[str, object]]:
    """A probe's series, and how many of its samples were up."""
    ends, visible = _scrapes(scenario)
    up = (~inside(ends, target.down)).astype(np.float64)[visible]
    truth: dict[str, object] = {
        "metric": target.metric,
        "labels": target.labels,
        "samples": int(up.size),
        "up": int(up.sum()),
        "down": [{"start": float(span.start), "end": float(span.start + span.length)} for span in target.down],
    }
    return _series(target.metric, target.labels, ends[visible], up), truth


def gauge(scenario: Scenario, wanted: Gauge, random: np.random.Generator) -> Series:
    """A gauge's series."""
    ends, visible = _scrapes(scenario)
    value = _measured(scenario, wanted, random)
    if wanted.age is not None:
        value += scenario.end - wanted.age
    if wanted.grows:
        value += wanted.grows * (ends - scenario.start)
    seen = visible & _recent(scenario, wanted, ends)
    return _series(wanted.metric, wanted.labels, ends[seen], value[seen])


def counter(scenario: Scenario, wanted: Counter, random: np.random.Generator) -> Series:
    """A counter's series."""
    ends, visible = _scrapes(scenario)
    counts = wanted.started + np.cumsum(_measured(scenario, wanted, random)) * scenario.scrape_interval
    seen = visible & _recent(scenario, wanted, ends)
    return _series(wanted.metric, wanted.labels, ends[seen], counts[seen])


def histogram(scenario: Scenario, wanted: Distribution, random: np.random.Generator) -> list[Series]:
    """A histogram's series: its buckets, their count, and the sum of what was observed."""
    ends, visible = _scrapes(scenario)
    counts = np.cumsum(_measured(scenario, wanted, random)) * scenario.scrape_interval
    seen = visible & _recent(scenario, wanted, ends)
    shares = under_bounds(wanted.median, wanted.p95, wanted.bounds)
    buckets = [*zip([f"{bound:g}" for bound in wanted.bounds], shares, strict=True), ("+Inf", 1.0)]
    found = [
        _series(f"{wanted.metric}_bucket", {**wanted.labels, "le": bound}, ends[seen], counts[seen] * share)
        for bound, share in buckets
    ]
    found.append(_series(f"{wanted.metric}_count", wanted.labels, ends[seen], counts[seen]))
    found.append(_series(f"{wanted.metric}_sum", wanted.labels, ends[seen], counts[seen] * wanted.median))
    return found


def _measured(scenario: Scenario, wanted: Gauge | Counter | Distribution, random: np.random.Generator) -> Floats:
    """The quantity at each scrape."""
    ends = scrape_ends(scenario)
    value = np.full(ends.size, float(wanted.value))
    for workload in scenario.services:
        if workload.name == wanted.service:
            rate = rate_of(scenario, workload, ends)
            value += wanted.per_rps * rate
            value += wanted.per_pod * pods_of(workload, rate, float(scenario.scrape_interval))
    if wanted.daily:
        value *= 1 + wanted.daily * np.sin((ends / 3600 % 24 - 9) / 24 * 2 * np.pi)
    if wanted.noise:
        value = np.maximum(value + wanted.noise * random.standard_normal(ends.size), 0.0)
    for excursion in wanted.excursions:
        value[inside(ends, [excursion])] = excursion.value
    return value


def _recent(scenario: Scenario, wanted: Gauge | Counter | Distribution, ends: Floats) -> Mask:
    """The scrapes that are recorded of it."""
    recent = ends > scenario.end - wanted.hours * 3600 if wanted.hours else ends > 0
    return np.asarray(recent & inside(ends, wanted.during) if wanted.during else recent, dtype=np.bool_)


def runs_of(scenario: Scenario, job: Job, random: np.random.Generator) -> list[JobRun]:
    """The runs that succeed until the history ends, from one before it begins, so that its first day knows of one."""
    unusual = {run.day: float(run.seconds) for run in job.unusual}
    runs = []
    day = int(scenario.start // 86400) - job.every
    while day * 86400 <= scenario.end:
        begun = day * 86400 + job.hour * 3600
        name = datetime.fromtimestamp(begun, UTC).date().isoformat()
        seconds = unusual.get(name, float(job.seconds) * float(random.uniform(0.9, 1.1)))
        completed = float(round(begun + seconds))
        if name not in job.missed and completed <= scenario.end:
            runs.append(JobRun(completed, round(seconds, 3)))
        day += job.every
    return runs


def job_series(scenario: Scenario, job: Job, runs: list[JobRun]) -> list[Series]:
    """The gauges that a job's runs leave behind."""
    ends, visible = _scrapes(scenario)
    ends = ends[visible]
    last = np.searchsorted([run.completed for run in runs], ends, side="right") - 1
    known = last >= 0
    completed = np.array([run.completed for run in runs] or [0.0])[np.maximum(last, 0)]
    found = [_series(job.completed_metric, job.labels, ends[known], completed[known])]
    if job.duration_metric:
        seconds = np.array([run.seconds for run in runs] or [0.0])[np.maximum(last, 0)]
        found.append(_series(job.duration_metric, job.labels, ends[known], seconds[known]))
    return found


def _scrapes(scenario: Scenario) -> tuple[Floats, Mask]:
    """Scrape times, and which of them no gap swallows."""
    ends = scrape_ends(scenario)
    return ends, ~inside(ends, [gap for gap in scenario.gaps if not gap.services])


def _series(metric: str, labels: dict[str, str], ends: Floats, values: Floats) -> Series:
    return Series(metric, sorted_labels(labels), np.rint(ends * 1000).astype(np.int64), values.astype(np.float64))
