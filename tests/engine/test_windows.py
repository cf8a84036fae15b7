"""Windows: rolling, calendar-aligned, named, and right across daylight-saving changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Window
from sla_kit.engine.results import Period
from sla_kit.engine.windows import before, duration_name, nominal_seconds, parse_period, period_of
from sla_kit.errors import SlaKitError

HOUR, DAY = 3600, 86400
Kind = Literal["day", "week", "month", "quarter", "year"]
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def seconds(text: str, zone: str = "UTC") -> int:
    time = datetime.fromisoformat(text)
    return int(time.replace(tzinfo=ZoneInfo(zone)).timestamp())


def calendar(kind: Kind, at: str, zone: str = "UTC") -> Period:
    return period_of(Window(calendar=kind), seconds(at, zone), zone)


def test_rolling_window_ends_at_the_time_in_question() -> None:
    assert period_of(Window(rolling=30 * DAY), 10_000_000, "UTC") == Period("30d", 10_000_000 - 30 * DAY, 10_000_000)


@pytest.mark.parametrize(
    ("kind", "name", "start"),
    [
        ("day", "2026-09-16", "2026-09-16"),
        ("week", "2026-W38", "2026-09-14"),
        ("month", "2026-09", "2026-09-01"),
        ("quarter", "2026-Q3", "2026-07-01"),
        ("year", "2026", "2026-01-01"),
    ],
)
def test_calendar_window_begins_at_its_first_local_midnight(kind: Kind, name: str, start: str) -> None:
    at = seconds("2026-09-16T12:30:00", BERLIN)
    assert period_of(Window(calendar=kind, timezone=BERLIN), at, "UTC") == Period(name, seconds(start, BERLIN), at)


def test_boundary_belongs_to_the_period_that_ends_there() -> None:
    assert calendar("month", "2026-09-01").name == "2026-08"
    assert calendar("month", "2026-09-01T00:00:01").name == "2026-09"
    assert calendar("week", "2026-09-21").name == "2026-W38"
    assert calendar("year", "2027-01-01").name == "2026"


def test_iso_week_belongs_to_the_year_of_its_thursday() -> None:
    assert calendar("week", "2027-01-02T12:00:00").name == "2026-W53"
    assert calendar("week", "2024-12-31T12:00:00").name == "2025-W01"


@pytest.mark.parametrize(
    ("week", "zone", "hours"),
    [
        ("2026-W13", BERLIN, 167),  # summer time begins on Sunday 2026-03-29
        ("2026-W43", BERLIN, 169),  # and ends on Sunday 2026-10-25
        ("2026-W10", NEW_YORK, 167),  # 2026-03-08
        ("2026-W44", NEW_YORK, 169),  # 2026-11-01
        ("2026-W20", BERLIN, 168),
    ],
)
def test_week_of_a_clock_change_is_an_hour_shorter_or_longer(week: str, zone: str, hours: int) -> None:
    period = parse_period(week, seconds("2027-01-01"), zone)
    assert period.end - period.start == hours * HOUR
    assert datetime.fromtimestamp(period.start, ZoneInfo(zone)).strftime("%a %H:%M") == "Mon 00:00"
    assert datetime.fromtimestamp(period.end, ZoneInfo(zone)).strftime("%a %H:%M") == "Mon 00:00"


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    at = seconds("2027-01-01")
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25)):
        period = parse_period(day, at, BERLIN)
        assert period == Period(day, seconds(day, BERLIN), seconds(day, BERLIN) + hours * HOUR)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("7d", "2026-09-09T12:00:00", "2026-09-16T12:00:00"),
        ("1d12h", "2026-09-15T00:00:00", "2026-09-16T12:00:00"),
        ("90m", "2026-09-16T10:30:00", "2026-09-16T12:00:00"),
        ("day", "2026-09-16", "2026-09-16T12:00:00"),
        ("month", "2026-09-01", "2026-09-16T12:00:00"),
        ("last-day", "2026-09-15", "2026-09-16"),
        ("last-week", "2026-09-07", "2026-09-14"),
        ("last-month", "2026-08-01", "2026-09-01"),
        ("last-quarter", "2026-04-01", "2026-07-01"),
        ("last-year", "2025-01-01", "2026-01-01"),
        ("2026-W37", "2026-09-07", "2026-09-14"),
        ("2026-W38", "2026-09-14", "2026-09-16T12:00:00"),
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("2026-Q1", "2026-01-01", "2026-04-01"),
        ("2025", "2025-01-01", "2026-01-01"),
        ("2026-09-01T00:00:00Z/2026-09-08T06:00:00+02:00", "2026-09-01", "2026-09-08T04:00:00"),
        ("2026-09-01/2026-09-08T06:00", "2026-09-01", "2026-09-08T06:00:00"),
    ],
)
def test_window_as_the_command_line_takes_it(text: str, start: str, end: str) -> None:
    period = parse_period(text, seconds("2026-09-16T12:00:00"), "UTC")
    assert (period.start, period.end) == (seconds(start), seconds(end))


def test_last_week_at_its_very_end_is_the_week_that_ends() -> None:
    assert parse_period("last-week", seconds("2026-09-21"), "UTC").name == "2026-W38"
    assert parse_period("last-month", seconds("2026-09-01"), "UTC").name == "2026-08"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fortnight",
        "last-fortnight",
        "7",
        "0d",
        "99999999d",
        "2026-W54",
        "2026-13",
        "2026-Q5",
        "2026-02-30",
        "2027",
        "x/y",
        "2026-09-02/2026-09-01",
    ],
)
def test_window_that_makes_no_sense_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(SlaKitError) as caught:
        parse_period(text, seconds("2026-09-16T12:00:00"), "UTC")
    assert caught.value.remedy


def test_unknown_time_zone_is_refused() -> None:
    with pytest.raises(SlaKitError, match="Mars/Olympus"):
        parse_period("week", 0, "Mars/Olympus")


def test_before_a_rolling_period_is_the_same_length() -> None:
    earlier = before(Period("7d", 7 * DAY, 14 * DAY), "UTC")
    assert (earlier.start, earlier.end) == (0, 7 * DAY)


def test_before_a_complete_calendar_period_is_the_whole_one_before() -> None:
    at = seconds("2026-12-01", BERLIN)
    march, february = (parse_period(name, at, BERLIN) for name in ("2026-03", "2026-02"))
    assert before(march, BERLIN) == february
    assert march.end - march.start == 31 * DAY - HOUR


def test_before_a_running_period_is_as_much_of_the_one_before_as_has_elapsed() -> None:
    running = parse_period("month", seconds("2026-03-11"), "UTC")
    assert before(running, "UTC") == Period("2026-02", seconds("2026-02-01"), seconds("2026-02-11"))
    late = parse_period("month", seconds("2026-03-31"), "UTC")
    assert before(late, "UTC") == Period("2026-02", seconds("2026-02-01"), seconds("2026-03-01"))


def test_before_a_time_span_is_the_same_length() -> None:
    span = parse_period("2026-09-08/2026-09-10", seconds("2026-09-16"), "UTC")
    assert (before(span, "UTC").start, before(span, "UTC").end) == (seconds("2026-09-06"), seconds("2026-09-08"))


def test_lengths_have_the_names_that_people_use() -> None:
    assert [duration_name(s) for s in (30 * DAY, 36 * HOUR, 5400, 90)] == ["30d", "36h", "90m", "90s"]


def test_nominal_length_does_not_change_from_month_to_month() -> None:
    assert nominal_seconds(Window(calendar="month")) == nominal_seconds(Window(rolling=30 * DAY)) == 30 * DAY


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(get_args(Kind)),
    st.integers(0, 4_000_000_000),
    st.sampled_from(["UTC", BERLIN, NEW_YORK, "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo"]),
)
def test_calendar_periods_hold_their_time_and_meet_without_gap(kind: Kind, at: int, zone: str) -> None:
    running = period_of(Window(calendar=kind), at, zone)
    assert running.start < at == running.end
    last = parse_period(f"last-{kind}", at, zone)
    whole = parse_period(running.name, at + 400 * DAY, zone)
    assert whole.start == running.start
    assert at <= whole.end
    assert last == (whole if at == whole.end else parse_period(last.name, at, zone))
    assert last.end == (at if at == whole.end else running.start)
    assert before(whole, zone).end == whole.start
    local = datetime.fromtimestamp(whole.start, UTC).astimezone(ZoneInfo(zone))
    assert local - timedelta(hours=2) < local.replace(hour=0, minute=0, second=0) <= local  # midnight, or as near to it
