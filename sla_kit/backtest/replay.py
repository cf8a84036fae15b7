"""How alerts evolve while their rule is evaluated again and again: inactive, pending, firing, as in Prometheus
(rules/alerting.go, ``AlertingRule.Eval``). Pure: when an expression had a value in, when alerts fired out.

Time is counted in ticks, the evaluations of a rule: tick n is at n x interval seconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Ticks ``first`` to ``last`` at which an expression had a value for one set of labels; ``value`` is that at the
    first."""

    first: int
    last: int
    value: float = 1.0


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert with these labels that began to fire at tick ``since`` and was resolved at ``until`` (None: it still
    fires at the last tick). It was active, that is pending, from ``active``."""

    labels: Labels
    active: int
    since: int
    until: int | None
    value: float


@dataclass(frozen=True, slots=True)
class Timing:
    """What decides when an alert fires, in seconds; ``limit`` is the most alerts that a rule may have (0: any)."""

    interval: int
    pending: float = 0.0
    keep_firing: float = 0.0
    limit: int = 0


class _Ticks:
    """The ticks at which a rule could be evaluated: all from first to last but the failed ones."""

    def __init__(self, first: int, last: int, failed: Sequence[tuple[int, int]]) -> None:
        self.first, self.last = first, last
        merged: list[list[int]] = []
        for low, high in sorted(failed):
            if merged and low <= merged[-1][1] + 1:
                merged[-1][1] = max(high, merged[-1][1])
            else:
                merged.append([low, high])
        self._lows = [low for low, _ in merged]
        self._highs = [high for _, high in merged]

    def at_or_after(self, tick: int) -> int:
        """The first good tick that is not before ``tick``; it may lie beyond the last one."""
        place = bisect_right(self._lows, tick) - 1
        return self._highs[place] + 1 if place >= 0 and tick <= self._highs[place] else tick

    def cut(self, run: Run) -> Run | None:
        """A run without failed ticks at its ends."""
        first = self.at_or_after(max(run.first, self.first))
        last = min(run.last, self.last)
        place = bisect_left(self._highs, last)
        if place < len(self._lows) and self._lows[place] <= last:
            last = self._lows[place] - 1
        return Run(first, last, run.value) if first <= last else None


def replay(
    active: Mapping[Labels, Sequence[Run]],
    timing: Timing,
    first: int,
    last: int,
    failed: Sequence[tuple[int, int]] = (),
) -> list[Fired]:
    """The alerts of one rule that fired while it was evaluated at the ticks ``first`` to ``last``, by when they began.

    ``failed`` are stretches of ticks (both ends in) at which the evaluation itself failed: nothing changes then.
    """
    ticks = _Ticks(first, last, failed)
    if timing.limit:
        return _limited(active, timing, ticks)
    found = [fired for labels, runs in active.items() for fired in _evolved(labels, runs, timing, ticks)]
    return sorted(found, key=lambda fired: (fired.since, fired.labels))


def _evolved(labels: Labels, runs: Sequence[Run], timing: Timing, ticks: _Ticks) -> list[Fired]:
    """One alert over time. Its state after the last run that was looked at is what the variables hold."""
    found: list[Fired] = []
    active = since = -1
    value = 0.0
    for run, gone in _joined(runs, ticks):
        if since < 0:  # neither firing nor kept firing: it becomes active anew
            active, value = run.first, run.value
            fires = ticks.at_or_after(active + _ticks(timing.pending, timing.interval))
            if fires > run.last:
                continue
            since = fires
        # From the tick gone[0] on it is kept firing; it goes on if it is back by the tick that would end it.
        resolved = ticks.at_or_after(gone[0] + _ticks(timing.keep_firing, timing.interval))
        if gone[1] is not None and gone[1] <= resolved:
            continue
        until = resolved if resolved <= ticks.last else None
        found.append(Fired(labels, active, since, until, value))
        since = -1
    return found


def _ticks(seconds: float, interval: int) -> int:
    """How many ticks until at least so many seconds have gone by."""
    return max(0, -int(-seconds // interval))


def _joined(runs: Sequence[Run], ticks: _Ticks) -> list[tuple[Run, tuple[int, int | None]]]:
    """The runs, those as one between which no evaluation succeeded; each with the first tick at which the alert is
    known to be gone, and with that at which it comes back (None: never)."""
    whole: list[Run] = []
    for run in sorted(runs, key=lambda one: one.first):
        cut = ticks.cut(run)
        if cut is None:
            continue
        if whole and ticks.at_or_after(whole[-1].last + 1) >= cut.first:
            whole[-1] = Run(whole[-1].first, max(whole[-1].last, cut.last), whole[-1].value)
        else:
            whole.append(cut)
    after: list[int | None] = [run.first for run in whole]
    return [
        (run, (ticks.at_or_after(run.last + 1), back)) for run, back in zip(whole, [*after[1:], None], strict=False)
    ]


@dataclass(slots=True)
class _Alert:
    """An alert in the making, as Prometheus keeps it."""

    active: int
    value: float
    since: int = -1
    gone: int = -1


def _limited(active: Mapping[Labels, Sequence[Run]], timing: Timing, ticks: _Ticks) -> list[Fired]:
    """The same tick by tick, for a rule that may have only so many alerts: one more, and it loses all of them."""
    found: list[Fired] = []
    alerts: dict[Labels, _Alert] = {}
    pending, keep = _ticks(timing.pending, timing.interval), _ticks(timing.keep_firing, timing.interval)
    edges = {tick for runs in active.values() for run in runs for tick in (run.first, run.last + 1)}
    tick = ticks.at_or_after(ticks.first)
    ordered = sorted(edges)
    while tick <= ticks.last:
        present = {labels: run for labels, runs in active.items() for run in runs if run.first <= tick <= run.last}
        if not present and not alerts:  # nothing until something begins
            place = bisect_right(ordered, tick)
            if place >= len(ordered):
                break
            tick = ticks.at_or_after(ordered[place])
            continue
        for labels, run in present.items():
            alerts.setdefault(labels, _Alert(tick, run.value)).gone = -1
        for labels, alert in list(alerts.items()):
            if labels not in present:
                alert.gone = tick if alert.gone < 0 else alert.gone
                if alert.since < 0 or tick - alert.gone >= keep:
                    del alerts[labels]
                    if alert.since >= 0:
                        found.append(Fired(labels, alert.active, alert.since, tick, alert.value))
            if labels in alerts and alert.since < 0 and tick - alert.active >= pending:
                alert.since = tick
        if len(alerts) > timing.limit:
            # Those that had fired before this tick are gone with it.
            found += [Fired(labels, one.active, one.since, tick, one.value)
                      for labels, one in alerts.items() if 0 <= one.since < tick]  # fmt: skip
            alerts = {}
        tick = ticks.at_or_after(tick + 1)
    found += [Fired(labels, one.active, one.since, None, one.value)
              for labels, one in alerts.items() if one.since >= 0]  # fmt: skip
    return sorted(found, key=lambda fired: (fired.since, fired.labels))
