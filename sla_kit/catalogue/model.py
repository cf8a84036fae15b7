"""The catalogue as values: what a team promises, to whom, how it is measured, and when it does not count.

All structs are frozen. Durations are seconds, shares are ratios from 0 to 1, times are epoch seconds in UTC unless
a field says otherwise. The same structs are built from YAML (`sla_kit.catalogue.load`) and from Python.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field, structs

from sla_kit.catalogue.logs import Comparison, LogQuery, Logs, ServerType
from sla_kit.catalogue.monitoring import Monitoring, ServiceMonitoring
from sla_kit.catalogue.routing import Routing
from sla_kit.catalogue.values import ForeignQuery as ForeignQuery
from sla_kit.catalogue.values import Labels as Labels
from sla_kit.catalogue.values import LocalTime as LocalTime
from sla_kit.catalogue.values import Matchers as Matchers
from sla_kit.configuration.values import Duration as Duration
from sla_kit.configuration.values import Name as Name
from sla_kit.configuration.values import Ratio as Ratio
from sla_kit.configuration.values import Unwritten, Value

Budgeting = Literal["occurrences", "timeslices", "ratio-timeslices"]
Missing = Literal["ignore", "bad", "fail"]
Severity = str
#: What a reached step of an error-budget policy asks for, apart from its words.
Effect = Literal["freeze", "review", "escalate"]


class _Labelled(Value, frozen=True, kw_only=True):
    """What other tools keep beside a name: ``title`` is it in people's words; ``labels`` and ``annotations`` are kept
    for whoever reads the catalogue, and change no figure."""

    title: str = ""
    labels: Labels = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


# --- service level indicators ---------------------------------------------------------------------------------------


class _Indicator(_Labelled, frozen=True, kw_only=True):
    """What every indicator may have. ``source`` names the server that holds its metrics, where it is not the SLO's or
    the service's."""

    description: str = ""
    source: str = ""


class Requests(_Indicator, frozen=True, kw_only=True, tag="requests", tag_field="kind"):
    """Good or bad over total events, counted by a counter.

    ``matchers`` select the total; exactly one of ``good`` and ``bad`` adds matchers that select that side, on the
    same metric or on ``good_metric`` / ``bad_metric`` (then its matchers may be empty).
    """

    metric: str
    matchers: Matchers = field(default_factory=dict)
    good: Matchers | None = None
    bad: Matchers | None = None
    good_metric: str | None = None
    bad_metric: str | None = None


class Latency(_Indicator, frozen=True, kw_only=True, tag="latency", tag_field="kind"):
    """The share of requests at or under ``threshold`` seconds, and the quantile itself, from a histogram.

    ``metric`` is the histogram's name without ``_bucket``. ``unit_seconds`` is the length of one unit of the
    metric's buckets (0.001 for a histogram in milliseconds). ``native`` reads a native histogram.
    """

    metric: str
    threshold: Duration
    matchers: Matchers = field(default_factory=dict)
    quantile: Ratio = 0.95
    unit_seconds: float = 1.0
    native: bool = False


class Probe(_Indicator, frozen=True, kw_only=True, tag="probe", tag_field="kind"):
    """The share of successful probes, from a gauge that is 1 or 0. ``combine`` says how several series are one:
    ``mean`` counts every sample, ``any`` is up where one is up, ``all`` where all are."""

    metric: str = "probe_success"
    matchers: Matchers = field(default_factory=dict)
    combine: Literal["mean", "any", "all"] = "mean"


class Freshness(_Indicator, frozen=True, kw_only=True, tag="freshness", tag_field="kind"):
    """The age of what a timestamp gauge (epoch seconds) names, at most ``max_age``; of several series the newest or
    the oldest counts."""

    metric: str
    max_age: Duration
    matchers: Matchers = field(default_factory=dict)
    combine: Literal["newest", "oldest"] = "newest"


