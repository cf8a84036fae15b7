"""Different users by windows: exact while they are few, within the stated error from then on."""

from __future__ import annotations

import math
import random
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.business.pushed.changes import Change
from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.estimating import RANK_BITS, cell, estimate, precision_for
from sla_kit.exporters.business.pushed.store import Push, Store
from tests.exporters.business.pushed.clock import Clock

FOREVER = math.inf
USERS = PushedMetric(
    name="active_users", type="users", help="Users.", windows=["1m", "5m", "1h", "1d", "30d"], labels=["plan"]
)


def seen(ids: list[str], plan: str = "pro", metric: PushedMetric = USERS) -> Push:
    return Push([Change(metric, (plan,), "seen", ids=tuple(ids))])


def counted(store: Store, metric: PushedMetric = USERS) -> dict[str, dict[str, float]]:
    return {each.labels["plan"]: dict(each.windows or {}) for each in store.published(metric, FOREVER)}


def registers(hashes: list[int], precision: int) -> dict[int, int]:
    """How many registers have each highest rank: a HyperLogLog as it is defined."""
    highest: dict[int, int] = {}
    for each in hashes:
        found = cell(each, precision)
        highest[found >> RANK_BITS] = max(highest.get(found >> RANK_BITS, 0), found & 63)
    ranks = list(highest.values())
    return {rank: ranks.count(rank) for rank in set(ranks)}


def test_the_rank_is_the_place_of_the_first_one() -> None:
    assert cell(0b1010 << 60 | 1 << 59, 4) == 0b1010 << RANK_BITS | 1
    assert cell(0b0001 << 60 | 1, 4) == 0b0001 << RANK_BITS | 60
    assert cell(0, 4) == 61


@pytest.mark.parametrize("count", [0, 1, 10, 300, 1_000, 3_000, 10_000, 60_000])
def test_estimates_are_as_good_as_is_said(count: int) -> None:
    precision, chance = 10, random.Random(count)
    errors = []
    for _ in range(30):
        hashes = [chance.getrandbits(64) for _ in range(count)]
        errors.append((estimate(registers(hashes, precision), precision) - count) / max(1, count))
    allowed = 1.04 / math.sqrt(1 << precision)
    assert abs(statistics.fmean(errors)) < 3.5 * allowed / math.sqrt(30)  # no bias
    assert statistics.pstdev(errors) < 1.5 * allowed


@given(st.floats(0.002, 0.3))
@settings(deadline=None)
def test_the_precision_keeps_the_error(error: float) -> None:
    precision = precision_for(error)
    assert 1.04 / math.sqrt(1 << precision) <= error or precision == 18
    assert precision == 4 or 1.04 / math.sqrt(1 << (precision - 1)) > error


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 15), st.sampled_from(["free", "pro"])), max_size=60),
    st.integers(0, 5_000),
)
@settings(deadline=None, max_examples=60)
def test_few_users_are_counted_exactly_in_every_window(events: list[tuple[int, int, str]], later: int) -> None:
    clock = Clock()
    begin = clock.now
    store = Store(None, clock=clock)
    store.open()
    for at, user, plan in sorted(events):
        clock.now = begin + at
        store.apply([seen([f"u{user}"], plan)])
    clock.now = begin + max((at for at, _, _ in events), default=0) + later
    for plan, windows in counted(store).items():
        for window, seconds in USERS.window_seconds.items():
            since = clock.now - begin - seconds
            assert windows[window] == len({user for at, user, of in events if of == plan and at > since})


def test_many_users_are_counted_within_the_error_in_every_window() -> None:
    clock = Clock()
    store = Store(None, clock=clock, exact_users=1_000)
    store.open()
    metric = PushedMetric(
        name="active_users", type="users", help="Users.", windows=["1m", "1h"], labels=["plan"], error=0.02
    )
    store.apply([seen([f"old{n}" for n in range(30_000)], metric=metric)])
    clock.now += 1_800
    store.apply([seen([f"new{n}" for n in range(5_000)] + [f"old{n}" for n in range(5_000)], metric=metric)])
    found = counted(store, metric)["pro"]
    assert found["1h"] == pytest.approx(35_000, rel=0.08)
    assert found["1m"] == pytest.approx(10_000, rel=0.08)
    clock.now += 100
    assert counted(store, metric)["pro"]["1m"] == 0
    assert counted(store, metric)["pro"]["1h"] == found["1h"]


def test_users_that_no_window_holds_are_let_go_before_counting_gets_inexact() -> None:
    clock = Clock()
    store = Store(None, clock=clock, exact_users=100)
    store.open()
    metric = PushedMetric(name="active_users", type="users", help="Users.", windows=["1m"], labels=["plan"])
    for day in range(20):
        store.apply([seen([f"{day}-{n}" for n in range(60)], metric=metric)])
        assert counted(store, metric)["pro"]["1m"] == 60
        clock.now += 61


def test_neither_ids_nor_their_plain_hashes_are_in_the_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    store.open()
    store.apply([seen(["ada@example.com"])])
    store.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ada" not in content
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    other = Store(tmp_path / "other")
    other.open()
    assert store._crowd.hashed("ada@example.com") != other._crowd.hashed("ada@example.com")
    store.open()
    store.apply([seen(["ada@example.com"])])
    assert counted(store)["pro"]["1d"] == 1
