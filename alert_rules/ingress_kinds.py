"""The kinds of ingress, each with what it publishes: ingress-nginx, Envoy (as Envoy Gateway, Contour or Istio run it)
and AWS's application load balancer. The catalogue says which one there is."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Number, Quiet, Shape, Threshold, counter, counting, gauge, steady

_NGINX = '$ingress_nginx, namespace="shop", ingress="web", host="www.example.com"'
_NGINX_REQUESTS = f'nginx_ingress_controller_requests{{{_NGINX}, status="%s"}}'
_NGINX_SECONDS = f'nginx_ingress_controller_request_duration_seconds_bucket{{{_NGINX}, status="200", le="%s"}}'
_RELOADED = 'nginx_ingress_controller_config_last_reload_successful{$ingress_nginx, controller_pod="nginx-1"}'
_ENVOY = '$envoy, envoy_http_conn_manager_prefix="http-10080"'
_ENVOY_REQUESTS = f'envoy_http_downstream_rq_xx{{{_ENVOY}, envoy_response_code_class="%s"}}'
_ENVOY_TIMES = f'envoy_http_downstream_rq_time_bucket{{{_ENVOY}, le="%s"}}'
_HEALTHY_HOSTS = 'envoy_cluster_membership_healthy{$envoy, envoy_cluster_name="shop/web"}'
_HOSTS = 'envoy_cluster_membership_total{$envoy, envoy_cluster_name="shop/web"}'
_ALB = '$cloudwatch, name="arn:aws:x", account_id="1", region="eu-central-1", dimension_LoadBalancer="app/web/1"'
_ALB_ELB_ERRORS = f"aws_applicationelb_httpcode_elb_5_xx_count_sum{{{_ALB}}}"
_ALB_TARGET_ERRORS = f"aws_applicationelb_httpcode_target_5_xx_count_sum{{{_ALB}}}"
_ALB_REQUESTS = f"aws_applicationelb_request_count_sum{{{_ALB}}}"
_ALB_SECONDS = f"aws_applicationelb_target_response_time_p95{{{_ALB}}}"
_UNHEALTHY = f'aws_applicationelb_un_healthy_host_count_maximum{{{_ALB}, dimension_TargetGroup="targetgroup/web/1"}}'
_RATIO = Threshold(0.05, "ratio", "how many requests may fail")
_TRAFFIC = Threshold(1, "count", "how few requests a second prove nothing")
_WINDOW = Threshold(300, "window", "over which requests are counted")
_SECONDS = Threshold(1, "seconds", "how long the slowest twentieth may take")


def _buckets(series: str, unit: float, good: float, bad: float, per_minute: float = 6000.0) -> dict[str, Shape]:
    """Requests, as many a minute for each that the floor of traffic asks for a second, of which a share takes longer
    than a second, under a minute."""
    bounds = {f"{0.1 * unit:g}": True, f"{1 * unit:g}": True, f"{60 * unit:g}": False, "+Inf": False}

    def counted(share: float) -> Number:
        return lambda t: per_minute * share * getattr(t, "traffic", 1.0)

    return {
        series % le: counter(counted(1 - good), counted(1 - bad)) if fast else counting(counted(1))
        for le, fast in bounds.items()
    }


def _failing(requests: str, good: str, bad: str) -> dict[str, Shape]:
    """Traffic that fails altogether, or nearly as much as is borne."""
    return {
        requests % good: counter(lambda t: 6000 * t.traffic, 0, near=lambda t: 6000 * t.traffic * (1 - 0.97 * t.ratio)),
        requests % bad: counter(0, lambda t: 6000 * t.traffic, near=lambda t: 6000 * t.traffic * 0.97 * t.ratio),
    }


def _slow(name: str, profile: str, bucket: str, selected: str, where: str, labels: dict[str, str],
          buckets: str, unit: float, said: str, down: str) -> Alert:  # fmt: skip
    """The slowest twentieth of requests, by a histogram whose bounds are in units of so many a second."""
    names = ", ".join(labels)
    return Alert(
        name=name,
        exporter="ingress_nginx" if profile == "nginx" else profile,
        profile=profile,
        expression=f"""
            histogram_quantile(
              0.95,
              sum by ($keep, {names}, le) (rate({bucket}{{{selected}}}[$window]))
            ){f" / {unit:g}" if unit != 1 else ""} > $seconds
            and on ($keep, {names}) (
              sum by ($keep, {names}) (rate({bucket}{{{selected}, le="+Inf"}}[$window])) > $traffic
            )""",
        thresholds={"seconds": _SECONDS, "traffic": _TRAFFIC, "window": _WINDOW},
        pending=600,
        keep_firing_for=300,
        severity="warning",
        summary=f"{where} answers slowly",
        description=f"The slowest twentieth of requests at {where} takes {{{{ $value | humanizeDuration }}}} and more, "
        "over [[seconds]].",
        promises=("response-time",),
        inhibited_by=(down,),
        inhibition_labels=("cluster", *labels),
        cases=(
            Breach(
                series=_buckets(buckets, unit, 0, 1),
                labels=labels,
                value=57.05,  # 95 % of the way from one second to sixty
                settles=300,
                says=f"The slowest twentieth of requests at {said} takes 57.05s and more, over 1s.",
            ),
            Quiet(name="a few slow requests", series=_buckets(buckets, unit, 0.03, 0.03)),
            Quiet(name="one slow request now and then", series=_buckets(buckets, unit, 1, 1, per_minute=6)),
        ),
    )


HEALTHY: dict[str, Shape] = {
    **{_NGINX_REQUESTS % status: counting(6000 if status == "200" else 2) for status in ("200", "304", "404", "502")},
    **_buckets(_NGINX_SECONDS, 1, 0, 0),
    _RELOADED: steady(1),
    **{_ENVOY_REQUESTS % kind: counting(6000 if kind == "2" else 2) for kind in "12345"},
    **_buckets(_ENVOY_TIMES, 1000, 0, 0),
    _HEALTHY_HOSTS: steady(3),
    _HOSTS: steady(3),
    _ALB_ELB_ERRORS: steady(0),
    _ALB_TARGET_ERRORS: steady(1),
    _ALB_REQUESTS: steady(30000),
    _ALB_SECONDS: steady(0.2),
    _UNHEALTHY: steady(0),
}

ALERTS = (
    Alert(
        name="NginxErrorsHigh",
        exporter="ingress_nginx",
        profile="nginx",
        expression="""
            sum by ($keep, namespace, ingress) (
              rate(nginx_ingress_controller_requests{$ingress_nginx, status=~"5.."}[$window])
            )
            / (
              sum by ($keep, namespace, ingress) (rate(nginx_ingress_controller_requests{$ingress_nginx}[$window]))
              > $traffic
            ) > $ratio""",
        thresholds={"ratio": _RATIO, "traffic": _TRAFFIC, "window": _WINDOW},
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="Ingress {{ $labels.namespace }}/{{ $labels.ingress }} answers with errors",
        description="{{ $value | humanizePercentage }} of the requests at ingress {{ $labels.namespace }}/"
        "{{ $labels.ingress }} end with a 5xx, over [[ratio]].",
        promises=("error-rate", "availability"),
        cases=(
            Breach(
                series=_failing(_NGINX_REQUESTS, "200", "502"),
                labels={"namespace": "shop", "ingress": "web"},
                value=1,
                settles=300,
                says="100% of the requests at ingress shop/web end with a 5xx, over 5 %.",
            ),
            Quiet(
                name="errors of clients",
                series={_NGINX_REQUESTS % "404": counting(6000), _NGINX_REQUESTS % "502": counting(6)},
            ),
            Quiet(name="hardly any traffic, which fails", series={_NGINX_REQUESTS % "502": counting(6)}),
        ),
    ),
    _slow(
        "NginxSlow",
        "nginx",
        "nginx_ingress_controller_request_duration_seconds_bucket",
        "$ingress_nginx",
        "ingress {{ $labels.namespace }}/{{ $labels.ingress }}",
        {"namespace": "shop", "ingress": "web"},
        _NGINX_SECONDS,
        1,
        "ingress shop/web",
        "NginxErrorsHigh",
    ),
    Alert(
        name="NginxReloadFailed",
        exporter="ingress_nginx",
        profile="nginx",
        expression="min by ($keep, controller_pod) "
        "(nginx_ingress_controller_config_last_reload_successful{$ingress_nginx}) == 0",
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="{{ $labels.controller_pod }} can't load its configuration",
        description="The last reload of {{ $labels.controller_pod }} failed (successful is {{ $value }}): it serves on "
        "by its old configuration, and would not start anew.",
        promises=("availability",),
        cases=(
            Breach(
                series={_RELOADED: gauge(1, 0)},
                labels={"controller_pod": "nginx-1"},
                value=0,
                says="The last reload of nginx-1 failed (successful is 0): it serves on by its old configuration, and "
                "would not start anew.",
            ),
        ),
    ),
    Alert(
        name="EnvoyErrorsHigh",
        exporter="envoy",
        profile="envoy",
        expression="""
            sum by ($keep, envoy_http_conn_manager_prefix) (
              rate(
                envoy_http_downstream_rq_xx{
                  $envoy, envoy_response_code_class="5", envoy_http_conn_manager_prefix!="admin"
                }[$window]
              )
            )
            / (
              sum by ($keep, envoy_http_conn_manager_prefix) (
                rate(envoy_http_downstream_rq_xx{$envoy, envoy_http_conn_manager_prefix!="admin"}[$window])
              ) > $traffic
            ) > $ratio""",
        thresholds={"ratio": _RATIO, "traffic": _TRAFFIC, "window": _WINDOW},
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="Envoy's listener {{ $labels.envoy_http_conn_manager_prefix }} answers with errors",
        description="{{ $value | humanizePercentage }} of the requests at Envoy's listener "
        "{{ $labels.envoy_http_conn_manager_prefix }} end with a 5xx, over [[ratio]].",
        promises=("error-rate", "availability"),
        cases=(
            Breach(
                series=_failing(_ENVOY_REQUESTS, "2", "5"),
                labels={"envoy_http_conn_manager_prefix": "http-10080"},
                value=1,
                settles=300,
                says="100% of the requests at Envoy's listener http-10080 end with a 5xx, over 5 %.",
            ),
            Quiet(name="errors of clients", series={_ENVOY_REQUESTS % "4": counting(6000)}),
            Quiet(name="hardly any traffic, which fails", series={_ENVOY_REQUESTS % "5": counting(6)}),
        ),
    ),
    _slow(
        "EnvoySlow",
        "envoy",
        "envoy_http_downstream_rq_time_bucket",
        '$envoy, envoy_http_conn_manager_prefix!="admin"',
        "Envoy's listener {{ $labels.envoy_http_conn_manager_prefix }}",
        {"envoy_http_conn_manager_prefix": "http-10080"},
        _ENVOY_TIMES,
        1000,
        "Envoy's listener http-10080",
        "EnvoyErrorsHigh",
    ),
    Alert(
        name="EnvoyNoHealthyHosts",
        exporter="envoy",
        profile="envoy",
        expression="""
            max by ($keep, envoy_cluster_name) (envoy_cluster_membership_healthy{$envoy}) == 0
            and on ($keep, envoy_cluster_name) (envoy_cluster_membership_total{$envoy} > 0)""",
        pending=120,
        keep_firing_for=300,
        severity="critical",
        summary="Envoy has nowhere to send requests for {{ $labels.envoy_cluster_name }}",
        description="All hosts behind {{ $labels.envoy_cluster_name }} are unhealthy for Envoy ({{ $value }} healthy).",
        promises=("availability", "recovery-time"),
        cases=(
            Breach(
                series={_HEALTHY_HOSTS: gauge(3, 0, near=1), _HOSTS: steady(3)},
                labels={"envoy_cluster_name": "shop/web"},
                value=0,
                says="All hosts behind shop/web are unhealthy for Envoy (0 healthy).",
            ),
            Quiet(name="scaled to nothing", series={_HEALTHY_HOSTS: steady(0), _HOSTS: steady(0)}),
        ),
    ),
    Alert(
        name="AlbErrorsHigh",
        exporter="cloudwatch",
        profile="alb",
        # CloudWatch keeps no zeros: where one of the two kinds of errors never happened there is no series of it.
        expression="""
            (
              max by ($keep, region, dimension_LoadBalancer) (
                aws_applicationelb_httpcode_elb_5_xx_count_sum{$cloudwatch}
              )
              + max by ($keep, region, dimension_LoadBalancer) (
                aws_applicationelb_httpcode_target_5_xx_count_sum{$cloudwatch}
              )
              or max by ($keep, region, dimension_LoadBalancer) (
                aws_applicationelb_httpcode_elb_5_xx_count_sum{$cloudwatch}
              )
              or max by ($keep, region, dimension_LoadBalancer) (
                aws_applicationelb_httpcode_target_5_xx_count_sum{$cloudwatch}
              )
            )
            / (
              max by ($keep, region, dimension_LoadBalancer) (aws_applicationelb_request_count_sum{$cloudwatch})
              > $requests
            ) > $ratio""",
        thresholds={
            "ratio": _RATIO,
            "requests": Threshold(100, "count", "how few requests in a period prove nothing"),
        },
        pending=300,
        keep_firing_for=600,
        severity="warning",
        summary="Load balancer {{ $labels.dimension_LoadBalancer }} answers with errors",
        description="{{ $value | humanizePercentage }} of the requests at {{ $labels.dimension_LoadBalancer }} in "
        "{{ $labels.region }} end with a 5xx, over [[ratio]].",
        promises=("error-rate", "availability"),
        cases=(
            Breach(
                series={
                    _ALB_ELB_ERRORS: gauge(0, lambda t: 30000 * t.ratio, near=0),
                    _ALB_TARGET_ERRORS: gauge(0, lambda t: 30000 * t.ratio, near=lambda t: 30000 * t.ratio * 0.99),
                    _ALB_REQUESTS: steady(30000),
                },
                labels={"region": "eu-central-1", "dimension_LoadBalancer": "app/web/1"},
                value=lambda t: t.ratio * 2,
                says="10% of the requests at app/web/1 in eu-central-1 end with a 5xx, over 5 %.",
            ),
            Breach(
                name="no target answers, so none has errors",
                series={
                    _ALB_ELB_ERRORS: gauge(None, lambda t: 60000 * t.ratio, near=lambda t: 30000 * t.ratio * 0.99),
                    _ALB_REQUESTS: steady(30000),
                },
                labels={"region": "eu-central-1", "dimension_LoadBalancer": "app/web/1"},
                value=lambda t: t.ratio * 2,
                clears=300,  # a series that is gone is seen for five minutes more
                says="10% of the requests at app/web/1 in eu-central-1 end with a 5xx, over 5 %.",
            ),
            Breach(
                name="targets fail, the load balancer never did",
                series={
                    _ALB_TARGET_ERRORS: gauge(0, lambda t: 60000 * t.ratio),
                    _ALB_REQUESTS: steady(30000),
                },
                labels={"region": "eu-central-1", "dimension_LoadBalancer": "app/web/1"},
                value=lambda t: t.ratio * 2,
                says="10% of the requests at app/web/1 in eu-central-1 end with a 5xx, over 5 %.",
            ),
            Quiet(
                name="hardly any traffic",
                series={_ALB_ELB_ERRORS: steady(1), _ALB_TARGET_ERRORS: steady(5), _ALB_REQUESTS: steady(12)},
            ),
        ),
    ),
    Alert(
        name="AlbSlow",
        exporter="cloudwatch",
        profile="alb",
        expression="""
            max by ($keep, region, dimension_LoadBalancer) (aws_applicationelb_target_response_time_p95{$cloudwatch})
            > $seconds
            and on ($keep, region, dimension_LoadBalancer) (
              max by ($keep, region, dimension_LoadBalancer) (aws_applicationelb_request_count_sum{$cloudwatch})
              > $requests
            )""",
        thresholds={
            "seconds": _SECONDS,
            "requests": Threshold(100, "count", "how few requests in a period prove nothing"),
        },
        pending=600,
        keep_firing_for=600,
        severity="warning",
        summary="Behind {{ $labels.dimension_LoadBalancer }} answers are slow",
        description="The slowest twentieth of answers behind {{ $labels.dimension_LoadBalancer }} in "
        "{{ $labels.region }} takes {{ $value | humanizeDuration }} and more, over [[seconds]].",
        promises=("response-time",),
        inhibited_by=("AlbErrorsHigh",),
        inhibition_labels=("cluster", "region", "dimension_LoadBalancer"),
        cases=(
            Breach(
                series={
                    _ALB_SECONDS: gauge(0.2, lambda t: t.seconds * 2, near=lambda t: t.seconds * 0.99),
                    _ALB_REQUESTS: steady(lambda t: 10 * t.requests),
                },
                labels={"region": "eu-central-1", "dimension_LoadBalancer": "app/web/1"},
                value=lambda t: t.seconds * 2,
                says="The slowest twentieth of answers behind app/web/1 in eu-central-1 takes 2s and more, over 1s.",
            ),
            Quiet(
                name="one slow request at night",
                series={_ALB_SECONDS: steady(lambda t: t.seconds * 9), _ALB_REQUESTS: steady(3)},
            ),
        ),
    ),
    Alert(
        name="AlbTargetsUnhealthy",
        exporter="cloudwatch",
        profile="alb",
        expression="max by ($keep, region, dimension_LoadBalancer, dimension_TargetGroup) "
        "(aws_applicationelb_un_healthy_host_count_maximum{$cloudwatch}) > $targets",
        thresholds={"targets": Threshold(0, "count", "how many targets may be unhealthy")},
        pending=900,
        keep_firing_for=600,
        severity="warning",
        summary="Targets of {{ $labels.dimension_TargetGroup }} are unhealthy",
        description="{{ $value }} targets of {{ $labels.dimension_TargetGroup }} behind "
        "{{ $labels.dimension_LoadBalancer }} have been unhealthy for at least 15 minutes, over [[targets]].",
        promises=("availability",),
        cases=(
            Breach(
                series={_UNHEALTHY: gauge(0, lambda t: t.targets + 2, near=lambda t: t.targets)},
                labels={
                    "region": "eu-central-1",
                    "dimension_LoadBalancer": "app/web/1",
                    "dimension_TargetGroup": "targetgroup/web/1",
                },
                value=lambda t: t.targets + 2,
                says="2 targets of targetgroup/web/1 behind app/web/1 have been unhealthy for at least 15 minutes, "
                "over 0.",
            ),
        ),
    ),
)
