"""Simulated seasons of a service with live events, each another, for the backtest of forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Requests
from sla_kit.engine.budgeting import Counted, Terms, count
from sla_kit.engine.forecast.hours import HOUR
from sla_kit.history import HistorySource
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate.scenario import Burst, Outage, Workload
from sla_kit.sources import Indicator
from sla_kit.timeline import Grid

STEP = 300
DAY = 24 * HOUR
START = 1_772_409_600  # Monday, 2 March 2026
OBJECTIVE = 0.999
SERVICE = "api"


@dataclass(frozen=True, slots=True)
class Season:
    """What one simulated season recorded, and its live events."""

    counted: Counted
    games: list[Interval]


def season(seed: int, weeks: int) -> Season:
    """A season of its own: every seed has another schedule, growth and luck."""
    random = np.random.default_rng(seed)
    days = weeks * 7
    games = _games(random, weeks)
    factor = float(random.choice([5, 20, 60]))
    bursts = [
        Burst(
            start=float(game.start),
            length=float(game.end - game.start),
            factor=factor * float(random.lognormal(0, 0.15)),
        )
        for game in games
    ]
    workload = Workload(
        name=SERVICE,
        labels={"service": SERVICE},
        rps=float(random.choice([5, 20])),
        error_ratio=float(random.choice([1e-5, 1e-4, 3e-4])),
        daily=0.6,
        weekend=float(random.choice([0.5, 1.0, 1.4])),
        growth=float(random.choice([-0.01, 0.0, 0.01, 0.03])),
        outages=_outages(random, days, games),
    )
    scenario = Scenario(
        start=float(START), days=days, seed=seed, scrape_interval=float(STEP), services=[workload], events=bursts
    )
    sli = Requests(metric="http_requests_total", matchers={"service": SERVICE}, bad={"status_code": "=~5.."})
    source = HistorySource(simulate(scenario).history)
    [(_, timeline)] = source.fetch([Indicator((SERVICE, "requests"), sli)], Grid(START, STEP, days * DAY // STEP))
    return Season(count(timeline, Terms(OBJECTIVE, "occurrences")), games)


def _games(random: np.random.Generator, weeks: int) -> list[Interval]:
    """One to three games a week at fixed times, some weeks without."""
    slots = random.choice([(6, 17), (3, 20), (5, 19), (0, 1)], size=int(random.integers(1, 4)), replace=False)
    games = []
    for week in range(weeks):
        for day, hour in slots.tolist():
            if random.random() < 0.85:
                start = START + (week * 7 + day) * DAY + hour * HOUR
                games.append(Interval(start, start + int(3.5 * HOUR), f"game {day}"))
    return sorted(games)


def _outages(random: np.random.Generator, days: int, games: Sequence[Interval]) -> list[Outage]:
    """Outages outside games (once in two to six weeks), in games (one in four to one in twenty), and slow burns."""
    found = []
    for moment in np.sort(random.uniform(0, days, random.poisson(days / float(random.choice([14, 28, 42]))))):
        length, ratio = float(random.lognormal(np.log(1200), 0.8)), float(random.choice([0.05, 0.3, 1.0]))
        found.append(Outage(start=START + float(moment) * DAY, length=length, error_ratio=ratio))
    often = float(random.choice([0.05, 0.1, 0.25]))
    for game in games:
        if random.random() < often:
            start = float(random.uniform(game.start, game.end - 900))
            ratio = float(random.choice([0.01, 0.05, 0.2]))
            found.append(Outage(start=start, length=float(random.lognormal(np.log(600), 0.7)), error_ratio=ratio))
    for moment in random.uniform(0, days, random.poisson(days / 70)):
        length, ratio = float(random.uniform(1, 6)) * DAY, float(random.uniform(5e-4, 2e-3))
        found.insert(0, Outage(start=START + float(moment) * DAY, length=length, error_ratio=ratio))
    return found
