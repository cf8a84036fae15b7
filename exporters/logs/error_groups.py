"""How many groups of errors there are now, and how many of them the time before had not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from sla_kit.exporters.logs.documents import UNKNOWN, Documents, Query, Span
from sla_kit.exporters.sidecar.collector import Schedule

#: What the ingest pipeline writes of errors with a stack, to whose frames it can give no key: type and message.
_NAME = "error.grouping_name"


@dataclass(frozen=True)
class GroupsCollector:
    """Groups among the documents ``errors`` of the last ``window_seconds``, by service, and those that the time before,
    back to ``lookback_seconds`` ago, had not: told only where there was an error at all in that time. Errors without a
    key are grouped by their name where they have one."""

    name: str
    schedule: Schedule
    errors: Documents
    window_seconds: float
    lookback_seconds: float
    most: int
    clock: Callable[[], float] = field(default=time.time, compare=False, repr=False)

    def collect(self, deadline: float) -> list[Metric]:
        """Asks for the groups that there are, and which of those there were. Raises `CollectError`."""
        fields, now = self.errors.fields, round(self.clock() * 1000)
        since = now - round(self.window_seconds * 1000)
        recent = self.errors.of(Span(since, now).of(fields.time))
        earlier = self.errors.of(Span(now - round(self.lookback_seconds * 1000), since).of(fields.time))
        keyless: Query = {"bool": {"must_not": {"exists": {"field": fields.group}}}}
        there = self._there(recent, fields.group, deadline)
        named = self._there(recent.of(keyless, {"exists": {"field": _NAME}}), _NAME, deadline)
        groups = GaugeMetricFamily("sla_logs_error_groups", "Groups of errors within the window.", labels=["service"])
        for service, count in Counter(service for service, _ in (*there, *named)).items():
            groups.add_metric([service], count)
        found: list[Metric] = [groups]
        if earlier.any(deadline):
            fresh = GaugeMetricFamily(
                "sla_logs_new_error_groups",
                "Groups of errors within the window that the time before had not.",
                labels=["service"],
            )
            new = Counter(dict.fromkeys((service for service, _ in (*there, *named)), 0))
            for seen, by in ((there, fields.group), (named, _NAME)):
                new.update(service for service, _ in seen - self._known(earlier, seen, by, deadline))
            for service, count in new.items():
                fresh.add_metric([service], count)
            found.append(fresh)
        return found

    def _there(self, documents: Documents, by: str, deadline: float) -> set[tuple[str, ...]]:
        names = (self.errors.fields.service, by)
        return {key for key, _ in documents.by(names, deadline, most=self.most) if key[1] != UNKNOWN}

    def _known(self, earlier: Documents, seen: set[tuple[str, ...]], by: str, deadline: float) -> set[tuple[str, ...]]:
        if not seen:
            return set()
        known = earlier.of({"terms": {by: sorted({key for _, key in seen})}})
        return {key for key, _ in known.by((self.errors.fields.service, by), deadline)}

    def close(self) -> None:
        """Nothing is held between collections."""
