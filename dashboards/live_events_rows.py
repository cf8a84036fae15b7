"""What goes on during a live event: what customers meet, pods, schedules, stores and the CDN."""

from __future__ import annotations

from dataclasses import replace

from sla_kit.dashboards.live_events_checks import (
    CDN_HITS,
    CONNECTIONS,
    CURRENT,
    LEAST,
    MOST,
    ON_WORKLOAD,
    PAUSED,
    REDIS_MEMORY,
    SCHEDULES,
    WANTED,
)
from sla_kit.dashboards.live_events_edge import Edge
from sla_kit.dashboards.model import Panel, Row, State
from sla_kit.dashboards.vocabulary import (
    alert_limit,
    column,
    kibana,
    leads_to,
    query,
    row,
    runbook,
    states,
    table,
    timeseries,
)
from sla_kit.dashboards.watched import Watched

#: The 95th percentile of durations by service. A request has a status; what has none is another histogram of that name.
SLOWEST = """histogram_quantile(0.95, sum by (job, le, $keep) (
    rate(http_request_duration_seconds_bucket{$application, status_code!=""}[$__rate_interval])
))"""
_ACTIVE = {"1": State(text="active", meaning="good"), "0": State(text="idle")}
_SCHEDULE = {"1": State(text="active", meaning="good"), "0": State(text="not now")}
_PAUSED = {"1": State(text="paused", meaning="critical"), "0": State(text="no", meaning="good")}


def customers(watched: Watched, edge: Edge) -> Row:
    """What customers meet."""
    panels = [
        timeseries(
            "Requests",
            query(f"sum({edge.requests()})", "now", color="blue"),
            query(f"sum({edge.usual()})", "usual at this hour", color="grey"),
            unit=edge.unit,
            logarithmic=True,
            links=(leads_to("ingress", "Ingress"),),
            description="Requests at the ingress beside the usual ones: those at this hour on the middle one of the "
            "last three days. How many times as many it is says whether what was planned for is enough.",
        ),
        timeseries(
            "Errors at the ingress",
            query(f"topk(8, {edge.errors()})", edge.legend),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit(edge.alert, "ratio"),),
            links=(leads_to("ingress", "Ingress"), kibana("Errors in the logs", "log.level:error")),
            description="The share of requests that end with a 5xx. During an event look first at connections and at "
            "pods, below.",
        ),
    ]
    if watched.area("application"):
        panels.append(
            timeseries(
                "Slowest twentieth by service",
                query(SLOWEST, "{{job}}"),
                unit="s",
                limits=(alert_limit("AppSlow", "seconds"),),
                links=(leads_to("application", "This service", service="${__field.labels.job}"),),
                description="The 95th percentile of durations. It rises before errors do, where something behind the "
                "service runs short.",
            )
        )
    if watched.area("delivery"):
        panels.append(
            timeseries(
                "Deployments",
                query(
                    'topk(8, sum by (name, $keep) (increase(argocd_app_sync_total{$argocd, phase="Succeeded"}'
                    "[$__rate_interval])))",
                    "{{name}}",
                ),
                unit="short",
                decimals=0,
                bars=True,
                links=(runbook("EventDeployment"), leads_to("delivery", "Deployments")),
                description="What was deployed. While an event goes on nothing should be, but what mends it.",
            )
        )
    return row("What customers meet", *_even(panels), height=8)


