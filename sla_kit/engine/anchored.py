"""Windows that follow each other from a given moment: weeks that begin on Saturday at noon, months on the 15th."""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sla_kit.catalogue.model import Window

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}


def anchored_start(window: Window, at: int, zone: ZoneInfo) -> int:
    """When the window began that holds ``at`` (epoch seconds), or ends there.

    ``window.start`` is a local time of ``zone``. Days, weeks and longer are reckoned on the wall clock, so that noon
    stays noon when the clocks change; a month that lacks the day begins on its last. Windows of a length in seconds
    are that long, whatever the clocks do.
    """
    anchor = datetime.fromisoformat(window.start).replace(tzinfo=zone)
    if window.rolling is not None:
        length, first = int(window.rolling), int(anchor.timestamp())
        return first + (at - 1 - first) // length * length
    local = datetime.fromtimestamp(at - 1, zone)
    kind = window.calendar or "month"
    if kind in _DAYS:
        length_days = _DAYS[kind]
        number = (local.date() - anchor.date()).days // length_days + 1
        begun = anchor + timedelta(days=number * length_days)
        while int(begun.timestamp()) >= at:
            number -= 1
            begun = anchor + timedelta(days=number * length_days)
        return int(begun.timestamp())
    months = _MONTHS[kind]
    number = ((local.year - anchor.year) * 12 + local.month - anchor.month) // months + 1
    while int(_months_after(anchor, number * months).timestamp()) >= at:
        number -= 1
    return int(_months_after(anchor, number * months).timestamp())


def _months_after(anchor: datetime, months: int) -> datetime:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day)
