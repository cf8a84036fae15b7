"""What scales: the horizontal and vertical pod autoscalers, KEDA, and the cluster autoscaler."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_HPA = '$kube_state_metrics, namespace="shop", horizontalpodautoscaler="api"'
_MAX = f"kube_horizontalpodautoscaler_spec_max_replicas{{{_HPA}}}"
_MIN = f"kube_horizontalpodautoscaler_spec_min_replicas{{{_HPA}}}"
_DESIRED = f"kube_horizontalpodautoscaler_status_desired_replicas{{{_HPA}}}"
_CURRENT = f"kube_horizontalpodautoscaler_status_current_replicas{{{_HPA}}}"
_STATE = f'kube_horizontalpodautoscaler_status_condition{{{_HPA}, condition="%s", status="%s"}}'
_UNSCHEDULABLE = 'cluster_autoscaler_unschedulable_pods_count{$cluster_autoscaler, type="unschedulable"}'
_FAILED_SCALE_UPS = 'cluster_autoscaler_failed_scale_ups_total{$cluster_autoscaler, reason="timeout"}'
_SCALER = (
    'keda_scaler_detail_errors_total{$keda, namespace="shop", scaledObject="worker", scaler="prometheusScaler", '
    'metric="s0-prometheus", triggerIndex="0", type="scaledobject"}'
)
_SCALED_OBJECT = 'keda_scaled_object_errors_total{$keda, namespace="shop", scaledObject="worker"}'
_SCALED_JOB = 'keda_scaled_job_errors_total{$keda, namespace="shop", scaledJob="import"}'
_TARGET = (
    "kube_customresource_verticalpodautoscaler_status_recommendation_containerrecommendations_target"
    '{$kube_state_metrics, namespace="shop", verticalpodautoscaler="api", container="api", resource="memory"}'
)
_REQUEST = (
    'kube_pod_container_resource_requests{$kube_state_metrics, namespace="shop", pod="api-1", uid="u1", '
    'container="api", node="node-1", resource="memory", unit="byte"}'
)
_MIB = 1024.0**2
_HPA_LABELS = {"namespace": "shop", "horizontalpodautoscaler": "api"}

HEALTHY = {
    _MIN: steady(2),
    _MAX: steady(10),
    _DESIRED: steady(3),
    _CURRENT: steady(3),
    **{
        _STATE % (condition, status): steady(float(status == ("false" if condition == "ScalingLimited" else "true")))
        for condition in ("AbleToScale", "ScalingActive", "ScalingLimited")
        for status in ("true", "false", "unknown")
    },
    # One that is held at one size.
    **{
        series.replace('"api"', '"fixed"'): steady(value)
        for series, value in {
            _MIN: 4,
            _MAX: 4,
            _DESIRED: 4,
            _CURRENT: 4,
            _STATE % ("ScalingLimited", "true"): 1,
        }.items()
    },
    _UNSCHEDULABLE: steady(0),
    _FAILED_SCALE_UPS: counting(0),
    _SCALER: counting(0),
    _SCALED_OBJECT: counting(0),
    _SCALED_JOB: counting(0),
    _TARGET: steady(256 * _MIB),
    _REQUEST: steady(256 * _MIB),
}

ALERTS = (
    Alert(
        name="HpaAtMaximum",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, namespace, horizontalpodautoscaler) (
              kube_horizontalpodautoscaler_status_desired_replicas{$kube_state_metrics}
            )
            >= on ($keep, namespace, horizontalpodautoscaler) max by ($keep, namespace, horizontalpodautoscaler) (
              kube_horizontalpodautoscaler_spec_max_replicas{$kube_state_metrics}
            )
            and on ($keep, namespace, horizontalpodautoscaler) (
              kube_horizontalpodautoscaler_status_condition{
                $kube_state_metrics, condition="ScalingLimited", status="true"
              } == 1
            )
            unless on ($keep, namespace, horizontalpodautoscaler) (
              max by ($keep, namespace, horizontalpodautoscaler) (
                kube_horizontalpodautoscaler_spec_min_replicas{$kube_state_metrics}
              )
              == on ($keep, namespace, horizontalpodautoscaler) max by ($keep, namespace, horizontalpodautoscaler) (
                kube_horizontalpodautoscaler_spec_max_replicas{$kube_state_metrics}
              )
            )""",
        pending=900,
        keep_firing_for=600,
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} wants more replicas than it may have",
        description="Autoscaler {{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has stood at its maximum "
        "of {{ $value }} replicas for at least 15 minutes and wants more.",
        promises=("response-time", "availability"),
        cases=(
            Breach(
                series={
                    _MIN: steady(2),
                    _MAX: steady(10),
                    _DESIRED: gauge(3, 10, near=9),
                    _STATE % ("ScalingLimited", "true"): gauge(0, 1),
                },
                labels=_HPA_LABELS,
                value=10,
                says="Autoscaler shop/api has stood at its maximum of 10 replicas for at least 15 minutes and wants "
                "more.",
            ),
            Quiet(
                name="at its maximum and content",
                series={_MAX: steady(10), _DESIRED: steady(10), _STATE % ("ScalingLimited", "true"): steady(0)},
            ),
            Quiet(
                name="held at one size on purpose",
                series={
                    _MIN: steady(10),
                    _MAX: steady(10),
                    _DESIRED: steady(10),
                    _STATE % ("ScalingLimited", "true"): steady(1),
                },
            ),
            Quiet(
                name="held at its minimum",
                series={_MAX: steady(10), _DESIRED: steady(2), _STATE % ("ScalingLimited", "true"): steady(1)},
            ),
        ),
    ),
    Alert(
        name="HpaBlind",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, namespace, horizontalpodautoscaler) (
              kube_horizontalpodautoscaler_status_condition{
                $kube_state_metrics, condition="ScalingActive", status="false"
              }
            ) == 1
            and on ($keep, namespace, horizontalpodautoscaler) (
              kube_horizontalpodautoscaler_status_current_replicas{$kube_state_metrics} > 0
            )""",
        pending=600,
        keep_firing_for=300,
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} can't read what it scales by",
        description="Autoscaler {{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} has had no metrics to "
        "scale by for at least 10 minutes (inactive is {{ $value }}).",
        promises=("response-time",),
        cases=(
            Breach(
                series={
                    _STATE % ("ScalingActive", "false"): gauge(0, 1),
                    _STATE % ("ScalingActive", "true"): gauge(1, 0),
                    _CURRENT: steady(3),
                },
                labels=_HPA_LABELS,
                value=1,
                says="Autoscaler shop/api has had no metrics to scale by for at least 10 minutes (inactive is 1).",
            ),
            Quiet(
                name="scaled to nothing, which switches it off",
                series={_STATE % ("ScalingActive", "false"): steady(1), _CURRENT: steady(0)},
            ),
        ),
    ),
    Alert(
        name="VpaRequestsTooLow",
        exporter="kube_state_metrics",
        expression="""
            max by ($keep, namespace, container) (
              kube_customresource_verticalpodautoscaler_status_recommendation_containerrecommendations_target{
                $kube_state_metrics, resource="memory"
              }
            )
            / on ($keep, namespace, container) max by ($keep, namespace, container) (
              kube_pod_container_resource_requests{$kube_state_metrics, resource="memory"} > 0
            ) > $factor""",
        thresholds={"factor": Threshold(1.5, "count", "how many times what is requested may be recommended")},
        pending=6 * 3600,
        severity="info",
        summary="{{ $labels.container }} in {{ $labels.namespace }} needs more memory than it requests",
        description="The vertical autoscaler has recommended {{ $value | humanize }} times the memory that container "
        "{{ $labels.container }} in {{ $labels.namespace }} requests, over [[factor]], for at least 6 hours.",
        promises=("response-time",),
        cases=(
            Breach(
                series={
                    _TARGET: gauge(
                        256 * _MIB, lambda t: 256 * _MIB * t.factor * 2, near=lambda t: 256 * _MIB * t.factor * 0.99
                    ),
                    _REQUEST: steady(256 * _MIB),
                },
                labels={"namespace": "shop", "container": "api"},
                value=lambda t: t.factor * 2,
                step=300,
                says="The vertical autoscaler has recommended 3 times the memory that container api in shop requests, "
                "over 1.5, for at least 6 hours.",
            ),
            Quiet(
                name="a smaller workload's container of the same name",
                series={
                    _TARGET: steady(256 * _MIB),
                    _REQUEST: steady(256 * _MIB),
                    _REQUEST.replace("api-1", "cron-1"): steady(32 * _MIB),
                },
                lasts=36000,
            ),
            Quiet(name="nothing requested", series={_TARGET: steady(256 * _MIB), _REQUEST: steady(0)}, lasts=36000),
        ),
    ),
    Alert(
        name="ClusterAutoscalerPodsWaiting",
        exporter="cluster_autoscaler",
        expression="sum by ($keep) (cluster_autoscaler_unschedulable_pods_count{$cluster_autoscaler}) > $pods",
        thresholds={"pods": Threshold(0, "count", "how many pods may wait for a node")},
        pending=900,
        keep_firing_for=300,
        severity="warning",
        summary="Pods wait for nodes that don't come",
        description="{{ $value }} pods have found no node for at least 15 minutes, over [[pods]].",
        promises=("availability", "response-time"),
        cases=(
            Breach(
                series={_UNSCHEDULABLE: gauge(0, lambda t: t.pods + 4, near=lambda t: t.pods)},
                labels={},
                value=lambda t: t.pods + 4,
                says="4 pods have found no node for at least 15 minutes, over 0.",
            ),
        ),
    ),
    Alert(
        name="ClusterAutoscalerFailing",
        exporter="cluster_autoscaler",
        expression="""
            sum by ($keep, reason) (
              increase(cluster_autoscaler_failed_scale_ups_total{$cluster_autoscaler}[$window])
            ) > $failures""",
        thresholds={
            "failures": Threshold(2, "count", "how many nodes may fail to come in the window"),
            "window": Threshold(1800, "window", "in which failures are counted"),
        },
        keep_firing_for=900,
        severity="warning",
        summary="The cluster gets no new nodes ({{ $labels.reason }})",
        description="The cluster autoscaler has failed {{ $value | humanize }} times in [[window]] to add nodes "
        "({{ $labels.reason }}), over [[failures]].",
        promises=("availability", "response-time"),
        cases=(
            Breach(
                series={
                    _FAILED_SCALE_UPS: counter(0, lambda t: t.failures * 2, near=lambda t: t.failures / t.window * 59)
                },
                labels={"reason": "timeout"},
                value=lambda t: t.failures * 2 * t.window / 60,
                settles=1800,
                clears=1800,
                says="The cluster autoscaler has failed 120 times in 30m to add nodes (timeout), over 2.",
            ),
        ),
    ),
    *(
        Alert(
            name=name,
            exporter="keda",
            expression=f"sum by ($keep, namespace, {label}) (increase({metric}{{$keda}}[$window])) > $errors",
            thresholds={
                "errors": Threshold(5, "count", "how many errors are borne in the window"),
                "window": Threshold(600, "window", "in which errors are counted"),
            },
            pending=300,
            keep_firing_for=600,
            severity="warning",
            summary=f"KEDA fails at {{{{ $labels.namespace }}}}/{{{{ $labels.{label} }}}}: {what}",
            description=f"KEDA counts {{{{ $value | humanize }}}} errors in [[window]] at {{{{ $labels.namespace }}}}/"
            f"{{{{ $labels.{label} }}}}, over [[errors]]: {what}.",
            promises=("response-time", "availability"),
            cases=(
                Breach(
                    series={series: counter(0, lambda t: t.errors * 2, near=lambda t: t.errors * 0.9 / t.window * 60)},
                    labels={"namespace": "shop", label: value},
                    value=lambda t: t.errors * 2 * t.window / 60,
                    settles=600,
                    clears=600,
                    says=f"KEDA counts 100 errors in 10m at shop/{value}, over 5: {what}.",
                ),
            ),
        )
        for name, metric, label, value, series, what in (
            (
                "KedaScalerFailing",
                "keda_scaler_detail_errors_total",
                "scaledObject",
                "worker",
                _SCALER,
                "a trigger can't be read",
            ),
            (
                "KedaScaledObjectFailing",
                "keda_scaled_object_errors_total",
                "scaledObject",
                "worker",
                _SCALED_OBJECT,
                "its workload is not scaled",
            ),
            (
                "KedaScaledJobFailing",
                "keda_scaled_job_errors_total",
                "scaledJob",
                "import",
                _SCALED_JOB,
                "its jobs are not started",
            ),
        )
    ),
)
