"""What is rolled out step by step: canaries, the analyses that judge them, and rollouts that were taken back."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.first_counts import not_new, rise

_ROLLOUT = (
    'rollout_info{$argo_rollouts, namespace="shop", name="api", strategy="canary", traffic_router="", phase="%s"}'
)
_EVENTS = (
    'rollout_events_total{$argo_rollouts, instance="rollouts-0:8090", namespace="shop", name="api", type="%s", '
    'reason="%s"}'
)
_ROLLOUTS_UP = 'up{$argo_rollouts, instance="rollouts-0:8090"}'
_NGINX = (
    'nginx_ingress_controller_requests{$ingress_nginx, namespace="shop", ingress="canaried", '
    'host="www.example.com", canary="%s", status="%s"}'
)
_CANARY = "shop-api-canary-80"
_ROLLED = {"namespace": "shop", "name": "api"}

HEALTHY = {
    _ROLLOUT % "Healthy": steady(1),
    _ROLLOUTS_UP: steady(1),
    _EVENTS % ("Normal", "RolloutCompleted"): counting(0.01),
    _EVENTS % ("Warning", "RolloutAborted"): counting(0),
    _EVENTS % ("Warning", "AnalysisRunFailed"): counting(0),
    _NGINX % ("", "200"): counting(6000),
    _NGINX % ("", "502"): counting(2),
    _NGINX % (_CANARY, "200"): counting(600),
    _NGINX % (_CANARY, "502"): counting(0),
}

ALERTS = (
    Alert(
        name="CanaryAnalysisFailed",
        exporter="argo_rollouts",
        expression=f"""
                sum by ($keep, namespace, name) (
                {rise("rollout_events_total", "argo_rollouts", 'reason=~"AnalysisRun(Failed|Error)"')}
                ) > $failures""",
        thresholds={
            "failures": Threshold(0, "count", "how many failures are borne in the window"),
            "window": Threshold(900, "window", "in which failures are counted"),
        },
        keep_firing_for=300,
        severity="warning",
        summary="The canary of {{ $labels.namespace }}/{{ $labels.name }} was judged as worse",
        description="{{ $value | humanize }} analyses of the canary of {{ $labels.namespace }}/{{ $labels.name }} "
        "failed in [[window]].",
        promises=("error-rate", "response-time"),
        cases=(
            Breach(
                series={
                    _EVENTS % ("Warning", "AnalysisRunFailed"): counter(0, lambda t: t.failures + 1, near=0),
                    _ROLLOUTS_UP: steady(1),
                },
                labels=_ROLLED,
                value=lambda t: (t.failures + 1) * t.window / 60,
                settles=900,
                says="15 analyses of the canary of shop/api failed in 15m.",
            ),
            Breach(
                name="the first failure ever",
                series={
                    _EVENTS % ("Warning", "AnalysisRunError"): gauge(None, lambda t: t.failures + 1),
                    _ROLLOUTS_UP: steady(1),
                },
                labels=_ROLLED,
                value=lambda t: t.failures + 1,
                clears=300,
                says="1 analyses of the canary of shop/api failed in 15m.",
            ),
            Quiet(
                name="analyses that succeed",
                series={_EVENTS % ("Normal", "AnalysisRunSuccessful"): counting(1), _ROLLOUTS_UP: steady(1)},
            ),
            *not_new(_EVENTS % ("Warning", "AnalysisRunFailed"), _ROLLOUTS_UP),
        ),
    ),
    Alert(
        name="CanaryWorse",
        exporter="ingress_nginx",
        profile="nginx",
        # Without any error of the stable version there is nothing to multiply, and nothing that would excuse it.
        expression="""
                sum by ($keep, namespace, ingress) (
                  rate(nginx_ingress_controller_requests{$ingress_nginx, canary!="", status=~"5.."}[$window])
                )
                / (
                  sum by ($keep, namespace, ingress) (
                    rate(nginx_ingress_controller_requests{$ingress_nginx, canary!=""}[$window])
                  ) > $traffic
                ) > $ratio
                unless on ($keep, namespace, ingress) (
                  sum by ($keep, namespace, ingress) (
                    rate(nginx_ingress_controller_requests{$ingress_nginx, canary!="", status=~"5.."}[$window])
                  )
                  / sum by ($keep, namespace, ingress) (
                    rate(nginx_ingress_controller_requests{$ingress_nginx, canary!=""}[$window])
                  )
                  <= $factor
                  * sum by ($keep, namespace, ingress) (
                    rate(nginx_ingress_controller_requests{$ingress_nginx, canary="", status=~"5.."}[$window])
                  )
                  / sum by ($keep, namespace, ingress) (
                    rate(nginx_ingress_controller_requests{$ingress_nginx, canary=""}[$window])
                  )
                )""",
        thresholds={
            "ratio": Threshold(0.01, "ratio", "how many of the canary's requests may fail in any case"),
            "factor": Threshold(2, "count", "how many times the stable version's share may fail"),
            "traffic": Threshold(0.5, "count", "how few of the canary's requests a second prove nothing"),
            "window": Threshold(300, "window", "over which requests are counted"),
        },
        pending=120,
        keep_firing_for=300,
        severity="warning",
        summary="The canary behind {{ $labels.namespace }}/{{ $labels.ingress }} fails more than what it replaces",
        description="{{ $value | humanizePercentage }} of the canary's requests at {{ $labels.namespace }}/"
        "{{ $labels.ingress }} end with a 5xx, over [[ratio]] and more than [[factor]] times as many as those of "
        "the stable version.",
        promises=("error-rate",),
        cases=(
            Breach(
                series={
                    _NGINX % ("", "200"): counting(6000),
                    _NGINX % (_CANARY, "200"): counter(
                        lambda t: 600 * t.traffic, 0, near=lambda t: 600 * t.traffic * (1 - 0.97 * t.ratio)
                    ),
                    _NGINX % (_CANARY, "502"): counter(
                        0, lambda t: 600 * t.traffic, near=lambda t: 600 * t.traffic * 0.97 * t.ratio
                    ),
                },
                labels={"namespace": "shop", "ingress": "canaried"},
                value=1,
                settles=300,
                says="100% of the canary's requests at shop/canaried end with a 5xx, over 1 % and more than 2 "
                "times as many as those of the stable version.",
            ),
            Quiet(
                name="both fail alike, by a dependency",
                series={
                    _NGINX % ("", "200"): counting(5000),
                    _NGINX % ("", "502"): counting(1000),
                    _NGINX % (_CANARY, "200"): counting(500),
                    _NGINX % (_CANARY, "502"): counting(100),
                },
            ),
            Quiet(
                name="hardly any traffic on the canary",
                series={_NGINX % ("", "200"): counting(6000), _NGINX % (_CANARY, "502"): counting(3)},
            ),
        ),
    ),
    Alert(
        name="RolloutAborted",
        exporter="argo_rollouts",
        expression=f"""
                sum by ($keep, namespace, name) (
                {rise("rollout_events_total", "argo_rollouts", 'reason="RolloutAborted"')}
                ) > $aborts""",
        thresholds={
            "aborts": Threshold(0, "count", "how many are borne in the window"),
            "window": Threshold(900, "window", "in which they are counted"),
        },
        severity="warning",
        keep_firing_for=300,
        summary="{{ $labels.namespace }}/{{ $labels.name }} was rolled back",
        description="The rollout of {{ $labels.namespace }}/{{ $labels.name }} was aborted {{ $value | humanize }} "
        "times in [[window]]: all traffic goes to the version before.",
        promises=("availability", "error-rate"),
        cases=(
            Breach(
                series={
                    _EVENTS % ("Warning", "RolloutAborted"): counter(0, lambda t: t.aborts + 1, near=0),
                    _ROLLOUTS_UP: steady(1),
                },
                labels=_ROLLED,
                value=lambda t: (t.aborts + 1) * t.window / 60,
                settles=900,
                says="The rollout of shop/api was aborted 15 times in 15m: all traffic goes to the version before.",
            ),
            Breach(
                name="the first ever",
                series={
                    _EVENTS % ("Warning", "RolloutAborted"): gauge(None, lambda t: t.aborts + 1),
                    _ROLLOUTS_UP: steady(1),
                },
                labels=_ROLLED,
                value=lambda t: t.aborts + 1,
                clears=300,
                says="The rollout of shop/api was aborted 1 times in 15m: all traffic goes to the version before.",
            ),
            Quiet(
                name="rollouts that end well",
                series={_EVENTS % ("Normal", "RolloutCompleted"): counting(1), _ROLLOUTS_UP: steady(1)},
            ),
            *not_new(_EVENTS % ("Warning", "RolloutAborted"), _ROLLOUTS_UP),
        ),
    ),
    Alert(
        name="RolloutDegraded",
        exporter="argo_rollouts",
        expression='max by ($keep, namespace, name) (rollout_info{$argo_rollouts, phase="Degraded"}) == 1',
        pending=900,
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.name }} is left between two versions",
        description="The rollout {{ $labels.namespace }}/{{ $labels.name }} has been degraded for at least 15 "
        "minutes (degraded is {{ $value }}): it was aborted, or does not come forward.",
        promises=("availability",),
        cases=(
            Breach(
                series={_ROLLOUT % "Healthy": gauge(1, None), _ROLLOUT % "Degraded": gauge(None, 1)},
                labels=_ROLLED,
                value=1,
                clears=300,
                says="The rollout shop/api has been degraded for at least 15 minutes (degraded is 1): it was "
                "aborted, or does not come forward.",
            ),
            Quiet(name="a canary that waits for a person", series={_ROLLOUT % "Paused": steady(1)}),
        ),
    ),
)
