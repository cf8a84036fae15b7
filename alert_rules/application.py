"""Applications from within: web and API on Node.js, by prom-client's metrics and the histogram of their requests."""

from __future__ import annotations

from sla_kit.alert_rules import application_jobs, application_runtime
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Shape, Threshold, counter, counting, gauge, steady

_WHERE = '$application, instance="%s"'
_UP = f"up{{{_WHERE}}}"
_COUNT = (
    'http_request_duration_seconds_count{$application, instance="api-1:3000", method="GET", path="/scores", '
    'status_code="%s"}'
)
_BUCKET = (
    'http_request_duration_seconds_bucket{$application, instance="api-1:3000", method="GET", path="/scores", '
    'status_code="200", le="%s"}'
)
_BOUNDS = ("0.003", "0.03", "0.1", "0.3", "1.5", "10")
_JOB = {"job": "$application"}
_TRAFFIC = Threshold(1, "count", "how few requests a second prove nothing")
_WINDOW = Threshold(300, "window", "over which requests are counted")


def _buckets(slow: float, per_minute: float = 6000.0) -> dict[str, Shape]:
    """Requests of which so many, once in trouble, outlast the highest bound, and the others are quick."""
    quick = counter(per_minute, per_minute * (1 - slow))
    return (
        {_BUCKET % "0.003": counting(0)}
        | {_BUCKET % le: quick for le in _BOUNDS[1:]}
        | {_BUCKET % "+Inf": counting(per_minute)}
    )


