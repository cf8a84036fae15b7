"""Past and future as hours: quiet ones, live events, maintenance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.forecast.hours import Future, Past, together
from tests.engine.forecast.seasons import DAY, HOUR, MONDAY, counted

GAME = Interval(MONDAY - 2 * HOUR - 1800, MONDAY - HOUR, "game")


def test_quiet_is_what_lies_outside_live_events_and_was_observed() -> None:
    events = counted(np.full(24 * 4, 10.0), np.ones(24 * 4), step=900)
    coverage = np.ones(24 * 4)
    total = np.full(24 * 4, 10.0)
    coverage[-2:], total[-2:] = 0.0, 0.0
    past = Past.of(replace(events, coverage=coverage, total=total), [GAME], "web")
    assert past.total[-4:].tolist() == [40, 40, 40, 20]
    # The game takes half of one hour and all of the next; of the last hour a half was not observed.
    assert past.quiet_total[-4:].tolist() == [40, 20, 0, 20]
    assert past.quiet_seconds[-4:].tolist() == [3600, 1800, 0, 1800]
    assert past.quiet_bad[-4:].tolist() == [4, 2, 0, 2]


def test_what_is_excluded_is_not_quiet_either() -> None:
    keep = np.ones(24, dtype=np.bool_)
    keep[-3] = False
    past = Past.of(replace(counted(np.full(24, 10.0) * keep, np.zeros(24)), keep=keep), [], "web")
    assert past.quiet_seconds[-4:].tolist() == [3600, 0, 3600, 3600]


def test_hours_are_counted_back_from_the_moment_and_the_rest_at_the_start_is_dropped() -> None:
    past = Past.of(counted(np.arange(10.0), np.zeros(10), at=MONDAY + 900, step=900), [], "web")
    assert past.total.tolist() == [2 + 3 + 4 + 5, 6 + 7 + 8 + 9]
    assert past.middles.tolist() == [MONDAY + 900 - 5400, MONDAY + 900 - 1800]


def test_the_future_tells_quiet_hours_events_and_maintenance_apart() -> None:
    game = Interval(MONDAY + HOUR, MONDAY + 3 * HOUR, "game")
    work = Interval(MONDAY + 2 * HOUR + 1800, MONDAY + 4 * HOUR, "work")
    future = Future.of(MONDAY, 24, 60, [game], [work], "web")
    assert future.quiet_seconds[:5].tolist() == [3600, 0, 0, 0, 3600]
    assert future.events[0].seconds[:5].tolist() == [0, 3600, 1800, 0, 0]


def test_of_a_running_event_only_what_is_left_lies_ahead() -> None:
    future = Future.of(MONDAY, 24, 60, [Interval(MONDAY - DAY, MONDAY + 600, "long")], [], "web")
    assert future.events[0].seconds.sum() == 600


def test_events_that_overlap_are_one_and_those_of_other_services_are_none() -> None:
    events = [
        Interval(0, 10, "a"),
        Interval(5, 20, "b"),
        Interval(20, 30, "c"),
        Interval(21, 22, "d", services=("api",)),
    ]
    assert [(event.start, event.end, event.name) for event in together(events, "web")] == [(0, 20, "a"), (20, 30, "c")]
