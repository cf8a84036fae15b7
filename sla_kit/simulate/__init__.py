"""Histories with a known truth: drawn from a scenario, recorded as a Prometheus would have scraped them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sla_kit.history.store import History, Series
from sla_kit.simulate.draw import Truth, draw
from sla_kit.simulate.gauges import JobRun, counter, gauge, histogram, job_series, probe, runs_of
from sla_kit.simulate.loading import checked, load_scenario, packaged
from sla_kit.simulate.scenario import Scenario, Workload
from sla_kit.sources import Progress, no_progress
from sla_kit.timeline import Ints, Mask

__all__ = ["Scenario", "Simulation", "load_scenario", "packaged", "simulate"]


@dataclass(frozen=True, slots=True)
class Simulation:
    """A drawn scenario: the recorded ``history``, the ``truth`` as plain values (the content of truth.json), and
    ``counts``, the true events of each service by scrape, for questions about any stretch of time."""

    scenario: Scenario
    history: History
    truth: dict[str, Any]
    counts: dict[str, Truth]

    def write(self, folder: Path) -> list[Path]:
        """Writes history.om.gz, truth.json and, where pyarrow is installed, history.parquet."""
        from sla_kit.history import openmetrics

        folder.mkdir(parents=True, exist_ok=True)
        text = folder / "history.om.gz"
        openmetrics.write(self.history, text, self.types())
        paths = [text]
        table = folder / "history.parquet"
        # One of an earlier simulation would be read in place of the text.
        table.unlink(missing_ok=True)
        if find_spec("pyarrow") is not None:
            from sla_kit.history import parquet

            parquet.write(self.history, table)
            paths.append(table)
        truth = folder / "truth.json"
        truth.write_text(json.dumps(self.truth, indent=2) + "\n", encoding="utf-8")
        return [*paths, truth]

    def types(self) -> dict[str, str]:
        """The type of each metric family; what is not named is a gauge."""
        found = {}
        for service in self.scenario.services:
            if service.metric.endswith("_total"):
                found[service.metric.removesuffix("_total")] = "counter"
            else:
                found[service.metric] = "unknown"  # OpenMetrics lets only names in _total be counters
            if service.latency is not None:
                found[service.latency.metric] = "histogram"
        for counted in self.scenario.counters:
            total = counted.metric.endswith("_total")
            found[counted.metric.removesuffix("_total")] = "counter" if total else "unknown"
        found.update({one.metric: "histogram" for one in self.scenario.histograms})
        return found


def simulate(scenario: Scenario, progress: Progress = no_progress) -> Simulation:
    """Draws a scenario. The same scenario gives the same history, whatever is added to it besides: every part has its
    own stream of random numbers."""
    checked(scenario)
    series: list[Series] = []
    counts: dict[str, Truth] = {}
    truth: dict[str, Any] = {
        "scenario": scenario.name,
        "seed": scenario.seed,
        "start": float(scenario.start),
        "end": scenario.end,
        "scrape_interval": float(scenario.scrape_interval),
        "services": {},
        "probes": [],
        "jobs": [],
    }
    for number, workload in enumerate(scenario.services):
        progress(number, len(scenario.services), workload.name)
        drawn, counts[workload.name] = draw(scenario, workload, _random(scenario, 1, number))
        series.extend(drawn)
        truth["services"][workload.name] = _service_truth(workload, counts[workload.name])
    for target in scenario.probes:
        one, up = probe(scenario, target)
        series.append(one)
        truth["probes"].append(up)
    for number, wanted in enumerate(scenario.gauges):
        series.append(gauge(scenario, wanted, _random(scenario, 2, number)))
    for number, counted in enumerate(scenario.counters):
        series.append(counter(scenario, counted, _random(scenario, 4, number)))
    for number, distribution in enumerate(scenario.histograms):
        series.extend(histogram(scenario, distribution, _random(scenario, 5, number)))
    for number, job in enumerate(scenario.jobs):
        runs = runs_of(scenario, job, _random(scenario, 3, number))
        series.extend(job_series(scenario, job, runs))
        truth["jobs"].append(
            {"completed_metric": job.completed_metric, "missed": job.missed, "runs": [_run_truth(run) for run in runs]}
        )
    progress(len(scenario.services), len(scenario.services), "")
    return Simulation(scenario, History(_together(series)), truth, counts)


def _random(scenario: Scenario, kind: int, number: int) -> np.random.Generator:
    return np.random.default_rng((scenario.seed, kind, number))


def _together(series: list[Series]) -> list[Series]:
    """The series with those of one metric side by side, as OpenMetrics wants them."""
    by_family: dict[str, list[Series]] = {}
    for one in series:
        family = one.metric
        for suffix in ("_bucket", "_count", "_sum"):
            family = family.removesuffix(suffix)
        by_family.setdefault(family, []).append(one)
    return [one for members in by_family.values() for one in members]


def _service_truth(workload: Workload, counts: Truth) -> dict[str, Any]:
    everything = np.ones(counts.ends.size, dtype=np.bool_)
    found = _figures(workload, counts, everything)
    found["error_ratio"] = found["bad"] / found["total"] if found["total"] else None
    # A step belongs to the day in which it begins.
    days = ((counts.ends - 1e-3) // 86400).astype(np.int64)
    found["days"] = [
        {"day": datetime.fromtimestamp(day * 86400, UTC).date().isoformat(), **_figures(workload, counts, days == day)}
        for day in np.unique(days).tolist()
    ]
    found["outages"] = [
        {"start": outage.start, "end": outage.start + outage.length, "total": float(total), "bad": float(bad)}
        for outage, (total, bad) in zip(workload.outages, counts.outages, strict=True)
    ]
    return found


def _figures(workload: Workload, counts: Truth, steps: Mask) -> dict[str, Any]:
    """The true figures of some steps."""
    found: dict[str, Any] = {
        "total": float(counts.total[steps].sum()),
        "bad": float(counts.bad[steps].sum()),
        "unseen": float(counts.unseen[steps].sum()),
        "unseen_bad": float(counts.unseen_bad[steps].sum()),
    }
    if workload.latency is not None:
        bounds = [float(bound) for bound in workload.latency.bounds]
        under = counts.under[steps].sum(axis=0)
        found["under"] = {f"{bound:g}": float(count) for bound, count in zip(bounds, under, strict=True)}
        found["p95"] = _quantile(0.95, bounds, under, found["total"])
    return found


def _quantile(quantile: float, bounds: list[float], under: Ints, total: float) -> float | None:
    """The quantile of drawn buckets as Prometheus's histogram_quantile estimates it: linear within the bucket, the
    highest bound for what lies above all; None where there were no requests."""
    rank = quantile * total
    if not total:
        return None
    column = int(np.searchsorted(under, rank))
    if column == len(bounds):
        return bounds[-1]
    low = float(under[column - 1]) if column else 0.0
    lower = bounds[column - 1] if column else 0.0
    return lower + (bounds[column] - lower) * (rank - low) / (float(under[column]) - low)


def _run_truth(run: JobRun) -> dict[str, float]:
    return {"completed": run.completed, "seconds": run.seconds}
