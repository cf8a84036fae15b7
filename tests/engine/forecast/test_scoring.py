"""Scores of forecasts, worked by hand."""

from __future__ import annotations

from math import isnan

import pytest

from sla_kit.engine.forecast.scoring import (
    brier,
    coverage,
    interval_score,
    mean_absolute_error,
    median_absolute_error,
)


def test_errors_are_distances() -> None:
    pairs = [(1.0, 2.0), (5.0, 1.0), (3.0, 3.0)]
    assert mean_absolute_error(pairs) == pytest.approx(5 / 3)
    assert median_absolute_error(pairs) == 1
    assert isnan(mean_absolute_error([]))


def test_coverage_counts_the_intervals_that_hold_the_truth() -> None:
    assert coverage([(0, 1, 0.5), (0, 1, 1.0), (0, 1, 2.0), (0, 1, -1.0)]) == 0.5


def test_an_interval_costs_its_width_and_ten_times_what_it_misses_at_80_percent() -> None:
    assert interval_score([(0, 1, 0.5)], 0.8) == pytest.approx(1)
    assert interval_score([(0, 1, 1.25)], 0.8) == pytest.approx(1 + 10 * 0.25)
    assert interval_score([(0, 1, -0.5)], 0.8) == pytest.approx(1 + 10 * 0.5)


def test_a_coin_scores_a_quarter() -> None:
    assert brier([(0.5, True), (0.5, False)]) == 0.25
    assert brier([(1.0, True), (0.0, False)]) == 0
