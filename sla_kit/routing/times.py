"""Moments and lengths of time as somebody reads them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo


def zone_of(name: str) -> tzinfo:
    """The time zone of that name, UTC where there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return UTC


def moment(seconds: float, zone: tzinfo) -> str:
    """Such as "Fri 27 Nov 2026, 02:42 UTC"."""
    try:
        wall = datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
    return f"{wall:%a} {wall.day} {wall:%b} {wall.year}, {wall:%H:%M} {wall.tzname() or ''}".rstrip()


def time_of_day(seconds: float, zone: tzinfo) -> str:
    """Such as "02:42"."""
    try:
        return f"{datetime.fromtimestamp(seconds, zone):%H:%M}"
    except (ValueError, OverflowError, OSError):
        return "?"


def length(seconds: float) -> str:
    """Such as "40 s", "12 min", "2 h 5 min", "3 d 4 h"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
