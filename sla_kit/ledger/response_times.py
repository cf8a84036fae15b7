"""How quickly incidents were told, taken and over: counts, median and 95th percentile by severity. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sla_kit.routing.delivering import Response

#: How a percentile is made, for who prints one: each is the time of an incident that there was.
METHOD = "nearest rank: the shortest of the times that at least so many percent do not exceed"

RespondWithin = Callable[[str], float | None]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of ``count`` incidents; None where there is none."""

    count: int
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The incidents of one severity. ``respond_within`` is how soon somebody is to respond to it (seconds), None where
    nothing is promised; of ``judged`` incidents ``in_time`` were."""

    severity: str
    incidents: int
    tell: Times
    acknowledge: Times
    recover: Times
    respond_within: float | None
    judged: int
    in_time: int

    @property
    def share(self) -> float | None:
        """The ratio of those that somebody responded to in time."""
        return self.in_time / self.judged if self.judged else None


def seconds_to_tell(response: Response) -> float | None:
    """From when it began to fire until somebody was told: at the latest when somebody took it, since what is kept is
    when a service first confirmed that it tells, and its answer may have been lost before."""
    if response.told_at is None:
        return None
    told = min(response.told_at, math.inf if response.acknowledged_at is None else response.acknowledged_at)
    return max(0.0, told - response.opened_at)


def seconds_to_acknowledge(response: Response) -> float | None:
    """From when somebody was told until somebody took it; from when it began, where that is not known for certain."""
    if response.acknowledged_at is None:
        return None
    return max(0.0, response.acknowledged_at - _begun(response))


def seconds_to_recover(response: Response) -> float:
    """From when it began to fire until it was over."""
    return max(0.0, response.resolved_at - response.opened_at)


def in_time(response: Response, within: float | None) -> bool | None:
    """Whether somebody took it within so many seconds; one that was over before nobody has missed. None where nothing
    is promised."""
    if within is None:
        return None
    taken = seconds_to_acknowledge(response)
    if taken is not None and taken <= within:
        return True
    return response.resolved_at - _begun(response) <= within


def summaries(responses: Sequence[Response], respond_within: RespondWithin) -> list[Summary]:
    """One for each severity: first those that somebody must respond to soonest."""
    by_severity: dict[str, list[Response]] = {}
    for one in responses:
        by_severity.setdefault(one.severity, []).append(one)

    def urgency(severity: str) -> tuple[float, str]:
        within = respond_within(severity)
        return (math.inf if within is None else within), severity

    found = []
    for severity in sorted(by_severity, key=urgency):
        held, within = by_severity[severity], respond_within(severity)
        judged = [verdict for one in held if (verdict := in_time(one, within)) is not None]
        found.append(
            Summary(
                severity=severity,
                incidents=len(held),
                tell=times(seconds_to_tell(one) for one in held),
                acknowledge=times(seconds_to_acknowledge(one) for one in held),
                recover=times(seconds_to_recover(one) for one in held),
                respond_within=within,
                judged=len(judged),
                in_time=sum(judged),
            )
        )
    return found


def times(seconds: Iterable[float | None]) -> Times:
    """The count, median and 95th percentile of those that are known."""
    known = sorted(one for one in seconds if one is not None)
    return Times(len(known), percentile(known, 50), percentile(known, 95))


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest rank of values in ascending order (ISO 3534-1's order statistics; Hyndman and Fan 1996, type 1)."""
    if not ordered:
        return None
    return ordered[max(1, -(-percent * len(ordered) // 100)) - 1]


def _begun(response: Response) -> float:
    told, taken = response.told_at, response.acknowledged_at
    return response.opened_at if told is None or (taken is not None and told > taken) else told
