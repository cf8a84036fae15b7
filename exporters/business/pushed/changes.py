"""What is pushed, held against what was declared: a `Change` where it fits, `RefusedError` with why not otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.mapping import Mappings
from sla_kit.exporters.business.pushed.statsd import Sample

#: Why something was not taken, as a label has it.
Reason = Literal[
    "malformed", "unsupported", "unknown", "type", "labels", "value", "series", "rate", "sender", "overload", "state"
]
#: What can be done to a metric of each type.
ACTIONS: dict[str, tuple[str, ...]] = {
    "counter": ("add",),
    "gauge": ("set", "add"),
    "histogram": ("observe",),
    "users": ("seen",),
}
_STATSD = {"c": "add", "g": "set", "ms": "observe", "h": "observe", "d": "observe", "s": "seen"}
_LONGEST_LABEL = 256
_LONGEST_ID = 1_024
_LARGEST = 1e300


class RefusedError(Exception):
    """Something pushed can't be taken. The text holds no id of a user."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one series; ``labels`` are the values in the order in which the metric declares their names.

    ``weight`` is how many events each of the numbers stands for.
    """

    metric: PushedMetric
    labels: tuple[str, ...]
    action: str
    numbers: tuple[float, ...] = ()
    ids: tuple[str, ...] = field(default=(), repr=False)
    weight: float = 1.0


class Admission:
    """The declared metrics, and how names of StatsD become theirs."""

    def __init__(
        self, metrics: Iterable[PushedMetric], mappings: Mappings | None = None, ignored_tags: Iterable[str] = ()
    ) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._mappings = mappings or Mappings(())
        self._ignored = frozenset(ignored_tags)

    def change(
        self,
        name: str,
        labels: Mapping[str, str],
        action: str,
        numbers: tuple[float, ...] = (),
        ids: tuple[str, ...] = (),
        weight: float = 1.0,
    ) -> Change:
        """What a push means. Raises `RefusedError`."""
        metric = self._metrics.get(name)
        if metric is None:
            raise RefusedError("unknown", f"no metric {_shown(name)} is declared")
        if action not in ACTIONS[metric.type]:
            raise RefusedError("type", f"{name} is a {metric.type}, which takes {' or '.join(ACTIONS[metric.type])}")
        if labels.keys() != set(metric.labels):
            wanted = ", ".join(metric.labels) or "none"
            raise RefusedError("labels", f"{name} has other labels than declared: {wanted}")
        values = tuple(labels[label] for label in metric.labels)
        if any(len(value) > _LONGEST_LABEL or not value.isprintable() for value in values):
            raise RefusedError("labels", f"{name} has a label's value that is too long or can't be printed")
        if any(not abs(number) < _LARGEST for number in numbers):
            raise RefusedError("value", f"{name} has a number that is none or too large")
        if metric.type == "counter" and any(number < 0 for number in numbers):
            raise RefusedError("value", f"{name} is a counter, and does not fall")
        if any(not each or len(each) > _LONGEST_ID for each in ids):
            raise RefusedError("value", f"{name} has an id that is empty or too long")
        return Change(metric, values, action, numbers, ids, weight)

    def sampled(self, sample: Sample) -> Change:
        """What a line of StatsD means. Raises `RefusedError`."""
        mapped = self._mappings.find(sample.name)
        name, labels = mapped if mapped is not None else (sample.name.replace(".", "_").replace("-", "_"), {})
        tags = {tag: value for tag, value in sample.tags if tag not in self._ignored}
        action = "add" if sample.relative else _STATSD[sample.type]
        numbers = sample.numbers
        if sample.type == "c":
            numbers = (math.fsum(numbers) / sample.rate,)
        elif sample.type == "ms":
            numbers = tuple(number / 1000 for number in numbers)
        elif sample.type == "g":
            numbers = numbers[-1:]
        metric = self._metrics.get(name)
        if sample.type == "c" and metric is not None and metric.type == "gauge":
            raise RefusedError("type", f"{name} is a gauge, and was sent as a counter")
        ids = (sample.member,) if sample.type == "s" else ()
        weight = 1 / sample.rate if action == "observe" else 1.0
        return self.change(name, {**tags, **labels}, action, numbers, ids, weight)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else name[:99] + "…")
