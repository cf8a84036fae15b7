"""What may be pushed, and where it is listened for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

from msgspec import field

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.quantities import parse_duration
from sla_kit.configuration.secrets import Secret, check_secret
from sla_kit.configuration.values import Duration, Ratio, Value
from sla_kit.exporters.business.declared import Declared, check_declared
from sla_kit.exporters.business.pushed.estimating import precision_for
from sla_kit.exporters.business.pushed.mapping import Mapping, check_mapping
from sla_kit.serving.addresses import parse_address

#: The name of the collector of what is pushed.
PUSHED = "pushed"
#: What a HyperLogLog of one series takes at most, a register.
_BYTES_PER_REGISTER = 400
_MOST_BYTES = 2 * 1024**3


class PushedMetric(Value, frozen=True, kw_only=True):
    """One metric that the application may bring, with exactly these ``labels``, in at most ``max_series`` series
    (1,000, or 100 of users).

    A counter grows by what is pushed. A gauge is what was pushed last, for as long as ``expires`` says: then it goes. A
    histogram counts what was observed into ``buckets`` (upper bounds, without +Inf). Of ``users``, ids are pushed, and
    a gauge says how many different ones there were within each of ``windows``, which is in the label ``window_label``
    (empty where there is one window): exactly up to 50,000 users of the longest window, and from then on within the
    standard ``error``. Series of counters and histograms go, too, where they ``expires`` without a push.
    """

    name: str
    type: Literal["counter", "gauge", "histogram", "users"]
    help: str
    labels: list[str] = field(default_factory=list)
    max_series: int | None = None
    expires: Duration | None = None
    buckets: list[float] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)
    window_label: str = "window"
    error: Ratio = 0.01

    @property
    def most_series(self) -> int:
        """How many series it may have."""
        if not self.labels:
            return 1
        return self.max_series or (100 if self.type == "users" else 1_000)

    @property
    def window_seconds(self) -> dict[str, float]:
        """The length of each window."""
        return {window: parse_duration(window) for window in self.windows}


class Statsd(Value, frozen=True, kw_only=True):
    """Where datagrams of StatsD are taken: ``udp`` (host:port), and a ``unix`` socket with the rights ``unix_mode``.

    Other machines may send only where ``senders`` names their networks: nothing else protects it. Of more datagrams
    than ``max_rate`` in a second the rest is dropped. ``ignored_tags`` are left out where a sender adds them.
    """

    udp: str = ""
    unix: str = ""
    unix_mode: str = "660"
    senders: list[str] = field(default_factory=list)
    max_rate: int = 20_000
    mappings: list[Mapping] = field(default_factory=list)
    ignored_tags: list[str] = field(default_factory=list)


class Pushed(Value, frozen=True, kw_only=True):
    """What the application may bring: over HTTP, POST to ``path``, and as StatsD.

    With a ``token``, each push over HTTP must show it (``Authorization: Bearer`` or ``X-Push-Token``).
    """

    metrics: list[PushedMetric]
    path: str = "/push"
    token: Secret | None = None
    statsd: Statsd | None = None

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with it; ``path`` is where it stands."""
        check_secret(self.token, findings, (*path, "token"))
        if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", self.path):
            findings.say((*path, "path"), f"{self.path!r} is no path", "such as /push")
        elif self.path in ("/metrics", "/healthz", "/readyz"):
            findings.say((*path, "path"), f"{self.path} is taken", "such as /push")
        if not self.metrics:
            findings.say((*path, "metrics"), "must declare a metric", "what is not declared is refused")
        for each in self.declared(path):
            check_declared(each, findings)
        for index, metric in enumerate(self.metrics):
            _check_metric(metric, findings, (*path, "metrics", index))
        if self.statsd is not None:
            self._check_statsd(self.statsd, findings, (*path, "statsd"))

    def declared(self, path: Part) -> Iterable[Declared]:
        """The metrics that may come, to be told apart from those of queries."""
        for index, metric in enumerate(self.metrics):
            labels, fixed = frozenset(metric.labels), {}
            if metric.type == "users" and metric.window_label:
                labels |= {metric.window_label}
                fixed = {metric.window_label: frozenset(metric.windows)}
            kind = "gauge" if metric.type == "users" else metric.type
            yield Declared(metric.name, kind, metric.help, labels, (*path, "metrics", index, "name"), fixed)

    def _check_statsd(self, statsd: Statsd, findings: Findings, path: Part) -> None:
        if not statsd.udp and not statsd.unix:
            findings.say(path, "says neither udp nor unix", "such as udp: 127.0.0.1:8125")
        if statsd.udp:
            try:
                address = parse_address(statsd.udp)
            except ValueError as error:
                findings.say((*path, "udp"), f"{statsd.udp!r} {error}", "such as 127.0.0.1:8125")
            else:
                if not address.loopback and not statsd.senders:
                    findings.say((*path, "udp"), "is open to other machines", "say senders: [10.0.0.0/8], or 127.0.0.1")
        for index, sender in enumerate(statsd.senders):
            try:
                ipaddress.ip_network(sender)
            except ValueError:
                findings.say((*path, "senders", index), f"{sender!r} is no network", "such as 10.1.0.0/16")
        if not re.fullmatch("0?[0-7]{3}", statsd.unix_mode):
            findings.say((*path, "unix_mode"), f"{statsd.unix_mode!r} are no rights of a file", "such as 660")
        if statsd.max_rate < 1:
            findings.say((*path, "max_rate"), "must be at least 1")
        labels = {metric.name: set(metric.labels) for metric in self.metrics}
        for index, mapping in enumerate(statsd.mappings):
            here = (*path, "mappings", index)
            check_mapping(mapping, findings, here)
            if findings.expect(mapping.name, labels, (*here, "name"), "pushed metric", [(*path[:-1], "metrics")]):
                for label in sorted(set(mapping.labels) - labels[mapping.name]):
                    findings.say((*here, "labels", label), f"{mapping.name} has no label {label}")


