"""What was pushed, as metrics: a collector that reads the state and no source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from sla_kit.exporters.business.pushed.changes import Reason
from sla_kit.exporters.business.pushed.committing import Committing
from sla_kit.exporters.business.pushed.configuration import PUSHED, Pushed, PushedMetric
from sla_kit.exporters.business.pushed.store import Published
from sla_kit.exporters.sidecar.collector import Schedule

_WAYS = ("http", "statsd")


@dataclass(frozen=True)
class PushedCollector:
    """Publishes what was pushed, and what was not taken."""

    pushed: Pushed
    schedule: Schedule
    committing: Committing = field(compare=False, repr=False)
    name: str = PUSHED

    def collect(self, deadline: float) -> Iterator[Metric]:
        """The metrics as they are now. Raises `CollectError`."""
        for metric in self.pushed.metrics:
            found = self.committing.store.published(metric, deadline)
            if not found and not metric.labels and metric.type != "gauge":
                found = [_nothing_yet(metric)]  # so that the first event is seen as an increase
            yield _family(metric, found)
        accepted = CounterMetricFamily(
            "sla_push_accepted", "Changes that were pushed and kept, by the way they came.", labels=["via"]
        )
        for via in _WAYS:
            accepted.add_metric([via], self.committing.accepted[via])
        yield accepted
        dropped = CounterMetricFamily(
            "sla_push_dropped",
            "Changes that were pushed and not taken, by the way they came.",
            labels=["via", "reason"],
        )
        for via in _WAYS:
            for reason in get_args(Reason):  # with 0 from the beginning, so that the first one is seen as an increase
                dropped.add_metric([via, reason], self.committing.dropped[via, reason])
        yield dropped
        series = GaugeMetricFamily("sla_push_series", "Series of a pushed metric that are kept.", labels=["metric"])
        for metric in self.pushed.metrics:
            series.add_metric([metric.name], self.committing.store.series_count(metric))
        yield series

    def close(self) -> None:
        """The state is the service's to close."""


def _nothing_yet(metric: PushedMetric) -> Published:
    buckets = [(bound, 0.0) for bound in (*metric.buckets, float("inf"))] if metric.type == "histogram" else []
    windows = dict.fromkeys(metric.windows, 0.0) if metric.type == "users" else None
    return Published({}, 0.0, buckets, windows)


def _family(metric: PushedMetric, found: list[Published]) -> Metric:
    labels = metric.labels
    if metric.type == "counter":
        counter = CounterMetricFamily(metric.name, metric.help, labels=labels)
        for each in found:
            counter.add_metric([each.labels[label] for label in labels], each.value)
        return counter
    if metric.type == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=labels)
        for each in found:
            buckets = [("+Inf" if bound == math.inf else repr(float(bound)), amount) for bound, amount in each.buckets]
            histogram.add_metric([each.labels[label] for label in labels], buckets, each.value)
        return histogram
    window = [metric.window_label] if metric.type == "users" and metric.window_label else []
    gauge = GaugeMetricFamily(metric.name, metric.help, labels=[*labels, *window])
    for each in found:
        values = [each.labels[label] for label in labels]
        if each.windows is None:
            gauge.add_metric(values, each.value)
        else:
            for length, count in each.windows.items():
                gauge.add_metric([*values, length] if window else values, count)
    return gauge
