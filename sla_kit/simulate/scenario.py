"""A scenario: what a simulated month holds. Built in Python, or read from YAML by `loading`.

Moments are epoch seconds, in YAML also RFC 3339; lengths are seconds, in YAML also "20m"; shares are ratios.
"""

from __future__ import annotations

from msgspec import Struct, field


class _Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of a scenario is: frozen, built by keyword, closed to unknown keys."""


class Span(_Value, frozen=True, kw_only=True):
    """A stretch of time from ``start`` on."""

    start: float
    length: float


class Burst(Span, frozen=True, kw_only=True):
    """A live event: traffic grows ``factor``-fold over ``ramp`` seconds, and back at the end."""

    factor: float = 100.0
    ramp: float = 600.0


class Outage(Span, frozen=True, kw_only=True):
    """A time in which ``error_ratio`` of the requests fail."""

    error_ratio: float


class Slowdown(Span, frozen=True, kw_only=True):
    """A time in which every request takes ``factor`` times as long."""

    factor: float


class Gap(Span, frozen=True, kw_only=True):
    """A time in which nothing is scraped: of these services, or of everything."""

    services: list[str] = field(default_factory=list)


class Restart(_Value, frozen=True, kw_only=True):
    """The process of one pod (by number) begins anew: its counters go back to zero."""

    at: float
    pod: int = 0


class Latency(_Value, frozen=True, kw_only=True):
    """How long requests take: lognormal with this median and 95th percentile (seconds), in a histogram."""

    metric: str = "http_request_duration_seconds"
    median: float = 0.02
    p95: float = 0.06
    bounds: list[float] = field(default_factory=lambda: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5])
    labels: dict[str, str] | None = None


class Workload(_Value, frozen=True, kw_only=True):
    """Pods that answer requests.

    ``rps`` is the mean rate of all pods together outside live events; over the day it swings by ``daily`` (0 to 1),
    at weekends it is ``weekend`` times as high, and each week it grows by ``growth``. Good requests have the
    statuses of ``codes`` in those shares, bad ones ``bad_code``. ``split`` divides every status further, as
    {"route": {"/games": 0.7, "/teams": 0.3}}. There are ``pods`` at least and ``pods_most`` at most, one for every
    ``pod_rps``.
    """

    name: str
    metric: str = "http_requests_total"
    labels: dict[str, str] = field(default_factory=dict)
    instance_label: str = "instance"
    status_label: str = "status_code"
    codes: dict[str, float] = field(default_factory=lambda: {"200": 1.0})
    bad_code: str = "500"
    error_ratio: float = 0.0
    split: dict[str, dict[str, float]] = field(default_factory=dict)
    rps: float = 1.0
    daily: float = 0.5
    weekend: float = 1.0
    growth: float = 0.0
    bursts: bool = True
    pods: int = 1
    pods_most: int = 1
    pod_rps: float = 50.0
    latency: Latency | None = None
    outages: list[Outage] = field(default_factory=list)
    slowdowns: list[Slowdown] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)


class ProbeTarget(_Value, frozen=True, kw_only=True):
    """A gauge that is 1, and 0 during its ``down`` times."""

    metric: str = "probe_success"
    labels: dict[str, str] = field(default_factory=dict)
    down: list[Span] = field(default_factory=list)


class Excursion(Span, frozen=True, kw_only=True):
    """A time in which a gauge has another value."""

    value: float


class _Measured(_Value, frozen=True, kw_only=True):
    """A quantity with a value, some noise (the standard deviation of a normal; never below zero), and excursions.

    Where it names a ``service``, each of that one's pods adds ``per_pod`` to the value, and each request per second
    ``per_rps``. Over the day it swings by ``daily`` (0 to 1). Only the last ``hours`` of the history are recorded, all
    of it where that is 0; of a series that comes and goes, only the times ``during`` which it is there.
    """

    metric: str
    labels: dict[str, str] = field(default_factory=dict)
    value: float = 0.0
    noise: float = 0.0
    daily: float = 0.0
    service: str = ""
    per_pod: float = 0.0
    per_rps: float = 0.0
    excursions: list[Excursion] = field(default_factory=list)
    hours: float = 0.0
    during: list[Span] = field(default_factory=list)


class Gauge(_Measured, frozen=True, kw_only=True):
    """A gauge that has this value. With ``grows`` it is a time or a total that goes on by so much a second from its
    value; with ``age`` it is the moment that lies so many seconds back when the history ends."""

    grows: float = 0.0
    age: float | None = None


class Counter(_Measured, frozen=True, kw_only=True):
    """A counter that grows by this value each second; it was ``started`` at this count."""

    started: float = 0.0


class Distribution(_Measured, frozen=True, kw_only=True):
    """A histogram of this many observations a second, lognormal with a median and a 95th percentile."""

    median: float
    p95: float
    bounds: list[float] = field(default_factory=lambda: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])


class Run(_Value, frozen=True, kw_only=True):
    """One run of a job that took ``seconds``, other than usual."""

    day: str
    seconds: float


class Job(_Value, frozen=True, kw_only=True):
    """A job every ``every`` days at ``hour`` (UTC) that takes about ``seconds``: a backup, a restore drill.

    ``completed_metric`` is the gauge with the time of its last success, ``duration_metric`` the one with that run's
    length. On the ``missed`` days (ISO dates) it does not run; ``unusual`` ones take another time.
    """

    completed_metric: str
    duration_metric: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    every: int = 1
    hour: float = 3.0
    seconds: float = 1200.0
    missed: list[str] = field(default_factory=list)
    unusual: list[Run] = field(default_factory=list)


class Scenario(_Value, frozen=True, kw_only=True):
    """The whole: ``days`` from ``start``, scraped every ``scrape_interval`` seconds; the same seed draws the same."""

    start: float
    days: float
    name: str = "scenario"
    seed: int = 1
    scrape_interval: float = 15.0
    services: list[Workload] = field(default_factory=list)
    events: list[Burst] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    probes: list[ProbeTarget] = field(default_factory=list)
    gauges: list[Gauge] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    histograms: list[Distribution] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    @property
    def end(self) -> float:
        """When it ends, epoch seconds."""
        return float(self.start) + self.days * 86400
