"""The rows of what workloads stand on: nodes, volumes, quotas, certificates."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.model import Row
from sla_kit.dashboards.vocabulary import (
    State,
    alert_limit,
    bars,
    column,
    limit,
    query,
    row,
    runbook,
    states,
    table,
    timeseries,
)
from sla_kit.dashboards.watched import Watched
from sla_kit.rules.sides import promql_duration

#: 1 for each node that is ready.
READY = 'kube_node_status_condition{$kube_state_metrics, condition="Ready", status="true"}'
_PRESSURE = 'kube_node_status_condition{$kube_state_metrics, condition=~"(Memory|Disk|PID)Pressure", status="true"}'
_CLAIM = "namespace, persistentvolumeclaim, $keep"
_VOLUME = '{$kubelet, namespace=~"$namespace"}'
_FREE = f"""
    min by ({_CLAIM}) (
      kubelet_volume_stats_available_bytes{_VOLUME} / (kubelet_volume_stats_capacity_bytes{_VOLUME} > 0)
    )
"""
_CERTIFICATE = "namespace, name, $keep"
_ISSUED = '{$cert_manager, namespace=~"$namespace"%s}'


def rows(catalogue: Catalogue) -> tuple[Row, ...]:
    """The rows."""
    return _nodes(), _storage(Watched.of(catalogue))


def _nodes() -> Row:
    return row(
        "Nodes",
        states(
            "Conditions of nodes",
            query(f"max by (node, $keep) ({READY})", "{{node}} ready"),
            query(f"1 - max by (node, condition, $keep) ({_PRESSURE})", "{{node}} no {{condition}}"),
            states={"1": State(text="as it should be", meaning="good"), "0": State(text="not", meaning="critical")},
            links=(runbook("KubeNodeNotReady"), runbook("KubeNodePressure"), runbook("KubeNodesLost")),
            description="Whether each node is ready and has no pressure on memory, disk or processes. Under pressure "
            "it evicts pods; one that is not ready loses them all after five minutes.",
            width=14,
        ),
        timeseries(
            "Requested of what nodes offer",
            *(
                query(
                    f"""
                    sum(
                      max by (namespace, pod, container, $keep) (
                        kube_pod_container_resource_requests{{$kube_state_metrics, resource="{resource}"}}
                      )
                      * on (namespace, pod, $keep) group_left ()
                      max by (namespace, pod, $keep) (
                        kube_pod_status_phase{{$kube_state_metrics, phase=~"Pending|Running"}} == 1
                      )
                    )
                    / sum(max by (node, $keep) (
                      kube_node_status_allocatable{{$kube_state_metrics, resource="{resource}"}}
                    ))
                    """,
                    legend,
                    color=color,
                )
                for resource, legend, color in (("cpu", "processors", "blue"), ("memory", "memory", "orange"))
            ),
            unit="percentunit",
            minimum=0,
            description="What pods request, of all that the nodes can give, whatever namespace is chosen. Near 100 % "
            "the next pod waits for a new node.",
            width=10,
        ),
        height=9,
    )


def _storage(watched: Watched) -> Row:
    window = watched.window("KubeVolumeFillsSoon")
    horizon = watched.value("KubeVolumeFillsSoon", "horizon")
    left = promql_duration(horizon)
    return row(
        "Volumes, quotas and certificates",
        table(
            "Volumes",
            query(_FREE, "Free"),
            query(
                f"""
                min by ({_CLAIM}) (
                  (
                    kubelet_volume_stats_available_bytes{_VOLUME}
                    + deriv(kubelet_volume_stats_available_bytes{_VOLUME}[{window}]) * {horizon:.0f}
                  )
                  / (kubelet_volume_stats_capacity_bytes{_VOLUME} > 0)
                )
                """,
                f"Free in {left}",
            ),
            query(
                f"""
                min by ({_CLAIM}) (
                  kubelet_volume_stats_inodes_free{_VOLUME} / (kubelet_volume_stats_inodes{_VOLUME} > 0)
                )
                """,
                "Inodes free",
            ),
            query(
                f"""
                max by ({_CLAIM}) (
                  kube_persistentvolumeclaim_status_phase{{
                    $kube_state_metrics, namespace=~"$namespace", phase="Bound"
                  }}
                )
                """,
                "Claim",
            ),
            description=f"The fullest volume first, with what will be free in {left} if it goes on filling as over the "
            f"last {window}: below zero it is full by then. A claim that is not bound keeps its pod from starting.",
            columns=(
                column("namespace", "Namespace"),
                column("persistentvolumeclaim", "Volume"),
                column(
                    "Free",
                    unit="percentunit",
                    decimals=0,
                    limits=(alert_limit("KubeVolumeNearlyFull", "ratio", "below"),),
                ),
                column(f"Free in {left}", unit="percentunit", decimals=0, limits=(limit(0, "below", "warning"),)),
                column(
                    "Inodes free",
                    unit="percentunit",
                    decimals=0,
                    limits=(alert_limit("KubeVolumeInodesLow", "ratio", "below"),),
                ),
                column(
                    "Claim",
                    states={"1": State(text="bound", meaning="good"), "0": State(text="not bound", meaning="critical")},
                ),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("KubeVolumeFillsSoon"), runbook("KubeClaimUnbound")),
            sort_by="Free",
            sort_descending=False,
            width=12,
        ),
        bars(
            "Used of quotas",
            query(
                """
                topk(10, max by (namespace, resourcequota, resource, $keep) (
                  kube_resourcequota{$kube_state_metrics, namespace=~"$namespace", type="used"}
                  / ignoring (type)
                  (kube_resourcequota{$kube_state_metrics, namespace=~"$namespace", type="hard"} > 0)
                ))
                """,
                "{{namespace}} {{resource}}",
            ),
            unit="percentunit",
            decimals=0,
            minimum=0,
            maximum=1,
            limits=(alert_limit("KubeQuotaNearlyUsed", "ratio"),),
            no_value="no quotas",
            description="How much of what they are allowed namespaces use, the ten fullest quotas. At 100 % no more "
            "pods are created, autoscaling or not.",
            width=12,
        ),
        table(
            "Certificates",
            query(
                f"""
                min by ({_CERTIFICATE}) (
                  certmanager_certificate_expiration_timestamp_seconds{_ISSUED % ""} > 0
                ) - time()
                """,
                "Good for",
            ),
            query(
                f"""
                min by ({_CERTIFICATE}) (
                  certmanager_certificate_renewal_timestamp_seconds{_ISSUED % ""} > 0
                ) - time()
                """,
                "Renewed in",
            ),
            query(
                f"""
                max by ({_CERTIFICATE}) (
                  certmanager_certificate_ready_status{_ISSUED % ', condition="True"'}
                )
                """,
                "State",
            ),
            description="How long each certificate of cert-manager's is still good, and when it is to be renewed. A "
            "renewal that is overdue, with few days left, has failed: look at its Challenge.",
            columns=(
                column("namespace", "Namespace"),
                column("name", "Certificate"),
                column("Good for", unit="dtdurations", limits=(alert_limit("CertificateExpiring", "left", "below"),)),
                column("Renewed in", unit="dtdurations"),
                column(
                    "State",
                    states={"1": State(text="ready", meaning="good"), "0": State(text="not ready", meaning="critical")},
                ),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("CertificateNotReady"),),
            sort_by="Good for",
            sort_descending=False,
            width=24,
            height=6,
        ),
    )
