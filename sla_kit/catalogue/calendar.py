"""The calendar's occasions as intervals on the time line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Occasion
from sla_kit.catalogue.recurrence import Length, instant, occurrences, time_zone, wall_clock
from sla_kit.errors import SlaKitError


def intervals(occasions: Sequence[Occasion], start: int, end: int, timezone: str, folder: str) -> list[Interval]:
    """Every occurrence of the occasions that overlaps ``start`` to ``end`` (epoch seconds), in order of time.

    An occurrence that began before or ends afterwards is there with its own start and end. Local times are read in
    the occasion's time zone, else in ``timezone``; iCalendar files are looked for in ``folder``. Raises `SlaKitError`
    for what can't be read, and for rules that repeat beyond all measure.
    """
    found: list[Interval] = []
    for occasion in occasions:
        place = f"calendar, {occasion.name!r}"
        zone = time_zone(occasion.timezone or timezone, place)
        if occasion.ical:
            from sla_kit.catalogue.ical import Spell, spells  # loads icalendar, which most catalogues can do without

            path = Path(folder) / occasion.ical
            named: Iterator[Spell] = spells(path, zone, start, end)
            found += [
                _interval(occasion, spell.start, spell.end, name=spell.name, reason=spell.reason) for spell in named
            ]
        else:
            found += [_interval(occasion, *span) for span in _spans(occasion, zone, end, place)]
    return sorted(interval for interval in found if interval.end > start and interval.start < end)


def _interval(occasion: Occasion, start: float, end: float, name: str = "", reason: str = "") -> Interval:
    return Interval(
        math.floor(start),
        math.ceil(end),
        name or occasion.name,
        tuple(occasion.services),
        reason or occasion.reason,
        occasion.approved_by,
    )


def _spans(occasion: Occasion, zone: tzinfo, last: float, place: str) -> Iterator[tuple[float, float]]:
    """Start and end of every occurrence of an inline occasion up to ``last``."""
    if occasion.start is None:
        raise SlaKitError("it is not said when this is", place=place, remedy="give start with end or duration, or ical")
    begin = _time(occasion.start, place)
    length = _length(occasion, begin, zone, place)
    if not occasion.repeat:
        if begin.tzinfo is not None:
            # The instant as written: on the wall clock it might be one that happens twice.
            start = begin.timestamp()
            end = start + length.exact.total_seconds() if occasion.end is None else _end(occasion.end, zone, place)
            yield start, end
        else:
            yield instant(begin, zone), length.end(begin, zone)
        return
    left_out = [(_is_date(text), wall_clock(_time(text, place), zone)) for text in occasion.except_dates]
    days = {moment.date() for whole_day, moment in left_out if whole_day}
    times = {moment for whole_day, moment in left_out if not whole_day}
    for moment in occurrences(occasion.repeat, wall_clock(begin, zone), zone, last, place):
        if moment.date() not in days and moment not in times:
            yield instant(moment, zone), length.end(moment, zone)


def _length(occasion: Occasion, begin: datetime, zone: tzinfo, place: str) -> Length:
    """A duration is what a stopwatch shows, an end a time on the wall."""
    if (occasion.end is None) == (occasion.duration is None):
        raise SlaKitError("start needs an end or a duration, and not both", place=place)
    if occasion.duration is not None:
        if not occasion.duration > 0:
            raise SlaKitError("the duration must be above 0", place=place)
        return Length(exact=timedelta(seconds=occasion.duration))
    end = _time(occasion.end or "", place)
    length = wall_clock(end, zone) - wall_clock(begin, zone)
    start_instant = begin.timestamp() if begin.tzinfo else instant(begin, zone)
    if _end(occasion.end or "", zone, place) <= start_instant:
        raise SlaKitError(f"the end ({occasion.end}) is not after the start ({occasion.start})", place=place)
    if length <= timedelta(0):  # two instants around an hour that is repeated
        return Length(exact=timedelta(seconds=_end(occasion.end or "", zone, place) - start_instant))
    return Length(nominal=length)


def _end(text: str, zone: tzinfo, place: str) -> float:
    end = _time(text, place)
    return end.timestamp() if end.tzinfo else instant(end, zone)


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()) is not None


def _time(text: str, place: str) -> datetime:
    """A time as written: aware with an offset or Z, else naive; a date alone is its midnight."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if not 1970 <= moment.year <= 9990:
            raise ValueError
    except ValueError:
        raise SlaKitError(f"{text[:40]!r} is no time", place=place, remedy="write it as 2026-09-15T02:00") from None
    return datetime.combine(moment.date(), time(0)) if _is_date(text) else moment
