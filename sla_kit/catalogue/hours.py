"""Times of day that come back each week: "mon-fri 09:00-17:00", "sat,sun", "22:00-06:00".

They are read on the clocks of a time zone: 09:00 stays 09:00 when the clocks change, and an hour that comes twice is
meant both times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBER = {short: number for number, name in enumerate(_DAYS) for short in (name, name[:3])}
_ALL = frozenset(range(7))
_DAY_MINUTES = 24 * 60
_TIMES = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_EXAMPLE = 'such as "mon-fri 09:00-17:00", "sat,sun" or "22:00-06:00"'


@dataclass(frozen=True, slots=True)
class Hours:
    """From minute ``start`` of some days (Monday is 0) to minute ``end``, of the next day where that is not after it.
    The end itself is outside."""

    days: frozenset[int] = _ALL
    start: int = 0
    end: int = _DAY_MINUTES

    def hold(self, wall: datetime) -> bool:
        """Whether a time on the wall is within."""
        minute, day = wall.hour * 60 + wall.minute, wall.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        began_yesterday = (day - 1) % 7 in self.days and minute < self.end
        return began_yesterday or (day in self.days and minute >= self.start)


def parse_hours(text: str) -> Hours:
    """Hours as they are written. Raises ``ValueError`` that says what is wrong."""
    words = text.strip().lower()
    times = _TIMES.search(words)
    start, end = (0, _DAY_MINUTES) if times is None else (_minute(*times.group(1, 2)), _minute(*times.group(3, 4)))
    if times is not None and times.end() != len(words):
        raise ValueError(f"{text[:60]!r} can't be read; times stand at the end, {_EXAMPLE}")
    named = words[: times.start()].strip() if times else words
    if not named and times is None:
        raise ValueError(f"no hours are said; {_EXAMPLE}")
    if start == _DAY_MINUTES:
        raise ValueError(f"{text[:60]!r} begins when the day is over; write 00:00")
    if start == end:
        raise ValueError(f"{text[:60]!r} begins when it ends; leave the times out to mean whole days")
    return Hours(_days(named, text) if named else _ALL, start, end)


def _minute(hour: str, minute: str) -> int:
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > _DAY_MINUTES:
        raise ValueError(f"there is no {hour}:{minute} on a clock; from 00:00 to 24:00")
    return found


def _days(named: str, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in named.split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        numbers = [_NUMBER.get(each) for each in ((first, last) if dash else (first, first))]
        if numbers[0] is None or numbers[1] is None:
            raise ValueError(f"{text[:60]!r} names no days of the week; {_EXAMPLE}")
        length = (numbers[1] - numbers[0]) % 7 + 1
        found |= {(numbers[0] + step) % 7 for step in range(length)}
    return frozenset(found)
