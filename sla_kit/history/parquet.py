"""Recorded histories as Parquet: one long table of samples with the columns metric, labels, timestamp and value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sla_kit.errors import MissingExtraError, SourceError
from sla_kit.history.store import History, Series
from sla_kit.sources.series import Labels, sorted_labels
from sla_kit.timeline import Finding, Ints

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:  # the light installs do without
    raise MissingExtraError("reading and writing Parquet", "pyarrow", "parquet") from error

_COLUMNS = ("metric", "labels", "timestamp", "value")


def write(history: History, path: Path) -> None:
    """Writes a history: ``metric`` and ``labels`` (JSON text) as dictionaries, ``timestamp`` in ms, ``value``."""
    metrics = sorted({one.metric for one in history.series})
    labels = sorted({_label_text(one) for one in history.series})
    metric_at = {name: number for number, name in enumerate(metrics)}
    labels_at = {text: number for number, text in enumerate(labels)}
    lengths = [one.times.size for one in history.series]
    metric_index = np.repeat(np.array([metric_at[o.metric] for o in history.series], dtype=np.int32), lengths)
    labels_index = np.repeat(np.array([labels_at[_label_text(o)] for o in history.series], dtype=np.int32), lengths)
    times = np.concatenate([o.times for o in history.series]) if lengths else np.empty(0, dtype=np.int64)
    values = np.concatenate([o.values for o in history.series]) if lengths else np.empty(0)
    columns = {
        "metric": pa.DictionaryArray.from_arrays(pa.array(metric_index), pa.array(metrics, pa.string())),
        "labels": pa.DictionaryArray.from_arrays(pa.array(labels_index), pa.array(labels, pa.string())),
        "timestamp": pa.array(times),
        "value": pa.array(values),
    }
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=["metric", "labels"])


def _label_text(series: Series) -> str:
    return json.dumps(dict(series.labels), separators=(",", ":"), ensure_ascii=False)


def read(path: Path) -> History:
    """Reads a history; rows may stand in any order. `SourceError` where the columns are not the four of `write`."""
    try:
        found = pq.read_schema(path).names
        missing = [name for name in _COLUMNS if name not in found]
        if missing:
            raise SourceError(
                f"the columns are {', '.join(found)}; {', '.join(missing)} missing",
                place=str(path),
                remedy="docs/history.md tells what a recording in Parquet holds",
            )
        # Dictionaries, so that a label text is looked at once and not once a row.
        table = pq.read_table(path, columns=list(_COLUMNS), read_dictionary=["metric", "labels"])
        for name in _COLUMNS:
            if table.column(name).null_count:
                raise ValueError(f"{name} is null in {table.column(name).null_count} rows")
        times = _milliseconds(table.column("timestamp"))
        values = np.ascontiguousarray(table.column("value").cast(pa.float64()).to_numpy())
        metric_index, metrics = _dictionary(table.column("metric"), "metric")
        labels_index, texts = _dictionary(table.column("labels"), "labels")
        del table  # as large as the arrays
        if "" in metrics:
            raise ValueError("a metric has no name")
        labels: dict[Labels, int] = {}  # several texts may say the same labels
        numbers = [labels.setdefault(_labels(text), len(labels)) for text in texts]
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"it can't be read as Parquet: {error}", place=str(path), remedy="check the copy") from error
    except (TypeError, ValueError) as error:
        raise SourceError(f"a column can't be read: {error}", place=str(path), remedy="see docs/history.md") from error
    if not times.size:
        return History(())
    owner = metric_index.astype(np.int64)
    owner *= len(labels)
    owner += np.array(numbers, dtype=np.int32)[labels_index]
    del metric_index, labels_index
    later, earlier = times[1:] > times[:-1], times[1:] < times[:-1]
    cuts = owner[1:] != owner[:-1]
    unordered = int((earlier & ~cuts).sum())
    one_run_each = np.unique(owner[np.flatnonzero(np.append(True, cuts))], return_counts=True)[1].max() == 1
    if not (one_run_each and (later | cuts).all()):  # `write` leaves nothing to sort
        order = np.lexsort((times, owner))  # stable: of two samples at one time the later row stands last
        owner, times, values = owner[order], times[order], values[order]
        last = np.append((times[1:] > times[:-1]) | (owner[1:] != owner[:-1]), True)
        owner, times, values = owner[last], times[last], values[last]
        cuts = owner[1:] != owner[:-1]
    edges = np.flatnonzero(cuts) + 1
    starts, ends = np.concatenate(([0], edges)), np.append(edges, owner.size)
    known = list(labels)
    series = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        metric, its_labels = divmod(int(owner[start]), len(labels))
        series.append(Series(metrics[metric], known[its_labels], times[start:end], values[start:end]))
    backwards = [Finding("clock-backwards", f"times run backwards in {path}", unordered)] if unordered else []
    return History(series, backwards)


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
