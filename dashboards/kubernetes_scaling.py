"""The row of what scales: horizontal and vertical pod autoscalers, KEDA, and the cluster autoscaler."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.model import Row
from sla_kit.dashboards.vocabulary import (
    State,
    alert_limit,
    column,
    limit,
    query,
    row,
    runbook,
    table,
    timeseries,
)
from sla_kit.dashboards.watched import Watched

_STATE = '$kube_state_metrics, namespace=~"$namespace"'
_HPA = "namespace, horizontalpodautoscaler, $keep"
_MINIMUM = f"max by ({_HPA}) (kube_horizontalpodautoscaler_spec_min_replicas{{{_STATE}}})"
_MAXIMUM = f"max by ({_HPA}) (kube_horizontalpodautoscaler_spec_max_replicas{{{_STATE}}})"
_DESIRED = f"max by ({_HPA}) (kube_horizontalpodautoscaler_status_desired_replicas{{{_STATE}}})"
_CURRENT = f"max by ({_HPA}) (kube_horizontalpodautoscaler_status_current_replicas{{{_STATE}}})"
_CONDITION = f'max by ({_HPA}) (kube_horizontalpodautoscaler_status_condition{{{_STATE}, condition="%s", status="%s"}})'
#: Autoscalers that would go on if they might; one that is held at one size on purpose is none.
LIMITED = f"""
    ({_DESIRED} >= on ({_HPA}) {_MAXIMUM})
    and on ({_HPA}) ({_CONDITION % ("ScalingLimited", "true")} == 1)
    unless on ({_HPA}) ({_MINIMUM} == on ({_HPA}) {_MAXIMUM})
