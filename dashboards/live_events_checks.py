"""What must be so before a live event, as figures that are 1 for yes, 0 for no and 2 for not due yet.

It is what the alerts of live events watch, at any hour and not only when one is near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sla_kit.dashboards.model import State
from sla_kit.dashboards.watched import Watched

READY: Mapping[str, State] = {
    "1": State(text="yes", meaning="good"),
    "0": State(text="no", meaning="critical"),
    "2": State(text="not due yet", meaning="neutral"),
}
CURRENT, MOST, WANTED, LEAST = (
    f"max by (namespace, horizontalpodautoscaler, $keep) (kube_horizontalpodautoscaler_{each}{{$kube_state_metrics}})"
    for each in ("status_current_replicas", "spec_max_replicas", "status_desired_replicas", "spec_min_replicas")
)
ON_WORKLOAD = "on (namespace, horizontalpodautoscaler, $keep)"
SCHEDULES = 'max by (namespace, scaledObject, $keep) (keda_scaler_active{$keda, scaler="cronScaler"})'
PAUSED = "max by (namespace, scaledObject, $keep) (keda_scaled_object_paused{$keda})"
CONNECTIONS = """
    sum by (instance, $keep) (pg_stat_activity_count{$postgres})
    / on (instance, $keep) max by (instance, $keep) (pg_settings_max_connections{$postgres} > 0)
"""
# A cache that throws out what is used least is meant to be full.
REDIS_MEMORY = """
    redis_memory_used_bytes{$redis} / (redis_memory_max_bytes{$redis} > 0)
    unless on (job, instance, $keep) redis_instance_info{$redis, maxmemory_policy=~"allkeys-.+"}
"""
CDN_HITS = "max by (dimension_DistributionId, $keep) (aws_cloudfront_cache_hit_rate_average{$cloudwatch}) / 100"


def checklist(watched: Watched, planned: bool) -> str:
    """PromQL of every check, told apart by the label ``check``. Where no event is ``planned`` all are always due."""
    found = []
    for title, expression, before in _checks(watched):
        due = f"({expression})"
        if planned and before:
            near = f"(sla_event_starts_in_seconds{{$scope}} < {before:g} or on () sla_event_active{{$scope}})"
            due = f"({expression}) == 1 or ({expression}) == 0 and on () {near} or ({expression}) + 2"
        found.append(f'label_replace({due}, "check", "{title}", "", "")')
    return "\nor\n".join(found)


def _checks(watched: Watched) -> Iterator[tuple[str, str, float]]:
    """Each check with its expression, and how many seconds before an event it is due; 0 where it always is."""
    if watched.area("kubernetes"):
        ratio, large = watched.value("EventNotScaledUp", "ratio", "below"), watched.value("EventNotScaledUp", "large")
        # Where no workload grows large there is nothing to make ready.
        yield (
            "Pods are scaled up",
            f"(min by ($keep) ({CURRENT} / {ON_WORKLOAD} ({MOST} >= {large:g})) >= bool {ratio:g})\n"
            f"or (count by ($keep) ({MOST}) > bool 0)",
            watched.value("EventNotScaledUp", "before"),
        )
        yield (
            "Schedules of KEDA are active",
            f"min by ($keep) ({SCHEDULES})",
            watched.value("EventKedaInactive", "before"),
        )
        yield "Nothing of KEDA is paused", f"max by ($keep) ({PAUSED}) == bool 0", 0
    if watched.area("postgresql"):
        ratio = watched.value("EventConnectionsHigh", "ratio")
        yield "PostgreSQL has connections to spare", f"max by ($keep) ({CONNECTIONS}) <= bool {ratio:g}", 0
    if watched.area("redis"):
        ratio = watched.value("EventRedisMemoryHigh", "ratio")
        yield (
            "Redis has memory to spare",
            f"(max by ($keep) ({REDIS_MEMORY}) <= bool {ratio:g})\nor (count by ($keep) (redis_up{{$redis}}) > bool 0)",
            0,
        )
    if watched.area("cloud"):
        ratio, requests = watched.value("EventCdnCold", "ratio", "below"), watched.value("EventCdnCold", "requests")
        asked = "max by (dimension_DistributionId, $keep) (aws_cloudfront_requests_sum{$cloudwatch})"
        # What hardly anybody asks can't be warm.
        yield (
            "The CDN is warm",
            f"(min by ($keep) ({CDN_HITS} and on (dimension_DistributionId, $keep) ({asked} > {requests:g})) "
            f">= bool {ratio:g})\nor (count by ($keep) ({asked}) > bool 0)",
            watched.value("EventCdnCold", "before"),
        )
    if watched.area("delivery"):
        yield (
            "Nothing was deployed within an hour",
            'sum by ($keep) (increase(argocd_app_sync_total{$argocd, phase="Succeeded"}[1h])) < bool 0.5',
            watched.value("EventConnectionsHigh", "before"),
        )
    yield (
        "Nothing critical fires",
        'count(ALERTS{$scope, alertstate="firing", severity="critical"}) * 0 or vector(1)',
        0,
    )
