"""Kubernetes: what should run and does not. The row of what scales is in `kubernetes_scaling`, those of nodes, volumes,
quotas and certificates are in `kubernetes_capacity`."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import kubernetes_capacity, kubernetes_scaling
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Row
from sla_kit.dashboards.vocabulary import (
    State,
    Variable,
    column,
    kibana,
    limit,
    query,
    row,
    runbook,
    stat,
    table,
    timeseries,
)

_STATE = '$kube_state_metrics, namespace=~"$namespace"'
_DEPLOYMENT = "namespace, deployment, $keep"
_WANTED = f"max by ({_DEPLOYMENT}) (kube_deployment_spec_replicas{{{_STATE}}})"
_AVAILABLE = f"max by ({_DEPLOYMENT}) (kube_deployment_status_replicas_available{{{_STATE}}})"
_MISSING = f"{_WANTED} - on ({_DEPLOYMENT}) {_AVAILABLE}"
#: Why containers wait that can't be started; ContainerCreating is on its way.
_FAILING = "CrashLoopBackOff|ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError"
_RESTARTS = f"kube_pod_container_status_restarts_total{{{_STATE}}}"
_CONTAINER = "namespace, pod, container, $keep"
#: The same container's last end, told of for as long as the pod is there.
_ENDED = f"""
    max by (namespace, pod, container, reason, $keep) (
      kube_pod_container_status_last_terminated_reason{{{_STATE}}} == 1
    )
