"""Maintenance as Alertmanager's time intervals, so that nobody is paged for what was announced.

prometheus.io/docs/alerting/latest/configuration, "time_interval". Occurrences are written down in UTC, to the minute,
for as long ahead as the calendar's rules have them: exact in any time zone, whatever repeats in whatever way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.calendar import occurrences

#: The time interval of maintenance that concerns everything.
EVERYTHING = "maintenance"
#: A day, and from when to when on it ("24:00" is its end).
_Part = tuple[datetime, str, str]


def interval_name(service: str) -> str:
    """The time interval of what is announced for one service."""
    return f"{EVERYTHING}-{service}"


def maintained_services(catalogue: Catalogue) -> list[str]:
    """The services that the calendar names maintenance of."""
    named = {name for each in catalogue.calendar.maintenance for name in each.services}
    return [service.name for service in catalogue.services if service.name in named]


def everything_is_maintained(catalogue: Catalogue) -> bool:
    """Whether the calendar has maintenance that names no service, and so concerns all."""
    return any(not each.services for each in catalogue.calendar.maintenance)


def time_intervals(catalogue: Catalogue, at: float) -> list[dict[str, Any]]:
    """A time interval for each service whose maintenance is named, and one for that of everything."""
    planned = catalogue.calendar.maintenance
    named = {
        interval_name(name): [one for one in planned if name in one.services] for name in maintained_services(catalogue)
    }
    everything = [one for one in planned if not one.services]
    found: list[dict[str, Any]] = []
    for name, mine in (({EVERYTHING: everything} if everything else {}) | named).items():
        spans = _gathered(part for each in occurrences(catalogue, mine, at) for part in _dated(each.start, each.end))
        # One that is over matches nothing any more, and Alertmanager wants at least one.
        found.append({"name": name, "time_intervals": spans or [{"years": ["2000"]}]})
    return found


def _gathered(parts: Iterable[_Part]) -> list[dict[str, Any]]:
    """Days of a month on which the same hours are meant are one entry: maintenance every night stays readable."""
    days: dict[tuple[int, int, str, str], dict[int, None]] = {}
    for day, begin, end in parts:
        days.setdefault((day.year, day.month, begin, end), {})[day.day] = None
    return [
        {
            "times": [{"start_time": begin, "end_time": end}],
            "days_of_month": [str(number) for number in numbers],
            "months": [str(month)],
            "years": [str(year)],
        }
        for (year, month, begin, end), numbers in days.items()
    ]


def _dated(start: int, end: int) -> Iterator[_Part]:
    """One stretch of time, day by day, in UTC."""
    begin = datetime.fromtimestamp(start // 60 * 60, UTC)
    until = datetime.fromtimestamp(-(-end // 60) * 60, UTC)
    while begin < until:
        midnight = (begin + timedelta(days=1)).replace(hour=0, minute=0)
        stop = min(midnight, until)
        yield begin, f"{begin:%H:%M}", "24:00" if stop == midnight else f"{stop:%H:%M}"
        begin = stop
