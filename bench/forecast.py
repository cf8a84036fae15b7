"""Forecasts of error budgets and of peak traffic on seasons that the forecast has not seen, beside simpler ways.

``python -m bench.forecast [--seasons 12] [--weeks 20]`` simulates seasons of a service with live events: different
growth, game schedules, burst factors, error ratios, outages (in games and outside), slow burns after bad releases. From
each, forecasts are made at many moments, with only what lies before them, of the budget that is left 7, 14 and 28 days
later and of when it runs out; what the simulation then really recorded is the truth. The peers get the same data and
the same bookkeeping of what leaves the window, except for the straight line, which knows the budget's curve only:

- straight line: the budget left goes on falling as it did over the last seven days;
- window's mean: errors come at the mean ratio of the SLO's window;
- last 7 days: errors come at the mean ratio of the last seven days;
- last week again: each hour brings the errors of the hour a week before (seasonal-naive).

The peak of each game is forecast from the games before it, beside the mean of their peaks and the last one's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.seasons import DAY, OBJECTIVE, SERVICE, STEP, Season, season
from sla_kit.catalogue.model import Capacity, Window
from sla_kit.engine.budgeting import Counted, Terms
from sla_kit.engine.forecast.capacity import service_need
from sla_kit.engine.forecast.courses import METHOD, Method, Seen
from sla_kit.engine.forecast.hours import HOUR, Future, Past
from sla_kit.engine.forecast.outlook import outlook
from sla_kit.engine.forecast.results import INTERVAL, Outlook
from sla_kit.engine.forecast.scoring import (
    brier,
    coverage,
    interval_score,
    mean_absolute_error,
    median_absolute_error,
)
from sla_kit.timeline import Floats, Grid

WINDOW_DAYS = 28
HISTORY_DAYS = 60
HORIZONS = (7, 14, 28)


# --- what was known at a moment, and what came ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """A season at one moment: what is known of its past, and what of its future (hours,) came."""

    seen: Seen
    future: Future
    total: Floats
    bad: Floats

    @classmethod
    def of(cls, one: Season, at: int) -> Moment:
        """Everything up to ``at`` (at most the history) as known, the longest horizon after it as what came."""
        grid = one.counted.grid
        start = max(grid.start, at - HISTORY_DAYS * DAY)
        until = at + max(HORIZONS) * DAY
        before = _cut(one.counted, start, at)
        seen = Seen.of(before, one.games, "UTC", SERVICE)
        games = [game for game in one.games if game.start < until and game.end > at]
        future = Future.of(at, max(HORIZONS) * 24, STEP, games, [], SERVICE)
        after = Past.of(_cut(one.counted, at, until), [], SERVICE)
        return cls(seen, future, after.total, after.bad)


def _cut(counted: Counted, start: int, end: int) -> Counted:
    where = counted.grid.slice(start, end)
    grid = Grid(counted.grid.start + where.start * STEP, STEP, where.stop - where.start)
    return Counted(
        grid, counted.total[where], counted.bad[where], counted.coverage[where], None, counted.unit, counted.occurrences
    )


def left_after(moment: Moment, total: Floats, bad: Floats) -> Floats:
    """The budget left after each hour of the future, with these events in it, (hours,)."""
    past = moment.seen.past
    hours = WINDOW_DAYS * 24
    shares = []
    for values in (np.concatenate((past.total, total)), np.concatenate((past.bad, bad))):
        sums = np.concatenate(([0.0], np.cumsum(values)))
        ends = past.count + 1 + np.arange(len(total))
        shares.append(sums[ends] - sums[np.maximum(ends - hours, 0)])
    return np.asarray(1.0 - shares[1] / (shares[0] * (1 - OBJECTIVE)), dtype=np.float64)


def left_now(moment: Moment) -> float:
    """The budget left at the moment itself."""
    hours = WINDOW_DAYS * 24
    past = moment.seen.past
    return 1.0 - float(past.bad[-hours:].sum()) / (float(past.total[-hours:].sum()) * (1 - OBJECTIVE))


#: A way to forecast the budget left after each hour of the future.
Peer = Callable[[Moment], Floats]


def straight_line(moment: Moment) -> Floats:
    """The budget goes on falling, or rising, as it did over the last seven days."""
    past = moment.seen.past
    hours, week = WINDOW_DAYS * 24, 168
    before = slice(-hours - week, -week)
    then = 1.0 - float(past.bad[before].sum()) / max(1e-9, float(past.total[before].sum()) * (1 - OBJECTIVE))
    now = left_now(moment)
    return np.asarray(now + (now - then) / week * np.arange(1, moment.future.count + 1), dtype=np.float64)


def _at_ratio(moment: Moment, hours: int) -> Floats:
    """Traffic and errors go on at their mean of the last hours."""
    past = moment.seen.past
    total = np.full(moment.future.count, float(past.total[-hours:].mean()))
    bad = np.full(moment.future.count, float(past.bad[-hours:].mean()))
    return left_after(moment, total, bad)


def window_mean(moment: Moment) -> Floats:
    """Errors go on at the mean of the SLO's own window: constant burn."""
    return _at_ratio(moment, WINDOW_DAYS * 24)


