"""When a line says that it was written: the ways in which logs write times, as milliseconds since the epoch."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number + 1 for number, name in enumerate(_NAMES)}
#: Elasticsearch's dates reach further, but a log's do not: years 1970 to 9999.
_LAST_MS = 253_402_300_799_999
_CLF = re.compile(r"(\d{1,2})/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?: ([+-])(\d\d):?(\d\d))?\Z")
_WORDS = re.compile(
    r"(?:[A-Za-z]{3},? )?(?:([A-Za-z]{3}) {1,2}(\d{1,2})|(\d{1,2})[ -]([A-Za-z]{3}))"
    r"(?:[ -](\d{4}))? (\d\d):(\d\d):(\d\d)([.,]\d{1,9})?(?: (\d{4}))?(?: (?:GMT|UTC|Z|([+-])(\d\d):?(\d\d)))?\Z"
)
_SLASHES = re.compile(r"(\d{4})/(\d\d)/(\d\d)[ T](.*)\Z", re.DOTALL)
_ZONE_WITH_SPACE = re.compile(r" (?=[+-]\d\d:?\d\d\Z)| ?(?:UTC|GMT)\Z")
#: No time is written in more characters.
_LONGEST = 64
_LATEST_SECONDS, _LATEST_MS, _LATEST_US = 1e11, 1e14, 1e17


def from_number(value: float) -> int | None:
    """Milliseconds of a number that counts seconds, milliseconds, microseconds or nanoseconds since the epoch: which of
    them is told by its size (seconds up to the year 5138). None for what is no time."""
    try:
        if not math.isfinite(value) or value < 0:
            return None
    except OverflowError:  # a whole number beyond what a float holds
        return None
    unit = 1000.0 if value < _LATEST_SECONDS else 1.0 if value < _LATEST_MS else 1e-3 if value < _LATEST_US else 1e-6
    found = round(value * unit) if unit >= 1 else int(value) // (1000 if unit == 1e-3 else 1_000_000)
    return found if found <= _LAST_MS else None


def from_text(text: str, zone: tzinfo = UTC, *, year: int | None = None) -> int | None:
    """Milliseconds of RFC 3339 and its relatives (a space or slashes, a comma before the fraction), of the common log
    format, of syslog's and RFC 2822's, or of digits. ``zone`` is meant where the text names none, ``year`` where it has
    none (syslog's; without it the text is no time). None for what is no time."""
    text = text[: 2 * _LONGEST].strip()
    return _from_text(text, zone, year) if len(text) <= _LONGEST else None


@lru_cache(maxsize=8192)
def _from_text(text: str, zone: tzinfo, year: int | None) -> int | None:
    try:
        return _iso(text, zone) or _common_log(text, zone) or _with_words(text, zone, year) or _digits(text)
    except (ValueError, OverflowError):
        return None


def _iso(text: str, zone: tzinfo) -> int | None:
    if not text[:4].isdigit() or len(text) < 16 or len(text) > 48:
        return None
    slashes = _SLASHES.match(text)
    if slashes:
        text = "{}-{}-{} {}".format(*slashes.groups())
    text = _ZONE_WITH_SPACE.sub(lambda found: "Z" if found.group().strip() else "", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _milliseconds(moment, zone)


def _common_log(text: str, zone: tzinfo) -> int | None:
    found = _CLF.match(text)
    if not found:
        return None
    day, month, year, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    number = _MONTHS.get(month.lower())
    if number is None:
        return None
    moment = datetime(int(year), number, int(day), int(hour), int(minute), min(int(second), 59))
    return _zoned(moment, fraction, sign, hours, minutes, zone)


def _with_words(text: str, zone: tzinfo, year: int | None) -> int | None:
    found = _WORDS.match(text)
    if not found:
        return None
    month1, day1, day2, month2, year1, hour, minute, second, fraction, year2, sign, hours, minutes = found.groups()
    number = _MONTHS.get((month1 or month2).lower())
    whole = year1 or year2 or year
    if number is None or whole is None:
        return None
    moment = datetime(int(whole), number, int(day1 or day2), int(hour), int(minute), min(int(second), 59))
    zone = UTC if sign is None and text.endswith(("GMT", "UTC", "Z")) else zone
    return _zoned(moment, fraction, sign, hours, minutes, zone)


def _digits(text: str) -> int | None:
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text.partition(".")[0]) < 9:
        return None
    return from_number(float(text)) if "." in text or len(text) < 16 else from_number(int(text))


def _zoned(
    moment: datetime, fraction: str | None, sign: str | None, hours: str, minutes: str, zone: tzinfo
) -> int | None:
    if fraction:
        moment += timedelta(microseconds=int(float("0." + fraction[1:]) * 1e6))
    if sign is None:
        return _milliseconds(moment, zone)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return _milliseconds(moment - offset if sign == "+" else moment + offset, UTC)


def _milliseconds(moment: datetime, zone: tzinfo) -> int | None:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    found = (moment - _EPOCH) // timedelta(milliseconds=1)
    return found if 0 <= found <= _LAST_MS else None


@lru_cache(maxsize=8192)
def written(milliseconds: int) -> str:
    """A time as Elasticsearch reads it whatever its mapping: RFC 3339 in UTC with milliseconds. What lies before 1970
    or after 9999 (moved there) becomes the first or last moment between them."""
    milliseconds = min(max(0, milliseconds), _LAST_MS)
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
