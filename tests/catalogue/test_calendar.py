"""Occasions as intervals: local time across clock changes, repetitions, overlaps, and iCalendar files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Occasion
from sla_kit.errors import SlaKitError

NEW_YORK = "America/New_York"
BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def found(occasion: Occasion, start: str, end: str, zone: str = NEW_YORK, folder: str = "") -> list[Interval]:
    return intervals([occasion], at(start), at(end), zone, folder)


def starts(occasion: Occasion, start: str, end: str, zone: str = NEW_YORK, folder: str = "") -> list[str]:
    return [
        datetime.fromtimestamp(each.start, UTC).strftime("%m-%dT%H:%M")
        for each in found(occasion, start, end, zone, folder)
    ]


def ical(folder: Path, *events: str) -> Occasion:
    blocks = [f"BEGIN:VEVENT\n{event}\nEND:VEVENT" for event in events]
    text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *blocks, "END:VCALENDAR", ""])
    (folder / "a.ics").write_text(text, encoding="utf-8")
    return Occasion(name="from a file", ical="a.ics", reason="declared", services=["web"])


SUNDAYS = Occasion(name="game", start="2026-10-25T13:00", duration=12_600.0, repeat="FREQ=WEEKLY;BYDAY=SU")


def test_single_occasion_keeps_everything_that_is_said_of_it() -> None:
    occasion = Occasion(
        name="upgrade",
        start="2026-09-16T03:00",
        duration=1800.0,
        services=["postgres", "api"],
        reason="minor release",
        approved_by="database@astralfield.com",
    )
    begin = at("2026-09-16T07:00")  # 03:00 in New York's summer
    assert found(occasion, "2026-09-16", "2026-09-17") == [
        Interval(begin, begin + 1800, "upgrade", ("postgres", "api"), "minor release", "database@astralfield.com")
    ]


def test_sunday_1300_stays_1300_when_new_york_sets_its_clocks_back() -> None:
    assert starts(SUNDAYS, "2026-10-24", "2026-11-09") == ["10-25T17:00", "11-01T18:00", "11-08T18:00"]


def test_sunday_1300_stays_1300_when_berlin_sets_its_clocks_forward() -> None:
    occasion = Occasion(name="m", start="2026-03-22T13:00", duration=60.0, repeat="FREQ=WEEKLY", timezone=BERLIN)
    assert starts(occasion, "2026-03-21", "2026-04-06") == ["03-22T12:00", "03-29T11:00", "04-05T11:00"]


def test_duration_is_a_stopwatchs_and_an_end_the_wall_clocks() -> None:
    by_length = Occasion(name="m", start="2026-11-01T00:00", duration=8 * 3600.0, timezone=NEW_YORK)
    by_end = Occasion(name="m", start="2026-11-01T00:00", end="2026-11-01T08:00", timezone=NEW_YORK)
    assert [each.end - each.start for each in found(by_length, "2026-11-01", "2026-11-03")] == [8 * 3600]
    assert [each.end - each.start for each in found(by_end, "2026-11-01", "2026-11-03")] == [9 * 3600]


def test_end_of_what_repeats_is_the_same_wall_clock_time_in_each_occurrence() -> None:
    nights = Occasion(name="m", start="2026-10-31T00:00", end="2026-10-31T08:00", repeat="FREQ=DAILY")
    lengths = [each.end - each.start for each in found(nights, "2026-10-31T12:00", "2026-11-03")]
    assert lengths == [9 * 3600, 8 * 3600]


def test_time_that_is_skipped_is_read_by_the_offset_before() -> None:
    occasion = Occasion(name="m", start="2026-03-29T02:30", duration=60.0, timezone=BERLIN)
    assert starts(occasion, "2026-03-29", "2026-03-30") == [
        "03-29T01:30"
    ]  # 02:30 at +01:00, which clocks show as 03:30


def test_time_that_happens_twice_means_the_first() -> None:
    occasion = Occasion(name="m", start="2026-10-25T02:30", duration=60.0, timezone=BERLIN)
    assert starts(occasion, "2026-10-25", "2026-10-26") == ["10-25T00:30"]


def test_time_with_an_offset_is_that_instant_in_any_zone() -> None:
    occasion = Occasion(name="m", start="2026-09-01T12:00:00Z", end="2026-09-01T15:00:00+02:00")
    assert found(occasion, "2026-09-01", "2026-09-02")[0].start == at("2026-09-01T12:00")
    assert found(occasion, "2026-09-01", "2026-09-02")[0].end == at("2026-09-01T13:00")


def test_exceptions_leave_out_a_time_or_a_whole_day() -> None:
    occasion = Occasion(
        name="m",
        start="2026-09-06T13:00",
        duration=60.0,
        repeat="FREQ=WEEKLY;COUNT=4",
        except_dates=["2026-09-13", "2026-09-20T13:00", "2026-09-27T14:00"],
    )
    assert starts(occasion, "2026-09-01", "2026-12-01") == ["09-06T17:00", "09-27T17:00"]


@pytest.mark.parametrize("until", ["20260913", "20260913T130000", "20260913T170000Z"])
def test_until_is_inclusive_as_a_day_a_local_time_or_an_instant(until: str) -> None:
    occasion = Occasion(name="m", start="2026-09-06T13:00", duration=60.0, repeat=f"FREQ=WEEKLY;UNTIL={until}")
    assert starts(occasion, "2026-09-01", "2026-12-01") == ["09-06T17:00", "09-13T17:00"]


def test_occurrence_that_began_before_the_span_or_ends_after_it_is_there_whole() -> None:
    game = found(SUNDAYS, "2026-11-01T19:00", "2026-11-01T20:00")
    assert [(each.start, each.end) for each in game] == [(at("2026-11-01T18:00"), at("2026-11-01T21:30"))]


def test_occurrence_that_only_touches_the_span_is_not_there() -> None:
    assert found(SUNDAYS, "2026-11-01T21:30", "2026-11-01T22:00") == []
    assert found(SUNDAYS, "2026-11-01T17:00", "2026-11-01T18:00") == []


def test_occasions_come_in_order_of_time() -> None:
    late = Occasion(name="late", start="2026-10-30T13:00", duration=60.0)
    both = intervals([late, SUNDAYS], at("2026-10-24"), at("2026-11-02"), NEW_YORK, "")
    assert [each.name for each in both] == ["game", "late", "game"]


@settings(deadline=None, max_examples=60)
@given(
    day=st.integers(0, 700),
    minute=st.integers(0, 1439),
    zone=st.sampled_from([NEW_YORK, BERLIN, "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_any_part_of_a_span_finds_what_the_whole_span_finds_there(day: int, minute: int, zone: str) -> None:
    occasion = Occasion(name="m", start="2026-01-01T01:30", duration=5400.0, repeat="FREQ=DAILY", timezone=zone)
    whole = intervals([occasion], at("2026-01-01"), at("2028-01-01"), zone, "")
    start = at("2026-01-01") + day * 86_400 + minute * 60
    part = intervals([occasion], start, start + 86_400, zone, "")
    assert part == [each for each in whole if each.end > start and each.start < start + 86_400]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"repeat": "FREQ=SECONDLY"}, "too often"),
        ({"repeat": "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"}, "too often"),
        ({"repeat": "FREQ=DAILY;INTERVAL=0"}, "no rule"),
        ({"repeat": "every Sunday"}, "no rule"),
        ({"repeat": "FREQ=WEEKLY;BYDAY=XX"}, "no rule"),
        ({"repeat": "FREQ=MONTHLY;BYDAY=9MO"}, "no rule"),
        ({"repeat": "FREQ=DAILY;UNTIL=soon"}, "no rule"),
        ({"start": "1970-01-01T00:00", "repeat": "FREQ=HOURLY"}, "more than 100,000"),
        ({"start": "noon"}, "no time"),
        ({"start": None}, "not said"),
        ({"duration": None}, "an end or a duration"),
        ({"duration": None, "end": "2026-09-05T13:00"}, "not after the start"),
        ({"timezone": "America/Gotham"}, "no time zone"),
        ({"ical": "nowhere.ics"}, "can't be read"),
    ],
)
def test_what_can_not_be_followed_is_an_error_that_names_the_occasion(
    change: dict[str, object], words: str, tmp_path: Path
) -> None:
    given_: dict[str, object] = {"name": "Sunday", "start": "2026-09-06T13:00", "duration": 60.0, **change}
    with pytest.raises(SlaKitError, match=words) as caught:
        found(Occasion(**given_), "2026-09-01", "2026-10-01", folder=str(tmp_path))  # type: ignore[arg-type]
    assert "Sunday" in str(caught.value) or "nowhere.ics" in str(caught.value)


def test_file_gives_name_and_reason_and_the_occasion_the_rest(tmp_path: Path) -> None:
    occasion = ical(
        tmp_path,
        "SUMMARY:Final\nDESCRIPTION:Sold out\nDTSTART;TZID=America/New_York:20260919T160000\nDURATION:PT3H30M",
        "DTSTART:20260920T160000Z\nDTEND:20260920T170000Z",
    )
    assert found(occasion, "2026-09-01", "2026-10-01", "UTC", str(tmp_path)) == [
        Interval(at("2026-09-19T20:00"), at("2026-09-19T23:30"), "Final", ("web",), "Sold out"),
        Interval(at("2026-09-20T16:00"), at("2026-09-20T17:00"), "from a file", ("web",), "declared"),
    ]


def test_floating_time_in_a_file_is_local(tmp_path: Path) -> None:
    occasion = ical(tmp_path, "DTSTART:20260919T160000\nDURATION:PT1H")
    assert starts(occasion, "2026-09-01", "2026-10-01", NEW_YORK, str(tmp_path)) == ["09-19T20:00"]


def test_whole_days_are_as_long_as_the_clocks_make_them(tmp_path: Path) -> None:
    occasion = ical(
        tmp_path,
        "DTSTART;VALUE=DATE:20261101",
        "DTSTART;VALUE=DATE:20261103\nDTEND;VALUE=DATE:20261105",
    )
    hours = [(i.end - i.start) / 3600 for i in found(occasion, "2026-10-30", "2026-11-10", NEW_YORK, str(tmp_path))]
    assert hours == [25, 48]


def test_exdate_and_rdate_change_a_repetition(tmp_path: Path) -> None:
    occasion = ical(
        tmp_path,
        "UID:a\nDTSTART;TZID=America/New_York:20261025T130000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4\n"
        "EXDATE;TZID=America/New_York:20261101T130000\nEXDATE:20261108T180000Z\n"
        "RDATE;TZID=America/New_York:20261118T130000\nRDATE;VALUE=PERIOD:20261119T000000Z/PT2H",
    )
    got = found(occasion, "2026-10-01", "2026-12-01", "UTC", str(tmp_path))
    assert [(i.start, i.end - i.start) for i in got] == [
        (at("2026-10-25T17:00"), 3600),
        (at("2026-11-15T18:00"), 3600),
        (at("2026-11-18T18:00"), 3600),
        (at("2026-11-19T00:00"), 7200),
    ]


def test_override_moves_one_occurrence_and_a_cancelled_one_goes(tmp_path: Path) -> None:
    occasion = ical(
        tmp_path,
        "UID:a\nSUMMARY:Game\nDTSTART;TZID=America/New_York:20260906T130000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4",
        "UID:a\nSUMMARY:Moved\nRECURRENCE-ID;TZID=America/New_York:20260913T130000\n"
        "DTSTART;TZID=America/New_York:20260914T200000\nDURATION:PT2H",
        "UID:a\nRECURRENCE-ID:20260920T170000Z\nDTSTART:20260920T170000Z\nDURATION:PT1H\nSTATUS:CANCELLED",
    )
    got = found(occasion, "2026-09-01", "2026-10-01", "UTC", str(tmp_path))
    assert [(i.name, i.start) for i in got] == [
        ("Game", at("2026-09-06T17:00")),
        ("Moved", at("2026-09-15T00:00")),
        ("Game", at("2026-09-27T17:00")),
    ]


def test_cancelled_event_is_left_out(tmp_path: Path) -> None:
    occasion = ical(tmp_path, "DTSTART:20260919T160000Z\nDURATION:PT1H\nSTATUS:CANCELLED")
    assert found(occasion, "2026-09-01", "2026-10-01", "UTC", str(tmp_path)) == []


def test_newer_version_of_an_event_stands_for_the_older(tmp_path: Path) -> None:
    occasion = ical(
        tmp_path,
        "UID:a\nSEQUENCE:1\nDTSTART:20260920T160000Z\nDURATION:PT1H",
        "UID:a\nDTSTART:20260919T160000Z\nDURATION:PT1H",
    )
    assert starts(occasion, "2026-09-01", "2026-10-01", "UTC", str(tmp_path)) == ["09-20T16:00"]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("SUMMARY:Cup\nDTSTART;TZID=Foo/Bar:20260919T160000", "no time zone 'Foo/Bar'"),
        ("SUMMARY:Cup\nDTSTART:20269919", "DTSTART"),
        ("SUMMARY:Cup\nDTSTART:20260919T160000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEXDATE:soon", "EXDATE can't be read"),
        ("SUMMARY:Cup\nDTSTART:20260919T160000Z\nDURATION:PT1H\nRRULE:FREQ=NEVER", "no rule"),
        ("SUMMARY:Cup", "DTSTART is missing"),
        ("SUMMARY:Cup\nDTSTART:20260919T160000Z\nDTEND:20260919T150000Z", "DTEND is before DTSTART"),
        ("SUMMARY:Cup\nDTSTART:20260919T160000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY", "too often"),
    ],
)
def test_event_that_can_not_be_followed_is_named(event: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SlaKitError, match=words) as caught:
        found(ical(tmp_path, event), "2026-09-01", "2026-10-01", "UTC", str(tmp_path))
    assert "a.ics" in str(caught.value)
    assert "Cup" in str(caught.value)


def test_file_that_is_no_calendar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_text("hello")
    with pytest.raises(SlaKitError, match="not an iCalendar file"):
        found(Occasion(name="x", ical="a.ics"), "2026-09-01", "2026-10-01", "UTC", str(tmp_path))
