"""Reading what the ledger lacks, and closing it for good.

Time is cut into blocks of seven days at fixed places, and each block of each indicator is read with a margin on both
sides, so that a bucket comes out the same whichever run closes it. A block's rows are committed as they come; a run
that dies is simply run again and asks for the rest only. Oldest blocks come first: a server forgets them first, and a
run that dies leaves no hole before what it has closed, so that the next one goes on where the rows end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from sla_kit.errors import LedgerError
from sla_kit.ledger.bounds import with_common_bounds
from sla_kit.ledger.extents import BATCH, extents, in_batches, missing
from sla_kit.ledger.identity import Identity
from sla_kit.ledger.rows import DAY_SECONDS, DayRow, digest, joined, marks, pack, split, unpack
from sla_kit.ledger.store import Store
from sla_kit.ledger.tables import day as days
from sla_kit.ledger.tables import indicator as indicators_table
from sla_kit.ledger.tables import mark as mark_table
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Grid, Timeline

BLOCK_SECONDS = 7 * DAY_SECONDS
#: A gap at the end of what is known stays open for so long: what its counters counted is told when they come back.
GAP_SECONDS = 7 * DAY_SECONDS
#: The margin of a block: the reading before and after it that settles what its first and last buckets hold.
MARGIN_SECONDS = 3600
#: Rows wait for a transaction no longer than this.
_COMMIT_SECONDS = 2.0
_COMMIT_INDICATORS = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """One indicator that the ledger keeps: its identity's ``id``, and what a source is asked for."""

    id: int
    identity: Identity
    indicator: Indicator


@dataclass(frozen=True, slots=True)
class Closed:
    """What a run did: rows written, buckets in them, indicators that had something to close, and the end of closing."""

    rows: int
    buckets: int
    indicators: int
    until: int


def close_buckets(
    store: Store,
    source: Source,
    wanted: Sequence[Wanted],
    *,
    step: int,
    since: int,
    until: int,
    now: int,
    progress: Progress = no_progress,
) -> Closed:
    """Closes every bucket from ``since`` to ``until`` (epoch seconds) that is missing. ``now`` is the moment up to
    which the source knows anything, at or after ``until``.

    Raises `SourceError` and `LedgerError`; what was committed before stays.
    """
    since, until = since // DAY_SECONDS * DAY_SECONDS, until // step * step  # a row never has a hole
    if not wanted or since >= until:
        return Closed(0, 0, 0, until)
    with store.reading() as connection:
        held = extents(connection, [one.id for one in wanted], since, until)
    work: dict[tuple[int, int], list[Wanted]] = {}
    for one in wanted:
        for start, end in missing(held.get(one.id, []), since, until, step):
            for block in _blocks(start, end):
                work.setdefault(block, []).append(one)
    writer = _Writer(store, step)
    everything = sum(len(ones) for ones in work.values())
    done = 0
    for (start, end), ones in sorted(work.items(), key=lambda item: item[0]):

        def told(part: int, whole: int, what: str, done: int = done, size: int = len(ones)) -> None:
            progress(round(100 * (done + size * part / max(whole, 1))), 100 * everything, what)

        writer.name(ones)
        for one, timeline in _read(source, ones, start, end, step, now, told):
            last = _settled(timeline, start, end, now)
            if last > start:
                writer.add(one, split(timeline, start, last))
        writer.commit()
        done += len(ones)
    progress(100 * everything, 100 * everything, "")
    return Closed(writer.rows, writer.buckets, len({one.id for ones in work.values() for one in ones}), until)


