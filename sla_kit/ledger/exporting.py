"""The ledger's buckets as Parquet, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from sla_kit.errors import LedgerError
from sla_kit.ledger import Ledger
from sla_kit.ledger.reading import read_rows
from sla_kit.ledger.rows import DAY_SECONDS, unpack
from sla_kit.ledger.tables import indicator as indicators
from sla_kit.sources import Progress, no_progress
from sla_kit.timeline import Grid

_LAST = 2**31 - 1
_NAME = pa.dictionary(pa.int32(), pa.string())
#: One row a bucket. ``time`` is the bucket's end; ``value`` null where the indicator has none or it was not known.
SCHEMA = pa.schema(
    [
        ("catalogue", _NAME),
        ("environment", _NAME),
        ("service", _NAME),
        ("indicator", _NAME),
        ("definition", _NAME),
        ("unit", _NAME),
        ("time", pa.timestamp("s", tz="UTC")),
        ("seconds", pa.int32()),
        ("good", pa.float64()),
        ("total", pa.float64()),
        ("coverage", pa.float64()),
        ("value", pa.float64()),
        ("correction", pa.int32()),
    ]
)


def export(
    ledger: Ledger, path: Path, since: int = 0, until: int | None = None, progress: Progress = no_progress
) -> int:
    """Writes the newest version of every bucket that ends after ``since`` and at or before ``until`` (epoch seconds)
    into a Parquet file, by catalogue, environment, service, indicator and time; returns how many.

    The file appears whole or not at all. Raises `LedgerError`.
    """
    end = _LAST if until is None else until
    written = 0
    beside = path.with_name(f".{path.name}.tmp")
    try:
        with pq.ParquetWriter(beside, SCHEMA, compression="zstd") as writer, ledger.store.reading() as connection:
            order = (indicators.c.catalogue, indicators.c.environment, indicators.c.service, indicators.c.name)
            known = list(
                connection.execute(
                    select(*order, indicators.c.definition, indicators.c.bucket, indicators.c.id).order_by(
                        *order, indicators.c.id
                    )
                )
            )
            for done, (catalogue, environment, service, name, definition, bucket, id) in enumerate(known, 1):
                rows = read_rows(connection, [id], since, end).get(id, [])
                names = (catalogue, environment, service, name, definition)
                tables = []
                for row in rows:
                    timeline = unpack(row.payload, Grid(row.day * DAY_SECONDS + row.first * bucket, bucket, row.count))
                    ends = timeline.grid.ends
                    inside = (ends > since) & (ends <= end)
                    columns: dict[str, Any] = {
                        "time": ends[inside],
                        "good": timeline.good[inside],
                        "total": timeline.total[inside],
                        "coverage": timeline.coverage[inside],
                        "value": None if timeline.value is None else timeline.value[inside],
                    }
                    tables.append(_table(names, timeline.unit, bucket, row.correction, int(inside.sum()), columns))
                if tables:
                    table = pa.concat_tables(tables).combine_chunks()
                    writer.write_table(table)
                    written += table.num_rows
                progress(done, len(known), f"{service}/{name}")
        beside.replace(path)
    except OSError as error:
        raise LedgerError(f"the export can't be written: {error.strerror or error}", place=str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
    return written


def _table(
    names: tuple[str, ...], unit: str, bucket: int, correction: int, count: int, columns: dict[str, Any]
) -> pa.Table:
    def same(text: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), pa.array([text]))

    value = columns["value"]
    return pa.table(
        [
            *(same(text) for text in (*names, unit)),
            pa.array(columns["time"]).cast(pa.timestamp("s", tz="UTC")),
            pa.array(np.full(count, bucket, dtype=np.int32)),
            pa.array(columns["good"]),
            pa.array(columns["total"]),
            pa.array(columns["coverage"]),
            pa.nulls(count, pa.float64()) if value is None else pa.array(value, from_pandas=True),
            pa.array(np.full(count, correction, dtype=np.int32)),
        ],
        schema=SCHEMA,
    )
