"""What the router tells Prometheus of itself; `alert_rules/inventory/router.yml` names the same metrics.

``destination`` is the kind of one (slack, pagerduty, …), so that their number stays small. Whatever alerts read is
there from the start, at 0. Naming: https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric

from sla_kit.routing.destinations import KINDS

#: What `events.Event` may be, by tag.
EVENT_KINDS = ("alerts", "notice", "change", "acknowledgement", "closing", "silencing", "escalating")
#: ``accepted`` is committed; ``repeated`` had been already; ``refused`` was answered with an error.
EVENT_OUTCOMES = ("accepted", "repeated", "refused")
#: How an attempt to deliver ends.
DELIVERY_OUTCOMES = ("delivered", "failed")

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALL = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 60)
_LATENCY = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_HUMAN = (30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400)


class _Registry(CollectorRegistry):
    """Leaves out when each series began: the start of the process says it, and it would double the scrape."""

    def collect(self) -> Iterable[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class RouterMetrics:
    """Counts and times of one router; its methods may be called from any thread."""

    def __init__(self) -> None:
        self.registry = _Registry(auto_describe=False)
        self._of_what_comes_in()
        self._of_what_goes_out()
        self._of_the_outbox()
        self._of_people()
        Info("sla_router_build", "The version that runs.", registry=self.registry).info({"version": _version()})
        ProcessCollector(registry=self.registry)

    def event(self, kind: str, outcome: str, count: int = 1) -> None:
        """Something came in: one of `EVENT_KINDS` and `EVENT_OUTCOMES`; kind ``unknown`` where it could not be read."""
        self._events.labels(kind, outcome).inc(count)

    def accepted(self, seconds: float) -> None:
        """A request was committed so long after it had arrived."""
        self._accept.observe(seconds)

    def acknowledged(self, severity: str, team: str, seconds: float) -> None:
        """An incident was acknowledged so long after somebody was first told of it."""
        self._acknowledge.labels(severity, team).observe(max(seconds, 0.0))

    def recovered(self, severity: str, team: str, seconds: float) -> None:
        """An incident was resolved so long after it had begun."""
        self._recover.labels(severity, team).observe(max(seconds, 0.0))

    def heartbeat(self, sender: str, at: float) -> None:
        """A sender was heard of, at that time."""
        self._heartbeat.labels(sender).set(at)

    def called(self, destination: str, seconds: float, *, delivered: bool) -> None:
        """An attempt ended after so long."""
        self._deliveries.labels(destination, "delivered" if delivered else "failed").inc()
        self._calls.labels(destination).observe(max(seconds, 0.0))

    def first_told(self, destination: str, seconds: float) -> None:
        """A destination was first told of something so long after that was made."""
        self._first_told.labels(destination).observe(max(seconds, 0.0))

    def rate_limited(self, destination: str) -> None:
        """A service refused an attempt for its rate limit."""
        self._limited.labels(destination).inc()

    def abandoned(self, destination: str) -> None:
        """An attempt hung; it counts as failed."""
        self._abandoned.labels(destination).inc()
        self._deliveries.labels(destination, "failed").inc()

    def fell_back(self, destination: str) -> None:
        """What could not be told at a destination is told elsewhere."""
        self._fallbacks.labels(destination).inc()

    def breaker(self, destination: str, is_open: bool) -> None:
        """A service is left alone, or no longer."""
        self._breakers.labels(destination).set(float(is_open))

    def in_flight(self, destination: str, calls: int) -> None:
        """So many attempts are under way."""
        self._in_flight.labels(destination).set(calls)

    def outbox_failed(self) -> None:
        """The outbox could not be read or written."""
        self._outbox_errors.inc()

    def outbox_up(self, up: bool) -> None:
        """Whether the outbox could be read and written last."""
        self._outbox_up.set(float(up))

    def outbox(self, *, pending: int, oldest_seconds: float, dead: Mapping[str, int]) -> None:
        """What waits and what was given up, the latter by kind of destination."""
        self._pending.set(pending)
        self._oldest.set(oldest_seconds)
        for kind in KINDS:
            self._dead.labels(kind).set(dead.get(kind, 0))

    def events_waiting(self, new: int, dead: int) -> None:
        """Events that wait to be planned, and those that can't be."""
        self._waiting.set(new)
        self._dead_events.set(dead)

    def render(self) -> bytes:
        """All of it, in Prometheus's text format (``text/plain; version=0.0.4``)."""
        return generate_latest(self.registry)

    def _of_what_comes_in(self) -> None:
        self._events = self._counter("events", "Events that came in, by kind and outcome.", "kind", "outcome")
        self._accept = self._histogram("accept_seconds", "From a request's arrival to its commit.", _QUICK)
        self._waiting = self._gauge("events_waiting", "Events that were accepted and wait to be planned.")
        self._dead_events = self._gauge("dead_events", "Events that could not be planned and were put aside.")
        self._heartbeat = self._gauge(
            "last_heartbeat_timestamp_seconds", "When a sender was last heard of, Unix time.", "sender"
        )
        for kind in EVENT_KINDS:
            for outcome in EVENT_OUTCOMES:
                self._events.labels(kind, outcome)

    def _of_what_goes_out(self) -> None:
        self._deliveries = self._counter("deliveries", "Attempts to deliver, by outcome.", "destination", "outcome")
        self._calls = self._histogram("delivery_seconds", "Duration of one attempt to deliver.", _CALL, "destination")
        self._first_told = self._histogram(
            "first_told_seconds",
            "From the making of a notification to the moment its destination was first told.",
            _LATENCY,
            "destination",
        )
        self._limited = self._counter(
            "rate_limited", "Attempts that a service refused for its rate limit.", "destination"
        )
        self._abandoned = self._counter(
            "calls_abandoned", "Attempts that hung and were no longer waited for.", "destination"
        )
        self._fallbacks = self._counter(
            "fallbacks", "Notifications whose failure was handed on, to be told elsewhere.", "destination"
        )
        self._breakers = self._gauge(
            "breaker_open", "1 where a service does not answer and is left alone, else 0.", "destination"
        )
        self._in_flight = self._gauge("calls_in_flight", "Attempts that are under way.", "destination")
        for each in KINDS:
            for outcome in DELIVERY_OUTCOMES:
                self._deliveries.labels(each, outcome)
            for counter in (self._limited, self._abandoned, self._fallbacks):
                counter.labels(each)
            for gauge in (self._breakers, self._in_flight):
                gauge.labels(each)

    def _of_the_outbox(self) -> None:
        self._outbox_up = self._gauge("outbox_up", "1 where the outbox could be read and written last, else 0.")
        self._outbox_errors = self._counter("outbox_errors", "Times that the outbox could not be read or written.")
        self._pending = self._gauge("outbox_pending", "Notifications that wait to be delivered.")
        self._oldest = self._gauge(
            "outbox_oldest_seconds", "How long the oldest notification has waited; 0 where none waits."
        )
        self._dead = self._gauge("dead_letters", "Notifications that were given up.", "destination")
        for each in KINDS:
            self._dead.labels(each)

    def _of_people(self) -> None:
        of = ("severity", "team")
        self._acknowledge = self._histogram(
            "acknowledge_seconds", "From the first notification of an alert to its acknowledgement.", _HUMAN, *of
        )
        self._recover = self._histogram(
            "recover_seconds", "From the moment an alert began to fire to the moment it was resolved.", _HUMAN, *of
        )

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"sla_router_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"sla_router_{name}", what, labels, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"sla_router_{name}", what, labels, buckets=buckets, registry=self.registry)


def _version() -> str:
    try:
        return version("sla-kit")
    except PackageNotFoundError:
        return ""
