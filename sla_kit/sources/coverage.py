"""Which buckets were observed, and what a metric that was not is worth telling."""

from __future__ import annotations

import numpy as np

from sla_kit.timeline import Finding, Floats, Grid, Mask

#: A metric that has been silent for this long at the end of the history has vanished.
_VANISHED_SECONDS = 600


def cadence_of(seen: Mask) -> int:
    """How many buckets apart scrapes are: 1 where every bucket has a sample, more where scrapes are rarer."""
    at = np.flatnonzero(seen)
    return int(np.median(np.diff(at))) if at.size > 1 else 1


def seen_in(values: Floats) -> Mask:
    """The buckets in which any series has a sample, shape (count,)."""
    return np.asarray((~np.isnan(values)).any(axis=0), dtype=np.bool_)


def coverage_of(values: Floats) -> tuple[Floats, Mask]:
    """The share of each bucket that was observed, and the buckets with samples. Where scrapes are rarer than buckets
    a sample also covers the buckets up to the next one that is due."""
    seen = seen_in(values)
    covered = seen.copy()
    for late in range(1, cadence_of(seen)):
        covered[late:] |= seen[:-late]
    return covered.astype(np.float64), seen


def held(value: Floats, values: Floats) -> Floats:
    """A gauge held until the next scrape is due, where scrapes are rarer than buckets."""
    cadence = cadence_of(seen_in(values))
    result = value.copy()
    for late in range(1, cadence):
        gap = np.isnan(result[late:]) & ~np.isnan(value[:-late])
        result[late:][gap] = value[:-late][gap]
    return result


def absence(seen: Mask, grid: Grid, metric: str) -> list[Finding]:
    """Findings for a metric that was never there, or that has vanished."""
    at = np.flatnonzero(seen)
    if not at.size:
        return [Finding("no-data", f"no series of {metric} matches", grid.count, grid.start, grid.end)]
    silent = grid.count - 1 - int(at[-1])
    if silent * grid.step < _VANISHED_SECONDS or silent < 3 * cadence_of(seen):
        return []
    last = int(grid.ends[at[-1]])
    return [
        Finding(
            "vanished",
            f"{metric} has vanished: its last sample is in the bucket that ends then",
            silent,
            last,
            grid.end,
        )
    ]


def finding_at(mask: Mask, grid: Grid, kind: str, message: str) -> Finding:
    at = np.flatnonzero(mask)
    return Finding(kind, message, int(at.size), int(grid.ends[at[0]]) - grid.step, int(grid.ends[at[-1]]))
