"""A group as it is found, before it is known what it is worth: counts, and whatever documents of it were read.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sla_kit.error_tracking.bounds import added
from sla_kit.error_tracking.documents import Document
from sla_kit.error_tracking.results import Estimate

Key = tuple[str, str]


@dataclass(slots=True)
class Gathered:
    """Documents of one group, one after another: what is kept of them. Each stands for ``weight`` documents."""

    documents: int = 0
    first: float = float("inf")
    latest: Document | None = None
    users: set[str] = field(default_factory=set)
    versions: dict[str, float] = field(default_factory=dict)
    seen: list[tuple[float, float, str]] = field(default_factory=list)

    def add(self, document: Document, weight: float = 1.0) -> None:
        """One more."""
        self.documents += 1
        self.first = min(self.first, document.time)
        if self.latest is None or (document.time, document.host) > (self.latest.time, self.latest.host):
            self.latest = document
        if document.user:
            self.users.add(document.user)
        if document.version:
            self.versions[document.version] = self.versions.get(document.version, 0.0) + weight
        self.seen.append((document.time, weight, document.version))

    def trend(self, start: float, end: float, slices: int) -> list[float]:
        """How many documents these stand for, by slices of (start, end]."""
        found = [0.0] * slices
        for time, weight, _ in self.seen:
            at = slices - 1 - int((end - time) / (end - start) * slices)
            if 0 <= at < slices:
                found[at] += weight
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """A group of a service. ``keyed`` tells that (some of) its documents have its key, ``gathered`` holds what was read
    of those that have none. ``seen_before`` is whether it was seen in the lookback before the window, None where that
    is not known."""

    service: str
    key: str
    count: Estimate
    before: Estimate
    first_seen: float
    last_seen: float
    seen_before: bool | None
    keyed: bool = True
    gathered: Gathered | None = None

    @property
    def id(self) -> Key:
        """Service and key."""
        return self.service, self.key


def united(found: Sequence[Found]) -> list[Found]:
    """Groups of which some documents brought a key and others were given the same one here, as one group each."""
    by_key: dict[Key, Found] = {}
    for each in found:
        other = by_key.get(each.id)
        by_key[each.id] = each if other is None else _one(other, each)
    return list(by_key.values())


def _one(first: Found, second: Found) -> Found:
    before = {first.seen_before, second.seen_before}
    return replace(
        first,
        count=added([first.count, second.count]),
        before=added([first.before, second.before]),
        first_seen=min(first.first_seen, second.first_seen),
        last_seen=max(first.last_seen, second.last_seen),
        seen_before=True if True in before else None if None in before else False,
        keyed=first.keyed or second.keyed,
        gathered=first.gathered or second.gathered,
    )
