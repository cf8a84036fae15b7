"""Probes from outside: what a customer sees, whatever the systems say of themselves."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, gauge, steady

_SUCCESS = 'probe_success{$blackbox, instance="https://www.example.com/"}'
_TLS = 'probe_http_ssl{$blackbox, instance="https://www.example.com/"}'
_STATUS = 'probe_http_status_code{$blackbox, instance="https://www.example.com/"}'

AREA = Area(
    name="probes",
    title="Probes from outside (blackbox exporter)",
    dashboard="overview",
    healthy={
        'probe_success{$blackbox, instance="https://www.example.com/"}': steady(1),
        'probe_duration_seconds{$blackbox, instance="https://www.example.com/"}': steady(0.2),
        'probe_dns_lookup_time_seconds{$blackbox, instance="https://www.example.com/"}': steady(0.01),
        'probe_http_ssl{$blackbox, instance="https://www.example.com/"}': steady(1),
        'probe_http_status_code{$blackbox, instance="https://www.example.com/"}': steady(200),
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
        Alert(
            name="ProbesMissing",
            exporter="blackbox",
            # The sum drops the job, which absent tells only where there is a single one.
            expression="sum(absent_over_time(probe_success{$blackbox}[$window])) > 0",
            thresholds={"window": Threshold(600, "window", "how long no probe may be made")},
            severity="warning",
            summary="Nobody looks from outside",
            description="For [[window]] no probe has been made: the blackbox exporter is down, or its job is called "
            "otherwise. An outage that only customers see would go unseen.",
            missing_fires=True,
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={_SUCCESS: gauge(1, None)},
                    labels={},
                    value=1,
                    lag=600,  # the last sample, a minute before, has left the window
                    clears=0,
                    keeps=False,
                    says="For 10m no probe has been made: the blackbox exporter is down, or its job is called "
                    "otherwise. An outage that only customers see would go unseen.",
                ),
                Quiet(name="probes that fail", series={_SUCCESS: steady(0)}),
            ),
        ),
        Alert(
            name="ProbeFlapping",
            exporter="blackbox",
            expression="1 - avg_over_time(probe_success{$blackbox}[$window]) > $ratio",
            thresholds={
                "ratio": Threshold(0.05, "ratio", "how many probes may fail"),
                "window": Threshold(3600, "window", "over which probes are counted"),
            },
            pending=600,
            keep_firing_for=600,
            severity="warning",
            summary="{{ $labels.instance }} fails now and then",
            description="{{ $value | humanizePercentage }} of the probes of {{ $labels.instance }} failed within "
            "[[window]], over [[ratio]], though it answers in between.",
            promises=("availability",),
            inhibited_by=("ProbeFailed",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    # A share of one minute's four probes: what fails in turn can't be written otherwise.
                    series={_SUCCESS: gauge(1, lambda t: 1 - 9 * t.ratio, near=lambda t: 1 - 0.97 * t.ratio)},
                    labels={"job": "$blackbox", "instance": "https://www.example.com/"},
                    value=lambda t: 9 * t.ratio,
                    healthy=7200,
                    lag=360,  # the seventh of 61 samples, or of the 60 that newer versions count
                    settles=3600,
                    clears=3600,
                    says="45% of the probes of https://www.example.com/ failed within 1h, over 5 %, though it answers "
                    "in between.",
                ),
                Quiet(
                    name="a single short failure",
                    series={_SUCCESS: gauge(0, 1)},
                    healthy=60,
                    lasts=7200,
                ),
            ),
        ),
        Alert(
            name="ProbeLookupSlow",
            exporter="blackbox",
            expression="avg_over_time(probe_dns_lookup_time_seconds{$blackbox}[$window]) > $seconds",
            thresholds={
                "seconds": Threshold(0.5, "seconds", "how long the look-up of a name may take on average"),
                "window": Threshold(600, "window", "over which the average is taken"),
            },
            pending=600,
            severity="warning",
            summary="The name of {{ $labels.instance }} is found slowly",
            description="Looking up the name of {{ $labels.instance }} takes {{ $value | humanizeDuration }}, over "
            "[[seconds]].",
            promises=("response-time",),
            inhibited_by=("ProbeFailed",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={
                        'probe_dns_lookup_time_seconds{$blackbox, instance="https://www.example.com/"}': gauge(
                            0.01, lambda t: t.seconds * 20, near=lambda t: t.seconds * 0.99
                        )
                    },
                    labels={"job": "$blackbox", "instance": "https://www.example.com/"},
                    value=lambda t: t.seconds * 20,
                    settles=600,
                    says="Looking up the name of https://www.example.com/ takes 10s, over 500ms.",
                ),
            ),
        ),
        Alert(
            name="ProbeUnencrypted",
            exporter="blackbox",
            # Only where the probe asked for TLS; a probe that failed before any answer has status 0 and tells nothing.
            expression="""
                probe_http_ssl{$blackbox, instance=~"https://.*"} == 0
                and on ($keep, job, instance) probe_http_status_code{$blackbox} > 0""",
            pending=300,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.instance }} leads to an address without TLS",
            description="{{ $labels.instance }} redirects to an address that is not encrypted (encrypted is "
            "{{ $value }}).",
            promises=("availability",),
            cases=(
                Breach(
                    series={_TLS: gauge(1, 0), _STATUS: steady(200)},
                    labels={"job": "$blackbox", "instance": "https://www.example.com/"},
                    value=0,
                    says="https://www.example.com/ redirects to an address that is not encrypted (encrypted is 0).",
                ),
                Quiet(name="no answer at all", series={_TLS: steady(0), _STATUS: steady(0)}),
                Quiet(
                    name="a probe that asks without TLS",
                    series={
                        'probe_http_ssl{$blackbox, instance="http://intern.example.com/"}': steady(0),
                        'probe_http_status_code{$blackbox, instance="http://intern.example.com/"}': steady(200),
                    },
                ),
            ),
        ),
    ),
)
