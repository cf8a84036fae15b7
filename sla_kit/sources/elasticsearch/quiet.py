"""Which buckets were observed: a short silence of a whole index is quiet, a long one is not known.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import numpy as np

from sla_kit.timeline import Grid, Mask

_DAY = 86400
_DATED = re.compile(r"(?<!\d)(\d{4})[.-](\d\d)[.-](\d\d)(?!\d)")


def lead(quiet_seconds: float, step: int) -> int:
    """Buckets to look at before and after a grid, so that how long a silence at its edge lasts can be told."""
    return int(quiet_seconds // step) + 1


def observed(seen: Mask, quiet_seconds: float, step: int) -> Mask:
    """The buckets that count as observed: those in a silence of whole buckets that is longer than ``quiet_seconds`` do
    not. ``seen`` are the buckets with any document, shape (n,)."""
    found = np.ones(seen.size, dtype=np.bool_)
    for first, last in runs(~seen):
        if (last - first) * step > quiet_seconds:
            found[first:last] = False
    return found


def runs(mask: Mask) -> Iterator[tuple[int, int]]:
    """Where a mask is true without a break, as (first, after the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    yield from ((int(first), int(last)) for first, last in edges.reshape(-1, 2))


def named_days(names: Iterable[str], grid: Grid) -> Mask:
    """The buckets of the days (UTC) in the names of indices, such as logs-2026.11.05; shape (grid.count,)."""
    mask = np.zeros(grid.count, dtype=np.bool_)
    for name in names:
        for year, month, day in _DATED.findall(name):
            try:
                start = int(datetime(int(year), int(month), int(day), tzinfo=UTC).timestamp())
            except ValueError:
                continue
            # A bucket that a day's edge cuts is touched by both days.
            mask |= (grid.ends > start) & (grid.ends - grid.step < start + _DAY)
    return mask
