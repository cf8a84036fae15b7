"""Security: what is denied, changed, guessed at or overdue, as far as metrics tell. Each is a reason to look, not a
proof."""

from __future__ import annotations

from sla_kit.alert_rules import security_cluster
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.first_counts import not_new, rise

_DAY = 86400.0
_DROPS = 'cilium_drop_count_total{$cilium, instance="node-1:9962", direction="%s", reason="%s"}'
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
    dashboard="delivery",
    healthy={
        **security_cluster.HEALTHY,
        **{
            _DROPS % (direction, reason): counting(rate)
            for direction in ("INGRESS", "EGRESS")
            for reason, rate in (("Policy denied", 3), ("Stale or unroutable IP", 1), ("Unsupported L3 protocol", 6))
        },
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
                    says="Secret shop/database is 366 days old, over 1y: it was never made anew.",
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
                *not_new(_FALCO % ("2", "Drop and execute new binary in container"), _FALCO_UP),
            ),
        ),
        *security_cluster.ALERTS,
    ),
)
