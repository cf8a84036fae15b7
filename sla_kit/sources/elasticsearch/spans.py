"""Time cut for searches: which bucket a key is, and how many buckets one page of an answer may hold.

Pure. Buckets are open at the left and closed at the right, and Elasticsearch's are the other way round: an offset of
one millisecond, the unit of a date, turns one into the other. A date_nanos counts by its whole milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sla_kit.timeline import Grid

#: Buckets (with those of aggregations inside) that one page of an answer holds at most. The server's own limit,
#: search.max_buckets, is 65,536.
PAGE = 15_000
#: A stretch of time that one search walks through page by page holds so many pages at most. Measured on 30 days of one
#: minute's buckets: pages of a composite aggregation over all of them 0.07 s to 0.15 s, one search each day 0.22 s, by
#: date_histogram 0.31 s. But every page of a search sees all its documents again, so that long ones are cut.
PAGES = 6


def offset_ms(second: int) -> int:
    """The first millisecond of the bucket that starts at ``second``."""
    return second * 1000 + 1


def bucket_of(key_ms: int, grid: Grid) -> int:
    """The position of the bucket whose key is ``key_ms``; below 0 or from ``grid.count`` on where it is none of its."""
    return ((key_ms - 1) // 1000 - grid.start) // grid.step


def during(field: str, start: int, end: int) -> dict[str, Any]:
    """The documents of the buckets from ``start`` to ``end`` (epoch seconds)."""
    return {"range": {field: {"gte": offset_ms(start), "lt": offset_ms(end), "format": "epoch_millis"}}}


def by_bucket(field: str, step: int, size: int, after: dict[str, Any] | None) -> dict[str, Any]:
    """A composite aggregation whose pages hold ``size`` buckets of ``step`` seconds."""
    source = {"date_histogram": {"field": field, "fixed_interval": f"{step}s", "offset": "1ms"}}
    found: dict[str, Any] = {"size": size, "sources": [{"t": source}]}
    return found if after is None else {**found, "after": after}


def page_size(cells: int, page: int = PAGE) -> int:
    """How many buckets fit on a page where each holds ``cells`` (itself and those inside)."""
    return max(1, page // cells)


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
