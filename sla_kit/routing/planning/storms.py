"""A storm: where somebody would be told of too much at once, one incident that stands for many.

Counting is `Burst`: more than `Storm.incidents` new incidents of one severity for one contact within `Storm.within`.
What was not told yet of them becomes a member then, and so does what follows, until `Storm.quiet` has passed without
another one or all members are over. Members are counted, all of them; the list of them is cut at `LISTED`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, field

from sla_kit.catalogue.routing import Storm
from sla_kit.routing.incident import Incident, Member
from sla_kit.routing.planning.grouping import dedup_key
from sla_kit.routing.planning.inhibiting import Inhibitions

#: How many members of a storm are named, and of how many services they are counted.
LISTED, SERVICES = 100, 200


class Opened(Struct, frozen=True, array_like=True):
    """An incident that a contact was to be told of on its own."""

    dedup_key: str
    at: float


class Burst(Struct, frozen=True):
    """What a contact was told lately of one severity. ``storm`` is the dedup key of the storm that goes on, if any,
    ``last_at`` when something was last added to it."""

    opened: list[Opened] = field(default_factory=list)
    storm: str = ""
    last_at: float = 0.0

    def due_at(self, settings: Storm) -> float:
        """When it is over if nothing comes."""
        if self.storm:
            return self.last_at + settings.quiet
        return max((each.at for each in self.opened), default=0.0) + settings.within


def lately(burst: Burst, settings: Storm, now: float) -> Burst:
    """What of it still counts at a later time."""
    if burst.storm and burst.last_at + settings.quiet <= now:
        return Burst()
    return msgspec.structs.replace(burst, opened=[each for each in burst.opened if each.at > now - settings.within])


def storm_group(contact: str, severity: str, first: str) -> str:
    """The group of a storm; ``first`` is the dedup key and the time of what began it, so that no two are the same."""
    return msgspec.json.encode({"storm": contact, "severity": severity, "first": first}).decode()


def open_storm(contact: str, severity: str, at: float, first: Incident, why: str) -> Incident:
    """A storm without members yet, that ``first`` begins."""
    group = storm_group(contact, severity, f"{first.dedup_key} {first.received_at!r} {at!r}")
    return Incident(
        group=group,
        dedup_key=dedup_key(group),
        title="",
        severity=severity,
        status="firing",
        opened_at=first.opened_at,
        received_at=at,
        kind="storm",
        group_labels={"severity": severity} if severity else {},
        labels=dict(first.labels),
        receiver=first.receiver,
        external_url=first.external_url,
        notes=[why],
    )


def with_members(storm: Incident, incidents: Iterable[Incident], inhibitions: Inhibitions) -> Incident:
    """The storm with further members, none of which was in it. One that it lists already (a group that fires again)
    is counted again."""
    new = [member_of(each) for each in incidents]
    if not new:
        return storm
    listed = {each.dedup_key: each for each in storm.members} | {each.dedup_key: each for each in new}
    ordered = sorted(listed.values(), key=lambda each: each.opened_at)  # of the same time in the order of coming
    root = likely_root(ordered, inhibitions)
    kept = [root, *(each for each in ordered if each is not root)][:LISTED]
    labels = dict(storm.labels)
    for each in new:
        if not labels.items() <= each.labels.items():
            labels = {name: value for name, value in labels.items() if each.labels.get(name) == value}
    return _titled(
        msgspec.structs.replace(
            storm,
            labels=labels,
            opened_at=min(storm.opened_at, *(each.opened_at for each in new)),
            members=kept,
            members_total=storm.members_total + len(new),
            members_firing=storm.members_firing + sum(each.firing for each in new),
            by_service=_counted(storm.by_service, new),
            root=root.title,
        )
    )


def _counted(known: dict[str, int], new: Iterable[Member]) -> dict[str, int]:
    """Members by service; of too many services the others are left out."""
    counts = dict(known)
    for each in new:
        if each.service in counts or len(counts) < SERVICES:
            counts[each.service] = counts.get(each.service, 0) + 1
    return counts


def with_changes(storm: Incident, incidents: Sequence[Incident], ended: int, at: float) -> Incident:
    """The storm after members of it changed, ``ended`` of which are over now. It is over with the last of them."""
    changed = {each.dedup_key: each for each in incidents}
    members = [
        member_of(changed[each.dedup_key]) if each.firing and each.dedup_key in changed else each
        for each in storm.members
    ]
    firing = max(0, storm.members_firing - ended)
    storm = msgspec.structs.replace(storm, members=members, members_firing=firing)
    if not firing and storm.status == "firing":
        ends = [each.resolved_at for each in incidents if each.resolved_at is not None]
        resolved_at = max(storm.opened_at, max(ends, default=at))
        storm = msgspec.structs.replace(storm, status="resolved", resolved_at=resolved_at)
    return _titled(storm)


def likely_root(members: Sequence[Member], inhibitions: Inhibitions) -> Member:
    """The one that makes most of the others superfluous by the inhibition rules, else the earliest."""
    counts = inhibitions.counts([each.labels for each in members])
    number = min(range(len(members)), key=lambda at: (-counts[at], members[at].opened_at, at))
    return members[number]


def member_of(incident: Incident) -> Member:
    """An incident as a storm lists it."""
    return Member(
        dedup_key=incident.dedup_key,
        title=incident.title,
        severity=incident.severity,
        service=incident.service,
        opened_at=incident.opened_at,
        firing=incident.status == "firing",
        labels=incident.labels,
    )


def _titled(storm: Incident) -> Incident:
    of = f" {storm.severity}" if storm.severity else ""
    title = f"{storm.members_total:,}{of} incidents at once; likely root: {storm.root}"
    return msgspec.structs.replace(storm, title=title)
