"""How old what is not archived is, on servers that are busy, quiet, stuck, or looked at for the first time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup.wal_watch import Archived, Moment, Watch

SIZE = 1 << 24
END = 8 * SIZE


def at(time: float, written: int, done: int = 100, *, idle: bool = True) -> Moment:
    return Moment(time, written, done, idle)


def until(end: int, time: float = 1000.0, timeout_seconds: float = 0.0) -> Archived:
    return Archived(end, time, timeout_seconds, SIZE)


def test_a_quiet_server_that_has_archived_all_it_wrote_has_no_gap() -> None:
    watch = Watch()
    assert watch.gap_seconds(at(90_000.0, END), until(END)) == 0.0
    assert watch.gap_seconds(at(180_000.0, END + 40), until(END)) == 0.0


def test_changes_count_from_when_the_log_was_last_seen_without_them() -> None:
    watch = Watch()
    watch.gap_seconds(at(50_000.0, END), until(END))
    assert watch.gap_seconds(at(50_030.0, END + 5000, 101), until(END)) == 30.0
    assert watch.gap_seconds(at(50_060.0, END + 9000, 102), until(END)) == 60.0


def test_records_of_the_server_itself_are_no_changes() -> None:
    """No transaction has ended since the log was seen without them, and none was running."""
    watch = Watch()
    watch.gap_seconds(at(50_000.0, END), until(END))
    assert watch.gap_seconds(at(50_030.0, END + 200), until(END)) == 0.0


def test_a_transaction_that_was_running_at_the_end_of_the_archive_may_have_ended_after_it() -> None:
    watch = Watch()
    watch.gap_seconds(at(50_000.0, END, idle=False), until(END))
    assert watch.gap_seconds(at(50_030.0, END + 200), until(END)) == 30.0


def test_a_server_looked_at_for_the_first_time_counts_from_its_last_archiving() -> None:
    assert Watch().gap_seconds(at(5000.0, END + 9000), until(END, 1000.0)) == 4000.0


def test_what_the_server_leaves_alone_after_its_timeout_is_no_change() -> None:
    watch = Watch()
    assert watch.gap_seconds(at(1060.0, END + 9000), until(END, 1000.0, 60.0)) == 60.0
    assert watch.gap_seconds(at(5000.0, END + 9000), until(END, 1000.0, 60.0)) == 0.0


def test_a_whole_segment_that_waits_is_a_gap_whatever_is_in_it() -> None:
    watch = Watch()
    watch.gap_seconds(at(1000.0, END), until(END, 900.0, 60.0))
    assert watch.gap_seconds(at(5000.0, END + SIZE), until(END, 900.0, 60.0)) == 4000.0


def test_a_gap_closes_as_far_as_the_archive_comes() -> None:
    watch = Watch()
    for minute in range(10):
        watch.gap_seconds(at(60.0 * minute, END + minute * SIZE, 100 + minute), until(END, 0.0))
    now = at(600.0, END + 10 * SIZE, 110)
    assert watch.gap_seconds(now, until(END + 6 * SIZE, 599.0)) == 600.0 - 6 * 60.0
    assert watch.gap_seconds(now, until(END + 10 * SIZE, 600.0)) == 0.0


def test_another_server_behind_the_same_name_begins_anew() -> None:
    watch = Watch()
    watch.gap_seconds(at(50_000.0, END), until(END))
    assert watch.gap_seconds(at(50_030.0, SIZE + 9000, 7), until(SIZE, 50_010.0)) == 20.0


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 3 * SIZE), st.integers(0, 3), st.booleans()),
        min_size=2,
        max_size=40,
    )
)
def test_the_gap_of_a_watched_server_is_the_age_of_its_oldest_change_to_one_interval(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    """The oracle knows the time of each byte; the watch sees the log only when it looks."""
    watch = Watch()
    time, written, done, end = 0.0, END, 100, END
    history = [(time, written)]
    watch.gap_seconds(at(time, written, done), until(end, time))
    for seconds, bytes_, transactions, archives in steps:
        before, time = time, time + seconds
        if bytes_ > 40:
            written, done = written + bytes_, done + transactions + 1
        history.append((time, written))
        if archives:
            end = max(end, written // SIZE * SIZE)
        gap = watch.gap_seconds(at(time, written, done), until(end, time))
        if written <= end + 40:
            assert gap == 0.0
            continue
        # The first look at which something beyond the archive's end was there: it was written after the look before.
        first = next(index for index, (_, seen) in enumerate(history) if seen > end + 40)
        assert time - history[first][0] <= gap <= time - history[max(0, first - 1)][0], (before, history)


def test_memory_is_bounded_however_long_the_archiver_is_stuck() -> None:
    watch = Watch()
    for minute in range(20_000):
        gap = watch.gap_seconds(at(60.0 * minute, END + minute * 50_000, minute), until(END, 0.0))
    assert len(watch._seen) <= 4096
    assert gap == 19_999 * 60.0
