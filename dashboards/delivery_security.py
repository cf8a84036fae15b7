"""Security, as far as metrics tell: each is a reason to look, not a proof."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.counts import more_than, rise
from sla_kit.dashboards.model import Panel, Row
from sla_kit.dashboards.vocabulary import (
    alert_limit,
    column,
    kibana,
    leads_to,
    query,
    row,
    runbook,
    stat,
    table,
    timeseries,
)

#: Emergency, alert and critical.
_GRAVE = 'falcosecurity_falco_rules_matches_total{$falco, priority=~"0|1|2"}'
_LOGIN = 'http_request_duration_seconds_count{$application, path=~".*(login|signin|session|token).*"'
_REFUSED = f"""
    sum by (job, $keep) (rate({_LOGIN}, status_code=~"401|403|429"}}[$__rate_interval]))
    / (sum by (job, $keep) (rate({_LOGIN}}}[$__rate_interval])) > 0)
"""
#: The window in which the alert counts failed log-ins to the cluster, in seconds.
_LOGINS_WINDOW = 900


def now(catalogue: Catalogue) -> tuple[Panel, ...]:
    """Whether there is a reason to look."""
    lost = "apiserver_audit_error_total{$kube_apiserver}"
    return (
        stat(
            "Threats seen",
            query(f"sum({rise(_GRAVE)}) or vector(0)", "matches", instant=True),
            unit="none",
            decimals=0,
            limits=more_than(catalogue, "ThreatDetected", "matches"),
            links=(runbook("ThreatDetected"),),
            description="How often Falco's rules of priority critical or above matched in the time that is shown.",
        ),
        stat(
            "Log-ins refused",
            query(f"max({_REFUSED})", "most"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("LoginsFailing", "ratio"),),
            description="The share of attempts to log in that are refused, of the application with the most. One in "
            "ten is people's memory; most of many is somebody who tries passwords.",
        ),
        stat(
            "Audit records lost",
            query(f"sum({rise(lost)}) or vector(0)", "lost", instant=True),
            unit="none",
            decimals=0,
            limits=more_than(catalogue, "AuditLogFailing", "errors"),
            links=(runbook("AuditLogFailing"),),
            description="How many records of the cluster's audit log were lost in the time that is shown: what was "
            "done then can't be proved.",
        ),
    )


def rows() -> tuple[Row, ...]:
    """What was denied and tried, and what was changed."""
    return (row("Denied and tried", *_tried()), row("Changed and overdue", *_changed()))


def _tried() -> tuple[Panel, ...]:
    drops = 'cilium_drop_count_total{$cilium, reason="Policy denied"}'
    return (
        timeseries(
            "Denied by network policies",
            query(f"sum by (direction, $keep) (rate({drops}[$__rate_interval]))", "{{direction}}"),
            query(
                f"sum by (direction, $keep) (rate({drops}[$__rate_interval] offset 1d))", "{{direction}}, a day earlier"
            ),
            unit="pps",
            minimum=0,
            limits=(alert_limit("NetworkPolicyDeniesSurge", "drops"),),
            description="Packets that policies deny, beside a day earlier. Some always are; many more are a policy "
            "that forgot somebody, or somebody who looks around.",
        ),
        timeseries(
            "Log-ins refused by application",
            query(f"topk(8, {_REFUSED})", "{{job}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("LoginsFailing", "ratio"),),
            links=(kibana("Log-ins in the logs", "url.path:*login* AND http.response.status_code:401"),),
            description="The share of attempts to log in that are refused or held back. If everybody is refused, the "
            "log-in itself is broken.",
        ),
        timeseries(
            "Failed log-ins to the cluster",
            query(
                f"""
                {_LOGINS_WINDOW} * sum by (result, $keep) (
                  rate(authentication_attempts{{$kube_apiserver, result=~"failure|error"}}[$__rate_interval])
                )
                """,
                "{{result}}",
            ),
            unit="short",
            minimum=0,
            limits=(alert_limit("ClusterLoginsFailing", "attempts"),),
            description="Attempts to log in to the Kubernetes API that fail, as many as in a quarter of an hour at "
            "that rate. A token that has run out fails at a steady pace.",
        ),
        timeseries(
            "What Falco sees",
            query(
                "topk(8, sum by (rule_name, priority, $keep) "
                "(increase(falcosecurity_falco_rules_matches_total{$falco}[$__rate_interval])))",
                "{{rule_name}} ({{priority}})",
            ),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("ThreatDetected"),),
            description="How often Falco's rules match, with their priority: 0 to 2 wake somebody, 3 and above are for "
            "the working day.",
        ),
    )


def _changed() -> tuple[Panel, ...]:
    rights = (
        'apiserver_request_total{$kube_apiserver, group="rbac.authorization.k8s.io", '
        'verb=~"POST|PUT|PATCH|APPLY|DELETE.*", code=~"2..", dry_run=""}'
    )
    pods = 'pod_security_evaluations_total{$kube_apiserver, decision="deny", policy_level="baseline", resource="pod"'
    age = """
        topk(20,
          time() - max by (namespace, secret, $keep) (kube_secret_created{$kube_state_metrics})
          and on (namespace, secret, $keep) (kube_secret_type{$kube_state_metrics, type="Opaque"} == 1)
        )
    """
    return (
        timeseries(
            "Access rights changed",
            query(
                f"topk(8, sum by (resource, verb, $keep) (increase({rights}[$__rate_interval])))",
                "{{resource}}, {{verb}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("AccessRightsChanged"),),
            description="Roles and bindings of the cluster that were changed. Each should belong to a release; the "
            "audit log says who it was.",
        ),
        timeseries(
            "Privileged pods",
            query(f'sum(increase({pods}, mode="audit"}}[$__rate_interval]))', "admitted", color="red"),
            query(f'sum(increase({pods}, mode="enforce"}}[$__rate_interval]))', "refused", color="blue"),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("PrivilegedPodAdmitted"), leads_to("kubernetes", "Kubernetes")),
            description="Pods that ask for more rights than a container should have (privileged, the host's network, "
            "processes or files): where the policy only audits they are admitted, where it enforces they are refused.",
        ),
        timeseries(
            "Audit records lost by backend",
            query(
                "sum by (plugin, $keep) (increase(apiserver_audit_error_total{$kube_apiserver}[$__rate_interval]))",
                "{{plugin}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("AuditLogFailing"),),
            description="Records of the audit log that were lost, by where they should have gone.",
        ),
        table(
            "Oldest secrets",
            query(age, "Age"),
            description="The twenty secrets that were made longest ago. One that is changed in place stays as old; "
            "certificates, which have panels of their own, are left out.",
            columns=(
                column("namespace", "Namespace"),
                column("secret", "Secret"),
                column("Age", unit="dtdurations", decimals=0, limits=(alert_limit("SecretOld", "age"),)),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Age",
        ),
    )
