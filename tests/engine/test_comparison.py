"""What changed between two evaluations: Newcombe's published example, and the order of what is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.engine.comparison import Change, Side, Standing, compare, difference


def test_the_interval_is_that_of_newcombes_paper() -> None:
    """Newcombe 1998, table II, contrast (a): 56/70 less 48/80 by method 10."""
    assert difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        # The same table: (b) 9/10 - 3/10, (c) 6/7 - 2/7, (d) 5/56 - 0/29, (e) 0/10 - 0/20, (h) 10/10 - 0/10.
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_so_are_the_others_of_its_table(counts: tuple[int, int, int, int], interval: tuple[float, float]) -> None:
    assert difference(*counts) == pytest.approx(interval, abs=5e-5)


counts = st.integers(1, 10**9).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@settings(deadline=None, max_examples=200)
@given(counts, counts)
def test_the_interval_holds_the_difference_stays_in_bounds_and_turns_with_its_sides(
    now: tuple[int, int], before: tuple[int, int]
) -> None:
    low, high = difference(*now, *before)
    change = now[0] / now[1] - before[0] / before[1]
    assert -1 - 1e-12 <= low <= change + 1e-12
    assert change - 1e-12 <= high <= 1 + 1e-12
    back = difference(*before, *now)
    assert back == pytest.approx((-high, -low), abs=1e-12)


def standing(slo: str, bad: float, total: float = 1e6, objective: float = 0.99, counted: bool = True) -> Standing:
    sli = (total - bad) / total if total else None
    return Standing("api", slo, "requests", "requests", objective, sli, bad, total, counted, True, 0.5, None, None, 0)


def side(*slos: Standing) -> Side:
    return Side("shop", "production", "7d", 0, 604800, "UTC", slos)


def test_the_worst_change_is_first_by_what_its_objective_allows_and_lone_ones_are_last() -> None:
    before = side(standing("a", 100), standing("b", 100, objective=0.9999), standing("c", 500), standing("gone", 1))
    after = side(standing("new", 1), standing("c", 100), standing("a", 2100), standing("b", 150, objective=0.9999))
    found = compare(before, after)
    assert [change.named.slo for change in found.changes] == ["b", "a", "c", "gone", "new"]
    worst = found.changes[0]
    assert worst.sli == pytest.approx(-5e-5)
    assert worst.in_budgets == pytest.approx(-0.5)


def test_a_change_of_many_events_is_more_than_chance_and_one_of_few_may_be_chance() -> None:
    many = Change(standing("a", 100), standing("a", 300))
    few = Change(standing("a", 1, 1000), standing("a", 3, 1000))
    assert many.beyond_chance is True
    assert few.beyond_chance is False


def test_what_is_no_count_of_events_has_no_chance_to_tell() -> None:
    slices = Change(standing("a", 1, counted=False), standing("a", 300, counted=False))
    assert slices.beyond_chance is None
    assert slices.sli == pytest.approx(-299e-6)
    nothing = Change(standing("a", 0, 0), standing("a", 3))
    assert (nothing.sli, nothing.interval, nothing.beyond_chance) == (None, None, None)
