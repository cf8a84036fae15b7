"""Raw samples as a Prometheus API gives them for a range selector, and as they are kept in a file.

A server leaves out its marks of staleness here, as a recording in OpenMetrics has none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from sla_kit.errors import SlaKitError
from sla_kit.history.store import Series
from sla_kit.sources.decode import RangeSeries
from sla_kit.sources.numbers import PADDING, quoted_numbers
from sla_kit.timeline import Floats, Ints

#: What numbers need on the way fits into the processor's cache by the megabyte.
_BATCH_BYTES = 1 << 20


class NativeHistogramError(SlaKitError):
    """A series of native histograms: its samples can't be written into a Prometheus of our own."""


class _Columns(msgspec.Struct, array_like=True):
    """Some series in a file: their labels and how many samples each has; times and values of all, one after the
    other."""

    labels: list[dict[str, str]]
    counts: list[int]
    times: bytes
    values: bytes


def decoded(series: Sequence[RangeSeries]) -> Iterator[Series]:
    """The series of an answer with their samples. Raises ``ValueError`` for samples that are no pairs of a time and a
    quoted number, `NativeHistogramError` for what has no value."""
    waiting: list[RangeSeries] = []
    size = 0
    for one in series:
        if bytes(one.histograms):
            raise NativeHistogramError(
                f"{one.metric.get('__name__', 'a series')} holds native histograms, which can't be fetched",
                remedy="--engine server has the server evaluate the rules",
            )
        waiting.append(one)
        size += len(memoryview(one.values))
        if size >= _BATCH_BYTES:
            yield from _batch(waiting)
            waiting, size = [], 0
    yield from _batch(waiting)


def packed(series: Sequence[Series]) -> bytes:
    """Series as the content of a file."""
    times = np.concatenate([np.diff(one.times, prepend=0) for one in series]) if series else np.empty(0, np.int64)
    values = np.concatenate([_differences(one.values) for one in series]) if series else np.empty(0, np.uint64)
    labels = [{"__name__": one.metric, **dict(one.labels)} for one in series]
    columns = _Columns(labels, [one.times.size for one in series], _by_byte(times), _by_byte(values))
    return msgspec.msgpack.encode(columns)


def unpacked(content: bytes) -> list[Series]:
    """The series in a file. Raises ``ValueError`` (or msgspec's or zlib's) for a damaged one."""
    columns = msgspec.msgpack.decode(content, type=_Columns)
    count = sum(columns.counts)
    times = _from_bytes(columns.times, count).view(np.int64)
    values = _from_bytes(columns.values, count)
    found, at = [], 0
    for labels, size in zip(columns.labels, columns.counts, strict=True):
        part = slice(at, at + size)
        bits = np.bitwise_xor.accumulate(values[part])
        found.append(_series(labels, np.cumsum(times[part]), bits.view(np.float64)))
        at += size
    return found


def _batch(series: Sequence[RangeSeries]) -> Iterator[Series]:
    """Reads ``[[1700000000.123,"1"],[1700000060.123,"2.5"]]`` of every series at once."""
    texts = [bytes(one.values)[1:-1] for one in series]
    # Times become quoted numbers, too.
    joined = b",".join(text for text in texts if text).replace(b"[", b'["').replace(b',"', b'","')
    numbers, _, _ = quoted_numbers(PADDING + joined)
    counts = [text.count(b"[") for text in texts]
    if numbers.size != 2 * sum(counts):
        raise ValueError("samples are no pairs of a time and a number")
    times, values = np.rint(numbers[0::2] * 1000).astype(np.int64), numbers[1::2]
    at = 0
    for one, count in zip(series, counts, strict=True):
        yield _series(one.metric, times[at : at + count], values[at : at + count])
        at += count


def _series(labels: dict[str, str], times: Ints, values: Floats) -> Series:
    own = tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))
    return Series(labels.get("__name__", ""), own, times, values)


def _differences(values: Floats) -> np.typing.NDArray[np.uint64]:
    """In what bits each value differs from the one before."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    return np.bitwise_xor(bits, np.concatenate((np.zeros(1, np.uint64), bits[:-1])))[: bits.size]


def _by_byte(numbers: np.typing.NDArray[np.generic]) -> bytes:
    """Numbers packed: all their first bytes, then all their second ones; those that change little pack well."""
    if not numbers.size:
        return b""
    return zlib.compress(np.ascontiguousarray(numbers.view(np.uint8).reshape(-1, 8).T).tobytes(), 1)


def _from_bytes(content: bytes, count: int) -> np.typing.NDArray[np.uint64]:
    if not count:
        return np.empty(0, np.uint64)
    by_byte = np.frombuffer(zlib.decompress(content), np.uint8).reshape(8, count)
    return np.ascontiguousarray(by_byte.T).reshape(-1).view(np.uint64)
