"""How many groups of errors there are now, and how many of them the time before had not."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from sla_kit.exporters.logs.documents import UNKNOWN, Documents, Span
from sla_kit.exporters.sidecar.collector import Schedule


@dataclass(frozen=True)
class GroupsCollector:
    """Groups among the documents ``errors`` of the last ``window_seconds``, by service, and those that the time before,
    back to ``lookback_seconds`` ago, had not: told only where there was an error at all in that time."""

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
        names = (fields.service, fields.group)
        there = {key for key, _ in recent.by(names, deadline, most=self.most) if key[1] != UNKNOWN}
        groups = GaugeMetricFamily("sla_logs_error_groups", "Groups of errors within the window.", labels=["service"])
        for service, count in Counter(service for service, _ in there).items():
            groups.add_metric([service], count)
        found: list[Metric] = [groups]
        if earlier.any(deadline):
            keys = defaultdict[str, set[str]](set)
            for service, key in there:
                keys[service].add(key)
            known = earlier.of({"terms": {fields.group: sorted({key for _, key in there})}})
            for (service, key), _ in known.by(names, deadline) if there else ():
                keys[service].discard(key)
            fresh = GaugeMetricFamily(
                "sla_logs_new_error_groups",
                "Groups of errors within the window that the time before had not.",
                labels=["service"],
            )
            for service, new in keys.items():
                fresh.add_metric([service], len(new))
            found.append(fresh)
        return found

    def close(self) -> None:
        """Nothing is held between collections."""
