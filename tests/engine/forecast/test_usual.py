"""The usual week: its shape, its level, and hours that are never quiet."""

from __future__ import annotations

import numpy as np
import pytest

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.forecast.hours import Past
from sla_kit.engine.forecast.usual import Usual, local_hours
from tests.engine.forecast.seasons import DAY, HOUR, MONDAY, counted

#: Ten an hour at night, more by day, twice that at weekends.
WEEK = np.concatenate([np.tile(np.r_[np.full(8, 10.0), np.full(16, 50.0)], 5), np.full(48, 100.0)])


def test_each_hour_of_the_week_has_its_own_rate() -> None:
    usual = Usual.of(Past.of(counted(np.tile(WEEK, 4), np.zeros(672)), [], "web"), "UTC")
    ahead = MONDAY + HOUR * np.arange(168) + 1800
    assert usual.rate(ahead) * HOUR == pytest.approx(WEEK)


def test_growth_moves_the_level_and_not_the_shape() -> None:
    weeks = np.concatenate([WEEK * 1.1**week for week in range(4)])
    usual = Usual.of(Past.of(counted(weeks, np.zeros(672)), [], "web"), "UTC")
    ahead = MONDAY + HOUR * np.arange(168) + 1800
    assert usual.rate(ahead) * HOUR == pytest.approx(WEEK * 1.1**3)
    assert usual.rate(ahead - 4 * 7 * DAY) * HOUR == pytest.approx(WEEK)
    assert np.diff(np.log(usual.levels[::-1])) == pytest.approx(np.log(1.1))


def test_weeks_without_data_do_not_lower_the_level() -> None:
    weeks = np.concatenate([np.zeros(168), WEEK, np.zeros(168), WEEK])
    events = counted(weeks, np.zeros(672))
    events.coverage[weeks == 0] = 0
    usual = Usual.of(Past.of(events, [], "web"), "UTC")
    assert usual.levels == pytest.approx(1.0)
    assert usual.rate(MONDAY - 10 * DAY + 12 * HOUR + np.arange(3)) * HOUR == pytest.approx(50)


def test_an_hour_that_is_a_game_every_week_lies_between_its_neighbours() -> None:
    games = [
        Interval(MONDAY - week * 7 * DAY + 10 * HOUR, MONDAY - week * 7 * DAY + 12 * HOUR, "g") for week in (1, 2, 3)
    ]
    total = np.tile(WEEK, 3)
    total[10::168] = total[11::168] = 5000
    total[9::168], total[12::168] = 20, 80
    usual = Usual.of(Past.of(counted(total, np.zeros(504)), games, "web"), "UTC")
    assert usual.rate(MONDAY + HOUR * np.arange(9, 13) + 1800) * HOUR == pytest.approx([20, 40, 60, 80])


def test_hours_are_those_of_the_wall_clock_on_both_sides_of_a_change() -> None:
    # Berlin's clocks went back on Sunday, 25 October 2026 at 01:00 UTC.
    before, after = 1792832400, 1793437200  # 24 and 31 October, 09:00 UTC, both Saturdays
    hours = local_hours(np.array([before, after]), "Europe/Berlin")
    assert hours.tolist() == [5 * 24 + 11, 5 * 24 + 10]
    assert local_hours(np.array([MONDAY, MONDAY - 1]), "UTC").tolist() == [0, 167]