class LastDuration(_Indicator, frozen=True, kw_only=True, tag="duration", tag_field="kind"):
    """The length of the last run of a job (a restore), a gauge in seconds, at most ``max``; of several series the
    longest counts. ``completed_metric`` (a timestamp gauge with the same matchers) dates the runs, for evidence."""

    metric: str
    max: Duration
    matchers: Matchers = field(default_factory=dict)
    completed_metric: str | None = None


class Recovery(_Indicator, frozen=True, kw_only=True, tag="recovery", tag_field="kind"):
    """Each outage of another SLO (``of``: its name, or service/name) recovered ``within`` that time of its
    detection. The events are the outages."""

    of: str
    within: Duration

    def target(self, service: str) -> tuple[str, str]:
        """Service and name of the SLO whose outages are timed, for an indicator of that service."""
        owner, _, name = self.of.rpartition("/")
        return owner or service, name


class Bound(_Indicator, frozen=True, kw_only=True, tag="bound", tag_field="kind"):
    """A gauge at or over ``min`` and at or under ``max``, over ``above`` and under ``below``; ``combine`` makes several
    series one value. Instead of a ``metric`` it may be the value of a ``promql`` expression at the end of each bucket,
    in which ``$window`` stands for the bucket's length."""

    metric: str = ""
    matchers: Matchers = field(default_factory=dict)
    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    combine: Literal["max", "min", "mean", "sum"] = "max"
    promql: str = ""

    @property
    def lower(self) -> float | None:
        """The limit from below, whether it may be reached or not."""
        return self.min if self.min is not None else self.above

    @property
    def upper(self) -> float | None:
        """The limit from above, whether it may be reached or not."""
        return self.max if self.max is not None else self.below


class Promql(_Indicator, frozen=True, kw_only=True, tag="promql", tag_field="kind"):
    """Good or bad and total events per bucket as PromQL, for what structure can't say. ``$window`` in an expression
    stands for the bucket's length, as in ``sum(increase(jobs_total[$window]))``."""

    total: str
    good: str | None = None
    bad: str | None = None


class LogEvents(_Indicator, frozen=True, kw_only=True, tag="log-events", tag_field="kind"):
    """Good or bad over total events, each a document of Elasticsearch.

    ``query`` selects the total (all documents where empty) in ``index`` (a pattern, an alias or a data stream; that of
    the catalogue's ``logs`` where empty); exactly one of ``good`` and ``bad`` selects that side among them.
    """

    index: str = ""
    query: LogQuery = ""
    good: LogQuery | None = None
    bad: LogQuery | None = None


class LogLatency(_Indicator, frozen=True, kw_only=True, tag="log-latency", tag_field="kind"):
    """The share of events, each a document of Elasticsearch, whose duration is at or under ``threshold`` seconds, and
    the quantile itself.

    ``query`` and ``index`` select them as for `LogEvents`. ``field`` holds the duration in units of ``unit_seconds``;
    both are those of the catalogue's ``logs`` where they are left out. Documents without it are no events.
    """

    threshold: Duration
    index: str = ""
    query: LogQuery = ""
    field: str = ""
    unit_seconds: float | None = None
    quantile: Ratio = 0.95


class External(_Indicator, frozen=True, kw_only=True, tag="external", tag_field="kind"):
    """An indicator of a source that sla-kit does not read (``type``: Datadog, SQL), kept so that it can be exported.

    Its queries are ``total`` with one of ``good`` and ``bad``, or a ready ratio, ``good_ratio`` or ``bad_ratio``, or a
    ``value`` that must be at or over ``min``, at or under ``max``, over ``above``, under ``below``. ``counter`` says
    that the queries count up. An evaluation finds no data and says so.
    """

    type: str
    total: ForeignQuery | None = None
    good: ForeignQuery | None = None
    bad: ForeignQuery | None = None
    good_ratio: ForeignQuery | None = None
    bad_ratio: ForeignQuery | None = None
    value: ForeignQuery | None = None
    counter: bool = False
    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def counts_events(self) -> bool:
        """Whether its queries count events, rather than hold a value."""
        return self.value is None


