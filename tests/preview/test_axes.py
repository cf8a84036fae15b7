"""The axes of drawings: worked by hand, and what must hold for any values."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.preview.axes import Ends, time_ticks, value_axis

NOON = 1_789_905_600  # 2026-09-20 12:00 UTC


def labels(values: list[float], ends: Ends, most: int = 5) -> list[str]:
    return [tick.label for tick in value_axis(np.array(values), ends, most).ticks]


@pytest.mark.parametrize(
    ("values", "ends", "expected"),
    [
        ([0.0, 0.048], Ends(soft_minimum=0, unit="percentunit"), ["0%", "1%", "2%", "3%", "4%", "5%"]),
        ([0.9992, 1.0], Ends(maximum=1.0, unit="percentunit"), ["99.92%", "99.94%", "99.96%", "99.98%", "100.00%"]),
        # All in one unit, and nothing in that of nothing.
        ([0.0, 0.9], Ends(soft_minimum=0, unit="s"), ["0 s", "200 ms", "400 ms", "600 ms", "800 ms", "1000 ms"]),
        ([0.0, 7.2], Ends(soft_minimum=0), ["0", "2", "4", "6", "8"]),
        ([0.0, 10.0], Ends(soft_minimum=0, unit="dtdurations"), ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]),
        ([0.0, 12.0], Ends(soft_minimum=0, unit="none"), ["0", "2.5", "5.0", "7.5", "10.0", "12.5"]),
        ([0.0, 3 * 2**30], Ends(soft_minimum=0, unit="bytes"), ["0 B", "1 GiB", "2 GiB", "3 GiB"]),
        ([-700.0, 50.0], Ends(), ["-800", "-600", "-400", "-200", "0"]),
        # One value, none, and nothing but zeros.
        ([5.0], Ends(), ["4.4", "4.6", "4.8", "5.0", "5.2", "5.4", "5.6"]),
        ([], Ends(), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([0.0, 0.0], Ends(soft_minimum=0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round_numbers_in_one_unit(values: list[float], ends: Ends, expected: list[str]) -> None:
    assert labels(values, ends) == expected


def test_a_logarithmic_axis_has_the_powers_of_ten_and_begins_at_what_there_is() -> None:
    axis = value_axis(np.array([0.0, 0.02, 14.4, 500.0]), Ends(logarithmic=True), 5)
    assert (axis.low, axis.high) == pytest.approx((0.01, 500))
    assert [tick.label for tick in axis.ticks] == ["0.01", "0.1", "1", "10", "100"]
    # What is nothing stands at the bottom; a decade is as high as any other.
    heights = axis.up(np.array([0.0, 0.01, 0.1, 1.0, 500.0]))
    assert heights[:2].tolist() == [0.0, 0.0]
    assert heights[2] == pytest.approx(heights[3] - heights[2])
    assert heights[4] == pytest.approx(1.0)


def test_a_logarithmic_axis_does_not_waste_room_on_what_is_next_to_nothing() -> None:
    axis = value_axis(np.array([1e-12, 3.0, 80.0]), Ends(logarithmic=True), 5)
    assert axis.low == pytest.approx(1e-4)
    narrow = value_axis(np.array([100.0, 300.0]), Ends(logarithmic=True), 5)
    assert [tick.label for tick in narrow.ticks] == ["100", "200", "500"]


@given(
    st.lists(st.floats(-1e12, 1e12), min_size=0, max_size=30),
    st.sampled_from(["short", "percentunit", "s", "bytes", "reqps", "none", "dtdurations", "ms"]),
    st.booleans(),
    st.integers(2, 8),
)
def test_any_values_have_an_axis(values: list[float], unit: str, logarithmic: bool, most: int) -> None:
    numbers = np.array([*values, np.nan, np.inf])
    axis = value_axis(numbers, Ends(unit=unit, logarithmic=logarithmic), most)
    assert axis.high > axis.low
    assert 1 <= len(axis.ticks) <= 2 * most + 4
    told = [tick.label for tick in axis.ticks]
    assert len(set(told)) == len(told)
    assert all(-1e-6 <= tick.place <= 1 + 1e-6 for tick in axis.ticks)
    known = np.array([v for v in values if v > 0]) if axis.logarithmic else np.array(values)
    heights = axis.up(known)
    assert ((heights >= -1e-9) & (heights <= 1 + 1e-9)).all()


def test_times_are_full_hours_on_the_clock_of_the_zone() -> None:
    told = [tick.label for tick in time_ticks(NOON - 12 * 3600, NOON, UTC, 6)]
    assert told == ["20 Sep", "02:00", "04:00", "06:00", "08:00", "10:00", "12:00"]
    east = [tick.label for tick in time_ticks(NOON - 12 * 3600, NOON, ZoneInfo("Asia/Kolkata"), 6)]
    assert east == ["06:00", "08:00", "10:00", "12:00", "14:00", "16:00"]


def test_days_have_their_dates_and_a_change_of_the_clock_moves_them() -> None:
    # 25 October 2026 has 25 hours in Berlin.
    start = 1_792_706_400  # 2026-10-23 00:00 in Berlin
    ticks = time_ticks(start, start + 5 * 86400, ZoneInfo("Europe/Berlin"), 6)
    assert [tick.label for tick in ticks] == ["23 Oct", "24 Oct", "25 Oct", "26 Oct", "27 Oct"]
    hours = np.diff([tick.place for tick in ticks]) * 120
    assert hours.tolist() == pytest.approx([24, 24, 25, 24])


@given(st.integers(1_600_000_000, 1_900_000_000), st.integers(60, 400 * 86400), st.integers(2, 20))
def test_any_stretch_of_time_has_few_ticks(start: int, seconds: int, most: int) -> None:
    ticks = time_ticks(start, start + seconds, ZoneInfo("America/New_York"), most)
    assert len(ticks) <= most + 2
    assert [tick.place for tick in ticks] == sorted(tick.place for tick in ticks)
