"""Two evaluations against each other: what changed of each SLO, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from sla_kit.engine.figures import wilson


@dataclass(frozen=True, slots=True)
class Standing:
    """One SLO as one evaluation saw it. ``counted`` is whether its events were counted one by one, ``value`` the
    measured figure (a latency's quantile in seconds)."""

    service: str
    slo: str
    kind: str
    unit: str
    objective: float
    sli: float | None
    bad: float
    total: float
    counted: bool
    met: bool | None
    budget_left_ratio: float | None
    value: float | None
    quantile: float | None
    incidents: int

    @property
    def key(self) -> tuple[str, str]:
        """Service and name."""
        return self.service, self.slo


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two evaluations: whose it is, over which window (times are epoch seconds), and its SLOs."""

    catalogue: str
    environment: str
    window: str
    start: int
    end: int
    timezone: str
    slos: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One SLO on both sides, None where a side lacks it."""

    first: Standing | None
    second: Standing | None

    @property
    def named(self) -> Standing:
        """Whichever side has it, the second before the first."""
        found = self.second if self.second is not None else self.first
        assert found is not None, "a change has a side"
        return found

    @property
    def sli(self) -> float | None:
        """The second SLI less the first."""
        if self.first is None or self.second is None or self.first.sli is None or self.second.sli is None:
            return None
        return self.second.sli - self.first.sli

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of that difference, for events that are counted one by one."""
        one, two = self.first, self.second
        if one is None or two is None or not (one.counted and two.counted and one.total > 0 and two.total > 0):
            return None
        return difference(two.total - two.bad, two.total, one.total - one.bad, one.total)

    @property
    def beyond_chance(self) -> bool | None:
        """Whether the interval leaves out no change at all; None where there is none."""
        interval = self.interval
        return None if interval is None else interval[0] > 0 or interval[1] < 0

    @property
    def in_budgets(self) -> float | None:
        """The change as a multiple of the errors that the objective allows: -1 is a whole error budget worse."""
        change = self.sli
        return None if change is None else change / (1 - self.named.objective)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two evaluations and what changed, the worst change first; what stands on one side only is at the end."""

    first: Side
    second: Side
    changes: tuple[Change, ...]


def compare(first: Side, second: Side) -> Comparison:
    """What changed from the first evaluation to the second."""
    earlier = {standing.key: standing for standing in first.slos}
    later = {standing.key: standing for standing in second.slos}
    changes = [Change(earlier.get(key), later.get(key)) for key in dict.fromkeys([*later, *earlier])]
    return Comparison(first, second, tuple(_worst_first(changes)))


def difference(good: float, total: float, good_before: float, total_before: float) -> tuple[float, float]:
    """The 95 % interval of good/total less good_before/total_before, -1 to 1: the hybrid score interval, method 10 of
    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17 (1998), made of the Wilson intervals of both."""
    now, before = good / total, good_before / total_before
    low, high = wilson(good, total)
    low_before, high_before = wilson(good_before, total_before)
    change = now - before
    return (
        change - sqrt((now - low) ** 2 + (high_before - before) ** 2),
        change + sqrt((high - now) ** 2 + (before - low_before) ** 2),
    )


def _worst_first(changes: Sequence[Change]) -> list[Change]:
    def rank(change: Change) -> tuple[bool, bool, float, tuple[str, str]]:
        both = change.first is not None and change.second is not None
        moved = change.in_budgets
        return not both, moved is None, 0.0 if moved is None else moved, change.named.key

    return sorted(changes, key=rank)