"""


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    return Dashboard(
        name="kubernetes",
        title="Kubernetes and autoscaling",
        description="What should run and does not, what scales and how far it can, and what nodes, volumes, quotas and "
        "certificates have left.",
        folder="Platform",
        variables=(
            Variable(
                name="namespace",
                title="Namespace",
                metric="kube_pod_status_phase{$kube_state_metrics}",
                label="namespace",
            ),
        ),
        annotations=(LIVE_EVENTS, DEPLOYMENTS, firing("kubernetes")),
        rows=(_now(), _workloads(), _pods(), *kubernetes_scaling.rows(catalogue), *kubernetes_capacity.rows(catalogue)),
    )


def _now() -> Row:
    return row(
        "Now",
        stat(
            "Nodes not ready",
            query(
                f"""
                count(max by (node, $keep) ({kubernetes_capacity.READY}) == 0)
                or 0 * count({kubernetes_capacity.READY})
                """,
                "of all nodes",
            ),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("KubeNodesLost"), runbook("KubeNodeNotReady"), runbook("KubeMetricsMissing")),
            no_value="nothing known",
            description="Nodes whose kubelet is not heard of or not well. One may be being replaced; several at once "
            "are an outage. Where nothing is known kube-state-metrics is down, and this whole page is blind.",
        ),
        stat(
            "Deployments down",
            query(f"count(({_AVAILABLE} == 0) and on ({_DEPLOYMENT}) ({_WANTED} > 0)) or vector(0)", "none available"),
            unit="short",
            limits=(limit(1, "above", "critical"),),
            links=(runbook("KubeDeploymentDown"),),
            description="Deployments that want replicas and have none available. Their service is down.",
        ),
        stat(
            "Replicas missing",
            query(f"sum(({_MISSING}) > 0) or vector(0)", "of deployments"),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("KubeDeploymentReplicasMissing"),),
            description="Replicas that deployments want and don't have. A few are normal while something is rolled "
            "out or scaled up; they should be there within minutes.",
        ),
        stat(
            "Pods not ready",
            query(
                f"""
                count(
                  max by (namespace, pod, $keep) (kube_pod_status_ready{{{_STATE}, condition="false"}} == 1)
                  and on (namespace, pod, $keep) (kube_pod_status_phase{{{_STATE}, phase="Running"}} == 1)
                )
                or vector(0)
                """,
                "running",
            ),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("KubePodUnready"),),
            description="Pods that run but get no traffic because their readiness probe fails. Normal for a minute "
            "after a start.",
        ),
        stat(
            "Containers that can't start",
            query(
                f"""
                sum(max by ({_CONTAINER}) (
                  kube_pod_container_status_waiting_reason{{{_STATE}, reason=~"{_FAILING}"}}
                ))
                or vector(0)
                """,
                "waiting",
            ),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("KubePodCrashLooping"), runbook("KubeImagePullFailing")),
            description="Containers that crash again and again, or whose image or configuration can't be had. Why is "
            "shown below.",
        ),
        stat(
            "Autoscalers at their maximum",
            query(f"count({kubernetes_scaling.LIMITED}) or vector(0)", "that want more"),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("HpaAtMaximum"),),
            description="Autoscalers that stand at their maximum and want more replicas. During a live event it means "
            "that the maximum was set too low.",
        ),
        height=5,
    )


def _workloads() -> Row:
    return row(
        "Workloads",
        table(
            "Deployments",
            query(_WANTED, "Wanted"),
            query(_AVAILABLE, "Available"),
            query(_MISSING, "Missing"),
            query(
                f"""
                max by ({_DEPLOYMENT}) (
                  kube_deployment_status_condition{{{_STATE}, condition="Progressing", status="false"}}
                )
                """,
                "Rollout",
            ),
            description="What each deployment wants and has. A stuck rollout did not come forward within its deadline: "
            "the old pods still serve. A click on a name leads to its logs.",
            columns=(
                column("namespace", "Namespace"),
                column(
                    "deployment",
                    "Deployment",
                    link=kibana(
                        "Its logs",
                        'kubernetes.namespace:"${__data.fields.Namespace}" AND '
                        "kubernetes.pod.name:${__data.fields.Deployment}-*",
                    ),
                ),
                column("Wanted", decimals=0),
                column("Available", decimals=0),
                column("Missing", decimals=0, limits=(limit(1, "above", "warning"),)),
                column(
                    "Rollout",
                    states={"0": State(text="done", meaning="good"), "1": State(text="stuck", meaning="critical")},
                ),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("KubeRolloutStuck"),),
            sort_by="Missing",
            width=14,
        ),
        timeseries(
            "Replicas missing by workload",
            query(f"topk(6, clamp_min({_MISSING}, 0))", "{{deployment}}"),
            query(
                f"""
                topk(6,
                  max by (namespace, statefulset, $keep) (kube_statefulset_replicas{{{_STATE}}})
                  - on (namespace, statefulset, $keep)
                  max by (namespace, statefulset, $keep) (kube_statefulset_status_replicas_ready{{{_STATE}}})
                )
                """,
                "{{statefulset}} (stateful set)",
            ),
            query(
                f"""
                topk(6,
                  max by (namespace, daemonset, $keep) (kube_daemonset_status_desired_number_scheduled{{{_STATE}}})
                  - on (namespace, daemonset, $keep)
                  max by (namespace, daemonset, $keep) (kube_daemonset_status_number_available{{{_STATE}}})
                )
                """,
                "{{daemonset}} (daemon set)",
            ),
            unit="short",
            minimum=0,
            links=(runbook("KubeStatefulSetReplicasMissing"), runbook("KubeDaemonSetPodsMissing")),
            description="Pods that deployments, stateful sets and daemon sets want and don't have. Short peaks are "
            "rollouts and scaling; a plateau is something that does not come up.",
            width=10,
        ),
        height=9,
    )


def _pods() -> Row:
    return row(
        "Pods",
        timeseries(
            "Pods by phase",
            query(f"sum by (phase, $keep) (kube_pod_status_phase{{{_STATE}}})", "{{phase}}"),
            unit="short",
            minimum=0,
            stack="normal",
            bars=True,
            links=(runbook("KubePodPending"),),
            description="How many pods there are in each phase. Pending ones wait for a node, a volume or an image; "
            "Failed ones were evicted or belong to jobs.",
        ),
        timeseries(
            "Why containers wait",
            query(
                f"sum by (reason, $keep) (kube_pod_container_status_waiting_reason{{{_STATE}}})",
                "{{reason}}",
            ),
            unit="short",
            minimum=0,
            no_value="none waits",
            links=(runbook("KubePodCrashLooping"), runbook("KubeImagePullFailing")),
            description="How many containers wait, by what for. ContainerCreating passes; CrashLoopBackOff is a "
            "program that ends at once, ImagePullBackOff an image that can't be had.",
        ),
        timeseries(
            "Restarts",
            query(f"topk(8, sum by ({_CONTAINER}) (increase({_RESTARTS}[$__rate_interval])))", "{{pod}} {{container}}"),
            unit="short",
            minimum=0,
            bars=True,
            description="Containers that were started again, the eight that were most often. None is normal.",
        ),
        timeseries(
            "Jobs that failed",
            query(
                f'topk(8, max by (namespace, job_name, $keep) (kube_job_failed{{{_STATE}, condition="true"}}))',
                "{{namespace}}/{{job_name}}",
            ),
            unit="short",
            minimum=0,
            maximum=1,
            links=(runbook("KubeJobFailed"),),
            description="1 for a job that has failed for good, until it is removed; its pods' logs tell why.",
            width=8,
        ),
        table(
            "Restarted and why",
            query(
                f"""
                topk(12,
                  {_ENDED}
                  * on ({_CONTAINER}) group_left ()
                  sum by ({_CONTAINER}) (increase({_RESTARTS}[$__range]))
                )
                """,
                "Restarts",
            ),
            description="Containers that have ended at least once, with how they last did and how often they were "
            "restarted in the time shown. OOMKilled reached its memory limit; Error left with a code: read the last "
            "lines of its log.",
            columns=(
                column("namespace", "Namespace"),
                column(
                    "pod",
                    "Pod",
                    link=kibana("Its logs", 'kubernetes.pod.name:"${__data.fields.Pod}"'),
                ),
                column("container", "Container"),
                column("reason", "Last ended by"),
                column("Restarts", decimals=0, limits=(limit(1, "above", "warning"),)),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("KubeContainerOutOfMemory"),),
            sort_by="Restarts",
            width=16,
        ),
    )