"""
_CONTAINER = "namespace, container, $keep"


def _recommended(resource: str) -> str:
    return f"""
        max by ({_CONTAINER}) (
          kube_customresource_verticalpodautoscaler_status_recommendation_containerrecommendations_target{{
            {_STATE}, resource="{resource}"
          }}
        )
    """


def _requested(resource: str) -> str:
    return f"""
        max by ({_CONTAINER}) (
          kube_pod_container_resource_requests{{{_STATE}, resource="{resource}"}} > 0
        )
    """


def rows(catalogue: Catalogue) -> tuple[Row, ...]:
    """The row."""
    waiting = Watched.of(catalogue).value("ClusterAutoscalerPodsWaiting", "pods")
    recommended = f"and on ({_CONTAINER}) {_recommended('memory')}"
    return (
        row(
            "Scaling",
            table(
                "Autoscalers",
                query(_MINIMUM, "Least"),
                query(_CURRENT, "Now"),
                query(_DESIRED, "Desired"),
                query(_MAXIMUM, "Most"),
                query(_CONDITION % ("ScalingActive", "false"), "Metrics"),
                description="How many replicas each horizontal autoscaler has, wants and may have. One that is blind "
                "can't read what it scales by, and stays as it is however much traffic comes.",
                columns=(
                    column("namespace", "Namespace"),
                    column("horizontalpodautoscaler", "Autoscaler"),
                    column("Least", decimals=0),
                    column("Now", decimals=0),
                    column("Desired", decimals=0),
                    column("Most", decimals=0),
                    column(
                        "Metrics",
                        states={"0": State(text="read", meaning="good"), "1": State(text="blind", meaning="critical")},
                    ),
                    column("environment", hidden=True),
                    column("cluster", hidden=True),
                ),
                links=(runbook("HpaBlind"),),
                sort_by="Desired",
                width=12,
            ),
            timeseries(
                "Replicas desired of the maximum",
                query(f"topk(8, {_DESIRED} / on ({_HPA}) ({_MAXIMUM} > 0))", "{{horizontalpodautoscaler}}"),
                unit="percentunit",
                minimum=0,
                limits=(limit(1, "above", "warning"),),
                links=(runbook("HpaAtMaximum"),),
                description="How much of what it may scale to each autoscaler wants. At 100 % there is no more to "
                "come: raise the maximum before response times rise.",
                width=12,
            ),
            timeseries(
                "Replicas now",
                query(f"topk(8, {_CURRENT})", "{{horizontalpodautoscaler}}"),
                unit="short",
                minimum=0,
                description="How many replicas the autoscaled workloads have. They should be there before a live event "
                "begins and go back slowly after it.",
            ),
            timeseries(
                "Nodes of the cluster autoscaler",
                query("sum by (state, $keep) (cluster_autoscaler_nodes_count{$cluster_autoscaler})", "{{state}}"),
                query("max(cluster_autoscaler_max_nodes_count{$cluster_autoscaler})", "at most", color="grey"),
                unit="short",
                minimum=0,
                description="Nodes as the cluster autoscaler sees them, beside how many it may have. Many that are not "
                "started or not registered: the cloud gives none, or they can't join.",
            ),
            timeseries(
                "Pods without a node",
                query(
                    "sum by (type, $keep) (cluster_autoscaler_unschedulable_pods_count{$cluster_autoscaler})",
                    "{{type}}",
                ),
                unit="short",
                minimum=0,
                limits=(limit(waiting + 1, "above", "warning"),),
                links=(runbook("ClusterAutoscalerPodsWaiting"),),
                description="Pods that fit on no node. They are there for the minutes that a new node takes; longer "
                "means that none comes, or that nothing would help.",
            ),
            timeseries(
                "Failures to scale",
                query(
                    "sum by (reason, $keep) "
                    "(increase(cluster_autoscaler_failed_scale_ups_total{$cluster_autoscaler}[$__rate_interval]))",
                    "no node: {{reason}}",
                ),
                query(
                    """
                    topk(5, sum by (namespace, scaledObject, $keep) (
                      increase(keda_scaler_detail_errors_total{$keda, namespace=~"$namespace"}[$__rate_interval])
                    ))
                    """,
                    "KEDA trigger of {{namespace}}/{{scaledObject}}",
                ),
                query(
                    """
                    topk(5, sum by (namespace, scaledObject, $keep) (
                      increase(keda_scaled_object_errors_total{$keda, namespace=~"$namespace"}[$__rate_interval])
                    ))
                    """,
                    "KEDA object {{namespace}}/{{scaledObject}}",
                ),
                query(
                    """
                    topk(5, sum by (namespace, scaledJob, $keep) (
                      increase(keda_scaled_job_errors_total{$keda, namespace=~"$namespace"}[$__rate_interval])
                    ))
                    """,
                    "KEDA job {{namespace}}/{{scaledJob}}",
                ),
                unit="short",
                minimum=0,
                bars=True,
                links=(
                    runbook("ClusterAutoscalerFailing"),
                    runbook("KedaScalerFailing"),
                    runbook("KedaScaledObjectFailing"),
                    runbook("KedaScaledJobFailing"),
                ),
                description="Nodes that could not be added, and errors of KEDA: a trigger that can't be read, a "
                "workload that is not scaled, jobs that are not started. Normally none.",
                width=12,
            ),
            table(
                "Requests beside recommendations",
                query(f"{_requested('memory')} {recommended}", "Requested"),
                query(_recommended("memory"), "Recommended"),
                query(
                    f"{_recommended('memory')} / on ({_CONTAINER}) {_requested('memory')}",
                    "Times memory",
                ),
                query(f"{_recommended('cpu')} / on ({_CONTAINER}) {_requested('cpu')}", "Times processors"),
                description="The memory that containers request and that the vertical autoscaler recommends, and how "
                "many times what is requested it recommends. Well over 1: they are killed or throttled when their node "
                "is full; well under 1: what they hold is idle.",
                columns=(
                    column("namespace", "Namespace"),
                    column("container", "Container"),
                    column("Requested", unit="bytes", decimals=0),
                    column("Recommended", unit="bytes", decimals=0),
                    column("Times memory", decimals=2, limits=(alert_limit("VpaRequestsTooLow", "factor"),)),
                    column("Times processors", decimals=2),
                    column("environment", hidden=True),
                    column("cluster", hidden=True),
                ),
                sort_by="Times memory",
                width=12,
            ),
        ),
    )