class Part(Value, frozen=True, kw_only=True):
    """One SLO of a composite: its name in the same service, or service/name; in YAML the name alone is short for it.
    ``weight`` (above 0) only where the composite is ``weighted``."""

    slo: str
    weight: float | None = None

    def target(self, service: str) -> tuple[str, str]:
        """Service and name of the SLO that is meant, for a composite of that service."""
        owner, _, name = self.slo.rpartition("/")
        return owner or service, name


class Composite(_Indicator, frozen=True, kw_only=True, tag="composite", tag_field="kind"):
    """Several SLOs as one promise.

    ``combine``: ``weighted`` adds the events of its parts (regions under one promise), or weighs their SLIs where the
    parts have a ``weight``, all of them then; ``worst`` is the lowest SLI of its parts; ``all`` is a journey through
    every part, the first being its entry, which fails where one of them does.
    """

    combine: Literal["weighted", "worst", "all"]
    of: list[Part]

    @property
    def counts_events(self) -> bool:
        """Whether its figure counts events bucket by bucket (``all``, ``weighted`` without weights); otherwise it is
        reckoned anew for each period, and counts minutes."""
        return self.combine == "all" or (self.combine == "weighted" and all(part.weight is None for part in self.of))


Sli = (
    Requests
    | Latency
    | Probe
    | Freshness
    | LastDuration
    | Recovery
    | Bound
    | Promql
    | Composite
    | LogEvents
    | LogLatency
    | External
)
#: Those that are read from documents, by a source that holds logs.
LOG_KINDS = (LogEvents, LogLatency)


# --- promises -------------------------------------------------------------------------------------------------------


class Window(Value, frozen=True, kw_only=True):
    """Over which time a promise holds: rolling (``rolling`` seconds) or the calendar period that holds the time in
    question, in the named time zone (the catalogue's where empty). In YAML "30d" and "month" are short for these.

    ``start`` is a local time at which one such window begins: then windows follow each other from there, instead of
    rolling or of beginning when the calendar's do."""

    rolling: Duration | None = None
    calendar: Literal["day", "week", "month", "quarter", "year"] | None = None
    timezone: str = ""
    start: LocalTime = ""


class Agreement(Value, frozen=True, kw_only=True):
    """A service level agreement on top of an objective: what customers were promised, and what a breach costs."""

    objective: Ratio
    consequence: str


class PolicyStep(Value, frozen=True, kw_only=True):
    """One step of an error-budget policy: what to do once the budget left is at or under ``left``, or once one
    incident of the SLO's own window spent the share ``incident`` of the budget; exactly one of the two.

    ``effects`` say the same to programs: ``freeze`` holds releases back, apart from the kinds of change in ``exempt``
    (such as "security"); ``escalate`` tells the contacts in ``to``, the service's owner where it names none.
    """

    action: str
    left: Ratio | None = None
    incident: Ratio | None = None
    effects: list[Effect] = field(default_factory=list)
    to: list[str] = field(default_factory=list)
    exempt: list[str] = field(default_factory=list)


class Dependency(Value, frozen=True, kw_only=True):
    """What an SLO can't be kept without: another ``slo`` of the catalogue (its name, or service/name; in YAML the name
    alone is short for this), or an outside ``provider`` with the ``objective`` of its SLA.

    Any one of ``copies`` suffices; ``share`` is the part of the events that needs it.
    """

    slo: str = ""
    provider: str = ""
    objective: Ratio | None = None
    copies: int = 1
    share: Ratio = 1.0

    def target(self, service: str) -> tuple[str, str] | None:
        """Service and name of the SLO that is meant, for an SLO of that service; None for an outside provider."""
        if not self.slo:
            return None
        owner, _, name = self.slo.rpartition("/")
        return owner or service, name


class ForeignSource(_Labelled, frozen=True, kw_only=True):
    """A source that sla-kit does not read, to which `External` indicators refer; ``connection`` holds how it is
    reached, but never a secret."""

    name: Name
    type: str
    description: str = ""
    connection: dict[str, Any] = field(default_factory=dict)


