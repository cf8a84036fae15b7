"""Kubernetes: what should run and does not. `kubernetes_nodes`, `kubernetes_scaling` and `kubernetes_storage` tell of
what it runs on. Nothing here needs the control plane's own metrics, which a managed cluster doesn't give away."""

from __future__ import annotations

from sla_kit.alert_rules import kubernetes_nodes, kubernetes_scaling, kubernetes_storage
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Shape, Threshold, counter, gauge, steady

_POD = '$kube_state_metrics, namespace="shop", pod="api-1", uid="u1"'
_DEPLOYED = '$kube_state_metrics, namespace="shop", deployment="api"'
_STATEFUL = '$kube_state_metrics, namespace="shop", statefulset="queue"'
_DAEMON = '$kube_state_metrics, namespace="shop", daemonset="logs"'
_JOB = '$kube_state_metrics, namespace="shop", job_name="nightly-1"'
_WAITING = f'kube_pod_container_status_waiting_reason{{{_POD}, container="api", reason="%s"}}'
_PHASE = f'kube_pod_status_phase{{{_POD}, phase="%s"}}'
_READY = f'kube_pod_status_ready{{{_POD}, condition="%s"}}'
_RESTARTS = f'kube_pod_container_status_restarts_total{{{_POD}, container="api"}}'
_KILLED = f'kube_pod_container_status_last_terminated_reason{{{_POD}, container="api", reason="%s"}}'
_WANTED = f"kube_deployment_spec_replicas{{{_DEPLOYED}}}"
_AVAILABLE = f"kube_deployment_status_replicas_available{{{_DEPLOYED}}}"
_PROGRESS = f'kube_deployment_status_condition{{{_DEPLOYED}, condition="Progressing", status="%s"}}'
_SET_WANTED = f"kube_statefulset_replicas{{{_STATEFUL}}}"
_SET_READY = f"kube_statefulset_status_replicas_ready{{{_STATEFUL}}}"
_DAEMON_WANTED = f"kube_daemonset_status_desired_number_scheduled{{{_DAEMON}}}"
_DAEMON_READY = f"kube_daemonset_status_number_available{{{_DAEMON}}}"
_JOB_FAILED = f'kube_job_failed{{{_JOB}, condition="%s"}}'


def _healthy() -> dict[str, Shape]:
    """A pod, a deployment, a set of each kind and a job, with every value of their labels."""
    found: dict[str, Shape] = {_PHASE % "Running": steady(1), _READY % "true": steady(1)}
    found |= {_PHASE % phase: steady(0) for phase in ("Pending", "Succeeded", "Failed", "Unknown")}
    found |= {_READY % condition: steady(0) for condition in ("false", "unknown")}
    found |= {_WAITING % "ContainerCreating": steady(0), _KILLED % "Completed": steady(1), _RESTARTS: counter(0, 0)}
    found |= {_WANTED: steady(3), _AVAILABLE: steady(3), _SET_WANTED: steady(3), _SET_READY: steady(3)}
    found |= {_DAEMON_WANTED: steady(5), _DAEMON_READY: steady(5)}
    found |= {_PROGRESS % status: steady(float(status == "true")) for status in ("true", "false", "unknown")}
    return found | {_JOB_FAILED % "false": steady(1), _JOB_FAILED % "true": steady(0)}


#: A cluster that has lost many of its nodes says all that there is to say of its pods.
_LOST = ("KubeNodesLost",)

