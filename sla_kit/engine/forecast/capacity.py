"""What a coming live event needs of a service at its peak, from the peaks of past ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np

from sla_kit.catalogue.model import Capacity, Resource
from sla_kit.engine.forecast.bursts import Burst, alike, touched_hours
from sla_kit.engine.forecast.courses import Seen
from sla_kit.engine.forecast.hours import DAY_HOURS, HOUR, Coming
from sla_kit.engine.forecast.results import INTERVAL, Need, ServiceNeed
from sla_kit.timeline import Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, None where nothing tells how far it may be off."""

    value: float
    low: float | None
    high: float | None


def service_need(
    service: str,
    capacity: Capacity,
    seen: Seen,
    event: Coming,
    *,
    pods: Floats | None = None,
    connections: Floats | None = None,
) -> ServiceNeed | None:
    """What a service needs for a coming event; None where it has no traffic to go by.

    ``seen`` is of the indicator that counts the service's requests; ``pods`` and ``connections`` are the declared
    gauges on the same grid, (grid.count,), NaN where unknown.
    """
    usual_peak = float(seen.usual.rate(touched_hours(event.start, event.end)).max())
    if usual_peak <= 0:
        return None
    past = [burst for burst in alike(seen.bursts, event) if burst.factor is not None]
    factor = burst_factor([burst.factor or 1.0 for burst in past])
    rate = Estimate(*(None if one is None else one * usual_peak for one in _parts(factor)))  # type: ignore[arg-type]
    basis = f"{len(past)} past event{'s' if len(past) != 1 else ''}" if past else "usual traffic"
    most = max((burst.peak_rate for burst in past), default=None)
    needs = [Need("requests", rate.value, rate.low, rate.high, None, most, basis)]
    needed_pods = None
    if capacity.pods is not None or capacity.per_pod_rps is not None:
        needed_pods = _needed(rate, capacity.per_pod_rps, capacity.pods, seen, past, pods)
        if needed_pods is not None:
            needs.append(_need("pods", *needed_pods, capacity.pods, seen, past, pods))
    if capacity.connections is not None:
        found = _needed(rate, None, capacity.connections, seen, past, connections)
        if found is not None:
            needs.append(_need("connections", *found, capacity.connections, seen, past, connections))
    note = "" if past else "no past live event to go by: usual traffic"
    return ServiceNeed(service, usual_peak, factor.value, factor.low, factor.high, len(past), tuple(needs), note)


def burst_factor(factors: Sequence[float]) -> Estimate:
    """Peak over usual of the next event, from those of past ones; 1 where there are none.

    Factors multiply, so it is their logarithms that are taken to be normal: the estimate is the geometric mean, the
    interval the prediction interval of one more (Student's t with n - 1 degrees of freedom, times sqrt(1 + 1/n)).
    """
    if not factors:
        return Estimate(1.0, None, None)
    logs = [log(factor) for factor in factors]
    count = len(logs)
    mean = sum(logs) / count
    if count < 2:
        return Estimate(exp(mean), None, None)
    spread = sqrt(sum((one - mean) ** 2 for one in logs) / (count - 1))
    half = student_t((1 + INTERVAL) / 2, count - 1) * spread * sqrt(1 + 1 / count)
    return Estimate(exp(mean), exp(mean - half), exp(mean + half))


def student_t(share: float, freedom: int) -> float:
    """The quantile of Student's t: exact for 1 and 2 degrees of freedom, otherwise by its expansion around the normal
    (Abramowitz and Stegun, 26.7.5)."""
    if freedom == 1:
        return float(np.tan(np.pi * (share - 0.5)))
    if freedom == 2:
        return (2 * share - 1) / sqrt(2 * share * (1 - share))
    z = NormalDist().inv_cdf(share)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _parts(one: Estimate) -> tuple[float, float | None, float | None]:
    return one.value, one.low, one.high


def _needed(
    rate: Estimate,
    per_pod: float | None,
    declared: Resource | None,
    seen: Seen,
    past: Sequence[Burst],
    gauge: Floats | None,
) -> tuple[Estimate, str] | None:
    """How much of a resource a rate needs, and what that goes by. What a pod is declared to carry comes before what a
    gauge showed: a deployment at its limit shows how many pods there were, not how many were needed."""
    if per_pod is not None:
        parts = [None if one is None else one / per_pod for one in _parts(rate)]
        return Estimate(*parts), f"{per_pod:g} requests/s a pod"  # type: ignore[arg-type]
    if declared is None or gauge is None:
        return None
    points = _points(seen, past, gauge)
    if len(points) < 2:
        return None
    intercept, slope, spread = line(points)

    def at(value: float | None, add: float) -> float | None:
        return None if value is None else max(0.0, intercept + slope * value + add)

    value = at(rate.value, 0.0)
    assert value is not None
    return Estimate(value, at(rate.low, -spread), at(rate.high, spread)), f"{declared.metric} at past peaks"


def line(points: Floats) -> tuple[float, float, float]:
    """Intercept, slope (never falling) and how far an 80 % interval reaches around a least-squares line through points
    (n, 2) of rate and gauge."""
    rates, values = points[:, 0], points[:, 1]
    centred = rates - rates.mean()
    square = float((centred**2).sum())
    slope = max(0.0, float((centred * values).sum()) / square) if square > 0 else 0.0
    intercept = float(values.mean()) - slope * float(rates.mean())
    off = values - intercept - slope * rates
    freedom = max(1, len(points) - 2)
    spread = sqrt(float((off**2).sum()) / freedom)
    return intercept, slope, student_t((1 + INTERVAL) / 2, freedom) * spread


def _points(seen: Seen, past: Sequence[Burst], gauge: Floats) -> Floats:
    """The peaks of rate and gauge of each past event, and as many quiet days' before it, which hold the line down."""
    grid = seen.counted.grid
    points = []
    for burst in past:
        for start, end in ((burst.start, burst.end), (burst.start - DAY_HOURS * HOUR, burst.end - DAY_HOURS * HOUR)):
            where = grid.slice(start, end)
            values = gauge[where]
            if len(values) and not np.isnan(values).all():
                points.append((float(seen.counted.total[where].max()) / grid.step, float(np.nanmax(values))))
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def _need(
    what: str,
    found: Estimate,
    basis: str,
    declared: Resource | None,
    seen: Seen,
    past: Sequence[Burst],
    gauge: Floats | None,
) -> Need:
    most = None
    if gauge is not None:
        parts = [gauge[seen.counted.grid.slice(burst.start, burst.end)] for burst in past]
        highest = [float(np.nanmax(part)) for part in parts if not np.isnan(part).all()]
        most = max(highest, default=None)
    limit = None if declared is None else declared.limit
    return Need(what, found.value, found.low, found.high, limit, most, basis)
