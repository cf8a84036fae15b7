"""Histories as Parquet: to the last bit, in any order of rows, with wrong tables refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sla_kit.errors import SourceError
from sla_kit.history import History, Series, parquet
from sla_kit.history.store import is_stale
from tests.history.samples import generated
from tests.history.strategies import contents, histories

SAME_FOLDER = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SAME_FOLDER
@given(history=histories())
@example(history=History(()))
def test_what_is_written_is_read_to_the_last_bit(tmp_path: Path, history: History) -> None:
    parquet.write(history, tmp_path / "a.parquet")
    assert contents(parquet.read(tmp_path / "a.parquet")) == contents(history)


def test_staleness_markers_survive(tmp_path: Path) -> None:
    values = np.array([0x3FF0000000000000, 0x7FF0000000000002, 0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    parquet.write(History([Series("x", (), np.array([1, 2, 3]), values)]), tmp_path / "a.parquet")
    assert is_stale(parquet.read(tmp_path / "a.parquet").series[0].values).tolist() == [False, True, False]


def table(**replaced: object) -> pa.Table:
    columns: dict[str, object] = {
        "metric": ["x", "x", "x"],
        "labels": ['{"a":"1"}', '{"a":"1"}', "{}"],
        "timestamp": [1000, 2000, 1000],
        "value": [1.0, 2.0, 3.0],
    }
    return pa.table({name: column for name, column in (columns | replaced).items() if column is not None})


def written(path: Path, content: pa.Table) -> Path:
    pq.write_table(content, path / "a.parquet")
    return path / "a.parquet"


EXPECTED = {("x", (("a", "1"),)): [(1000, (1.0).hex()), (2000, (2.0).hex())], ("x", ()): [(1000, (3.0).hex())]}


@pytest.mark.parametrize(
    "replaced",
    [
        {},
        {"more": [1, 2, 3]},
        {"metric": pa.array(["x", "x", "x"]).dictionary_encode()},
        {"labels": pa.array(['{"a": "1"}', '{"a":"1"}', "{}"], pa.large_string())},
        {"labels": pa.array(['{"a":"1"}', '{"a":"1","b":""}', "{}"])},  # an empty label is no label
        {"value": pa.array([1.0, 2.0, 3.0], pa.float32())},
        {"value": pa.array([1, 2, 3], pa.int32())},
        {"timestamp": pa.array([1000, 2000, 1000], pa.int32())},
        {"timestamp": pa.array([1000, 2000, 1000], pa.timestamp("ms"))},
        {"timestamp": pa.array([1000, 2000, 1000], pa.timestamp("ms")).cast(pa.timestamp("us", "UTC"))},
        {"timestamp": pa.array([datetime.datetime.fromtimestamp(s, datetime.UTC) for s in (1, 2, 1)])},
    ],
)
def test_other_tools_types_are_read(tmp_path: Path, replaced: dict[str, object]) -> None:
    assert contents(parquet.read(written(tmp_path, table(**replaced)))) == EXPECTED


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    history = generated()
    parquet.write(history, tmp_path / "a.parquet")
    content = pq.read_table(tmp_path / "a.parquet")
    shuffled = content.take(np.random.default_rng(1).permutation(content.num_rows))
    pq.write_table(shuffled, tmp_path / "b.parquet", row_group_size=1000)
    found = parquet.read(tmp_path / "b.parquet")
    assert contents(found) == contents(history)
    assert [(one.metric, one.labels) for one in found.series] == [(one.metric, one.labels) for one in history.series]


@pytest.mark.parametrize("later_first", [False, True])
def test_series_that_stand_in_several_runs_are_put_together(tmp_path: Path, later_first: bool) -> None:
    # As where one recording is appended to another: each run is in order, the whole is not.
    history = generated()
    parquet.write(history, tmp_path / "a.parquet")
    content = pq.read_table(tmp_path / "a.parquet")
    early = np.asarray(content.column("timestamp")) < np.median(np.asarray(content.column("timestamp")))
    halves = [content.filter(pa.array(early)), content.filter(pa.array(~early))]
    pq.write_table(pa.concat_tables(halves[::-1] if later_first else halves), tmp_path / "b.parquet")
    assert contents(parquet.read(tmp_path / "b.parquet")) == contents(history)


def test_of_two_samples_at_one_time_the_later_row_counts(tmp_path: Path) -> None:
    found = parquet.read(written(tmp_path, table(timestamp=[1000, 1000, 1000])))
    assert contents(found)[("x", (("a", "1"),))] == [(1000, (2.0).hex())]


def test_times_that_run_backwards_are_found(tmp_path: Path) -> None:
    found = parquet.read(written(tmp_path, table(timestamp=[2000, 1000, 1000])))
    assert contents(found)[("x", (("a", "1"),))] == [(1000, (2.0).hex()), (2000, (1.0).hex())]
    assert [finding.kind for finding in found.findings] == ["clock-backwards"]


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ({"value": None}, "value missing"),
        ({"metric": None, "labels": None}, "metric, labels missing"),
        ({"timestamp": [1.0, 2.0, 3.0]}, "timestamp is double"),
        ({"timestamp": ["a", "b", "c"]}, "timestamp is string"),
        ({"timestamp": [1000, None, 3000]}, "null"),
        ({"value": [1.0, None, 3.0]}, "null"),
        ({"value": ["a", "b", "c"]}, "Failed to parse"),
        ({"metric": ["x", None, "x"]}, "null"),
        ({"metric": ["x", "", "x"]}, "no name"),
        ({"metric": [1, 2, 3]}, "metric is int64"),
        ({"labels": ["{}", None, "{}"]}, "null"),
        ({"labels": ["{}", "a=b", "{}"]}, "no JSON object of texts"),
        ({"labels": ["{}", "[]", "{}"]}, "no JSON object of texts"),
        ({"labels": ["{}", '{"a": 1}', "{}"]}, "no JSON object of texts"),
    ],
)
def test_a_wrong_table_is_refused_by_what_is_wrong(tmp_path: Path, replaced: dict[str, object], said: str) -> None:
    path = written(tmp_path, table(**replaced))
    with pytest.raises(SourceError, match=said) as raised:
        parquet.read(path)
    assert raised.value.place == str(path)
    assert raised.value.remedy


@SAME_FOLDER
@given(text=st.binary(max_size=60), cut=st.none() | st.integers(0, 2000))
def test_what_is_no_parquet_is_refused(tmp_path: Path, text: bytes, cut: int | None) -> None:
    path = written(tmp_path, table())
    whole = path.read_bytes()
    path.write_bytes(text if cut is None else whole[: min(cut, len(whole) - 1)])
    with pytest.raises(SourceError):
        parquet.read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        parquet.read(tmp_path / "nothing.parquet")
