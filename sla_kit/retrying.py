"""When an HTTP request is worth repeating, and after how long: as the server says where it does (RFC 9110)."""

from __future__ import annotations

import time
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
    """The seconds that a Retry-After header asks for (a number, or a date); None where it says nothing."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, when.timestamp() - time.time())
