"""Moments as requests write them: RFC 3339 with any number of decimals and any offset, as Go writes them, too."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from sla_kit.routing.web.reading import RefusedError

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
#: Nothing that is monitored began before, and nothing is told that ends later: what is written so is a mistake.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2262, 1, 1, tzinfo=UTC).timestamp()
_ZERO = -math.inf
_LONGEST = 64
_HINT = "RFC 3339, such as 2026-03-01T12:00:00Z"


def moment(text: str, path: str) -> float | None:
    """Epoch seconds; None for the zero time of Go (year 1) and for no text. Raises `RefusedError`."""
    if not text:
        return None
    seconds = _seconds(text) if len(text) <= _LONGEST else None
    if seconds is None:
        raise RefusedError("is no time", path, _HINT)
    return None if seconds == _ZERO else in_range(seconds, path)


@lru_cache(4096)  # the same few come again and again: when alerts began, and the zero time
def _seconds(text: str) -> float | None:
    """Epoch seconds, `_ZERO` for all of year 1, None for what is no time."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(each) for each in found.groups()[:6])
    if year == 1:
        return _ZERO
    decimals = float(f"0.{found[7]}") if found[7] else 0.0
    offset = timedelta() if found[8] else timedelta(hours=int(found[10]), minutes=int(found[11]))
    try:
        zone = timezone(-offset if found[9] == "-" else offset)
        # A leap second is the last moment of its minute, as everywhere where there are none.
        at = datetime(year, month, day, hour, minute, 59 if second == 60 else second, tzinfo=zone)
        return at.timestamp() + round(decimals, 6)
    except (ValueError, OverflowError):
        return None


def in_range(seconds: float, path: str) -> float:
    """The same epoch seconds, which may be an integer of any length. Raises `RefusedError` for those of another age."""
    if not _EARLIEST <= seconds < _LATEST:
        raise RefusedError("is no time of these days", path, "between 1970 and 2261")
    return float(seconds)
