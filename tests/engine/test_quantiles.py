"""Quantiles and shares of classic histograms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.engine.quantiles import fraction_under, quantile, quantile_of, repaired, summed
from sla_kit.timeline import Floats, Histogram

INF = float("inf")


def array(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


BOUNDS = array(0.1, 0.2, 0.5, INF)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.5, 0.1),  # rank 50 is the whole first bucket
        (0.25, 0.05),  # half of the first bucket, which begins at 0
        (0.9, 0.2),
        (0.95, 0.2 + 0.3 * 5 / 8),  # five of the eight observations between 0.2 and 0.5
        (0.99, 0.5),  # in the +Inf bucket: the highest finite bound
        (0.0, 0.0),
        (1.0, 0.5),
    ],
)
def test_quantile_worked_by_hand(q: float, expected: float) -> None:
    assert quantile_of(BOUNDS, array(50, 90, 98, 100), q) == pytest.approx(expected, rel=1e-15)


def test_quantile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(quantile_of(BOUNDS, array(0, 0, 0, 0), 0.5))
    assert math.isnan(quantile_of(array(INF), array(3), 0.5))
    assert math.isnan(quantile_of(array(0.1, 0.2), array(3, 4), 0.5))
    assert math.isnan(quantile_of(BOUNDS, array(1, 2, 3, 4), math.nan))


def test_quantile_outside_0_to_1_is_infinite() -> None:
    assert quantile_of(BOUNDS, array(1, 2, 3, 4), -0.1) == -INF
    assert quantile_of(BOUNDS, array(1, 2, 3, 4), 1.1) == INF


def test_lowest_bucket_at_or_under_zero_has_no_lower_bound_to_interpolate_from() -> None:
    assert quantile_of(array(-1, 0, INF), array(5, 10, 10), 0.2) == -1
    assert quantile_of(array(-1, 0, INF), array(0, 10, 10), 0.5) == -0.5


def test_counts_that_fall_are_raised_and_noise_is_levelled() -> None:
    assert repaired(array(5, 4, 6, 6 * (1 + 1e-14), 7)).tolist() == [5, 5, 6, 6, 7]


def test_quantile_over_a_mask_sums_counts_before_it_interpolates() -> None:
    histogram = Histogram(BOUNDS, np.array([[50, 90, 98, 100], [0, 0, 0, 100], [50, 90, 98, 100]], dtype=np.float64))
    assert quantile(histogram, 0.9, slice(0, 3), np.array([True, False, True])) == pytest.approx(0.2)
    assert quantile(histogram, 0.9, slice(0, 1)) == pytest.approx(0.2)
    assert quantile(histogram, 0.9) == 0.5


@pytest.mark.parametrize(
    ("x", "expected"), [(0.1, 0.5), (0.05, 0.25), (0.35, 0.94), (0.5, 0.98), (3.0, 0.98), (INF, 1.0), (-1.0, 0.0)]
)
def test_share_under_worked_by_hand(x: float, expected: float) -> None:
    assert fraction_under(BOUNDS, array(50, 90, 98, 100), x) == pytest.approx(expected)


def test_share_of_nothing_is_not_a_number() -> None:
    assert math.isnan(fraction_under(BOUNDS, array(0, 0, 0, 0), 0.2))


histograms = st.lists(st.integers(0, 1000), min_size=2, max_size=12).filter(any).map(np.array).map(np.cumsum)


@settings(deadline=None, max_examples=100)
@given(histograms, st.floats(0.001, 0.999))
def test_share_under_a_quantile_is_the_quantile(counts: Floats, q: float) -> None:
    bounds = np.append(np.arange(1, len(counts)) * 0.1, INF)
    found = quantile_of(bounds, counts.astype(float), q)
    assert 0 <= found <= bounds[-2]
    if found < bounds[-2]:
        assert fraction_under(bounds, counts.astype(float), found) == pytest.approx(q, abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(histograms, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise(counts: Floats, one: float, other: float) -> None:
    bounds = np.append(np.arange(1, len(counts)) * 0.1, INF)
    low, high = (quantile_of(bounds, counts.astype(float), q) for q in sorted((one, other)))
    assert not low > high + 1e-12


def test_sums_over_a_mask_are_exact_however_long_the_history() -> None:
    rng = np.random.default_rng(3)
    counts = np.cumsum(rng.integers(0, 50, (30_000, 4)), axis=1).astype(np.float64)
    inside = rng.random(29_000) < 0.3
    found = summed(Histogram(BOUNDS, counts), slice(500, 29_500), inside)
    assert found.tolist() == counts[500:29_500][inside].sum(axis=0).tolist()
    assert summed(Histogram(BOUNDS, counts)).tolist() == counts.sum(axis=0).tolist()
