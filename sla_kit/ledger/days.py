"""Figures of months, quarters and years from sums of days: no bucket is read that has been summed before.

A whole day of an SLO is summed once, as its terms count events, and the sums are kept with the digest of the row they
were made from; a row that has changed is summed again. Days that a period or an exclusion cuts are read bucket by
bucket, so that the figures are those of all the buckets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from sqlalchemy import Connection, delete, func, select, tuple_

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Latency, LogLatency, Service, Sli, Slo
from sla_kit.engine.budgeting import Terms, count, leaving_out
from sla_kit.engine.context import Context
from sla_kit.engine.evidence import worst_of, worst_value
from sla_kit.engine.exclusions import excluded
from sla_kit.engine.figures import figure_of
from sla_kit.engine.quantiles import quantile_of, summed
from sla_kit.engine.results import Figure, Period, Rollup
from sla_kit.engine.rollups import rolled_up
from sla_kit.ledger.extents import BATCH, Columns, columns, in_batches, newest_correction
from sla_kit.ledger.identity import Identity
from sla_kit.ledger.rows import DAY_SECONDS, unpack
from sla_kit.ledger.store import Store
from sla_kit.ledger.tables import daily as table
from sla_kit.ledger.tables import day as days
from sla_kit.timeline import Floats, Grid, Ints, Mask, Timeline

Key = tuple[str, str]
#: SLOs whose days are in memory at once.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """An SLO that is measured by an indicator whose rows the ledger has."""

    service: Service
    slo: Slo
    sli: Sli
    terms: Terms
    identity: Identity
    id: int  # of the indicator and of how its events are counted, 63 bits

    @classmethod
    def of(cls, service: Service, slo: Slo, sli: Sli, identity: Identity) -> Asked:
        """An SLO by its parts."""
        terms = Terms.of(slo, sli)
        text = f"{identity.id} {terms.budgeting} {terms.slice_seconds} {terms.slice_target!r} {terms.missing}"
        id = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
        return cls(service, slo, sli, terms, identity, id)

    @property
    def by_days(self) -> bool:
        """Whether its days can be summed one by one: what a missing bucket counts as may depend on other days, and a
        slice may reach over midnight."""
        return self.terms.missing != "bad" and DAY_SECONDS % max(self.terms.slice_seconds, 1) == 0


@dataclass(frozen=True, slots=True)
class Sums:
    """Several days as an SLO counts them, arrays of shape (n,): events, and the buckets that were covered. ``worst`` is
    each day's worst measured value (NaN for none), ``bounds`` and ``counts`` its histogram (empty for none)."""

    total: Floats
    bad: Floats
    coverage: Floats
    worst: Floats
    bounds: list[bytes]
    counts: list[bytes]

    @classmethod
    def nothing(cls, size: int) -> Sums:
        """Days of which nothing is known yet."""
        unknown = np.full(size, np.nan)
        return cls(np.zeros(size), np.zeros(size), np.zeros(size), unknown, [b""] * size, [b""] * size)

    def put(self, at: int, one: Sums) -> None:
        """Puts the one day of other sums at a position."""
        self.total[at], self.bad[at], self.coverage[at] = one.total[0], one.bad[0], one.coverage[0]
        self.worst[at], self.bounds[at], self.counts[at] = one.worst[0], one.bounds[0], one.counts[0]


@dataclass(frozen=True, slots=True)
class RolledUp:
    """The roll-ups of some SLOs by (service, SLO), and the digests of days behind them by indicator id."""

    rollups: dict[Key, tuple[Rollup, ...]]
    proofs: dict[int, dict[int, bytes]]


