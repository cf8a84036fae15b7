"""Documents that come late: slices that were counted are counted again, for a while, and what has come since is told.

They are not added to the other counters, whose slices are over: a graph would show them at the wrong time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, Metric

from sla_kit.exporters.logs.documents import Arrival, Documents, Span
from sla_kit.exporters.logs.totals import DOCUMENTS, LABELS, LATE, Key, Room, add, sums
from sla_kit.exporters.sidecar.collector import Schedule
from sla_kit.exporters.sidecar.counters import Counters

#: What the state file calls the slices that are looked at again.
_SLICES = "slices"
#: Slices are joined to about so many, so that looking again asks no more often than that.
_PARTS = 12
_HELP = "Documents that could be found only after their time was counted, and are not in the other counters."


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice that was counted, and how many documents it had by service."""

    arrival: Arrival
    counts: Mapping[str, int]

    @property
    def length(self) -> int:
        """In milliseconds, the longer one of its two spans."""
        ingested, happened = self.arrival.ingested, self.arrival.happened
        return max(ingested.end - ingested.start, happened.end - happened.start)

    def joined(self, other: Slice) -> Slice | None:
        """This one with the ``other``, None where that does not begin where this one ends."""
        mine, theirs = self.arrival, other.arrival
        if (mine.ingested.end, mine.happened.end) != (theirs.ingested.start, theirs.happened.start):
            return None
        arrival = Arrival(
            Span(mine.ingested.start, theirs.ingested.end), Span(mine.happened.start, theirs.happened.end)
        )
        return Slice(arrival, Counter(self.counts) + Counter(other.counts))


def remember(counters: Counters, counted: Slice, within_seconds: float, now: int) -> None:
    """Keeps a slice for as long as it is looked at again; to be in one transaction with what was counted.

    ``now`` is in milliseconds since 1970. Raises `CollectError`.
    """
    kept = [each for each in remembered(counters) if each.arrival.ingested.end > now - within_seconds * 1000]
    if within_seconds and counted.length:
        joined = kept[-1].joined(counted) if kept and kept[-1].length < within_seconds * 1000 / _PARTS else None
        kept = [*kept[:-1], joined] if joined else [*kept, counted]
    _write(counters, kept)


def remembered(counters: Counters) -> list[Slice]:
    """The slices that are looked at again, the earliest first. Raises `CollectError`."""
    return [
        Slice(Arrival(Span(*ingested), Span(*happened)), counts)
        for ingested, happened, counts in json.loads(str(counters.watermark(_SLICES) or "[]"))
    ]


def _write(counters: Counters, slices: list[Slice]) -> None:
    spans = [(each.arrival.ingested, each.arrival.happened, each.counts) for each in slices]
    rows = [((a.start, a.end), (b.start, b.end), dict(counts)) for a, b, counts in spans]
    counters.set_watermark(_SLICES, json.dumps(rows, separators=(",", ":")))


@dataclass(frozen=True)
class LateCollector:
    """Counts what came late, by service, into the file ``state``, where the slices are."""

    name: str
    schedule: Schedule
    documents: Documents
    room: Room
    state: Path
    keeps: bool = True
    _counters: Counters = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_counters", Counters(self.state, rehearsing=not self.keeps))

    def collect(self, deadline: float) -> list[Metric]:
        """Looks at every slice again. Raises `CollectError`."""
        found = Counter[Key]()
        for each in remembered(self._counters):
            found += self._again(each, deadline)
        late = CounterMetricFamily(LATE, _HELP, labels=LABELS[LATE])
        totals = Counter(sums(self._counters, LATE))
        # Services that nothing came late of have 0, so that the first that does is an increase for Prometheus.
        totals.update(dict.fromkeys((key[:1] for key in sums(self._counters, DOCUMENTS)), 0))
        if not self.keeps:
            totals.update(found)
        for key, amount in totals.items():
            late.add_metric(key, amount)
        return [late]

    def rehearsing(self) -> LateCollector:
        """The same, which keeps nothing."""
        return replace(self, keeps=False)

    def close(self) -> None:
        """Lets go of the state file."""
        self._counters.close()

    def _again(self, before: Slice, deadline: float) -> Counter[Key]:
        documents = self.documents.of(before.arrival.of(self.documents.fields))
        counted = Counter[Key]()
        for key, bucket in documents.by((documents.fields.service,), deadline):
            counted[key] += bucket["doc_count"]
        known = [key[:1] for key in sums(self._counters, DOCUMENTS)]
        now = self.room.fit(counted, known)
        more = now - Counter({(service,): count for service, count in before.counts.items()})
        if not more or not self.keeps:
            return more
        with self._counters.transaction():
            kept = remembered(self._counters)
            if before not in kept:  # it was joined with a newer one meanwhile: the next time
                return Counter()
            add(self._counters, LATE, more)
            # As many as there have ever been: documents may be deleted, and what is told once is not told again.
            whole = Slice(before.arrival, Counter(before.counts) | Counter({key[0]: n for key, n in now.items()}))
            _write(self._counters, [whole if each == before else each for each in kept])
        return more
