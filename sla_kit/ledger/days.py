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

import msgspec
import numpy as np
from sqlalchemy import Connection, delete, select, tuple_

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Latency, Service, Sli, Slo
from sla_kit.engine.budgeting import Terms, count, leaving_out
from sla_kit.engine.context import Context
from sla_kit.engine.evidence import worst_of, worst_value
from sla_kit.engine.exclusions import excluded
from sla_kit.engine.figures import figure_of
from sla_kit.engine.quantiles import quantile_of, summed
from sla_kit.engine.results import Figure, Period, Rollup
from sla_kit.engine.rollups import rolled_up
from sla_kit.ledger.extents import BATCH, Extent, extents, in_batches
from sla_kit.ledger.identity import Identity
from sla_kit.ledger.rows import DAY_SECONDS, unpack
from sla_kit.ledger.store import Store
from sla_kit.ledger.tables import daily as table
from sla_kit.ledger.tables import day as days
from sla_kit.timeline import Floats, Grid, Mask, Timeline

Key = tuple[str, str]


class Extra(msgspec.Struct, array_like=True):
    """What the measured figure of several days is made of: the worst value of the day, or its histogram."""

    worst: float | None = None
    bounds: bytes = b""
    counts: bytes = b""


@dataclass(frozen=True, slots=True)
class Sums:
    """A day, or a part of one, as an SLO counts it: events, and the buckets that were covered."""

    total: float
    bad: float
    coverage: float
    extra: Extra


@dataclass(frozen=True, slots=True)
class Asked:
    """An SLO that is measured by an indicator whose rows the ledger has."""

    service: Service
    slo: Slo
    sli: Sli
    terms: Terms
    identity: Identity

    @property
    def by_days(self) -> bool:
        """Whether its days can be summed one by one: what a missing bucket counts as may depend on other days, and a
        slice may reach over midnight."""
        return self.terms.missing != "bad" and DAY_SECONDS % max(self.terms.slice_seconds, 1) == 0

    @property
    def id(self) -> int:
        """A number of 63 bits that stands for the indicator and how its events are counted."""
        terms = self.terms
        text = f"{self.identity.id} {terms.budgeting} {terms.slice_seconds} {terms.slice_target!r} {terms.missing}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


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
    periods = context.rollups
    step = int(context.catalogue.bucket)
    start = min(period.start for period in periods) // DAY_SECONDS * DAY_SECONDS
    end = max(period.end for period in periods)
    found: dict[Key, tuple[Rollup, ...]] = {}
    proofs: dict[int, dict[int, bytes]] = {}
    for some in in_batches(asked, BATCH):
        with store.reading() as connection:
            held = extents(connection, sorted({one.identity.id for one in some}), start, end, until_correction)
            for indicator, tail in tails.items():
                held[indicator] = [row for row in held.get(indicator, []) if row.span(step)[1] <= tail.grid.start]
            proofs.update({id: {row.day: row.digest for row in rows} for id, rows in held.items()})
            known = _known(connection, some, held, start, end)
            missing = _missing(context, some, held, known, step)
            made = dict(_summed(connection, context, some, missing, step))
            for (terms, day), sums in made.items():
                known.setdefault(terms, {})[day] = sums
            cuts = _Cuts(connection, context, step)
            for one in some:
                id = one.identity.id
                kept = _Days(one, held.get(id, []), known.get(one.id, {}), cuts, tails.get(id))
                found[one.service.name, one.slo.name] = rolled_up(periods, kept.figure)
        if made:
            _keep(store, some, held, made)
    return RolledUp(found, proofs)


def _full(row: Extent, step: int) -> bool:
    return row.first == 0 and row.count * step == DAY_SECONDS