def last_days(moment: Moment) -> Floats:
    """Errors go on at the mean of the last seven days."""
    return _at_ratio(moment, 168)


def last_week_again(moment: Moment) -> Floats:
    """Each hour is as the hour a week before."""
    past, count = moment.seen.past, moment.future.count
    times = -(-count // 168)
    return left_after(moment, np.tile(past.total[-168:], times)[:count], np.tile(past.bad[-168:], times)[:count])


PEERS: dict[str, Peer] = {
    "straight line": straight_line,
    "window's mean": window_mean,
    "last 7 days": last_days,
    "last week again": last_week_again,
}


# --- scores ---------------------------------------------------------------------------------------------------------


@dataclass
class Score:
    """What one way said of each moment, beside what came."""

    left: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    held: dict[int, list[tuple[float, float, float]]] = field(default_factory=dict)
    days: list[tuple[float, float]] = field(default_factory=list)
    chances: list[tuple[float, bool]] = field(default_factory=list)
    brackets: list[tuple[float, float, float]] = field(default_factory=list)


def run_out(left: Floats) -> float:
    """Days until a course is out of budget; infinity where it never is."""
    out = np.flatnonzero(left < 0)
    return float(out[0] + 1) / 24 if len(out) else float("inf")


def judged(seasons: Sequence[Season], methods: dict[str, Method]) -> dict[str, Score]:
    """Every way's scores over the moments of all seasons: one in eleven days, from the eighth week on."""
    scores = {name: Score() for name in (*methods, *PEERS)}
    terms = Terms(OBJECTIVE, "occurrences")
    most = float(max(HORIZONS))
    for one in seasons:
        grid = one.counted.grid
        for at in range(grid.start + 42 * DAY + 7 * HOUR, grid.end - max(HORIZONS) * DAY, 11 * DAY):
            moment = Moment.of(one, at)
            truth = left_after(moment, moment.total, moment.bad)
            spent = left_now(moment) < 0
            came = run_out(truth)
            for name, method in methods.items():
                score = scores[name]
                for days in HORIZONS:
                    found = _ours(moment, terms, days, method)
                    _left(score, days, found.left_expected, truth)
                    assert found.left_low is not None
                    assert found.left_high is not None
                    score.held.setdefault(days, []).append(
                        (found.left_low, found.left_high, float(truth[days * 24 - 1]))
                    )
                if not spent:
                    score.chances.append((found.probability or 0.0, bool(np.isfinite(came))))
                    low, middle, high = (
                        most if one is None else (one - at) / DAY
                        for one in (found.runs_out_low, found.runs_out, found.runs_out_high)
                    )
                    score.brackets.append((low, high, min(came, most)))
                    score.days.append((middle, min(came, most)))
            for name, peer in PEERS.items():
                left, score = peer(moment), scores[name]
                for days in HORIZONS:
                    _left(score, days, float(left[days * 24 - 1]), truth)
                if not spent:
                    score.chances.append((float(np.isfinite(run_out(left))), bool(np.isfinite(came))))
                    score.days.append((min(run_out(left), most), min(came, most)))
    return scores


def _ours(moment: Moment, terms: Terms, days: int, method: Method) -> Outlook:
    future = moment.future
    hours = days * 24
    events = tuple(
        type(event)(event.name, event.start, event.end, event.seconds[:hours])
        for event in future.events
        if event.seconds[:hours].any()
    )
    shorter = Future(future.at, future.quiet_seconds[:hours], events)
    window = Window(rolling=float(WINDOW_DAYS * DAY))
    return outlook(moment.seen, terms, window, shorter, (SERVICE, "availability"), method)[0]


def _left(score: Score, days: int, said: float | None, truth: Floats) -> None:
    assert said is not None
    score.left.setdefault(days, []).append((said, float(truth[days * 24 - 1])))


# --- peaks ----------------------------------------------------------------------------------------------------------


@dataclass
class Peaks:
    """Ratios of forecast and true peaks, as logarithms, of each way; and our intervals."""

    off: dict[str, list[float]] = field(default_factory=dict)
    held: list[tuple[float, float, float]] = field(default_factory=list)


def peaks(seasons: Sequence[Season]) -> Peaks:
    """Every game after the fourth week forecast a day before it begins."""
    found = Peaks()
    capacity = Capacity(requests="requests")
    for one in seasons:
        grid = one.counted.grid
        for game in one.games:
            at = game.start - DAY
            if at < grid.start + 28 * DAY or game.end > grid.end:
                continue
            seen = Seen.of(_cut(one.counted, max(grid.start, at - HISTORY_DAYS * DAY), at), one.games, "UTC", SERVICE)
            [event] = Future.of(at, 48, STEP, [game], [], SERVICE).events
            need = service_need(SERVICE, capacity, seen, event)
            assert need is not None
            truth = float(one.counted.total[grid.slice(game.start, game.end)].max()) / STEP
            rate = need.needs[0]
            before = [burst.peak_rate for burst in seen.bursts]
            same = [burst.peak_rate for burst in seen.bursts if burst.name == game.name] or before
            for name, said in (
                ("usual x burst factor", rate.value),
                ("mean of past peaks", float(np.mean(before))),
                ("the last such game's", same[-1]),
                ("the highest so far", max(before)),
            ):
                found.off.setdefault(name, []).append(abs(float(np.log(said / truth))))
            if rate.low is not None and rate.high is not None:
                found.held.append((rate.low, rate.high, truth))
    return found


# --- the tables -----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulates, forecasts, and prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seasons", type=int, default=24)
    parser.add_argument("--weeks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5000, help="the first season's; each has the next")
    parser.add_argument("--variants", action="store_true", help="also ways of ours that were tried and not kept")
    chosen = parser.parse_args(arguments)
    seasons = [season(chosen.seed + number, chosen.weeks) for number in range(chosen.seasons)]
    methods = {"ours": METHOD}
    if chosen.variants:
        methods |= variants()
    scores = judged(seasons, methods)
    moments = len(scores["ours"].left[HORIZONS[0]])
    print(
        f"{chosen.seasons} seasons of {chosen.weeks} weeks, {moments} moments; {OBJECTIVE:.1%} over {WINDOW_DAYS} days"
    )
    print(
        "\nbudget left, error as a share of the budget: median and mean at 7, 14, 28 days; interval's hits, its score"
    )
    for name, score in scores.items():
        errors = "  ".join(
            f"{median_absolute_error(score.left[days]):6.3f} {mean_absolute_error(score.left[days]):6.2f}"
            for days in HORIZONS
        )
        hits = "  ".join(
            f"{coverage(score.held[days]):4.0%} {interval_score(score.held[days], INTERVAL):6.2f}"
            for days in HORIZONS
            if days in score.held
        )
        print(f"{name:20}  {errors}   {hits}")
    print(
        "\nday the budget runs out (28 where it doesn't): mean error in days, Brier score of whether, interval's hits"
    )
    for name, score in scores.items():
        hits = f"{coverage(score.brackets):5.0%}" if score.brackets else ""
        print(f"{name:20}  {mean_absolute_error(score.days):6.2f}  {brier(score.chances):6.3f}  {hits}")
    found = peaks(seasons)
    print(f"\npeak of {len(found.held)} games, forecast the day before: median error; interval's hits")
    for name, off in found.off.items():
        hits = f"{coverage(found.held):5.0%}" if name.startswith("usual") else ""
        print(f"{name:20}  {np.expm1(np.median(off)):6.1%}  {hits}")


def variants() -> dict[str, Method]:
    """Ways of ours that were tried beside the one that was kept."""
    return {
        "nothing unseen": Method(unseen_cost=0.0),
        "as bad as seen": Method(unseen_cost=0.0, spread=0.0),
    }


if __name__ == "__main__":
    main()
