"""What is recorded of an indicator: its events, once, and from them its error ratio over every window that is read.

Sums of both sides are divided last, so that a busy hour weighs what it should. Windows up to six hours are sums of the
rates over five minutes, recorded at every evaluation; longer ones are sums of buckets that follow each other, recorded
as seldom as each bucket is long. Both are recorded straight from samples, so that promtool backfills them in one pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from sla_kit.rules.calendar import MAINTENANCE
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.sides import Side, Sides, events_matcher, promql_duration
from sla_kit.selectors import quote

#: Over how long the rates are taken that short windows are sums of, in seconds.
RATE_SECONDS = 300
#: The longest window that is a sum of them.
SHORT_SECONDS = 6 * 3600
#: About as many buckets a long window is a sum of.
_BUCKETS = 2880
_LENGTHS = (300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600)

#: Over at least how many seconds one looks for maintenance, which is recorded at every evaluation.
_LEAST_MAINTENANCE = 120
#: Around maintenance that is left out buckets are no longer than this, since a bucket that holds some of it is lost.
LONGEST_APART = 900

RATE = f"sla:events:rate{promql_duration(RATE_SECONDS)}"


class Recorded(msgspec.Struct, frozen=True):
    """One indicator as it is recorded. ``name`` is the ``sli`` label of its error ratios, ``bucket`` the length in
    seconds of the buckets that its long windows are sums of."""

    name: str
    sides: Sides
    windows: tuple[int, ...]
    bucket: int

    @property
    def short(self) -> tuple[int, ...]:
        """The windows that are sums of rates, or, shorter than those, rates themselves."""
        return tuple(seconds for seconds in self.windows if seconds <= SHORT_SECONDS)

    @property
    def long(self) -> tuple[int, ...]:
        """The windows that are sums of buckets."""
        return tuple(seconds for seconds in self.windows if seconds > SHORT_SECONDS)


def bucket_of(windows: Iterable[int]) -> int:
    """How long the buckets are that the longest of some windows is a sum of: the length that makes 2,880 of them, or
    the next shorter usual one, and at least five minutes."""
    wanted = max(windows, default=0) / _BUCKETS
    return max((length for length in _LENGTHS if length <= wanted), default=_LENGTHS[0])


@lru_cache(maxsize=64)
def increase_name(bucket: int) -> str:
    """The name under which a bucket's events are recorded."""
    return f"sla:events:increase{promql_duration(bucket)}"


@lru_cache(maxsize=1024)
def ratio_name(seconds: int) -> str:
    """The name under which the error ratio over a window is recorded."""
    return f"sla:error_ratio:{promql_duration(seconds)}"


def ratio_series(name: str, seconds: int) -> str:
    """The error ratio of an indicator over a window, as alerts and dashboards read it."""
    return f"{ratio_name(seconds)}{{sli={quote(name)}}}"


def rate_rule(side: Side) -> RecordingRule:
    """The events a second of one side, at every evaluation."""
    return RecordingRule(RATE, _apart(side, side.rate(RATE_SECONDS), RATE_SECONDS), {"events": side.name})


def bucket_rule(side: Side, bucket: int) -> RecordingRule:
    """The events of one side in each bucket."""
    return RecordingRule(increase_name(bucket), _apart(side, side.bucket(bucket), bucket), {"events": side.name})


def needs_rates(recorded: Recorded) -> bool:
    """Whether any window is a sum of rates."""
    return any(RATE_SECONDS <= seconds <= SHORT_SECONDS for seconds in recorded.windows)


def ratio_rule(recorded: Recorded, seconds: int, fallback: bool) -> RecordingRule:
    """The error ratio over one window, once it has been recorded for so long; ``fallback`` takes the one from raw
    samples until then."""
    sides = recorded.sides
    if seconds <= RATE_SECONDS:
        total, bad = (_rate(side, seconds) for side in (sides.total, sides.bad))
        return RecordingRule(ratio_name(seconds), divided(total, bad), {"sli": recorded.name})
    total, bad = (summed(recorded, side, seconds) for side in (sides.total, sides.bad))
    expression = f"{divided(total, bad)}\nand on () {filled(recorded, seconds)}"
    if fallback:
        direct = f"sla:error_ratio_direct:{promql_duration(seconds)}{{sli={quote(recorded.name)}}}"
        expression = f"(\n{expression}\n)\nor sum({direct})"
    return RecordingRule(ratio_name(seconds), expression, {"sli": recorded.name})


