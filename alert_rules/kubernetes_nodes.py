"""The nodes of a cluster, and whether anything is known of it at all."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Shape, Threshold, gauge, steady

_NODE = '$kube_state_metrics, node="node-1"'
_INFO = f"kube_node_info{{{_NODE}}}"
_CONDITION = f'kube_node_status_condition{{{_NODE}, condition="%s", status="%s"}}'
_STATUSES = ("true", "false", "unknown")


def _nodes(ready: Shape, count: int = 5) -> dict[str, Shape]:
    """So many nodes, all as ready as that."""
    series = 'kube_node_status_condition{$kube_state_metrics, node="n%d", condition="Ready", status="true"}'
    return {series % each: ready for each in range(count)}


HEALTHY = {
    _INFO: steady(1),
    **{_CONDITION % ("Ready", status): steady(float(status == "true")) for status in _STATUSES},
    **{
        _CONDITION % (condition, status): steady(float(status == "false"))
        for condition in ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
        for status in _STATUSES
    },
}

ALERTS = (
    Alert(
        name="KubeMetricsMissing",
        exporter="kube_state_metrics",
        expression="sum(absent_over_time(kube_node_info{$kube_state_metrics}[$window])) > 0",
        thresholds={"window": Threshold(600, "window", "how long nothing may be known of the cluster")},
        severity="warning",
        summary="Nothing is known of the cluster",
        description="For [[window]] kube-state-metrics has told of no node: it is down, not scraped, or its job is "
        "called otherwise. All alerts of pods, deployments and nodes are blind meanwhile.",
        missing_fires=True,
        promises=("availability", "recovery-time"),
        cases=(
            Breach(
                series={_INFO: gauge(1, None)},
                labels={},
                value=1,
                lag=600,
                clears=0,
                keeps=False,
                says="For 10m kube-state-metrics has told of no node: it is down, not scraped, or its job is called "
                "otherwise. All alerts of pods, deployments and nodes are blind meanwhile.",
            ),
            Quiet(name="one node is enough", series={_INFO: steady(1)}),
        ),
    ),
    Alert(
        name="KubeNodeNotReady",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, node) (
              kube_node_status_condition{$kube_state_metrics, condition="Ready", status="true"}
            ) == 0""",
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="Node {{ $labels.node }} is not ready",
        description="Node {{ $labels.node }} has not been ready for at least 5 minutes (ready is {{ $value }}): its "
        "pods are moved elsewhere.",
        promises=("availability",),
        inhibited_by=("KubeNodesLost",),
        cases=(
            Breach(
                series={_CONDITION % ("Ready", "true"): gauge(1, 0), _CONDITION % ("Ready", "unknown"): gauge(0, 1)},
                labels={"node": "node-1"},
                value=0,
                says="Node node-1 has not been ready for at least 5 minutes (ready is 0): its pods are moved "
                "elsewhere.",
            ),
        ),
    ),
    Alert(
        name="KubeNodesLost",
        exporter="kube_state_metrics",
        expression="""
            avg by ($keep) (
              1 - max by ($keep, node) (
                kube_node_status_condition{$kube_state_metrics, condition="Ready", status="true"}
              )
            ) > $ratio
            and on ($keep) count by ($keep) (
              max by ($keep, node) (
                kube_node_status_condition{$kube_state_metrics, condition="Ready", status="true"}
              ) == 0
            ) >= $nodes""",
        thresholds={
            "ratio": Threshold(0.3, "ratio", "how many of all nodes may be not ready"),
            "nodes": Threshold(2, "count", "how few nodes never count as many"),
        },
        pending=120,
        keep_firing_for=300,
        severity="critical",
        summary="Many nodes are not ready at once",
        description="{{ $value | humanizePercentage }} of the cluster's nodes are not ready, over [[ratio]].",
        promises=("availability", "recovery-time"),
        cases=(
            Breach(
                series=_nodes(gauge(1, 0, near=1)),
                labels={},
                value=1,
                says="100% of the cluster's nodes are not ready, over 30 %.",
            ),
            Quiet(
                name="a few of many",
                series={
                    _CONDITION.replace("node-1", f"node-{number}") % ("Ready", "true"): steady(float(number > 2))
                    for number in range(1, 11)
                },
            ),
            Quiet(
                name="one of two nodes is replaced",
                series=_nodes(steady(0), 1) | {_CONDITION % ("Ready", "true"): steady(1)},
            ),
        ),
    ),
    Alert(
        name="KubeNodePressure",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, node, condition) (
              kube_node_status_condition{
                $kube_state_metrics, condition=~"(Memory|Disk|PID)Pressure", status="true"
              }
            ) == 1""",
        pending=300,
        keep_firing_for=600,
        severity="warning",
        summary="Node {{ $labels.node }} has {{ $labels.condition }}",
        description="Node {{ $labels.node }} reports {{ $labels.condition }} ({{ $value }}): it evicts pods and takes "
        "no new ones.",
        promises=("availability",),
        inhibited_by=("KubeNodeNotReady",),
        inhibition_labels=("cluster", "node"),
        cases=(
            Breach(
                series={_CONDITION % ("DiskPressure", "true"): gauge(0, 1)},
                labels={"node": "node-1", "condition": "DiskPressure"},
                value=1,
                says="Node node-1 reports DiskPressure (1): it evicts pods and takes no new ones.",
            ),
        ),
    ),
)
