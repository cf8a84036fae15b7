"""When an HTTP request is worth repeating, and after how long: as the server says where it does (RFC 9110)."""

from __future__ import annotations

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime

#: Nobody is kept waiting longer than this for one answer, in seconds.
_LONGEST_WAIT_SECONDS = 60.0


class Passing(Exception):  # noqa: N818  # it is mixed into errors that have their own names
    """A failure that may be over soon; ``wait_seconds`` is what the server asks for, None where it says nothing."""

    wait_seconds: float | None = None


def worth_repeating(error: Exception) -> bool | float:
    """Whether to ask again, and after how many seconds where the server said so."""
    if not isinstance(error, Passing):
        return False
    if error.wait_seconds is None:
        return True
    return error.wait_seconds if error.wait_seconds <= _LONGEST_WAIT_SECONDS else False


def retry_after(text: str) -> float | None:
    """The seconds that a Retry-After header asks for: a number, with a fraction where somebody sends one, or a date
    (RFC 9110, 10.2.3). None where it says nothing usable."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return math.nan
    # Without a zone, or with -0000, it is UTC (RFC 5322, 3.3).
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp() - time.time()
