"""When budgets run out: worked by hand, and what must hold whatever the past was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Window
from sla_kit.engine.forecast.courses import METHOD
from sla_kit.timeline import Floats
from tests.engine.forecast.seasons import DAY, HOUR, MONDAY, counted, looked, steady

WEEK = Window(rolling=7.0 * DAY)


def with_outages(days: int, outages: dict[int, float], ratio: float = 0.0, rate: float = 1000.0) -> Floats:
    """Bad events by hour: ``ratio`` always, and a share of one hour so many hours before the end."""
    bad = np.full(days * 24, rate * ratio)
    for ago, share in outages.items():
        bad[-ago] = rate * share
    return bad


def test_a_steady_burn_under_the_objective_never_runs_out() -> None:
    found, risks = looked(steady(60, 0.004))
    assert found.left == pytest.approx(0.6)
    assert found.probability == 0
    assert (found.runs_out, found.runs_out_low, found.runs_out_high) == (None, None, None)
    # Every day burns 0.4 of what it allows, which is a 30th of the window's.
    assert found.burn_per_day == pytest.approx(0.4 / 30)
    assert (found.left_low, found.left_expected, found.left_high) == pytest.approx((0.6, 0.6, 0.6))
    assert not risks


def test_a_burn_twice_as_fast_as_allowed_runs_out_half_through_a_new_month() -> None:
    # Nothing was bad in August; September began as it goes on, with 2 % of errors where 1 % is allowed.
    at = 1788220800 + 10 * DAY  # 2026-09-11T00:00:00Z
    total = np.full(40 * 24, 1000.0)
    bad = np.where(np.arange(40 * 24) >= 30 * 24, 20.0, 0.0)
    found, _ = looked(counted(total, bad, at=at), window=Window(calendar="month"))
    # 10 days at 2 % spend 2/3 of what 30 days allow.
    assert found.left == pytest.approx(1 - 10 * 2 / 30)
    assert found.window == "2026-09"
    assert found.left_at == at + 20 * DAY
    assert found.probability is not None
    assert found.probability > 0.3


def test_a_calendar_windows_budget_is_that_of_the_whole_period_and_begins_anew() -> None:
    at = 1788220800 + 25 * DAY  # 2026-09-26T00:00:00Z
    total = np.full(40 * 24, 1000.0)
    bad = np.zeros(40 * 24)
    bad[-24:] = 400.0  # 9,600 of the 7,200 that September allows
    found, _ = looked(counted(total, bad, at=at), window=Window(calendar="month"))
    assert found.left == pytest.approx(1 - 9600 / 7200)
    assert found.runs_out == at
    assert found.back is not None
    assert found.back == at + 5 * DAY + HOUR  # October's first hour


def test_what_a_rolling_window_lost_comes_back_as_it_leaves() -> None:
    # Three hours of outage six days ago spent 300 x 3 of the 1,680 that a week allows, and nothing was bad since.
    bad = with_outages(42, {6 * 24: 0.3, 6 * 24 - 1: 0.3, 6 * 24 - 2: 0.3})
    found, _ = looked(counted(np.full(42 * 24, 1000.0), bad), days=2, window=WEEK)
    assert found.left == pytest.approx(1 - 900 / 1680)
    assert found.left_high == pytest.approx(1.0)
    assert found.left_expected == pytest.approx(1.0)


def test_a_spent_budget_has_run_out_now_and_is_back_when_the_outage_leaves_the_window() -> None:
    bad = with_outages(42, {4 * 24: 1.0, 4 * 24 - 1: 1.0})  # 2,000 of 1,680, four days ago
    found, risks = looked(counted(np.full(42 * 24, 1000.0), bad), window=WEEK)
    assert found.probability == 1
    assert found.runs_out == found.runs_out_low == found.runs_out_high == MONDAY
    # The first of its two hours leaves the window after three days and an hour.
    assert found.back == MONDAY + 3 * DAY + HOUR
    assert not risks


def test_without_a_bad_event_what_stayed_unseen_bounds_what_is_left() -> None:
    short, _ = looked(counted(np.full(30 * 24, 10.0), np.zeros(30 * 24)), method=METHOD)
    found, _ = looked(counted(np.full(300 * 24, 10.0), np.zeros(300 * 24)), method=METHOD)
    assert found.left == found.left_expected == found.left_high == 1
    assert "nothing bad in 300d" in found.notes[0]
    assert (found.runs_out, found.burn_per_day) == (None, 0)
    # The longer nothing was seen, the rarer it is.
    assert short.probability is not None
    assert found.probability is not None
    assert 0 < found.probability < short.probability < 0.2
    assert short.left_low is not None
    assert found.left_low is not None
    assert short.left_low < found.left_low <= 1


@pytest.mark.parametrize(
    ("days", "rate", "reason"),
    [(3, 10.0, "3 of the 7 days"), (30, 0.0, "no data"), (6, 10.0, "too little history")],
)
def test_what_cannot_be_told_has_a_reason_and_no_figures(days: int, rate: float, reason: str) -> None:
    events = counted(np.full(days * 24, rate), np.zeros(days * 24))
    found, risks = looked(replace(events, coverage=np.full(days * 24, float(rate > 0))))
    assert reason in found.reason
    assert found.probability is None
    assert found.left is None
    assert not risks


def test_a_window_under_a_day_is_not_forecast() -> None:
    found, _ = looked(steady(30, 0.001), window=Window(rolling=6.0 * HOUR))
    assert "shorter than a day" in found.reason


def games(first_week: int, last_week: int) -> list[Interval]:
    """Two hours on each Sunday at 18:00, by weeks from the moment of the forecast."""
    start = MONDAY - DAY + 18 * HOUR
    return [
        Interval(start + week * 7 * DAY, start + week * 7 * DAY + 2 * HOUR, "game")
        for week in range(first_week, last_week + 1)
    ]


def season(bad_share: float, factor: float = 50.0) -> tuple[Floats, Floats]:
    """Eight weeks whose games are so many times as busy, and so bad."""
    total, bad = np.full(56 * 24, 100.0), np.zeros(56 * 24)
    for week in range(8):
        hours = slice(week * 168 + 6 * 24 + 18, week * 168 + 6 * 24 + 20)
        total[hours] *= factor
        bad[hours] = total[hours] * bad_share
    return total, bad


def test_the_next_game_burns_what_games_burn() -> None:
    total, bad = season(0.008)
    found, _ = looked(counted(total, bad), live=games(-7, 4))
    # A game has 10,000 of the 121,000 events of five games and 710 quiet hours.
    assert found.burn_per_event == pytest.approx(10_000 * 0.008 / (0.01 * 121_000))
    assert found.burn_per_day == 0
    assert found.left_expected is not None
    assert found.left_expected < 1


def test_a_game_that_is_usually_bad_puts_the_promise_at_risk() -> None:
    total, bad = season(0.03)
    bad[4 * 168 : 5 * 168] = 0  # of the four games in the window the first one went well
    found, risks = looked(counted(total, bad), live=games(-7, 4), window=Window(rolling=27.0 * DAY))
    # Three games at 300 bad events each spent 900 of the 1,040 that 104,000 events allow; a fourth is too much.
    assert found.left == pytest.approx(1 - 900 / 1040)
    place, risk = risks[0]
    assert place == 0
    assert risk.probability > 0.6
    assert risk.without == 0
    assert found.runs_out == MONDAY + 6 * DAY + 19 * HOUR  # after the first of its two hours


def test_without_a_past_game_the_coming_one_is_taken_as_usual_time_and_said_so() -> None:
    found, _ = looked(steady(30, 0.002), live=games(1, 2))
    assert any("no past live event" in note for note in found.notes)
    quiet, _ = looked(steady(30, 0.002))
    assert found.left_expected == pytest.approx(quiet.left_expected)


def test_maintenance_to_come_burns_nothing() -> None:
    work = [Interval(MONDAY, MONDAY + 30 * DAY, "work")]
    found, _ = looked(steady(60, 0.008), maintenance=work, days=29)
    # All of the future is excluded, so that a day of the past is all that the window still holds.
    assert found.left_low == found.left_high == pytest.approx(0.2)


shares = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.3]), min_size=21 * 24, max_size=21 * 24)


@settings(max_examples=15, deadline=None)
@given(shares=shares, more=st.integers(0, 21 * 24 - 1))
def test_more_bad_events_never_make_it_run_out_later(shares: list[float], more: int) -> None:
    total = np.full(len(shares), 1000.0)
    bad = total * np.array(shares)
    worse = bad.copy()
    worse[more:] = np.minimum(worse[more:] + 50, 1000)
    before, _ = looked(counted(total, bad), window=WEEK, days=10, method=METHOD)
    after, _ = looked(counted(total, worse), window=WEEK, days=10, method=METHOD)
    never = float("inf")
    for name in ("runs_out", "runs_out_low", "runs_out_high"):
        first, second = getattr(before, name), getattr(after, name)
        assert (never if second is None else second) <= (never if first is None else first)
    assert after.left_expected <= before.left_expected + 1e-9  # type: ignore[operator]


@settings(max_examples=15, deadline=None)
@given(shares=shares, scale=st.sampled_from([0.5, 3.0, 1e6]))
def test_a_forecast_is_ordered_repeatable_and_the_same_at_any_scale(shares: list[float], scale: float) -> None:
    total = np.full(len(shares), 1000.0)
    bad = total * np.array(shares)
    found, _ = looked(counted(total, bad), window=WEEK, days=10, method=METHOD)
    again, _ = looked(counted(total, bad), window=WEEK, days=10, method=METHOD)
    assert found == again
    never = float("inf")
    times = [never if one is None else one for one in (found.runs_out_low, found.runs_out, found.runs_out_high)]
    assert times == sorted(times)
    assert found.left_low <= found.left_expected <= found.left_high  # type: ignore[operator]
    if bad.any():
        larger, _ = looked(counted(total * scale, bad * scale), window=WEEK, days=10, method=METHOD)
        assert larger.left_expected == pytest.approx(found.left_expected)
        assert larger.probability == pytest.approx(found.probability)
