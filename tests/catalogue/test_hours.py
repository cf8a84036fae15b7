"""Times of day that come back each week, as people write them and as clocks show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.hours import Hours, parse_hours

#: Monday is the 7th of September 2026.
MONDAY = datetime(2026, 9, 7)


def wall(day: int, time: str) -> datetime:
    """A time on a day of the week, Monday is 0."""
    hour, minute = map(int, time.split(":"))
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("text", "within", "outside"),
    [
        ("mon-fri 09:00-17:00", [(0, "09:00"), (4, "16:59")], [(0, "08:59"), (4, "17:00"), (5, "12:00")]),
        ("sat,sun", [(5, "00:00"), (6, "23:59")], [(4, "23:59"), (0, "00:00")]),
        ("22:00-06:00", [(0, "22:00"), (3, "00:00"), (3, "05:59")], [(0, "21:59"), (0, "06:00")]),
        ("fri 22:00-06:00", [(4, "22:00"), (5, "05:59")], [(4, "05:59"), (5, "06:00"), (5, "22:00"), (3, "23:00")]),
        ("fri-mon", [(4, "00:00"), (6, "12:00"), (0, "23:59")], [(1, "00:00"), (3, "12:00")]),
        ("Monday, Wed 9:00-24:00", [(0, "23:59"), (2, "09:00")], [(1, "12:00"), (3, "00:00"), (0, "08:59")]),
        ("sun 23:00-01:00", [(6, "23:30"), (0, "00:30")], [(0, "23:30"), (6, "00:30")]),
        ("mon - fri 09:00 - 17:00", [(2, "12:00")], [(6, "12:00")]),
    ],
)
def test_hours_hold_as_they_are_written(
    text: str, within: list[tuple[int, str]], outside: list[tuple[int, str]]
) -> None:
    hours = parse_hours(text)
    assert [hours.hold(wall(*each)) for each in within] == [True] * len(within)
    assert [hours.hold(wall(*each)) for each in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no hours"),
        ("  ", "no hours"),
        ("mon-fry", "names no days"),
        ("25:00-26:00", "no 25:00"),
        ("09:60-10:00", "no 09:60"),
        ("24:01-03:00", "no 24:01"),
        ("24:00-03:00", "write 00:00"),
        ("09:00-09:00", "begins when it ends"),
        ("09:00-17:00 mon", "times stand at the end"),
        ("mon 9-17", "names no days"),
        ("mon,", "names no days"),
        ("mon-tue-wed", "names no days"),
        ("always", "names no days"),
    ],
)
def test_what_are_no_hours_says_why(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_hours(text)


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{3}([-,][a-z]{3})? ?[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}"))
def test_any_text_is_hours_or_says_why_not(text: str) -> None:
    found: Hours | str
    try:
        found = parse_hours(text)
    except ValueError as error:
        found = str(error)
    assert found


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 7 * 1440 - 1))
def test_every_minute_of_a_week_is_in_one_of_two_halves_of_a_day(start: int, end: int, minute: int) -> None:
    assume(start != end)
    one, other = Hours(start=start, end=end), Hours(start=end, end=start)
    moment = MONDAY + timedelta(minutes=minute)
    assert one.hold(moment) != other.hold(moment)


@settings(max_examples=25)
@given(st.sets(st.integers(0, 6), min_size=1), st.integers(0, 1439), st.integers(0, 1440))
def test_each_of_its_days_has_its_whole_length_within(days: set[int], start: int, end: int) -> None:
    assume(start != end)
    hours = Hours(frozenset(days), start, end)
    length = (end - start) % 1440 or 1440
    week = [hours.hold(MONDAY + timedelta(minutes=minute)) for minute in range(7 * 1440)]
    assert sum(week) == len(days) * length


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
def test_hours_keep_to_the_clock_on_both_sides_of_every_change(zone: str) -> None:
    hours, there = parse_hours("09:00-17:00"), ZoneInfo(zone)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for half_hours in range(0, 365 * 48, 7):
        moment = (start + timedelta(minutes=30 * half_hours)).astimezone(there)
        assert hours.hold(moment) == (9 <= moment.hour < 17)
