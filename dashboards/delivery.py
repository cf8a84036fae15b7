"""Delivery and security: what is deployed and how that went, what images carry, what was denied, changed or tried.

`delivery_security` has the rows about security."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import delivery_security
from sla_kit.dashboards.counts import more_than, rise
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Panel, Row
from sla_kit.dashboards.vocabulary import (
    State,
    alert_limit,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)

_APP = "argocd_app_info{$argocd"
_FAILED = 'argocd_app_sync_total{$argocd, phase=~"Error|Failed"}'
_SUCCEEDED = 'argocd_app_sync_total{$argocd, phase="Succeeded"}'
_CRITICAL = 'trivy_image_vulnerabilities{$trivy_operator, severity="Critical"}'
_HEALTH_WORDS = {
    "Healthy": State(text="Healthy", meaning="good"),
    "Progressing": State(text="Progressing"),
    "Suspended": State(text="Suspended"),
    "Degraded": State(text="Degraded", meaning="warning"),
    "Missing": State(text="Missing", meaning="warning"),
    "Unknown": State(text="Unknown"),
}
_SYNC_WORDS = {
    "Synced": State(text="Synced", meaning="good"),
    "OutOfSync": State(text="OutOfSync", meaning="warning"),
    "Unknown": State(text="Unknown"),
}
_PHASES = {
    "1": State(text="healthy", meaning="good"),
    "2": State(text="on its way"),
    "3": State(text="waits"),
    "4": State(text="degraded", meaning="warning"),
}


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    # An area that is switched off has nothing that tells of it; with both off, all is shown to whoever asks for it.
    shown = [area for area in ("delivery", "security") if catalogue.monitoring.areas.get(area, True)]
    delivery, security = "delivery" in shown or not shown, "security" in shown or not shown
    return Dashboard(
        name="delivery",
        title="Delivery and security",
        description="What is deployed and how that went, what failed or was taken back, what images carry; and what "
        "was denied, changed or tried in the cluster.",
        folder="Delivery",
        hours=24,
        annotations=(DEPLOYMENTS, LIVE_EVENTS, firing("delivery", "security")),
        rows=(
            row(
                "Now",
                *(_now(catalogue) if delivery else ()),
                *(delivery_security.now(catalogue) if security else ()),
                height=5,
            ),
            *((_deployments(catalogue), _step_by_step(catalogue), _inside(catalogue)) if delivery else ()),
            *(delivery_security.rows() if security else ()),
        ),
    )


def _now(catalogue: Catalogue) -> tuple[Panel, ...]:
    return (
        stat(
            "Unhealthy applications",
            query(f'count({_APP}, health_status=~"Degraded|Missing"}}) or vector(0)', "unhealthy"),
            unit="none",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("DeploymentUnhealthy"),),
            description="How many applications Argo CD sees as degraded or missing. The table below says which.",
        ),
        stat(
            "Failed deployments",
            query(f"sum({rise(_FAILED)}) or vector(0)", "failed", instant=True),
            unit="none",
            decimals=0,
            limits=more_than(catalogue, "DeploymentFailed", "failures"),
            links=(runbook("DeploymentFailed"),),
            description="How many deployments failed in the time that is shown: what runs may not be what was "
            "released.",
        ),
        stat(
            "Critical vulnerabilities",
            query(f"max({_CRITICAL})", "worst image"),
            unit="none",
            limits=more_than(catalogue, "ImageVulnerable", "vulnerabilities"),
            links=(runbook("ImageVulnerable"),),
            description="How many critical vulnerabilities the image with the most has that runs now.",
        ),
    )


def _deployments(catalogue: Catalogue) -> Row:
    health = f"""
        3 * max by (name, $keep) ({_APP}, health_status=~"Degraded|Missing"}})
        or 2 * max by (name, $keep) ({_APP}, health_status="Progressing"}})
        or max by (name, $keep) ({_APP}, health_status=~"Healthy|Suspended"}})
        or 0 * max by (name, $keep) ({_APP}, health_status="Unknown"}})
    """
    there = f"max by (name, dest_namespace, sync_status, health_status, $keep) ({_APP}}})"
    return row(
        "Deployments (Argo CD)",
        table(
            "Applications",
            query(there, "There"),
            query(f"{there} * on (name, $keep) group_left () sum by (name, $keep) {rise(_SUCCEEDED)}", "Deployed"),
            query(f"{there} * on (name, $keep) group_left () sum by (name, $keep) {rise(_FAILED)}", "Failed"),
            description="Every application, and how its deployments went in the time that is shown. One that is out of "
            "sync was changed by hand, or a release waits.",
            columns=(
                column("name", "Application"),
                column("dest_namespace", "Namespace"),
                column("health_status", "Health", states=_HEALTH_WORDS),
                column("sync_status", "Sync", states=_SYNC_WORDS),
                column("Deployed", unit="none", decimals=0),
                column("Failed", unit="none", decimals=0, limits=more_than(catalogue, "DeploymentFailed", "failures")),
                column("There", hidden=True),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Failed",
            links=(runbook("DeploymentDrifted"), leads_to("kubernetes", "Kubernetes")),
            width=10,
        ),
        states(
            "Health of applications",
            query(health, "{{name}}"),
            states={
                "1": State(text="healthy", meaning="good"),
                "2": State(text="on its way"),
                "3": State(text="degraded or missing", meaning="warning"),
                "0": State(text="unknown"),
            },
            links=(runbook("DeploymentSlow"), runbook("DeploymentUnhealthy")),
            description="What Argo CD makes of each application. A deployment is on its way for minutes; for half an "
            "hour it is stuck.",
        ),
        timeseries(
            "Deployments that ended",
            query(f"sum(increase({_SUCCEEDED}[$__rate_interval]))", "succeeded", color="blue"),
            query(f"sum(increase({_FAILED}[$__rate_interval]))", "failed", color="red"),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("DeploymentFailed"),),
            description="Deployments as they end. Errors that begin right after one are its own, until the opposite is "
            "shown.",
        ),
        height=8,
    )


def _step_by_step(catalogue: Catalogue) -> Row:
    def phase(number: int, name: str) -> str:
        return f'{number} * max by (namespace, name, $keep) (rollout_info{{$argo_rollouts, phase="{name}"}})'

    def events(reason: str) -> str:
        return f'sum(increase(rollout_events_total{{$argo_rollouts, reason=~"{reason}"}}[$__rate_interval]))'

    phases = [phase(4, "Degraded"), phase(3, "Paused"), phase(2, "Progressing"), phase(1, "Healthy")]
    return row(
        "Rollouts and canaries",
        states(
            "Rollouts",
            query("\nor ".join(phases), "{{namespace}}/{{name}}"),
            states=_PHASES,
            links=(runbook("RolloutDegraded"),),
            description="Where each rollout stands. One that waits does so for a person or for its next step; one that "
            "is degraded was aborted, or does not come forward.",
        ),
        timeseries(
            "Rollouts that ended",
            query(events("RolloutCompleted"), "completed", color="blue"),
            query(events("RolloutAborted"), "rolled back", color="red"),
            query(events("AnalysisRun(Failed|Error)"), "judged as worse", color="orange"),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("RolloutAborted"), runbook("CanaryAnalysisFailed")),
            description="Rollouts that came to an end, and analyses that judged a canary as worse. What is rolled back "
            "serves the version before.",
        ),
        *((_canaries(),) if catalogue.monitoring.ingress == "nginx" else ()),
        height=8,
    )


def _canaries() -> Panel:
    """Only ingress-nginx tells which of its requests went to a canary."""

    def errors(canary: str) -> str:
        def rate(more: str = "") -> str:
            selector = f"nginx_ingress_controller_requests{{$ingress_nginx, canary{canary}{more}}}"
            return f"sum by (namespace, ingress, $keep) (rate({selector}[$__rate_interval]))"

        bad = ', status=~"5.."'
        return f"({rate(bad)} or 0 * {rate()}) / ({rate()} > 0)"

    return timeseries(
        "Canaries beside what they replace",
        query(errors('!=""'), "{{ingress}}: canary"),
        query(
            f"""
            {errors('=""')}
            and on (namespace, ingress, $keep) sum by (namespace, ingress, $keep) (
              rate(nginx_ingress_controller_requests{{$ingress_nginx, canary!=""}}[$__rate_interval])
            )
            """,
            "{{ingress}}: stable",
        ),
        unit="percentunit",
        minimum=0,
        limits=(alert_limit("CanaryWorse", "ratio"),),
        links=(leads_to("ingress", "Ingress"),),
        description="The share of requests that fail, of each canary and of the stable version beside it. Where both "
        "fail alike it is something else that they share.",
    )


def _inside(catalogue: Catalogue) -> Row:
    images = "namespace, image_repository, image_tag, $keep"

    def found(severity: str) -> str:
        of_them = f'trivy_image_vulnerabilities{{$trivy_operator, severity="{severity}"}}'
        return f"topk(50, max by ({images}) ({of_them}))"

    outcome = """
        topk(50,
          2 * max by (namespace, job_name, $keep) (kube_job_failed{$kube_state_metrics, condition="true"}) > 0
          or max by (namespace, job_name, $keep) (kube_job_complete{$kube_state_metrics, condition="true"})
        )
    """
    return row(
        "Migrations, jobs and images",
        table(
            "Migrations and jobs",
            query(outcome, "Outcome"),
            description="Jobs and how they ended, failed ones first. After a failed migration the database may be "
            "between two versions.",
            columns=(
                column("namespace", "Namespace"),
                column("job_name", "Job"),
                column(
                    "Outcome",
                    states={
                        "1": State(text="completed", meaning="good"),
                        "2": State(text="failed", meaning="warning"),
                        "0": State(text="not ended"),
                    },
                ),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Outcome",
            links=(runbook("MigrationFailed"), leads_to("kubernetes", "Kubernetes")),
        ),
        table(
            "Vulnerabilities by image",
            *(query(found(severity), severity) for severity in ("Critical", "High", "Medium", "Low")),
            description="What is known to be wrong with the images that run. Critical ones are to be replaced now, "
            "high ones with the next release.",
            columns=(
                column("namespace", "Namespace"),
                column("image_repository", "Image"),
                column("image_tag", "Version"),
                column("Critical", unit="none", limits=more_than(catalogue, "ImageVulnerable", "vulnerabilities")),
                column("High", unit="none"),
                column("Medium", unit="none"),
                column("Low", unit="none"),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Critical",
            links=(runbook("ImageVulnerable"),),
        ),
        height=8,
    )
