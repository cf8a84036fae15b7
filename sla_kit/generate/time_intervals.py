"""Maintenance as Alertmanager's time intervals, so that nobody is paged for what was announced.

prometheus.io/docs/alerting/latest/configuration, "time_interval". Occurrences are written down in UTC, to the minute,
for as long ahead as the calendar's rules have them: exact in any time zone, whatever repeats in whatever way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.calendar import occurrences


def maintained_services(catalogue: Catalogue) -> list[str]:
    """The services that the calendar has maintenance of."""
    occasions = catalogue.calendar.maintenance
    return [
        service.name
        for service in catalogue.services
        if any(not each.services or service.name in each.services for each in occasions)
    ]


def time_intervals(catalogue: Catalogue, at: float) -> list[dict[str, Any]]:
    """A time interval for each service that is maintained, named ``maintenance-<service>``."""
    found: list[dict[str, Any]] = []
    for name in maintained_services(catalogue):
        mine = [each for each in catalogue.calendar.maintenance if not each.services or name in each.services]
        spans = [span for each in occurrences(catalogue, mine, at) for span in _dated(each.start, each.end)]
        # One that is over matches nothing any more, and Alertmanager wants at least one.
        found.append({"name": f"maintenance-{name}", "time_intervals": spans or [{"years": ["1970"]}]})
    return found


def _dated(start: int, end: int) -> Iterator[dict[str, Any]]:
    """One stretch of time, day by day, in UTC."""
    begin = datetime.fromtimestamp(start // 60 * 60, UTC)
    until = datetime.fromtimestamp(-(-end // 60) * 60, UTC)
    while begin < until:
        midnight = (begin + timedelta(days=1)).replace(hour=0, minute=0)
        stop = min(midnight, until)
        yield {
            "times": [{"start_time": f"{begin:%H:%M}", "end_time": "24:00" if stop == midnight else f"{stop:%H:%M}"}],
            "days_of_month": [str(begin.day)],
            "months": [str(begin.month)],
            "years": [str(begin.year)],
        }
        begin = stop
