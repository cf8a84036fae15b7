"""What error tracking says, as values. Times are epoch seconds, counts are events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sla_kit.timeline import Finding

#: What people have said of a group: nothing (``open``), that it is mended, or that it does not matter.
Status = Literal["open", "resolved", "ignored"]
#: What is worth telling of a group in a window.
Kind = Literal["new", "regressed", "surging"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of events with the bounds that it lies in with 95 % confidence; both equal it where it was counted."""

    value: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Estimate:
        """A counted number."""
        return cls(value, value, value)

    @property
    def exact(self) -> bool:
        """Whether it was counted."""
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class ErrorState:
    """What people said last of a group (``key``, of ``service``): its status, who owns it (a contact), by whom and when
    it was said, ``release`` in which it is mended, and why."""

    service: str
    key: str
    status: Status = "open"
    owner: str = ""
    at: float = 0.0
    by: str = ""
    release: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A release of a service that began to run at ``time``. ``told`` says how that is known: by a document that tells
    of the deployment, or by the first document with that version."""

    service: str
    version: str
    time: float
    told: Literal["document", "first-seen"] = "first-seen"


@dataclass(frozen=True, slots=True)
class IncidentLink:
    """An incident that a group may belong to: its title, from when to when (None while it goes on)."""

    title: str
    start: float
    end: float | None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One document of a group, already redacted: when, by which host and release, in which trace, what it says."""

    time: float
    message: str
    host: str = ""
    version: str = ""
    trace: str = ""
    stack: str = ""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of a service that are the same: ``key`` (16 hexadecimal digits where sla-kit made it), ``type``, the
    normalised ``message`` and the top ``frames``.

    ``count`` and ``users`` (None where no user is recorded) are of the window, ``before`` of the time of equal length
    before it. ``first_seen`` and ``last_seen`` reach back over the lookback. ``trend`` are counts by slices of equal
    length from the window's start to its end. ``releases`` are versions with their counts, the most first.
    """

    service: str
    key: str
    type: str
    message: str
    frames: tuple[str, ...]
    first_seen: float
    last_seen: float
    count: Estimate
    before: Estimate
    users: Estimate | None
    releases: tuple[tuple[str, float], ...]
    trend: tuple[float, ...]
    kinds: frozenset[Kind]
    state: ErrorState
    deployment: Deployment | None = None
    incidents: tuple[IncidentLink, ...] = ()
    example: Example | None = None


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """The errors of a window: the groups worth showing, most important first (new, regressed, surging, then by count;
    ignored ones last), and how much is in no shown group.

    ``method`` says in a sentence how it was counted and how sure it is. ``total`` counts all errors of the window,
    ``before`` those of the time before it, ``documents`` all documents of the window. ``services`` are those that were
    asked for, none where it was all.
    """

    source: str
    start: float
    end: float
    lookback_start: float
    groups: tuple[ErrorGroup, ...]
    total: Estimate
    before: Estimate
    documents: Estimate
    elsewhere: Estimate
    method: str
    deployments: tuple[Deployment, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    services: tuple[str, ...] = ()

    def of(self, services: Collection[str]) -> ErrorReport:
        """The part that belongs to some services. Of theirs that are in no shown group it is only known that they are
        not more than all of those."""
        if self.services and set(self.services) <= set(services):
            return self
        groups = tuple(group for group in self.groups if group.service in services)
        uncounted = max(0.0, self.before.high - sum(group.before.low for group in self.groups))
        return replace(
            self,
            groups=groups,
            total=_summed([group.count for group in groups], self.elsewhere.high),
            before=_summed([group.before for group in groups], uncounted),
            elsewhere=Estimate(0.0, 0.0, self.elsewhere.high),
            deployments=tuple(one for one in self.deployments if one.service in services),
            services=tuple(services),
        )


def _summed(counts: Sequence[Estimate], more: float) -> Estimate:
    value, low, high = (sum(getattr(count, name) for count in counts) for name in ("value", "low", "high"))
    return Estimate(value, low, high + more)
