"""Outages as events: how long each took to recover, against the promise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sla_kit.engine.results import Evidence, Incident, Period
from sla_kit.timeline import Grid, Mask, Timeline


def settled(incident: Incident, end: int, within: float) -> tuple[int, bool] | None:
    """When the verdict on an outage was known, and whether it recovered in time; None while neither is so.

    It is good at its recovery, if that came no more than ``within`` seconds after its detection, and otherwise bad
    from the moment it was overdue. ``end`` is the end of what is known, for an outage that lasts.
    """
    if incident.recover_seconds is not None and incident.recovered is not None and incident.recover_seconds <= within:
        return incident.recovered, True
    due = incident.detected + int(np.ceil(within))
    return (due, False) if due < end or (incident.recovered is not None and due <= end) else None


def outage_timeline(incidents: Iterable[Incident], grid: Grid, observed: Mask, within: float) -> Timeline:
    """Outages as a timeline: each is one event in the bucket in which its verdict was known. ``observed`` (count,)
    says which buckets of the SLO that had them were."""
    total, good = np.zeros(grid.count), np.zeros(grid.count)
    for incident in incidents:
        known = settled(incident, grid.end, within)
        if known is not None:
            position = _position(known[0], grid)
            total[position] += 1.0
            good[position] += known[1]
    return Timeline(grid, good, total, observed.astype(np.float64), "outages")


def slowest(
    incidents: Iterable[Incident], grid: Grid, within: float, where: slice, inside: Mask | None
) -> float | None:
    """The longest time to recover, in seconds from detection (so far, for one that lasts), of the outages whose
    verdict fell into those buckets; None without any."""
    longest: float | None = None
    for incident in incidents:
        known = settled(incident, grid.end, within)
        if known is None:
            continue
        position = _position(known[0], grid)
        if where.start <= position < where.stop and (inside is None or inside[position - where.start]):
            longest = max(longest or 0.0, _seconds(incident, grid.end))
    return longest


def outage_evidence(incidents: Iterable[Incident], grid: Grid, within: float, period: Period) -> tuple[Evidence, ...]:
    """Each outage whose verdict fell into a period: when it recovered and how long that took from its detection."""
    found: list[Evidence] = []
    for incident in incidents:
        known = settled(incident, grid.end, within)
        if known is not None and period.start < known[0] <= period.end:
            note = "" if incident.recovered is not None else "not yet recovered"
            found.append(Evidence(incident.recovered, _seconds(incident, grid.end), known[1], note))
    return tuple(found)


def _seconds(incident: Incident, end: int) -> float:
    recovered = incident.recover_seconds
    return float(max(recovered, 0) if recovered is not None else end - incident.detected)


def _position(time: int, grid: Grid) -> int:
    """The bucket whose (start, end] holds a time, clipped to the grid."""
    return min(max(-(-(time - grid.start) // grid.step) - 1, 0), grid.count - 1)
