"""Figures: SLI, interval, verdict and budget; what can't be told, and never a division by zero."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Missing
from sla_kit.engine.budgeting import Terms, count, leaving_out
from sla_kit.engine.figures import figure, figure_of, percent, wilson
from tests.engine.builders import timeline

MONTH = 30 * 86400


def terms(objective: float = 0.999, missing: Missing = "ignore") -> Terms:
    return Terms(objective, "occurrences", missing=missing)


def test_thirty_days_at_three_nines_allow_43_minutes() -> None:
    found = figure_of(1_000_000, 500, 1.0, terms(), seconds=MONTH)
    assert found.sli == pytest.approx(0.9995)
    assert found.met is True
    assert found.budget.allowed == pytest.approx(1000)
    assert (found.budget.spent, found.budget.left) == pytest.approx((500, 500))
    assert found.budget.left_ratio == pytest.approx(0.5)
    assert found.budget.allowed_minutes == pytest.approx(43.2)  # SRE Workbook ch. 5: 99.9 % of 30 days
    assert found.budget.spent_minutes == pytest.approx(21.6)


def test_budget_overspent_is_negative() -> None:
    found = figure_of(1_000_000, 3000, 1.0, terms(), seconds=MONTH)
    assert found.met is False
    assert found.budget.left_ratio == pytest.approx(-2)


@pytest.mark.parametrize("objective", [0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999])
@pytest.mark.parametrize("thousands", [1, 7, 1234, 100_000])
def test_exactly_the_allowed_errors_are_met_and_one_more_is_missed(objective: float, thousands: int) -> None:
    total = thousands * 100_000
    allowed = round(total * (1 - objective))
    assert figure_of(total, allowed, 1.0, terms(objective), seconds=60).met is True
    assert figure_of(total, allowed + 1, 1.0, terms(objective), seconds=60).met is False


def test_no_data_says_so() -> None:
    found = figure_of(0, 0, 0.0, terms(), seconds=60)
    assert (found.sli, found.met, found.reason) == (None, None, "no data")
    assert (found.budget.left_ratio, found.budget.spent_minutes, found.interval) == (None, None, None)


def test_no_traffic_is_not_no_data() -> None:
    found = figure_of(0, 0, 0.7, terms(), seconds=60)
    assert (found.sli, found.met, found.reason) == (None, None, "no traffic")


def test_too_few_events_leave_the_verdict_open() -> None:
    assert figure_of(500, 0, 1.0, terms(0.9999), seconds=60).reason == "too few events to say"
    assert figure_of(500, 1, 1.0, terms(0.999), seconds=60).met is None  # one in 500: the interval reaches 0.9996
    assert figure_of(100, 1, 1.0, terms(0.999), seconds=60).met is False  # one in 100 can't be chance at 0.1 %
    assert figure_of(100, 50, 1.0, terms(0.9999), seconds=60).met is False


def test_slices_are_never_too_few() -> None:
    assert figure_of(500, 0, 1.0, terms(0.9999), seconds=60, occurrences=False).met is True


def test_low_coverage_opens_the_verdict_only_where_the_policy_is_fail() -> None:
    found = figure_of(1_000_000, 0, 0.41, terms(missing="fail"), seconds=60)
    assert (found.met, found.reason) == (None, "coverage 41 % is under 90 %")
    assert found.sli == 1.0
    assert figure_of(1_000_000, 0, 0.41, terms(), seconds=60).met is True
    assert figure_of(1_000_000, 0, 0.9, terms(missing="fail"), seconds=60).met is True


def test_exclusions_leave_events_and_coverage_out() -> None:
    data = timeline([1000, 1000, 1000, 1000], [0, 500, 0, 0], [1, 0.5, 1, 0])
    counted = count(data, terms())
    kept = leaving_out(counted, data, terms(), np.array([True, False, True, True]))
    with_them, without = (figure(one, slice(0, 4), terms(), seconds=240) for one in (counted, kept))
    assert (with_them.total, with_them.bad, with_them.coverage) == pytest.approx((4000, 500, 0.625))
    assert (without.total, without.bad, without.coverage) == pytest.approx((3000, 0, 2 / 3))


def test_a_window_that_is_excluded_whole_says_so() -> None:
    data = timeline([10, 10], [0, 5])
    kept = leaving_out(count(data, terms()), data, terms(), np.array([False, False]))
    found = figure(kept, slice(0, 2), terms(), seconds=120)
    assert (found.met, found.reason) == (None, "all of it is excluded")


def test_a_part_of_a_window_has_the_budget_of_its_own_length() -> None:
    counted = count(timeline([10] * 10, [0] * 10), terms(0.9))
    inside = np.arange(10) < 4
    found = figure(counted, slice(0, 10), terms(0.9), inside=inside)
    assert (found.total, found.budget.allowed_minutes) == pytest.approx((40, 0.4))


def test_wilson_interval_worked_by_hand() -> None:
    # Wilson's interval for 81 of 263 at 95 % is 0.2553 to 0.3662 (Newcombe, Statistics in Medicine 17, 1998, table I).
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(20, 20)[0] == pytest.approx(0.8389, abs=1e-4)
    assert wilson(20, 20)[1] == 1.0
    assert wilson(0, 20)[0] == 0.0


@settings(deadline=None, max_examples=200)
@given(st.floats(0, 1e9), st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 0.99999))
def test_every_figure_is_finite_and_consistent(total: float, share: float, coverage: float, objective: float) -> None:
    found = figure_of(total, total * share, coverage, terms(objective), seconds=3600)
    assert found.good + found.bad == pytest.approx(total)
    if found.sli is None:
        assert total == 0
        assert found.met is None
        return
    assert 0 <= found.sli <= 1
    assert found.interval is not None
    low, high = found.interval
    assert 0 <= low <= found.sli <= high <= 1
    assert found.budget.left_ratio is None or math.isfinite(found.budget.left_ratio)
    if found.met is not None and abs(found.sli - objective) > 1e-9:
        assert found.met is (found.sli >= objective)


def test_ratios_in_sentences_are_never_rounded_up_to_all() -> None:
    assert [percent(r) for r in (1.0, 0.41, 0.9995, 0.99999, 0.0, 0.9)] == [
        "100 %",
        "41 %",
        "99.95 %",
        "99.999 %",
        "0 %",
        "90 %",
    ]
    assert percent(1 - 1e-12) != "100 %"
