"""Recorded histories as Parquet: one long table of samples with the columns metric, labels, timestamp and value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sla_kit.errors import MissingExtraError, SourceError
from sla_kit.history.pieces import Numbers, Piece, Pieces
from sla_kit.history.store import History, Key, Series
from sla_kit.sources.increments import DIVIDING_LABELS
from sla_kit.sources.series import Labels, sorted_labels
from sla_kit.timeline import Finding, Floats, Ints

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:  # the light installs do without
    raise MissingExtraError("reading and writing Parquet", "pyarrow", "parquet") from error

_COLUMNS = ("metric", "labels", "timestamp", "value")
_SCHEMA = pa.schema(
    [
        ("metric", pa.dictionary(pa.int32(), pa.string())),
        ("labels", pa.dictionary(pa.int32(), pa.string())),
        ("timestamp", pa.int64()),
        ("value", pa.float64()),
    ]
)
#: A row group is full with the series that brings it over so many samples: few series, since all of a row group is read
#: for any of them, and 2 MB in memory.
_GROUP_ROWS = 1 << 17


def write(history: History, path: Path) -> None:
    """Writes a history: ``metric`` and ``labels`` (JSON text) as dictionaries, ``timestamp`` in ms, ``value``. Series
    stand in the `reading_order`."""
    rows = reading_order(history.keys)
    write_series((history.load([row])[0] for row in rows), path)


def write_series(series: Iterable[Series], path: Path) -> None:
    """Writes series as they come, each only once. Memory holds one row group, however long the recording; it is read
    most quickly where the series come in the `reading_order`."""
    waiting: list[Series] = []
    rows = 0
    # Times of scrapes are evenly spread, and the bytes of counters alike at one place.
    encoding = {"timestamp": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"}
    with pq.ParquetWriter(
        path, _SCHEMA, compression="zstd", use_dictionary=["metric", "labels"], column_encoding=encoding
    ) as writer:
        for one in series:
            waiting.append(one)
            rows += one.times.size
            if rows >= _GROUP_ROWS:
                writer.write_table(_table(waiting))
                waiting, rows = [], 0
        if rows:
            writer.write_table(_table(waiting))


def reading_order(keys: Sequence[Key]) -> list[int]:
    """The order in which series are best written, as places of ``keys``: by metric, and in a metric so that those stand
    together that are asked for together. Labels with few values lead (a service's before its pods'), and what divides
    the counters of one process (codes, routes, bounds) comes last."""
    values: dict[str, dict[str, set[str]]] = {}
    for metric, labels in keys:
        for name, value in labels:
            values.setdefault(metric, {}).setdefault(name, set()).add(value)
    leading = {
        metric: sorted(by_name, key=lambda name: (name in DIVIDING_LABELS, len(by_name[name]), name))
        for metric, by_name in values.items()
    }

    def place(number: int) -> tuple[str, list[str], Labels]:
        metric, labels = keys[number]
        held = dict(labels)
        return metric, [held.get(name, "") for name in leading.get(metric, ())], labels

    return sorted(range(len(keys)), key=place)


def _table(series: Sequence[Series]) -> pa.Table:
    metrics, metric_index = _distinct([one.metric for one in series])
    labels, labels_index = _distinct([_label_text(one) for one in series])
    lengths = [one.times.size for one in series]
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(np.repeat(metric_index, lengths)), pa.array(metrics, pa.string())),
        pa.DictionaryArray.from_arrays(pa.array(np.repeat(labels_index, lengths)), pa.array(labels, pa.string())),
        pa.array(np.concatenate([one.times for one in series])),
        pa.array(np.concatenate([one.values for one in series])),
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _distinct(texts: Sequence[str]) -> tuple[list[str], Numbers]:
    known: dict[str, int] = {}
    index = [known.setdefault(text, len(known)) for text in texts]
    return list(known), np.array(index, dtype=np.int32)


def _label_text(series: Series) -> str:
    return json.dumps(dict(series.labels), separators=(",", ":"), ensure_ascii=False)


def read(path: Path) -> History:
    """Opens a history; rows may stand in any order. One pass finds where each series stands, and its samples are read
    when they are asked for. `SourceError` where the columns are not the four of `write`."""
    with _errors(path):
        found = pq.read_schema(path).names
        missing = [name for name in _COLUMNS if name not in found]
        if missing:
            raise SourceError(
                f"the columns are {', '.join(found)}; {', '.join(missing)} missing",
                place=str(path),
                remedy="docs/history.md tells what a recording in Parquet holds",
            )
        # Dictionaries, so that a label text is looked at once and not once a row.
        return _Opening(path, pq.ParquetFile(path, read_dictionary=["metric", "labels"])).history()


class _Opening:
    """The pass over a file that finds its series."""

    def __init__(self, path: Path, file: pq.ParquetFile) -> None:
        self._path, self._file = path, file
        self._pieces = Pieces()
        self._labels: dict[str, Labels] = {}  # several texts may say the same labels
        self._unordered = 0
        self._last: tuple[int, int] | None = None  # the series and the time of the row before

    def history(self) -> History:
        """What is in the file."""
        for group in range(self._file.num_row_groups):
            self._row_group(group)
        self._pieces.finish()
        message = f"times run backwards in {self._path}"
        findings = [Finding("clock-backwards", message, self._unordered)] if self._unordered else []
        return History(self._pieces, findings)

    def _row_group(self, group: int) -> None:
        statistics = self._file.metadata.row_group(group)
        columns = [name for name in _COLUMNS if name != "value" or not self._sound(statistics)]
        table = self._file.read_row_group(group, columns=columns)
        for name in columns:
            if table.column(name).null_count:
                raise ValueError(f"{name} is null in {table.column(name).null_count} rows")
        times = _milliseconds(table.column("timestamp"))
        if "value" in columns:
            table.column("value").cast(pa.float64())
        if not times.size:
            return
        owners = self._owners(table)
        self._order(owners, times)
        if not self._pieces.add_chunk(_RowGroup(self._path, self._file, group), owners, times):
            self._pieces.add(owners, times, _values(self._file.read_row_group(group, columns=["value"])))

    def _sound(self, row_group: pq.RowGroupMetaData) -> bool:
        """Whether the values are known to be numbers, none of them null, without a look at them."""
        if not pa.types.is_floating(self._file.schema_arrow.field("value").type):
            return False
        for number in range(row_group.num_columns):
            column = row_group.column(number)
            if column.path_in_schema == "value":
                statistics = column.statistics
                return statistics is not None and statistics.has_null_count and statistics.null_count == 0
        return False

    def _owners(self, table: pa.Table) -> Numbers:
        """The number of each row's series."""
        metric_index, metrics = _dictionary(table.column("metric"), "metric")
        labels_index, texts = _dictionary(table.column("labels"), "labels")
        if "" in metrics:
            raise ValueError("a metric has no name")
        labels = [self._labels[text] if text in self._labels else self._known(text) for text in texts]
        both = metric_index.astype(np.int64) * len(texts) + labels_index
        changes = np.concatenate(([True], both[1:] != both[:-1]))
        kinds, of = np.unique(both[changes], return_inverse=True)
        pairs = [divmod(kind, len(texts)) for kind in kinds.tolist()]
        numbers = [self._pieces.number((metrics[metric], labels[text])) for metric, text in pairs]
        lengths = np.diff(np.append(np.flatnonzero(changes), both.size))
        return np.repeat(np.array(numbers, dtype=np.int32)[of.reshape(-1)], lengths)

    def _known(self, text: str) -> Labels:
        return self._labels.setdefault(text, _labels(text))

    def _order(self, owners: Numbers, times: Ints) -> None:
        """Counts the rows that are earlier than the row before, of the same series."""
        self._unordered += int(((times[1:] < times[:-1]) & (owners[1:] == owners[:-1])).sum())
        if self._last is not None and self._last[0] == owners[0] and times[0] < self._last[1]:
            self._unordered += 1
        self._last = int(owners[-1]), int(times[-1])