AREA = Area(
    name="application",
    title="Applications (Node.js: prom-client, express-prom-bundle)",
    dashboard="application",
    healthy={
        _UP % "api-1:3000": steady(1),
        _UP % "api-2:3000": steady(1),
        **{
            _COUNT % status: counting(rate)
            for status, rate in (
                ("200", 5900),
                ("201", 60),
                ("304", 20),
                ("400", 10),
                ("401", 5),
                ("404", 5),
                ("429", 2),
                ("500", 2),
                ("503", 1),
            )
        },
        **_buckets(0),
        **application_runtime.HEALTHY,
        **application_jobs.HEALTHY,
    },
    alerts=(
        Alert(
            name="AppMissing",
            exporter="application",
            # The sum drops the job, which absent tells only where there is a single one.
            expression="sum(absent_over_time(up{$application}[$window])) > 0",
            thresholds={"window": Threshold(600, "window", "how long no instance may be known")},
            severity="warning",
            summary="Nothing is known of the application",
            description="For [[window]] Prometheus has had no instance of the application to scrape: none is left, or "
            "its job is called otherwise. All other alerts of the application are blind meanwhile.",
            missing_fires=True,
            promises=("availability",),
            cases=(
                Breach(
                    series={_UP % "api-1:3000": gauge(1, None)},
                    labels={},
                    value=1,
                    lag=600,  # the last sample, a minute before, has left the window
                    clears=0,
                    keeps=False,
                    says="For 10m Prometheus has had no instance of the application to scrape: none is left, or its "
                    "job is called otherwise. All other alerts of the application are blind meanwhile.",
                ),
                Quiet(name="down, but known to be", series={_UP % "api-1:3000": steady(0)}),
            ),
        ),
        Alert(
            name="AppDown",
            exporter="application",
            expression="sum by ($keep, job) (up{$application}) == 0",
            pending=120,
            keep_firing_for=300,
            severity="critical",
            summary="{{ $labels.job }} is down",
            description="No instance of {{ $labels.job }} has answered Prometheus for at least 2 minutes "
            "({{ $value }} are up).",
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={_UP % "api-1:3000": gauge(1, 0), _UP % "api-2:3000": gauge(1, 0, near=1)},
                    labels=_JOB,
                    value=0,
                    says="No instance of application has answered Prometheus for at least 2 minutes (0 are up).",
                ),
            ),
        ),
        Alert(
            name="AppInstancesDown",
            exporter="application",
            expression="1 - avg by ($keep, job) (up{$application}) > $ratio",
            thresholds={"ratio": Threshold(0.3, "ratio", "how many instances may be down")},
            pending=300,
            keep_firing_for=300,
            severity="warning",
            summary="Many instances of {{ $labels.job }} are down",
            description="{{ $value | humanizePercentage }} of the instances of {{ $labels.job }} have not answered "
            "Prometheus for at least 5 minutes, over [[ratio]].",
            promises=("availability", "response-time"),
            inhibited_by=("AppDown",),
            inhibition_labels=("cluster", "job"),
            cases=(
                Breach(
                    series={_UP % "api-1:3000": gauge(1, 0), _UP % "api-2:3000": gauge(1, 1)},
                    labels=_JOB,
                    value=0.5,
                    says="50% of the instances of application have not answered Prometheus for at least 5 minutes, "
                    "over 30 %.",
                ),
                Quiet(
                    name="one of four is replaced",
                    series={_UP % f"api-{number}:3000": steady(float(number > 1)) for number in (1, 2, 3, 4)},
                ),
            ),
        ),
        Alert(
            name="AppErrorsHigh",
            exporter="application",
            expression="""
                sum by ($keep, job) (
                  rate(http_request_duration_seconds_count{$application, status_code=~"5.."}[$window])
                )
                / (sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window])) > $traffic)
                > $ratio""",
            thresholds={
                "ratio": Threshold(0.05, "ratio", "how many requests may fail"),
                "traffic": _TRAFFIC,
                "window": _WINDOW,
            },
            pending=120,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.job }} fails at many requests",
            description="{{ $value | humanizePercentage }} of the requests to {{ $labels.job }} end with a 5xx, over "
            "[[ratio]].",
            promises=("error-rate", "availability"),
            inhibited_by=("AppDown",),
            inhibition_labels=("cluster", "job"),
            cases=(
                Breach(
                    series={
                        _COUNT % "200": counter(
                            lambda t: 6000 * t.traffic, 0, near=lambda t: 6000 * t.traffic * (1 - 0.97 * t.ratio)
                        ),
                        _COUNT % "500": counter(
                            0, lambda t: 6000 * t.traffic, near=lambda t: 6000 * t.traffic * 0.97 * t.ratio
                        ),
                    },
                    labels=_JOB,
                    value=1,
                    settles=300,
                    says="100% of the requests to application end with a 5xx, over 5 %.",
                ),
                Quiet(
                    name="one error in a quiet night",
                    series={_COUNT % "200": counting(4), _COUNT % "500": counting(1)},
                ),
                Quiet(
                    name="clients' own errors",
                    series={_COUNT % "200": counting(6000), _COUNT % "404": counting(6000)},
                ),
            ),
        ),
        Alert(
            name="AppSlow",
            exporter="application",
            expression="""
                histogram_quantile(
                  0.95,
                  sum by ($keep, job, le) (rate(http_request_duration_seconds_bucket{$application}[$window]))
                ) > $seconds
                and on ($keep, job)
                (sum by ($keep, job) (
                  rate(http_request_duration_seconds_bucket{$application, le="+Inf"}[$window])
                ) > $traffic)""",
            thresholds={
                "seconds": Threshold(0.3, "seconds", "how long the slowest twentieth may take"),
                "traffic": _TRAFFIC,
                "window": _WINDOW,
            },
            pending=600,
            keep_firing_for=300,
            severity="warning",
            summary="{{ $labels.job }} answers slowly",
            description="The slowest twentieth of the requests to {{ $labels.job }} takes "
            "{{ $value | humanizeDuration }} and more, over [[seconds]].",
            promises=("response-time",),
            inhibited_by=("AppDown", "AppErrorsHigh"),
            inhibition_labels=("cluster", "job"),
            cases=(
                Breach(
                    series=_buckets(1),
                    labels=_JOB,
                    value=10,  # the highest bound: Prometheus can't know how far beyond it is
                    settles=300,
                    says="The slowest twentieth of the requests to application takes 10s and more, over 300ms.",
                ),
                Quiet(name="a few slow requests", series=_buckets(0.04)),
                Quiet(name="one slow request now and then", series=_buckets(1, per_minute=6)),
            ),
        ),
        Alert(
            name="AppTrafficGone",
            exporter="application",
            # After a live event traffic falls a hundredfold, as it should: to what it was at this time a day before, or
            # a week before where that day had an event, too.
            expression="""
                sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window]))
                / (
                  sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window] offset $ago))
                  > $traffic
                ) < $ratio
                unless
                  sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window]))
                  > $ratio
                  * sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window] offset 1d))
                unless
                  sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window]))
                  > $ratio
                  * sum by ($keep, job) (rate(http_request_duration_seconds_count{$application}[$window] offset 1w))
                unless on () count_over_time(sla_event_active[$after])""",
            thresholds={
                "ratio": Threshold(0.1, "ratio", "how much of the earlier traffic must be left"),
                "traffic": Threshold(5, "count", "how few requests a second earlier prove nothing"),
                "window": Threshold(600, "window", "over which requests are counted"),
                "ago": Threshold(3600, "window", "how much earlier the traffic is that it is compared with"),
                "after": Threshold(3 * 3600, "window", "how long after a live event traffic may fall"),
            },
            pending=300,
            keep_firing_for=300,
            severity="warning",
            summary="Hardly any requests reach {{ $labels.job }}",
            description="{{ $labels.job }} gets {{ $value | humanizePercentage }} of the requests that it got [[ago]] "
            "earlier, under [[ratio]]. That is not usual at this time, and no live event has just ended.",
            promises=("availability",),
            inhibited_by=("AppDown",),
            inhibition_labels=("cluster", "job"),
            cases=(
                Breach(
                    series={_COUNT % "200": counter(lambda t: 6000 * t.traffic, 0, near=lambda t: 900 * t.traffic)},
                    labels=_JOB,
                    value=0,
                    healthy=5400,
                    step=70,  # no divisor of the window: whether its edge belongs to it differs between versions
                    lag=490,
                    clears=0,
                    says="application gets 0% of the requests that it got 1h earlier, under 10 %. That is not usual at "
                    "this time, and no live event has just ended.",
                ),
                Breach(
                    name="a usual day",
                    series={_COUNT % "200": counter(lambda t: 6000 * t.traffic, 0)},
                    labels=_JOB,
                    value=0,
                    healthy=8 * 86_400,
                    step=140,
                    lag=280,
                    clears=0,
                    says="application gets 0% of the requests that it got 1h earlier, under 10 %. That is not usual at "
                    "this time, and no live event has just ended.",
                ),
                Quiet(
                    name="back to what it was a day before",
                    series={_COUNT % "200": counter(lambda t: 6000 * t.traffic, 60, near=60)},
                    earlier=90_000,
                    healthy=12_600,
                    lasts=2800,
                    step=280,
                ),
                Quiet(
                    name="back to what it was a week before, and busy a day before",
                    series={_COUNT % "200": counter(lambda t: 6000 * t.traffic, 60, near=60)},
                    earlier=6 * 86_400,
                    healthy=90_000,
                    lasts=2800,
                    step=280,
                ),
                Quiet(
                    name="hardly any traffic an hour ago",
                    series={_COUNT % "200": counter(lambda t: 54 * t.traffic, 0)},
                    healthy=5400,
                    lasts=3000,
                ),
                Quiet(
                    name="a live event has ended",
                    series={
                        _COUNT % "200": counter(lambda t: 6000 * t.traffic, 0),
                        'sla_event_active{service="web"}': gauge(1, None),
                    },
                    healthy=5400,
                    lasts=3000,
                ),
            ),
        ),
        *application_runtime.ALERTS,
        *application_jobs.ALERTS,
    ),
)
