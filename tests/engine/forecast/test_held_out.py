"""Forecasts of seasons that nobody looked at: better than a straight line, and as sure as they say."""

from __future__ import annotations

import pytest

from bench.forecast import HORIZONS, Score, judged, peaks
from bench.seasons import Season, season
from sla_kit.engine.forecast.courses import METHOD
from sla_kit.engine.forecast.scoring import brier, coverage, mean_absolute_error


@pytest.fixture(scope="module")
def seasons() -> list[Season]:
    return [season(seed, 14) for seed in range(7000, 7010)]


@pytest.fixture(scope="module")
def scores(seasons: list[Season]) -> dict[str, Score]:
    return judged(seasons, {"ours": METHOD})


@pytest.mark.parametrize("days", HORIZONS)
def test_the_budget_left_is_forecast_better_than_by_constant_burn(scores: dict[str, Score], days: int) -> None:
    ours = mean_absolute_error(scores["ours"].left[days])
    assert ours < mean_absolute_error(scores["window's mean"].left[days])
    assert ours < mean_absolute_error(scores["straight line"].left[days])


def test_whether_it_runs_out_is_forecast_better_than_by_constant_burn(scores: dict[str, Score]) -> None:
    assert brier(scores["ours"].chances) < brier(scores["window's mean"].chances)
    assert brier(scores["ours"].chances) < brier(scores["straight line"].chances)


def test_intervals_hold_about_as_much_as_they_say(scores: dict[str, Score]) -> None:
    held = [one for days in HORIZONS for one in scores["ours"].held[days]]
    assert 0.6 < coverage(held) < 0.95


def test_peaks_are_forecast_better_than_by_the_mean_of_past_peaks(seasons: list[Season]) -> None:
    found = peaks(seasons)
    middle = {name: sorted(off)[len(off) // 2] for name, off in found.off.items()}
    assert middle["usual x burst factor"] < 0.7 * middle["mean of past peaks"]
    assert middle["usual x burst factor"] < middle["the last such game's"]
    assert 0.7 < coverage(found.held) < 0.92