def roll_up(
    store: Store,
    context: Context,
    asked: Sequence[Asked],
    until_correction: int,
    tails: Mapping[int, Timeline],
) -> RolledUp:
    """The roll-ups of SLOs (all of which can be summed by days) over the context's periods. ``tails`` are, by the ids
    of indicators, the last days where these are not all closed: they stand for the rows from their start on."""
    step = int(context.catalogue.bucket)
    start = min(period.start for period in context.rollups) // DAY_SECONDS * DAY_SECONDS
    end = max(period.end for period in context.rollups)
    found: dict[Key, tuple[Rollup, ...]] = {}
    proofs: dict[int, dict[int, bytes]] = {}
    for some in in_batches(asked, _AT_ONCE):
        several: list[_Days] = []
        with store.reading() as connection:
            ids = sorted({one.identity.id for one in some})
            held = columns(connection, ids, start, end, until_correction)
            for id, tail in tails.items():
                if id in held:
                    rows = held[id]
                    ends = rows.days * DAY_SECONDS + (rows.first + rows.count) * step
                    held[id] = rows.taken(np.flatnonzero(ends <= tail.grid.start))
            proofs.update({id: dict(zip(rows.days.tolist(), rows.digests, strict=True)) for id, rows in held.items()})
            kept = _kept(connection, [one.id for one in some], start, end)
            for one in some:
                rows = held.get(one.identity.id, _NO_ROWS)
                tail_of = tails.get(one.identity.id)
                mine = _Days(connection, context.maintenance, one, rows, step, tail_of)
                mine.take(kept.get(one.id, []))
                several.append(mine)
            for mine in several:
                mine.sum_the_rest()
                key = (mine.one.service.name, mine.one.slo.name)
                found[key] = rolled_up(context.rollups, mine.figure)
        _keep(store, several)
    return RolledUp(found, proofs)


def sum_days(store: Store, asked: Sequence[Asked], step: int, start: int, end: int) -> None:
    """Sums the whole days from ``start`` to ``end`` (epoch seconds) that have not been, so that no report has to; and
    earlier ones that a run has closed but died before it summed them."""
    for some in in_batches([one for one in asked if one.by_days], _AT_ONCE):
        with store.reading() as connection:
            start = min(start, _unsummed_since(connection, some))
            ids = sorted({one.identity.id for one in some})
            held = columns(connection, ids, start, end, newest_correction(connection))
            kept = _kept(connection, [one.id for one in some], start, end)
            several = [_Days(connection, (), one, held.get(one.identity.id, _NO_ROWS), step) for one in some]
            for mine in several:
                mine.take(kept.get(mine.one.id, []))
                mine.sum_the_rest()
        _keep(store, several)


def _unsummed_since(connection: Connection, asked: Sequence[Asked]) -> int:
    """From when on days of some SLOs have not been summed, epoch seconds."""
    summed = select(table.c.terms, func.max(table.c.day)).where(table.c.terms.in_([one.id for one in asked]))
    last = {id: int(day) for id, day in connection.execute(summed.group_by(table.c.terms))}
    held = select(days.c.indicator, func.min(days.c.day)).where(
        days.c.indicator.in_([one.identity.id for one in asked])
    )
    first = {id: int(day) for id, day in connection.execute(held.group_by(days.c.indicator))}
    known = [one for one in asked if one.identity.id in first]
    return DAY_SECONDS * min(
        (last[one.id] + 1 if one.id in last else first[one.identity.id] for one in known), default=2**31
    )


_NONE = np.empty(0, dtype=np.int64)
_NO_ROWS = Columns(_NONE, _NONE, _NONE, _NONE, ())


