"""How the systems behind the promises are watched: what alert rules, Prometheus and Alertmanager are told beyond the
promises themselves. All of it has defaults; a catalogue says what differs."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from sla_kit.configuration.values import Duration, Name, Value

#: What switches a dashboard off, or on again.
OFF, ON = frozenset({"off", "false", "no"}), frozenset({"on", "true", "yes"})
#: One or several names of jobs of Prometheus.
Jobs = str | list[str]


class DuringEvents(Value, frozen=True, kw_only=True):
    """What is different while a live event of the calendar goes on: other thresholds, or silence."""

    mute: bool = False
    thresholds: dict[Name, str] = field(default_factory=dict)


class RuleSettings(Value, frozen=True, kw_only=True, rename={"pending": "for"}):
    """What one alert has instead of its own defaults; what is left out stays. In YAML ``off`` alone is short for
    ``enabled: false``.

    ``pending`` (``for`` in YAML) is how long its expression must hold before it fires. ``thresholds`` are in the unit
    of each ("85%", "15m", 200). ``team`` names a contact. ``labels`` are added.
    """

    enabled: bool = True
    pending: Duration | None = None
    keep_firing_for: Duration | None = None
    severity: str = ""
    team: str = ""
    thresholds: dict[Name, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    during_events: DuringEvents | None = None


class SloRules(Value, frozen=True, kw_only=True):
    """How the rules that follow from SLOs behave.

    ``min_bad_events`` is how many bad events the long window must hold before a budget alert fires, so that one failed
    request at night wakes nobody; ``low_traffic`` names the SLO (a probe's) that decides below that, where there is
    one. ``cold_start`` says what happens until a long window has been recorded: ``quiet`` waits (backfill it),
    ``direct`` evaluates the window from the raw samples meanwhile. ``event_burn_factor`` multiplies the burn-rate
    thresholds while a live event goes on. ``runs_out_within`` warns when the budget will be spent in that time.
    """

    min_bad_events: float = 10.0
    cold_start: Literal["quiet", "direct"] = "quiet"
    event_burn_factor: float = 1.0
    runs_out_within: Duration = 3 * 86400.0
    no_data_after: Duration = 600.0


class Delivery(Value, frozen=True, kw_only=True):
    """To whom Alertmanager hands alerts: the ``router`` of sla-kit (its address), or natively Slack, PagerDuty and
    e-mail, as the contacts have them.

    ``secrets`` is the folder in which Alertmanager finds tokens and keys, one file each: ``token`` is the file with the
    router's, ``slack-url``, ``pagerduty-<rotation>`` and ``smtp-password`` are those of native delivery. ``heartbeat``
    is the address that the dead man's switch calls (the router without one).
    """

    through: Literal["router", "native"] = "router"
    router: str = "http://sla-kit-router:9099/v1/alertmanager"
    secrets: str = "/etc/alertmanager/secrets"
    token: str = ""
    heartbeat: str = ""
    smarthost: str = ""
    sender: str = ""
    smtp_user: str = ""


class Monitoring(Value, frozen=True, kw_only=True):
    """The alert rules of the whole stack and what they need to know of it.

    ``areas`` switches whole areas (``postgresql: off``), ``rules`` single alerts or what they are set to.
    ``dashboards`` switches single dashboards by their names (``business: off``), and says where the function of one of
    your own is: in a module that is installed (``orders: my_package.boards:orders``) or in a file of the catalogue's
    folder (``orders: boards/orders.py:dashboard``). Such code runs when dashboards are made, and only then. ``jobs``
    names the Prometheus jobs of each exporter where they differ from the inventory's, ``targets`` their addresses for
    prometheus.yml; without any they are ``<job>:<port>``, or Kubernetes is asked, as ``discovery`` says. ``labels``
    says what a label is called here (``namespace: exported_namespace``), ``keep_labels`` which labels every aggregation
    keeps. ``teams`` names the contact that an area's alerts belong to. ``ingress`` is which kind the ingress is.
    ``grafana``, ``kibana`` and ``alertmanager`` are the addresses that people open; ``tenant`` is that of a Mimir,
    Cortex or Thanos ruler, ``namespace`` where Kubernetes keeps the manifests.
    """

    scrape_interval: Duration = 15.0
    evaluation_interval: Duration = 30.0
    areas: dict[Name, bool] = field(default_factory=dict)
    rules: dict[Name, bool | RuleSettings] = field(default_factory=dict)
    dashboards: dict[Name, str] = field(default_factory=dict)
    jobs: dict[Name, Jobs] = field(default_factory=dict)
    targets: dict[Name, list[str]] = field(default_factory=dict)
    discovery: Literal["static", "kubernetes"] = "static"
    labels: dict[str, str] = field(default_factory=dict)
    keep_labels: list[str] = field(default_factory=lambda: ["cluster"])
    external_labels: dict[str, str] = field(default_factory=dict)
    teams: dict[Name, str] = field(default_factory=dict)
    ingress: Literal["nginx", "envoy", "alb"] = "nginx"
    grafana: str = ""
    kibana: str = ""
    alertmanager: str = ""
    tenant: str = ""
    namespace: str = "monitoring"
    slo: SloRules = field(default_factory=SloRules)
    delivery: Delivery = field(default_factory=Delivery)

    def shows(self, dashboard: str) -> bool:
        """Whether a dashboard is not switched off by its name."""
        return self.dashboards.get(dashboard, "").lower() not in OFF


class ServiceMonitoring(Value, frozen=True, kw_only=True):
    """What one service has of its own: ``jobs`` are its exporters' jobs (``application: api``, ``postgres: pg-main``),
    whose alerts then carry its name and its owner; ``rules`` are settings for those alerts only."""

    jobs: dict[Name, Jobs] = field(default_factory=dict)
    rules: dict[Name, bool | RuleSettings] = field(default_factory=dict)
