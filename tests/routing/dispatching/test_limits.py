"""Token buckets and pauses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.routing.destinations import Destination
from sla_kit.routing.dispatching.backoff import RETRY_AFTER_CAP_SECONDS
from sla_kit.routing.dispatching.limits import Bucket, Limits

ROOM, OTHER, PAGER = Destination("slack", "#a"), Destination("slack", "#b"), Destination("pagerduty", "primary")
WAITS = st.lists(st.floats(0, 5, allow_subnormal=False), min_size=1, max_size=60)


@given(st.floats(0.05, 50), WAITS)
def test_a_bucket_never_gives_more_than_its_rate(per_second: float, waits: list[float]) -> None:
    """In any stretch of time: what it holds, and what has come since."""
    bucket, now = Bucket(per_second, 0.0), 0.0
    taken: list[float] = []
    for wait in waits:
        now += wait
        while bucket.take(now):
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            most = bucket.size + (taken[last] - taken[first]) * per_second
            assert last - first + 1 <= most + 1e-6


@given(st.floats(0.05, 50), WAITS)
def test_a_bucket_gives_after_what_it_says_to_wait(per_second: float, waits: list[float]) -> None:
    bucket, now = Bucket(per_second, 1000.0), 1000.0
    for wait in waits:
        now += wait
        while bucket.take(now):
            pass
        left = bucket.wait(now)
        assert 0 < left <= 1 / per_second
        now += left
        assert bucket.take(now)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = Bucket(1.0, 100.0)
    assert bucket.take(100.0)
    assert not bucket.take(100.0)
    assert not bucket.take(50.0)
    assert not bucket.take(100.5)
    assert bucket.take(101.0)


def test_destinations_have_a_bucket_each() -> None:
    limits = Limits({"slack": 1.0, "pagerduty": 2.0})
    assert [limits.take(ROOM, 0.0), limits.take(ROOM, 0.0), limits.take(OTHER, 0.0)] == [True, False, True]
    assert [limits.take(PAGER, 0.0) for _ in range(3)] == [True, True, False]
    assert limits.blocked(0.0) == {ROOM: 1.0, OTHER: 1.0, PAGER: 0.5}
    assert limits.blocked(1.0) == {}


@pytest.mark.parametrize("rate", [0.0, math.inf])
def test_no_rate_is_no_limit(rate: float) -> None:
    limits = Limits({"slack": rate})
    assert all(limits.take(ROOM, 0.0) for _ in range(100))
    assert all(limits.take(PAGER, 0.0) for _ in range(100))


def test_a_pause_holds_one_destination() -> None:
    limits = Limits({"slack": 1.0})
    limits.pause(ROOM, 30.0, 0.0)
    assert not limits.take(ROOM, 29.9)
    assert limits.take(OTHER, 0.0)
    assert limits.take(ROOM, 30.0)


def test_a_pause_of_a_service_holds_all_of_its_destinations() -> None:
    limits = Limits({})
    limits.pause("slack", 30.0, 0.0)
    limits.pause("slack", 5.0, 1.0)  # a shorter one ends nothing
    assert limits.wait(ROOM, 10.0) == limits.wait(OTHER, 10.0) == 20.0
    assert limits.wait(PAGER, 10.0) == 0.0
    assert limits.blocked(10.0) == {"slack": 20.0}
    assert limits.blocked(30.0) == {}


def test_a_pause_has_an_end() -> None:
    limits = Limits({})
    limits.pause(ROOM, 10**9, 0.0)
    assert limits.wait(ROOM, 0.0) == RETRY_AFTER_CAP_SECONDS


def test_thousands_of_destinations_are_not_kept_for_ever() -> None:
    limits = Limits({"email": 5.0})
    for number in range(5000):
        assert limits.take(Destination("email", f"{number}@example.com"), float(number))
    assert len(limits._buckets) <= 1010
