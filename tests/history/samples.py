"""Generated histories for the tests: counters with resets, gauges, histograms, gaps, series that begin and end."""

from __future__ import annotations

import numpy as np

from sla_kit.history import History, Series
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Floats, Ints

START = 1_699_999_200  # a multiple of an hour
HOURS = 4
BOUNDS = ("0.005", "0.1", "0.25", "1.0", "+Inf")


def generated(seed: int = 3) -> History:
    """Four hours of samples every 15 s, 7 s off the minute, so that none lies on the edge of a range."""
    random = np.random.default_rng(seed)
    series: list[Series] = []
    every = START * 1000 + 7_000 + 15_000 * np.arange(HOURS * 240, dtype=np.int64)

    def add(metric: str, times: Ints, values: Floats, **labels: str) -> None:
        series.append(Series(metric, sorted_labels(labels), times, np.asarray(values, dtype=np.float64)))

    for number, (instance, code) in enumerate([(i, c) for i in ("a", "b", "c") for c in ("200", "500")]):
        grown = random.poisson(20 if code == "200" else 0.3, every.size).astype(np.float64)
        values = 5000.0 + np.cumsum(grown)
        for reset in random.integers(50, every.size - 50, 3):
            values[reset:] -= values[reset] - random.integers(0, 3)
        seen = random.random(every.size) > 0.03  # scrapes that failed
        seen[300 + 40 * number : 330 + 40 * number] = False  # a gap longer than the look-back
        if instance == "c":
            seen[:200], seen[-300:] = False, False  # begins late, ends early
        add("requests_total", every[seen], values[seen], instance=instance, code=code)
    for instance, job in (("a", "x"), ("b", "x"), ("c", "y")):
        seen = random.random(every.size) > 0.1
        add("temperature", every[seen], random.normal(0, 10, every.size)[seen].round(3), instance=instance, job=job)
        add("limit", every, np.full(every.size, 5.0), instance=instance)
    for instance in ("a", "b"):
        increments = random.poisson([3, 30, 9, 2, 0.2], (every.size, 5)).astype(np.float64)
        cumulative = np.cumsum(np.cumsum(increments, axis=0), axis=1)
        for column, bound in enumerate(BOUNDS):
            add("seconds_bucket", every, 100 + cumulative[:, column], instance=instance, le=bound)
    return History(series)
