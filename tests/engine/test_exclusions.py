"""Maintenance and live events as masks over buckets."""

from __future__ import annotations

import numpy as np
import pytest

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.exclusions import as_exclusion, during, excluded, touching
from sla_kit.engine.results import Period
from sla_kit.timeline import Grid

GRID = Grid(0, 60, 10)


def positions(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] | None) -> list[int]:
    return [] if mask is None else np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("start", "end", "out"),
    [
        (60, 180, [1, 2]),
        (61, 180, [2]),
        (60, 179, [1]),
        (61, 119, []),
        (-100, 60, [0]),
        (540, 9999, [9]),
        (900, 990, []),
    ],
)
def test_only_whole_buckets_are_excluded(start: int, end: int, out: list[int]) -> None:
    assert positions(excluded([Interval(start, end, "m")], "web", GRID)) == out


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [(60, 180, [1, 2]), (61, 180, [1, 2]), (59, 180, [0, 1, 2]), (60, 179, [1]), (-500, 60, [0]), (570, 9999, [9])],
)
def test_bucket_belongs_to_the_event_in_which_it_ends(start: int, end: int, inside: list[int]) -> None:
    found = during([Interval(start, end, "game")], "web", GRID)
    assert positions(found) == inside
    assert all(start < GRID.ends[i] <= end for i in inside)


def test_only_intervals_of_the_service_count() -> None:
    mine, other = Interval(0, 60, "a", ("web",)), Interval(120, 240, "b", ("db",))
    assert positions(excluded([mine, other], "web", GRID)) == [0]
    assert excluded([other], "web", GRID) is None
    assert during([other], "web", GRID) is None


def test_intervals_touch_the_periods_that_they_overlap() -> None:
    period = Period("p", 100, 200)
    early, inside, late = Interval(0, 100, "early"), Interval(150, 160, "in", ("db",)), Interval(200, 300, "late")
    overlap = Interval(50, 101, "over")
    assert touching([late, inside, overlap, early], period) == (overlap, inside)
    assert touching([late, inside, overlap, early], period, "web") == (overlap,)


def test_an_exclusion_says_who_and_why() -> None:
    found = as_exclusion(Interval(0, 60, "upgrade", ("db",), "new major", "platform"))
    assert (found.name, found.reason, found.approved_by, found.services) == (
        "upgrade",
        "new major",
        "platform",
        ("db",),
    )
