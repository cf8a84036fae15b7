"""The cluster's own door: access rights, pods with more rights than they should have, log-ins and the audit log."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.first_counts import not_new, rise

_API = '$kube_apiserver, instance="10.0.0.1:443"'
_API_UP = f"up{{{_API}}}"
_CALLS = (
    f'apiserver_request_total{{{_API}, group="rbac.authorization.k8s.io", version="v1", resource="%s", subresource="", '
    'scope="resource", component="apiserver", dry_run="", verb="%s", code="%s"}'
)
_LOGINS = f'authentication_attempts{{{_API}, result="%s"}}'
_PODS = (
    f'pod_security_evaluations_total{{{_API}, decision="%s", mode="%s", policy_level="%s", policy_version="latest", '
    'request_operation="create", resource="pod", subresource=""}'
)
_AUDIT = f'apiserver_audit_error_total{{{_API}, plugin="%s"}}'

HEALTHY = {
    _API_UP: steady(1),
    _CALLS % ("roles", "GET", "200"): counting(60),
    _CALLS % ("roles", "WATCH", "200"): counting(6),
    _CALLS % ("roles", "PATCH", "403"): counting(0.1),
    _CALLS % ("roles", "PATCH", "200"): counting(0),
    **{_LOGINS % result: counting(rate) for result, rate in (("success", 3000), ("failure", 1), ("error", 0))},
    _PODS % ("allow", "audit", "baseline"): counting(3),
    _PODS % ("allow", "enforce", "privileged"): counting(3),
    _PODS % ("deny", "audit", "restricted"): counting(3),
    _PODS % ("deny", "audit", "baseline"): counting(0),
    _AUDIT % "log": counting(0),
    _AUDIT % "webhook": counting(0),
}

ALERTS = (
    Alert(
        name="AccessRightsChanged",
        exporter="kube_apiserver",
        expression=f"""
                sum by ($keep, resource, verb) (
                {
            rise(
                "apiserver_request_total",
                "kube_apiserver",
                'group="rbac.authorization.k8s.io", verb=~"POST|PUT|PATCH|APPLY|DELETE.*", code=~"2..", dry_run=""',
            )
        }
                ) > $changes""",
        thresholds={
            "changes": Threshold(0, "count", "how many changes are borne in the window"),
            "window": Threshold(600, "window", "in which changes are counted"),
        },
        severity="info",
        summary="Access rights in the cluster were changed",
        description="{{ $value | humanize }} times in [[window]] {{ $labels.resource }} were changed in the "
        "cluster ({{ $labels.verb }}).",
        cases=(
            Breach(
                series={_CALLS % ("roles", "PATCH", "200"): counter(0, lambda t: t.changes + 1, near=0)},
                labels={"resource": "roles", "verb": "PATCH"},
                value=lambda t: (t.changes + 1) * t.window / 60,
                settles=600,
                says="10 times in 10m roles were changed in the cluster (PATCH).",
            ),
            Breach(
                name="the first ever",
                series={
                    _CALLS % ("clusterrolebindings", "POST", "201"): gauge(None, lambda t: t.changes + 1),
                    _API_UP: steady(1),
                },
                labels={"resource": "clusterrolebindings", "verb": "POST"},
                value=lambda t: t.changes + 1,
                step=30,  # within the window it counts as new
                clears=300,
                says="1 times in 10m clusterrolebindings were changed in the cluster (POST).",
            ),
            Quiet(
                name="read, and refused",
                series={
                    _CALLS % ("roles", "LIST", "200"): counting(60),
                    _CALLS % ("roles", "DELETE", "403"): counting(5),
                },
            ),
            *not_new(_CALLS % ("roles", "PATCH", "200"), _API_UP),
        ),
    ),
    Alert(
        name="PrivilegedPodAdmitted",
        exporter="kube_apiserver",
        # What mode audit denies is admitted all the same; baseline forbids privileged containers and host access.
        expression=f"""
                sum by ($keep, policy_level) (
                {
            rise(
                "pod_security_evaluations_total",
                "kube_apiserver",
                'decision="deny", mode="audit", policy_level="baseline", resource="pod"',
            )
        }
                ) > $pods""",
        thresholds={
            "pods": Threshold(0, "count", "how many such pods are borne in the window"),
            "window": Threshold(900, "window", "in which pods are counted"),
        },
        keep_firing_for=300,
        severity="warning",
        summary="A pod with more rights than a container should have was admitted",
        description="{{ $value | humanize }} pods that break the policy {{ $labels.policy_level }} (privileged, "
        "host's network, processes or files) were admitted in [[window]].",
        cases=(
            Breach(
                series={_PODS % ("deny", "audit", "baseline"): counter(0, lambda t: t.pods + 1, near=0)},
                labels={"policy_level": "baseline"},
                value=lambda t: (t.pods + 1) * t.window / 60,
                settles=900,
                says="15 pods that break the policy baseline (privileged, host's network, processes or files) were "
                "admitted in 15m.",
            ),
            Breach(
                name="the first ever",
                series={
                    _PODS % ("deny", "audit", "baseline"): gauge(None, lambda t: t.pods + 1),
                    _API_UP: steady(1),
                },
                labels={"policy_level": "baseline"},
                value=lambda t: t.pods + 1,
                clears=300,
                says="1 pods that break the policy baseline (privileged, host's network, processes or files) were "
                "admitted in 15m.",
            ),
            Quiet(
                name="refused, or only less than restricted asks",
                series={
                    _PODS % ("deny", "enforce", "baseline"): counting(2),
                    _PODS % ("deny", "audit", "restricted"): counting(2),
                },
            ),
            *not_new(_PODS % ("deny", "audit", "baseline"), _API_UP),
        ),
    ),
    Alert(
        name="ClusterLoginsFailing",
        exporter="kube_apiserver",
        expression="""
                sum by ($keep) (increase(authentication_attempts{$kube_apiserver, result=~"failure|error"}[$window]))
                > $attempts""",
        thresholds={
            "attempts": Threshold(100, "count", "how many attempts may fail in the window"),
            "window": Threshold(900, "window", "in which attempts are counted"),
        },
        pending=60,
        keep_firing_for=900,
        severity="warning",
        summary="Somebody fails to log in to the cluster again and again",
        description="{{ $value | humanize }} attempts to log in to the Kubernetes API failed in [[window]], over "
        "[[attempts]].",
        cases=(
            Breach(
                series={
                    _LOGINS % "failure": counter(
                        1, lambda t: 60 * t.attempts, near=lambda t: 59 * t.attempts / t.window
                    )
                },
                labels={},
                value=lambda t: t.attempts * t.window,
                settles=900,
                says="90k attempts to log in to the Kubernetes API failed in 15m, over 100.",
            ),
            Quiet(name="many that succeed", series={_LOGINS % "success": counting(60000)}),
        ),
    ),
    Alert(
        name="AuditLogFailing",
        exporter="kube_apiserver",
        expression=f"""
                sum by ($keep, plugin) (
                {rise("apiserver_audit_error_total", "kube_apiserver")}
                ) > $errors""",
        thresholds={
            "errors": Threshold(0, "count", "how many records may be lost in the window"),
            "window": Threshold(900, "window", "in which they are counted"),
        },
        keep_firing_for=900,
        severity="warning",
        summary="The cluster's audit log loses records ({{ $labels.plugin }})",
        description="{{ $value | humanize }} records of the cluster's audit log were lost in [[window]] "
        "({{ $labels.plugin }}): what was done then can't be proved.",
        cases=(
            Breach(
                series={_AUDIT % "webhook": counter(0, lambda t: t.errors + 10, near=0)},
                labels={"plugin": "webhook"},
                value=lambda t: (t.errors + 10) * t.window / 60,
                settles=900,
                says="150 records of the cluster's audit log were lost in 15m (webhook): what was done then can't "
                "be proved.",
            ),
            Breach(
                name="the first ever",
                series={_AUDIT % "log": gauge(None, lambda t: t.errors + 3), _API_UP: steady(1)},
                labels={"plugin": "log"},
                value=lambda t: t.errors + 3,
                clears=300,
                says="3 records of the cluster's audit log were lost in 15m (log): what was done then can't be proved.",
            ),
            *not_new(_AUDIT % "log", _API_UP),
        ),
    ),
)