def _check_metric(metric: PushedMetric, findings: Findings, path: Part) -> None:
    if len(set(metric.labels)) < len(metric.labels):
        findings.say((*path, "labels"), "names a label twice")
    if metric.max_series is not None and metric.max_series < 1:
        findings.say((*path, "max_series"), "must be at least 1")
    if metric.expires is not None and metric.expires <= 0:
        findings.say((*path, "expires"), "must be above 0", "such as 5m")
    if metric.type == "gauge" and metric.expires is None:
        findings.say(
            path, f"{metric.name} is a gauge without expires", "an old number must not look alive: expires: 5m"
        )
    if bool(metric.buckets) != (metric.type == "histogram"):
        message = "a histogram has buckets" if metric.type == "histogram" else f"a {metric.type} has no buckets"
        findings.say((*path, "buckets") if metric.buckets else path, message, "such as [0.1, 0.5, 1, 5]")
    if any(later <= earlier for earlier, later in pairwise(metric.buckets)):
        findings.say((*path, "buckets"), "must rise")
    if metric.type == "users":
        _check_users(metric, findings, path)
    elif metric.windows:
        findings.say((*path, "windows"), f"a {metric.type} has no windows", "type: users has")


def _check_users(metric: PushedMetric, findings: Findings, path: Part) -> None:
    if not metric.windows:
        findings.say(path, f"{metric.name} has no windows", "such as windows: [1m, 5m, 1h, 1d, 30d]")
    for index, window in enumerate(metric.windows):
        try:
            good = parse_duration(window) >= 1
        except ValueError:
            good = False
        if not good:
            findings.say(
                (*path, "windows", index), f"{window!r} is no length of time of a second or more", "such as 5m"
            )
    if len(set(metric.windows)) < len(metric.windows):
        findings.say((*path, "windows"), "names a window twice")
    if not metric.window_label and len(metric.windows) > 1:
        findings.say((*path, "window_label"), "is empty, though there are several windows", "such as window")
    if metric.window_label in metric.labels:
        findings.say((*path, "window_label"), f"{metric.window_label} is one of labels, too")
    if metric.expires is not None:
        findings.say((*path, "expires"), "is of no use: users go when the longest window has passed", "leave it out")
    if not 0.002 <= metric.error <= 0.3:
        findings.say((*path, "error"), "must be from 0.2% to 30%", "such as 1%")
    elif metric.most_series * (1 << precision_for(metric.error)) * _BYTES_PER_REGISTER > _MOST_BYTES:
        findings.say(
            (*path, "max_series"),
            f"{metric.most_series} series of users with that error could fill 2 GiB of disk",
            "allow fewer series, or a larger error",
        )
