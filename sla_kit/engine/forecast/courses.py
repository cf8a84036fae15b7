"""Courses that the bad events of the future may take, put together from what happened before.

Each future day takes the error ratios of a past day, hour by hour, and each live event that of a past one; times the
events that are usual then, these are bad events. Which past days and events a course draws from, and how often, is
itself drawn (the Bayesian bootstrap, D. B. Rubin, Annals of Statistics 9, 1981), because the past shows only roughly
how often something happens: an outage seen once in two months may as well come every month or twice a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.forecast.bursts import Burst, alike, bursts
from sla_kit.engine.forecast.hours import DAY_HOURS, HOUR, Future, Past
from sla_kit.engine.forecast.usual import Usual
from sla_kit.timeline import Floats, Ints


@dataclass(frozen=True, slots=True)
class Method:
    """How courses are drawn: how many ``paths``, from which ``seed``; a past day counts half as much when it is
    ``half_life_days`` older (0: all alike)."""

    paths: int = 500
    seed: int = 20_260_928
    half_life_days: float = 0.0
    weekends: bool = False


#: What the backtest chose: see docs/forecast.md.
METHOD = Method()


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one SLO at the moment of a forecast."""

    counted: Counted
    past: Past
    usual: Usual
    bursts: tuple[Burst, ...]

    @classmethod
    def of(cls, counted: Counted, live: Sequence[Interval], timezone: str, service: str) -> Seen:
        """From events counted on a grid that ends at the moment of the forecast, and the live events in it."""
        past = Past.of(counted, live, service)
        usual = Usual.of(past, timezone)
        return cls(counted, past, usual, bursts(counted, live, usual, service))


@dataclass(frozen=True, slots=True)
class Courses:
    """``total`` (hours,) events that are expected in each hour of the future, ``bad`` (paths, hours) of them in each
    course; ``event_total`` and ``event_bad`` are those of each live event among them, by its place in the future."""

    total: Floats
    bad: Floats
    event_total: tuple[Floats, ...]
    event_bad: tuple[Floats, ...]


def courses(seen: Seen, future: Future, method: Method) -> Courses:
    """Courses of the future; ``seen`` must have a day with events outside live events."""
    random = np.random.default_rng(method.seed)
    rate = seen.usual.rate(future.middles)
    quiet_total = rate * future.quiet_seconds
    days = -(-future.count // DAY_HOURS)
    ratios, ages, weekend = _days(seen)
    ahead = _weekend(future.at + HOUR * DAY_HOURS * np.arange(days) + HOUR * DAY_HOURS // 2, seen.usual.timezone)
    taken = np.zeros((method.paths, days), dtype=np.int64)
    weights = 0.5 ** (ages / method.half_life_days) if method.half_life_days else np.ones(len(ages))
    kinds = (False, True) if method.weekends and weekend.any() and not weekend.all() else (None,)
    for kind in kinds:
        of = np.arange(len(ages)) if kind is None else np.flatnonzero(weekend == kind)
        where = np.arange(days) if kind is None else np.flatnonzero(ahead == kind)
        taken[:, where] = of[_drawn(random, weights[of], method.paths, len(where))]
    quiet_ratio = ratios[taken].reshape(method.paths, days * DAY_HOURS)[:, : future.count]
    total, bad = quiet_total, quiet_ratio * quiet_total
    event_total, event_bad = [], []
    for event in future.events:
        known = alike(seen.bursts, event)
        usual_then = sum(burst.usual for burst in known)
        factor = sum(burst.total for burst in known) / usual_then if usual_then > 0 else 1.0
        events = rate * event.seconds * factor
        if seen.bursts:
            ratio = np.array([burst.bad_ratio for burst in seen.bursts])
            drawn = ratio[_drawn(random, np.ones(len(ratio)), method.paths, 1)]
            errors = drawn * events
        else:
            errors = quiet_ratio * events
        total, bad = total + events, bad + errors
        event_total.append(events)
        event_bad.append(errors)
    return Courses(total, bad, tuple(event_total), tuple(event_bad))


def known_days(seen: Seen) -> int:
    """How many past days have events outside live events."""
    return len(_days(seen)[0])


def _days(seen: Seen) -> tuple[Floats, Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The error ratios outside live events of each past day with events, (days, 24), how old each is in days, and
    whether it is a weekend's. An hour without events has the ratio of all hours together."""
    past = seen.past
    days = past.count // DAY_HOURS
    kept = slice(past.count - days * DAY_HOURS, None)
    total = past.quiet_total[kept].reshape(days, DAY_HOURS)
    bad = past.quiet_bad[kept].reshape(days, DAY_HOURS)
    everything = float(total.sum())
    pooled = float(bad.sum()) / everything if everything > 0 else 0.0
    ratios = np.divide(bad, total, out=np.full(total.shape, pooled), where=total > 0)
    ages = np.arange(days, 0, -1) - 0.5
    middles = (past.at - ages * DAY_HOURS * HOUR).astype(np.int64)
    some = total.sum(axis=1) > 0
    return ratios[some], ages[some], _weekend(middles, seen.usual.timezone)[some]


def _weekend(times: Ints, timezone: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    from sla_kit.engine.forecast.usual import local_hours

    return np.asarray(local_hours(times, timezone) // DAY_HOURS >= 5)


def _drawn(random: np.random.Generator, weights: Floats, paths: int, count: int) -> Ints:
    """Indices of what is drawn, (paths, count), each path with shares of its own: Dirichlet with these weights."""
    shares = np.cumsum(random.standard_gamma(weights, (paths, len(weights))), axis=1)
    points = random.random((paths, count)) * shares[:, -1:]
    return np.asarray(np.minimum((points[:, :, None] >= shares[:, None, :]).sum(axis=2), len(weights) - 1))
