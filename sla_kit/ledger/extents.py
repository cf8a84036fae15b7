"""Which buckets of which indicators the ledger holds, and which are missing from a stretch of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from sqlalchemy import ColumnElement, Connection, func, select

from sla_kit.ledger.rows import DAY_SECONDS
from sla_kit.ledger.tables import correction as corrections
from sla_kit.ledger.tables import day as days
from sla_kit.timeline import Ints

T = TypeVar("T")

#: Indicators that one query asks for.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Extent:
    """One row without its payload: buckets ``first`` to ``first + count`` of a UTC day, as some correction left it."""

    day: int
    first: int
    count: int
    correction: int
    digest: bytes

    def span(self, step: int) -> tuple[int, int]:
        """Start and end, epoch seconds."""
        start = self.day * DAY_SECONDS + self.first * step
        return start, start + self.count * step


def in_batches(ids: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Keys in lists that one query can hold."""
    several = list(ids)
    for at in range(0, len(several), size):
        yield several[at : at + size]


def extents(
    connection: Connection, ids: Sequence[int], start: int, end: int, until_correction: int | None = None
) -> dict[int, list[Extent]]:
    """The newest row of each day that overlaps ``start`` to ``end`` (epoch seconds), by indicator, in order of time.
    With ``until_correction`` rows that later corrections made are left out."""
    found: dict[int, list[Extent]] = {}
    for batch in in_batches(ids):
        query = (
            select(days.c.indicator, days.c.day, days.c.first, days.c.count, days.c.correction, days.c.digest)
            .where(days.c.indicator.in_(batch))
            .where(days.c.day.between(start // DAY_SECONDS, (end - 1) // DAY_SECONDS))
            .order_by(days.c.indicator, days.c.day, days.c.correction)
        )
        if until_correction is not None:
            query = query.where(days.c.correction <= until_correction)
        for id, day, first, count, number, digest in connection.execute(query):
            rows = found.setdefault(id, [])
            if rows and rows[-1].day == day:
                rows.pop()
            rows.append(Extent(day, first, count, number, bytes(digest)))
    return found


@dataclass(frozen=True, slots=True)
class Columns:
    """The newest rows of one indicator without their payloads, as columns of shape (n,), in order of time."""

    days: Ints
    first: Ints
    count: Ints
    correction: Ints
    digests: tuple[bytes, ...]

    def taken(self, at: Ints) -> Columns:
        """Some of the rows."""
        digests = tuple(self.digests[position] for position in at)
        return Columns(self.days[at], self.first[at], self.count[at], self.correction[at], digests)


def columns(
    connection: Connection, ids: Sequence[int], start: int, end: int, until_correction: int
) -> dict[int, Columns]:
    """What `extents` tells, for stretches of years: no object is made for each day."""
    found: dict[int, Columns] = {}
    for batch in in_batches(ids):
        query = (
            select(days.c.indicator, days.c.day, days.c.first, days.c.count, days.c.correction, days.c.digest)
            .where(days.c.indicator.in_(batch))
            .where(days.c.day.between(start // DAY_SECONDS, (end - 1) // DAY_SECONDS))
            .where(days.c.correction <= until_correction)
            .order_by(days.c.indicator, days.c.day, days.c.correction)
        )
        rows = connection.execute(query).all()
        if not rows:
            continue
        of, *numbers, digests = zip(*rows, strict=True)
        id, day, first, count, number = (np.array(each, dtype=np.int64) for each in (of, *numbers))
        later = np.zeros(len(id), dtype=np.bool_)
        later[:-1] = (id[1:] == id[:-1]) & (day[1:] == day[:-1])  # a correction of the same day follows
        edges = np.flatnonzero(np.diff(id)) + 1
        for low, high in zip([0, *edges], [*edges, len(id)], strict=True):
            part = slice(low, high)
            whole = Columns(day[part], first[part], count[part], number[part], tuple(map(bytes, digests[part])))
            newest = np.flatnonzero(~later[part])
            found[int(id[low])] = whole if newest.size == high - low else whole.taken(newest)
    return found


def missing(rows: Sequence[Extent], start: int, end: int, step: int) -> list[tuple[int, int]]:
    """The stretches from ``start`` to ``end`` that no row holds, in order of time."""
    gaps: list[tuple[int, int]] = []
    at = start
    for row in rows:
        first, last = row.span(step)
        if last <= at:
            continue
        if first >= end:
            break
        if first > at:
            gaps.append((at, first))
        at = last
    if at < end:
        gaps.append((at, end))
    return gaps


def ends(connection: Connection, ids: Sequence[int], step: int) -> dict[int, int]:
    """The end of the last closed bucket of each indicator that has one, epoch seconds."""
    found: dict[int, int] = {}
    for batch in in_batches(ids):
        query = select(days.c.indicator, _end(step)).where(days.c.indicator.in_(batch)).group_by(days.c.indicator)
        found.update((id, int(last)) for id, last in connection.execute(query))
    return found


def first_gaps(connection: Connection, ids: Sequence[int], step: int) -> dict[int, int]:
    """Where the buckets of each indicator that has any first end, epoch seconds: at a hole between its rows, or after
    the last one."""
    found: dict[int, int] = {}
    for batch in in_batches(ids):
        start = func.min(days.c.day * DAY_SECONDS + days.c.first * step)
        whole = func.sum(days.c.count)
        query = (
            select(days.c.indicator, start, _end(step), whole)
            .where(days.c.indicator.in_(batch) & (days.c.correction == 0))
            .group_by(days.c.indicator)
        )
        for id, first, last, buckets in connection.execute(query).all():
            found[id] = int(last)
            if (last - first) // step != buckets:
                gaps = missing(extents(connection, [id], first, last).get(id, []), first, last, step)
                found[id] = gaps[0][0] if gaps else int(last)
    return found


def _end(step: int) -> ColumnElement[int]:
    return func.max(days.c.day * DAY_SECONDS + (days.c.first + days.c.count) * step)


def newest_correction(connection: Connection) -> int:
    """The number of the last correction, 0 where there is none."""
    return int(
        connection.execute(select(corrections.c.number).order_by(corrections.c.number.desc()).limit(1)).scalar() or 0
    )
