"""Counters of documents and of errors: slices of time that are over are counted once each, and added up for good.

A slice's counts and the moment up to which is counted are committed together. Whenever the process is killed, and
however long the cluster is away, no slice is counted twice and none is left out.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from sla_kit.exporters.logs.documents import Arrival, Documents, Query, Span
from sla_kit.exporters.logs.late import Slice, remember
from sla_kit.exporters.logs.totals import DOCUMENTS, ERRORS, LABELS, UNCOUNTED, Key, Room, add, sums
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from sla_kit.exporters.sidecar.counters import Counters

_log = logging.getLogger(__name__)
#: The longest and the shortest slice that is counted at once, in milliseconds.
_LONGEST, _SHORTEST = 3_600_000, 60_000
#: What a dry run counts that has nothing to begin from, in seconds.
_REHEARSED = 60.0
_HELP = {
    DOCUMENTS: "Documents in the logs, by the time of their arrival.",
    ERRORS: "Documents in the logs that tell of an error.",
    UNCOUNTED: "Time of which nothing was counted, since it was longer ago than catch_up when the logs were back.",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """When documents are counted, in seconds: ``settle`` after they arrived, ``lag`` after they happened where nothing
    tells when they arrived. The first run begins ``backfill`` ago, a later one at most ``catch_up`` ago; what came
    late is looked for ``late_within`` after that."""

    settle: float
    lag: float
    backfill: float
    catch_up: float
    late_within: float


@dataclass(frozen=True, slots=True)
class _Moment:
    """Up to when is counted: of what tells its arrival, and of the rest; in milliseconds since 1970."""

    ingested: int
    happened: int

    def later(self, seconds: float) -> _Moment:
        moved = round(seconds * 1000)
        return _Moment(self.ingested + moved, self.happened + moved)

    def earliest(self, other: _Moment) -> _Moment:
        return _Moment(min(self.ingested, other.ingested), min(self.happened, other.happened))

    def latest(self, other: _Moment) -> _Moment:
        return _Moment(max(self.ingested, other.ingested), max(self.happened, other.happened))

    def until(self, end: _Moment) -> Arrival:
        return Arrival(Span(self.ingested, end.ingested), Span(self.happened, end.happened))


class _Length:
    """How much is counted at once, in milliseconds: less after that took too long."""

    def __init__(self) -> None:
        self.milliseconds = _LONGEST

    def shorten(self) -> None:
        self.milliseconds = max(_SHORTEST, self.milliseconds // 2)

    def lengthen(self) -> None:
        self.milliseconds = min(_LONGEST, self.milliseconds * 2)


@dataclass(frozen=True)
class CountingCollector:
    """Counts documents by service and level, and those that ``is_error`` by service and type, in the file ``state``."""

    name: str
    schedule: Schedule
    documents: Documents
    is_error: Query
    pace: Pace
    room: Room
    state: Path
    keeps: bool = True
    clock: Callable[[], float] = field(default=time.time, compare=False, repr=False)
    _length: _Length = field(default_factory=_Length, compare=False, repr=False)
    _counters: Counters = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_counters", Counters(self.state, rehearsing=not self.keeps))

    def collect(self, deadline: float) -> list[Metric]:
        """Counts what is over by now, as far as time allows. Raises `CollectError`; what it has counted stays so."""
        now = self.clock()
        goal = _Moment(round((now - self.pace.settle) * 1000), round((now - self.pace.lag) * 1000))
        known = {name: set(sums(self._counters, name)) for name in (DOCUMENTS, ERRORS)}
        if not self.keeps:
            return self._rehearsed(goal, deadline)
        while True:
            began = time.monotonic()
            at = self._slice(goal, deadline)
            taken = time.monotonic() - began
            if at.earliest(goal) == goal or time.monotonic() + taken > deadline:
                break
        totals = {name: sums(self._counters, name) for name in _HELP}
        # A series begins at 0, so that its first count is an increase for Prometheus.
        for name, keys in known.items():
            totals[name].update(dict.fromkeys(totals[name].keys() - keys, 0.0))
        return _published(totals, at)

    def rehearsing(self) -> CountingCollector:
        """The same, which shows what a slice has and keeps nothing of it."""
        return replace(self, keeps=False)

    def close(self) -> None:
        """Lets go of the state file."""
        self._counters.close()

    def _slice(self, goal: _Moment, deadline: float) -> _Moment:
        """Counts one slice, and says up to when is counted now."""
        before = self._before()
        start = before or goal.later(-self.pace.backfill)
        begin, end = self._bounds(start, goal)
        arrival = begin.until(end)
        documents, errors = self._counted(arrival, deadline)
        skipped = max(begin.ingested - start.ingested, begin.happened - start.happened) / 1000
        with self._counters.transaction():
            if self._before() != before:
                raise CollectError(
                    "internal",
                    "another exporter has counted with this state file meanwhile",
                    place=str(self.state),
                    remedy="let every exporter have a state file of its own",
                )
            documents, errors = self._fitting(documents, errors)
            add(self._counters, DOCUMENTS, documents)
            add(self._counters, ERRORS, errors)
            self._counters.add(UNCOUNTED, {}, skipped)
            self._counters.set_watermark("ingested", end.ingested)
            self._counters.set_watermark("happened", end.happened)
            by_service = Counter[str]()
            for (service, _), count in documents.items():
                by_service[service] += count
            remember(self._counters, Slice(arrival, by_service), self.pace.late_within, goal.ingested)
        if skipped:
            _log.warning("logs were left out that are older than catch_up", extra={"seconds": round(skipped)})
        self._length.lengthen()
        return end

    def _bounds(self, start: _Moment, goal: _Moment) -> tuple[_Moment, _Moment]:
        """From when to when the next slice is: not further back than may be caught up, and nothing where a clock was
        set back."""
        begin = start.latest(goal.later(-self.pace.catch_up))
        return begin, begin.later(self._length.milliseconds / 1000).earliest(goal).latest(begin)

    def _rehearsed(self, goal: _Moment, deadline: float) -> list[Metric]:
        """What the next slice has, on top of what was counted."""
        start = self._before() or goal.later(-(self.pace.backfill or _REHEARSED))
        begin, end = self._bounds(start, goal)
        counted = self._counted(begin.until(end), deadline)
        totals = {name: Counter(sums(self._counters, name)) for name in _HELP}
        for name, found in zip((DOCUMENTS, ERRORS), self._fitting(*counted), strict=True):
            totals[name].update(found)
        return _published(totals, end)

    def _counted(self, arrival: Arrival, deadline: float) -> tuple[Counter[Key], Counter[Key]]:
        fields, documents = self.documents.fields, self.documents.of(arrival.of(self.documents.fields))
        written, errors = Counter[Key](), Counter[Key]()
        try:
            for (service, level), bucket in documents.by((fields.service, fields.level), deadline):
                written[service, level.lower()] += bucket["doc_count"]
            for key, bucket in documents.of(self.is_error).by((fields.service, fields.error_type), deadline):
                errors[key] += bucket["doc_count"]
        except CollectError as error:
            if error.kind not in ("auth", "query"):  # it may have been too much to ask
                self._length.shorten()
            raise
        return written, errors

    def _fitting(self, documents: Counter[Key], errors: Counter[Key]) -> tuple[Counter[Key], Counter[Key]]:
        written = self.room.fit(documents, sums(self._counters, DOCUMENTS))
        # A service that has no room among documents has none among errors.
        services = {key[0] for key in (*written, *sums(self._counters, DOCUMENTS))}
        return written, self.room.fit(errors, sums(self._counters, ERRORS), services)

    def _before(self) -> _Moment | None:
        ingested, happened = self._counters.watermark("ingested"), self._counters.watermark("happened")
        if not isinstance(ingested, int) or not isinstance(happened, int):
            return None
        return _Moment(ingested, happened)


def _published(totals: dict[str, dict[Key, float]] | dict[str, Counter[Key]], at: _Moment) -> list[Metric]:
    found: list[Metric] = []
    for name, help_text in _HELP.items():
        family = CounterMetricFamily(name, help_text, labels=LABELS[name])
        for key, amount in totals[name].items():
            family.add_metric(key, amount)
        found.append(family)
    until = GaugeMetricFamily(
        "sla_logs_counted_timestamp_seconds",
        "Up to when is counted, Unix time: of documents that tell their arrival, and of the others.",
        labels=["by"],
    )
    until.add_metric(["ingested"], at.ingested / 1000)
    until.add_metric(["happened"], at.happened / 1000)
    return [*found, until]
