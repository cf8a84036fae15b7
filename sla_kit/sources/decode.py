"""The answer to a range query, from JSON to arrays on a grid.

The JSON's outline is decoded by msgspec, which leaves each series' samples as they came; those are then read all at
once by `sla_kit.sources.numbers`. A sample is never a Python object, so a million take about as long as their
characters take to look at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from sla_kit.sources.numbers import PADDING, digits, quoted_numbers
from sla_kit.timeline import Floats, Grid, Ints


class RangeSeries(msgspec.Struct, gc=False):
    """One series of an answer: ``values`` and ``histograms`` are the raw JSON of its samples."""

    metric: dict[str, str]
    values: msgspec.Raw = msgspec.Raw(b"")
    histograms: msgspec.Raw = msgspec.Raw(b"")


class _Data(msgspec.Struct):
    resultType: str = ""  # noqa: N815 (the server's name)
    result: list[RangeSeries] = []


class RangeAnswer(msgspec.Struct):
    """An answer of ``/api/v1/query_range``, its samples not yet read."""

    status: str
    data: _Data = msgspec.field(default_factory=_Data)
    error: str = ""
    errorType: str = ""  # noqa: N815
    warnings: list[str] | None = None
    infos: list[str] | None = None
    isPartial: bool = False  # noqa: N815


@dataclass(frozen=True, slots=True)
class Decoded:
    """``values`` (series, grid.count), NaN where a series has no sample, and the ``labels`` of each series."""

    labels: tuple[dict[str, str], ...]
    values: Floats


_BATCH_BYTES = 1 << 20
_ANSWER = msgspec.json.Decoder(RangeAnswer)
_PAIRS = msgspec.json.Decoder(list[tuple[float, str]])


def read_answer(body: bytes) -> RangeAnswer:
    """The outline of an answer. Raises ``ValueError`` (msgspec's) for what is no such answer, or cut short."""
    return _ANSWER.decode(body)


def decode_series(series: Sequence[RangeSeries], grid: Grid) -> Decoded:
    """The samples of an answer to a query at the ends of ``grid``'s buckets.

    A sample at the end of a bucket goes to that bucket; samples at other times are left out. Each value is what
    Python's ``float()`` makes of its text, +Inf, -Inf, NaN and -0 included. Raises ``ValueError`` for samples that are
    no pairs of a time and a quoted number.
    """
    values = np.full((len(series), grid.count), np.nan)
    for batch in _batches([len(memoryview(one.values)) for one in series]):
        texts = [bytes(one.values) for one in series[batch]]
        try:
            _compact(texts, grid, values[batch])
        except ValueError:
            # Legal JSON that no known server writes: blanks between tokens, fractions of seconds.
            _any_spelling(texts, grid, values[batch])
    return Decoded(tuple(one.metric for one in series), values)


def _batches(sizes: list[int]) -> Iterator[slice]:
    """Series by the megabyte: what their numbers need on the way then fits into the processor's cache."""
    first, size = 0, 0
    for index, more in enumerate(sizes):
        if size and size + more > _BATCH_BYTES:
            yield slice(first, index)
            first, size = index, 0
        size += more
    if first < len(sizes):
        yield slice(first, len(sizes))


def _compact(texts: list[bytes], grid: Grid, values: Floats) -> None:
    """Reads ``[[1700000000,"1"],[1700000060,"2.5"]]`` for every series, as Prometheus spells it, into ``values``."""
    joined = b"".join((PADDING, *texts))
    found, opens, closes = quoted_numbers(joined)
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    limits = np.cumsum(sizes) + len(PADDING)
    counts = np.diff(np.searchsorted(opens, limits), prepend=0)
    if grid.count and _all_full(texts, counts, grid):
        values[:] = found.reshape(values.shape)
        return
    # A time begins four characters after the quote before it (`"],[`), the first of a series after `[[`.
    starts = np.empty(opens.size, np.int64)
    starts[1:] = closes[:-1] + 4
    filled = np.flatnonzero(counts)
    first = (np.cumsum(counts) - counts)[filled]
    starts[first] = (limits - sizes)[filled] + 2
    times = digits(joined, opens - 1, opens - 1 - starts).astype(np.int64)
    characters = np.frombuffer(joined, np.uint8)
    if (characters[starts - 1] != ord("[")).any() or (characters[opens - 1] != ord(",")).any():
        raise ValueError("blanks between tokens")
    columns, off = np.divmod(times - grid.start, grid.step)
    columns -= 1
    inside = (off == 0) & (columns >= 0) & (columns < grid.count)
    values[np.repeat(np.arange(len(texts)), counts)[inside], columns[inside]] = found[inside]


def _all_full(texts: list[bytes], counts: Ints, grid: Grid) -> bool:
    """Whether every series has a sample at every step: as many as there are steps, from the first to the last. Times
    rise from step to step, so that nothing else can lie between."""
    if (counts != grid.count).any():
        return False
    opening, closing = b'[[%d,"' % (grid.start + grid.step), b'[%d,"' % grid.end
    return all(text.startswith(opening) and text.startswith(closing, text.rfind(b"[")) for text in texts)


def _any_spelling(texts: list[bytes], grid: Grid, values: Floats) -> None:
    """The same from any JSON, sample by sample."""
    for row, text in enumerate(texts):
        for time, number in _PAIRS.decode(text) if text else ():
            column = (time - grid.start) / grid.step - 1
            if math.isfinite(column) and column == int(column) and 0 <= column < grid.count:
                values[row, int(column)] = float(number)
