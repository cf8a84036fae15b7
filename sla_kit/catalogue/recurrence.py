"""Wall-clock times that repeat: RFC 5545 rules read in local time, and local times as instants.

A rule is evaluated on naive local times, which a time zone turns into instants only afterwards. That is what keeps
13:00 at 13:00 on both sides of a daylight-saving change.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from sla_kit.errors import SlaKitError

#: Occurrences of one rule that are walked through before it is called absurd: every hour for eleven years.
MAX_OCCURRENCES = 100_000

_REMEDY = "give an RFC 5545 rule such as FREQ=WEEKLY;BYDAY=SU"
_SLOW = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
# Hours can be walked one by one as long as one fits in every week; a rule for the 30th of February would be walked
# hour by hour to the year 9999.
_HOURLY_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND"}


@dataclass(frozen=True, slots=True)
class Length:
    """How long an occurrence lasts: ``nominal`` on the wall clock (a day that has 23 hours is still a day), then
    ``exact`` by the stopwatch."""

    nominal: timedelta = timedelta(0)
    exact: timedelta = timedelta(0)

    def end(self, start: datetime, zone: tzinfo) -> float:
        """The instant in epoch seconds at which an occurrence ends that starts at that local time."""
        begin = instant(start, zone)
        end = instant(start + self.nominal, zone)
        if self.nominal and end <= begin:  # the start lay in the hour that a change of the clocks skips
            end = begin + self.nominal.total_seconds()
        return end + self.exact.total_seconds()


def time_zone(name: str, place: str) -> ZoneInfo:
    """The time zone of that IANA name; raises `SlaKitError` where there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise SlaKitError(
            f"there is no time zone {name!r}", place=place, remedy="use an IANA name such as America/New_York"
        ) from None


def instant(wall: datetime, zone: tzinfo) -> float:
    """The epoch seconds of a local time. As RFC 5545 section 3.3.5 wants it, of a time that happens twice the first
    is meant, and one that is skipped is read by the offset before the change."""
    return wall.replace(tzinfo=zone, fold=0).timestamp()


def wall_clock(time: datetime, zone: tzinfo) -> datetime:
    """What the clocks of a zone show at a time; a naive time is local already."""
    return time if time.tzinfo is None else time.astimezone(zone).replace(tzinfo=None)


def occurrences(rule: str, start: datetime, zone: tzinfo, last: float, place: str) -> Iterator[datetime]:
    """The local times at which ``rule`` repeats, from ``start`` (local, naive) to the instant ``last``.

    ``start`` itself is among them where the rule gives it. ``UNTIL`` is inclusive; a date alone means all of that
    day. Raises `SlaKitError` where the text is no rule, repeats more often than hourly, or gives more than
    `MAX_OCCURRENCES`.
    """
    text = rule.strip().upper().removeprefix("RRULE:").rstrip(";")
    parts = _parts(text, place)
    # A day more than asked: offsets differ by less, and the caller compares instants.
    until = min(_wall_of(last, zone) + timedelta(days=1), _until(parts.pop("UNTIL", ""), zone, text, place))
    if start > until:
        return
    for count, time in enumerate(_walked(_compiled(parts, start, text, place), text, place)):
        if time > until:
            return
        if count >= MAX_OCCURRENCES:
            raise SlaKitError(
                f"{text[:80]!r} repeats more than {MAX_OCCURRENCES:,} times",
                place=place,
                remedy="start it later, let it repeat less often, or end it with UNTIL",
            )
        yield time


def _parts(text: str, place: str) -> dict[str, str]:
    if not re.fullmatch(r"[A-Z]+=[^;=\s]+(;[A-Z]+=[^;=\s]+)*", text):
        raise _no_rule(text, place)
    pairs = [part.split("=") for part in text.split(";")]
    parts = {part[0]: part[1] for part in pairs}
    frequency = parts.get("FREQ", "")
    if len(parts) != len(pairs):
        raise _no_rule(text, place)
    if frequency in ("SECONDLY", "MINUTELY") or (frequency == "HOURLY" and not parts.keys() <= _HOURLY_PARTS):
        raise SlaKitError(
            f"{text[:80]!r} repeats too often to be followed",
            place=place,
            remedy="say it by days, such as FREQ=DAILY;BYHOUR=0,6,12,18",
        )
    if frequency not in (*_SLOW, "HOURLY"):
        raise _no_rule(text, place)
    for key in ("INTERVAL", "COUNT"):
        if not re.fullmatch(r"0*[1-9]\d{0,8}", parts.get(key, "1")):
            raise _no_rule(text, place)
    return parts


def _compiled(parts: dict[str, str], start: datetime, text: str, place: str) -> rrule:
    try:
        compiled = rrulestr(";".join(f"{key}={value}" for key, value in parts.items()), dtstart=start)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise _no_rule(text, place) from error
    assert isinstance(compiled, rrule)  # a set comes of several lines only
    return compiled


def _walked(rule: rrule, text: str, place: str) -> Iterator[datetime]:
    """The times of a rule; dateutil meets some impossible ones only as it walks."""
    try:
        yield from rule
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise _no_rule(text, place) from error


def _until(text: str, zone: tzinfo, rule: str, place: str) -> datetime:
    if not text:
        return datetime.max
    try:
        if re.fullmatch(r"\d{8}", text):
            return datetime.strptime(text, "%Y%m%d") + timedelta(days=1, microseconds=-1)
        time = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")
        return wall_clock(time.replace(tzinfo=UTC), zone) if text.endswith("Z") else time
    except (ValueError, OverflowError):
        raise _no_rule(rule, place) from None


def _wall_of(seconds: float, zone: tzinfo) -> datetime:
    try:
        return datetime.fromtimestamp(math.ceil(seconds), zone).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return datetime.max - timedelta(days=2)


def _no_rule(text: str, place: str) -> SlaKitError:
    return SlaKitError(f"{text[:80]!r} is no rule of repetition", place=place, remedy=_REMEDY)
