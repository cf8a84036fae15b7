"""Functions over ranges: worked by hand, and beside an obvious loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.history import ranges
from sla_kit.timeline import Floats, Ints

Samples = Sequence[tuple[int, float]]


def at(function: ranges.RangeFunction, samples: Samples, end_ms: int, window_ms: int) -> float:
    times = np.array([time for time, _ in samples], dtype=np.int64)
    values = np.array([value for _, value in samples], dtype=np.float64)
    return float(function(times, values, np.array([end_ms]), window_ms)[0])


def test_increase_extrapolates_to_both_edges() -> None:
    # Samples at 5, 20, 35, 50 s in (0, 60]: 30 over 45 s; 5 and 10 s to the edges are under 1.1 x 15 s: 30 x 60/45.
    samples = [(5_000, 100), (20_000, 110), (35_000, 120), (50_000, 130)]
    assert at(ranges.increase, samples, 60_000, 60_000) == pytest.approx(40)
    assert at(ranges.rate, samples, 60_000, 60_000) == pytest.approx(40 / 60)


def test_a_range_that_is_not_covered_is_extrapolated_by_half_an_interval() -> None:
    # 20 over 30 s; 25 s to the left edge is more than 1.1 x 15 s, so 7.5 s; 5 s to the right: 20 x 42.5/30.
    samples = [(25_000, 100), (40_000, 110), (55_000, 120)]
    assert at(ranges.increase, samples, 60_000, 60_000) == pytest.approx(20 * 42.5 / 30)


def test_a_counter_is_not_extrapolated_below_zero() -> None:
    # From 1 to 31 over 30 s: zero was 1 s before the first sample, which is nearer than the edge: 30 x (30+1+15)/30.
    assert at(ranges.increase, [(15_000, 1), (30_000, 16), (45_000, 31)], 60_000, 60_000) == pytest.approx(46)
    assert at(ranges.delta, [(15_000, 1), (30_000, 16), (45_000, 31)], 60_000, 60_000) == pytest.approx(60)


def test_counter_reset_counts_as_increase() -> None:
    assert at(ranges.increase, [(0, 9), (1, 10), (30_001, 4), (60_000, 6)], 60_000, 60_000) == pytest.approx(
        6 * 60_000 / 59_999, rel=1e-12
    )
    assert at(ranges.resets, [(1, 10), (30_001, 4), (60_000, 6)], 60_000, 60_000) == 1
    assert at(ranges.irate, [(1, 10), (30_000, 4)], 60_000, 60_000) == pytest.approx(4 / 29.999)


def test_the_left_edge_is_open_and_the_right_closed() -> None:
    assert at(ranges.count_over_time, [(0, 1), (60_000, 2)], 60_000, 60_000) == 1
    assert math.isnan(at(ranges.increase, [(0, 1), (60_000, 2)], 60_000, 60_000))


def test_a_small_increase_beside_large_resets_is_exact() -> None:
    samples = [(1, 1e16), (2, 0.0), (1_000_003, 5.0), (1_000_004, 6.0), (1_000_005, 0.0), (1_000_006, 1.0)]
    assert at(ranges.increase, samples, 1_000_006, 4) == pytest.approx(2.0 * 4 / 3)


# --- beside a loop --------------------------------------------------------------------------------------------------


def slow_increase(samples: Samples, start: int, end: int, counter: bool = True) -> float:
    """Prometheus's definition, one range at a time."""
    if len(samples) < 2:
        return math.nan
    (first_time, first), (last_time, last) = samples[0], samples[-1]
    change = last - first
    if counter:
        change += sum(before for (_, before), (_, after) in pairwise(samples) if after < before)
    sampled = last_time - first_time
    average = sampled / (len(samples) - 1)
    left, right = float(first_time - start), float(end - last_time)
    left = average / 2 if left >= average * 1.1 else left
    right = average / 2 if right >= average * 1.1 else right
    if counter and change > 0 and first >= 0:
        left = min(left, sampled * first / change)
    return change * (sampled + left + right) / sampled


LOOPS: dict[str, Callable[[Samples, int, int], float]] = {
    "increase": slow_increase,
    "rate": lambda found, start, end: slow_increase(found, start, end) / ((end - start) / 1000),
    "delta": lambda found, start, end: slow_increase(found, start, end, counter=False),
    "sum_over_time": lambda found, *_: sum(value for _, value in found) if found else math.nan,
    "avg_over_time": lambda found, *_: sum(value for _, value in found) / len(found) if found else math.nan,
    "min_over_time": lambda found, *_: min((value for _, value in found), default=math.nan),
    "max_over_time": lambda found, *_: max((value for _, value in found), default=math.nan),
    "count_over_time": lambda found, *_: len(found) or math.nan,
    "last_over_time": lambda found, *_: found[-1][1] if found else math.nan,
    "resets": lambda found, *_: (
        sum(after < before for (_, before), (_, after) in pairwise(found)) if found else math.nan
    ),
    "changes": lambda found, *_: (
        sum(after != before for (_, before), (_, after) in pairwise(found)) if found else math.nan
    ),
    "idelta": lambda found, *_: found[-1][1] - found[-2][1] if len(found) > 1 else math.nan,
}


@pytest.mark.parametrize("name", LOOPS)
@settings(deadline=None, max_examples=60)
@given(
    gaps=st.lists(st.integers(1, 40), max_size=60),
    drawn=st.lists(st.integers(0, 50), min_size=60, max_size=60),
    ends=st.lists(st.integers(-5, 1500), min_size=1, max_size=20),
    window=st.integers(1, 400),
)
def test_every_function_is_its_loop(name: str, gaps: list[int], drawn: list[int], ends: list[int], window: int) -> None:
    times: Ints = np.cumsum(np.array(gaps, dtype=np.int64))
    values: Floats = np.array(drawn[: len(gaps)], dtype=np.float64)
    found = getattr(ranges, name)(times, values, np.array(ends), window)
    for end, one in zip(ends, found.tolist(), strict=True):
        inside = [
            (time, value)
            for time, value in zip(times.tolist(), values.tolist(), strict=True)
            if end - window < time <= end
        ]
        expected = LOOPS[name](inside, end - window, end)
        assert one == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ["sum_over_time", "max_over_time", "min_over_time", "increase"])
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), window=st.integers(1_200, 9_000))
def test_long_windows_are_folded_by_blocks_to_the_same_answer(name: str, seed: int, window: int) -> None:
    random = np.random.default_rng(seed)
    times = np.arange(1, 10_001, dtype=np.int64)
    values = random.integers(0, 1000, times.size).astype(np.float64)  # half of them resets
    ends = random.integers(1, 11_000, 50)
    found = getattr(ranges, name)(times, values, ends, window)
    for end, one in zip(ends.tolist(), found.tolist(), strict=True):
        begun = max(end - window, 0)
        inside = list(enumerate(values[begun:end].tolist(), begun + 1))
        expected = LOOPS[name](inside, end - window, end)
        assert one == pytest.approx(expected, rel=1e-9, nan_ok=True)
