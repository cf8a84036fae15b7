"""Reading iCalendar files (RFC 5545): events, their repetitions, and the exceptions to these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

from icalendar import Calendar
from icalendar.cal import Component

from sla_kit.catalogue.recurrence import MAX_OCCURRENCES, Length, instant, occurrences, wall_clock
from sla_kit.errors import SlaKitError

#: Larger than any season's calendar, small enough to be read in a moment.
_MAX_BYTES = 10_000_000


class Spell(NamedTuple):
    """One occurrence of an event: start and end in epoch seconds, its summary and its description."""

    start: float
    end: float
    name: str
    reason: str


def spells(path: Path, zone: tzinfo, start: float, end: float) -> Iterator[Spell]:
    """Every occurrence in a file that overlaps ``start`` to ``end``.

    ``zone`` is where floating times and whole days are. Cancelled events and those without length are left out. Raises
    `SlaKitError` where the file can't be read or says what can't be followed.
    """
    given = 0
    for event in _events(path, zone):
        for spell in event.spells(end):
            if spell.end > max(start, spell.start) and spell.start < end:
                given += 1
                if given > MAX_OCCURRENCES:
                    raise SlaKitError(
                        f"holds more than {MAX_OCCURRENCES:,} occurrences", place=str(path), remedy="split the calendar"
                    )
                yield spell


@dataclass(frozen=True, slots=True)
class _Event:
    """One VEVENT in the zone that its times are in; ``replaced`` are the instants that other VEVENTs speak for."""

    name: str
    reason: str
    start: datetime
    zone: tzinfo
    length: Length
    rules: tuple[str, ...]
    left_out: frozenset[datetime | date]
    more: tuple[tuple[float, float], ...]
    replaced: frozenset[float]
    place: str

    def spells(self, last: float) -> Iterator[Spell]:
        """The occurrences that start up to ``last``."""
        times: set[datetime] = set()
        for rule in self.rules:
            times.update(occurrences(rule, self.start, self.zone, last, self.place))
        spans = {
            (instant(moment, self.zone), self.length.end(moment, self.zone))
            for moment in (times if self.rules else {self.start})
            if not self._is_left_out(moment)
        }
        more = {span for span in self.more if not self._is_left_out(_clock(span[0], self.zone))}
        for begin, end in sorted(spans | more):
            if begin not in self.replaced:
                yield Spell(begin, end, self.name, self.reason)

    def _is_left_out(self, moment: datetime) -> bool:
        return moment in self.left_out or moment.date() in self.left_out


def _events(path: Path, zone: tzinfo) -> list[_Event]:
    components = _components(path)
    latest: dict[tuple[str, float | None], int] = {}
    for component in components:
        key = _key(component, zone, path)
        latest[key] = max(latest.get(key, 0), _sequence(component))
    replaced: dict[str, set[float]] = {}
    for uid, instead_of in latest:
        if uid and instead_of is not None:
            replaced.setdefault(uid, set()).add(instead_of)
    events = []
    for component in components:
        uid, instead_of = key = _key(component, zone, path)
        superseded = bool(uid) and _sequence(component) < latest[key]
        if superseded or _text(component, "STATUS").upper() == "CANCELLED":
            continue
        own = frozenset(replaced.get(uid, ())) if instead_of is None else frozenset[float]()
        events.append(_event(component, zone, own, path))
    return events


def _components(path: Path) -> list[Component]:
    place = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "it is looked for beside the catalogue"
        raise SlaKitError(f"the iCalendar file can't be read: {reason}", place=place, remedy=remedy) from None
    if len(data) > _MAX_BYTES:
        raise SlaKitError("the iCalendar file is larger than 10 MB", place=place, remedy="split the calendar")
    try:
        calendars = Calendar.from_ical(data, multiple=True)
    except Exception as error:  # the parser raises whatever it stumbles over
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise SlaKitError(f"is not an iCalendar file: {reason}", place=place) from error
    if not calendars:
        raise SlaKitError("is not an iCalendar file: it holds no VCALENDAR", place=place)
    return [component for calendar in calendars for component in calendar.walk("VEVENT")]


def _key(component: Component, zone: tzinfo, path: Path) -> tuple[str, float | None]:
    """What an event is known by: its UID, and the instant of the occurrence that it stands for instead."""
    instead_of = component.get("RECURRENCE-ID")
    if instead_of is None:
        return _text(component, "UID"), None
    if str(instead_of.params.get("RANGE", "")).upper() == "THISANDFUTURE":
        raise _problem(component, path, "RECURRENCE-ID with RANGE=THISANDFUTURE is not followed")
    moment = _moment(component, "RECURRENCE-ID", path)
    assert moment is not None
    return _text(component, "UID"), instant(*_local(moment, zone))


def _event(component: Component, zone: tzinfo, replaced: frozenset[float], path: Path) -> _Event:
    first = _moment(component, "DTSTART", path)
    if first is None:
        raise _problem(component, path, "DTSTART is missing")
    start, own_zone = _local(first, zone)
    length = _length(component, first, zone, path)
    return _Event(
        name=_text(component, "SUMMARY"),
        reason=_text(component, "DESCRIPTION"),
        start=start,
        zone=own_zone,
        length=length,
        rules=tuple(rule.to_ical().decode() for rule in _several(component, "RRULE")),
        left_out=frozenset(_left_out(component, own_zone, path)),
        more=tuple(_more(component, first, length, own_zone, path)),
        replaced=replaced,
        place=f"{path}: {_label(component)}",
    )


def _length(component: Component, first: datetime | date, zone: tzinfo, path: Path) -> Length:
    """RFC 5545, sections 3.6.1 and 3.8.5.3: an end gives every occurrence the same exact length, a duration the same
    nominal one; without either a day lasts a day and a time no time."""
    last = _moment(component, "DTEND", path)
    whole_day = not isinstance(first, datetime)
    if last is not None:
        start, start_zone = _local(first, zone)
        end, end_zone = _local(last, zone)
        if whole_day:
            length = Length(nominal=end - start)
        else:
            seconds = _seconds(last, end, end_zone) - _seconds(first, start, start_zone)
            length = Length(exact=timedelta(seconds=seconds))
        if length.nominal + length.exact < timedelta(0):
            raise _problem(component, path, "DTEND is before DTSTART")
        if whole_day and not length.nominal:
            return Length(nominal=timedelta(days=1))  # some programs write the same date twice for one day
        return length
    if component.get("DURATION") is not None:
        lasting = _value(component.get("DURATION"), component, "DURATION", path)
        if not isinstance(lasting, timedelta) or lasting < timedelta(0):
            raise _problem(component, path, "DURATION is no length of time")
        return _nominal(lasting)
    return Length(nominal=timedelta(days=1)) if whole_day else Length()


def _nominal(lasting: timedelta) -> Length:
    days = timedelta(days=lasting.days)
    return Length(nominal=days, exact=lasting - days)


def _left_out(component: Component, zone: tzinfo, path: Path) -> Iterator[datetime | date]:
    for dates in _several(component, "EXDATE"):
        for moment in _dates(dates, component, "EXDATE", path):
            yield wall_clock(moment, zone) if isinstance(moment, datetime) else moment


def _more(
    component: Component, first: datetime | date, length: Length, zone: tzinfo, path: Path
) -> Iterator[tuple[float, float]]:
    """The spans of RDATE; without a rule DTSTART is one occurrence beside them, which the event itself gives."""
    for dates in _several(component, "RDATE"):
        for moment in _dates(dates, component, "RDATE", path):
            if isinstance(moment, tuple):
                start, end = moment
                begin, own_zone = _local(start, zone)
                if isinstance(end, timedelta):
                    yield instant(begin, own_zone), _nominal(end).end(begin, own_zone)
                else:
                    yield instant(begin, own_zone), instant(*_local(end, zone))
            else:
                begin = _local(moment, zone)[0] if not isinstance(moment, datetime) else wall_clock(moment, zone)
                yield instant(begin, zone), length.end(begin, zone)


def _dates(dates: Any, component: Component, key: str, path: Path) -> Iterator[Any]:
    try:
        entries = dates.dts
    except (AttributeError, ValueError):
        raise _problem(component, path, f"{key} can't be read") from None
    for entry in entries:
        moment = _value(entry, component, key, path)
        zone_name = entry.params.get("TZID") or dates.params.get("TZID")
        if isinstance(moment, datetime) and moment.tzinfo is None and zone_name:
            raise _unknown_zone(component, path, str(zone_name))
        yield moment


def _moment(component: Component, key: str, path: Path) -> datetime | date | None:
    entry = component.get(key)
    if entry is None:
        return None
    moment = _value(entry, component, key, path)
    if not isinstance(moment, date):
        raise _problem(component, path, f"{key} is no time")
    zone_name = entry.params.get("TZID")
    if isinstance(moment, datetime) and moment.tzinfo is None and zone_name:
        raise _unknown_zone(component, path, str(zone_name))
    if not 1900 <= moment.year <= 9990:
        raise _problem(component, path, f"the year of {key} is out of reach")
    return moment


def _value(entry: Any, component: Component, key: str, path: Path) -> Any:
    # A property that stands twice comes as a list, one that could not be read without a value.
    try:
        return entry.dt
    except (AttributeError, ValueError):
        raise _problem(component, path, f"{key} can't be read") from None


def _local(moment: datetime | date, zone: tzinfo) -> tuple[datetime, tzinfo]:
    """A local time and its zone; a floating time and a day are in ``zone``."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(0)), zone
    return moment.replace(tzinfo=None), moment.tzinfo or zone


def _seconds(moment: datetime | date, wall: datetime, zone: tzinfo) -> float:
    return moment.timestamp() if isinstance(moment, datetime) and moment.tzinfo else instant(wall, zone)


def _clock(seconds: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0)


def _several(component: Component, key: str) -> list[Any]:
    found = component.get(key)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _sequence(component: Component) -> int:
    text = _text(component, "SEQUENCE")
    return int(text) if text.isascii() and text.isdigit() else 0


def _text(component: Component, key: str) -> str:
    found = component.get(key)
    found = found[0] if isinstance(found, list) and found else found
    return "" if found is None else str(found).strip()


def _label(component: Component) -> str:
    return repr(_text(component, "SUMMARY") or _text(component, "UID") or "an event")


def _problem(component: Component, path: Path, message: str) -> SlaKitError:
    return SlaKitError(message, place=f"{path}: {_label(component)}")


def _unknown_zone(component: Component, path: Path, name: str) -> SlaKitError:
    return SlaKitError(
        f"there is no time zone {name[:60]!r}",
        place=f"{path}: {_label(component)}",
        remedy="use an IANA name such as America/New_York, or describe it in a VTIMEZONE",
    )