def _blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """A stretch cut at the places where all are cut."""
    while start < end:
        edge = min((start // BLOCK_SECONDS + 1) * BLOCK_SECONDS, end)
        yield start, edge
        start = edge


def _read(
    source: Source, ones: Sequence[Wanted], start: int, end: int, step: int, now: int, progress: Progress
) -> Iterator[tuple[Wanted, Timeline]]:
    """Each indicator with a timeline that holds ``start`` to ``end`` and a margin. Where a gap covers a whole margin,
    the block is read again with so wide a one that both its neighbours see the same gap."""
    by_key = {one.indicator.key: one for one in ones}
    margin = -(-MARGIN_SECONDS // step) * step
    again: list[Wanted] = []
    for indicator, timeline in source.fetch(
        [one.indicator for one in ones], _around(start, end, step, margin, now), progress
    ):
        if _nobody_read(timeline):
            continue
        if _in_the_dark(timeline, start, end):
            again.append(by_key[indicator.key])
        else:
            yield by_key[indicator.key], timeline
    if again:
        wide = _around(start, end, step, -(-GAP_SECONDS // step) * step, now)
        for indicator, timeline in source.fetch([one.indicator for one in again], wide, progress):
            yield by_key[indicator.key], timeline


def _around(start: int, end: int, step: int, margin: int, now: int) -> Grid:
    last = max(end, min(end + margin, now // step * step))
    return Grid(start - margin, step, (last - start + margin) // step)


def _nobody_read(timeline: Timeline) -> bool:
    """Whether the source could not be asked for this at all, as metrics can't be for logs: another one may be."""
    return any(finding.kind == "unread" for finding in timeline.findings)


def _in_the_dark(timeline: Timeline, start: int, end: int) -> bool:
    """Whether nothing was observed in the margin before ``start``, or in that after ``end``."""
    grid = timeline.grid
    seen = timeline.coverage > 0
    before, after = seen[: (start - grid.start) // grid.step], seen[(end - grid.start) // grid.step :]
    return not before.any() or (after.size > 0 and not after.any())


def partial_since(timeline: Timeline, start: int, end: int) -> int:
    """From when on, of the time from ``start`` to ``end``, a source says that only a part of it answered; ``end`` where
    it says no such thing."""
    since = end
    for finding in timeline.findings:
        if finding.kind == "partial-answer" and (finding.end is None or finding.end > start):
            since = min(since, start if finding.start is None else max(finding.start, start))
    return since


def _settled(timeline: Timeline, start: int, end: int, now: int) -> int:
    """Until when the buckets from ``start`` to ``end`` can be closed: a gap that has not ended yet stays open, for a
    while, and what only a part of the server answered for until all of it does."""
    grid = timeline.grid
    end = min(end, partial_since(timeline, start, end))
    seen = np.flatnonzero(timeline.coverage > 0)
    inside = seen[seen >= (start - grid.start) // grid.step]
    if inside.size and int(grid.ends[inside[-1]]) >= end:
        return end
    known = int(grid.ends[inside[-1]]) if inside.size else start
    return min(end, max(known, (now - GAP_SECONDS) // grid.step * grid.step))


class _Writer:
    """Collects rows and commits them now and then, each indicator's block in one piece."""

    def __init__(self, store: Store, step: int) -> None:
        self.rows = 0
        self.buckets = 0
        self._store = store
        self._step = step
        self._waiting: list[tuple[Wanted, DayRow, dict[str, object]]] = []
        self._indicators = 0
        self._since = time.monotonic()
        self._named: set[int] = set()

    def name(self, ones: Sequence[Wanted]) -> None:
        """Has the indicators written down."""
        new = [one for one in ones if one.id not in self._named]
        if new:
            with self._store.writing() as connection:
                write_indicators(connection, new)
            self._named.update(one.id for one in new)

    def add(self, one: Wanted, rows: list[DayRow]) -> None:
        """Takes rows of one indicator that follow one another."""
        # Packed here: nobody else must wait for that.
        self._waiting.extend((one, row, row_values(one.id, row, 0)) for row in rows)
        self._indicators += 1
        late = time.monotonic() - self._since > _COMMIT_SECONDS
        if late or self._indicators >= _COMMIT_INDICATORS:
            self.commit()

    def commit(self) -> None:
        """Writes what has been taken."""
        if self._waiting:
            with self._store.writing() as connection:
                written = write_rows(connection, self._waiting, self._step)
            self.rows += len(written)
            self.buckets += sum(written)
        self._waiting, self._indicators = [], 0
        self._since = time.monotonic()


def write_indicators(connection: Connection, ones: Sequence[Wanted]) -> None:
    """Writes down the indicators that are not yet known."""
    known: set[int] = set()
    for batch in in_batches(one.id for one in ones):
        known.update(connection.scalars(select(indicators_table.c.id).where(indicators_table.c.id.in_(batch))))
    new = {one.id: one.identity for one in ones if one.id not in known}
    if new:
        connection.execute(
            indicators_table.insert(),
            [
                {
                    "id": id,
                    "catalogue": identity.catalogue,
                    "environment": identity.environment,
                    "service": identity.service,
                    "name": identity.name,
                    "bucket": identity.bucket,
                    "definition": identity.definition,
                }
                for id, identity in sorted(new.items())
            ],
        )


def write_rows(
    connection: Connection, waiting: Sequence[tuple[Wanted, DayRow, dict[str, object]]], step: int
) -> list[int]:
    """Writes rows; what another run has closed in the meantime stays as it is. Returns the new buckets of each row."""
    keys = [(one.id, row.day) for one, row, _ in waiting]
    present: dict[tuple[int, int], tuple[int, int, int]] = {}
    for at in range(0, len(keys), BATCH):
        query = select(days.c.indicator, days.c.day, days.c.correction, days.c.first, days.c.count).where(
            tuple_(days.c.indicator, days.c.day).in_(keys[at : at + BATCH])
        )
        for id, day, correction, first, count in connection.execute(query.order_by(days.c.correction)):
            present[id, day] = (correction, first, count)
    new: list[dict[str, object]] = []
    written: list[int] = []
    found: dict[bytes, bytes] = {}
    for one, row, values in waiting:
        there = present.get((one.id, row.day))
        if there is None:
            new.append(values)
            written.append(row.count)
            found[digest_of(values)] = marks(row.timeline)
        elif (more := _extended(connection, one, row, there, step)) is not None:
            grown, added = more
            key = (days.c.indicator == one.id) & (days.c.day == row.day) & (days.c.correction == there[0])
            grown_values = row_values(one.id, grown, there[0])
            connection.execute(days.update().where(key).values(grown_values))
            written.append(added)
            found[digest_of(grown_values)] = marks(grown.timeline)
    if new:
        connection.execute(days.insert(), new)
    write_marks(connection, found)
    return written


def write_marks(connection: Connection, found: Mapping[bytes, bytes]) -> None:
    """Keeps what finds changed buckets, by the digests of days."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    if found:
        statement = insert(mark_table).on_conflict_do_nothing()
        connection.execute(statement, [{"digest": key, "body": body} for key, body in sorted(found.items())])


def digest_of(values: Mapping[str, object]) -> bytes:
    """The digest among a row's values."""
    found = values["digest"]
    assert isinstance(found, bytes)
    return found


def row_values(id: int, row: DayRow, correction: int) -> dict[str, object]:
    """A row as the table has it."""
    return {
        "indicator": id,
        "day": row.day,
        "correction": correction,
        "first": row.first,
        "count": row.count,
        "digest": digest(row.timeline, row.first),
        "payload": pack(row.timeline),
    }


def _extended(
    connection: Connection, one: Wanted, row: DayRow, there: tuple[int, int, int], step: int
) -> tuple[DayRow, int] | None:
    """The row that is there with what the new one has before and after it; None where that is nothing."""
    correction, first, count = there
    before, after = row.first < first, row.first + row.count > first + count
    if not before and not after:
        return None
    if row.first > first + count or row.first + row.count < first:
        raise LedgerError(f"buckets between two stretches of {one.identity.service}/{one.identity.name} are missing")
    key = (days.c.indicator == one.id) & (days.c.day == row.day) & (days.c.correction == correction)
    payload = connection.execute(select(days.c.payload).where(key)).scalar_one()
    start = row.day * DAY_SECONDS + first * step
    kept = unpack(payload, Grid(start, step, count))
    parts: list[Timeline] = []
    new_start, new_end = row.timeline.grid.start, row.timeline.grid.end
    if before:
        parts.append(split(row.timeline, new_start, start)[0].timeline)
    parts.append(kept)
    if after:
        parts.append(split(row.timeline, kept.grid.end, new_end)[0].timeline)
    whole = joined(with_common_bounds(parts))
    return DayRow(row.day, min(first, row.first), whole), whole.grid.count - count