AREA = Area(
    name="kubernetes",
    title="Kubernetes (kube-state-metrics, kubelet, KEDA, cluster autoscaler, cert-manager)",
    dashboard="kubernetes",
    healthy={
        **_healthy(),
        **kubernetes_nodes.HEALTHY,
        **kubernetes_scaling.HEALTHY,
        **kubernetes_storage.HEALTHY,
    },
    alerts=(
        Alert(
            name="KubePodCrashLooping",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, pod, container) (
                  max_over_time(
                    kube_pod_container_status_waiting_reason{$kube_state_metrics, reason="CrashLoopBackOff"}[$window]
                  )
                ) >= 1""",
            thresholds={"window": Threshold(300, "window", "how far apart two crashes may be seen")},
            pending=600,
            keep_firing_for=600,
            severity="warning",
            summary="{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} crashes again and again",
            description="Container {{ $labels.container }} of pod {{ $labels.namespace }}/{{ $labels.pod }} has been "
            "waiting to be started once more (CrashLoopBackOff is {{ $value }}).",
            promises=("availability", "error-rate"),
            cluster_inhibited_by=_LOST,
            cases=(
                Breach(
                    series={_WAITING % "CrashLoopBackOff": gauge(None, 1)},
                    labels={"namespace": "shop", "pod": "api-1", "container": "api"},
                    value=1,
                    clears=300,
                    says="Container api of pod shop/api-1 has been waiting to be started once more (CrashLoopBackOff "
                    "is 1).",
                ),
                Quiet(
                    name="a container that is only being created",
                    series={_WAITING % "ContainerCreating": steady(1), _WAITING % "PodInitializing": steady(1)},
                ),
            ),
        ),
        Alert(
            name="KubeImagePullFailing",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, pod, container) (
                  max_over_time(
                    kube_pod_container_status_waiting_reason{
                      $kube_state_metrics,
                      reason=~"ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError"
                    }[$window]
                  )
                ) >= 1""",
            thresholds={"window": Threshold(300, "window", "how far apart two failures may be seen")},
            pending=300,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.namespace }}/{{ $labels.pod }} can't be started: image or configuration",
            description="Container {{ $labels.container }} of pod {{ $labels.namespace }}/{{ $labels.pod }} can't be "
            "created: its image can't be pulled, or a ConfigMap or Secret is missing (waiting is {{ $value }}).",
            promises=("availability",),
            cases=(
                Breach(
                    series={_WAITING % "ImagePullBackOff": gauge(None, 1)},
                    labels={"namespace": "shop", "pod": "api-1", "container": "api"},
                    value=1,
                    clears=300,
                    says="Container api of pod shop/api-1 can't be created: its image can't be pulled, or a ConfigMap "
                    "or Secret is missing (waiting is 1).",
                ),
                Quiet(name="a crash, which another alert tells", series={_WAITING % "CrashLoopBackOff": steady(1)}),
            ),
        ),
        Alert(
            name="KubePodPending",
            exporter="kube_state_metrics",
            expression='max by ($keep, namespace, pod) (kube_pod_status_phase{$kube_state_metrics, phase=~"Pending|'
            'Unknown"}) == 1',
            pending=900,
            severity="warning",
            summary="Pod {{ $labels.namespace }}/{{ $labels.pod }} does not start",
            description="Pod {{ $labels.namespace }}/{{ $labels.pod }} has been pending or lost for at least 15 "
            "minutes (phase is {{ $value }}).",
            promises=("availability",),
            inhibited_by=("KubeImagePullFailing",),
            inhibition_labels=("cluster", "namespace", "pod"),
            cluster_inhibited_by=_LOST,
            cases=(
                Breach(
                    series={_PHASE % "Pending": gauge(0, 1), _PHASE % "Running": gauge(1, 0)},
                    labels={"namespace": "shop", "pod": "api-1"},
                    value=1,
                    says="Pod shop/api-1 has been pending or lost for at least 15 minutes (phase is 1).",
                ),
                Quiet(
                    name="a pod that ran and ended",
                    series={
                        _PHASE % "Pending": steady(0),
                        _PHASE % "Succeeded": steady(1),
                        _PHASE % "Failed": steady(1),
                    },
                ),
            ),
        ),
        Alert(
            name="KubePodUnready",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, pod) (kube_pod_status_ready{$kube_state_metrics, condition="false"} == 1)
                and on ($keep, namespace, pod) (kube_pod_status_phase{$kube_state_metrics, phase="Running"} == 1)""",
            pending=900,
            keep_firing_for=300,
            severity="warning",
            summary="Pod {{ $labels.namespace }}/{{ $labels.pod }} runs but is not ready",
            description="Pod {{ $labels.namespace }}/{{ $labels.pod }} has run without being ready for at least 15 "
            "minutes (not ready is {{ $value }}): it gets no traffic.",
            promises=("availability",),
            inhibited_by=("KubePodCrashLooping",),
            inhibition_labels=("cluster", "namespace", "pod"),
            cluster_inhibited_by=_LOST,
            cases=(
                Breach(
                    series={
                        _READY % "false": gauge(0, 1),
                        _READY % "true": gauge(1, 0),
                        _PHASE % "Running": steady(1),
                    },
                    labels={"namespace": "shop", "pod": "api-1"},
                    value=1,
                    says="Pod shop/api-1 has run without being ready for at least 15 minutes (not ready is 1): it gets "
                    "no traffic.",
                ),
                Quiet(
                    name="a job's pod that has ended",
                    series={
                        _READY % "false": steady(1),
                        _PHASE % "Running": steady(0),
                        _PHASE % "Succeeded": steady(1),
                    },
                ),
            ),
        ),
        Alert(
            name="KubeContainerOutOfMemory",
            exporter="kube_state_metrics",
            expression="""
                sum by ($keep, namespace, pod, container) (
                  increase(kube_pod_container_status_restarts_total{$kube_state_metrics}[$window])
                ) >= $restarts
                and on ($keep, namespace, pod, container) (
                  kube_pod_container_status_last_terminated_reason{$kube_state_metrics, reason="OOMKilled"} == 1
                )""",
            thresholds={
                "restarts": Threshold(1, "count", "how many restarts in the window are too many"),
                "window": Threshold(900, "window", "in which restarts are counted"),
            },
            keep_firing_for=900,
            severity="warning",
            summary="{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} was killed for its memory",
            description="Container {{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} was killed at "
            'its memory limit and restarted {{ $value | printf "%.0f" }} times in [[window]].',
            promises=("error-rate", "response-time"),
            cases=(
                Breach(
                    series={
                        _RESTARTS: counter(0, lambda t: t.restarts * 2),
                        _KILLED % "OOMKilled": gauge(None, 1),
                    },
                    labels={"namespace": "shop", "pod": "api-1", "container": "api"},
                    value=lambda t: t.restarts * 2 * t.window / 60,
                    settles=900,
                    clears=900,
                    says="Container api of shop/api-1 was killed at its memory limit and restarted 30 times in 15m.",
                ),
                Quiet(
                    name="restarts for another reason",
                    series={_RESTARTS: counter(2, 2), _KILLED % "Error": steady(1), _KILLED % "OOMKilled": steady(0)},
                ),
                Quiet(
                    name="killed long ago", series={_RESTARTS: counter(0, 0, start=3), _KILLED % "OOMKilled": steady(1)}
                ),
            ),
        ),
        Alert(
            name="KubeDeploymentDown",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, deployment) (
                  kube_deployment_status_replicas_available{$kube_state_metrics}
                ) == 0
                and on ($keep, namespace, deployment) (kube_deployment_spec_replicas{$kube_state_metrics} > 0)""",
            pending=300,
            keep_firing_for=300,
            severity="critical",
            summary="Nothing of {{ $labels.namespace }}/{{ $labels.deployment }} is available",
            description="Deployment {{ $labels.namespace }}/{{ $labels.deployment }} wants replicas and has had "
            "{{ $value }} available for at least 5 minutes.",
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={_WANTED: steady(3), _AVAILABLE: gauge(3, 0, near=1)},
                    labels={"namespace": "shop", "deployment": "api"},
                    value=0,
                    says="Deployment shop/api wants replicas and has had 0 available for at least 5 minutes.",
                ),
                Quiet(name="scaled to nothing on purpose", series={_WANTED: steady(0), _AVAILABLE: steady(0)}),
            ),
        ),
        Alert(
            name="KubeDeploymentReplicasMissing",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, deployment) (kube_deployment_spec_replicas{$kube_state_metrics})
                - max by ($keep, namespace, deployment) (
                  kube_deployment_status_replicas_available{$kube_state_metrics}
                ) > 0""",
            pending=900,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.namespace }}/{{ $labels.deployment }} has fewer replicas than it wants",
            description="Deployment {{ $labels.namespace }}/{{ $labels.deployment }} has lacked replicas for at least "
            "15 minutes: {{ $value }} are not available.",
            promises=("availability", "response-time"),
            inhibited_by=("KubeDeploymentDown",),
            inhibition_labels=("cluster", "namespace", "deployment"),
            cluster_inhibited_by=_LOST,
            cases=(
                Breach(
                    series={_WANTED: steady(3), _AVAILABLE: gauge(3, 1, near=3)},
                    labels={"namespace": "shop", "deployment": "api"},
                    value=2,
                    says="Deployment shop/api has lacked replicas for at least 15 minutes: 2 are not available.",
                ),
                Quiet(name="more than wanted, while it is rolled", series={_WANTED: steady(3), _AVAILABLE: steady(4)}),
            ),
        ),
        Alert(
            name="KubeRolloutStuck",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, deployment) (
                  kube_deployment_status_condition{$kube_state_metrics, condition="Progressing", status="false"}
                ) == 1""",
            pending=60,
            keep_firing_for=300,
            severity="warning",
            summary="The rollout of {{ $labels.namespace }}/{{ $labels.deployment }} is stuck",
            description="Deployment {{ $labels.namespace }}/{{ $labels.deployment }} has not come forward within its "
            "progressDeadlineSeconds (not progressing is {{ $value }}).",
            promises=("availability",),
            cases=(
                Breach(
                    series={_PROGRESS % "false": gauge(0, 1), _PROGRESS % "true": gauge(1, 0)},
                    labels={"namespace": "shop", "deployment": "api"},
                    value=1,
                    says="Deployment shop/api has not come forward within its progressDeadlineSeconds (not progressing "
                    "is 1).",
                ),
            ),
        ),
        Alert(
            name="KubeStatefulSetReplicasMissing",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, statefulset) (kube_statefulset_replicas{$kube_state_metrics})
                - max by ($keep, namespace, statefulset) (
                  kube_statefulset_status_replicas_ready{$kube_state_metrics}
                ) > 0""",
            pending=900,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.namespace }}/{{ $labels.statefulset }} has fewer members than it wants",
            description="StatefulSet {{ $labels.namespace }}/{{ $labels.statefulset }} has lacked {{ $value }} ready "
            "members for at least 15 minutes.",
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={_SET_WANTED: steady(3), _SET_READY: gauge(3, 2)},
                    labels={"namespace": "shop", "statefulset": "queue"},
                    value=1,
                    says="StatefulSet shop/queue has lacked 1 ready members for at least 15 minutes.",
                ),
            ),
        ),
        Alert(
            name="KubeDaemonSetPodsMissing",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, daemonset) (
                  kube_daemonset_status_desired_number_scheduled{$kube_state_metrics}
                )
                - max by ($keep, namespace, daemonset) (
                  kube_daemonset_status_number_available{$kube_state_metrics}
                ) > 0""",
            pending=1800,
            severity="warning",
            summary="{{ $labels.namespace }}/{{ $labels.daemonset }} is missing on nodes",
            description="DaemonSet {{ $labels.namespace }}/{{ $labels.daemonset }} has been missing on {{ $value }} "
            "nodes for at least 30 minutes.",
            promises=("availability",),
            cluster_inhibited_by=_LOST,
            cases=(
                Breach(
                    series={_DAEMON_WANTED: steady(5), _DAEMON_READY: gauge(5, 3)},
                    labels={"namespace": "shop", "daemonset": "logs"},
                    value=2,
                    says="DaemonSet shop/logs has been missing on 2 nodes for at least 30 minutes.",
                ),
            ),
        ),
        Alert(
            name="KubeJobFailed",
            exporter="kube_state_metrics",
            expression="max by ($keep, namespace, job_name) (kube_job_failed{$kube_state_metrics, "
            'condition="true"}) == 1',
            pending=60,
            severity="warning",
            summary="Job {{ $labels.namespace }}/{{ $labels.job_name }} failed",
            description="Job {{ $labels.namespace }}/{{ $labels.job_name }} has failed for good (failed is "
            "{{ $value }}). The alert ends when the job is removed.",
            cases=(
                Breach(
                    series={_JOB_FAILED % "true": gauge(0, 1), _JOB_FAILED % "false": gauge(1, 0)},
                    labels={"namespace": "shop", "job_name": "nightly-1"},
                    value=1,
                    says="Job shop/nightly-1 has failed for good (failed is 1). The alert ends when the job is "
                    "removed.",
                ),
            ),
        ),
        *kubernetes_nodes.ALERTS,
        *kubernetes_scaling.ALERTS,
        *kubernetes_storage.ALERTS,
    ),
)
