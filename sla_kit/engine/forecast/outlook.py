"""When an error budget runs out: the courses of the future held against what the SLO's own window allows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sla_kit.catalogue.model import Window
from sla_kit.engine.budgeting import SLACK, Terms
from sla_kit.engine.forecast.courses import METHOD, Courses, Method, Seen, courses, quiet_days
from sla_kit.engine.forecast.hours import DAY_HOURS, HOUR, Future
from sla_kit.engine.forecast.results import INTERVAL, RISK, RISK_ADDED, Outlook, Risk
from sla_kit.engine.windows import DAY, duration_name, period_of, whole_period
from sla_kit.timeline import Floats, Ints, Mask

#: Days of history that a forecast needs: a week has all its hours in it.
LEAST_DAYS = 7
_LOW, _HIGH = (1 - INTERVAL) / 2, (1 + INTERVAL) / 2


@dataclass(frozen=True, slots=True)
class _Budget:
    """What the window that ends with each hour holds: ``allowed`` (paths, hours) bad events, ``kept`` (hours,) those of
    the past that are still in it, and ``since`` (hours,) the first hour of the future that is in it. ``allowed_now``
    and ``spent_now`` are those of the window now."""

    allowed: Floats
    kept: Floats
    since: Ints
    allowed_now: float
    spent_now: float
    until: int  # hours to the end of the running period or of the horizon

    def left(self, bad: Floats) -> Floats:
        """The share of the budget left after each hour, from bad events of the future by hour; NaN where nothing is
        allowed because nothing happens. Shapes (paths, hours)."""
        spent = self.kept + _since(bad, self.since)
        some = self.allowed > 0
        left = 1.0 - np.divide(spent, self.allowed, out=np.full(spent.shape, np.nan), where=some)
        return np.asarray(left, dtype=np.float64)


def outlook(
    seen: Seen, terms: Terms, window: Window, future: Future, named: tuple[str, str], method: Method = METHOD
) -> tuple[Outlook, list[tuple[int, Risk]]]:
    """The outlook of one SLO (``named`` service and SLO), and the live events of the future that put it at risk, each
    by its place in ``future.events``.

    ``seen`` should reach back over all of the SLO's own window; what it lacks counts as nothing. A calendar window's
    budget is that of the whole period, with the events that are expected until its end.
    """
    nothing = Outlook(*named, terms.objective, window_name(window, future.at, seen.usual.timezone))
    days = len(quiet_days(seen.past)[1])
    if window.rolling is not None and window.rolling < DAY:
        return _without(nothing, "its window is shorter than a day"), []
    if not days and not seen.past.total.any():
        return _without(nothing, "no data"), []
    if days < LEAST_DAYS:
        return _without(nothing, f"too little history: {days} of the {LEAST_DAYS} days that are needed"), []
    drawn = courses(seen, future, method)
    budget = _budget(seen, terms, window, future, drawn.total)
    if budget.allowed_now <= 0 or not np.any(budget.allowed > 0):
        return _without(nothing, "no traffic"), []
    drawn = replace(drawn, bad=drawn.bad + _surprises(budget, drawn.total, days, method))
    left = budget.left(drawn.bad)
    now = 1.0 - budget.spent_now / budget.allowed_now
    found = _told(nothing, left, now, future, budget)
    found = _with_burn(found, seen, budget)
    found = replace(found, notes=_notes(seen, future))
    return found, [] if now < -SLACK else _risks(found, future, drawn, budget, left, terms)


def _since(values: Floats, since: Ints) -> Floats:
    """Sums of values by hour (paths, hours) from the hours ``since`` (hours,) to each hour."""
    sums = np.concatenate((np.zeros((len(values), 1)), np.cumsum(values, axis=1)), axis=1)
    return np.asarray(sums[:, 1:] - sums[:, since], dtype=np.float64)


def window_name(window: Window, at: int, timezone: str) -> str:
    """What a person calls the window: "30d", or the running period's name."""
    if window.rolling is not None and not window.start:
        return duration_name(int(window.rolling))
    return period_of(window, at + 1, timezone).name


def _without(nothing: Outlook, reason: str) -> Outlook:
    return replace(nothing, reason=reason)


# --- what the window allows -----------------------------------------------------------------------------------------


def _budget(seen: Seen, terms: Terms, window: Window, future: Future, total: Floats) -> _Budget:
    if window.rolling is not None and not window.start:
        return _rolling(seen, terms, max(1, round(window.rolling / HOUR)), total)
    return _calendar(seen, terms, window, future, total)


def _rolling(seen: Seen, terms: Terms, hours: int, total: Floats) -> _Budget:
    """As hours come, as many leave at the other end, and take with them what they had spent and allowed."""
    past, count = seen.past, total.shape[1]
    gone = np.arange(1, count + 1)
    remaining = np.clip(hours - gone, 0, past.count)
    since = np.maximum(gone - hours, 0)

    def newest(values: Floats) -> Floats:
        return np.concatenate(([0.0], np.cumsum(values[::-1])))

    events = newest(past.total)[remaining] + _since(total, since)
    now = min(hours, past.count)
    return _Budget(
        terms.allowed_ratio * events,
        newest(past.bad)[remaining],
        since,
        terms.allowed_ratio * float(newest(past.total)[now]),
        float(newest(past.bad)[now]),
        count,
    )


