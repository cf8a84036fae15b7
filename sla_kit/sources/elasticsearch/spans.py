"""Time cut for searches: which bucket a key is, and how many buckets one page of an answer may hold.

Pure. Buckets are open at the left and closed at the right, and Elasticsearch's are the other way round: an offset of
one millisecond, the unit of a date, turns one into the other. A date_nanos counts by its whole milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sla_kit.timeline import Floats, Grid

#: Where buckets are on a grid.
Positions = NDArray[np.int64]

#: Buckets that one answer holds at most, so that a month of minutes is one page. The server's own limit,
#: search.max_buckets, is 65,536.
PAGE = 50_000
#: A stretch of time that one search walks through page by page holds so many pages at most: every page sees all its
#: documents again.
PAGES = 6


def offset_ms(second: int) -> int:
    """The first millisecond of the bucket that starts at ``second``."""
    return second * 1000 + 1


def positions(keys_ms: Sequence[int], grid: Grid) -> Positions:
    """The positions of the buckets with these keys; below 0 or from ``grid.count`` on where one is none of its."""
    return ((np.array(keys_ms, dtype=np.int64) - 1) // 1000 - grid.start) // grid.step


def during(field: str, start: int, end: int) -> dict[str, Any]:
    """The documents of the buckets from ``start`` to ``end`` (epoch seconds)."""
    return {"range": {field: {"gte": offset_ms(start), "lt": offset_ms(end), "format": "epoch_millis"}}}


def by_bucket(field: str, step: int, size: int, after: dict[str, Any] | None) -> dict[str, Any]:
    """A composite aggregation whose pages hold ``size`` buckets of ``step`` seconds."""
    source = {"date_histogram": {"field": field, "fixed_interval": f"{step}s", "offset": "1ms"}}
    found: dict[str, Any] = {"size": size, "sources": [{"t": source}]}
    return found if after is None else {**found, "after": after}


def sparse(field: str, step: int) -> dict[str, Any]:
    """Buckets of ``step`` seconds, of which only those come that hold a document."""
    return {"date_histogram": {"field": field, "fixed_interval": f"{step}s", "offset": "1ms", "min_doc_count": 1}}


def spans(cells: Floats, room: float) -> Iterator[tuple[int, int]]:
    """Neighbours taken together, as (first, after the last), while their ``cells`` are no more than ``room``; one that
    has more by itself is alone."""
    sums = np.concatenate([[0.0], np.cumsum(cells)])
    first = 0
    while first < cells.size:
        last = max(first + 1, int(np.searchsorted(sums, sums[first] + room, side="right")) - 1)
        yield first, last
        first = last


def stretches(grid: Grid, size: int) -> Iterator[tuple[int, int]]:
    """The grid cut for searches with pages of ``size`` buckets, as (start, end) in epoch seconds."""
    most = size * PAGES
    for first in range(0, grid.count, most):
        last = min(first + most, grid.count)
        yield grid.start + first * grid.step, grid.start + last * grid.step


def halves(start: int, end: int, step: int) -> list[tuple[int, int]]:
    """A stretch in two; as it is where it is one bucket."""
    middle = start + (end - start) // step // 2 * step
    return [(start, end)] if middle == start else [(start, middle), (middle, end)]