class Condition(_Labelled, frozen=True, kw_only=True):
    """A budget that burns too fast: its burn rate over the last ``over`` seconds is above ``burn_rate`` (or compares
    to it as ``op`` says), over the last ``short`` seconds as well where that is given, and has been for ``after``."""

    burn_rate: float
    over: Duration
    name: str = ""
    description: str = ""
    severity: str = ""
    op: Literal["gt", "gte", "lt", "lte"] = "gt"
    short: Duration = 0.0
    after: Duration = 0.0


class Alert(_Labelled, frozen=True, kw_only=True):
    """When somebody is told of an SLO: one of ``conditions`` (the names of the catalogue's, or in place) has begun to
    hold (``breaching``), holds no more (``resolved``), or can't be told (``no-data``). ``notify`` names contacts."""

    name: Name
    description: str = ""
    severity: str = ""
    conditions: list[str | Condition] = field(default_factory=list)
    tell: list[Literal["breaching", "resolved", "no-data"]] = field(default_factory=lambda: ["breaching"])
    notify: list[str] = field(default_factory=list)


class Server(_Labelled, frozen=True, kw_only=True):
    """A server that history comes from, where a catalogue reads several (regions, tenants).

    ``url`` is its address without secrets; it may be left out and given on the command line. ``type`` says what it
    is; where it is left out the address does (``elasticsearch+https://…``). ``tenant`` is sent to a Prometheus as
    X-Scope-OrgID. Credentials come from ``SLA_KIT_PROMETHEUS_<NAME>_TOKEN``, ``SLA_KIT_ELASTICSEARCH_<NAME>_API_KEY``
    and their like, never from here.
    """

    name: Name
    url: str = ""
    type: ServerType = ""
    tenant: str = ""
    description: str = ""

    @property
    def holds_logs(self) -> bool:
        """Whether it is asked for what is read from documents, rather than for metrics."""
        return self.type == "elasticsearch" or (not self.type and self.url.startswith("elasticsearch+"))


class Keeping(Value, frozen=True, kw_only=True):
    """What the ledger is told: a bucket is closed once it is ``lag`` old, and until then it is read again, since data
    may come late; rows older than ``keep`` may be pruned (0 keeps them for ever)."""

    lag: Duration = 3600.0
    keep: Duration = 0.0


class Slo(_Labelled, frozen=True, kw_only=True):
    """One promise on one indicator.

    ``sli`` names an indicator of the service or declares one in place. ``promise`` is the name of the promise of the
    report's first page that this SLO is part of. ``slice`` (seconds; the bucket where 0) and ``slice_target`` (the
    share of good events that makes a slice good) belong to budgeting by time slices. ``missing`` says what a bucket
    without data counts as; with ``fail`` a coverage under ``min_coverage`` leaves the verdict open. ``source`` names
    the server that is asked, where it is not the service's. ``depends_on`` is what the SLO can't be kept without.
    ``objective_title`` tells the objective from others on the same indicator. ``alerts`` names some of the catalogue's,
    or holds them in place. ``low_traffic`` names the SLO (a probe's; of the same service, or service/name) whose burn
    rate decides while there are too few bad events to tell. ``compare_with`` names an SLO that measures the same by
    other means, whose figures stand beside this one's.
    """

    name: Name
    sli: str | Sli
    objective: Ratio
    window: Window = Window(rolling=30 * 86400.0)
    promise: str = ""
    description: str = ""
    budgeting: Budgeting | None = None
    slice: Duration = 0.0
    slice_target: Ratio | None = None
    severity: Severity = "critical"
    consequence: str = ""
    sla: Agreement | None = None
    missing: Missing = "ignore"
    min_coverage: Ratio = 0.9
    policy: list[PolicyStep] | None = None
    source: str = ""
    depends_on: list[Dependency] = field(default_factory=list)
    objective_title: str = ""
    alerts: list[str | Alert] = field(default_factory=list)
    low_traffic: str = ""
    compare_with: Comparison | None = None


