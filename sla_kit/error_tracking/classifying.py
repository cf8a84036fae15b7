"""What is worth telling of a group in a window: that it is new, came back or surges; and which group comes first.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sla_kit.error_tracking.bounds import rose
from sla_kit.error_tracking.results import Deployment, ErrorGroup, ErrorState, Estimate, Kind

_ORDER: tuple[Kind, ...] = ("new", "regressed", "surging")


@dataclass(frozen=True, slots=True)
class History:
    """What the time before the window can tell: ``reaches`` whether errors of that kind were recorded at all before it
    (else every group would be new), ``before_covered`` whether the time of equal length before it is covered."""

    reaches: bool = True
    before_covered: bool = True


def kinds(
    count: Estimate,
    before: Estimate,
    seen_before: bool | None,
    came_back: bool,
    state: ErrorState,
    history: History,
    *,
    surge_factor: float,
    surge_count: int,
) -> frozenset[Kind]:
    """What a group is in a window. ``seen_before`` is whether it was seen in the lookback before the window, None where
    that isn't known; ``came_back`` what `comeback` says.

    It surges where it has at least ``surge_count`` events, surely ``surge_factor`` times as many as before (the lower
    bound of one against the upper of the other), and where chance doesn't explain the rise. A new group has nothing to
    be compared with: it doesn't surge; one that only may be new does. Nothing is told of a group that
    is ignored.
    """
    if state.status == "ignored":
        return frozenset()
    found: set[Kind] = set()
    if came_back:
        found.add("regressed")
    elif seen_before is False and history.reaches and state.status != "resolved":
        found.add("new")
    comparable = history.before_covered and (seen_before is not False or before.low > 0 or came_back)
    enough = count.value >= surge_count and count.low >= surge_factor * before.high
    if comparable and enough and rose(count.low, before.high):
        found.add("surging")
    return frozenset(found)


def comeback(
    state: ErrorState, seen: Mapping[str, float], last_seen: float, deployments: Sequence[Deployment]
) -> float | None:
    """When a resolved group came back: the first time it was seen after it was resolved, in the release that mends it
    or in one deployed later where a release was told. None where it did not, or isn't resolved.

    ``seen`` is the first time by version (empty: without a version) after ``state.at``. A release that was deployed
    nowhere yet mends nothing yet, and what is seen until then is no comeback.
    """
    if state.status != "resolved" or last_seen <= state.at:
        return None
    times = {version: time for version, time in seen.items() if time > state.at}
    if state.release:
        later = _from_release(state.release, [one for one in deployments if one.service in (state.service, "")])
        times = {version: time for version, time in times.items() if version in later}
    return min(times.values(), default=None)


def _from_release(release: str, deployments: Sequence[Deployment]) -> set[str]:
    """The release and those whose first deployment is later than its own. A release whose deployment isn't known may
    still be seen: then it runs, and only it is known to be no earlier one."""
    first: dict[str, float] = {}
    for each in deployments:
        first[each.version] = min(each.time, first.get(each.version, each.time))
    if release not in first:
        return {release}
    return {version for version, time in first.items() if time >= first[release]}


def rank(group: ErrorGroup) -> tuple[bool, int, float, str, str]:
    """Sorts groups: new, regressed, surging ones, then the others; each by count, ignored ones last."""
    return (
        group.state.status == "ignored",
        *importance(group.kinds, group.count, group.service, group.key),
    )


def importance(found: frozenset[Kind], count: Estimate, service: str, key: str) -> tuple[int, float, str, str]:
    """Sorts by what a group is, then by its count; the same every time."""
    place = next((number for number, kind in enumerate(_ORDER) if kind in found), len(_ORDER))
    return place, -count.value, service, key
