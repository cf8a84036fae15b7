"""Recordings that are read by series: which row groups a query touches, rows in any order, and how much memory it takes
beside the recording's size."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.scale_data import END, SERIES_A_SERVICE, catalogue_of, series_of, write_recording
from sla_kit import evaluate
from sla_kit.errors import SourceError
from sla_kit.history import History, Series, open_source, openmetrics, parquet, pieces, read
from sla_kit.history.store import Key
from sla_kit.sources import Indicator
from sla_kit.sources.indicators import queries_of
from sla_kit.sources.series import Reduction, Selector, SeriesQuery, sorted_labels
from sla_kit.timeline import Grid
from tests.history.samples import generated
from tests.history.strategies import contents

ROOT = Path(__file__).parents[2]
HOUR = 3600


# --- which row groups are read --------------------------------------------------------------------------------------


@pytest.fixture
def read_groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups whose values have been decoded."""
    found: list[int] = []

    read_row_group = pq.ParquetFile.read_row_group

    def watched(file: Any, number: int, columns: list[str]) -> Any:
        if "value" in columns:
            found.append(number)
        return read_row_group(file, number, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched)
    return found


def grouped(path: Path) -> dict[int, set[Key]]:
    """The series of each row group of a file."""
    file = pq.ParquetFile(path)
    found = {}
    for number in range(file.num_row_groups):
        table = file.read_row_group(number, columns=["metric", "labels"])
        rows = table.group_by(["metric", "labels"]).aggregate([]).to_pylist()
        found[number] = {(row["metric"], sorted_labels(json.loads(row["labels"]))) for row in rows}
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scale") / "history.parquet"
    write_recording(path, services=12, days=10)
    return path


def test_opening_a_recording_decodes_no_values(recording: Path, read_groups: list[int]) -> None:
    history = read(recording)
    assert len(history) == 12 * SERIES_A_SERVICE
    assert history.span() is not None
    assert read_groups == []


def test_a_query_reads_only_the_row_groups_that_hold_its_series(recording: Path, read_groups: list[int]) -> None:
    groups = grouped(recording)
    assert len(groups) > 5
    history = read(recording)
    selector = Selector.of("http_requests_total", {"service": "svc0003"})
    found = history.frame(SeriesQuery(selector, Reduction.MAX), Grid(END - 86400, 300, 288))
    assert len(found.labels) == 12
    wanted = {(selector.metric, labels) for labels in found.labels}
    assert sorted(read_groups) == [number for number, series in groups.items() if series & wanted]
    assert len(read_groups) < len(groups) / 3


def test_of_a_folder_of_days_only_those_of_the_window_are_read(tmp_path: Path, read_groups: list[int]) -> None:
    whole = list(series_of(1, days=4))
    for number in range(4):
        begun = (END - (4 - number) * 86400) * 1000
        parts = []
        for one in whole:
            inside = (one.times > begun) & (one.times <= begun + 86_400_000)
            parts.append(Series(one.metric, one.labels, one.times[inside], one.values[inside]))
        parquet.write_series(parts, tmp_path / f"{number}.parquet")
    query = SeriesQuery(Selector.of("http_requests_total"), Reduction.MAX)
    grid = Grid(END - 2 * 86400 + HOUR, 300, 12)
    [(_, found)] = read(tmp_path).frames([query], grid)
    assert len(read_groups) == 1  # each day is one row group
    np.testing.assert_array_equal(found.values, History(whole).frame(query, grid).values)


def test_an_evaluation_reads_each_row_group_once(recording: Path, read_groups: list[int]) -> None:
    assert len(evaluate(catalogue_of(12), recording, "3d", END).slos) == 120
    assert sorted(read_groups) == list(range(len(grouped(recording))))


