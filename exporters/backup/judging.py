"""What the backups of one target amount to: the newest good one, its size, copies, gaps. Times in, values out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from statistics import median
from typing import Final, Literal

from sla_kit.exporters.backup.contents import UNKNOWN, Contents

#: What a backup may be; only a "usable" one counts. ``incomplete`` folders lack files, ``mismatch`` ones differ from
#: their checksum, ``future`` ones claim a time that has not come, ``unexamined`` ones have not been looked at yet, or
#: are too old to be.
State = Literal[
    "usable", "empty", "truncated", "incomplete", "mismatch", "unrecognized", "writing", "future", "unexamined"
]
STATES: Final[tuple[State, ...]] = (
    "usable",
    "empty",
    "truncated",
    "incomplete",
    "mismatch",
    "unrecognized",
    "writing",
    "future",
    "unexamined",
)
#: How much further than ours the clock of whoever makes backups may have gone.
CLOCK_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup in one place.

    ``key`` is the same for its copies elsewhere. ``time`` is when it was made, in seconds since 1970; where that is no
    later than ``since``, it is but the beginning of the day (or hour) that its name tells. ``encrypted`` is None where
    nobody can tell; ``key_id`` names the key that storage encrypts it with. ``verified`` is whether its checksum was
    found to be right.
    """

    name: str
    key: str
    time: float
    size_bytes: int
    state: State
    contents: Contents = UNKNOWN
    encrypted: bool | None = None
    key_id: str = ""
    verified: bool = False
    finding: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all places of a target amount to; None where there is nothing to say.

    ``newest`` is the newest usable backup, and ``newest_region`` where it lies. ``median_bytes`` is the median size of
    those before it. ``retained`` counts usable backups, copies of one once. ``missed_days`` is the number of days on
    which one was due and not made. ``lags`` is by region how many seconds older than the newest of all its own newest
    one is: infinity where it has none.
    """

    newest: Backup | None
    newest_region: str
    median_bytes: float | None
    retained: int
    oldest_time: float | None
    verified_time: float | None
    missed_days: int | None
    lags: Mapping[str, float]

    @property
    def size_change_ratio(self) -> float | None:
        """By how much the newest one is larger (or, below 0, smaller) than the median of those before it."""
        if self.newest is None or not self.median_bytes:
            return None
        return self.newest.size_bytes / self.median_bytes - 1


def judge(
    places: Mapping[str, Sequence[Backup]],
    *,
    now: float,
    every_seconds: float,
    history: int,
    gaps_seconds: float,
    zone: tzinfo,
    several: bool = False,
) -> Judgement:
    """What the backups in all places (by region, the first one foremost) amount to.

    There may be ``several`` places of which only one could be read now.
    """
    apart = {region: _told_apart(found, every_seconds / 2) for region, found in places.items()}
    good = {region: _by_time(_agreeing(found, apart)) for region, found in apart.items()}
    newest: Backup | None = None
    where = ""
    for region, found in good.items():
        if found and (newest is None or found[-1].time > newest.time):
            newest, where = found[-1], region
    if newest is None:
        return Judgement(None, "", None, 0, None, None, None, {})
    everywhere: dict[str, Backup] = {}
    for found in good.values():
        for backup in found:
            known = everywhere.get(backup.key)
            if known is None or (backup.time, backup.verified) > (known.time, known.verified):
                everywhere[backup.key] = backup
    before = [each.size_bytes for each in good[where] if each.key != newest.key][-history:] if history else []
    times = sorted(each.time for each in everywhere.values())
    checked = [each.time for each in everywhere.values() if each.verified]
    newest = replace(newest, verified=everywhere[newest.key].verified)
    return Judgement(
        newest=newest,
        newest_region=where,
        median_bytes=float(median(before)) if before else None,
        retained=len(everywhere),
        oldest_time=times[0],
        verified_time=max(checked, default=None),
        missed_days=len(set(missed(times, now, every_seconds, gaps_seconds, zone))),
        lags={region: max(0.0, newest.time - found[-1].time) if found else math.inf for region, found in good.items()}
        if several or len(good) > 1
        else {},
    )


def missed(
    times: Sequence[float], now: float, every_seconds: float, within_seconds: float, zone: tzinfo
) -> Iterator[str]:
    """The days (as dates in a zone) of the moments within the last seconds at which a backup was due and none came.

    ``times`` are in order. A backup may come half an interval late; it is due from the first one on.
    """
    since = now - within_seconds
    for index, begin in enumerate(times):
        last = index + 1 == len(times)
        end = now if last else times[index + 1]
        if end < since:
            continue
        lost = math.floor((end - begin) / every_seconds - 0.5)
        first = max(1, math.ceil((since - begin) / every_seconds))
        for count in range(first, lost + 1):
            yield datetime.fromtimestamp(begin + count * every_seconds, zone).date().isoformat()


def _by_time(found: Sequence[Backup]) -> list[Backup]:
    return sorted((each for each in found if each.state == "usable"), key=lambda each: (each.time, each.name))


def _told_apart(found: Sequence[Backup], seconds: float) -> list[Backup]:
    """Backups of one place whose names tell one time, as of one day, and that were made further from each other than
    so many seconds: not copies of one, but several. What lies beside a backup was made with it."""
    heads: dict[str, tuple[float, int]] = {}
    keys: dict[str, str] = {}
    for each in _by_time(found):
        begin, count = heads.get(each.key, (each.time, 0))
        if each.time - begin >= seconds:
            begin, count = each.time, count + 1
        heads[each.key] = begin, count
        keys[each.name] = f"{each.key} {count}" if count else each.key
    return [replace(each, key=keys.get(each.name, each.key)) for each in found]


def _agreeing(found: Sequence[Backup], places: Mapping[str, Sequence[Backup]]) -> list[Backup]:
    """Backups with the time of the earliest of their copies: what was copied later is not newer for that."""
    if len(places) < 2:
        return list(found)
    times: dict[str, float] = {}
    begins: dict[str, float] = {}
    for others in places.values():
        for each in others:
            if each.state == "usable" and each.key != each.name:
                # A copy of a later day tells no more than the name does: one that tells more is right.
                known = begins if each.since is not None and each.time <= each.since else times
                known[each.key] = min(each.time, known.get(each.key, math.inf))
    times = begins | times
    return [replace(each, time=times.get(each.key, each.time)) for each in found]
