"""The two sides of an indicator, all of its events and the bad ones, as PromQL over any length of time.

Where the good ones are declared, the bad ones are the rest, told before anything is recorded: a share of good events
from two series that were not recorded at exactly the same moments would be off by more than most objectives allow.

What PromQL can't tell apart from the engine's own counting (docs/design.md) is small; the tests hold both together.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from sla_kit.catalogue.model import (
    Bound,
    Catalogue,
    Freshness,
    LastDuration,
    Latency,
    Probe,
    Promql,
    Requests,
    Service,
    Sli,
    Slo,
)
from sla_kit.configuration.quantities import format_duration
from sla_kit.selectors import Selector, quote, side_of

#: Longer texts than this are no label's value; their digest is.
_LONGEST = 200
#: How often a state that has no history of its own is looked at, where a longer time of it is asked for. In seconds.
STATE_STEP = 60


class Side(msgspec.Struct, frozen=True):
    """Some events of an indicator. ``name`` says which in as few words as PromQL allows, and so is another as soon as
    they are: it is the label under which they are recorded.

    ``rate(seconds)`` is PromQL for events a second over the last so many seconds, without labels. What is no count of
    events (a state, looked at again and again) is 1 or 0 a second. ``bucket(seconds)`` is the number of events in the
    last so many seconds, such that those of buckets which follow each other add up. ``selectors`` are the series it
    reads. What happens during the maintenance of the service ``apart`` is not recorded.
    """

    name: str
    rate: Callable[[int], str]
    bucket: Callable[[int], str]
    selectors: tuple[str, ...]
    apart: str = ""


class Sides(msgspec.Struct, frozen=True):
    """An indicator as all of its events and the bad ones. ``events`` tells whether events are counted, rather than
    time; ``needed`` are series without which everything would seem to be bad, or nothing can be told."""

    total: Side
    bad: Side
    events: bool
    needed: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What is equal for indicators whose recordings are the same."""
        return self.total.name, self.bad.name