def test_queries_answered_together_are_the_queries_answered_alone(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, grid = read(recording), Grid(END - 6 * HOUR, 300, 72)
    source = open_source(str(recording))
    catalogue = catalogue_of(3)
    queries = [q for service, slo in catalogue.slos() for q in queries_of(Indicator.of(catalogue, service, slo))]
    queries = list(dict.fromkeys(queries))
    for at_once in (1, 10_000, 10**9):
        monkeypatch.setattr("sla_kit.history.store._AT_ONCE", at_once)
        found = dict(source.read(queries, grid))
        assert found.keys() == set(queries)
        for query, frame in found.items():
            alone = history.frame(query, grid)
            assert frame.labels == alone.labels
            np.testing.assert_array_equal(frame.values, alone.values)


def test_what_is_asked_for_together_is_written_together() -> None:
    def key(metric: str, **labels: str) -> Key:
        return metric, sorted_labels(labels)

    keys = [
        key("m_total", service=service, instance=f"{pod}.{service}", code=code, job="web")
        for code in ("200", "500")
        for pod in ("1", "2")
        for service in ("a", "b", "c")
    ]
    services = [dict(keys[at][1])["service"] for at in parquet.reading_order([*keys, key("a_gauge")]) if at < len(keys)]
    assert services == ["a"] * 4 + ["b"] * 4 + ["c"] * 4


def test_series_are_written_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    held: list[int] = []

    def several() -> Iterator[Series]:
        for number in range(40):
            held.append(path.stat().st_size)
            times = np.arange(20_000, dtype=np.int64) * 1000
            yield Series("x", sorted_labels({"a": str(number)}), times, np.random.default_rng(number).random(20_000))

    parquet.write_series(several(), path)
    assert held[20] > 1_000_000  # long since on disk when the later ones are made
    assert len(read(path)) == 40


def test_a_recording_that_is_damaged_later_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_recording(path, services=1, days=2)
    history = read(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4)
        file.write(b"\xff" * (size // 2))
    with pytest.raises(SourceError, match="Parquet"):
        _ = history.series


# --- any order ------------------------------------------------------------------------------------------------------


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is sorted in small pieces, most of which go to a file."""
    for name, value in {"SORTED_AT_ONCE": 700, "HELD_IN_MEMORY": 1500, "FEW_RUNS": 3}.items():
        monkeypatch.setattr(pieces, name, value)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("order", ["timestamp", "shuffled", "labels"])
def test_a_recording_in_any_order_and_larger_than_memory_is_read_right(tmp_path: Path, order: str) -> None:
    history = generated()
    parquet.write(history, tmp_path / "a.parquet")
    content = pq.read_table(tmp_path / "a.parquet")
    if order == "shuffled":
        content = content.take(np.random.default_rng(2).permutation(content.num_rows))
    else:
        texts = np.array(content.column(order).to_pylist())
        content = content.take(np.argsort(texts, kind="stable"))
    pq.write_table(content, tmp_path / "b.parquet", row_group_size=400)
    found = read(tmp_path / "b.parquet")
    assert contents(found) == contents(history)
    assert found.span() == history.span()


@pytest.mark.usefixtures("little_memory")
def test_text_in_the_order_of_time_and_larger_than_memory_is_read_right(tmp_path: Path) -> None:
    history = generated()
    openmetrics.write(history, tmp_path / "a.om", {})
    lines = [line for line in (tmp_path / "a.om").read_text().splitlines() if not line.startswith("#")]
    lines.sort(key=lambda line: float(line.rsplit(" ", 1)[1]))
    (tmp_path / "b.om").write_text("\n".join([*lines, "# EOF", ""]))
    found = read(tmp_path / "b.om")
    assert contents(found) == contents(history)
    assert found.findings == ()


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 9)), max_size=120)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, group=st.integers(1, 50), sorted_at_once=st.integers(1, 60), held=st.integers(0, 60))
def test_rows_are_what_a_loop_makes_of_them(
    tmp_path: Path, rows: list[tuple[int, int, int]], group: int, sorted_at_once: int, held: int
) -> None:
    expected: dict[Key, dict[int, str]] = {}
    backwards = 0
    for at, (owner, time, value) in enumerate(rows):
        expected.setdefault(("x", (("a", str(owner)),)), {})[time] = float(value).hex()
        backwards += at > 0 and rows[at - 1][0] == owner and time < rows[at - 1][1]
    content = pa.table(
        {
            "metric": pa.array(["x"] * len(rows), pa.string()),
            "labels": pa.array([json.dumps({"a": str(owner)}) for owner, _, _ in rows], pa.string()),
            "timestamp": pa.array([time for _, time, _ in rows], pa.int64()),
            "value": pa.array([float(value) for _, _, value in rows], pa.float64()),
        }
    )
    pq.write_table(content, tmp_path / "a.parquet", row_group_size=group)
    with pytest.MonkeyPatch.context() as patched:
        for name, few in {"SORTED_AT_ONCE": sorted_at_once, "HELD_IN_MEMORY": held, "FEW_RUNS": 3}.items():
            patched.setattr(pieces, name, few)
        found = read(tmp_path / "a.parquet")
        assert contents(found) == {key: sorted(samples.items()) for key, samples in expected.items()}
    assert sum(finding.count for finding in found.findings) == backwards


def test_a_history_of_files_is_the_history_of_their_series(tmp_path: Path) -> None:
    whole = list(series_of(2, days=4))
    for number in range(4):
        begun, until = END - (4 - number) * 86400, END - (3 - number) * 86400
        parts = []
        for one in whole:
            inside = (one.times >= begun * 1000) & (one.times < until * 1000)
            parts.append(Series(one.metric, one.labels, one.times[inside], one.values[inside]))
        parquet.write_series(parts, tmp_path / f"{number}.parquet")
    assert contents(read(tmp_path)) == contents(History(whole))


# --- memory ---------------------------------------------------------------------------------------------------------


def peak_megabytes(recording: Path, services: int) -> float:
    """The peak memory of a process that evaluates so many services of a recording."""
    command = [sys.executable, "-m", "bench.scale", "--side", "ours", "--recording", str(recording)]
    done = subprocess.run([*command, "--services", str(services)], cwd=ROOT, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["megabytes"])


def test_memory_grows_with_what_is_asked_for_and_not_with_the_recording(tmp_path: Path) -> None:
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    more = (write_recording(large, services=30, scrape=150) - write_recording(small, services=5, scrape=150)) * 16e-6
    assert more > 180  # MB of samples
    runs = ((small, 5), (large, 5), (large, 30))
    least = [float("inf")] * len(runs)
    for _ in range(5):  # by turns, since threads that wait for a busy machine may hold more for a while, never less
        least = [min(known, peak_megabytes(*run)) for known, run in zip(least, runs, strict=True)]
        begun, few, all_of_it = least
        if few - begun < 0.15 * more and all_of_it - begun < 0.5 * more:
            break
    assert few - begun < 0.15 * more
    assert all_of_it - begun < 0.5 * more


def test_the_way_to_write_a_long_recording_is_as_the_documentation_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "history.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(next(block for block in blocks if "write_series" in block), {})
    found = read(tmp_path / "queues.parquet")
    assert [one.times.size for one in found.series] == [5760] * 3
