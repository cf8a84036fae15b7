"""Applications: requests, errors and durations by service and route, what runs short in the processes, batch jobs."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.application_jobs import batch_jobs
from sla_kit.dashboards.application_process import instances, saturation
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Row
from sla_kit.dashboards.vocabulary import (
    Variable,
    alert_limit,
    column,
    heatmap,
    kibana,
    leads_to,
    query,
    row,
    runbook,
    stat,
    table,
    timeseries,
)
from sla_kit.dashboards.watched import Watched

#: What the routes are told apart by.
_ROUTE = "job, method, path, $keep"
_RATE = "[$__rate_interval]"
_SHOWN = "[$__range]"
# A request has a status; what has none is another histogram of that name, and would be counted on top.
_REQUESTS = '{$application, job=~"$service", status_code!=""}'
_FAILED = '{$application, job=~"$service", status_code=~"5.."}'
_LINKS = (
    leads_to("slo-detail", "Its SLOs", service="${__field.labels.job}"),
    leads_to("kubernetes", "Its pods"),
    kibana("Its logs", 'service.name:"${__field.labels.job}"'),
)


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    watched = Watched.of(catalogue)
    return Dashboard(
        name="application",
        title="Applications",
        description="Requests, errors and durations of each service and route, what its processes run short of, and "
        "how batch jobs went.",
        folder="Services",
        instances=("application",),
        variables=(
            Variable(name="service", title="Service", metric="up{$application}", label="job"),
            Variable(
                name="instance",
                title="Instance",
                metric='up{$application, job=~"$service"}',
                label="instance",
            ),
        ),
        annotations=(LIVE_EVENTS, DEPLOYMENTS, firing("application")),
        rows=(
            _now(),
            _services(watched),
            _routes(),
            _durations(),
            saturation(watched),
            instances(watched),
            batch_jobs(),
        ),
    )


def _now() -> Row:
    return row(
        "Now",
        stat(
            "Instances down",
            query('max(1 - avg by (job, $keep) (up{$application, job=~"$service"}))', "worst service"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("AppInstancesDown", "ratio"),),
            links=(runbook("AppDown"), runbook("AppMissing"), leads_to("kubernetes", "Pods")),
            description="The share of its instances that do not answer Prometheus, of the worst service. Usually none; "
            "“Which instances answer” below names them.",
        ),
        stat(
            "Requests",
            query(f"sum({_rate()})", "all services"),
            unit="reqps",
            description="Requests a second of all chosen services together.",
        ),
        stat(
            "Errors",
            query(f"max({_error_ratio('job, $keep')})", "worst service"),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit("AppErrorsHigh", "ratio"),),
            links=(kibana("Errors in the logs", "log.level:error"),),
            description="The share of requests that end with a 5xx, of the worst service. Next: which route it is.",
        ),
        stat(
            "Slowest twentieth",
            query(f"max({_quantile('0.95', 'job, $keep')})", "slowest service"),
            unit="s",
            limits=(alert_limit("AppSlow", "seconds"),),
            links=(leads_to("slo-overview", "SLOs"),),
            description="The 95th percentile of durations, of the slowest service.",
        ),
        stat(
            "Processor",
            query(
                'max(avg by (job, $keep) (rate(process_cpu_seconds_total{$application, job=~"$service"}'
                "[$__rate_interval])))",
                "busiest service",
            ),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("AppBusy", "ratio"),),
            description="What a process uses of one processor on average, of the busiest service: Node.js runs "
            "JavaScript on one, so at 100 % requests queue.",
        ),
        stat(
            "Event loop",
            query('max(nodejs_eventloop_lag_p99_seconds{$application, job=~"$service"})', "worst instance"),
            unit="s",
            limits=(alert_limit("AppEventLoopLagging", "seconds"),),
            description="How long callbacks wait for their turn (99th percentile), in the worst instance. Usually "
            "some ten milliseconds.",
        ),
        height=5,
    )


def _services(watched: Watched) -> Row:
    ago = watched.window("AppTrafficGone", "ago")
    return row(
        "Requests, errors, durations by service",
        timeseries(
            "Requests by service",
            query(f"sum by (job, $keep) ({_rate()})", "{{job}}"),
            unit="reqps",
            links=_LINKS,
            description="Requests a second. Live events, marked above, multiply them.",
            width=12,
        ),
        timeseries(
            "Errors by service",
            query(_error_ratio("job, $keep"), "{{job}}"),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit("AppErrorsHigh", "ratio"),),
            links=_LINKS,
            description="The share of requests that end with a 5xx. Beside it: whether they became slow first, as "
            "where a store behind them hangs.",
            width=12,
        ),
        timeseries(
            "Durations by service",
            query(_quantile("0.5", "job, $keep"), "{{job}} p50"),
            query(_quantile("0.95", "job, $keep"), "{{job}} p95"),
            query(_quantile("0.99", "job, $keep"), "{{job}} p99"),
            unit="s",
            limits=(alert_limit("AppSlow", "seconds"),),
            links=_LINKS,
            description="How long half of the requests, 95 % and 99 % of them take at most. Where only p99 rises, look "
            "for a single route or instance.",
            width=12,
        ),
        timeseries(
            f"Requests beside {ago} earlier",
            query(
                f"sum by (job, $keep) ({_rate()}) / (sum by (job, $keep) ({_rate(ago)}) > 0)",
                "{{job}}",
            ),
            unit="percentunit",
            decimals=0,
            logarithmic=True,
            limits=(alert_limit("AppTrafficGone", "ratio", "below"),),
            links=_LINKS,
            description="Around 100 % where traffic is as it was. After a live event it falls to some per cent, as it "
            "should; elsewhere that means that requests no longer get here: look at ingress and DNS.",
            width=12,
        ),
        height=8,
    )


def _routes() -> Row:
    busiest = f"topk(30, sum by ({_ROUTE}) (rate(http_request_duration_seconds_count{_REQUESTS}{_SHOWN})))"

    def of_busiest(expression: str) -> str:
        return f"({expression})\nand on ({_ROUTE})\n{busiest}"

    return row(
        "By route",
        table(
            "Routes",
            query(busiest, "Requests"),
            query(of_busiest(_error_ratio(_ROUTE, _SHOWN)), "Errors"),
            query(of_busiest(_quantile("0.5", _ROUTE, _SHOWN)), "p50"),
            query(of_busiest(_quantile("0.95", _ROUTE, _SHOWN)), "p95"),
            query(of_busiest(_quantile("0.99", _ROUTE, _SHOWN)), "p99"),
            description="The thirty busiest routes over the time that is shown: zoom in to see those of a moment. A "
            "click on a heading sorts by that.",
            columns=(
                column(
                    "job",
                    "Service",
                    link=leads_to("slo-detail", "Its SLOs", service="${__data.fields.Service}"),
                ),
                column("method", "Method"),
                column("path", "Route"),
                column("Requests", unit="reqps", decimals=2),
                column("Errors", unit="percentunit", decimals=2, limits=(alert_limit("AppErrorsHigh", "ratio"),)),
                column("p50", unit="s"),
                column("p95", unit="s", limits=(alert_limit("AppSlow", "seconds"),)),
                column("p99", unit="s"),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Requests",
            width=24,
            height=9,
        ),
        timeseries(
            "Slowest routes",
            query(f"topk(8, {_quantile('0.95', _ROUTE)})", "{{job}} {{method}} {{path}}"),
            unit="s",
            links=_LINKS,
            description="The 95th percentile of the eight slowest routes.",
        ),
        timeseries(
            "Routes that fail most",
            query(
                f"topk(8, sum by ({_ROUTE}, status_code) (rate(http_request_duration_seconds_count{_FAILED}{_RATE})))",
                "{{job}} {{method}} {{path}} {{status_code}}",
            ),
            unit="reqps",
            links=(kibana("Errors in the logs", "log.level:error"), *_LINKS),
            description="Requests a second that end with a 5xx, of the eight routes that have most of them. 502, 503 "
            "and 504 mostly come from behind the service, 500 from within.",
        ),
        height=8,
    )


def _durations() -> Row:
    return row(
        "How long requests take",
        heatmap(
            "Durations",
            query(f"sum by (le) (increase(http_request_duration_seconds_bucket{_REQUESTS}{_RATE}))", "{{le}}"),
            unit="s",
            description="How many requests took how long. A second band above the usual one is a route, an instance or "
            "a store that is slow of its own.",
            width=14,
        ),
        timeseries(
            "Answers by status",
            query(f"sum by (status_code) ({_rate()})", "{{status_code}}"),
            unit="reqps",
            stack="normal",
            links=(kibana("Logs of this status", "http.response.status_code:${__field.labels.status_code}"),),
            description="Answers a second by their status. 4xx are the clients' own: many 401 or 429 at once tell of a "
            "bad release of an app, or of an attack.",
        ),
        height=9,
    )


def _rate(ago: str = "") -> str:
    offset = f" offset {ago}" if ago else ""
    return f"rate(http_request_duration_seconds_count{_REQUESTS}{_RATE}{offset})"


def _error_ratio(by: str, over: str = _RATE) -> str:
    """The share of 5xx: zero where there was none yet, and nothing where there was no request."""
    requests = f"sum by ({by}) (rate(http_request_duration_seconds_count{_REQUESTS}{over}))"
    failed = f"sum by ({by}) (rate(http_request_duration_seconds_count{_FAILED}{over}))"
    return f"({failed} or 0 * {requests})\n/\n({requests} > 0)"


def _quantile(quantile: str, by: str, over: str = _RATE) -> str:
    return (
        f"histogram_quantile({quantile}, "
        f"sum by ({by}, le) (rate(http_request_duration_seconds_bucket{_REQUESTS}{over})))"
    )