class _RowGroup:
    """A row group as a chunk: all of it is decoded, and what is wanted copied out."""

    def __init__(self, path: Path, file: pq.ParquetFile, group: int) -> None:
        self._path, self._file, self._group = path, file, group

    def read(self, pieces: Sequence[Piece]) -> list[tuple[Ints, Floats]]:
        with _errors(self._path):
            table = self._file.read_row_group(self._group, columns=["timestamp", "value"])
            times, values = _milliseconds(table.column("timestamp")), _values(table)
        return [(times[start:end].copy(), values[start:end].copy()) for start, end in pieces]


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"it can't be read as Parquet: {error}", place=str(path), remedy="check the copy") from error
    except (TypeError, ValueError) as error:
        raise SourceError(f"a column can't be read: {error}", place=str(path), remedy="see docs/history.md") from error


def _values(table: pa.Table) -> Floats:
    return np.ascontiguousarray(table.column("value").cast(pa.float64()).to_numpy())


def _dictionary(column: pa.ChunkedArray, name: str) -> tuple[Ints, list[str]]:
    """Indices and values of a column of texts."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise TypeError(f"{name} is {kind}, not text")
    combined = column.combine_chunks().dictionary_encode()
    if isinstance(combined, pa.ChunkedArray):
        combined = combined.unify_dictionaries().combine_chunks()
        if isinstance(combined, pa.ChunkedArray):
            combined = combined.chunk(0) if combined.num_chunks else pa.array([], kind).dictionary_encode()
    return combined.indices.to_numpy(), [str(value) for value in combined.dictionary.to_pylist()]


def _milliseconds(column: pa.ChunkedArray) -> Ints:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    elif not pa.types.is_integer(column.type):
        raise TypeError(f"timestamp is {column.type}; write integers in milliseconds since 1970, or timestamps")
    return np.ascontiguousarray(column.to_numpy(), dtype=np.int64)


def _labels(text: str) -> Labels:
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict) or not all(isinstance(value, str) for value in decoded.values()):
        raise ValueError(f"the labels {text[:60]!r} are no JSON object of texts")
    return sorted_labels(decoded)
