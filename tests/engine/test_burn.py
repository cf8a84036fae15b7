"""Burn rates, alert windows and the budget over time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.engine.budgeting import Counted, Terms, count
from sla_kit.engine.burn import alert_pairs, burn_rate, burn_rates, burn_series, burndown
from tests.engine.builders import timeline

HOUR, DAY = 3600, 86400


def counted(total: list[float], bad: list[float]) -> Counted:
    return count(timeline(total, bad), Terms(0.999, "occurrences"))


def test_thirty_days_have_the_workbooks_windows() -> None:
    pairs = alert_pairs(30 * DAY, 60, 0.001)  # SRE Workbook ch. 5, table 5-8
    assert [(p.severity, p.long, p.short) for p in pairs] == [
        ("page", HOUR, 300),
        ("page", 6 * HOUR, 1800),
        ("ticket", 3 * DAY, 6 * HOUR),
    ]
    assert [p.factor for p in pairs] == pytest.approx([14.4, 6, 1])


@pytest.mark.parametrize("days", [7, 28, 90, 365])
def test_other_windows_are_the_same_shares(days: int) -> None:
    for pair in alert_pairs(days * DAY, 60, 0.001):
        assert pair.factor * pair.long == pytest.approx(pair.budget_share * days * DAY)
        assert pair.long % 60 == pair.short % 60 == 0
        assert pair.long / 12 - 60 < pair.short < pair.long / 12 + 60
    assert [p.factor for p in alert_pairs(90 * DAY, 60, 0.001)] == pytest.approx([14.4, 6, 1])


@settings(deadline=None, max_examples=200)
@given(st.integers(60, 400 * DAY), st.sampled_from([10, 60, 300, 3600]))
def test_windows_fit_between_a_bucket_and_a_third_of_the_slos(seconds: int, bucket: int) -> None:
    for pair in alert_pairs(seconds, bucket, 1e-6):
        assert bucket <= pair.short <= pair.long
        assert pair.long <= max(seconds / 3, bucket)
        assert pair.factor * pair.long == pytest.approx(pair.budget_share * seconds)


@given(st.floats(0.01, 0.99999), st.integers(3600, 400 * DAY), st.sampled_from([10, 60, 300]))
def test_all_events_being_bad_sets_every_pair_off(objective: float, seconds: int, bucket: int) -> None:
    for pair in alert_pairs(seconds, bucket, 1 - objective):
        assert pair.factor * (1 - objective) < 1
        assert bucket <= pair.short <= pair.long <= max(seconds / 3, bucket)


def test_burning_14_4_times_too_fast_spends_two_percent_in_an_hour() -> None:
    rate = burn_rate(1000, 14.4, 0.001)
    assert rate == pytest.approx(14.4)
    assert rate is not None
    assert rate * HOUR / (30 * DAY) == pytest.approx(0.02)


def test_burn_rate_without_events_is_unknown() -> None:
    assert burn_rate(0, 0, 0.001) is None


def test_burn_over_a_window_divides_sums_and_does_not_average_ratios() -> None:
    # A busy bucket without errors and a quiet one with nothing but: 1 of 1000 is bad, not half.
    series = burn_series(counted([999, 1], [0, 1]), 120, 0.001)
    assert series.tolist() == [0, pytest.approx(1)]


def test_burn_series_looks_back_over_its_window_only() -> None:
    series = burn_series(counted([100, 100, 100, 0], [10, 0, 0, 0]), 120, 0.01)
    assert series.tolist() == pytest.approx([10, 5, 0, 0])
    assert np.isnan(burn_series(counted([0, 10], [0, 0]), 60, 0.01)[0])


def test_burn_rates_are_those_of_the_windows_that_end_now() -> None:
    data = counted([100.0] * 120, [0.0] * 60 + [1.0] * 60)
    rates = burn_rates(data, 7200, alert_pairs(30 * DAY, 60, 0.001), 0.001)
    assert [(r.window_seconds, r.severity) for r in rates[:2]] == [(HOUR, "page"), (300, "page")]
    assert rates[0].rate == pytest.approx(10)
    assert rates[2].rate == pytest.approx(5)  # six hours, of which two are known
    assert (rates[0].threshold, rates[-1].threshold) == pytest.approx((14.4, 1))


def test_burndown_falls_from_one_to_what_is_left() -> None:
    data = counted([100.0] * 2000, [0.0] * 1000 + [0.1] * 1000)
    found = burndown(data, slice(0, 2000), 200.0)
    assert found is not None
    assert len(found.times) == len(found.left_ratio) == 500
    assert (found.times[0], found.times[-1]) == (60, 120_000)
    assert (found.left_ratio[0], found.left_ratio[-1]) == (1.0, pytest.approx(0.5))
    assert (np.diff(found.left_ratio) <= 0).all()


def test_burndown_of_nothing_is_none() -> None:
    assert burndown(counted([0.0] * 10, [0.0] * 10), slice(0, 10), 0.0) is None