def pods(watched: Watched) -> Row:
    """Pods beside what was planned."""
    large = watched.value("EventPodsNearMaximum", "large")
    ahead = watched.window("EventNotScaledUp", "before")
    return row(
        "Pods",
        table(
            "Pods against plan",
            query(CURRENT, "Pods"),
            query(WANTED, "Wanted"),
            query(LEAST, "Least"),
            query(MOST, "Most"),
            query(f"{CURRENT} / {ON_WORKLOAD} ({MOST} > 0)", "Share"),
            description="Each autoscaler's pods beside those that it wants and those that it may have. Where fewer "
            "are there than wanted, nodes are missing or pods do not start.",
            columns=(
                column("namespace", "Namespace"),
                column("horizontalpodautoscaler", "Autoscaler", link=leads_to("kubernetes", "Kubernetes")),
                column("Pods", unit="short", decimals=0),
                column("Wanted", unit="short", decimals=0),
                column("Least", unit="short", decimals=0),
                column("Most", unit="short", decimals=0),
                column("Share", "Share of most", unit="percentunit", decimals=0),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Share of most",
            width=10,
        ),
        timeseries(
            "Pods by autoscaler",
            query(f"topk(6, {CURRENT})", "{{horizontalpodautoscaler}}"),
            query(f"topk(6, {WANTED})", "{{horizontalpodautoscaler}}, wanted"),
            unit="short",
            decimals=0,
            links=(leads_to("kubernetes", "Kubernetes"),),
            description="Pods of the six largest workloads, and how many their autoscalers want. A gap between the two "
            "is time that new nodes take.",
            width=7,
        ),
        timeseries(
            "Share of the maximum",
            query(
                f"topk(8, {CURRENT} / {ON_WORKLOAD} ({MOST} >= {large:g}))",
                "{{horizontalpodautoscaler}}",
            ),
            unit="percentunit",
            decimals=0,
            minimum=0,
            limits=(alert_limit("EventPodsNearMaximum", "ratio"),),
            links=(runbook("EventNotScaledUp"), leads_to("kubernetes", "Kubernetes")),
            description=f"Pods beside the most that there may be, of workloads with {large:g} and more. {ahead} before "
            "an event it must have risen; near 100 % during one, raise the maximum while there is time.",
            width=7,
        ),
        height=8,
    )


def scaling(watched: Watched) -> Row:
    """What makes pods ready ahead of time."""
    ahead = watched.window("EventKedaInactive", "before")
    errors = "sum by (namespace, scaledObject, $keep) (increase(keda_scaled_object_errors_total{$keda}[$__range]))"
    return row(
        "KEDA",
        table(
            "Scaled objects",
            query(SCHEDULES, "Schedule"),
            query(PAUSED, "Paused"),
            query(errors, "Errors"),
            description="Whether a schedule keeps pods ready now, whether scaling is paused, and how many errors KEDA "
            "had with each over the time that is shown. Where it is paused, nothing grows, whatever the traffic.",
            columns=(
                column("namespace", "Namespace"),
                column("scaledObject", "Scaled object"),
                column("Schedule", states=_SCHEDULE),
                column("Paused", states=_PAUSED),
                column("Errors", unit="short", decimals=0),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("EventKedaInactive"), runbook("EventKedaPaused")),
            sort_by="Errors",
        ),
        states(
            "Triggers",
            query(
                "max by (namespace, scaledObject, scaler, triggerIndex, $keep) (keda_scaler_active{$keda})",
                "{{scaledObject}} {{scaler}} {{triggerIndex}}",
            ),
            states=_ACTIVE,
            links=(runbook("EventKedaInactive"),),
            description=f"Which triggers are active. A cron trigger must be from {ahead} before each event to its end; "
            "the shaded times above show the events.",
        ),
        timeseries(
            "Errors of triggers",
            query(
                "topk(8, sum by (namespace, scaledObject, scaler, $keep) "
                "(increase(keda_scaler_detail_errors_total{$keda}[$__rate_interval])))",
                "{{scaledObject}} {{scaler}}",
            ),
            unit="short",
            links=(runbook("KedaScalerFailing"), runbook("KedaScaledObjectFailing")),
            description="Errors in reading what a trigger scales by, of the eight with most. Without a reading KEDA "
            "keeps what there is, or what its fallback says.",
        ),
        height=8,
    )


def stores(watched: Watched) -> Row | None:
    """What the stores have to spare, and what the CDN keeps from us."""
    panels: list[Panel] = []
    if watched.area("postgresql"):
        panels += [
            timeseries(
                "PostgreSQL connections taken",
                query(CONNECTIONS, "{{instance}}"),
                unit="percentunit",
                decimals=0,
                minimum=0,
                limits=(alert_limit("EventConnectionsHigh", "ratio"),),
                links=(leads_to("postgresql", "PostgreSQL"),),
                description="Connections beside the most that the server takes. Each pod holds some of its own: with "
                "many pods these run out first.",
            ),
            timeseries(
                "Waiting for a pooled connection",
                query(
                    "max by (instance, database, user, $keep) (pgbouncer_pools_client_maxwait_seconds{$pgbouncer})",
                    "{{user}}@{{database}}",
                ),
                unit="s",
                limits=(alert_limit("PgbouncerClientsWaiting", "seconds"),),
                links=(leads_to("postgresql", "PostgreSQL"),),
                description="How long the first client in PgBouncer's queue has waited. Usually nothing: whatever is "
                "above adds to every request.",
            ),
        ]
    if watched.area("redis"):
        panels.append(
            timeseries(
                "Redis memory used",
                query(REDIS_MEMORY, "{{instance}}"),
                unit="percentunit",
                decimals=0,
                minimum=0,
                limits=(alert_limit("EventRedisMemoryHigh", "ratio"),),
                links=(leads_to("redis", "Redis"),),
                description="Memory beside its limit; caches that throw out what is used least are left out, as they "
                "are meant to be full.",
            ),
        )
    if watched.area("cloud"):
        panels.append(
            timeseries(
                "Answered by the CDN",
                query(CDN_HITS, "{{dimension_DistributionId}}"),
                unit="percentunit",
                decimals=1,
                maximum=1,
                limits=(alert_limit("EventCdnCold", "ratio", "below"),),
                links=(leads_to("ingress", "Ingress, TLS and CDN"),),
                description="The share of requests that the CDN answers itself. A few per cent less double what "
                "reaches the ingress; it falls where caches were emptied or new pages are not cacheable.",
            )
        )
    if not panels:
        return None
    return row("Stores and CDN", *_even(panels), height=7)


def _even(panels: list[Panel]) -> list[Panel]:
    """Four panels two by two, where three in a line would leave one alone."""
    return [replace(panel, width=12) for panel in panels] if len(panels) == 4 else panels
