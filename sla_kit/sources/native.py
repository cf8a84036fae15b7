"""Native histograms: from a histogram per series and bucket of time to the events between them.

A native histogram's buckets grow by a constant factor and only those that hold something are stored; a server may
halve their resolution at any time. Each sample is therefore read as a cumulative distribution, all of them over the
same bounds, and differences of those are what was observed in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from sla_kit.sources.decode import RangeSeries
from sla_kit.sources.increments import increments, lives
from sla_kit.sources.series import Labels, SeriesFrame, sorted_labels
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask


class _Sample(msgspec.Struct, array_like=True):
    time: float
    histogram: _Buckets


class _Buckets(msgspec.Struct):
    """A histogram as the API writes it; a bucket is (which of its edges belong to it, lower, upper, count)."""

    count: str
    sum: str = "0"
    buckets: list[tuple[int, str, str, str]] = []


_SAMPLES = msgspec.json.Decoder(list[_Sample])


@dataclass(frozen=True, slots=True)
class Cumulative:
    """One sample: ``upper`` bounds (k,) ascending, ``lower`` bounds (k,), ``counts`` (k,) of each bucket on its own,
    ``total`` of all."""

    lower: Floats
    upper: Floats
    counts: Floats
    total: float

    def at(self, bounds: Floats) -> Floats:
        """Observations at or under each of ``bounds`` (finite, ascending); evenly spread where a bound falls inside a
        bucket, as `histogram_quantile` takes them."""
        if not self.upper.size:
            return np.zeros(bounds.size)
        summed = np.cumsum(self.counts)
        # A bucket without a finite edge gives its observations only at that edge.
        lower = np.where(np.isfinite(self.lower), self.lower, np.nextafter(self.upper, -np.inf))
        finite = np.isfinite(self.upper)
        places = np.column_stack([lower, self.upper])[finite].ravel()
        heights = np.column_stack([summed - self.counts, summed])[finite].ravel()
        if not places.size:
            return np.zeros(bounds.size)
        result = np.interp(bounds, places, heights)
        result[bounds < places[0]] = 0.0
        return result


@dataclass(slots=True)
class NativeSamples:
    """The last histogram of each series in each bucket of ``grid``; ``floats`` counts series that were no
    histograms."""

    grid: Grid
    series: dict[Labels, dict[int, Cumulative]] = field(default_factory=dict)
    floats: int = 0

    @property
    def weight(self) -> int:
        """Histogram buckets per point of time."""
        widest = (max((sample.upper.size for sample in one.values()), default=1) for one in self.series.values())
        # A bucket's JSON is about three times as long as a plain sample's.
        return 3 * sum(widest)

    def extend(self, piece: NativeSamples) -> None:
        """Takes the samples of a piece of the grid."""
        at = (piece.grid.start - self.grid.start) // self.grid.step
        for labels, samples in piece.series.items():
            mine = self.series.setdefault(labels, {})
            mine.update((at + column, sample) for column, sample in samples.items())
        self.floats = max(self.floats, piece.floats)


def read_native_samples(series: Sequence[RangeSeries], grid: Grid) -> NativeSamples:
    """The histograms of an answer. Raises ``ValueError`` for what are none."""
    found = NativeSamples(grid)
    for one in series:
        text = bytes(one.histograms)
        if not text:
            found.floats += 1
            continue
        samples = found.series.setdefault(sorted_labels(one.metric), {})
        for sample in _SAMPLES.decode(text):
            column, off = divmod(sample.time - grid.start, grid.step)
            if off == 0 and 1 <= column <= grid.count:
                edges = np.array([bucket[1:] for bucket in sample.histogram.buckets], dtype="U32").astype(np.float64)
                edges = edges.reshape(-1, 3)
                samples[int(column) - 1] = Cumulative(
                    edges[:, 0].copy(), edges[:, 1].copy(), edges[:, 2].copy(), float(sample.histogram.count)
                )
    return found


def native_histogram(samples: NativeSamples, metric: str) -> tuple[Histogram, Mask, tuple[Finding, ...]]:
    """What was observed in each bucket of time, summed over series; the buckets of time in which any series has a
    sample, shape (count,); findings.

    A count that goes down is a restart: what has been counted since then is all new. When a process was there and when
    it appeared is told as for classic counters (`sla_kit.sources.increments`).
    """
    grid = samples.grid
    every = {bound for one in samples.series.values() for sample in one.values() for bound in sample.upper.tolist()}
    finite = np.array(sorted(bound for bound in every if np.isfinite(bound)))
    bounds = np.append(finite, np.inf)
    labels = tuple(one for one, found in samples.series.items() if found)
    observed = np.zeros(grid.count, dtype=np.bool_)
    counts = np.zeros((grid.count, bounds.size))
    totals = np.full((len(labels), grid.count), np.nan)
    risen = [_without_resets(samples.series[one], finite) for one in labels]
    for row, (columns, heights) in enumerate(risen):
        totals[row, columns] = heights[:, -1]
        observed[columns] = True
    known = lives(SeriesFrame(grid, labels, totals))
    for one, (columns, heights) in zip(labels, risen, strict=True):
        values = np.full((bounds.size, grid.count), np.nan)
        values[:, columns] = heights.T
        frame = SeriesFrame(grid, (one,) * bounds.size, values)
        counts += increments(frame, known, range(bounds.size)).T
    np.maximum.accumulate(counts, axis=1, out=counts)
    findings: tuple[Finding, ...] = ()
    if samples.floats:
        findings = (Finding("not-native", f"{metric} has series that are no native histograms", samples.floats),)
    return Histogram(bounds, counts), observed, findings


def _without_resets(samples: dict[int, Cumulative], finite: Floats) -> tuple[list[int], Floats]:
    """The buckets of time with a sample, and the cumulative counts there (samples, bounds + 1) as if the process had
    never restarted."""
    columns = sorted(samples)
    heights = np.array([np.append(samples[column].at(finite), samples[column].total) for column in columns])
    restarted = np.zeros(len(columns), dtype=np.bool_)
    restarted[1:] = heights[1:, -1] < heights[:-1, -1]
    lost = np.zeros_like(heights)
    lost[1:] = np.where(restarted[1:, None], heights[:-1], 0.0)
    # A bound that a coarser sample no longer has is estimated there: an estimate under what is known is no restart.
    return columns, np.maximum.accumulate(heights + np.cumsum(lost, axis=0), axis=0)
