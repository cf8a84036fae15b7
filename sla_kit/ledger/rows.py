"""A day of one indicator as one compact row, bit for bit: packing, unpacking and the digest that proves it.

Counters make whole numbers, most good counts equal their totals and most buckets are covered, so that each column is
written in the form that fits it: a constant, the same as an earlier column but for a few buckets, whole numbers in as
few bytes as they need (split into planes of equal bytes, which compress well), or plain floats. What does not fit is
kept beside it as it is, so that every float comes back with all its bits.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from sla_kit.errors import LedgerError
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Timeline, Unit

DAY_SECONDS = 86400
_LEVEL = 6
#: A column with more odd values than this share is written as plain floats.
_ODD_SHARE = 0.25


class _Column(msgspec.Struct, array_like=True):
    """One column: ``form`` is constant, like (column ``base``), whole (numbers from ``base`` in ``width`` bytes) or
    plain; ``odd`` and ``exact`` are the positions (uint32) and the values (float64) that the form does not give."""

    form: Literal["constant", "like", "whole", "plain"]
    base: int
    width: int
    body: bytes
    odd: bytes = b""
    exact: bytes = b""


class _Packed(msgspec.Struct, array_like=True):
    """The content of a row: columns in a fixed order (total, good, coverage, then value, completed and the histogram's
    counts where there are any), and the histogram's bounds."""

    count: int
    unit: Unit
    columns: list[_Column]
    value: bool
    completed: bool
    bounds: bytes | None  # none: no histogram
    findings: list[tuple[str, str, int, int | None, int | None]]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)


@dataclass(frozen=True, slots=True)
class DayRow:
    """Buckets of one indicator on one UTC day: ``day`` is days since 1970, ``first`` the position of its first bucket
    in the day. The timeline's grid says the rest."""

    day: int
    first: int
    timeline: Timeline

    @property
    def count(self) -> int:
        """How many buckets it holds."""
        return self.timeline.grid.count


