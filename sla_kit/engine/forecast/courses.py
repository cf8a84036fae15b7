"""Courses that the bad events of the future may take, put together from what happened before.

Each future day takes the error ratios of a past day, hour by hour, and each live event that of a past one; times the
events that are usual then, these are bad events. The past shows only roughly how often something happens, and how bad
it may be, so that three things differ from course to course:

- how often each past day and event is drawn: the Bayesian bootstrap (D. B. Rubin, Annals of Statistics 9, 1981); an
  outage seen once in two months may as well come every month or twice a year;
- how bad the next one like it is: what a day or an event had above the median one is multiplied by a lognormal number
  with mean 1, as outages differ by their length and by how many requests they hit;
- what comes that the past does not show at all (`outlook`): the longer nothing of the kind was seen, the rarer it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.forecast.bursts import Burst, alike, bursts
from sla_kit.engine.forecast.hours import DAY_HOURS, Future, Past
from sla_kit.engine.forecast.usual import Usual
from sla_kit.timeline import Floats, Ints


@dataclass(frozen=True, slots=True)
class Method:
    """How courses are drawn: how many ``paths``, from which ``seed``; the ``spread`` of what is above the median, the
    standard deviation of its logarithm (0: just as it was seen); ``unseen_cost``, the share of the budget that an
    outage unlike any seen costs in the median, and ``unseen_days``, the days without one that are taken for granted
    beside those that were seen."""

    paths: int = 500
    seed: int = 20_260_928
    spread: float = 1.5
    unseen_cost: float = 0.3
    unseen_days: float = 30.0


#: What the backtest chose: see docs/forecast.md.
METHOD = Method()
#: The method in a sentence, for reports.
WORDS = (
    "500 courses put together of past days and live events, drawn by the Bayesian bootstrap, at the usual traffic of "
    "each hour of the week, with outages that the past does not show; intervals are 80 %"
)


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
    """``total`` and ``bad`` events in each hour of the future, in each course, (paths, hours); ``event_total`` and
    ``event_bad`` are those of each live event among them, by its place in the future."""

    total: Floats
    bad: Floats
    event_total: tuple[Floats, ...]
    event_bad: tuple[Floats, ...]


def courses(seen: Seen, future: Future, method: Method) -> Courses:
    """Courses of the future; ``seen`` must have a day with events outside live events."""
    random = np.random.default_rng(method.seed)
    rate = seen.usual.rate(future.middles)
    days = -(-future.count // DAY_HOURS)
    ratios, daily = quiet_days(seen.past)
    quiet_ratio = _drawn_ratios(ratios, daily, method, random, days)
    quiet_ratio = quiet_ratio.reshape(method.paths, days * DAY_HOURS)[:, : future.count]
    total = np.repeat((rate * future.quiet_seconds)[None, :], method.paths, axis=0)
    bad = quiet_ratio * total
    event_total, event_bad = [], []
    for event in future.events:
        events = np.repeat((rate * event.seconds)[None, :], method.paths, axis=0)
        if not seen.bursts:
            errors = quiet_ratio * events
        else:
            known = alike(seen.bursts, event)
            factors = np.array([burst.total / burst.usual if burst.usual > 0 else 1.0 for burst in known])
            events = events * factors[_drawn(random, len(factors), method.paths, 1)]
            past = np.array([burst.bad_ratio for burst in seen.bursts])
            errors = events * _drawn_ratios(past[:, None], past, method, random, 1)[:, 0]
        total, bad = total + events, bad + errors
        event_total.append(events)
        event_bad.append(errors)
    return Courses(total, bad, tuple(event_total), tuple(event_bad))


def quiet_days(past: Past) -> tuple[Floats, Floats]:
    """The error ratios outside live events of each past day with events, by hour (days, 24) and as a whole (days,);
    an hour without events has the ratio of its day."""
    days = past.count // DAY_HOURS
    kept = slice(past.count - days * DAY_HOURS, None)
    total = past.quiet_total[kept].reshape(days, DAY_HOURS)
    bad = past.quiet_bad[kept].reshape(days, DAY_HOURS)
    events = total.sum(axis=1)
    some = events > 0
    total, bad, daily = total[some], bad[some], bad.sum(axis=1)[some] / events[some]
    ratios = np.divide(bad, total, out=np.repeat(daily[:, None], DAY_HOURS, axis=1), where=total > 0)
    return np.asarray(ratios), np.asarray(daily)


def _drawn_ratios(ratios: Floats, whole: Floats, method: Method, random: np.random.Generator, count: int) -> Floats:
    """Ratios drawn from past ones (n, parts), whose ratios as a ``whole`` are (n,): (paths, count, parts)."""
    taken = _drawn(random, len(whole), method.paths, count)
    swing = np.exp(method.spread * random.standard_normal(taken.shape) - method.spread**2 / 2)
    usual = float(np.median(whole))
    above = np.divide(whole - usual, whole, out=np.zeros(len(whole)), where=whole > usual)[taken]
    return np.asarray(np.minimum(ratios[taken] * (1.0 + above * (swing - 1.0))[:, :, None], 1.0))


def _drawn(random: np.random.Generator, things: int, paths: int, count: int) -> Ints:
    """Indices of what is drawn, (paths, count), each path with shares of its own: Dirichlet, all weights 1."""
    shares = np.cumsum(random.standard_exponential((paths, things)), axis=1)
    points = random.random((paths, count)) * shares[:, -1:]
    found = np.empty((paths, count), dtype=np.int64)
    for path in range(paths):
        found[path] = np.searchsorted(shares[path], points[path], side="right")
    return np.minimum(found, things - 1)
