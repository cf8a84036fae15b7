"""OpenSLO's durations and time windows, and ours."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sla_kit.catalogue.model import Window
from sla_kit.interchange.fields import Fields

#: Months, quarters and years of no calendar have the lengths of OpenSLO's own SDK.
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 30 * 86400, "Q": 90 * 86400, "Y": 365 * 86400}
_SHORTHAND = re.compile(r"(\d+)([mhdwMQY])")
_PERIODS: dict[str, Literal["day", "week", "month", "quarter", "year"]] = {
    "d": "day",
    "w": "week",
    "M": "month",
    "Q": "quarter",
    "Y": "year",
}
#: A Monday that begins a day, a week, a month, a quarter and a year.
_NATURAL = "2024-01-01 00:00:00"


def shorthand(text: str) -> float:
    """The seconds of a duration-shorthand such as 5m or 1M; ``ValueError`` for anything else."""
    match = _SHORTHAND.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no duration")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > 100 * _SECONDS["Y"]:
        raise ValueError("is beyond all measure")
    return float(seconds)


def is_shorthand(text: str) -> bool:
    """Whether a text is a duration-shorthand."""
    return bool(_SHORTHAND.fullmatch(text.strip()))


def as_shorthand(seconds: float) -> str:
    """The shortest duration-shorthand of whole minutes; of what is no whole minute the next one."""
    for unit in ("w", "d", "h"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds) // _SECONDS[unit]}{unit}"
    return f"{-(-int(seconds) // 60)}m"


def slice_seconds(item: Fields) -> float:
    """The length of an objective's time slices, 0 where it has none; a bare number is minutes."""
    text = item.text("timeSliceWindow")
    if re.fullmatch(r"\d+(\.\d+)?", text.strip()):
        return float(text) * 60
    return item.parsed("timeSliceWindow", shorthand, "duration such as 1m") or 0.0


def window_of(spec: Fields) -> Window:
    """The window of an SLO's spec; 30 days where it has none, which is told."""
    windows = spec.mappings("timeWindow")
    if not windows:
        if not spec.has("timeWindow"):
            spec.notes.left(spec.place, "no timeWindow", "an SLO needs one", "30 days are taken")
        return Window(rolling=30 * 86400.0)
    if len(windows) > 1:
        spec.notes.wrong(windows[1].place, "timeWindow has more than one entry", "OpenSLO v1 takes exactly one")
    window = windows[0]
    text, rolling = window.text("duration", required=True), window.flag("isRolling")
    seconds = window.parsed("duration", shorthand, "duration such as 4w or 1M")
    calendar = window.fields("calendar")
    if rolling and calendar is not None:
        window.notes.wrong(
            window.place_of("calendar"), "calendar in a rolling window", "isRolling: false, or leave it out"
        )
    elif not rolling and calendar is None:
        window.notes.wrong(
            window.place, "a window that does not roll has no calendar", "isRolling: true, or a calendar"
        )
    found = Window(rolling=seconds or 86400.0)
    if seconds is not None and not seconds:
        window.notes.wrong(window.value_place("duration"), "duration must be above 0")
    elif seconds is not None and calendar is None and text[-1] in "MQY":
        length = f"{seconds / 86400:g} days"
        window.notes.left(window.value_place("duration"), text, f"a rolling window is as long as {length}")
    if calendar is not None:
        if seconds:
            found = _aligned(window, text.strip(), seconds, calendar)
        calendar.skip("startTime", "timeZone")
        calendar.done()
    window.done()
    return found


def _aligned(window: Fields, text: str, seconds: float, calendar: Fields) -> Window:
    """A window that follows a calendar from a time on."""
    start, zone = calendar.text("startTime", required=True), calendar.text("timeZone", required=True)
    try:
        moment = datetime.strptime(start.strip().replace("T", " "), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        if start:
            hint = "such as 2026-01-01 00:00:00, without a time zone"
            window.notes.wrong(calendar.value_place("startTime"), f"startTime: {start[:60]!r} is no time", hint)
        return Window(rolling=seconds)
    if zone and not _known(zone):
        window.notes.wrong(calendar.value_place("timeZone"), f"there is no time zone {zone[:60]!r}")
        return Window(rolling=seconds)
    period = _PERIODS.get(text[-1]) if text[:-1].lstrip("0") == "1" else None
    begun = "" if period is not None and _natural(moment, period) else moment.isoformat()
    if period is not None:
        return Window(calendar=period, timezone=zone, start=begun)
    if text[-1] in "MQY":
        length = f"{seconds / 86400:g} days"
        window.notes.left(window.value_place("duration"), text, f"windows of several months are {length} long")
    return Window(rolling=seconds, timezone=zone, start=begun)


def as_time_window(window: Window, timezone: str) -> dict[str, Any]:
    """A window as OpenSLO has it; ``timezone`` is the catalogue's."""
    if window.rolling is not None and not window.start:
        return {"duration": as_shorthand(window.rolling), "isRolling": True}
    if window.rolling is not None:
        length = as_shorthand(window.rolling)
    else:
        units = {name: unit for unit, name in _PERIODS.items()}
        length = f"1{units[cast(Any, window.calendar)]}"
    start = window.start.replace("T", " ") if window.start else _NATURAL
    start = start if start.count(":") == 2 else f"{start}:00"
    calendar = {"startTime": start, "timeZone": window.timezone or timezone}
    return {"duration": length, "isRolling": False, "calendar": calendar}


def _natural(moment: datetime, period: str) -> bool:
    """Whether the calendar's own periods begin then."""
    if moment.hour or moment.minute or moment.second:
        return False
    match period:
        case "week":
            return moment.weekday() == 0
        case "month":
            return moment.day == 1
        case "quarter":
            return moment.day == 1 and moment.month % 3 == 1
        case "year":
            return moment.day == 1 and moment.month == 1
    return True


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