class Resource(Value, frozen=True, kw_only=True):
    """Something that a service needs more of as traffic grows, as a gauge shows it: ``combine`` makes its series one
    value, ``limit`` is how much of it there is at most."""

    metric: str
    matchers: Matchers = field(default_factory=dict)
    combine: Literal["sum", "max", "mean"] = "sum"
    limit: float | None = None


class Capacity(Value, frozen=True, kw_only=True):
    """What a service needs to carry its traffic, for the forecast of live events.

    ``requests`` names the indicator of the service whose events are its traffic. ``pods`` and ``connections`` (those
    to the database) are gauges of what there was; ``per_pod_rps`` is how many requests per second one pod carries,
    where that is known, and then says how many pods are needed.
    """

    requests: Name
    pods: Resource | None = None
    connections: Resource | None = None
    per_pod_rps: float | None = None


class Service(_Labelled, frozen=True, kw_only=True):
    """A service and what is promised of it. ``owner`` names a contact, ``source`` the server that is asked (the first
    of the catalogue's sources where empty), ``monitoring`` what its alert rules have of their own."""

    name: Name
    owner: str = ""
    description: str = ""
    runbook: str = ""
    source: str = ""
    slis: dict[Name, Sli] = field(default_factory=dict)
    slos: list[Slo] = field(default_factory=list)
    capacity: Capacity | None = None
    monitoring: ServiceMonitoring = field(default_factory=ServiceMonitoring)


class Promise(Value, frozen=True, kw_only=True):
    """One line of the report's first page, in the customer's words; SLOs name it."""

    name: Name
    title: str
    target: str = ""
    description: str = ""


# --- people ---------------------------------------------------------------------------------------------------------


class Contact(_Labelled, frozen=True, kw_only=True):
    """Who is told, and how. Addresses only: tokens and keys come from the environment or files, never from here.
    ``channel`` is by which means, in the words of a tool that resolves addresses itself (slack, email, opsgenie)."""

    name: Name
    email: str = ""
    slack: str = ""
    pagerduty: str = ""
    channel: str = ""
    description: str = ""


class SeverityLevel(Value, frozen=True, kw_only=True):
    """A severity and how soon somebody responds (seconds; 0 means no promise)."""

    name: Name
    respond_within: Duration = 0.0
    description: str = ""


class Route(Value, frozen=True, kw_only=True):
    """To whom alerts go: the first route whose conditions all hold; empty conditions hold always.

    ``team`` is whose an alert is, ``slo`` names SLOs (``service/name`` that of one service). ``hours`` are times of
    day such as ``mon-fri 09:00-17:00``, of which one must hold, in ``timezone`` (the catalogue's where empty).
    ``event`` tells apart what fires during a live event of the calendar from what fires outside. ``escalate`` names
    who is next where nobody responds, instead of the next route that fits.
    """

    to: list[str]
    severity: list[str] = field(default_factory=list)
    service: list[str] = field(default_factory=list)
    team: list[str] = field(default_factory=list)
    environment: list[str] = field(default_factory=list)
    slo: list[str] = field(default_factory=list)
    hours: list[str] = field(default_factory=list)
    timezone: str = ""
    event: Literal["during", "outside"] | None = None
    escalate: list[str] = field(default_factory=list)


# --- calendar -------------------------------------------------------------------------------------------------------


class Occasion(Value, frozen=True, kw_only=True):
    """A live event or a maintenance window, once, recurring, or read from an iCalendar file.

    Either ``start`` with ``end`` or ``duration`` (and ``repeat``, an RFC 5545 RRULE, with ``except_dates``), or
    ``ical``, a file beside the catalogue. ``services`` empty means all. For maintenance ``reason`` and ``approved_by``
    are printed beside every figure that it changes. Nothing refers to its name, which may hold spaces.
    """

    name: str
    start: LocalTime | None = None
    end: LocalTime | None = None
    duration: Duration | None = None
    repeat: str = ""
    except_dates: list[LocalTime] = field(default_factory=list)
    timezone: str = ""
    ical: str = ""
    services: list[str] = field(default_factory=list)
    reason: str = ""
    approved_by: str = ""


