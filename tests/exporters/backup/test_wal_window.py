"""Gaps and windows of an archive, against an oracle that recovers segment by segment."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup.wal_segments import Segment
from sla_kit.exporters.backup.wal_window import BaseBackup, Window, find_window

SIZE = 1 << 24
MARK = 0x28


def base(number: int, completed: float, timeline: int = 1, segments: int = 1) -> BaseBackup:
    """A base backup whose log is so many segments, from the one of that number on."""
    return BaseBackup(timeline, number * SIZE + MARK, (number + segments - 1) * SIZE + 0x100, completed)


def archived(*numbers: int, timeline: int = 1) -> dict[Segment, float]:
    """Segments, each archived at a hundred times its number."""
    return {Segment(timeline, number): 100.0 * number for number in numbers}


def recovered(there: set[int], start: int) -> int | None:
    """How far a recovery gets that begins at ``start``: it asks for one segment after the other."""
    number = start
    while number in there:
        number += 1
    return number - 1 if number > start else None


@settings(deadline=None, max_examples=300)
@given(
    st.sets(st.integers(0, 40)),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3), st.integers(0, 50)), max_size=5),
)
def test_the_window_is_what_recoveries_segment_by_segment_reach(
    there: set[int], backups: list[tuple[int, int, int]]
) -> None:
    window = find_window(
        archived(*there), {}, [base(start, float(time), segments=count) for start, count, time in backups], SIZE
    )

    reached = [(last, time) for start, count, time in backups if (last := _good(there, start, count)) is not None]
    newest = max((last for last, _ in reached), default=None)
    assert (window.newest.number if window.newest else None) == newest
    assert window.oldest_time == min((time for last, time in reached if last == newest), default=None)
    assert window.newest_time == (None if newest is None else 100.0 * newest)

    first = min((start for start, _, _ in backups), default=min(there, default=0))
    missing = [number for number in range(first, max(there, default=-1) + 1) if number not in there]
    assert window.missing == len(missing)
    assert (window.first_missing.number if window.first_missing else None) == (missing[0] if missing else None)
    assert (window.last.number if window.last else None) == max(there, default=None)


def _good(there: set[int], start: int, count: int) -> int | None:
    last = recovered(there, start)
    return None if last is None or last < start + count - 1 else last


@settings(deadline=None, max_examples=200)
@given(st.sets(st.integers(0, 30), min_size=1), st.integers(0, 30), st.integers(0, SIZE - 1), st.integers(0, 30))
def test_a_restore_goes_over_to_the_next_timeline_where_the_first_was_left(
    there: set[int], left: int, offset: int, start: int
) -> None:
    """The segment in which a timeline was left is needed from the next one, and no later one of the first counts."""
    segments = archived(*there, timeline=1) | archived(*(number for number in there if number >= left), timeline=2)
    begun = base(start, 7.0)
    window = find_window(segments, {2: [(1, left * SIZE + offset)]}, [begun], SIZE)
    last = recovered(there, start) if begun.stop <= left * SIZE + offset else None
    assert (window.newest.number if window.newest else None) == last
    if window.newest is not None:
        assert window.newest.timeline == (2 if window.newest.number >= left else 1)
    assert window.timeline == 2


def test_a_hole_cuts_off_what_is_older() -> None:
    window = find_window(archived(1, 2, 3, 5, 6), {}, [base(1, 10.0), base(5, 50.0)], SIZE)
    assert window == Window(1, Segment(1, 6), Segment(1, 6), 600.0, 50.0, 1, Segment(1, 4))


def test_a_hole_after_the_only_base_backup_ends_the_window_there() -> None:
    window = find_window(archived(1, 2, 3, 5, 6), {}, [base(1, 10.0)], SIZE)
    assert window == Window(1, Segment(1, 6), Segment(1, 3), 300.0, 10.0, 1, Segment(1, 4))


def test_log_without_a_base_backup_restores_nothing() -> None:
    window = find_window(archived(4, 5, 7), {}, [], SIZE)
    assert window == Window(1, Segment(1, 7), None, None, None, 1, Segment(1, 6))


def test_an_empty_archive_has_no_window() -> None:
    assert find_window({}, {}, [], SIZE) == Window(0, None, None, None, None, 0, None)


def test_a_base_backup_without_all_of_its_own_log_is_none() -> None:
    window = find_window(archived(1, 2), {}, [base(2, 10.0, segments=2)], SIZE)
    assert (window.newest, window.oldest_time) == (None, None)


def test_a_base_backup_whose_log_ends_with_a_segment_needs_no_more() -> None:
    ended = BaseBackup(1, 2 * SIZE + MARK, 3 * SIZE, 10.0)
    assert find_window(archived(2), {}, [ended], SIZE).newest == Segment(1, 2)


def test_a_base_backup_of_a_timeline_that_was_not_followed_is_of_no_use() -> None:
    """Timeline 3 came from 1, not from 2."""
    segments = archived(1, 2, 3) | archived(3, 4, 5, timeline=2) | archived(3, 4, timeline=3)
    histories = {2: [(1, 3 * SIZE + 5)], 3: [(1, 3 * SIZE + 9)]}
    astray = find_window(segments, histories, [base(4, 40.0, timeline=2)], SIZE)
    assert (astray.newest, astray.timeline) == (None, 3)
    followed = find_window(segments, histories, [base(1, 10.0), base(4, 40.0, timeline=2)], SIZE)
    assert (followed.newest, followed.oldest_time) == (Segment(3, 4), 10.0)


def test_a_timeline_without_its_history_stands_alone() -> None:
    segments = archived(1, 2, 3) | archived(3, 4, timeline=2)
    window = find_window(segments, {}, [base(1, 10.0)], SIZE)
    assert (window.newest, window.timeline, window.last) == (None, 2, Segment(2, 4))
