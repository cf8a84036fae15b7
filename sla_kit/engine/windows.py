"""Which stretch of time a window means: rolling or calendar-aligned, running or complete, in a named time zone."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sla_kit.catalogue.model import Window
from sla_kit.engine.alert_windows import duration_name as duration_name
from sla_kit.engine.alert_windows import nominal_seconds as nominal_seconds
from sla_kit.engine.anchored import anchored_start
from sla_kit.engine.results import Period
from sla_kit.errors import SlaKitError

Calendar = Literal["day", "week", "month", "quarter", "year"]

DAY = 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
_DURATION = re.compile(r"(?:\d+[smhdwy])+")
_NAMES: dict[Calendar, re.Pattern[str]] = {
    "day": re.compile(r"(\d{4})-(\d\d)-(\d\d)"),
    "week": re.compile(r"(\d{4})-W(\d\d)"),
    "month": re.compile(r"(\d{4})-(\d\d)"),
    "quarter": re.compile(r"(\d{4})-Q([1-4])"),
    "year": re.compile(r"(\d{4})"),
}
#: The year 1019: before the first times of anybody's, and well within those that a date can name.
_FIRST = -30_000_000_000.0
_REMEDY = 'give "7d", "12h", "week", "last-month", "2026-W38", "2026-09", "2026-Q3", "2026" or "START/END" in RFC 3339'


def period_of(window: Window, at: int, timezone: str) -> Period:
    """The period of an SLO's own window as it stands at ``at`` (epoch seconds); it always ends there.

    Rolling: (at - length, at]. Calendar: from the local midnight that began the day, ISO week, month, quarter or year
    which holds ``at``; exactly at a boundary that is the period that ends there. With a ``start``: from where such
    windows, laid end to end from there, last began. ``timezone`` is the catalogue's, used
    where the window names none. Raises `SlaKitError` for an unknown time zone.
    """
    if window.start:
        begun = anchored_start(window, at, zone_of(window.timezone or timezone))
        return Period(duration_name(nominal_seconds(window)), begun, at)
    if window.rolling is not None:
        seconds = int(window.rolling)
        return Period(duration_name(seconds), at - seconds, at)
    if window.calendar is None:
        raise SlaKitError("a window is neither rolling nor of the calendar", remedy='declare it as "30d" or "month"')
    return _running(window.calendar, at, zone_of(window.timezone or timezone))


def whole_period(window: Window, at: int, timezone: str) -> Period | None:
    """The whole period that holds ``at`` (one that ends there, where it is a boundary), for a window of the calendar or
    one with a ``start``; None for one that rolls. Raises `SlaKitError` for an unknown time zone."""
    zone = zone_of(window.timezone or timezone)
    if window.start:
        running = period_of(window, at, timezone)
        # More than one such window is long, and less than two.
        after = running.start + nominal_seconds(window) * 11 // 10 + 3 * 3600
        end = running.start + int(window.rolling) if window.rolling else anchored_start(window, after, zone)
        return Period(running.name, running.start, end)
    if window.calendar is None:
        return None
    return _whole(window.calendar, _first_day(window.calendar, _local_day(at, zone)), zone)


def parse_period(text: str, at: int, timezone: str) -> Period:
    """What ``--window`` means at the time ``at`` (epoch seconds).

    "7d", "36h": that long up to ``at``. "week": the running calendar period up to ``at``. "last-week": the last
    complete one. "2026-W38", "2026-09", "2026-Q3", "2026", "2026-09-27": that one, cut at ``at``. "START/END": those
    times, RFC 3339 (local times are read in ``timezone``). Raises `SlaKitError` for anything else.
    """
    zone = zone_of(timezone)
    text = text.strip()
    if "/" in text:
        return _between(text, zone)
    if _DURATION.fullmatch(text):
        seconds = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdwy])", text))
        if not seconds:
            raise SlaKitError(f"the window {text!r} is empty", remedy=_REMEDY)
        if at - seconds < _FIRST:
            raise SlaKitError(f"the window {text!r} reaches back to before there were clocks", remedy=_REMEDY)
        return Period(text, at - seconds, at)
    for kind in _NAMES:
        if text == kind:
            return _running(kind, at, zone)
        if text == f"last-{kind}":
            return _last(kind, at, zone)
    named = _named(text)
    if named is None:
        raise SlaKitError(f"no window is called {text!r}", remedy=_REMEDY)
    whole = _whole(*named, zone)
    if whole.start >= at:
        begins = datetime.fromtimestamp(whole.start, zone).isoformat()
        raise SlaKitError(f"the window {text} has not begun: it starts at {begins}", remedy="give a window in the past")
    return Period(whole.name, whole.start, min(whole.end, at))


def before(period: Period, timezone: str) -> Period:
    """The period of the same kind just before, to compare with.

    Rolling periods and those between two times: the same length. Calendar periods (known by their names): the one
    before on the calendar, and of that only as much as has elapsed of ``period`` where that one is still running.
    """
    zone = zone_of(timezone)
    named = _named(period.name)
    length = period.end - period.start
    if named is None or (whole := _whole(*named, zone)).start != period.start:
        return Period(f"the {period.name} before", period.start - length, period.start)
    kind, day = named
    earlier = _whole(kind, _first_day(kind, day - timedelta(days=1)), zone)
    if period.end >= whole.end:
        return earlier
    return Period(earlier.name, earlier.start, min(earlier.start + length, earlier.end))


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone of that name; `SlaKitError` for a name that the time zone database lacks."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SlaKitError(
            f"there is no time zone {timezone!r}", remedy='use a name such as "UTC" or "Europe/Berlin"'
        ) from error


def _running(kind: Calendar, at: int, zone: ZoneInfo) -> Period:
    day = _first_day(kind, _local_day(at, zone))
    return Period(_name(kind, day), _midnight(day, zone), at)


def _last(kind: Calendar, at: int, zone: ZoneInfo) -> Period:
    """The last complete period; at the very end of one it is that one."""
    day = _first_day(kind, _local_day(at, zone))
    running = _whole(kind, day, zone)
    return running if running.end == at else _whole(kind, _first_day(kind, day - timedelta(days=1)), zone)


def _whole(kind: Calendar, day: date, zone: ZoneInfo) -> Period:
    return Period(_name(kind, day), _midnight(day, zone), _midnight(_next_day(kind, day), zone))


def _between(text: str, zone: ZoneInfo) -> Period:
    ends: list[int] = []
    for part in text.split("/", 1):
        try:
            time = datetime.fromisoformat(part.strip())
        except ValueError as error:
            raise SlaKitError(f"{part!r} is no time", place=f"window {text}", remedy=_REMEDY) from error
        ends.append(int((time if time.tzinfo else time.replace(tzinfo=zone)).timestamp()))
    if ends[1] <= ends[0]:
        raise SlaKitError("the window ends before it starts", place=f"window {text}", remedy="swap the two times")
    return Period(text, ends[0], ends[1])


def _named(text: str) -> tuple[Calendar, date] | None:
    """The kind and first day of a calendar period from its name; None where it is none."""
    for kind, pattern in _NAMES.items():
        match = pattern.fullmatch(text)
        if match is None:
            continue
        numbers = [int(group) for group in match.groups()]
        try:
            if kind == "week":
                return kind, date.fromisocalendar(numbers[0], numbers[1], 1)
            if kind == "quarter":
                return kind, date(numbers[0], 3 * numbers[1] - 2, 1)
            return kind, date(*[*numbers, 1, 1][:3])
        except ValueError as error:
            raise SlaKitError(f"the calendar has no {kind} {text}", remedy=_REMEDY) from error
    return None


def _name(kind: Calendar, day: date) -> str:
    match kind:
        case "day":
            return day.isoformat()
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02d}"
        case "month":
            return f"{day.year:04d}-{day.month:02d}"
        case "quarter":
            return f"{day.year:04d}-Q{(day.month + 2) // 3}"
        case "year":
            return f"{day.year:04d}"


def _first_day(kind: Calendar, day: date) -> date:
    match kind:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)


def _next_day(kind: Calendar, first: date) -> date:
    """The first day of the period after the one that begins on ``first``."""
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[kind]
    return _first_day(kind, first + timedelta(days=longest))


def _local_day(at: int, zone: ZoneInfo) -> date:
    """The local day that (start, end] puts ``at`` in: midnight belongs to the day that it ends."""
    return datetime.fromtimestamp(at - 1, zone).date()


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