def direct_rule(recorded: Recorded, seconds: int) -> RecordingRule:
    """The error ratio over one window from raw samples, for as long as it has not been recorded that long."""
    sides = recorded.sides
    expression = divided(sides.total.rate(seconds), sides.bad.rate(seconds))
    return RecordingRule(
        f"sla:error_ratio_direct:{promql_duration(seconds)}",
        f"{expression}\nunless on () {filled(recorded, seconds)}",
        {"sli": recorded.name},
    )


def divided(total: str, bad: str) -> str:
    """The share of bad events, of two sums without labels; nothing where there are no events."""
    return f"{bad}\n/\n({total} > 0)"


def summed(recorded: Recorded, side: Side, seconds: int) -> str:
    """The recorded events of a side over a window, in a unit that is the same for both sides."""
    return f"sum(sum_over_time({_series(recorded, side, seconds)}[{promql_duration(seconds)}]))"


def bad_events(recorded: Recorded, seconds: int) -> str:
    """How many bad events there were over a window."""
    side = recorded.sides.bad
    if seconds <= RATE_SECONDS:
        return f"{_rate(side, seconds)} * {seconds}"
    if seconds <= SHORT_SECONDS:
        return f"sum(avg_over_time({_series(recorded, side, seconds)}[{promql_duration(seconds)}])) * {seconds}"
    return summed(recorded, side, seconds)


def filled(recorded: Recorded, seconds: int) -> str:
    """Whether a window has been recorded that long: something of its oldest tenth is there. (That all of it is there
    would be too much to ask: one outage of Prometheus would silence the window for as long as it is.)

    Bad events are looked for: they are recorded only where all events are, and are another series as soon as either
    side of the indicator is another, though the total may have been recorded for long.
    """
    side = recorded.sides.bad
    oldest = max(seconds // 10, _spacing(recorded, seconds))
    offset = promql_duration(seconds - oldest)
    there = f"present_over_time({_series(recorded, side, seconds)}[{promql_duration(oldest)}] offset {offset})"
    if not side.apart:
        return there
    # What maintenance left out is not missing.
    length = oldest + (RATE_SECONDS if seconds <= SHORT_SECONDS else recorded.bucket)
    return f"({there} or on () {maintained(side, length, f' offset {offset}')})"


def _apart(side: Side, expression: str, seconds: int) -> str:
    """The events of so many seconds, unless there was maintenance in them that does not count."""
    return f"{expression}\nunless on () {maintained(side, seconds)}" if side.apart else expression


def maintained(side: Side, seconds: int, offset: str = "") -> str:
    """PromQL that has a value where there was maintenance that a side leaves out in the last so many seconds."""
    length = promql_duration(max(seconds, _LEAST_MAINTENANCE))
    return f"present_over_time({MAINTENANCE}{{service={quote(side.apart)}}}[{length}]{offset})"


def _rate(side: Side, seconds: int) -> str:
    """Events a second: as recorded where that is the window, and from samples for shorter ones."""
    if seconds == RATE_SECONDS:
        return f"sum({RATE}{events_matcher(side)})"
    return f"({_apart(side, side.rate(seconds), seconds)})" if side.apart else side.rate(seconds)


def _series(recorded: Recorded, side: Side, seconds: int) -> str:
    name = RATE if seconds <= SHORT_SECONDS else increase_name(recorded.bucket)
    return f"{name}{events_matcher(side)}"


def _spacing(recorded: Recorded, seconds: int) -> int:
    """How far apart two samples of what a window is a sum of may be, and a little more."""
    return 120 if seconds <= SHORT_SECONDS else recorded.bucket * 2
