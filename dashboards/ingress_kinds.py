"""What each kind of ingress shows: ingress-nginx, Envoy, AWS's application load balancer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.counts import more_than
from sla_kit.dashboards.model import Limit, Panel, Row
from sla_kit.dashboards.vocabulary import (
    State,
    Variable,
    alert_limit,
    heatmap,
    leads_to,
    query,
    row,
    runbook,
    stat,
    states,
    timeseries,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a dashboard takes of one kind of ingress: two or three figures for now, and rows."""

    now: tuple[Panel, ...]
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class _Counted:
    """Where a kind counts requests: the selectors of all and of some statuses, and the labels ``by`` which its alerts
    tell them apart, as ``legend`` writes them."""

    requests: str
    classes: Mapping[str, str]
    buckets: str
    by: str
    legend: str
    errors_alert: str
    slow_alert: str
    unit: str
    unit_per_second: float

    def errors(self) -> str:
        bad = f"sum by ({self.by}, $keep) (rate({self.classes['5xx']}[$__rate_interval]))"
        every = f"sum by ({self.by}, $keep) (rate({self.requests}[$__rate_interval]))"
        # Nothing has ever failed where there is no series of errors.
        return f"({bad} or 0 * {every}) / ({every} > 0)"

    def slowest(self) -> str:
        rates = f"sum by ({self.by}, le, $keep) (rate({self.buckets}[$__rate_interval]))"
        scale = f" / {self.unit_per_second:g}" if self.unit_per_second != 1 else ""
        return f"histogram_quantile(0.95, {rates}){scale}"

    def now(self) -> tuple[Panel, ...]:
        return (
            stat(
                "Requests",
                query(f"sum(rate({self.requests}[$__rate_interval]))", "requests"),
                unit="reqps",
                decimals=0,
                links=(leads_to("application", "Applications"),),
                description="Requests a second at the ingress. None at all at any hour means that nobody gets here: "
                "look at the probes and at the CDN.",
            ),
            stat(
                "Errors",
                query(f"max({self.errors()})", "worst"),
                unit="percentunit",
                decimals=2,
                limits=(alert_limit(self.errors_alert, "ratio"),),
                description="The share of requests that end with a 5xx, where it is largest.",
            ),
            stat(
                "Slowest twentieth",
                query(f"max({self.slowest()})", "slowest"),
                unit="s",
                limits=(alert_limit(self.slow_alert, "seconds"),),
                description="What the slowest twentieth of requests takes and more (p95), where it is slowest.",
            ),
        )

    def traffic(self) -> tuple[Panel, ...]:
        colors = {"answered": "blue", "4xx": "orange", "5xx": "red"}
        return (
            timeseries(
                "Requests by status",
                *(
                    query(f"sum(rate({selector}[$__rate_interval]))", name, color=colors[name])
                    for name, selector in self.classes.items()
                ),
                unit="reqps",
                minimum=0,
                links=(leads_to("application", "Applications"),),
                description="Requests a second: answered (2xx and 3xx), refused as the client's mistake (4xx), failed "
                "(5xx).",
            ),
            timeseries(
                "Errors by ingress",
                query(f"topk(10, {self.errors()})", self.legend),
                unit="percentunit",
                minimum=0,
                limits=(alert_limit(self.errors_alert, "ratio"),),
                description="The share of requests that end with a 5xx, of the ten with the most. Where only some have "
                "errors, look at what is behind those.",
            ),
            timeseries(
                "Slowest twentieth by ingress",
                query(f"topk(10, {self.slowest()})", self.legend),
                unit="s",
                minimum=0,
                limits=(alert_limit(self.slow_alert, "seconds"),),
                description="What the slowest twentieth of requests takes and more (p95), of the ten slowest.",
            ),
            heatmap(
                "How long requests take",
                query(f"sum by (le) (increase({self.buckets}[$__rate_interval]))", "{{le}}"),
                unit=self.unit,
                description="How many requests took how long. A second band above the usual one is one kind of request "
                "or one instance, that is slow; a band that rises as a whole is everything.",
            ),
        )


def kind_of(catalogue: Catalogue) -> Kind:
    """What is shown of the ingress that the catalogue names."""
    match catalogue.monitoring.ingress:
        case "nginx":
            return _nginx()
        case "envoy":
            return _envoy()
        case _:
            return _alb(catalogue)


# --- ingress-nginx ----------------------------------------------------------------------------------------------------