class Calendar(Value, frozen=True, kw_only=True):
    """Live events, which split every figure into during and outside, and maintenance, which is excluded. Incidents are
    what is known to have gone wrong, which alerts on history are held to; they change no figure."""

    events: list[Occasion] = field(default_factory=list)
    maintenance: list[Occasion] = field(default_factory=list)
    incidents: list[Occasion] = field(default_factory=list)


# --- the whole ------------------------------------------------------------------------------------------------------


class Catalogue(Value, frozen=True, kw_only=True):
    """Everything a team promises, resolved for one environment.

    ``bucket`` is the resolution of every evaluation in seconds. ``sum_labels`` name labels that only divide the
    counters of one process (route, method, status code): their series may be summed by the server before they are
    fetched, which is faster; leave out whatever tells processes apart. ``timezone`` is where calendar windows and
    local times are read. ``slis`` are indicators that several services share. ``language`` is that of the report
    (English where empty), ``translations`` the folder with its gettext file (``de.po``). ``folder`` is where relative
    files are found, empty for a catalogue built in Python.
    """

    name: str
    services: list[Service]
    environment: str = ""
    timezone: str = "UTC"
    bucket: Duration = 60.0
    runbooks: str = ""
    language: str = ""
    translations: str = ""
    sum_labels: list[str] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    policy: list[PolicyStep] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    severities: list[SeverityLevel] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    calendar: Calendar = field(default_factory=Calendar)
    sources: list[Server] = field(default_factory=list)
    slis: dict[Name, Sli] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    external: list[ForeignSource] = field(default_factory=list)
    ledger: Keeping = field(default_factory=Keeping)
    monitoring: Monitoring = field(default_factory=Monitoring)
    routing: Routing = field(default_factory=Routing)
    logs: Logs = field(default_factory=Logs)
    folder: Unwritten = ""

    def slos(self) -> list[tuple[Service, Slo]]:
        """Every SLO with its service, in the order of the catalogue."""
        return [(service, slo) for service in self.services for slo in service.slos]

    def sli(self, service: Service, slo: Slo) -> Sli:
        """The indicator that an SLO is judged by; ``KeyError`` where a name is dangling (`check` tells)."""
        if not isinstance(slo.sli, str):
            return slo.sli
        return service.slis[slo.sli] if slo.sli in service.slis else self.slis[slo.sli]

    @staticmethod
    def of_logs(sli: Sli) -> bool:
        """Whether an indicator is read from documents."""
        return isinstance(sli, LOG_KINDS)

    def filled(self, sli: Sli) -> Sli:
        """An indicator with what ``logs`` say where it says nothing itself; one that is not read from documents as it
        is."""
        if isinstance(sli, LogEvents):
            return sli if sli.index else structs.replace(sli, index=self.logs.index)
        if isinstance(sli, LogLatency):
            fields = self.logs.fields
            return structs.replace(
                sli,
                index=sli.index or self.logs.index,
                field=sli.field or fields.duration,
                unit_seconds=fields.duration_unit_seconds if sli.unit_seconds is None else sli.unit_seconds,
            )
        return sli

    def source(self, service: Service, slo: Slo) -> str:
        """The name of the server that is asked about an SLO; empty where the catalogue names none that could be.

        What an SLO, its indicator or its service names goes before the first server that holds what is asked for;
        the service's counts only where it does.
        """
        sli = self.sli(service, slo)
        if isinstance(sli, External):  # whose source is none of ours
            return slo.source or service.source or (self.sources[0].name if self.sources else "")
        logs = isinstance(sli, LOG_KINDS)
        fitting = [server.name for server in self.sources if server.holds_logs is logs]
        of_service = service.source if service.source in fitting or not fitting else ""
        preferred = self.logs.source if logs else ""
        return slo.source or sli.source or of_service or preferred or (fitting[0] if fitting else "")
