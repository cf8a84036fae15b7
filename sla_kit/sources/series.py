"""Bucketed series: the one question that a source of metrics must answer, and its answer.

A source reduces the raw samples of each series to one number a bucket (`Reduction`); everything after that
(`sla_kit.sources.indicators`) is the same arithmetic for a live Prometheus and for a recorded history, which is why
both give the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from sla_kit.selectors import Matcher as Matcher
from sla_kit.selectors import Selector as Selector
from sla_kit.timeline import Finding, Floats, Grid

Labels = tuple[tuple[str, str], ...]


class Reduction(Enum):
    """How the samples of one series inside one bucket become one number; a bucket without samples is NaN.

    The value is the PromQL function that does the same over ``[bucket)``.
    """

    MAX = "max_over_time"  # counters: see indicators.increments for why the highest sample and not the last
    MIN = "min_over_time"
    LAST = "last_over_time"
    SUM = "sum_over_time"
    COUNT = "count_over_time"
    MEAN = "avg_over_time"


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """One question: ``reduction`` of every series of ``selector`` per bucket, then summed over ``sum_labels``
    (those labels are dropped; series that are equal in all others are added, ignoring NaN)."""

    selector: Selector
    reduction: Reduction
    sum_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesFrame:
    """The answer: ``values`` (series, grid.count), NaN where a series has no sample in a bucket; ``labels`` without
    ``__name__``, each sorted by name. ``findings`` are the server's warnings and partial answers."""

    grid: Grid
    labels: tuple[Labels, ...]
    values: Floats
    findings: tuple[Finding, ...] = ()

    @classmethod
    def empty(cls, grid: Grid, findings: tuple[Finding, ...] = ()) -> SeriesFrame:
        """An answer without series."""
        return cls(grid, (), np.empty((0, grid.count)), findings)


def sorted_labels(labels: Mapping[str, str]) -> Labels:
    """Labels as a sorted, hashable value, without the metric's name and without empty ones (which are no labels)."""
    return tuple(sorted((name, value) for name, value in labels.items() if name != "__name__" and value))
