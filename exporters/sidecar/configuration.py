"""What the configuration of every exporter says, and reading one: all mistakes at once, each with its file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sla_kit.configuration.decode import Shorthands, decode
from sla_kit.configuration.nodes import Mapping, read
from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, anchored, written
from sla_kit.configuration.values import Duration, Ratio, Value
from sla_kit.errors import ConfigurationError
from sla_kit.exporters.sidecar.collector import Schedule
from sla_kit.serving.addresses import parse_address
from sla_kit.serving.logs import Log


class SidecarConfiguration(Value, frozen=True, kw_only=True):
    """What every exporter can be told; its own configuration adds to it.

    ``listen`` is ``host:port``, on the loopback address and the exporter's own port where it is empty; ``web_config``
    a file as Prometheus's exporters have it (TLS, basic auth), relative to this one. ``interval``, ``timeout`` and
    ``jitter`` are for collectors that have none of their own. ``max_series`` is how many series one metric of one
    collector may have. ``state`` is a file in which is kept what must outlive the process.
    """

    listen: str = ""
    web_config: str = ""
    interval: Duration = 30.0
    timeout: Duration = 10.0
    jitter: Ratio = 0.1
    max_series: int = 10_000
    state: str = ""
    log: Log = Log()

    def schedule(
        self, interval: float | None = None, timeout: float | None = None, jitter: float | None = None
    ) -> Schedule:
        """The schedule of a collector, with what it says itself put before what all have."""
        return Schedule(
            self.interval if interval is None else interval,
            self.timeout if timeout is None else timeout,
            self.jitter if jitter is None else jitter,
        )


Configured = TypeVar("Configured", bound=SidecarConfiguration)
#: What every client library publishes of its process (the names of families).
_OF_THE_PROCESS = frozenset(
    f"process_{name}"
    for name in (
        "virtual_memory_bytes", "resident_memory_bytes", "start_time_seconds", "cpu_seconds", "open_fds", "max_fds",
    )
)  # fmt: skip
#: The longest interval and timeout: what is longer is a slip, and more than a server's clock can hold.
_LONGEST_INTERVAL, _LONGEST_TIMEOUT = 366 * 86_400, 86_400
#: The names that Prometheus's data model allows without quotes: of a metric, and of a label.
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")


def read_configuration(
    path: Path,
    wanted: type[Configured],
    rules: Callable[[Configured, Findings], None],
    *,
    shorthands: Shorthands | None = None,
) -> Configured:
    """The configuration of a YAML file. ``rules`` say what its types can't. Raises `ConfigurationError`."""
    root, mistakes = read(path, str(path), "--config names the exporter's configuration", "sla-kit exporter --help")
    if root is not None and not isinstance(root, Mapping):
        mistakes = [*mistakes, root.place.mistake("a configuration is a mapping")]
    if not isinstance(root, Mapping):
        raise ConfigurationError(mistakes)
    found, places, wrong = decode(root, wanted, "the configuration", shorthands={Secret: written, **(shorthands or {})})
    findings = Findings(places)
    _check(found, findings)
    rules(found, findings)
    mistakes = [*mistakes, *wrong, *findings.mistakes]
    if mistakes:
        raise ConfigurationError(sorted(set(mistakes)))
    located: Configured = anchored(found, path.absolute().parent)
    return located


def check_schedule(schedule: Schedule, findings: Findings, path: Part) -> None:
    """Says what is wrong with a collector's interval, timeout or jitter; ``path`` is the part that has them."""
    if schedule.interval_seconds < 1:
        findings.say((*path, "interval"), "must be at least 1s", "sources are not asked more often than that")
    elif schedule.interval_seconds > _LONGEST_INTERVAL:
        findings.say((*path, "interval"), "must be at most a year", "such as 1d")
    if schedule.timeout_seconds <= 0:
        findings.say((*path, "timeout"), "must be above 0", "such as 10s")
    elif schedule.timeout_seconds > _LONGEST_TIMEOUT:
        findings.say((*path, "timeout"), "must be at most a day", "such as 10m")
    if schedule.jitter_ratio > 0.5:
        findings.say((*path, "jitter"), "must be at most 50%", "such as 10%")


def check_metric_name(name: str, findings: Findings, path: Part) -> None:
    """Says what is wrong with the name of a metric."""
    if not METRIC_NAME.fullmatch(name):
        findings.say(path, f"{name!r} can't be the name of a metric", "letters, digits and _, no digit first")
    elif ":" in name:
        findings.say(path, f"{name} has a colon", "colons are for recording rules")
    elif name.startswith("sla_exporter_"):
        findings.say(path, f"{name} is taken", "metrics of the exporter itself begin with sla_exporter_")
    elif name.removesuffix("_total") in _OF_THE_PROCESS:
        findings.say(path, f"{name} is taken", "the exporter says so of its own process")


def check_label_name(name: str, findings: Findings, path: Part) -> None:
    """Says what is wrong with the name of a label."""
    if not LABEL_NAME.fullmatch(name):
        findings.say(path, f"{name!r} can't be the name of a label", "letters, digits and _, no digit or __ first")


def _check(configuration: SidecarConfiguration, findings: Findings) -> None:
    check_schedule(configuration.schedule(), findings, ())
    if configuration.max_series < 1:
        findings.say(("max_series",), "must be at least 1")
    if configuration.listen:
        try:
            parse_address(configuration.listen)
        except ValueError as error:
            findings.say(("listen",), f"{configuration.listen!r} {error}", "such as 127.0.0.1:9117 or :9117")
