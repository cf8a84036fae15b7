"""Delivery: deployments that fail, take long or have to be taken back, canaries, migrations, and what images carry."""

from __future__ import annotations

from sla_kit.alert_rules import delivery_rollouts
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.first_counts import not_new, rise

_HOUR = 3600.0
_APP = (
    'argocd_app_info{$argocd, namespace="argocd", name="web", project="default", autosync_enabled="true", '
    'dest_server="https://kubernetes.default.svc", dest_namespace="shop", operation="", sync_status="%s", '
    'health_status="%s"}'
)
_SYNCS = (
    'argocd_app_sync_total{$argocd, instance="argocd-0:8082", namespace="argocd", name="web", project="default", '
    'dest_server="https://kubernetes.default.svc", phase="%s"}'
)
_ARGOCD_UP = 'up{$argocd, instance="argocd-0:8082"}'
_JOB = 'kube_job_failed{$kube_state_metrics, namespace="shop", job_name="%s", condition="%s"}'
_IMAGE = (
    'trivy_image_vulnerabilities{$trivy_operator, namespace="shop", name="replicaset-api-api", '
    'resource_kind="ReplicaSet", resource_name="api-1", container_name="api", image_registry="registry.example.com", '
    'image_repository="shop/api", image_tag="1.2.3", image_digest="", severity="%s"}'
)

