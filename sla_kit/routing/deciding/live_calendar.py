"""The calendar at one moment: which live event goes on, and which maintenance mutes an alert until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue, Occasion
from sla_kit.errors import SlaKitError

_DAY = 86_400
#: How many windows, each of which begins before the one before it ends, are followed to the end of the last.
_MOST_IN_A_ROW = 1000


@dataclass(frozen=True, slots=True)
class Mute:
    """Maintenance that goes on. ``until`` is when nothing of it goes on any more, in epoch seconds."""

    name: str
    until: float
    reason: str = ""
    approved_by: str = ""


class LiveCalendar:
    """The calendar of a catalogue, asked about moments. It is read by whole days, which are kept.

    What can't be read (an iCalendar file that is gone) has no occurrences, and says so in ``problem``: an alert is
    told all the same.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.problem = ""
        self._day = lru_cache(maxsize=32)(self._read_day)

    def event(self, service: str, at: float) -> str:
        """The name of the live event that goes on for a service; empty where there is none."""
        return next((each.name for each in self._going_on("events", at) if each.concerns(service)), "")

    def muted(self, service: str, at: float) -> Mute | None:
        """The maintenance that goes on for a service. Of several the one that ends last is named."""
        mute: Mute | None = None
        moment = at
        for _ in range(_MOST_IN_A_ROW):
            going_on = [each for each in self._going_on("maintenance", moment) if each.concerns(service)]
            if not going_on:
                break
            last = max(going_on, key=lambda each: each.end)
            if mute is None:
                mute = Mute(last.name, last.end, last.reason, last.approved_by)
            mute = Mute(mute.name, last.end, mute.reason, mute.approved_by)
            moment = last.end
        return mute

    def _going_on(self, kind: Literal["events", "maintenance"], at: float) -> list[Interval]:
        return [each for each in self._day(kind, int(at // _DAY)) if each.start <= at < each.end]

    def _read_day(self, kind: Literal["events", "maintenance"], day: int) -> tuple[Interval, ...]:
        occasions: Sequence[Occasion] = getattr(self._catalogue.calendar, kind)
        found: list[Interval] = []
        for occasion in occasions:
            try:
                found += intervals(
                    [occasion], day * _DAY, (day + 1) * _DAY, self._catalogue.timezone, self._catalogue.folder
                )
            except SlaKitError as error:
                self.problem = str(error)
        return tuple(sorted(found))
