"""Whether a route's conditions hold, and which of them do not: in words, for whoever wonders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sla_kit.catalogue.hours import Hours, parse_hours
from sla_kit.catalogue.model import Catalogue, Route
from sla_kit.routing.deciding.live_calendar import LiveCalendar
from sla_kit.routing.deciding.subjects import Known


@dataclass(frozen=True, slots=True)
class Considered:
    """A route, by its place in the catalogue (0 is the first), and why it does not fit: nothing where it does."""

    route: int
    against: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether all of its conditions hold."""
        return not self.against


class Routes:
    """The routes of a catalogue, with their hours read."""

    def __init__(self, catalogue: Catalogue, calendar: LiveCalendar) -> None:
        self._routes = catalogue.routes
        self._calendar = calendar
        self._hours = [_hours(route) for route in catalogue.routes]
        self._zones = [_zone(route.timezone or catalogue.timezone) for route in catalogue.routes]

    def consider(self, asked: Known, at: float) -> Iterator[Considered]:
        """Every route in its order, held against what is known."""
        for index in range(len(self._routes)):
            yield Considered(index, tuple(self._against(index, asked, at)))

    def _against(self, index: int, asked: Known, at: float) -> list[str]:
        route = self._routes[index]
        against = []
        for name in ("severity", "service", "team", "environment"):
            wanted: list[str] = getattr(route, name)
            value: str = getattr(asked, name)
            if wanted and value not in wanted:
                against.append(f"{name} is {_said(value)}, not {_either(wanted)}")
        if route.slo and asked.slo not in route.slo and f"{asked.service}/{asked.slo}" not in route.slo:
            is_now = f"{asked.service}/{asked.slo}" if asked.service and asked.slo else asked.slo
            against.append(f"SLO is {_said(is_now)}, not {_either(route.slo)}")
        if route.hours:
            wall = datetime.fromtimestamp(at, self._zones[index])
            if not any(each.hold(wall) for each in self._hours[index]):
                now = f"{wall:%a %H:%M} {wall.tzname() or ''}".rstrip()
                against.append(f"it is {now}, outside {_either(route.hours)}")
        if route.event is not None:
            event = self._calendar.event(asked.service, at)
            if route.event == "during" and not event:
                against.append("no live event goes on")
            elif route.event == "outside" and event:
                against.append(f"{event} goes on")
        return against


def _hours(route: Route) -> list[Hours]:
    found = []
    for text in route.hours:
        try:
            found.append(parse_hours(text))
        except ValueError:  # which `check` tells; a route that can't be read fits never, and others follow it
            continue
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return ZoneInfo("UTC")


def _said(value: str) -> str:
    return repr(value) if value else "not said"


def _either(values: list[str]) -> str:
    return " or ".join(values)