def _calendar(seen: Seen, terms: Terms, window: Window, future: Future, total: Floats) -> _Budget:
    """Each period has a budget of its own; one that goes on after the horizon is completed with usual events."""
    counted, count = seen.counted, total.shape[1]
    allowed, kept, since = np.zeros(total.shape), np.zeros(count), np.zeros(count, dtype=np.int64)
    middles, horizon = future.middles, future.at + HOUR * count
    allowed_now, spent_now, until, moment = 0.0, 0.0, count, future.at
    while moment < horizon:
        period = whole_period(window, moment + 1, seen.usual.timezone)
        assert period is not None
        inside = (middles > period.start) & (middles <= period.end)
        so_far = counted.grid.slice(period.start, future.at)
        events = float(counted.total[so_far].sum()) + total[:, inside].sum(axis=1)
        if period.end > horizon:
            rest = np.arange(horizon, period.end, HOUR, dtype=np.int64) + HOUR // 2
            events = events + float(seen.usual.rate(rest).sum()) * HOUR
        spent = float(counted.bad[so_far].sum())
        allowed[:, inside], kept[inside] = terms.allowed_ratio * events[:, None], spent
        since[inside] = np.flatnonzero(inside)[0] if inside.any() else 0
        if moment == future.at:
            allowed_now, spent_now = terms.allowed_ratio * float(np.median(events)), spent
            until = max(1, int(inside.sum()))
        moment = period.end
    return _Budget(allowed, kept, since, allowed_now, spent_now, min(until, count))


def _surprises(budget: _Budget, total: Floats, days: int, method: Method) -> Floats:
    """Bad events of a kind that the past does not show, (paths, hours): each course has its own share of days that
    bring one, Beta(1, days seen + ``unseen_days``), as Laplace's rule of succession has it, and each costs a share of
    the budget, lognormal around ``unseen_cost``."""
    random = np.random.default_rng(method.seed + 1)
    paths, hours = total.shape
    shares = random.beta(1.0, days + method.unseen_days, (paths, 1))
    come = (random.random((paths, hours)) < shares / DAY_HOURS) & (total > 0)
    cost = method.unseen_cost * np.exp(method.spread * random.standard_normal((paths, hours)))
    return np.asarray(come * cost * budget.allowed_now, dtype=np.float64)


# --- what is told ---------------------------------------------------------------------------------------------------


def _told(nothing: Outlook, left: Floats, now: float, future: Future, budget: _Budget) -> Outlook:
    """The outlook of courses: the share left after each hour, (paths, hours)."""
    out = left < -SLACK  # what is not known is not out
    at_end = left[:, budget.until - 1]
    low, middle, high = (_quantile(at_end, share) for share in (_LOW, 0.5, _HIGH))
    found = replace(
        nothing,
        left=now,
        left_at=future.at + HOUR * budget.until,
        left_expected=middle,
        left_low=low,
        left_high=high,
    )
    if now < -SLACK:
        back = _first(~out & ~np.isnan(left), future.at)
        at = future.at
        return replace(found, probability=1.0, runs_out=at, runs_out_low=at, runs_out_high=at, back=_moment(back, 0.5))
    ends = _first(out, future.at)
    return replace(
        found,
        probability=float(np.isfinite(ends).mean()),
        runs_out=_moment(ends, 0.5),
        runs_out_low=_moment(ends, _LOW),
        runs_out_high=_moment(ends, _HIGH),
    )


def _first(hit: Mask, at: int) -> Floats:
    """The end of the first hour of each course in which something is so, epoch seconds; infinity where it never is."""
    ends = at + HOUR * (hit.argmax(axis=1) + 1.0)
    return np.where(hit.any(axis=1), ends, np.inf)


def _moment(times: Floats, share: float) -> int | None:
    """The time by which that share of the courses is over; None where fewer ever are."""
    found = np.sort(times)[max(0, int(np.ceil(share * len(times) - 1e-9)) - 1)]
    return int(found) if np.isfinite(found) else None


def _quantile(values: Floats, share: float) -> float | None:
    return None if np.isnan(values).any() else float(np.quantile(values, share))


def _with_burn(found: Outlook, seen: Seen, budget: _Budget) -> Outlook:
    """What a usual day and a mean past live event spend of the budget, as shares of it."""
    past, usual = seen.past, seen.usual
    events = float(past.quiet_total.sum())
    level = float(usual.levels[0]) if len(usual.levels) else 1.0
    usual_day = float(usual.shape.mean()) * level * DAY
    day = float(past.quiet_bad.sum()) / events * usual_day / budget.allowed_now if events > 0 else None
    bad = [burst.bad for burst in seen.bursts]
    event = float(np.mean(bad)) / budget.allowed_now if bad else None
    return replace(found, burn_per_day=day, burn_per_event=event)


def _notes(seen: Seen, future: Future) -> tuple[str, ...]:
    notes = []
    if not seen.past.bad.any():
        days = duration_name(len(quiet_days(seen.past)[1]) * DAY)
        notes.append(f"nothing bad in {days} of history; the lower bound is what could still have stayed unseen")
    if future.events and not seen.bursts:
        notes.append("no past live event to go by: the coming ones are taken as usual time")
    return tuple(notes)


def _risks(
    found: Outlook, future: Future, drawn: Courses, budget: _Budget, left: Floats, terms: Terms
) -> list[tuple[int, Risk]]:
    """The live events at whose end the budget is probably spent, and would not be without them."""
    risks = []
    for place, event in enumerate(future.events):
        hour = min(-(-(event.end - future.at) // HOUR), future.count) - 1
        total, bad = drawn.event_total[place], drawn.event_bad[place]
        taken = slice(int(budget.since[hour]), hour + 1)
        then = left[:, hour]
        spent = (1.0 - then) * budget.allowed[:, hour]
        allowed = budget.allowed[:, hour] - terms.allowed_ratio * total[:, taken].sum(axis=1)
        with_it = float((then < -SLACK).mean())
        without = float((spent - bad[:, taken].sum(axis=1) > allowed * (1 + SLACK)).mean())
        if with_it >= RISK and with_it - without >= RISK_ADDED:
            risks.append((place, Risk(found.service, found.slo, with_it, without)))
    return risks
