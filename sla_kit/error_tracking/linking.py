"""What an error may come from: the deployment that it began with, and the incidents that it was a part of.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sla_kit.error_tracking.results import Deployment, IncidentLink

#: A group that begins later after a deployment, in seconds, is not taken to come from it.
_SOON = 86400.0
#: Logs of two hosts differ by so many seconds.
_SKEW = 60.0
#: Versions that are there so soon after the first document of a service ran before anybody looked.
_AT_ONCE = 3600.0
#: Nearly all of a group's events.
_NEARLY_ALL = 0.9


def first_seen(versions: Mapping[tuple[str, str], float], since: float) -> list[Deployment]:
    """The deployments that the first documents by (service, version) tell of. A version that is there from the first
    hour of its service on, or from ``since`` on (where the lookback starts), was deployed nobody knows when."""
    earliest: dict[str, float] = {}
    for (service, _), time in versions.items():
        earliest[service] = min(time, earliest.get(service, time))
    found = [
        Deployment(service, version, time)
        for (service, version), time in versions.items()
        if version and time > max(earliest[service], since) + _AT_ONCE
    ]
    return in_order(found)


def in_order(deployments: Iterable[Deployment]) -> list[Deployment]:
    """Deployments by time, each once."""
    return sorted(set(deployments), key=lambda one: (one.time, one.service, one.version))


def deployment_of(
    service: str,
    begun: float,
    releases: Sequence[tuple[str, float]],
    events: float,
    deployments: Sequence[Deployment],
) -> Deployment | None:
    """The deployment that a group seems to come from: that of the version which has nearly all of its ``events``, else
    the newest one of its service in the day before it began (``begun``: first seen, or come back)."""
    own = [one for one in deployments if one.service in (service, "") and one.time <= begun + _SKEW]
    if releases and events > 0 and releases[0][1] >= _NEARLY_ALL * events:
        of_version = [one for one in own if one.version == releases[0][0]]
        if of_version:
            return max(of_version, key=lambda one: one.time)
    recent = [one for one in own if begun - one.time <= _SOON]
    return max(recent, key=lambda one: (one.time, one.version), default=None)


def burst(
    trend: Sequence[float], start: float, end: float, *, factor: float, least: float, told: bool
) -> tuple[float, float] | None:
    """From when to when a group had most of its events: the slices about the largest one that have at least half of
    it. A group of which nothing is ``told`` has a burst only where the largest slice has ``least`` events and
    ``factor`` times the mean of the others: what is always there belongs to no incident."""
    peak = max(trend, default=0.0)
    if peak <= 0:
        return None
    at = list(trend).index(peak)
    if not told:
        others = (sum(trend) - peak) / max(1, len(trend) - 1)
        if peak < least or peak < factor * others:
            return None
    first = last = at
    while first > 0 and trend[first - 1] >= peak / 2:
        first -= 1
    while last + 1 < len(trend) and trend[last + 1] >= peak / 2:
        last += 1
    length = (end - start) / len(trend)
    return start + first * length, start + (last + 1) * length


def overlapping(
    service: str, span: tuple[float, float] | None, incidents: Sequence[IncidentLink]
) -> tuple[IncidentLink, ...]:
    """The incidents of the service (or of none) that were under way in a span of time, by their start."""
    if span is None:
        return ()
    found = [
        one
        for one in incidents
        if one.service in (service, "") and one.start < span[1] and (one.end is None or one.end > span[0])
    ]
    return tuple(sorted(found, key=lambda one: (one.start, one.title)))
