"""Waits between attempts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.routing.dispatching.backoff import (
    CAP_SECONDS,
    GIVE_UP_AFTER_SECONDS,
    RETRY_AFTER_CAP_SECONDS,
    START_SECONDS,
    URGENT_CAP_SECONDS,
    ceiling,
    delay,
    is_over,
)


def test_the_longest_wait_doubles_up_to_its_cap() -> None:
    assert [ceiling(attempts) for attempts in range(1, 11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert [ceiling(attempts, urgent=True) for attempts in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


@given(st.integers(1, 10**9), st.booleans(), st.integers())
def test_a_wait_is_anywhere_between_nothing_and_the_longest(attempts: int, urgent: bool, seed: int) -> None:
    waited = delay(attempts, urgent=urgent, uniform=random.Random(seed).uniform)
    assert 0 <= waited <= ceiling(attempts, urgent=urgent) <= (URGENT_CAP_SECONDS if urgent else CAP_SECONDS)


def test_waits_are_spread_over_the_whole_range() -> None:
    """Full jitter: AWS's uniform between nothing and the longest, whose mean is half of it."""
    uniform = random.Random(1).uniform
    waits = [delay(9, uniform=uniform) for _ in range(2000)]
    assert sum(waits) / len(waits) == pytest.approx(128, rel=0.05)
    assert min(waits) < 5
    assert max(waits) > 250


@given(st.integers(1, 100), st.floats(0.001, 10**6), st.booleans(), st.integers())
def test_what_a_service_asks_for_is_waited_out(attempts: int, asked: float, urgent: bool, seed: int) -> None:
    uniform = random.Random(seed).uniform
    waited = delay(attempts, urgent=urgent, retry_after_seconds=asked, uniform=uniform)
    assert min(asked, RETRY_AFTER_CAP_SECONDS) <= waited <= min(asked, RETRY_AFTER_CAP_SECONDS) + START_SECONDS


@pytest.mark.parametrize("nonsense", [0.0, -5.0, float("nan")])
def test_nonsense_that_a_service_asks_for_is_no_wait(nonsense: float) -> None:
    assert delay(1, retry_after_seconds=nonsense, uniform=lambda low, high: high) == START_SECONDS


def test_a_delivery_is_given_up_a_day_after_its_first_failure() -> None:
    assert not is_over(None, 10**9)
    assert not is_over(1000.0, 1000.0 + GIVE_UP_AFTER_SECONDS - 1)
    assert is_over(1000.0, 1000.0 + GIVE_UP_AFTER_SECONDS)
