"""What a live event needs at its peak: burst factors, their intervals, pods and connections."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Capacity, Resource
from sla_kit.engine.forecast.bursts import alike, bursts
from sla_kit.engine.forecast.capacity import burst_factor, line, service_need, student_t
from sla_kit.engine.forecast.courses import Seen
from sla_kit.engine.forecast.hours import Future, Past
from sla_kit.engine.forecast.usual import Usual
from sla_kit.timeline import Floats
from tests.engine.forecast.seasons import DAY, HOUR, MONDAY, counted

WEEKS = 6
PODS = Resource(metric="pods", limit=10)


def season(factors: list[float]) -> tuple[Seen, list[Interval]]:
    """Six weeks of 360 requests an hour, Sundays from 18:00 to 20:00 so many times as many."""
    total = np.full(WEEKS * 168, 360.0)
    games = []
    for number, factor in enumerate(factors):
        hour = (WEEKS - len(factors) + number) * 168 + 6 * 24 + 18
        total[hour], total[hour + 1] = 360 * factor / 2, 360 * factor
        start = MONDAY + (hour - WEEKS * 168) * HOUR
        games.append(Interval(start, start + 2 * HOUR, "game"))
    events = counted(total, np.zeros(len(total)))
    return Seen.of(events, games, "UTC", "web"), games


def next_game(start: int = MONDAY + 6 * DAY + 18 * HOUR) -> Future:
    return Future.of(MONDAY, 168, 3600, [Interval(start, start + 2 * HOUR, "game")], [], "web")


def test_a_past_event_is_measured_against_what_was_usual_then() -> None:
    seen, games = season([80.0, 100.0])
    burst = seen.bursts[1]
    assert (burst.start, burst.end) == (games[1].start, games[1].end)
    assert burst.factor == pytest.approx(100)
    assert burst.total / burst.usual == pytest.approx(75)
    assert burst.peak_rate == pytest.approx(10)


def test_an_event_that_was_hardly_seen_or_not_wholly_in_the_history_teaches_nothing() -> None:
    seen, games = season([100.0])
    blind = seen.counted.coverage.copy()
    where = seen.counted.grid.slice(games[0].start, games[0].end)
    blind[where] = 0
    total = np.where(blind > 0, seen.counted.total, 0.0)
    events = replace(seen.counted, coverage=blind, total=total)
    usual = Usual.of(Past.of(events, games, "web"), "UTC")
    assert bursts(events, games, usual, "web") == ()
    early = Interval(events.grid.start - HOUR, events.grid.start + HOUR, "cut")
    running = Interval(MONDAY - HOUR, MONDAY + HOUR, "runs")
    assert bursts(seen.counted, [early, running], seen.usual, "web") == ()


def test_the_peak_is_the_usual_rate_times_the_geometric_mean_of_the_factors() -> None:
    seen, _ = season([50.0, 100.0, 200.0])
    need = service_need("web", Capacity(requests="requests"), seen, next_game().events[0])
    assert need is not None
    assert need.usual_peak == pytest.approx(0.1)
    assert need.factor == pytest.approx(100)
    [rate] = need.needs
    # Logarithms ln 50, ln 100, ln 200: their standard deviation is ln 2, and t with 2 degrees of freedom 1.8856.
    half = 1.885618 * log(2) * sqrt(1 + 1 / 3)
    assert (rate.value, rate.low, rate.high) == pytest.approx((10, 10 * exp(-half), 10 * exp(half)), rel=1e-5)
    assert rate.seen == pytest.approx(20)
    assert rate.basis == "3 past events"


def test_one_past_event_gives_a_figure_without_an_interval_and_none_gives_usual_traffic() -> None:
    one, _ = season([100.0])
    need = service_need("web", Capacity(requests="requests"), one, next_game().events[0])
    assert need is not None
    assert need.needs[0].value == pytest.approx(10)
    assert need.needs[0].low is None
    none, _ = season([])
    need = service_need("web", Capacity(requests="requests"), none, next_game().events[0])
    assert need is not None
    assert need.needs[0].value == pytest.approx(0.1)
    assert "no past live event" in need.note


def gauge(seen: Seen, base: float, slope: float, most: float = np.inf) -> Floats:
    return np.minimum(base + slope * seen.counted.total / HOUR, most)


def test_pods_follow_the_line_that_past_peaks_showed() -> None:
    seen, _ = season([50.0, 100.0, 200.0])
    pods = gauge(seen, 2, 0.5)
    need = service_need("web", Capacity(requests="requests", pods=PODS), seen, next_game().events[0], pods=pods)
    assert need is not None
    found = need.needs[1]
    assert found.what == "pods"
    assert found.value == pytest.approx(2 + 0.5 * 10)
    assert found.seen == pytest.approx(12)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.exceeds is None  # seven of ten, but the interval reaches over ten


def test_what_one_pod_is_known_to_carry_comes_before_a_gauge_that_stood_at_its_limit() -> None:
    seen, _ = season([100.0, 100.0, 100.0])
    pods = gauge(seen, 1, 1.0, most=4)
    capacity = Capacity(requests="requests", pods=PODS, per_pod_rps=0.8)
    need = service_need("web", capacity, seen, next_game().events[0], pods=pods)
    assert need is not None
    found = need.needs[1]
    assert found.value == pytest.approx(12.5)
    assert found.seen == 4
    assert found.exceeds is True


def test_connections_come_from_their_gauge_or_not_at_all() -> None:
    seen, _ = season([100.0, 100.0])
    capacity = Capacity(requests="requests", connections=Resource(metric="c", limit=60))
    need = service_need("web", capacity, seen, next_game().events[0], connections=gauge(seen, 5, 4.0))
    assert need is not None
    assert [(one.what, one.exceeds) for one in need.needs] == [("requests", False), ("connections", False)]
    assert need.needs[1].value == pytest.approx(45)
    blind = service_need("web", capacity, seen, next_game().events[0], connections=np.full(WEEKS * 168, np.nan))
    assert blind is not None
    assert [one.what for one in blind.needs] == ["requests"]


def test_events_of_the_same_name_count_alone_once_there_are_three() -> None:
    seen, _ = season([50.0, 100.0, 200.0, 400.0])
    renamed = [replace(burst, name="final" if number < 1 else "game") for number, burst in enumerate(seen.bursts)]
    final, game = Interval(0, 1, "final"), Interval(0, 1, "game")
    assert len(alike(renamed, game)) == 3
    assert len(alike(renamed, final)) == 4


@pytest.mark.parametrize(
    ("freedom", "quantile"),  # tables of Student's t, 90 %
    [(1, 3.078), (2, 1.886), (3, 1.638), (4, 1.533), (10, 1.372), (30, 1.310)],
)
def test_students_t_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_t(0.9, freedom) == pytest.approx(quantile, abs=1.5e-3)


@given(st.lists(st.floats(1, 1000), min_size=2, max_size=20))
def test_the_interval_of_a_factor_holds_its_estimate(factors: list[float]) -> None:
    found = burst_factor(factors)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value * (1 + 1e-9)
    assert found.value <= found.high * (1 + 1e-9)


def test_a_line_never_falls() -> None:
    intercept, slope, _ = line(np.array([[1.0, 5.0], [2.0, 3.0], [3.0, 1.0]]))
    assert (intercept, slope) == (3.0, 0.0)