def _nginx() -> Kind:
    chosen = '$ingress_nginx, ingress=~"$ingress"'
    requests = f"nginx_ingress_controller_requests{{{chosen}}}"
    counted = _Counted(
        requests=requests,
        classes={
            name: f'nginx_ingress_controller_requests{{{chosen}, status=~"{pattern}"}}'
            for name, pattern in (("answered", "[23].."), ("4xx", "4.."), ("5xx", "5.."))
        },
        buckets=f"nginx_ingress_controller_request_duration_seconds_bucket{{{chosen}}}",
        by="namespace, ingress",
        legend="{{namespace}}/{{ingress}}",
        errors_alert="NginxErrorsHigh",
        slow_alert="NginxSlow",
        unit="s",
        unit_per_second=1,
    )
    served = f"nginx_ingress_controller_request_duration_seconds_count{{{chosen}}}"
    variable = Variable(
        name="ingress", title="Ingress", metric="nginx_ingress_controller_requests{$ingress_nginx}", label="ingress"
    )
    return Kind(
        counted.now(),
        (
            row("Requests", *counted.traffic(), height=8),
            row(
                "Controllers",
                states(
                    "Configuration",
                    query(
                        "min by (controller_pod, $keep) "
                        "(nginx_ingress_controller_config_last_reload_successful{$ingress_nginx})",
                        "{{controller_pod}}",
                    ),
                    states={
                        "1": State(text="loaded", meaning="good"),
                        "0": State(text="reload failed", meaning="warning"),
                    },
                    links=(runbook("NginxReloadFailed"),),
                    description="Whether the last reload of each controller succeeded. One whose reload failed serves "
                    "on by its old configuration, and would not start anew.",
                ),
                timeseries(
                    "Reloads",
                    query(
                        "sum(increase(nginx_ingress_controller_success{$ingress_nginx}[$__rate_interval]))",
                        "succeeded",
                        color="blue",
                    ),
                    query(
                        "sum(increase(nginx_ingress_controller_errors{$ingress_nginx}[$__rate_interval]))",
                        "failed",
                        color="red",
                    ),
                    unit="short",
                    minimum=0,
                    bars=True,
                    links=(runbook("NginxReloadFailed"),),
                    description="How often controllers loaded a new configuration. Each reload ends old connections in "
                    "time; many in a row cost latency.",
                ),
                timeseries(
                    "Connections",
                    query(
                        "sum by (state, $keep) "
                        '(nginx_ingress_controller_nginx_process_connections{$ingress_nginx, state!="active"})',
                        "{{state}}",
                    ),
                    unit="short",
                    minimum=0,
                    stack="normal",
                    description="Connections of clients: reading a request, writing an answer, or waiting for the next "
                    "request. Much writing at the same traffic means that what is behind is slow.",
                ),
                timeseries(
                    "Requests by service behind",
                    query(f"topk(10, sum by (service, $keep) (rate({served}[$__rate_interval])))", "{{service}}"),
                    unit="reqps",
                    minimum=0,
                    description="Requests a second for each service behind the ingress, of the ten with the most.",
                ),
            ),
        ),
        (variable,),
    )


# --- Envoy ------------------------------------------------------------------------------------------------------------


def _envoy() -> Kind:
    listener = "envoy_http_conn_manager_prefix"
    chosen = f'$envoy, {listener}!="admin"'
    counted = _Counted(
        requests=f"envoy_http_downstream_rq_xx{{{chosen}}}",
        classes={
            name: f'envoy_http_downstream_rq_xx{{{chosen}, envoy_response_code_class=~"{pattern}"}}'
            for name, pattern in (("answered", "[123]"), ("4xx", "4"), ("5xx", "5"))
        },
        buckets=f"envoy_http_downstream_rq_time_bucket{{{chosen}}}",
        by=listener,
        legend=f"{{{{{listener}}}}}",
        errors_alert="EnvoyErrorsHigh",
        slow_alert="EnvoySlow",
        unit="ms",
        unit_per_second=1000,
    )
    return Kind(
        counted.now(),
        (
            row("Requests", *counted.traffic(), height=8),
            row(
                "Behind it",
                timeseries(
                    "Healthy hosts",
                    query(
                        """
                        bottomk(10,
                          max by (envoy_cluster_name, $keep) (envoy_cluster_membership_healthy{$envoy})
                          / (max by (envoy_cluster_name, $keep) (envoy_cluster_membership_total{$envoy}) > 0)
                        )
                        """,
                        "{{envoy_cluster_name}}",
                    ),
                    unit="percentunit",
                    minimum=0,
                    maximum=1,
                    links=(runbook("EnvoyNoHealthyHosts"),),
                    description="The share of hosts behind each cluster that Envoy takes for healthy, of the ten with "
                    "the least. At none it has nowhere to send requests.",
                ),
                timeseries(
                    "Configuration updates",
                    query(
                        "sum(increase(envoy_listener_manager_lds_update_success{$envoy}[$__rate_interval]))",
                        "taken",
                        color="blue",
                    ),
                    query(
                        "sum(increase(envoy_listener_manager_lds_update_rejected{$envoy}[$__rate_interval]))",
                        "rejected",
                        color="red",
                    ),
                    unit="short",
                    minimum=0,
                    bars=True,
                    description="How often Envoy was given listeners anew. What it rejects is wrong in the gateway's "
                    "configuration; it serves on by the old one.",
                ),
                timeseries(
                    "Connections",
                    query(
                        f'sum by ({listener}, $keep) (envoy_http_downstream_cx_active{{$envoy, {listener}!="admin"}})',
                        counted.legend,
                    ),
                    unit="short",
                    minimum=0,
                    description="Connections of clients that are open, by listener.",
                ),
            ),
        ),
    )


