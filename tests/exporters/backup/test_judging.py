"""Backups are judged as one would who counts them by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from statistics import median

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup.judging import STATES, Backup, Judgement, State, judge, missed
from sla_kit.exporters.backup.naming import zone_of

DAY = 86400.0
NOW = datetime(2026, 8, 20, 12, tzinfo=UTC).timestamp()


def backup(days: float, size: int = 100, state: State = "usable", key: str = "", verified: bool = False) -> Backup:
    """One that was made some days ago."""
    name = f"{days}"
    return Backup(name, key or f"@{days}", NOW - days * DAY, size, state, verified=verified)


def judged(places: dict[str, list[Backup]], **told: float) -> Judgement:
    return judge(
        places,
        now=NOW,
        every_seconds=told.get("every", DAY),
        history=int(told.get("history", 14)),
        gaps_seconds=told.get("gaps", 7 * DAY),
        zone=UTC,
    )


ages = st.integers(0, 60 * 24).map(lambda hours: hours / 24)
backups = st.lists(
    st.builds(backup, ages, st.integers(1, 1000), st.sampled_from(STATES), verified=st.booleans()),
    max_size=12,
    unique_by=lambda each: each.key,
)


@settings(deadline=None, max_examples=300)
@given(backups, backups, st.integers(1, 5))
def test_two_places_against_counting_by_hand(here: list[Backup], there: list[Backup], history: int) -> None:
    found = judged({"here": here, "there": there}, history=history)
    good = {region: [b for b in some if b.state == "usable"] for region, some in (("here", here), ("there", there))}
    everything = [*good["here"], *good["there"]]
    if not everything:
        assert (found.newest, found.retained, found.oldest_time, found.missed_days) == (None, 0, None, None)
        return
    newest = max(b.time for b in everything)
    assert found.newest is not None
    assert found.newest.time == newest
    assert found.retained == len({b.key for b in everything})
    assert found.oldest_time == min(b.time for b in everything)
    verified = [b.time for b in everything if b.verified]
    assert found.verified_time == (max(verified) if verified else None)
    for region, some in good.items():
        assert found.lags[region] == (newest - max(b.time for b in some) if some else math.inf)
    before = sorted((b for b in good[found.newest_region] if b.time < newest), key=lambda b: b.time)[-history:]
    assert found.median_bytes == (median(b.size_bytes for b in before) if before else None)
    if before:
        assert found.size_change_ratio == found.newest.size_bytes / median(b.size_bytes for b in before) - 1


@settings(deadline=None, max_examples=200)
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 6 * 3600), st.integers(2, 20))
def test_days_without_a_backup_are_those_on_which_none_was_made(made: list[bool], late: int, days: int) -> None:
    """One at two o'clock each day, up to six hours late, or none."""
    first = NOW - len(made) * DAY - 10 * 3600  # two o'clock
    times = [first + index * DAY + late * (index % 2) for index, done in enumerate(made) if done]
    wanted = set()
    for index, done in enumerate(made):
        due = first + index * DAY
        begun = times and times[0] < due
        # Of the last day nobody can say before half a day has gone by since it was due.
        if not done and begun and due + DAY / 2 < NOW and due >= NOW - days * DAY + DAY:
            wanted.add(datetime.fromtimestamp(due, UTC).date().isoformat())
    edge = datetime.fromtimestamp(NOW - days * DAY, UTC).date()
    edges = {edge.isoformat(), (edge + timedelta(days=1)).isoformat()}
    assert set(missed(times, NOW, DAY, days * DAY, UTC)) - edges == wanted - edges


def test_several_a_day_and_one_a_week() -> None:
    hourly = [NOW - hours * 3600 for hours in range(72, -1, -1) if hours not in (30, 31, 50)]
    assert sorted(set(missed(hourly, NOW, 3600, 7 * DAY, UTC))) == ["2026-08-18", "2026-08-19"]
    assert list(missed([NOW - 20 * DAY, NOW - 13 * DAY, NOW - 6 * DAY], NOW, 7 * DAY, 30 * DAY, UTC)) == []
    assert list(missed([NOW - 20 * DAY, NOW - 6 * DAY], NOW, 7 * DAY, 30 * DAY, UTC)) == ["2026-08-07"]
    assert list(missed([], NOW, DAY, 7 * DAY, UTC)) == []
    # Just before and after midnight: no day is lost, though one of them has none.
    assert list(missed([NOW - 2 * DAY + 43000, NOW - DAY + 43300], NOW, DAY, 7 * DAY, UTC)) == []


def test_days_are_those_of_the_zone() -> None:
    times = [NOW - 3 * DAY + 11.5 * 3600, NOW]  # half past eleven at night
    assert list(missed(times, NOW, DAY, 7 * DAY, UTC)) == ["2026-08-18", "2026-08-19"]
    # Half past one in the morning there.
    assert list(missed(times, NOW, DAY, 7 * DAY, zone_of("Europe/Berlin"))) == ["2026-08-19", "2026-08-20"]


def test_copies_are_one_backup_as_old_as_the_first_of_them() -> None:
    """A copy that came an hour later is not newer for that."""
    here = Backup("a", "@1", NOW - DAY, 100, "usable")
    there = Backup("a", "@1", NOW - DAY + 3600, 100, "usable")
    found = judged({"here": [here], "there": [there]})
    assert (found.retained, found.lags) == (1, {"here": 0.0, "there": 0.0})
    assert found.newest is not None
    assert found.newest.time == NOW - DAY
    assert found.newest_region == "here"


def test_file_that_is_written_over_is_no_copy_of_the_old_one() -> None:
    here = Backup("shop.dump", "shop.dump", NOW - 3600, 100, "usable")
    there = Backup("shop.dump", "shop.dump", NOW - DAY, 90, "usable")
    found = judged({"here": [here], "there": [there]})
    assert found.lags == {"here": 0.0, "there": DAY - 3600}
    assert found.newest == here


def test_one_that_was_verified_in_one_place_counts_as_verified() -> None:
    here = Backup("a", "@1", NOW - DAY, 100, "usable")
    there = Backup("a", "@1", NOW - DAY, 100, "usable", verified=True)
    found = judged({"here": [here], "there": [there]})
    assert found.newest is not None
    assert found.newest.verified
    assert found.verified_time == NOW - DAY


def test_lone_place_has_no_lag_and_a_first_backup_no_median() -> None:
    found = judged({"local": [backup(1)]})
    assert (found.lags, found.median_bytes, found.size_change_ratio) == ({}, None, None)
