"""Many changes as few: what comes by the thousand in a second becomes one change a series before it is kept."""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.exporters.business.pushed.changes import Change, RefusedError
from sla_kit.exporters.business.pushed.configuration import PushedMetric

#: So many series, observations and ids of users are gathered at most.
MOST = 100_000


class Gathered:
    """Changes that are to be kept together, added up. What comes of them is what each in its turn would have made."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        #: What a series is set to, if it is, and what is added after that.
        self._sums: dict[tuple[str, tuple[str, ...]], tuple[PushedMetric, float | None, float, int]] = {}
        self._observed: dict[tuple[str, tuple[str, ...], float], tuple[PushedMetric, list[float]]] = {}
        self._seen: dict[tuple[str, tuple[str, ...]], tuple[PushedMetric, dict[str, None], int]] = {}
        #: How many changes they are; each observation is one.
        self.count = 0

    def add(self, change: Change) -> None:
        """Takes one more change. Raises `RefusedError` (``overload``) where there are too many."""
        if self._size >= self._most:
            raise RefusedError("overload", "too many changes wait for the disk")
        self.count += len(change.numbers) if change.action == "observe" else 1
        metric, labels = change.metric, change.labels
        if change.action == "observe":
            _, numbers = self._observed.setdefault((metric.name, labels, change.weight), (metric, []))
            numbers += change.numbers
            self._size += len(change.numbers)
        elif change.action == "seen":
            _, ids, count = self._seen.get((metric.name, labels), (metric, {}, 0))
            self._size -= len(ids)
            ids.update(dict.fromkeys(change.ids))
            self._size += len(ids)
            self._seen[metric.name, labels] = (metric, ids, count + 1)
        else:
            key = (metric.name, labels)
            if key not in self._sums:
                self._size += 1
            _, base, more, count = self._sums.get(key, (metric, None, 0.0, 0))
            if change.action == "set":
                base, more = change.numbers[-1], 0.0
            else:
                more += sum(change.numbers)
            self._sums[key] = (metric, base, more, count + 1)

    def changes(self) -> Iterator[tuple[Change, int]]:
        """The changes that come of it, and of how many each was made."""
        for (_, labels), (metric, base, more, count) in self._sums.items():
            if base is None:
                yield Change(metric, labels, "add", (more,)), count
            else:
                yield Change(metric, labels, "set", (base + more,)), count
        for (_, labels, weight), (metric, numbers) in self._observed.items():
            yield Change(metric, labels, "observe", tuple(numbers), weight=weight), len(numbers)
        for (_, labels), (metric, ids, count) in self._seen.items():
            yield Change(metric, labels, "seen", ids=tuple(ids)), count
