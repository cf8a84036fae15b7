"""Counting what counters counted, by hand-worked series and by property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.sources.increments import increments, lives
from sla_kit.sources.series import Labels, SeriesFrame
from sla_kit.timeline import Grid

NAN = float("nan")


def frame_of(*rows: tuple[dict[str, str], list[float]]) -> SeriesFrame:
    labels: list[Labels] = [tuple(sorted(label.items())) for label, _ in rows]
    values = np.array([row for _, row in rows], dtype=np.float64)
    return SeriesFrame(Grid(0, 60, values.shape[1]), tuple(labels), values)


def events_of(*rows: tuple[dict[str, str], list[float]]) -> list[float]:
    frame = frame_of(*rows)
    return [float(value) for value in increments(frame, lives(frame))[0]]


POD = {"instance": "a:80"}


def test_each_bucket_holds_the_difference_to_the_one_before() -> None:
    assert events_of((POD, [100, 110, 110, 125])) == [0, 10, 0, 15]


def test_a_reset_counts_the_new_value_whole() -> None:
    assert events_of((POD, [100, 110, 4, 9])) == [0, 10, 4, 5]


def test_a_gap_is_bridged_and_spread_evenly() -> None:
    assert events_of((POD, [100, NAN, NAN, 130, 131])) == [0, 10, 10, 10, 1]


def test_a_reset_inside_a_gap_is_put_where_it_was_seen() -> None:
    assert events_of((POD, [100, NAN, NAN, 30, 31])) == [0, 0, 0, 30, 1]


def test_an_error_series_that_the_first_error_creates_counts_from_zero() -> None:
    total = events_of(({**POD, "code": "200"}, [100, 110, 120, 130]), ({**POD, "code": "500"}, [NAN, NAN, 3, 3]))
    assert total == [0, 10, 13, 10]


def test_a_new_pod_counts_from_zero() -> None:
    old, new = ({"instance": "a"}, [100.0, 110, 120, 130]), ({"instance": "b"}, [NAN, NAN, 8, 20])
    assert events_of(old, new) == [0, 10, 18, 22]


def test_an_old_process_that_is_newly_scraped_counts_from_its_first_value() -> None:
    assert events_of(({"instance": "b"}, [NAN, 5_000_000, 5_000_010, 5_000_020])) == [0, 0, 10, 10]


def test_a_process_counts_as_old_or_new_as_a_whole() -> None:
    # The error counter alone (8, then no more) would look young; its process is plainly old.
    ok, errors = ({**POD, "code": "200"}, [NAN, 9e6, 9e6 + 10]), ({**POD, "code": "500"}, [NAN, 8, 8])
    assert events_of(ok, errors) == [0, 0, 10]


def test_an_error_series_that_comes_back_after_a_restart_counts_from_zero() -> None:
    ok, errors = ({**POD, "code": "200"}, [100.0, 110, 3, 9, 20]), ({**POD, "code": "500"}, [7.0, 7, NAN, NAN, 50])
    assert events_of(ok, errors) == [0, 10, 3, 6, 11 + 50]


def test_a_series_left_out_while_it_did_not_change_is_counted_when_it_comes_back() -> None:
    ok, errors = (
        ({**POD, "code": "200"}, [100.0, 110, 120, 130, 140]),
        ({**POD, "code": "500"}, [7.0, NAN, NAN, NAN, 9]),
    )
    assert events_of(ok, errors) == [0, 10, 10, 10, 10 + 2]


def test_infinite_samples_are_no_counts() -> None:
    assert events_of((POD, [1, float("inf"), 3, 4])) == [0, 1, 1, 1]


def test_groups_are_counted_apart() -> None:
    frame = frame_of((POD, [1, 2, 4]), ({"instance": "b:80"}, [10, 20, 40]))
    assert increments(frame, lives(frame), [1, 0]).tolist() == [[0, 10, 20], [0, 1, 2]]


def test_no_series_is_no_events() -> None:
    frame = SeriesFrame.empty(Grid(0, 60, 3))
    assert increments(frame, {}).tolist() == [[0, 0, 0]]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 1000), min_size=5, max_size=60),
    st.sets(st.integers(1, 58)),
    st.data(),
)
def test_the_sum_is_what_was_counted_whatever_is_missing(
    steps: list[int], holes: set[int], data: st.DataObject
) -> None:
    counter = np.cumsum(steps).astype(np.float64)
    seen = counter.copy()
    for hole in holes:
        if hole < len(steps) - 1:
            seen[hole] = NAN
    assert sum(events_of((POD, list(seen)))) == pytest.approx(counter[-1] - counter[0], rel=1e-12, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=40))
def test_events_are_never_negative_so_a_longer_window_never_has_fewer(values: list[float]) -> None:
    assert min(events_of((POD, values))) >= 0
