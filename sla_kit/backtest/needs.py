"""Which samples rules read of a history: the selectors, each with the time from which on it is read; and which rules
surely give nothing where it lacks some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sla_kit.backtest.evaluators import Wanted
from sla_kit.backtest.expressions import Reading, functions, lookback_seconds, readings
from sla_kit.backtest.resolving import Recordings

#: How far an instant selector looks back, and a margin.
_LOOKBACK_SECONDS = 600
#: Functions that give values where there are no series.
_FROM_NOTHING = frozenset(
    (
        "absent", "absent_over_time", "vector", "minute", "hour", "day_of_week", "day_of_month", "day_of_year",
        "days_in_month", "month", "year",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """A selector, as an instant one, and from when on its series are read, epoch seconds."""

    reading: Reading
    begin: float


def needs(own: Wanted, everything: Sequence[Wanted]) -> list[Need]:
    """What any set of rules reads that ``own`` does not record itself: what a history holds under those names was
    recorded by other rules, or by these at another time."""
    found: dict[Reading, float] = {}
    for wanted in everything:
        for expression, first in _evaluated(wanted):
            begin = first - lookback_seconds(expression) - _LOOKBACK_SECONDS
            for each in readings(expression):
                reading = replace(each, start=0, end=0, range="", modifiers="", absent=None)
                if not own.recordings.gives(reading):
                    found[reading] = min(begin, found.get(reading, begin))
    return [Need(reading, begin) for reading, begin in found.items()]


def names_left_out(recordings: Recordings, needed: Sequence[Need]) -> frozenset[str]:
    """What a selector that names no metric must not bring along: the recordings that are made anew."""
    return frozenset(recordings.by_name) - {need.reading.metric for need in needed}


class Emptiness:
    """Which expressions surely give nothing: all that they read is ``lacking`` in the history, and nothing in them, or
    in the rules whose recordings they read, gives values out of nothing."""

    def __init__(self, recordings: Recordings, lacking: frozenset[str]) -> None:
        self._recordings = recordings
        self._lacking = lacking
        self._known: dict[str, bool] = {}

    def of(self, expression: str) -> bool:
        """Whether an expression surely gives nothing."""
        if expression not in self._known:
            self._known[expression] = False  # of rules that read one another in a circle nothing is sure
            reads = readings(expression)
            sure = bool(reads) and not functions(expression) & _FROM_NOTHING
            self._known[expression] = sure and all(map(self._nothing, reads))
        return self._known[expression]

    def _nothing(self, reading: Reading) -> bool:
        if self._recordings.gives(reading):
            return all(self.of(one.rule.expression) for one in self._recordings.by_name[reading.metric])
        return reading.metric in self._lacking


def _evaluated(wanted: Wanted) -> Iterator[tuple[str, float]]:
    """All that is evaluated, and from when on."""
    yield from wanted.expressions
    for node, first in wanted.recordings.begins(wanted.expressions).items():
        yield wanted.recordings.rule(node).rule.expression, first
