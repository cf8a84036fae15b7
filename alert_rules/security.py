"""Security: what is denied, changed, guessed at or overdue, as far as metrics tell. Each is a reason to look, not a
proof."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.first_counts import rise

_DAY = 86400.0
_DROPS = 'cilium_drop_count_total{$cilium, instance="node-1:9962", direction="%s", reason="%s"}'
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
_FALCO = (
    'falcosecurity_falco_rules_matches_total{$falco, instance="node-1:8765", source="syscall", priority="%s", '
    'rule_name="%s"}'
)
_FALCO_UP = 'up{$falco, instance="node-1:8765"}'
_TRIES = (
    'http_request_duration_seconds_count{$application, instance="api-1:3000", method="POST", path="/login", '
    'status_code="%s"}'
)
_CREATED = 'kube_secret_created{$kube_state_metrics, namespace="shop", secret="%s"}'
_TYPE = 'kube_secret_type{$kube_state_metrics, namespace="shop", secret="%s", type="%s"}'

AREA = Area(
    name="security",
    title="Security (Cilium, Kubernetes API server, Falco, kube-state-metrics, applications)",
    dashboard="security",
    healthy={
        **{
            _DROPS % (direction, reason): counting(rate)
            for direction in ("INGRESS", "EGRESS")
            for reason, rate in (("Policy denied", 3), ("Stale or unroutable IP", 1), ("Unsupported L3 protocol", 6))
        },
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
        _FALCO_UP: steady(1),
        _FALCO % ("5", "Contact K8S API Server From Container"): counting(1),
        _FALCO % ("4", "Read sensitive file untrusted"): counting(0.1),
        _FALCO % ("2", "Drop and execute new binary in container"): counting(0),
        **{_TRIES % status: counting(rate) for status, rate in (("200", 60), ("401", 6), ("403", 1), ("429", 1))},
        **{
            series % secret: steady(value)
            for secret, kind in (("database", "Opaque"), ("web-tls", "kubernetes.io/tls"))
            for series, value in ((_CREATED, 0.0), (_TYPE.replace('type="%s"', f'type="{kind}"'), 1.0))
        },
    },
    alerts=(
        Alert(
            name="NetworkPolicyDeniesSurge",
            exporter="cilium",
            expression="""
                sum by ($keep, direction) (rate(cilium_drop_count_total{$cilium, reason="Policy denied"}[$window]))
                > $drops
                unless on ($keep, direction) (
                  sum by ($keep, direction) (rate(cilium_drop_count_total{$cilium, reason="Policy denied"}[$window]))
                  <= $factor * sum by ($keep, direction) (
                    rate(cilium_drop_count_total{$cilium, reason="Policy denied"}[$window] offset 1d)
                  )
                )""",
            thresholds={
                "drops": Threshold(5, "count", "how many packets a second may be denied in any case"),
                "factor": Threshold(5, "count", "how many times as many as a day earlier may be denied"),
                "window": Threshold(600, "window", "over which packets are counted"),
            },
            pending=300,
            keep_firing_for=600,
            severity="warning",
            summary="Network policies deny unusually much ({{ $labels.direction }})",
            description="Network policies deny {{ $value | humanize }} packets a second ({{ $labels.direction }}), "
            "over [[drops]] and more than [[factor]] times as many as a day earlier.",
            promises=("availability",),
            cases=(
                Breach(
                    series={
                        _DROPS % ("EGRESS", "Policy denied"): counter(
                            3, lambda t: 1200 * t.drops, near=lambda t: 59 * t.drops
                        )
                    },
                    labels={"direction": "EGRESS"},
                    value=lambda t: 20 * t.drops,
                    settles=600,
                    clears=600,
                    says="Network policies deny 100 packets a second (EGRESS), over 5 and more than 5 times as many as "
                    "a day earlier.",
                ),
                Quiet(
                    name="as many as every day",
                    series={_DROPS % ("EGRESS", "Policy denied"): counting(1200)},
                    lasts=26 * 3600,
                    healthy=26 * 3600,
                    step=300,
                ),
                Quiet(
                    name="dropped for another reason",
                    series={_DROPS % ("INGRESS", "Unsupported L3 protocol"): counting(6000)},
                ),
            ),
        ),
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
            name="LoginsFailing",
            exporter="application",
            expression="""
                sum by ($keep, job) (
                  rate(
                    http_request_duration_seconds_count{
                      $application, path=~".*(login|signin|session|token).*", status_code=~"401|403|429"
                    }[$window]
                  )
                )
                / (
                  sum by ($keep, job) (
                    rate(
                      http_request_duration_seconds_count{
                        $application, path=~".*(login|signin|session|token).*"
                      }[$window]
                    )
                  ) > $traffic
                ) > $ratio""",
            thresholds={
                "ratio": Threshold(0.6, "ratio", "how many attempts to log in may be refused"),
                "traffic": Threshold(0.5, "count", "how few attempts a second prove nothing"),
                "window": Threshold(600, "window", "over which attempts are counted"),
            },
            pending=300,
            keep_firing_for=600,
            severity="warning",
            summary="Most attempts to log in to {{ $labels.job }} are refused",
            description="{{ $value | humanizePercentage }} of the attempts to log in to {{ $labels.job }} are refused, "
            "over [[ratio]]: passwords are tried out, or nobody gets in.",
            promises=("availability",),
            cases=(
                Breach(
                    series={
                        _TRIES % "200": counter(
                            lambda t: 600 * t.traffic, 0, near=lambda t: 600 * t.traffic * (1 - 0.97 * t.ratio)
                        ),
                        _TRIES % "401": counter(
                            0, lambda t: 12000 * t.traffic, near=lambda t: 600 * t.traffic * 0.97 * t.ratio
                        ),
                    },
                    labels={"job": "$application"},
                    value=1,
                    settles=600,
                    clears=600,
                    says="100% of the attempts to log in to application are refused, over 60 %: passwords are tried "
                    "out, or nobody gets in.",
                ),
                Quiet(name="somebody forgot a password at night", series={_TRIES % "401": counting(3)}),
            ),
        ),
        Alert(
            name="SecretOld",
            exporter="kube_state_metrics",
            expression="""
                (time() - max by ($keep, namespace, secret) (kube_secret_created{$kube_state_metrics})) / 86400
                > $age / 86400
                and on ($keep, namespace, secret) (kube_secret_type{$kube_state_metrics, type="Opaque"} == 1)""",
            thresholds={"age": Threshold(365 * _DAY, "seconds", "how old a secret may become")},
            pending=3600,
            severity="info",
            summary="Secret {{ $labels.namespace }}/{{ $labels.secret }} is old",
            description='Secret {{ $labels.namespace }}/{{ $labels.secret }} is {{ $value | printf "%.0f" }} days old, '
            "over [[age]]: it was never made anew.",
            cases=(
                Breach(
                    series={
                        # The test's clock starts at 0, so what is old was created before.
                        _CREATED % "database": gauge(0, lambda t: -t.age - _DAY, near=lambda t: -t.age + _DAY),
                        _TYPE % ("database", "Opaque"): steady(1),
                    },
                    labels={"namespace": "shop", "secret": "database"},
                    value=lambda t: t.age / _DAY + 1.1,
                    says="Secret shop/database is 366 days old, over 365d: it was never made anew.",
                ),
                Quiet(
                    name="a certificate, which has an alert of its own",
                    series={
                        _CREATED % "web-tls": steady(lambda t: -t.age - _DAY),
                        _TYPE % ("web-tls", "kubernetes.io/tls"): steady(1),
                    },
                ),
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
                    says="3 records of the cluster's audit log were lost in 15m (log): what was done then can't "
                    "be proved.",
                ),
                Quiet(
                    name="an API server that is new, and tells what it lost before",
                    series={_AUDIT % "log": gauge(None, 3), _API_UP: gauge(None, 1)},
                    healthy=1800,
                    lasts=600,
                ),
            ),
        ),
        Alert(
            name="ThreatDetected",
            exporter="falco",
            expression=f"""
                sum by ($keep, rule_name) (
                {rise("falcosecurity_falco_rules_matches_total", "falco", 'priority=~"0|1|2"')}
                ) > $matches""",
            thresholds={
                "matches": Threshold(0, "count", "how many matches are borne in the window"),
                "window": Threshold(900, "window", "in which matches are counted"),
            },
            keep_firing_for=900,
            severity="critical",
            summary="Falco has seen: {{ $labels.rule_name }}",
            description="Falco's rule {{ $labels.rule_name }}, of priority critical or above, has matched "
            "{{ $value | humanize }} times in [[window]].",
            promises=("availability",),
            cases=(
                Breach(
                    series={
                        _FALCO % ("2", "Drop and execute new binary in container"): counter(
                            0, lambda t: t.matches + 1, near=0
                        )
                    },
                    labels={"rule_name": "Drop and execute new binary in container"},
                    value=lambda t: (t.matches + 1) * t.window / 60,
                    settles=900,
                    says="Falco's rule Drop and execute new binary in container, of priority critical or above, has "
                    "matched 15 times in 15m.",
                ),
                Breach(
                    name="the first ever",
                    series={
                        _FALCO % ("1", "Detect release_agent File Container Escapes"): gauge(
                            None, lambda t: t.matches + 1
                        ),
                        _FALCO_UP: steady(1),
                    },
                    labels={"rule_name": "Detect release_agent File Container Escapes"},
                    value=lambda t: t.matches + 1,
                    clears=300,
                    says="Falco's rule Detect release_agent File Container Escapes, of priority critical or above, has "
                    "matched 1 times in 15m.",
                ),
                Quiet(
                    name="notices and warnings",
                    series={
                        _FALCO % ("5", "Contact K8S API Server From Container"): counting(60),
                        _FALCO % ("4", "Read sensitive file untrusted"): counting(60),
                    },
                ),
            ),
        ),
    ),
)