# --- ALB --------------------------------------------------------------------------------------------------------------

_BALANCER = "region, dimension_LoadBalancer, $keep"
_BALANCER_LEGEND = "{{dimension_LoadBalancer}}"
_ALB_REQUESTS = f"max by ({_BALANCER}) (aws_applicationelb_request_count_sum{{$cloudwatch}})"
_ALB_OWN = f"max by ({_BALANCER}) (aws_applicationelb_httpcode_elb_5_xx_count_sum{{$cloudwatch}})"
_ALB_TARGETS = f"max by ({_BALANCER}) (aws_applicationelb_httpcode_target_5_xx_count_sum{{$cloudwatch}})"
#: The share of requests that end with a 5xx; CloudWatch has no series of what never happened.
ALB_ERRORS = f"""
    (({_ALB_OWN} + {_ALB_TARGETS}) or {_ALB_OWN} or {_ALB_TARGETS} or 0 * {_ALB_REQUESTS})
    / ({_ALB_REQUESTS} > 0)
"""
ALB_SLOWEST = f"max by ({_BALANCER}) (aws_applicationelb_target_response_time_p95{{$cloudwatch}})"


def alb_traffic() -> tuple[Panel, ...]:
    """Requests, errors and times of load balancers, as CloudWatch tells them."""
    return (
        timeseries(
            "Requests at load balancers",
            query(f"topk(10, {_ALB_REQUESTS})", _BALANCER_LEGEND),
            unit="short",
            minimum=0,
            description="Requests in each period for which CloudWatch is asked (five minutes, unless the exporter is "
            "told otherwise), some minutes late.",
        ),
        timeseries(
            "Errors at load balancers",
            query(f"topk(10, {ALB_ERRORS})", _BALANCER_LEGEND),
            unit="percentunit",
            minimum=0,
            limits=(alert_limit("AlbErrorsHigh", "ratio"),),
            links=(runbook("AlbErrorsHigh"),),
            description="The share of requests that end with a 5xx, whether the load balancer's own (nobody answered) "
            "or a target's.",
        ),
        timeseries(
            "Slowest twentieth at load balancers",
            query(f"topk(10, {ALB_SLOWEST})", _BALANCER_LEGEND),
            unit="s",
            minimum=0,
            limits=(alert_limit("AlbSlow", "seconds"),),
            links=(runbook("AlbSlow"),),
            description="What the slowest twentieth of answers from targets takes and more (p95).",
        ),
    )


def alb_targets(limits: tuple[Limit, ...]) -> Panel:
    """How many targets are unhealthy."""
    groups = "region, dimension_LoadBalancer, dimension_TargetGroup, $keep"
    return timeseries(
        "Unhealthy targets",
        query(
            f"topk(10, max by ({groups}) (aws_applicationelb_un_healthy_host_count_maximum{{$cloudwatch}}))",
            "{{dimension_TargetGroup}}",
        ),
        unit="short",
        minimum=0,
        limits=limits,
        links=(runbook("AlbTargetsUnhealthy"),),
        description="Targets that fail their health check, by target group. During a deployment a few may, for a "
        "minute or two.",
    )


def _alb(catalogue: Catalogue) -> Kind:
    return Kind(
        (
            stat(
                "Errors",
                query(f"max({ALB_ERRORS})", "worst"),
                unit="percentunit",
                decimals=2,
                limits=(alert_limit("AlbErrorsHigh", "ratio"),),
                description="The share of requests that end with a 5xx, of the load balancer with the most.",
            ),
            stat(
                "Slowest twentieth",
                query(f"max({ALB_SLOWEST})", "slowest"),
                unit="s",
                limits=(alert_limit("AlbSlow", "seconds"),),
                description="What the slowest twentieth of answers takes and more (p95), of the slowest load balancer.",
            ),
        ),
        (row("Load balancers", *alb_traffic(), alb_targets(more_than(catalogue, "AlbTargetsUnhealthy", "targets")),
             height=8),),
    )  # fmt: skip
