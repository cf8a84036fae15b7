"""Backups by many schedules, in many time zones, kept in many ways, against counting one by one.

What is counted one by one: each moment at which a backup was due, that is every interval after a backup until the next
one came, and half an interval of patience.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup.judging import Backup, Judgement, judge
from sla_kit.exporters.backup.naming import Pattern, made, zone_of

HOUR, DAY = 3600.0, 86400.0
#: Both changes of the clocks in Europe, America, and where they are half an hour or in the other half of the year.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu")
CHANGES = [
    datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 8), (3, 29), (4, 5), (9, 6), (10, 25), (11, 1))
]
FORMS = {"utc": "%Y%m%dT%H%M%SZ", "offset": "%Y%m%dT%H%M%S%z", "local": "%Y%m%dT%H%M%S", "seconds": "%s"}
#: By which interval backups are due.
EVERY = {"hourly": HOUR, "twice a day": DAY / 2, "daily": DAY, "weekly": 7 * DAY, "monthly": 30 * DAY}


def named(moment: float, form: str, zone: str) -> str:
    """The name that a job gives a backup that it begins then."""
    at = datetime.fromtimestamp(moment, UTC if form == "utc" else ZoneInfo(zone))
    return f"shop-{int(moment) if form == 'seconds' else at.strftime(FORMS[form])}.dump"


def found(names: Sequence[tuple[str, float]], form: str, zone: str) -> list[Backup]:
    """What the exporter makes of files with these names and times of change."""
    written = FORMS[form].replace("Z", "") + "Z" * (form == "utc")
    pattern = Pattern(f"{{target}}-{{time:{written}}}.dump", "shop", zone_of("UTC" if form == "utc" else zone))
    backups: dict[str, Backup] = {}
    for name, modified in names:
        told = pattern.match(name)
        assert told is not None
        assert told.time is not None
        # A later file of the same name writes over the earlier one.
        backups[name] = Backup(name, f"@{told.time}", made(told, modified), 100, "usable", since=told.time)
    return list(backups.values())


def judged(backups: list[Backup], now: float, every: float, zone: str, gaps: float = 7 * DAY) -> Judgement:
    return judge({"local": backups}, now=now, every_seconds=every, history=14, gaps_seconds=gaps, zone=ZoneInfo(zone))


def days_missed(times: Sequence[float], now: float, every: float, gaps: float, zone: str) -> set[str]:
    """One by one: from each backup on, a backup is due every interval until another one is there."""
    days = set()
    for index, begin in enumerate(times):
        came = times[index + 1] if index + 1 < len(times) else now
        due = begin + every
        while due + every / 2 <= came:
            if now - gaps <= due:
                days.add(f"{datetime.fromtimestamp(due, ZoneInfo(zone)):%F}")
            due += every
    return days


@settings(deadline=None, max_examples=300)
@given(
    change=st.sampled_from(CHANGES),
    zone=st.sampled_from(ZONES),
    form=st.sampled_from(["utc", "offset", "seconds"]),
    schedule=st.sampled_from(list(EVERY)),
    made_at=st.lists(st.booleans(), min_size=1, max_size=40),
    lateness=st.lists(st.integers(0, 40), min_size=40, max_size=40),
    waited=st.floats(0.01, 4),
)
def test_schedules_around_changes_of_the_clocks_against_counting_one_by_one(
    change: datetime,
    zone: str,
    form: str,
    schedule: str,
    made_at: list[bool],
    lateness: list[int],
    waited: float,
) -> None:
    every = EVERY[schedule]
    begin = change.timestamp() - len(made_at) / 2 * every
    times = [
        float(int(begin + index * every + late / 100 * every))
        for index, (done, late) in enumerate(zip(made_at, lateness, strict=False))
        if done
    ]
    now = begin + (len(made_at) + waited) * every
    # A dump takes a tenth of the interval; copies would be changed a month later.
    backups = found([(named(at, form, zone), at + every / 10) for at in times], form, zone)
    gaps = max(7 * DAY, 3 * every)
    seen = judged(backups, now, every, zone, gaps)
    if not times:
        assert (seen.newest, seen.retained, seen.oldest_time, seen.missed_days) == (None, 0, None, None)
        return
    assert seen.newest is not None
    assert seen.newest.time == max(times)
    assert seen.oldest_time == min(times)
    assert seen.retained == len(times)
    assert seen.missed_days == len(days_missed(times, now, every, gaps, zone))


@settings(deadline=None, max_examples=300)
@given(
    change=st.sampled_from(CHANGES),
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    days=st.integers(2, 20),
    skipped=st.sets(st.integers(0, 20)),
)
def test_local_names_of_a_nightly_job_count_no_day_that_only_the_clocks_make_longer(
    change: datetime, zone: str, hour: int, minute: int, days: int, skipped: set[int]
) -> None:
    """As cron has it: each day at that time of the zone, in names with that time and no offset."""
    local = ZoneInfo(zone)
    first = change.date() - timedelta(days=days // 2)
    nights = [
        datetime(first.year, first.month, first.day, hour, minute, tzinfo=local) + timedelta(d) for d in range(days)
    ]
    # A time that the clocks leave out is made an hour later or not at all; what fold there is, the first is meant.
    times = [at.timestamp() for index, at in enumerate(nights) if index not in skipped]
    now = nights[-1].timestamp() + 600
    backups = found([(named(at, "local", zone), at + 60) for at in times], "local", zone)
    seen = judged(backups, now, DAY, zone, 30 * DAY)
    if not times:
        assert seen.newest is None
        return
    assert seen.newest is not None
    assert seen.newest.time == max(times)
    between = [index for index in range(days) if index in skipped and nights[index].timestamp() > times[0]]
    late = {index for index in between if index < days - 1}  # that of the last night may still come
    assert seen.missed_days == len(late)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(("form", "missed"), [("local", 1), ("offset", 0), ("utc", 0)])
def test_an_hourly_job_with_local_names_loses_a_backup_where_an_hour_comes_twice(
    zone: str, form: str, missed: int
) -> None:
    """The second of them writes over the file of the first: that one is gone, and is told to be."""
    change = datetime(2026, 10, 25, tzinfo=UTC) if zone == "Europe/Berlin" else datetime(2026, 11, 1, tzinfo=UTC)
    times = [change.timestamp() + hours * HOUR for hours in range(-12, 24)]
    now = times[-1] + 1800
    backups = found([(named(at, form, zone), at + 60) for at in times], form, zone)
    assert len(backups) == len(times) - missed
    assert judged(backups, now, HOUR, zone).missed_days == missed


def grandfathers(nights: Sequence[datetime], now: datetime, days: int, weeks: int, months: int) -> list[datetime]:
    """What is kept: the last so many days, of older ones the first of each week, of older ones that of each month."""
    kept = []
    weekly: set[tuple[int, int]] = set()
    monthly: set[tuple[int, int]] = set()
    for at in nights:
        age = (now - at).days
        week, month = (at.isocalendar()[0], at.isocalendar()[1]), (at.year, at.month)
        if age < days or (age < weeks * 7 and week not in weekly) or (age < months * 30 and month not in monthly):
            kept.append(at)
        weekly.add(week)
        monthly.add(month)
    return kept


@settings(deadline=None, max_examples=60)
@given(days=st.integers(8, 14), weeks=st.integers(2, 8), months=st.integers(3, 24), lost=st.sets(st.integers(0, 13)))
def test_thinned_out_old_backups_are_kept_and_no_gap(days: int, weeks: int, months: int, lost: set[int]) -> None:
    """Gaps are looked for in the last week, in which every day is kept, and not where they are made on purpose."""
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    nights = [datetime(2024, 11, 1, 2, tzinfo=UTC) + timedelta(n) for n in range(750)]
    nights = [at for at in nights if at < now and (now - at).days not in lost]
    kept = grandfathers(nights, now, days, weeks, months)
    shuffled = [(named(at.timestamp(), "utc", "UTC"), now.timestamp() - 60) for at in kept]
    random.Random(days).shuffle(shuffled)
    seen = judged(found(shuffled, "utc", "UTC"), now.timestamp(), DAY, "UTC")
    assert seen.retained == len(kept)
    assert seen.oldest_time == min(kept).timestamp()
    # One is lost of each of these days; today's is there, or late by ten hours, which is within half a day.
    assert seen.missed_days == len([age for age in lost if age < 7 and age > 0])


def test_skipped_days_and_a_late_one_are_told_apart() -> None:
    """Twice a day, at two and at noon: uneven, but never half an interval late."""
    now = datetime(2026, 6, 20, 13, tzinfo=UTC).timestamp()
    times = [now - days * DAY - hours * HOUR for days in range(8) for hours in (1, 11)]
    whole = found([(named(at, "utc", "UTC"), at) for at in times], "utc", "UTC")
    assert judged(whole, now, DAY / 2, "UTC").missed_days == 0
    fewer = [at for at in times if not 2 * DAY < now - at < 3 * DAY]
    seen = judged(found([(named(at, "utc", "UTC"), at) for at in fewer], "utc", "UTC"), now, DAY / 2, "UTC")
    assert seen.missed_days == len(days_missed(sorted(fewer), now, DAY / 2, 7 * DAY, "UTC")) > 0
