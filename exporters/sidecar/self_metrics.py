"""What an exporter tells of itself: its collectors, its configuration, its scrapes, its process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from sla_kit.exporters.sidecar.collector import Kind
from sla_kit.exporters.sidecar.rendering import Format, joined, rendered


@dataclass(frozen=True, slots=True)
class CollectorState:
    """One collector as it is now: ``up`` is None until its first collection ends, ``age_seconds`` is that of its
    snapshot, None without one."""

    name: str
    up: bool | None
    age_seconds: float | None
    series: int
    collections: int
    seconds: float
    errors: Mapping[Kind, int]
    dropped: Mapping[str, int]


class SelfMetrics:
    """The metrics ``sla_exporter_…`` and ``process_…`` of one exporter."""

    def __init__(self, exporter: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        build = Info("sla_exporter_build", "The exporter and the version of sla-kit.", registry=self._registry)
        build.info({"exporter": exporter, "version": _version()})
        started = Gauge(
            "sla_exporter_start_time_seconds", "When the exporter began, Unix time.", registry=self._registry
        )
        started.set(time.time())
        self._reload_good = Gauge(
            "sla_exporter_config_last_reload_successful",
            "1 where the configuration was good when it was read last; the one before goes on where it was not.",
            registry=self._registry,
        )
        self._reload_time = Gauge(
            "sla_exporter_config_last_reload_success_timestamp_seconds",
            "When a good configuration was read last, Unix time.",
            registry=self._registry,
        )
        self._scrapes = Counter(
            "sla_exporter_scrapes", "Scrapes that were answered, by status.", ["status"], registry=self._registry
        )
        self._scrape_seconds = Histogram(
            "sla_exporter_scrape_duration_seconds",
            "How long scrapes took.",
            buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5),
            registry=self._registry,
        )
        self._scrapes.labels("200")

    def reloaded(self, good: bool) -> None:
        """The configuration was read, at the start or again."""
        self._reload_good.set(good)
        if good:
            self._reload_time.set_to_current_time()

    def scraped(self, seconds: float, status: int) -> None:
        """A scrape was answered."""
        self._scrapes.labels(str(status)).inc()
        self._scrape_seconds.observe(seconds)

    def rendered(self, form: Format, collectors: Iterable[CollectorState]) -> bytes:
        """All of it as text, without the body's end."""
        families = [*_of_collectors(list(collectors)), *self._registry.collect()]
        return joined(rendered(_without_created(family), form) for family in families)


def _of_collectors(states: list[CollectorState]) -> Iterator[Metric]:
    label = ["collector"]
    up = GaugeMetricFamily("sla_exporter_collector_up", "1 where the last collection went well.", labels=label)
    age = GaugeMetricFamily(
        "sla_exporter_snapshot_age_seconds", "How old the values are that scrapes are answered with.", labels=label
    )
    series = GaugeMetricFamily("sla_exporter_series", "How many series the values are.", labels=label)
    collections = CounterMetricFamily("sla_exporter_collections", "Collections that ended, good or bad.", labels=label)
    seconds = GaugeMetricFamily(
        "sla_exporter_collection_duration_seconds", "How long the last collection took.", labels=label
    )
    errors = CounterMetricFamily(
        "sla_exporter_errors", "Collections that failed, by the kind of the trouble.", labels=["collector", "kind"]
    )
    dropped = CounterMetricFamily(
        "sla_exporter_series_dropped",
        "Series that were left out since their metric had too many, counted at each collection.",
        labels=["collector", "metric"],
    )
    for state in states:
        if state.up is not None:
            up.add_metric([state.name], float(state.up))
            seconds.add_metric([state.name], state.seconds)
        if state.age_seconds is not None:
            age.add_metric([state.name], state.age_seconds)
        series.add_metric([state.name], state.series)
        collections.add_metric([state.name], state.collections)
        for kind in get_args(Kind):
            errors.add_metric([state.name, kind], state.errors.get(kind, 0))
        for metric, count in state.dropped.items():
            dropped.add_metric([state.name, metric], count)
    yield from (up, age, series, collections, seconds, errors, dropped)


def _without_created(family: Metric) -> Metric:
    """When a series was made says nothing here, and is a third of the lines."""
    family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    return family


def _version() -> str:
    try:
        return version("sla-kit")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
