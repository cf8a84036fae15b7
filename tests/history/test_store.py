"""Reductions beside an obvious loop, selectors, and reading files and folders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.errors import SourceError
from sla_kit.history import History, HistorySource, Series, open_source, openmetrics, parquet, read
from sla_kit.history.store import reduce
from sla_kit.sources.series import Labels, Matcher, Reduction, Selector, SeriesQuery, sorted_labels
from sla_kit.timeline import Grid
from tests.history.samples import generated
from tests.history.strategies import contents

STALE = np.array([0x7FF0000000000002], dtype=np.uint64).view(np.float64)[0]
LOOPS: dict[Reduction, Callable[[list[float]], float]] = {
    Reduction.MAX: lambda found: max((one for one in found if not math.isnan(one)), default=math.nan),
    Reduction.MIN: lambda found: min((one for one in found if not math.isnan(one)), default=math.nan),
    Reduction.LAST: lambda found: found[-1],
    Reduction.SUM: lambda found: sum(found),
    Reduction.COUNT: lambda found: float(len(found)),
    Reduction.MEAN: lambda found: sum(found) / len(found),
}
SAMPLES = st.lists(
    st.tuples(
        st.integers(-200_000, 900_000),
        st.integers(-50, 50).map(float) | st.just(math.nan) | st.just("stale"),
    ),
    max_size=40,
    unique_by=lambda sample: sample[0],
).map(lambda samples: sorted(samples, key=lambda sample: sample[0]))
GRIDS = st.builds(
    lambda step, start, count: Grid(start * step, step, count),
    st.sampled_from([1, 7, 60, 300]),
    st.integers(-3, 5),
    st.integers(0, 12),
)
Drawn = list[tuple[int, float | str]]


def series(metric: str, samples: Sequence[tuple[int, float | str]], **labels: str) -> Series:
    times = np.array([time for time, _ in samples], dtype=np.int64)
    values = np.array([STALE if value == "stale" else value for _, value in samples], dtype=np.float64)
    return Series(metric, sorted_labels(labels), times, values)


def slowly(samples: Drawn, reduction: Reduction, grid: Grid) -> list[float]:
    """Bucket by bucket, sample by sample."""
    answer = []
    for bucket in range(grid.count):
        after = (grid.start + bucket * grid.step) * 1000
        inside = [
            float(value) for time, value in samples if after < time <= after + grid.step * 1000 and value != "stale"
        ]
        answer.append(LOOPS[reduction](inside) if inside else math.nan)
    return answer


@settings(deadline=None, max_examples=200)
@given(samples=SAMPLES, reduction=st.sampled_from(Reduction), grid=GRIDS)
def test_a_reduction_is_its_loop(samples: Drawn, reduction: Reduction, grid: Grid) -> None:
    found = reduce(series("x", samples), reduction, grid)
    expected = slowly(samples, reduction, grid)
    if found is None:
        assert all(math.isnan(one) for one in expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(drawn=st.lists(SAMPLES, min_size=4, max_size=4), reduction=st.sampled_from(Reduction), grid=GRIDS)
def test_summed_labels_disappear_and_their_series_are_added(
    drawn: list[Drawn], reduction: Reduction, grid: Grid
) -> None:
    keys = [("a", "200"), ("a", "500"), ("b", "200"), ("b", "500")]
    history = History([series("x", s, pod=pod, code=code) for s, (pod, code) in zip(drawn, keys, strict=True)])
    frame = history.frame(SeriesQuery(Selector("x"), reduction, ("code",)), grid)
    expected: dict[Labels, list[float]] = {}
    for samples, (pod, _) in zip(drawn, keys, strict=True):
        one = slowly(samples, reduction, grid)
        before = expected.get((("pod", pod),), [math.nan] * grid.count)
        expected[(("pod", pod),)] = [
            b if math.isnan(a) else a if math.isnan(b) else a + b for a, b in zip(before, one, strict=True)
        ]
    found = dict(zip(frame.labels, frame.values, strict=True))
    for labels, values in expected.items():
        np.testing.assert_allclose(found.get(labels, np.full(grid.count, np.nan)), values, rtol=1e-12)
    assert set(found) <= set(expected)


def test_a_bucket_is_open_at_the_left_and_closed_at_the_right() -> None:
    found = reduce(series("x", [(0, 1.0), (60_000, 2.0), (60_001, 3.0)]), Reduction.SUM, Grid(0, 60, 2))
    assert found is not None
    assert found.tolist() == [2.0, 3.0]


MATCHERS = st.builds(
    Matcher,
    st.sampled_from(["a", "b", "missing"]),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.sampled_from(["", "1", "2", "1|2", ".*", ".+", "1.", "x\ny"]),
)


@settings(deadline=None, max_examples=200)
@given(matchers=st.lists(MATCHERS, max_size=3).map(tuple))
def test_a_selector_finds_what_its_matchers_hold_for(matchers: tuple[Matcher, ...]) -> None:
    several = [
        series("x", [(0, 1.0)], **labels)
        for labels in ({}, {"a": "1"}, {"a": "2"}, {"a": "1", "b": "1"}, {"a": "12", "b": "x\ny"})
    ]
    history = History([*several, series("y", [(0, 1.0)], a="1")])
    expected = {
        one.labels for one in several if all(m.predicate()(dict(one.labels).get(m.label, "")) for m in matchers)
    }
    assert {one.labels for one in history.select(Selector("x", matchers))} == expected


# --- files and folders ----------------------------------------------------------------------------------------------


def test_a_folder_with_one_recording_in_two_forms_is_read_once(tmp_path: Path) -> None:
    history = generated()
    openmetrics.write(history, tmp_path / "history.om.gz", {"requests": "counter"})
    parquet.write(history, tmp_path / "history.parquet")
    (tmp_path / "truth.json").write_text("{}")
    assert contents(read(tmp_path)) == contents(history)


@pytest.mark.parametrize(("one", "other"), [("1.om", "2.parquet"), ("2.om", "1.parquet")])
def test_recordings_of_a_folder_are_merged_in_the_order_of_their_names(tmp_path: Path, one: str, other: str) -> None:
    first = History([series("x", [(1000, 1.0), (2000, 2.0)]), series("y", [(1000, 5.0)], a="b")])
    second = History([series("x", [(2000, 20.0), (1500, 15.0)][::-1])])
    openmetrics.write(first, tmp_path / "1.om", {})
    parquet.write(second, tmp_path / "2.parquet")
    found = read(tmp_path)
    assert contents(found) == {
        ("x", ()): [(1000, (1.0).hex()), (1500, (15.0).hex()), (2000, (20.0).hex())],
        ("y", (("a", "b"),)): [(1000, (5.0).hex())],
    }


@pytest.mark.parametrize("name", ["a.om", "a.om.gz", "a.openmetrics", "a.openmetrics.gz"])
def test_each_ending_of_a_recording_is_known(tmp_path: Path, name: str) -> None:
    openmetrics.write(History([series("x", [(1000, 1.0)])]), tmp_path / name, {})
    assert read(tmp_path).metrics() == ["x"]
    assert read(tmp_path / name).metrics() == ["x"]


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(SourceError, match="no recorded history"):
        read(tmp_path)


def test_a_source_knows_its_name_and_span(tmp_path: Path) -> None:
    openmetrics.write(History([series("x", [(1_500, 1.0), (9_001, 2.0)])]), tmp_path / "a.om", {})
    source = open_source(f"file://{tmp_path / 'a.om'}")
    assert source.name.endswith("a.om")
    assert source.span() == (1, 10)
    assert HistorySource(History(())).span() is None
    assert source.history.span() == (1_500, 9_001)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 3), drawn=SAMPLES)
def test_a_history_cut_into_recordings_is_the_same_history(tmp_path: Path, cut: int, drawn: Drawn) -> None:
    samples = [(time, 0.5 if isinstance(value, str) or math.isnan(value) else value) for time, value in drawn]
    whole = History([series("x", list(samples))] if samples else [])
    for old in tmp_path.iterdir():
        old.unlink()
    for number in range(cut):
        part = list(samples[number::cut])
        openmetrics.write(History([series("x", part)] if part else []), tmp_path / f"{number}.om", {})
    assert contents(read(tmp_path)) == contents(whole)
