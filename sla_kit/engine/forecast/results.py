"""What a forecast says, as plain values. Ratios are 0 to 1, times epoch seconds (UTC), None is what can't be told.

Every interval is an 80 % one: a tenth of what may come lies below it, a tenth above.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from sla_kit.timeline import Finding

#: How much of what may come an interval holds.
INTERVAL = 0.8
#: A promise is at risk from a live event where its budget is spent at the event's end with at least this probability,
RISK = 0.2
#: and with at least so much more than without the event.
RISK_ADDED = 0.1


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes of one error budget.

    ``left`` is the share of the budget left at the moment of the forecast, ``left_expected`` with ``left_low`` and
    ``left_high`` the median and the interval of what is left at ``left_at``: the horizon's end, or the end of the
    running calendar period if that is sooner. ``probability`` is that of the budget running out within the horizon,
    ``runs_out`` when half of all courses have run out, ``runs_out_low`` and ``runs_out_high`` when a tenth and nine
    tenths have; None where that many don't. Of a budget that is spent already these are the moment of the forecast,
    and ``back`` is when half of all courses have some again.

    ``burn_per_day`` and ``burn_per_event`` are the share of the budget that a usual day and a live event spend.
    ``reason`` says why there is no forecast, ``notes`` what a reader must know of one.
    """

    service: str
    slo: str
    objective: float
    window: str
    left: float | None = None
    probability: float | None = None
    runs_out: int | None = None
    runs_out_low: int | None = None
    runs_out_high: int | None = None
    back: int | None = None
    left_at: int | None = None
    left_expected: float | None = None
    left_low: float | None = None
    left_high: float | None = None
    burn_per_day: float | None = None
    burn_per_event: float | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Service and name."""
        return self.service, self.slo


@dataclass(frozen=True, slots=True)
class Risk:
    """A promise that a coming live event puts at risk: how probable it is that its budget is spent at the event's end,
    and how probable it would be without the event."""

    service: str
    slo: str
    probability: float
    without: float


@dataclass(frozen=True, slots=True)
class Need:
    """How much of something a live event needs at its peak, with its interval where past events give one.

    ``limit`` is what there is of it where the catalogue says so, ``seen`` the most that a past event showed, ``basis``
    what the figure was reckoned from.
    """

    what: str
    value: float
    low: float | None
    high: float | None
    limit: float | None = None
    seen: float | None = None
    basis: str = ""

    @property
    def exceeds(self) -> bool | None:
        """Whether the need is above the limit; None where only the upper end of its interval is."""
        if self.limit is None:
            return False
        if self.value > self.limit:
            return True
        return None if self.high is not None and self.high > self.limit else False


@dataclass(frozen=True, slots=True)
class ServiceNeed:
    """What a live event needs of one service: ``factor`` is peak over usual with its interval, from ``events`` past
    events; ``usual_peak`` the highest usual rate of its hours, in events per second."""

    service: str
    usual_peak: float
    factor: float
    factor_low: float | None
    factor_high: float | None
    events: int
    needs: tuple[Need, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class EventForecast:
    """One live event to come: what it needs, and which promises it puts at risk."""

    name: str
    start: int
    end: int
    services: tuple[str, ...] = ()
    needs: tuple[ServiceNeed, ...] = ()
    risks: tuple[Risk, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole forecast of a catalogue, from ``at`` to ``until``; ``history`` is how much of the past it looked at,
    in seconds."""

    catalogue: str
    environment: str
    source: str
    timezone: str
    at: int
    until: int
    history: int
    method: str
    outlooks: tuple[Outlook, ...]
    events: tuple[EventForecast, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    def of(self, services: Collection[str]) -> Forecast:
        """What of it concerns some services."""
        return replace(
            self,
            outlooks=tuple(one for one in self.outlooks if one.service in services),
            events=tuple(
                replace(
                    event,
                    needs=tuple(need for need in event.needs if need.service in services),
                    risks=tuple(risk for risk in event.risks if risk.service in services),
                )
                for event in self.events
            ),
        )

    def __getitem__(self, key: tuple[str, str]) -> Outlook:
        for outlook in self.outlooks:
            if outlook.key == key:
                return outlook
        raise KeyError(key)
