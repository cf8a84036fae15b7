"""What the catalogue's promises say of the same history: the outages that the engine finds, and how much of each error
budget was spent by when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.backtest.results import KnownIncident
from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.model import Catalogue, Composite, Recovery
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.evaluate import grid_for, judge
from sla_kit.engine.results import Period
from sla_kit.evaluation import context_of
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Floats, Grid


@dataclass(frozen=True)
class Course:
    """The bad events of one SLO: ``spent`` (grid.count + 1,) is their running sum as a share of its budget."""

    service: str
    slo: str
    grid: Grid
    spent: Floats

    def between(self, start: int, end: int) -> float:
        """The share of the budget that was spent in a stretch of time; within a bucket, evenly."""
        ends = np.arange(self.grid.count + 1) * self.grid.step + self.grid.start
        low, high = np.interp([start, end], ends, self.spent)
        return max(0.0, float(high - low))


@dataclass(frozen=True)
class Promises:
    """What was found of all SLOs that are counted from the source itself."""

    incidents: tuple[KnownIncident, ...]
    courses: tuple[Course, ...]

    def spending(self, incident: KnownIncident, start: int, end: int) -> tuple[tuple[str, str, float], ...]:
        """Service, SLO and share of its budget spent between two times, for the SLOs that the incident concerns."""
        return tuple(
            (course.service, course.slo, course.between(start, end))
            for course in self.courses
            if incident.service in ("", course.service) and incident.slo in ("", course.slo)
        )


def promises(catalogue: Catalogue, source: Source, window: Period, progress: Progress = no_progress) -> Promises:
    """The outages in a window and the courses of the budgets. Recovery SLOs and composites are left out: what they are
    made of has told already."""
    bucket = int(catalogue.bucket)
    context = context_of(catalogue, window.end // bucket * bucket, window)
    wanted = [
        (service, slo)
        for service, slo in catalogue.slos()
        if not isinstance(catalogue.sli(service, slo), Recovery | Composite)
    ]
    users: dict[Indicator, list[int]] = {}
    for number, (service, slo) in enumerate(wanted):
        users.setdefault(Indicator.of(catalogue, service, slo), []).append(number)
    incidents: list[KnownIncident] = []
    courses: dict[int, Course] = {}
    for indicator, timeline in source.fetch(list(users), grid_for(context), progress):
        for number in users[indicator]:
            service, slo = wanted[number]
            judgement = judge(context, service, slo, timeline, keep_counts=True)
            incidents += [
                KnownIncident(slo.name, one.start, one.start + one.seconds, service.name, slo.name, origin="engine")
                for one in judgement.result.incidents
            ]
            counts = judgement.counts
            allowed = judgement.result.own.budget.allowed
            if counts is not None and isinstance(counts.counted, Counted) and allowed > 0:
                spent = np.concatenate(([0.0], np.cumsum(np.nan_to_num(counts.counted.bad)))) / allowed
                courses[number] = Course(service.name, slo.name, timeline.grid, spent)
    ordered = sorted(incidents, key=lambda one: (one.start, one.service, one.slo))
    return Promises(tuple(ordered), tuple(courses[number] for number in sorted(courses)))


def declared(catalogue: Catalogue, window: Period) -> tuple[KnownIncident, ...]:
    """The incidents that the catalogue's calendar holds, one for each service that they concern."""
    found = intervals(catalogue.calendar.incidents, window.start, window.end, catalogue.timezone, catalogue.folder)
    return tuple(
        KnownIncident(one.name, one.start, one.end, service, origin="catalogue")
        for one in found
        for service in one.services or ("",)
    )


def merged(incidents: Sequence[KnownIncident], window: Period) -> tuple[KnownIncident, ...]:
    """The incidents that touch a window, by start, each once."""
    touching = (one for one in incidents if one.start < window.end and one.end > window.start)
    return tuple(dict.fromkeys(sorted(touching, key=lambda one: (one.start, one.end, one.service, one.slo, one.name))))