def split(timeline: Timeline, start: int, end: int) -> list[DayRow]:
    """The buckets of a timeline from ``start`` to ``end`` (epoch seconds, on its grid), day by day. A finding goes to
    the day in which it starts; one without a time to the first."""
    grid = timeline.grid
    rows: list[DayRow] = []
    at = start
    while at < end:
        day = at // DAY_SECONDS
        until = min((day + 1) * DAY_SECONDS, end)
        part = cut(timeline, at, until)
        findings = tuple(one for one in timeline.findings if _belongs(one, at, until, start, end))
        rows.append(DayRow(day, (at % DAY_SECONDS) // grid.step, _with(part, findings)))
        at = until
    return rows


def cut(timeline: Timeline, start: int, end: int) -> Timeline:
    """The buckets of a timeline from ``start`` to ``end``, which lie on its grid; its findings are left out."""
    grid = timeline.grid
    where = slice((start - grid.start) // grid.step, (end - grid.start) // grid.step)
    histogram = timeline.histogram
    return Timeline(
        Grid(start, grid.step, where.stop - where.start),
        timeline.good[where],
        timeline.total[where],
        timeline.coverage[where],
        timeline.unit,
        None if timeline.value is None else timeline.value[where],
        None if timeline.completed is None else timeline.completed[where],
        None if histogram is None else Histogram(histogram.bounds, histogram.counts[where]),
    )


def joined(parts: Sequence[Timeline]) -> Timeline:
    """Timelines that follow one another without a gap as one. Their histograms must have equal bounds."""
    first = parts[0]
    if len(parts) == 1:
        return first
    count = sum(part.grid.count for part in parts)

    def column(name: str) -> Floats | None:
        arrays = [getattr(part, name) for part in parts]
        if all(array is None for array in arrays):
            return None
        filled = [np.full(p.grid.count, np.nan) if a is None else a for p, a in zip(parts, arrays, strict=True)]
        return np.concatenate(filled)

    good, total, coverage = column("good"), column("total"), column("coverage")
    assert good is not None
    assert total is not None
    assert coverage is not None
    histograms = [part.histogram for part in parts if part.histogram is not None]
    histogram = None
    if len(histograms) == len(parts):
        histogram = Histogram(histograms[0].bounds, np.concatenate([one.counts for one in histograms]))
    return Timeline(
        Grid(first.grid.start, first.grid.step, count),
        good,
        total,
        coverage,
        first.unit,
        column("value"),
        column("completed"),
        histogram,
        tuple(finding for part in parts for finding in part.findings),
    )


def pack(timeline: Timeline) -> bytes:
    """The row's payload."""
    columns = [timeline.total, timeline.good, timeline.coverage]
    columns += [array for array in (timeline.value, timeline.completed) if array is not None]
    bounds = None
    if timeline.histogram is not None:
        bounds = np.ascontiguousarray(timeline.histogram.bounds, dtype="<f8").tobytes()
        columns += list(np.ascontiguousarray(timeline.histogram.counts.T))
    packed: list[_Column] = []
    for index, column in enumerate(columns):
        packed.append(_pack_column(np.ascontiguousarray(column, dtype=np.float64), columns[:index]))
    findings = [(one.kind, one.message, one.count, one.start, one.end) for one in timeline.findings]
    content = _Packed(
        timeline.grid.count,
        timeline.unit,
        packed,
        timeline.value is not None,
        timeline.completed is not None,
        bounds,
        findings,
    )
    return zlib.compress(_ENCODER.encode(content), _LEVEL)


def unpack(payload: bytes, grid: Grid) -> Timeline:
    """The timeline of a payload, on the grid that its row says. Raises `LedgerError` for what is no payload."""
    try:
        content = _DECODER.decode(zlib.decompress(payload))
        columns: list[Floats] = []
        for one in content.columns:
            columns.append(_unpack_column(one, content.count, columns))
        if content.count != grid.count:
            raise ValueError(f"{content.count} buckets where the row says {grid.count}")
        histogram = None
        if content.bounds is not None:
            bounds = np.frombuffer(content.bounds, dtype="<f8")
            own = columns[3 + content.value + content.completed :]
            histogram = Histogram(bounds, np.column_stack(own) if own else np.zeros((grid.count, 0)))
        return Timeline(
            grid,
            columns[1],
            columns[0],
            columns[2],
            content.unit,
            columns[3] if content.value else None,
            columns[3 + content.value] if content.completed else None,
            histogram,
            tuple(Finding(*one) for one in content.findings),
        )
    except (zlib.error, msgspec.MsgspecError, ValueError, IndexError) as error:
        raise LedgerError(f"the row can't be read: {error}") from error


def digest(timeline: Timeline, first: int) -> bytes:
    """The proof of a day's content, 16 bytes: SHA-256 over its position, its unit and every float's bits. It does not
    depend on how the row is packed, nor on the findings."""
    day = timeline.grid.start // DAY_SECONDS
    proof = hashlib.sha256(f"{day} {first} {timeline.grid.count} {timeline.grid.step} {timeline.unit}".encode())
    for column in (timeline.total, timeline.good, timeline.coverage, timeline.value, timeline.completed):
        proof.update(b"-" if column is None else np.ascontiguousarray(column, dtype="<f8").tobytes())
    if timeline.histogram is not None:
        proof.update(np.ascontiguousarray(timeline.histogram.bounds, dtype="<f8").tobytes())
        proof.update(np.ascontiguousarray(timeline.histogram.counts, dtype="<f8").tobytes())
    return proof.digest()[:16]


def marks(timeline: Timeline) -> bytes:
    """What finds a bucket that was changed, without the day as it was: the buckets stand in a square, and each of its
    lines and columns has one byte that any changed bit in it changes (but for one chance in 256)."""
    hashed = _bucket_hashes(timeline)
    side = _side(timeline.grid.count)
    padded = np.zeros(side * side, dtype=np.uint64)
    padded[: hashed.size] = hashed
    square = padded.reshape(side, side)
    sums = np.concatenate([np.bitwise_xor.reduce(square, axis=1), np.bitwise_xor.reduce(square, axis=0)])
    return bytes((sums >> np.uint64(56)).astype(np.uint8).tobytes())


def changed(then: bytes, timeline: Timeline) -> list[int]:
    """The positions of the buckets that may have changed since ``then`` (its `marks`): exactly the one where it is one,
    and those where its lines and columns cross where they are several. Empty where that can't be told."""
    now, side = marks(timeline), _side(timeline.grid.count)
    if len(then) != len(now):
        return []
    differ = np.frombuffer(then, dtype=np.uint8) != np.frombuffer(now, dtype=np.uint8)
    lines, columns = np.flatnonzero(differ[:side]), np.flatnonzero(differ[side:])
    found = (lines[:, None] * side + columns[None, :]).ravel()
    return [int(position) for position in found if position < timeline.grid.count]


def _side(count: int) -> int:
    return int(np.ceil(np.sqrt(count)))


def _bucket_hashes(timeline: Timeline) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """64 bits for each bucket, made of all its floats: the mixing steps of SplitMix64 (Steele, Lea and Flood, "Fast
    splittable pseudorandom number generators", OOPSLA 2014) over its columns one after another."""
    columns = [timeline.total, timeline.good, timeline.coverage]
    columns += [array for array in (timeline.value, timeline.completed) if array is not None]
    if timeline.histogram is not None:
        columns += list(timeline.histogram.counts.T)
    hashed = np.zeros(timeline.grid.count, dtype=np.uint64)
    for column in columns:
        mixed = hashed + _bits(np.ascontiguousarray(column, dtype=np.float64)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashed = mixed ^ (mixed >> np.uint64(31))
    return hashed


def _belongs(finding: Finding, at: int, until: int, start: int, end: int) -> bool:
    """Whether a finding is kept with the day from ``at`` to ``until`` of a stretch from ``start`` to ``end``."""
    if finding.start is None:
        return at == start
    if finding.end is not None and (finding.end <= start or finding.start >= end):
        return False
    return at <= max(finding.start, start) < until


def _with(timeline: Timeline, findings: tuple[Finding, ...]) -> Timeline:
    return Timeline(
        timeline.grid,
        timeline.good,
        timeline.total,
        timeline.coverage,
        timeline.unit,
        timeline.value,
        timeline.completed,
        timeline.histogram,
        findings,
    )


# --- columns --------------------------------------------------------------------------------------------------------


def _bits(values: Floats) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.ascontiguousarray(values).view(np.uint64)


def _pack_column(values: Floats, earlier: Sequence[Floats]) -> _Column:
    if not values.size:
        return _Column("plain", 0, 8, b"")
    bits = _bits(values)
    if (bits == bits[0]).all():
        return _Column("constant", 0, 8, values[:1].astype("<f8").tobytes())
    for index in range(len(earlier) - 1, -1, -1):
        other = np.flatnonzero(bits != _bits(np.ascontiguousarray(earlier[index], dtype=np.float64)))
        if other.size <= values.size // 8:
            return _Column("like", index, 8, b"", *_odd(values, other))
    with np.errstate(invalid="ignore"):
        whole = np.where(np.isfinite(values) & (np.abs(values) < 2**53), values, 0.0).astype(np.int64)
    odd = np.flatnonzero(_bits(whole.astype(np.float64)) != bits)
    if odd.size > values.size * _ODD_SHARE:
        return _Column("plain", 0, 8, _planes(bits, 8))
    kept = np.ones(values.size, dtype=np.bool_)
    kept[odd] = False
    base = int(whole[kept].min())
    whole[odd] = base
    steps = (whole - base).astype(np.uint64)
    width = max(1, (int(steps.max()).bit_length() + 7) // 8)
    return _Column("whole", base, width, _planes(steps, width), *_odd(values, odd))


def _odd(values: Floats, at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[bytes, bytes]:
    return at.astype("<u4").tobytes(), values[at].astype("<f8").tobytes()


def _planes(numbers: np.ndarray[tuple[int], np.dtype[np.uint64]], width: int) -> bytes:
    """The lowest ``width`` bytes of each number, all first bytes before all second ones."""
    little = np.ascontiguousarray(numbers, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(little[:, :width].T).tobytes()


def _unpack_column(column: _Column, count: int, earlier: Sequence[Floats]) -> Floats:
    if column.form == "constant":
        return np.full(count, np.frombuffer(column.body, dtype="<f8")[0])
    if column.form == "like":
        values = earlier[column.base].copy()
    elif column.form == "whole" and column.width <= 2:
        planes = np.frombuffer(column.body, dtype=np.uint8).reshape(column.width, count)
        values = planes[0].astype(np.float64)
        if column.width == 2:
            values += planes[1] * 256.0
        if column.base:
            values += column.base
    else:
        bytes_of = np.zeros((count, 8), dtype=np.uint8)
        bytes_of[:, : column.width] = np.frombuffer(column.body, dtype=np.uint8).reshape(column.width, count).T
        numbers = bytes_of.view("<u8").reshape(count)
        if column.form == "plain":
            return numbers.view("<f8").astype(np.float64, copy=False)
        values = (numbers.astype(np.int64) + column.base).astype(np.float64)
    if column.odd:
        values[np.frombuffer(column.odd, dtype="<u4")] = np.frombuffer(column.exact, dtype="<f8")
    return values
