"""The ledger as a source of history: rows first, and a live source for what is not closed yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, select

from sla_kit.catalogue.model import External
from sla_kit.errors import LedgerError
from sla_kit.ledger.bounds import with_common_bounds
from sla_kit.ledger.earlier import coarser, earlier_definitions, filled
from sla_kit.ledger.extents import extents, in_batches, missing
from sla_kit.ledger.identity import Identity, names_defined_twice
from sla_kit.ledger.rows import DAY_SECONDS, cut, digest, joined, marks, unpack
from sla_kit.ledger.store import Store
from sla_kit.ledger.tables import day as days
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.sources.indicators import absence_of, unread
from sla_kit.timeline import Finding, Grid, Timeline, Unit

#: Indicators whose rows are read at once.
_AT_ONCE = 20
#: A day after all days.
_LATER = 2**31
#: What a source says of the end of a stretch; the whole is looked at again.
_OF_THE_END = ("no-data", "vanished")


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the table."""

    day: int
    first: int
    count: int
    correction: int
    digest: bytes
    payload: bytes


def read_rows(
    connection: Connection, ids: Sequence[int], start: int, end: int, until_correction: int | None = None
) -> dict[int, list[Row]]:
    """The rows that overlap ``start`` to ``end`` by indicator, in order of time, each as the newest correction (or the
    newest up to ``until_correction``) left it."""
    found: dict[int, list[Row]] = {}
    for batch in in_batches(ids):
        query = (
            select(
                days.c.indicator,
                days.c.day,
                days.c.first,
                days.c.count,
                days.c.correction,
                days.c.digest,
                days.c.payload,
            )
            .where(days.c.indicator.in_(batch))
            .where(days.c.day.between(start // DAY_SECONDS, (end - 1) // DAY_SECONDS))
            .order_by(days.c.indicator, days.c.day, days.c.correction)
        )
        if until_correction is not None:
            query = query.where(days.c.correction <= until_correction)
        for id, *values in connection.execute(query):
            rows = found.setdefault(id, [])
            if rows and rows[-1].day == values[0]:
                rows.pop()
            rows.append(Row(*values))
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    """A row and its buckets; ``as_it_is`` where these are the row's own and no longer ones made of them."""

    row: Row
    timeline: Timeline
    as_it_is: bool


class LedgerSource:
    """Closed buckets from the ledger, the others from ``live`` where there is one.

    ``catalogue`` and ``environment`` say whose rows; an indicator without rows of its own before some day is continued
    with those that an earlier definition of the same name and kind left, and a finding says so; so it is for days of
    which its own rows tell nothing. ``proofs`` collects,
    by indicator, the digest of each day that tells anything: what a report was made of. With ``distrust`` it is made
    anew from what a row holds, whatever digest stands beside it, and rows that can't be read are collected in
    ``damages`` instead of being an error.
    """

    def __init__(
        self,
        store: Store,
        identify: Mapping[tuple[str, str], Identity],
        live: Source | None = None,
        until_correction: int | None = None,
        distrust: bool = False,
    ) -> None:
        self._store = store
        self._identify = identify
        self._live = live
        self._until_correction = until_correction
        self._distrust = distrust
        self._redefined: set[tuple[str, str]] | None = None
        self.proofs: dict[tuple[str, str], dict[int, bytes]] = {}
        self.silent: dict[tuple[str, str], dict[int, bytes]] = {}
        self.marks: dict[bytes, bytes] = {}  # of days that are handed out in part, by their digests
        self.damages: list[LedgerError] = []

    @property
    def name(self) -> str:
        """The live source's name; the ledger's where there is none."""
        return self._live.name if self._live is not None else f"the ledger {self._store.name}"

    def span(self) -> tuple[int, int] | None:
        """The live source's, or from the first to the last closed bucket."""
        if self._live is not None:
            return self._live.span()
        ids = [identity.id for identity in self._identify.values()]
        steps = {identity.bucket for identity in self._identify.values()}
        first: int | None = None
        last: int | None = None
        with self._store.reading() as connection:
            for batch in in_batches(ids):
                for order in (days.c.day.asc(), days.c.day.desc()):
                    query = select(days.c.day, days.c.first, days.c.count).where(days.c.indicator.in_(batch))
                    found = connection.execute(query.order_by(order, (days.c.first + days.c.count).desc())).first()
                    if found is None:
                        continue
                    start = found[0] * DAY_SECONDS
                    step = max(steps)
                    end = start + (found[1] + found[2]) * step
                    first = start if first is None else min(first, start)
                    last = end if last is None else max(last, end)
        return None if first is None or last is None else (first, last)

    def close(self) -> None:
        """Closes nothing: whoever opened the ledger and the live source does."""

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline. What a live source must tell is asked of it for all at once; the rows
        before that are unpacked for a few at a time, so that memory does not grow with the indicators."""
        for indicator in indicators:
            if isinstance(indicator.sli, External):
                yield indicator, unread(indicator.sli, grid)
        for done, (indicator, timeline) in enumerate(self._from_rows(indicators, grid), 1):
            yield indicator, timeline
            progress(done, len(indicators), indicator.key[0])

    def _from_rows(self, indicators: Sequence[Indicator], grid: Grid) -> Iterator[tuple[Indicator, Timeline]]:
        kept = [indicator for indicator in indicators if indicator.key in self._identify]
        if self._live is None:
            for indicator, parts in self._in_parts(kept, grid):
                yield indicator, self._whole(indicator, parts, grid)
            return
        open_ended: dict[int, list[Indicator]] = {}
        for indicator, end in self._ends(kept, grid):
            open_ended.setdefault(end, []).append(indicator)
        for indicator, parts in self._in_parts(open_ended.pop(grid.end, []), grid):
            yield indicator, self._whole(indicator, parts, grid)
        for end, some in open_ended.items():
            tails: dict[tuple[str, str], tuple[Indicator, Timeline]] = {}
            for indicator, tail in self._live.fetch(some, Grid(end, grid.step, (grid.end - end) // grid.step)):
                tails[indicator.key] = indicator, tail
                if len(tails) == _AT_ONCE:
                    yield from self._continued(tails, grid)
                    tails = {}
            yield from self._continued(tails, grid)

    def _continued(
        self, tails: Mapping[tuple[str, str], tuple[Indicator, Timeline]], grid: Grid
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Indicators with their rows, and after them what the live source has told."""
        for indicator, parts in self._parts([indicator for indicator, _ in tails.values()], grid):
            tail = tails[indicator.key][1]
            end = parts[-1].grid.end if parts else grid.start
            if end > tail.grid.start:  # closed by somebody else in the meantime
                tail = replace(cut(tail, min(end, grid.end), grid.end), findings=tail.findings)
            whole = self._whole(indicator, [*parts, tail] if tail.grid.count else parts, grid)
            self.proofs[indicator.key].update(self._digests(whole, tail.grid.start))
            yield indicator, whole

    def _ends(self, kept: Sequence[Indicator], grid: Grid) -> Iterator[tuple[Indicator, int]]:
        """Until where rows tell of each indicator without a hole, known without unpacking them where that can be."""
        plain: list[Indicator] = []
        with self._store.reading() as connection:
            for indicator in kept:
                identity = self._identify[indicator.key]
                once = (identity.service, identity.name) not in self._defined_twice(connection, identity)
                if once and identity.bucket == grid.step:
                    plain.append(indicator)
            ids = [self._identify[indicator.key].id for indicator in plain]
            held = extents(connection, ids, grid.start, grid.end, self._until_correction)
        for indicator in plain:
            rows = held.get(self._identify[indicator.key].id, [])
            begins = max(rows[0].span(grid.step)[0], grid.start) if rows else grid.start
            gaps = missing(rows, begins, grid.end, grid.step)
            yield indicator, grid.start if not rows else gaps[0][0] if gaps else grid.end
        several = {indicator.key for indicator in kept} - {indicator.key for indicator in plain}
        for indicator, parts in self._in_parts([one for one in kept if one.key in several], grid):
            yield indicator, parts[-1].grid.end if parts else grid.start

    def _in_parts(self, indicators: Sequence[Indicator], grid: Grid) -> Iterator[tuple[Indicator, list[Timeline]]]:
        for at in range(0, len(indicators), _AT_ONCE):
            yield from self._parts(indicators[at : at + _AT_ONCE], grid)

    def _parts(self, some: Sequence[Indicator], grid: Grid) -> Iterator[tuple[Indicator, list[Timeline]]]:
        """What rows hold of each indicator, from the grid's start on and without a hole."""
        ids = {indicator.key: self._identify[indicator.key] for indicator in some}
        with self._store.reading() as connection:
            by_id = read_rows(
                connection, [one.id for one in ids.values()], grid.start, grid.end, self._until_correction
            )
            earlier = {
                key: self._earlier(connection, identity, grid)
                for key, identity in ids.items()
                if (identity.service, identity.name) in self._defined_twice(connection, identity)
            }
        for indicator in some:
            identity = ids[indicator.key]
            held = self._held(by_id.get(identity.id, []), identity, grid.step)
            own = next((one.row.day for one in held if _tells(one.timeline)), _LATER)
            left = earlier.get(indicator.key, {})
            before = {day: one for day, one in left.items() if day < own}
            by_day = {one.row.day: one for one in held} | before
            if own in left:
                mine = by_day[own]
                by_day[own] = _Held(mine.row, filled(mine.timeline, left[own].timeline), False)
            yield indicator, self._put_together(indicator.key, [by_day[day] for day in sorted(by_day)], before, grid)

    def _put_together(
        self, key: tuple[str, str], held: Sequence[_Held], before: Mapping[int, _Held], grid: Grid
    ) -> list[Timeline]:
        proof: dict[int, bytes] = {}
        silent: dict[int, bytes] = {}
        parts: list[Timeline] = []
        at = grid.start
        for one in held:
            row, timeline = one.row, one.timeline
            start, end = timeline.grid.start, timeline.grid.end
            if start > at:
                if self._live is not None and parts:
                    break  # a hole: what follows is read from the live source
                parts.append(nothing(Grid(at, grid.step, (start - at) // grid.step), timeline.unit))
                at = start
            whole = start >= at and end <= grid.end and one.as_it_is
            if not whole:
                findings = timeline.findings
                timeline = replace(cut(timeline, max(start, at), min(end, grid.end)), findings=findings)
            position = (timeline.grid.start % DAY_SECONDS) // grid.step
            found = row.digest if whole and not self._distrust else digest(timeline, position)
            if not whole:
                self.marks[found] = marks(timeline)
            (proof if _tells(timeline) else silent)[row.day] = found
            if timeline.grid.count:
                parts.append(timeline)
                at = timeline.grid.end
        told = [one.timeline.grid.end for one in before.values() if _tells(one.timeline)]
        if told and parts:
            until = min(max(told), grid.end)
            message = "measured by an earlier definition of the indicator until then"
            finding = Finding("earlier-definition", message, (until - grid.start) // grid.step, grid.start, until)
            parts[0] = replace(parts[0], findings=(*parts[0].findings, finding))
        self.proofs[key], self.silent[key] = proof, silent
        return parts

    def _held(self, rows: Sequence[Row], identity: Identity, step: int) -> list[_Held]:
        """Rows with their buckets, as buckets of ``step`` seconds; without those that are damaged, where damages are
        collected."""
        found = []
        for row in rows:
            timeline = self._unpacked(row, identity, identity.bucket)
            if timeline is not None:
                found.append(_Held(row, coarser(timeline, step), identity.bucket == step))
        return found

    def _defined_twice(self, connection: Connection, identity: Identity) -> set[tuple[str, str]]:
        """The names of which the ledger has several definitions; looked for once."""
        if self._redefined is None:
            self._redefined = names_defined_twice(connection, identity.catalogue, identity.environment)
        return self._redefined

    def _unpacked(self, row: Row, identity: Identity, step: int) -> Timeline | None:
        """The buckets of a row. A damaged one is looked for in a later version with the same digest; where there is
        none that is an error, or nothing where damages are collected."""
        grid = Grid(row.day * DAY_SECONDS + row.first * step, step, row.count)
        try:
            return unpack(row.payload, grid)
        except LedgerError as error:
            twin = self._twin(row, identity, grid)
            if twin is not None:
                return twin
            damage = LedgerError(
                f"the row of {identity.service}/{identity.name} for {day_name(row.day)} is damaged ({error.message})",
                place=self._store.name,
                remedy="`sla-kit ledger verify` lists every damaged row; `sla-kit ledger reread` reads its day again "
                "where the source still has it, or restore the ledger from a backup",
            )
            if not self._distrust:
                raise damage from error
            self.damages.append(damage)
            return None

    def _twin(self, row: Row, identity: Identity, grid: Grid) -> Timeline | None:
        same = (days.c.indicator == identity.id) & (days.c.day == row.day) & (days.c.correction > row.correction)
        with self._store.reading() as connection:
            others = list(connection.scalars(select(days.c.payload).where(same & (days.c.digest == row.digest))))
        for payload in others:
            with suppress(LedgerError):
                timeline = unpack(payload, grid)
                if digest(timeline, row.first) == row.digest:
                    return timeline
        return None

    def _earlier(self, connection: Connection, identity: Identity, grid: Grid) -> dict[int, _Held]:
        """What earlier definitions left, by day; of several rows of a day the one with most buckets observed."""
        found: dict[int, _Held] = {}
        for each in earlier_definitions(connection, identity):
            rows = read_rows(connection, [each.id], grid.start, grid.end, self._until_correction).get(each.id, [])
            for one in self._held(rows, replace(identity, bucket=each.bucket), grid.step):
                day = one.row.day
                if day not in found or one.timeline.coverage.sum() > found[day].timeline.coverage.sum():
                    found[day] = one
        return found

    def _digests(self, timeline: Timeline, start: int) -> dict[int, bytes]:
        """The digests of the days from that of ``start`` to the timeline's end."""
        found: dict[int, bytes] = {}
        grid = timeline.grid
        at = max(start // DAY_SECONDS * DAY_SECONDS, grid.start)
        while at < grid.end:
            part = cut(timeline, at, min((at // DAY_SECONDS + 1) * DAY_SECONDS, grid.end))
            if _tells(part):
                found[at // DAY_SECONDS] = digest(part, (at % DAY_SECONDS) // grid.step)
                self.marks[found[at // DAY_SECONDS]] = marks(part)
            at = part.grid.end
        return found

    def _whole(self, indicator: Indicator, parts: Sequence[Timeline], grid: Grid) -> Timeline:
        """One timeline of several parts, on the whole grid."""
        unit: Unit = parts[-1].unit if parts else "requests"
        several = list(parts)
        end = several[-1].grid.end if several else grid.start
        if end < grid.end:
            several.append(nothing(Grid(end, grid.step, (grid.end - end) // grid.step), unit))
        whole = joined(with_common_bounds(several))
        findings = [*merged(whole.findings), *absence_of(indicator.sli, whole.coverage > 0, grid)]
        return replace(whole, findings=tuple(findings))


def _tells(timeline: Timeline) -> bool:
    """Whether anything was observed or counted."""
    return bool(timeline.coverage.any() or timeline.total.any())


def nothing(grid: Grid, unit: Unit) -> Timeline:
    """Buckets of which nothing is known."""
    return Timeline(grid, np.zeros(grid.count), np.zeros(grid.count), np.zeros(grid.count), unit)


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of several stretches as those of the whole: equal ones are one, their buckets added."""
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        if one.kind in _OF_THE_END:
            continue
        key = (one.kind, one.message)
        known = found.get(key)
        if known is None:
            found[key] = one
        elif one.start is not None and known.start is not None and one.end is not None and known.end is not None:
            start, end = min(known.start, one.start), max(known.end, one.end)
            found[key] = replace(known, count=known.count + one.count, start=start, end=end)
    return list(found.values())


def day_name(day: int) -> str:
    """A day as people write it: 2026-09-13."""
    return str(np.datetime64(day, "D"))
