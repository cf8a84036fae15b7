"""Probes from outside: what a customer sees, whatever the systems say of themselves."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, gauge, steady

AREA = Area(
    name="probes",
    title="Probes from outside (blackbox exporter)",
    dashboard="overview",
    healthy={
        'probe_success{$blackbox, instance="https://www.example.com/"}': steady(1),
        'probe_duration_seconds{$blackbox, instance="https://www.example.com/"}': steady(0.2),
    },
    alerts=(
        Alert(
            name="ProbeFailed",
            exporter="blackbox",
            expression="probe_success{$blackbox} == 0",
            pending=120,
            keep_firing_for=300,
            severity="critical",
            summary="{{ $labels.instance }} does not answer",
            description="Probes of {{ $labels.instance }} by job {{ $labels.job }} have failed for at least 2 minutes.",
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={'probe_success{$blackbox, instance="https://www.example.com/"}': gauge(1, 0)},
                    labels={"job": "$blackbox", "instance": "https://www.example.com/"},
                    value=0,
                    says="Probes of https://www.example.com/ by job blackbox have failed for at least 2 minutes.",
                ),
            ),
        ),
        Alert(
            name="ProbeSlow",
            exporter="blackbox",
            expression="avg_over_time(probe_duration_seconds{$blackbox}[$window]) > $seconds",
            thresholds={
                "seconds": Threshold(1.0, "seconds", "how long a probe may take on average"),
                "window": Threshold(300, "window", "over which the average is taken"),
            },
            pending=600,
            severity="warning",
            summary="{{ $labels.instance }} answers slowly",
            description="Probes of {{ $labels.instance }} take {{ $value | humanizeDuration }}, over [[seconds]].",
            promises=("response-time",),
            inhibited_by=("ProbeFailed",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={
                        'probe_duration_seconds{$blackbox, instance="https://www.example.com/"}': gauge(
                            0.2, lambda t: t.seconds * 3, near=lambda t: t.seconds * 0.99
                        )
                    },
                    labels={"job": "$blackbox", "instance": "https://www.example.com/"},
                    lag=60,  # 3 s among four of 0.2 s
                    settles=300,
                    value=lambda t: t.seconds * 3,
                    clears=240,
                    says="Probes of https://www.example.com/ take 3s, over 1s.",
                ),
                Quiet(
                    name="one slow probe",
                    series={'probe_duration_seconds{$blackbox, instance="https://www.example.com/"}': steady(0.9)},
                ),
            ),
        ),
    ),
)