def _known(
    connection: Connection, asked: Sequence[Asked], held: Mapping[int, Sequence[Extent]], start: int, end: int
) -> dict[int, dict[int, Sums]]:
    """Sums that were kept and whose rows are still the same, by terms and day."""
    proof = {one.id: {row.day: row for row in held.get(one.identity.id, [])} for one in asked}
    decoder = msgspec.msgpack.Decoder(Extra)
    nothing = Extra()
    found: dict[int, dict[int, Sums]] = {}
    query = (
        select(table.c.terms, table.c.day, table.c.digest, table.c.total, table.c.bad, table.c.coverage, table.c.extra)
        .where(table.c.terms.in_(sorted(proof)))
        .where(table.c.day.between(start // DAY_SECONDS, (end - 1) // DAY_SECONDS))
    )
    for id, day, digest, total, bad, coverage, extra in connection.execute(query):
        row = proof[id].get(day)
        if row is not None and row.digest == digest:
            more = decoder.decode(extra) if extra is not None else nothing
            found.setdefault(id, {})[day] = Sums(total, bad, coverage, more)
    return found


def _missing(
    context: Context,
    asked: Sequence[Asked],
    held: Mapping[int, Sequence[Extent]],
    known: Mapping[int, Mapping[int, Sums]],
    step: int,
) -> dict[int, list[Extent]]:
    """The rows of whole days that have not been summed, by terms."""
    found: dict[int, list[Extent]] = {}
    for one in asked:
        have = known.get(one.id, {})
        rows = [row for row in held.get(one.identity.id, []) if row.day not in have and _full(row, step)]
        if rows:
            found[one.id] = rows
    return found


def _summed(
    connection: Connection,
    context: Context,
    asked: Sequence[Asked],
    missing: Mapping[int, Sequence[Extent]],
    step: int,
) -> Iterator[tuple[tuple[int, int], Sums]]:
    """Whole days summed, by terms and day."""
    for one in {one.id: one for one in asked}.values():
        rows = missing.get(one.id, [])
        for at in range(0, len(rows), BATCH):
            for row, timeline in _timelines(connection, one.identity, rows[at : at + BATCH], step):
                yield (one.id, row.day), sum_of(one, timeline, (), *row.span(step))


def _timelines(
    connection: Connection, identity: Identity, rows: Sequence[Extent], step: int
) -> Iterator[tuple[Extent, Timeline]]:
    by_key = {(row.day, row.correction): row for row in rows}
    query = select(days.c.day, days.c.correction, days.c.payload).where(
        (days.c.indicator == identity.id) & tuple_(days.c.day, days.c.correction).in_(list(by_key))
    )
    for day, correction, payload in connection.execute(query.order_by(days.c.day)):
        row = by_key[day, correction]
        yield row, unpack(payload, Grid(row.span(step)[0], step, row.count))


def sum_of(one: Asked, timeline: Timeline, maintenance: Sequence[Interval], start: int, end: int) -> Sums:
    """The buckets of days from ``start`` to ``end`` (epoch seconds) summed, without those that are excluded. Whole days
    are counted, for a slice that the stretch cuts is judged as a whole."""
    counted = count(timeline, one.terms)
    mask = excluded(maintenance, one.service.name, timeline.grid)
    keep = None if mask is None else ~mask
    if keep is not None:
        counted = leaving_out(counted, timeline, one.terms, keep)
    where = timeline.grid.slice(start, end)
    inside = None if keep is None else keep[where]
    coverage = timeline.coverage[where] if inside is None else timeline.coverage[where][inside]
    return Sums(
        float(counted.total[where].sum()),
        float(counted.bad[where].sum()),
        float(coverage.sum()),
        _extra(one.sli, timeline, where, inside),
    )


def _extra(sli: Sli, timeline: Timeline, where: slice, inside: Mask | None) -> Extra:
    if isinstance(sli, Latency):
        if timeline.histogram is None:
            return Extra()
        return Extra(None, timeline.histogram.bounds.tobytes(), summed(timeline.histogram, where, inside).tobytes())
    return Extra(worst_value(sli, timeline, where, inside))


def _value(sli: Sli, extras: Sequence[Extra]) -> float | None:
    """The measured figure of several days: the quantile of their histograms, or the worst of their values."""
    if not isinstance(sli, Latency):
        return worst_of(sli, np.array([np.nan if one.worst is None else one.worst for one in extras]))
    sums: dict[bytes, Floats] = {}
    for one in extras:
        if one.bounds:
            counts = np.frombuffer(one.counts)
            sums[one.bounds] = sums[one.bounds] + counts if one.bounds in sums else counts
    if not sums:
        return None
    bounds = [np.frombuffer(each) for each in sums]
    common = reduce(np.intersect1d, bounds)
    total = sum(counts[np.searchsorted(own, common)] for own, counts in zip(bounds, sums.values(), strict=True))
    found = quantile_of(common, np.asarray(total, dtype=np.float64), sli.quantile)
    return found if np.isfinite(found) else None


def _keep(
    store: Store,
    asked: Sequence[Asked],
    held: Mapping[int, Sequence[Extent]],
    made: Mapping[tuple[int, int], Sums],
) -> None:
    """Keeps sums of whole days, in place of those of earlier rows."""
    proof = {(one.id, row.day): row.digest for one in asked for row in held.get(one.identity.id, [])}
    encoder = msgspec.msgpack.Encoder()
    with store.writing() as connection:
        keys = list(made)
        for at in range(0, len(keys), BATCH):
            some = keys[at : at + BATCH]
            connection.execute(delete(table).where(tuple_(table.c.terms, table.c.day).in_(some)))
            connection.execute(
                table.insert(),
                [
                    {
                        "terms": key[0],
                        "day": key[1],
                        "digest": proof[key],
                        "total": made[key].total,
                        "bad": made[key].bad,
                        "coverage": made[key].coverage,
                        "extra": None if made[key].extra == Extra() else encoder.encode(made[key].extra),
                    }
                    for key in some
                ],
            )


class _Cuts:
    """Days of which only some buckets count, read when they are asked for."""

    def __init__(self, connection: Connection, context: Context, step: int) -> None:
        self._connection = connection
        self.maintenance = context.maintenance
        self.step = step

    def touched(self, one: Asked, row: Extent) -> bool:
        """Whether an exclusion of the service reaches into the day of a row."""
        start, end = row.span(self.step)
        return any(
            each.concerns(one.service.name) and each.start < end and each.end > start for each in self.maintenance
        )

    def sums(self, one: Asked, row: Extent, start: int, end: int) -> Sums:
        """The buckets of a row from ``start`` to ``end``."""
        ((_, timeline),) = _timelines(self._connection, one.identity, [row], self.step)
        return sum_of(one, timeline, self.maintenance, start, end)

    def excluded_buckets(self, one: Asked, start: int, end: int) -> int:
        """Buckets from ``start`` to ``end`` that exclusions take out."""
        mask = excluded(self.maintenance, one.service.name, Grid(start, self.step, (end - start) // self.step))
        return 0 if mask is None else int(mask.sum())


@dataclass(frozen=True, slots=True)
class _Days:
    """All that is known of one SLO's days: its rows, the sums of whole ones, and its last days where they are open."""

    one: Asked
    rows: Sequence[Extent]
    whole: Mapping[int, Sums]
    cuts: _Cuts
    tail: Timeline | None

    def figure(self, period: Period) -> Figure:
        """The figure of a period."""
        start, end = _buckets(period, self.cuts.step)
        parts = list(self._parts(start, end))
        buckets = (end - start) // self.cuts.step - self.cuts.excluded_buckets(self.one, start, end)
        return figure_of(
            sum(part.total for part in parts),
            sum(part.bad for part in parts),
            sum(part.coverage for part in parts) / buckets if buckets else 0.0,
            self.one.terms,
            seconds=float(period.end - period.start),
            occurrences=self.one.terms.budgeting == "occurrences",
            excluded=not buckets and end > start,
            value=_value(self.one.sli, [part.extra for part in parts]),
        )

    def _parts(self, start: int, end: int) -> Iterator[Sums]:
        """The sums of a stretch, day by day."""
        for row in self.rows:
            first, last = row.span(self.cuts.step)
            first_in, last_in = max(first, start), min(last, end)
            if first_in >= last_in:
                continue
            if (first_in, last_in) == (first, last) and row.day in self.whole and not self.cuts.touched(self.one, row):
                yield self.whole[row.day]
            else:
                yield self.cuts.sums(self.one, row, first_in, last_in)
        if self.tail is not None and self.tail.grid.start < end and self.tail.grid.end > start:
            yield sum_of(self.one, self.tail, self.cuts.maintenance, start, end)


def _buckets(period: Period, step: int) -> tuple[int, int]:
    """Start and end of the whole buckets of a period."""
    return -(-period.start // step) * step, period.end // step * step