AREA = Area(
    name="delivery",
    title="Delivery (Argo CD, Argo Rollouts, kube-state-metrics, Trivy operator, ingress-nginx)",
    dashboard="delivery",
    healthy={
        **delivery_rollouts.HEALTHY,
        _APP % ("Synced", "Healthy"): steady(1),
        _ARGOCD_UP: steady(1),
        _SYNCS % "Succeeded": counting(0.01),
        _SYNCS % "Failed": counting(0),
        _SYNCS % "Error": counting(0),
        **{_JOB % ("db-migrate-1", condition): steady(0) for condition in ("true", "false", "unknown")},
        **{_IMAGE % severity: steady(count) for severity, count in (("High", 3), ("Medium", 12), ("Low", 40))},
        _IMAGE % "Critical": steady(0),
        _IMAGE % "Unknown": steady(1),
    },
    alerts=(
        Alert(
            name="DeploymentFailed",
            exporter="argocd",
            expression=f"""
                sum by ($keep, name) (
                {rise("argocd_app_sync_total", "argocd", 'phase=~"Error|Failed"')}
                ) > $failures""",
            thresholds={
                "failures": Threshold(0, "count", "how many failures are borne in the window"),
                "window": Threshold(900, "window", "in which failures are counted"),
            },
            keep_firing_for=300,
            severity="warning",
            summary="The deployment of {{ $labels.name }} fails",
            description="Argo CD has failed {{ $value | humanize }} times in [[window]] to deploy {{ $labels.name }}: "
            "what runs is not what was released.",
            promises=("availability",),
            cases=(
                Breach(
                    series={_SYNCS % "Failed": counter(0, lambda t: t.failures + 1, near=0), _ARGOCD_UP: steady(1)},
                    labels={"name": "web"},
                    value=lambda t: (t.failures + 1) * t.window / 60,
                    settles=900,
                    says="Argo CD has failed 15 times in 15m to deploy web: what runs is not what was released.",
                ),
                Breach(
                    name="the first failure ever",
                    series={_SYNCS % "Error": gauge(None, lambda t: t.failures + 1), _ARGOCD_UP: steady(1)},
                    labels={"name": "web"},
                    value=lambda t: t.failures + 1,
                    clears=300,
                    says="Argo CD has failed 1 times in 15m to deploy web: what runs is not what was released.",
                ),
                Quiet(name="deployments that succeed", series={_SYNCS % "Succeeded": counting(1)}),
                *not_new(_SYNCS % "Failed", _ARGOCD_UP),
            ),
        ),
        Alert(
            name="DeploymentSlow",
            exporter="argocd",
            expression='max by ($keep, name) (argocd_app_info{$argocd, health_status="Progressing"}) == 1',
            pending=1800,
            severity="warning",
            summary="The deployment of {{ $labels.name }} does not end",
            description="{{ $labels.name }} has been on its way for at least 30 minutes (progressing is {{ $value }}): "
            "old and new run side by side, or the new does not come up.",
            promises=("availability",),
            inhibited_by=("DeploymentFailed",),
            inhibition_labels=("cluster", "name"),
            cases=(
                Breach(
                    series={
                        _APP % ("Synced", "Healthy"): gauge(1, None),
                        _APP % ("Synced", "Progressing"): gauge(None, 1),
                    },
                    labels={"name": "web"},
                    value=1,
                    clears=300,  # a series that is gone is seen for five minutes more
                    says="web has been on its way for at least 30 minutes (progressing is 1): old and new run side by "
                    "side, or the new does not come up.",
                ),
            ),
        ),
        Alert(
            name="DeploymentUnhealthy",
            exporter="argocd",
            expression="""
                max by ($keep, name, health_status) (
                  argocd_app_info{$argocd, health_status=~"Degraded|Missing"}
                ) == 1""",
            pending=600,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.name }} is {{ $labels.health_status }} after its deployment",
            description="Argo CD has seen {{ $labels.name }} as {{ $labels.health_status }} for at least 10 minutes "
            "(unhealthy is {{ $value }}).",
            promises=("availability",),
            cases=(
                Breach(
                    series={
                        _APP % ("Synced", "Healthy"): gauge(1, None),
                        _APP % ("Synced", "Degraded"): gauge(None, 1),
                    },
                    labels={"name": "web", "health_status": "Degraded"},
                    value=1,
                    clears=300,
                    says="Argo CD has seen web as Degraded for at least 10 minutes (unhealthy is 1).",
                ),
                Quiet(name="suspended on purpose", series={_APP % ("Synced", "Suspended"): steady(1)}),
            ),
        ),
        Alert(
            name="DeploymentDrifted",
            exporter="argocd",
            expression='max by ($keep, name) (argocd_app_info{$argocd, sync_status="OutOfSync"}) == 1',
            pending=6 * _HOUR,
            severity="info",
            summary="{{ $labels.name }} differs from what is released",
            description="{{ $labels.name }} has differed from its repository for at least 6 hours (out of sync is "
            "{{ $value }}): somebody changed it by hand, or a release waits.",
            cases=(
                Breach(
                    series={
                        _APP % ("Synced", "Healthy"): gauge(1, None),
                        _APP % ("OutOfSync", "Healthy"): gauge(None, 1),
                    },
                    labels={"name": "web"},
                    value=1,
                    clears=300,
                    says="web has differed from its repository for at least 6 hours (out of sync is 1): somebody "
                    "changed it by hand, or a release waits.",
                ),
            ),
        ),
        Alert(
            name="MigrationFailed",
            exporter="kube_state_metrics",
            expression="""
                max by ($keep, namespace, job_name) (
                  kube_job_failed{$kube_state_metrics, condition="true", job_name=~".*migrat.*"}
                ) == 1""",
            pending=60,
            severity="warning",
            summary="The migration {{ $labels.namespace }}/{{ $labels.job_name }} has failed",
            description="Job {{ $labels.namespace }}/{{ $labels.job_name }} has failed (failed is {{ $value }}): the "
            "database may be between two versions.",
            promises=("availability", "error-rate"),
            cases=(
                Breach(
                    series={_JOB % ("db-migrate-1", "true"): gauge(0, 1)},
                    labels={"namespace": "shop", "job_name": "db-migrate-1"},
                    value=1,
                    says="Job shop/db-migrate-1 has failed (failed is 1): the database may be between two versions.",
                ),
                Quiet(name="another job failed", series={_JOB % ("newsletter-1", "true"): steady(1)}),
                Quiet(name="it has not failed", series={_JOB % ("db-migrate-1", "false"): steady(1)}),
            ),
        ),
        Alert(
            name="ImageVulnerable",
            exporter="trivy_operator",
            expression="""
                max by ($keep, namespace, image_repository, image_tag) (
                  trivy_image_vulnerabilities{$trivy_operator, severity="Critical"}
                ) > $vulnerabilities""",
            thresholds={"vulnerabilities": Threshold(0, "count", "how many critical vulnerabilities are borne")},
            pending=_HOUR,
            severity="warning",
            summary="{{ $labels.image_repository }} runs with critical vulnerabilities",
            description="Image {{ $labels.image_repository }}:{{ $labels.image_tag }} in {{ $labels.namespace }} has "
            "{{ $value }} critical vulnerabilities, over [[vulnerabilities]].",
            cases=(
                Breach(
                    series={
                        _IMAGE % "Critical": gauge(0, lambda t: t.vulnerabilities + 2, near=lambda t: t.vulnerabilities)
                    },
                    labels={"namespace": "shop", "image_repository": "shop/api", "image_tag": "1.2.3"},
                    value=lambda t: t.vulnerabilities + 2,
                    says="Image shop/api:1.2.3 in shop has 2 critical vulnerabilities, over 0.",
                ),
                Quiet(name="less grave ones", series={_IMAGE % "High": steady(9), _IMAGE % "Critical": steady(0)}),
            ),
        ),
        *delivery_rollouts.ALERTS,
    ),
)