def _kept(connection: Connection, ids: Sequence[int], start: int, end: int) -> dict[int, list[tuple[object, ...]]]:
    """The rows of sums by terms, in order of time."""
    query = (
        select(
            table.c.terms,
            table.c.day,
            table.c.digest,
            table.c.total,
            table.c.bad,
            table.c.coverage,
            table.c.worst,
            table.c.bounds,
            table.c.counts,
        )
        .where(table.c.terms.in_(sorted(set(ids))))
        .where(table.c.day.between(start // DAY_SECONDS, (end - 1) // DAY_SECONDS))
        .order_by(table.c.terms, table.c.day)
    )
    found: dict[int, list[tuple[object, ...]]] = {}
    for row in connection.execute(query).all():
        found.setdefault(row[0], []).append(row)
    return found


class _Days:
    """All that is known of one SLO's days: its rows, the sums of whole ones, and its last days where they are open."""

    def __init__(
        self,
        connection: Connection,
        maintenance: Sequence[Interval],
        one: Asked,
        rows: Columns,
        step: int,
        tail: Timeline | None = None,
    ) -> None:
        self.one = one
        self.rows = rows
        self.new: list[int] = []
        self.sums = Sums.nothing(len(rows.days))
        self._connection = connection
        self._maintenance = [each for each in maintenance if each.concerns(one.service.name)]
        self._tail = tail
        self._step = step
        self._starts = rows.days * DAY_SECONDS + rows.first * step
        self._ends = self._starts + rows.count * step
        self._summed = np.zeros(len(rows.days), dtype=np.bool_)
        self._touched = np.zeros(len(rows.days), dtype=np.bool_)
        for each in self._maintenance:
            self._touched |= (self._starts < each.end) & (self._ends > each.start)

    def take(self, kept: Sequence[tuple[object, ...]]) -> None:
        """Takes sums that were kept and whose rows are still the same."""
        if not kept or not len(self.rows.days):
            return
        _, day, digests, total, bad, coverage, worst, bounds, counts = zip(*kept, strict=True)
        at = np.searchsorted(self.rows.days, np.array(day))
        at[at == len(self.rows.days)] = 0
        mine = self.rows.digests
        same = np.array([mine[position] == digest for position, digest in zip(at, digests, strict=True)])
        same &= self.rows.days[at] == np.array(day)
        into = at[same]
        for column, values in ((self.sums.total, total), (self.sums.bad, bad), (self.sums.coverage, coverage)):
            column[into] = np.array(values, dtype=np.float64)[same]
        self.sums.worst[into] = np.array([np.nan if each is None else each for each in worst])[same]
        if isinstance(self.one.sli, Latency | LogLatency):
            for position in np.flatnonzero(same):
                self.sums.bounds[at[position]] = bounds[position] or b""
                self.sums.counts[at[position]] = counts[position] or b""
        self._summed[into] = True

    def sum_the_rest(self) -> None:
        """Sums the whole days that have not been."""
        whole = (self.rows.first == 0) & (self.rows.count * self._step == DAY_SECONDS)
        rest = np.flatnonzero(whole & ~self._summed)
        for at, timeline in self._timelines(rest):
            grid = timeline.grid
            self.sums.put(at, sum_of(self.one, timeline, (), grid.start, grid.end))
            self.new.append(at)
        self._summed[rest] = True

    def figure(self, period: Period) -> Figure:
        """The figure of a period."""
        start, end = -(-period.start // self._step) * self._step, period.end // self._step * self._step
        inside = (self._starts < end) & (self._ends > start)
        whole = inside & (self._starts >= start) & (self._ends <= end) & self._summed & ~self._touched
        cuts = np.flatnonzero(inside & ~whole)
        parts = [sum_of(self.one, timeline, self._maintenance, start, end) for _, timeline in self._timelines(cuts)]
        if self._tail is not None and self._tail.grid.start < end and self._tail.grid.end > start:
            parts.append(sum_of(self.one, self._tail, self._maintenance, start, end))
        chosen = np.flatnonzero(whole)
        buckets = (end - start) // self._step - self._excluded_buckets(start, end)
        coverage = float(self.sums.coverage[chosen].sum()) + sum(float(part.coverage[0]) for part in parts)
        return figure_of(
            float(self.sums.total[chosen].sum()) + sum(float(part.total[0]) for part in parts),
            float(self.sums.bad[chosen].sum()) + sum(float(part.bad[0]) for part in parts),
            coverage / buckets if buckets else 0.0,
            self.one.terms,
            seconds=float(period.end - period.start),
            occurrences=self.one.terms.budgeting == "occurrences",
            excluded=not buckets and end > start,
            value=_value(self.one.sli, self.sums, chosen, parts),
        )

    def _excluded_buckets(self, start: int, end: int) -> int:
        """Buckets from ``start`` to ``end`` that exclusions take out."""
        if not any(each.start < end and each.end > start for each in self._maintenance):
            return 0
        grid = Grid(start, self._step, (end - start) // self._step)
        mask = excluded(self._maintenance, self.one.service.name, grid)
        return 0 if mask is None else int(mask.sum())

    def _timelines(self, positions: Ints) -> Iterator[tuple[int, Timeline]]:
        """Rows with their buckets."""
        for some in in_batches(positions.tolist()):
            by_key = {(int(self.rows.days[at]), int(self.rows.correction[at])): at for at in some}
            query = select(days.c.day, days.c.correction, days.c.payload).where(
                (days.c.indicator == self.one.identity.id) & tuple_(days.c.day, days.c.correction).in_(list(by_key))
            )
            for day, correction, payload in self._connection.execute(query.order_by(days.c.day)):
                at = by_key[day, correction]
                yield at, unpack(payload, Grid(int(self._starts[at]), self._step, int(self.rows.count[at])))


def sum_of(one: Asked, timeline: Timeline, maintenance: Sequence[Interval], start: int, end: int) -> Sums:
    """The buckets of days from ``start`` to ``end`` (epoch seconds) summed into one, without those that are excluded.
    Whole days are counted, for a slice that the stretch cuts is judged as a whole."""
    counted = count(timeline, one.terms)
    mask = excluded(maintenance, one.service.name, timeline.grid)
    keep = None if mask is None else ~mask
    if keep is not None:
        counted = leaving_out(counted, timeline, one.terms, keep)
    where = timeline.grid.slice(start, end)
    inside = None if keep is None else keep[where]
    coverage = timeline.coverage[where] if inside is None else timeline.coverage[where][inside]
    worst, bounds, counts = _measured(one.sli, timeline, where, inside)
    return Sums(
        np.array([counted.total[where].sum()]),
        np.array([counted.bad[where].sum()]),
        np.array([coverage.sum()]),
        np.array([worst]),
        [bounds],
        [counts],
    )


def _measured(sli: Sli, timeline: Timeline, where: slice, inside: Mask | None) -> tuple[float, bytes, bytes]:
    if isinstance(sli, Latency | LogLatency):
        if timeline.histogram is None:
            return np.nan, b"", b""
        return np.nan, timeline.histogram.bounds.tobytes(), summed(timeline.histogram, where, inside).tobytes()
    worst = worst_value(sli, timeline, where, inside)
    return np.nan if worst is None else worst, b"", b""


def _value(sli: Sli, sums: Sums, chosen: Ints, parts: Sequence[Sums]) -> float | None:
    """The measured figure of several days: the quantile of their histograms, or the worst of their values."""
    if not isinstance(sli, Latency | LogLatency):
        return worst_of(sli, np.concatenate([sums.worst[chosen], *(part.worst for part in parts)]))
    by_bounds: dict[bytes, list[bytes]] = {}
    for at in chosen:
        by_bounds.setdefault(sums.bounds[at], []).append(sums.counts[at])
    for part in parts:
        by_bounds.setdefault(part.bounds[0], []).append(part.counts[0])
    by_bounds.pop(b"", None)
    if not by_bounds:
        return None
    bounds = [np.frombuffer(each) for each in by_bounds]
    common = reduce(np.intersect1d, bounds)
    total = np.zeros(common.size)
    for own, several in zip(bounds, by_bounds.values(), strict=True):
        counts = np.frombuffer(b"".join(several)).reshape(-1, own.size).sum(axis=0)
        total += counts[np.searchsorted(own, common)]
    found = quantile_of(common, total, sli.quantile)
    return found if np.isfinite(found) else None


def _keep(store: Store, several: Sequence[_Days]) -> None:
    """Keeps new sums of whole days, in place of those of earlier rows."""
    new: dict[tuple[int, int], dict[str, object]] = {}
    for mine in several:
        for at in mine.new:
            key = (mine.one.id, int(mine.rows.days[at]))
            worst = float(mine.sums.worst[at])
            new[key] = {
                "terms": key[0],
                "day": key[1],
                "digest": mine.rows.digests[at],
                "total": float(mine.sums.total[at]),
                "bad": float(mine.sums.bad[at]),
                "coverage": float(mine.sums.coverage[at]),
                "worst": None if np.isnan(worst) else worst,
                "bounds": mine.sums.bounds[at] or None,
                "counts": mine.sums.counts[at] or None,
            }
    if not new:
        return
    with store.writing() as connection:
        for some in in_batches(new, BATCH):
            connection.execute(delete(table).where(tuple_(table.c.terms, table.c.day).in_(some)))
            connection.execute(table.insert(), [new[key] for key in some])
