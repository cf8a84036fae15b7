"""Counting events by OpenSLO's budgeting methods, and what buckets without data count as."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Budgeting, Missing, Probe, Recovery, Requests, Slo
from sla_kit.engine.budgeting import Counted, Terms, count, leaving_out
from sla_kit.timeline import Grid, Timeline
from tests.engine.builders import DAY, timeline


def terms(
    budgeting: Budgeting = "occurrences", slice_seconds: int = 0, target: float = 0.9, missing: Missing = "ignore"
) -> Terms:
    return Terms(0.99, budgeting, slice_seconds, target, missing)


def sums(counted: Counted) -> tuple[float, float]:
    return float(counted.total.sum()), float(counted.bad.sum())


def test_kinds_that_count_events_are_budgeted_by_occurrences_and_gauges_by_slices() -> None:
    requests, probe = Requests(metric="m", bad={"code": "500"}), Probe()
    assert Terms.of(Slo(name="a", sli=requests, objective=0.9), requests).budgeting == "occurrences"
    found = Terms.of(Slo(name="a", sli=probe, objective=0.9), probe)
    assert (found.budgeting, found.slice_target, found.slice_seconds) == ("timeslices", 1.0, 0)
    assert Terms.of(Slo(name="a", sli=probe, objective=0.9, budgeting="occurrences"), probe).budgeting == "occurrences"


def test_recovery_counts_outages_whatever_is_declared() -> None:
    sli = Recovery(of="a", within=900)
    found = Terms.of(Slo(name="r", sli=sli, objective=0.9, budgeting="timeslices"), sli)
    assert (found.budgeting, found.few_events) == ("occurrences", False)


def test_occurrences_are_the_events_themselves() -> None:
    assert sums(count(timeline([100, 0, 50], [1, 0, 2]), terms())) == (150, 3)


def test_a_time_slice_is_good_or_bad_whatever_its_traffic() -> None:
    counted = count(timeline([1000, 10, 10, 10], [0, 2, 1, 0]), terms("timeslices"))
    assert counted.unit == "minutes"
    assert counted.bad.tolist() == [0, 1, 0, 0]  # 80 % is under the target of 90 %; 90 % is not
    assert counted.total.tolist() == [1, 1, 1, 1]


def test_slices_of_several_buckets_are_judged_by_their_sum() -> None:
    # Two slices of five minutes: 5 of 100 bad is good enough; 60 of 140 is not.
    total, bad = [20.0] * 5 + [100, 10, 10, 10, 10], [5.0, 0, 0, 0, 0, 60, 0, 0, 0, 0]
    counted = count(timeline(total, bad), terms("timeslices", 300))
    assert sums(counted) == (10, 5)
    assert counted.bad.tolist() == [0] * 5 + [1] * 5


def test_slices_are_aligned_to_the_epoch() -> None:
    # The grid begins three minutes into a slice.
    counted = count(timeline([10] * 5, [10, 0, 0, 0, 0], start=180), terms("timeslices", 300))
    assert counted.bad.tolist() == [1, 1, 0, 0, 0]


def test_ratio_slices_are_the_mean_of_their_ratios() -> None:
    counted = count(timeline([1000, 10], [100, 5]), terms("ratio-timeslices"))
    assert sums(counted) == pytest.approx((2, 0.1 + 0.5))


def test_slices_of_five_minute_buckets_count_their_minutes() -> None:
    assert sums(count(timeline([10, 10], [10, 0], step=300), terms("timeslices"))) == (10, 5)


def test_bucket_without_data_is_left_out_where_it_is_ignored() -> None:
    data = timeline([10, 0, 10], [0, 0, 1], [1, 0, 1])
    assert sums(count(data, terms())) == (20, 1)
    assert sums(count(data, terms("timeslices"))) == (2, 0)


def test_bucket_without_data_counts_as_bad_where_it_is_declared_so() -> None:
    data = timeline([10, 0, 30], [0, 0, 1], [1, 0, 1])
    assert sums(count(data, terms(missing="bad"))) == (60, 21)  # as many as the mean of 10 and 30
    assert sums(count(data, terms("timeslices", missing="bad"))) == (3, 1)
    nothing = timeline([0, 0], [0, 0], [0, 0])
    assert sums(count(nothing, terms(missing="bad"))) == (2, 2)


def test_missing_bucket_weighs_what_its_own_day_did() -> None:
    buckets = DAY // 60
    total = np.concatenate([np.full(buckets, 10.0), np.full(buckets, 1000.0)])
    seen = np.ones(2 * buckets)
    for gap in (5, buckets + 5):
        total[gap], seen[gap] = 0, 0
    counted = count(timeline(total, np.zeros(2 * buckets), seen), terms(missing="bad"))
    assert (counted.bad[5], counted.bad[buckets + 5]) == pytest.approx((10, 1000))


def test_events_that_a_counter_counted_across_a_gap_are_not_missing() -> None:
    assert sums(count(timeline([10, 10, 10], [0, 1, 0], [1, 0, 1]), terms(missing="bad"))) == (30, 1)


def test_silence_that_was_observed_is_not_missing() -> None:
    assert sums(count(timeline([10, 0], [0, 0]), terms(missing="bad"))) == (10, 0)
    assert sums(count(timeline([10, 0], [0, 0]), terms("timeslices", missing="bad"))) == (1, 0)


def test_slice_with_one_bucket_seen_is_not_missing() -> None:
    data = timeline([10, 0, 0, 0, 0], [0] * 5, [1, 0, 0, 0, 0])
    assert sums(count(data, terms("timeslices", 300, missing="bad"))) == (5, 0)


def test_nonsense_in_a_timeline_neither_makes_nor_hides_errors() -> None:
    grid = Grid(0, 60, 4)
    total = np.array([10.0, 10.0, np.nan, -5.0])
    data = Timeline(grid, np.array([12.0, -3.0, 1.0, 0.0]), total, np.ones(4))
    counted = count(data, terms())
    assert counted.total.tolist() == [10, 10, 0, 0]
    assert counted.bad.tolist() == [0, 10, 0, 0]


def test_a_slice_is_judged_by_what_exclusions_leave_of_it() -> None:
    data = timeline([100, 10, 10, 10, 10], [60, 0, 0, 0, 0])
    rules = terms("timeslices", 300)
    keep = np.array([False, True, True, True, True])
    counted = leaving_out(count(data, rules), data, rules, keep)
    assert sums(count(data, rules)) == (5, 5)
    assert sums(counted) == (4, 0)


buckets = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=2, max_size=60)


@settings(deadline=None, max_examples=200)
@given(
    buckets,
    st.sampled_from(["occurrences", "timeslices", "ratio-timeslices"]),
    st.sampled_from([0, 120, 300]),
    st.sampled_from(["ignore", "bad", "fail"]),
    st.data(),
)
def test_a_shorter_window_never_shows_more_bad_events(
    made: list[tuple[int, float, float]], budgeting: Budgeting, width: int, missing: Missing, data: st.DataObject
) -> None:
    total = [float(events) * seen for events, _, seen in made]
    bad = [float(round(events * share)) * seen for events, share, seen in made]
    counted = count(timeline(total, bad, [seen for _, _, seen in made]), terms(budgeting, width, 0.9, missing))
    assert (counted.bad >= 0).all()
    assert (counted.bad <= counted.total).all()
    edges = sorted(data.draw(st.lists(st.integers(0, len(made)), min_size=4, max_size=4)))
    inner, outer = slice(edges[1], edges[2]), slice(edges[0], edges[3])
    assert counted.bad[inner].sum() <= counted.bad[outer].sum() * (1 + 1e-12)
    assert counted.total[inner].sum() <= counted.total[outer].sum() * (1 + 1e-12)