def sides_of(catalogue: Catalogue, service: Service, slo: Slo, sli: Sli) -> Sides | None:
    """The sides of an SLO's indicator as its budget counts them; None for what is made of other SLOs, and for
    indicators of sources that are no Prometheus."""
    sides = _plain(catalogue, sli)
    if sides is None:
        return None
    counted = isinstance(sli, Requests | Latency | Promql)
    budgeting = slo.budgeting or ("occurrences" if counted else "timeslices")
    if budgeting != "occurrences" and not isinstance(sli, Freshness | LastDuration | Bound):
        # A rate needs two samples, and is worth something from four on.
        shortest = int(-(-4 * catalogue.monitoring.scrape_interval // 1))
        length = max(int(slo.slice or catalogue.bucket), shortest if counted else 0)
        sides = _sliced(sides, length, slo, budgeting == "timeslices")
    if is_maintained(catalogue, service):
        total, bad = (
            replace(side, name=f"{side.name} outside maintenance of {service.name}", apart=service.name)
            for side in (sides.total, sides.bad)
        )
        sides = replace(sides, total=total, bad=bad)
    return sides


def is_maintained(catalogue: Catalogue, service: Service) -> bool:
    """Whether the calendar has maintenance of a service."""
    planned = catalogue.calendar.maintenance
    return bool(planned) and any(not each.services or service.name in each.services for each in planned)


def _plain(catalogue: Catalogue, sli: Sli) -> Sides | None:
    match sli:
        case Requests():
            side = side_of(sli)
            everything = Selector.of(sli.metric, sli.matchers).promql()
            total = _counter(everything, everything)
            other = _never_missing(
                _counter(Selector.of(side.metric, sli.matchers, side.matchers).promql(), everything), total
            )
            if side.name == "good":
                return Sides(total, _rest(total, other), True, other.selectors)
            return Sides(total, replace(other, name=_named(f"{other.name} of {total.name}")), True)
        case Latency(native=False):
            everything = Selector.of(sli.metric + "_count", sli.matchers).promql()
            total = _counter(everything, everything)
            bound = sli.threshold / sli.unit_seconds
            under = Selector.of(sli.metric + "_bucket", sli.matchers, {"le": _le(bound)}).promql()
            fast = _counter(under, everything)
            return Sides(total, _rest(total, fast), True, fast.selectors)
        case Latency():
            return _native(sli)
        case Probe():
            return _probe(sli)
        case Promql():
            events = _expression(sli.total)
            chosen = _or_nothing(_expression(sli.good if sli.good is not None else sli.bad or ""), events)
            if sli.good is not None:
                return Sides(events, _rest(events, chosen), True, chosen.selectors)
            return Sides(events, replace(chosen, name=_named(f"{chosen.name} of {events.name}")), True)
        case Freshness():
            selector = Selector.of(sli.metric, sli.matchers).promql()
            newest = f"{'max' if sli.combine == 'newest' else 'min'}({selector})"
            return _state(f"(time() - {newest}) > bool {_number(sli.max_age)}", f"group({selector})", (selector,))
        case LastDuration():
            selector = Selector.of(sli.metric, sli.matchers).promql()
            return _state(f"max({selector}) > bool {_number(sli.max)}", f"group({selector})", (selector,))
        case Bound():
            return _bound(catalogue, sli)
        case _:
            return None


def _counter(selector: str, process: str) -> Side:
    """A counter; ``process`` are series that each of its processes has for as long as it runs."""

    def bucket(seconds: int) -> str:
        # What the engine does (docs/design.md): the highest sample of a bucket less that of the one before, and all of
        # it after a reset, or where its process was there before it; of a new process what it has grown by since it was
        # first seen. Rates lose what happens in a gap at a bucket's edge, and what a new series begins with.
        length = promql_duration(seconds)
        high, before = f"max_over_time({selector}[{length}])", f"max_over_time({selector}[{length}] offset {length})"
        known = f"max_over_time({process}[{length}] offset {length})"
        grown = f"({high} - min_over_time({selector}[{length}]))"
        return f"sum(\n  ({high} - {before} >= 0)\n  or\n  ({high} and on (job, instance) {known})\n  or\n  {grown}\n)"

    return Side(
        _named(selector), lambda seconds: f"sum(rate({selector}[{promql_duration(seconds)}]))", bucket, (selector,)
    )


def _never_missing(other: Side, total: Side) -> Side:
    """A side that is 0 where there are events but none of its series yet: the first error makes them."""

    def bucket(seconds: int) -> str:
        there = f"sum(max_over_time({total.selectors[0]}[{promql_duration(seconds)}]))"
        return f"({other.bucket(seconds)} or 0 * {there})"

    return Side(
        other.name,
        lambda seconds: f"({other.rate(seconds)} or 0 * {total.rate(seconds)})",
        bucket,
        other.selectors,
    )


def _rest(total: Side, good: Side) -> Side:
    """The bad events, where the good ones are told."""

    def rate(seconds: int) -> str:
        return f"clamp_min(sum({total.rate(seconds)}) - {good.rate(seconds)}, 0)"

    def bucket(seconds: int) -> str:
        return f"clamp_min(sum({total.bucket(seconds)}) - {good.bucket(seconds)}, 0)"

    return Side(_named(f"{total.name} - {good.name}"), rate, bucket, good.selectors)


def _or_nothing(other: Side, total: Side) -> Side:
    """An expression that is 0 where there are events but it has no value, as the engine reads it."""

    def rate(seconds: int) -> str:
        return f"(sum({other.rate(seconds)}) or 0 * sum({total.rate(seconds)}))"

    return Side(other.name, rate, _minutes(rate), other.selectors)


def _minutes(rate: Callable[[int], str]) -> Callable[[int], str]:
    """The number of events in a bucket as the sum of the rates of each minute in it."""

    def bucket(seconds: int) -> str:
        step = promql_duration(STATE_STEP)
        return f"sum_over_time(({rate(5 * STATE_STEP)})[{_without_begin(seconds)}:{step}]) * {STATE_STEP}"

    return bucket


def _native(sli: Latency) -> Sides:
    selector = Selector.of(sli.metric, sli.matchers).promql()
    bound = _number(sli.threshold / sli.unit_seconds)

    def count(seconds: int) -> str:
        return f"histogram_count(sum(rate({selector}[{promql_duration(seconds)}])))"

    def fast(seconds: int) -> str:
        rate = f"sum(rate({selector}[{promql_duration(seconds)}]))"
        # Without observations the fraction is no number, which would spoil every sum that it is in.
        return f"((histogram_fraction(0, {bound}, {rate}) >= 0) * histogram_count({rate}) or 0 * {count(seconds)})"

    total = Side(_named(selector), count, lambda seconds: f"{count(seconds)} * {seconds}", (selector,))
    under = Side(_named(f"{selector} <= {bound}"), fast, lambda seconds: f"{fast(seconds)} * {seconds}", (selector,))
    return Sides(total, _rest(total, under), True)


def _probe(sli: Probe) -> Sides:
    selector = Selector.of(sli.metric, sli.matchers).promql()
    if sli.combine != "mean":
        best = f"{'max' if sli.combine == 'any' else 'min'}({selector})"
        return _state(f"1 - {best}", f"group({selector})", (selector,))

    def total(seconds: int) -> str:
        return f"sum(count_over_time({selector}[{_without_begin(seconds)}])) / {seconds}"

    def good(seconds: int) -> str:
        return f"sum(sum_over_time({selector}[{_without_begin(seconds)}])) / {seconds}"

    every = Side(_named(f"samples of {selector}"), total, lambda seconds: f"{total(seconds)} * {seconds}", (selector,))
    up = Side(_named(selector), good, lambda seconds: f"{good(seconds)} * {seconds}", (selector,))
    return Sides(every, _rest(every, up), False)


def _bound(catalogue: Catalogue, sli: Bound) -> Sides:
    if sli.promql:
        value = f"({sli.promql.strip().replace('$window', promql_duration(int(catalogue.bucket)))})"
        known, selectors = f"({value} < bool 0) * 0 + 1", (value,)
    else:
        selector = Selector.of(sli.metric, sli.matchers).promql()
        combine = {"max": "max", "min": "min", "mean": "avg", "sum": "sum"}[sli.combine]
        value, known, selectors = f"{combine}({selector})", f"group({selector})", (selector,)
    limits = (
        ("<", sli.min),
        (">", sli.max),
        ("<=", sli.above),
        (">=", sli.below),
    )
    broken = [f"({value} {operator} bool {_number(limit)})" for operator, limit in limits if limit is not None]
    return _state(" + ".join(broken), known, selectors)


def _state(bad: str, known: str, selectors: tuple[str, ...]) -> Sides:
    """What is bad or not at any moment, and known or not."""

    def over(expression: str) -> Callable[[int], str]:
        def rate(seconds: int) -> str:
            if seconds <= 5 * STATE_STEP:
                return f"({expression})"
            return f"avg_over_time(({expression})[{_without_begin(seconds)}:{promql_duration(STATE_STEP)}])"

        return rate

    what, digest = _named(selectors[0]), hashlib.sha256(f"{bad} of {known}".encode()).hexdigest()[:8]
    return Sides(
        Side(f"{what} known #{digest}", over(known), _minutes(over(known)), selectors),
        Side(f"{what} bad #{digest}", over(bad), _minutes(over(bad)), selectors),
        events=False,
    )


def _expression(text: str) -> Side:
    text = text.strip()

    def rate(seconds: int) -> str:
        return f"({text.replace('$window', promql_duration(seconds))}) / {seconds}"

    return Side(_named(text), rate, _minutes(rate), (text.replace("$window", promql_duration(300)),))


def _sliced(plain: Sides, slice_seconds: int, slo: Slo, whole: bool) -> Sides:
    """Slices of time in place of events: one is bad where too few of its events are good, or by the share that is."""
    total = plain.total.rate(slice_seconds)
    ratio = f"{plain.bad.rate(slice_seconds)} / ({total} > 0)"
    tolerated = 0.0 if slo.slice_target is None else 1.0 - slo.slice_target
    bad = f"({ratio}) > bool {tolerated + 1e-12:.12g}" if whole else ratio
    return _state(bad, f"({total} > 0) * 0 + 1", plain.total.selectors)


def _le(bound: float) -> str | list[str]:
    """A bucket's bound as client libraries write it: 1 is "1" and "1.0", and Prometheus 3 makes "1.0" of both."""
    short = f"{bound:g}" if float(f"{bound:g}") == bound else repr(bound)
    spelled = dict.fromkeys((short, repr(float(bound)), f"{bound:.1f}" if bound == int(bound) else short))
    return list(spelled) if len(spelled) > 1 else short


def _named(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:60]}… {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


@lru_cache(maxsize=4096)
def promql_duration(seconds: float) -> str:
    """A length of time as PromQL writes it."""
    written = format_duration(seconds)
    return written if isinstance(written, str) else f"{round(seconds * 1000)}ms"


def _without_begin(seconds: int) -> str:
    """A range as PromQL writes it, without its very first moment: Prometheus 2 counts what is there in the range before
    as well."""
    return f"{seconds * 1000 - 1}ms"


def events_matcher(side: Side) -> str:
    """The matcher of the recordings of a side."""
    return _events(side.name)


@lru_cache(maxsize=4096)
def _events(name: str) -> str:
    return f"{{events={quote(name)}}}"
