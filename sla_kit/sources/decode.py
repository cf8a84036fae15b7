"""The answer to a range query, from JSON to arrays on a grid.

The JSON's outline is decoded by msgspec, which leaves each series' samples as they came; those are then read all at
once by `sla_kit.sources.numbers`. A sample is never a Python object, so a million take about as long as their
characters take to look at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    labels = tuple(one.metric for one in series)
    texts = [bytes(one.values) for one in series]
    try:
        return Decoded(labels, _compact(texts, grid))
    except ValueError:
        # Legal JSON that no known server writes: blanks between tokens, fractions of seconds.
        return Decoded(labels, _any_spelling(texts, grid))


def _compact(texts: list[bytes], grid: Grid) -> Floats:
    """Reads ``[[1700000000,"1"],[1700000060,"2.5"]]`` for every series, as Prometheus spells it."""
    joined = b"".join((PADDING, *texts))
    found, opens, closes = quoted_numbers(joined)
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    limits = np.cumsum(sizes) + len(PADDING)
    counts = np.diff(np.searchsorted(opens, limits), prepend=0)
    if grid.count and _all_full(texts, counts, grid):
        return found.reshape(len(texts), grid.count)
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
    return _place(np.repeat(np.arange(len(texts)), counts), times, found, len(texts), grid)


def _all_full(texts: list[bytes], counts: Ints, grid: Grid) -> bool:
    """Whether every series has a sample at every step: as many as there are steps, from the first to the last. Times
    rise from step to step, so that nothing else can lie between."""
    if (counts != grid.count).any():
        return False
    opening, closing = b'[[%d,"' % (grid.start + grid.step), b'[%d,"' % grid.end
    return all(text.startswith(opening) and text.startswith(closing, text.rfind(b"[")) for text in texts)


def _any_spelling(texts: list[bytes], grid: Grid) -> Floats:
    """The same from any JSON, sample by sample."""
    values = np.full((len(texts), grid.count), np.nan)
    for row, text in enumerate(texts):
        for time, number in _PAIRS.decode(text) if text else ():
            column = (time - grid.start) / grid.step - 1
            if math.isfinite(column) and column == int(column) and 0 <= column < grid.count:
                values[row, int(column)] = float(number)
    return values


def _place(rows: Ints, times: Ints, found: Floats, count: int, grid: Grid) -> Floats:
    values = np.full((count, grid.count), np.nan)
    columns, off = np.divmod(times - grid.start, grid.step)
    columns -= 1
    inside = (off == 0) & (columns >= 0) & (columns < grid.count)
    if inside.all():
        values[rows, columns] = found
    else:
        values[rows[inside], columns[inside]] = found[inside]
    return values
