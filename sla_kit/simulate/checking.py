"""What a scenario's numbers must be like, so that it can be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from math import isfinite
from typing import TypeVar

from sla_kit.simulate.scenario import Counter, Distribution, Gauge, Job, Latency, Scenario, Span, Workload

_T = TypeVar("_T")

#: Requests of one pod in one scrape interval; more than this is a slip of the pen, and ends numpy's Poisson numbers.
_MOST_AT_ONCE = 1e15
_MOST_PODS = 10_000
#: Steps of a scenario: ten years at a scrape a minute.
_MOST_STEPS = 6_000_000

#: Where it is wrong ("services[0].rps"), and what is.
Fault = tuple[str, str]


def faults(scenario: Scenario) -> Iterator[Fault]:
    """Everything in a scenario that can't be drawn, in its order."""
    yield from _number("start", scenario.start)
    if not 0 <= scenario.seed < 2**63:
        yield "seed", f"{scenario.seed} is no seed; it must be 0 or more"
    if not 1 <= scenario.scrape_interval <= 86400:
        yield "scrape_interval", f"{scenario.scrape_interval:g} s is not from a second to a day"
    elif not scenario.scrape_interval <= scenario.days * 86400 <= scenario.scrape_interval * _MOST_STEPS:
        yield "days", f"{scenario.days:g} must be a scrape interval or more, and {_MOST_STEPS:,} of them at most"
    for place, burst in _each("events", scenario.events):
        yield from _span(place, burst)
        yield from _number(f"{place}.factor", burst.factor, least=0)
        yield from _number(f"{place}.ramp", burst.ramp, least=0)
    names = [service.name for service in scenario.services]
    for place, gap in _each("gaps", scenario.gaps):
        yield from _span(place, gap)
        for name in gap.services:
            if name not in names:
                yield f"{place}.services", f"the scenario has no service {name!r}"
    for place, service in _each("services", scenario.services):
        if names.count(service.name) > 1:
            yield f"{place}.name", f"two services have the same name, {service.name!r}"
        yield from _workload(place, service)
    peak = max((burst.factor for burst in scenario.events), default=1.0)
    for place, service in _each("services", scenario.services):
        grown = (1 + min(max(service.growth, 0.0), 1.0)) ** min(scenario.days / 7, 600.0)
        most = service.rps * max(service.weekend, 1.0) * 2 * max(peak, 1.0) * grown * scenario.scrape_interval
        if not most <= _MOST_AT_ONCE:
            yield f"{place}.rps", f"{most:.3g} requests in one scrape interval are too many to draw"
    for place, probe in _each("probes", scenario.probes):
        for at, down in _each(f"{place}.down", probe.down):
            yield from _span(at, down)
    measured: list[tuple[str, Gauge | Counter | Distribution]] = [
        *_each("gauges", scenario.gauges),
        *_each("counters", scenario.counters),
        *_each("histograms", scenario.histograms),
    ]
    for place, one in measured:
        yield from _measured(place, one)
        if one.service and one.service not in names:
            yield f"{place}.service", f"the scenario has no service {one.service!r}"
    for place, job in _each("jobs", scenario.jobs):
        yield from _job(place, job, int(scenario.start // 86400) if isfinite(scenario.start) else 0)


def _workload(place: str, service: Workload) -> Iterator[Fault]:
    yield from _number(f"{place}.rps", service.rps, least=0)
    yield from _number(f"{place}.daily", service.daily, least=0, most=1)
    yield from _number(f"{place}.weekend", service.weekend, least=0)
    yield from _number(f"{place}.error_ratio", service.error_ratio, least=0, most=1)
    yield from _number(f"{place}.growth", service.growth, least=-0.5, most=1)
    if not 1 <= service.pods <= service.pods_most <= _MOST_PODS:
        yield f"{place}.pods", f"pods must be 1 or more, and pods_most not fewer, nor above {_MOST_PODS:,}"
    if not service.pod_rps > 0:
        yield f"{place}.pod_rps", f"{service.pod_rps:g} must be above 0"
    for label, shares in [("codes", service.codes), *((f"split.{key}", one) for key, one in service.split.items())]:
        if not abs(sum(shares.values()) - 1) <= 1e-6 or min(shares.values(), default=0) < 0:
            yield f"{place}.{label}", "the shares must be 0 or more, and add up to 1"
    for label in {service.instance_label, service.status_label} & {*service.labels, *service.split}:
        yield place, f"the label {label!r} is given twice"
    for label in sorted(set(service.labels) & set(service.split)):
        yield f"{place}.split", f"the label {label!r} is also among labels"
    for at, outage in _each(f"{place}.outages", service.outages):
        yield from _span(at, outage)
        yield from _number(f"{at}.error_ratio", outage.error_ratio, least=0, most=1)
    for at, slowdown in _each(f"{place}.slowdowns", service.slowdowns):
        yield from _span(at, slowdown)
        if not (isfinite(slowdown.factor) and slowdown.factor > 0):
            yield f"{at}.factor", f"{slowdown.factor:g} must be above 0"
    for at, restart in _each(f"{place}.restarts", service.restarts):
        yield from _number(f"{at}.at", restart.at)
        if not 0 <= restart.pod < service.pods:
            yield f"{at}.pod", f"{restart.pod} must be one of the {service.pods} that are always there, from 0"
    if service.latency is not None:
        yield from _latency(f"{place}.latency", service.latency)


def _latency(place: str, latency: Latency | Distribution) -> Iterator[Fault]:
    if not 0 < latency.median < latency.p95 < float("inf"):
        yield place, "the median must be above 0 and below the p95"
    rising = all(low < high for low, high in pairwise([0.0, *latency.bounds, float("inf")]))
    if not latency.bounds or not rising:
        yield f"{place}.bounds", "the bounds must rise, from above 0; +Inf is added to them"


def _measured(place: str, one: Gauge | Counter | Distribution) -> Iterator[Fault]:
    # What is counted can't become less.
    least = float("-inf") if isinstance(one, Gauge) else 0.0
    yield from _number(f"{place}.value", one.value, least)
    yield from _number(f"{place}.noise", one.noise, least=0)
    yield from _number(f"{place}.daily", one.daily, least=0, most=1)
    yield from _number(f"{place}.per_pod", one.per_pod, least)
    yield from _number(f"{place}.per_rps", one.per_rps, least)
    yield from _number(f"{place}.hours", one.hours, least=0)
    for at, excursion in _each(f"{place}.excursions", one.excursions):
        yield from _span(at, excursion)
        yield from _number(f"{at}.value", excursion.value, least)
    for at, span in _each(f"{place}.during", one.during):
        yield from _span(at, span)
    match one:
        case Gauge():
            yield from _number(f"{place}.grows", one.grows)
            yield from _number(f"{place}.age", one.age or 0.0)
        case Counter():
            yield from _number(f"{place}.started", one.started, least=0)
        case Distribution():
            yield from _latency(place, one)


def _job(place: str, job: Job, first_day: int) -> Iterator[Fault]:
    if job.every < 1:
        yield f"{place}.every", f"{job.every} must be a day or more"
        return
    yield from _number(f"{place}.hour", job.hour, least=0, most=24)
    yield from _number(f"{place}.seconds", job.seconds, least=0)
    days = [(f"{place}.missed[{number}]", day) for number, day in enumerate(job.missed)]
    for at, run in _each(f"{place}.unusual", job.unusual):
        yield from _number(f"{at}.seconds", run.seconds, least=0)
        days.append((f"{at}.day", run.day))
    for at, day in days:
        try:
            number = date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()
        except ValueError:
            yield at, f"{day!r} is no date; write 2026-09-01"
            continue
        # Else a day that was meant to be special would silently be like any other.
        if (number - first_day) % job.every:
            yield at, f"the job does not run on {day}: it does every {job.every} days from the scenario's first"


def _span(place: str, span: Span) -> Iterator[Fault]:
    yield from _number(f"{place}.start", span.start)
    yield from _number(f"{place}.length", span.length, least=0)


def _number(place: str, value: float, least: float = float("-inf"), most: float = float("inf")) -> Iterator[Fault]:
    if not isfinite(value):
        yield place, f"{value} is no number to draw with"
    elif not least <= value <= most:
        yield (
            place,
            f"{value:g} must be {least:g} or more" + ("" if most == float("inf") else f", and {most:g} at most"),
        )


def _each(place: str, items: Sequence[_T]) -> Iterable[tuple[str, _T]]:
    return ((f"{place}[{number}]", item) for number, item in enumerate(items))
