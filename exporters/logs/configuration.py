"""What the exporter of logs is told: where they are, which field holds what, what is an error, how often to look."""

from __future__ import annotations

from msgspec import field

from sla_kit.catalogue.log_rules import check_index, check_query
from sla_kit.catalogue.logs import LogFields, LogQuery
from sla_kit.configuration.places import Findings
from sla_kit.configuration.values import Duration, Value
from sla_kit.exporters.elasticsearch import ElasticsearchEndpoint
from sla_kit.exporters.sidecar.collector import Schedule
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration, check_schedule

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
#: The most documents that Elasticsearch gives out at once, and the most values that it looks for at once.
_MOST_SAMPLED, _MOST_GROUPS = 10_000, 65_536


class Late(Value, frozen=True, kw_only=True):
    """What has been counted is counted again ``every`` so often for so long (``within``): what has come since is late.
    0 looks at nothing twice."""

    within: Duration = _HOUR
    every: Duration = 5 * _MINUTE


class Groups(Value, frozen=True, kw_only=True):
    """Groups of errors within the ``window`` until now, and which of them the time before, back to ``lookback`` ago,
    had not. More than ``most`` groups are an error."""

    on: bool = True
    window: Duration = 15 * _MINUTE
    lookback: Duration = 30 * _DAY
    most: int = 5_000
    every: Duration = 2 * _MINUTE


class Shipping(Value, frozen=True, kw_only=True):
    """How late documents arrive, from a random ``sample`` of those that arrived within the ``window``; the newest of
    each service, looked for back to ``silence`` ago; and those whose time is more than ``skew`` in the future."""

    on: bool = True
    window: Duration = 5 * _MINUTE
    sample: int = 1_000
    silence: Duration = _DAY
    skew: Duration = _MINUTE
    every: Duration = _MINUTE


class Volume(Value, frozen=True, kw_only=True):
    """How much is stored, by data stream. Whoever asks needs the privilege ``monitor`` of the indices."""

    on: bool = True
    every: Duration = 5 * _MINUTE


class LogsConfiguration(SidecarConfiguration, frozen=True, kw_only=True):
    """The whole configuration.

    Documents of ``index`` (a name, a pattern, several with commas) count, of those the ones of ``query``, and of
    ``services`` where some are named. ``errors`` says which of them are errors: as `sla-kit errors` does where it says
    nothing. A document counts at the time of its arrival, ``settle`` later, when it can be found; one that does not say
    when it arrived counts at the time at which it happened, ``lag`` later. The first run begins ``backfill`` ago; later
    ones where the last ended, at most ``catch_up`` ago. A service has at most ``max_types`` types of error, and there
    are at most ``max_services`` services: what is beyond is called "other".
    """

    cluster: ElasticsearchEndpoint
    index: str = "logs-*"
    query: LogQuery = ""
    services: list[str] = field(default_factory=list)
    fields: LogFields = LogFields()
    errors: LogQuery = ""
    settle: Duration = 30.0
    lag: Duration = 5 * _MINUTE
    backfill: Duration = 0.0
    catch_up: Duration = _DAY
    late: Late = Late()
    groups: Groups = Groups()
    shipping: Shipping = Shipping()
    volume: Volume = Volume()
    max_services: int = 200
    max_types: int = 100
    interval: Duration = _MINUTE
    timeout: Duration = 30.0

    def every(self, seconds: float) -> Schedule:
        """The schedule of what has an interval of its own."""
        return self.schedule(seconds)


def check(configuration: LogsConfiguration, findings: Findings) -> None:
    """Says what its types can't."""
    configuration.cluster.check(findings, ("cluster",))
    if not configuration.state:
        findings.say(("state",), "is missing", "counters go on from there: such as state: logs-state.db")
    check_index(configuration.index, ("index",), findings)
    check_query(configuration.query, ("query",), findings)
    check_query(configuration.errors, ("errors",), findings)
    for name in ("service", "time"):
        if not getattr(configuration.fields, name):
            findings.say(("fields", name), "must name a field")
    for name in ("max_services", "max_types"):
        if getattr(configuration, name) < 1:
            findings.say((name,), "must be at least 1")
    if configuration.backfill > configuration.catch_up:
        findings.say(("backfill",), "is longer than catch_up", "what is older than catch_up is left out")
    if configuration.catch_up < configuration.interval:
        findings.say(("catch_up",), "must be at least the interval", "such as 1d")
    _check_parts(configuration, findings)


def _check_parts(configuration: LogsConfiguration, findings: Findings) -> None:
    groups, shipping = configuration.groups, configuration.shipping
    for name in ("late", "groups", "shipping", "volume"):
        schedule = configuration.every(getattr(configuration, name).every)
        if schedule.interval_seconds < 1:
            findings.say((name, "every"), "must be at least 1s")
        else:
            check_schedule(schedule, findings, (name,))
    if not 0 < groups.window < groups.lookback:
        findings.say(("groups", "window"), "must be above 0 and shorter than lookback", "such as 15m")
    if not 0 < groups.most <= _MOST_GROUPS:
        findings.say(("groups", "most"), f"must be from 1 to {_MOST_GROUPS}")
    if not 0 < shipping.sample <= _MOST_SAMPLED:
        findings.say(("shipping", "sample"), f"must be from 1 to {_MOST_SAMPLED}")
    for name in ("window", "silence"):
        if getattr(shipping, name) <= 0:
            findings.say(("shipping", name), "must be above 0")
