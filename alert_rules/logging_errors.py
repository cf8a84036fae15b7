"""What the logs themselves tell, by sla-kit's exporter of logs: errors that surge, kinds of errors that are new, logs
that come late or not at all, clocks that are ahead."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.backups_age import age, finished

_AT = '$logs, instance="sla-kit-logs:9120"'
_TIMEOUTS = f'sla_logs_errors_total{{{_AT}, service="api", type="TimeoutError"}}'
_OTHERS = f'sla_logs_errors_total{{{_AT}, service="api", type="ValueError"}}'
_WRITTEN = f'sla_logs_documents_total{{{_AT}, service="api", level="info"}}'
_NEW = f'sla_logs_new_error_groups{{{_AT}, service="api"}}'
_LAG = f'sla_logs_shipping_lag_seconds{{{_AT}, service="api", percentile="99"}}'
_NEWEST = f'sla_logs_newest_document_timestamp_seconds{{{_AT}, service="api"}}'
_FUTURE = f'sla_logs_future_documents{{{_AT}, service="api"}}'
_INGESTED = f'sla_logs_counted_timestamp_seconds{{{_AT}, by="ingested"}}'
_SILENT, _BEHIND = 1800.0, 1800.0

_ERRORS = "sum by ($keep, service, type) (rate(sla_logs_errors_total{$logs}[$window]%s))"

HEALTHY = {
    _TIMEOUTS: counting(3),
    _OTHERS: counting(1),
    _WRITTEN: counting(1200),
    _NEW: steady(0),
    f'sla_logs_shipping_lag_seconds{{{_AT}, service="api", percentile="50"}}': steady(2),
    _LAG: steady(8),
    _NEWEST: counter(60, 60),
    _FUTURE: steady(0),
    _INGESTED: counter(60, 60),
}

ALERTS = (
    Alert(
        name="LogErrorsSurging",
        exporter="logs",
        expression=f"""
            {_ERRORS % ""} > $errors
              unless on ($keep, service, type)
            {_ERRORS % ""}
              <= on ($keep, service, type) $factor * {_ERRORS % " offset 1h"}
        """,
        thresholds={
            "factor": Threshold(5, "count", "how many times as many errors of a type as an hour before"),
            "errors": Threshold(0.5, "count", "how many errors a second there are at least"),
            "window": Threshold(600, "window", "over which they are counted"),
        },
        pending=120,
        keep_firing_for=600,
        severity="warning",
        summary="{{ $labels.service }} logs far more {{ $labels.type }} than before",
        description='{{ $labels.service }} logs {{ $value | printf "%.1f" }} errors of type {{ $labels.type }} a '
        "second, over [[factor]] times as many as an hour before.",
        promises=("error-rate",),
        cases=(
            Breach(
                series={
                    _TIMEOUTS: counter(3, lambda t: t.errors * 1200, near=lambda t: t.errors * 57, start=100),
                    _OTHERS: counting(1),
                },
                labels={"service": "api", "type": "TimeoutError"},
                value=lambda t: t.errors * 20,
                healthy=5400,
                settles=600,
                says="api logs 10.0 errors of type TimeoutError a second, over 5 times as many as an hour before.",
            ),
            Quiet(name="as many an hour ago", series={_TIMEOUTS: counting(lambda t: t.errors * 600)}, lasts=14_400),
        ),
    ),
    Alert(
        name="NewErrorGroups",
        exporter="logs",
        expression="max by ($keep, service) (sla_logs_new_error_groups{$logs}) > $groups",
        thresholds={"groups": Threshold(0, "count", "how many new groups of errors are of no interest")},
        pending=60,
        keep_firing_for=900,
        severity="info",
        summary="{{ $labels.service }} has errors that it never had before",
        description="{{ $labels.service }} logs {{ $value }} groups of errors that it had not for weeks: a release, a "
        "new input, or a dependency that fails in a new way.",
        cases=(
            Breach(
                series={_NEW: gauge(0, lambda t: t.groups + 2, near=lambda t: t.groups)},
                labels={"service": "api"},
                value=lambda t: t.groups + 2,
                says="api logs 2 groups of errors that it had not for weeks: a release, a new input, or a dependency "
                "that fails in a new way.",
            ),
            Quiet(name="there was no error before, so nobody can tell", series={_NEW: gauge(None, None)}),
        ),
    ),
    Alert(
        name="LogsShippingLate",
        exporter="logs",
        expression='max by ($keep, service) (sla_logs_shipping_lag_seconds{$logs, percentile="99"}) > $seconds',
        thresholds={"seconds": Threshold(300, "seconds", "how long one document in a hundred may take to arrive")},
        pending=600,
        severity="warning",
        summary="The logs of {{ $labels.service }} arrive late",
        description="One in a hundred documents of {{ $labels.service }} takes {{ $value | humanizeDuration }} and "
        "more to arrive in Elasticsearch, over [[seconds]]: who looks there now sees the past.",
        inhibited_by=("ElasticsearchClusterRed",),
        cases=(
            Breach(
                series={_LAG: gauge(8, lambda t: t.seconds * 2, near=lambda t: t.seconds)},
                labels={"service": "api"},
                value=lambda t: t.seconds * 2,
                says="One in a hundred documents of api takes 10m 0s and more to arrive in Elasticsearch, over 5m: who "
                "looks there now sees the past.",
            ),
        ),
    ),
    Alert(
        name="LogsSilent",
        exporter="logs",
        # A service that hardly ever writes is not missed.
        expression="""
            time() - max by ($keep, service) (sla_logs_newest_document_timestamp_seconds{$logs}) > $seconds
              and on ($keep, service)
            sum by ($keep, service) (rate(sla_logs_documents_total{$logs}[$window])) > $documents
        """,
        thresholds={
            "seconds": Threshold(_SILENT, "seconds", "how old a service's newest document may be"),
            "documents": Threshold(0.1, "count", "how many documents a second it writes otherwise at least"),
            "window": Threshold(86_400, "window", "over which that is counted"),
        },
        severity="warning",
        summary="No logs of {{ $labels.service }} arrive",
        description="The newest document of {{ $labels.service }} in Elasticsearch is {{ $value | humanizeDuration }} "
        "old, over [[seconds]]: it has stopped logging, or what it logs does not arrive.",
        inhibited_by=("LogsNotIndexed", "LogSourceSilent", "ElasticsearchClusterRed"),
        cases=(
            Breach(
                series={_NEWEST: finished(_SILENT), _WRITTEN: counting(12_000)},
                labels={"service": "api"},
                value=age(_SILENT),
                says="The newest document of api in Elasticsearch is 45m 0s old, over 30m: it has stopped logging, or "
                "what it logs does not arrive.",
            ),
            Quiet(name="a service that hardly ever writes", series={_NEWEST: steady(0), _WRITTEN: counting(1)}),
        ),
    ),
    Alert(
        name="LogDocumentsFromFuture",
        exporter="logs",
        expression="max by ($keep, service) (sla_logs_future_documents{$logs}) > $documents",
        thresholds={"documents": Threshold(10, "count", "how many documents with a time yet to come are let pass")},
        pending=600,
        severity="warning",
        summary="{{ $labels.service }} writes logs from the future",
        description="{{ $value }} documents of {{ $labels.service }} have a time that is yet to come, over "
        "[[documents]]: a clock is ahead, or a time zone is read wrongly.",
        cases=(
            Breach(
                series={_FUTURE: gauge(0, lambda t: t.documents * 4, near=lambda t: t.documents)},
                labels={"service": "api"},
                value=lambda t: t.documents * 4,
                says="40 documents of api have a time that is yet to come, over 10: a clock is ahead, or a time zone "
                "is read wrongly.",
            ),
        ),
    ),
    Alert(
        name="LogCountsBehind",
        exporter="logs",
        expression="""
            time() - min by ($keep, job, instance) (
              last_over_time(sla_logs_counted_timestamp_seconds{$logs, by="ingested"}[$window])
            ) > $seconds
        """,
        thresholds={
            "seconds": Threshold(_BEHIND, "seconds", "how far the counters of logs may be behind"),
            "window": Threshold(900, "window", "how long the exporter may be silent without anybody minding"),
        },
        severity="warning",
        summary="The counters of logs are behind",
        description="The exporter at {{ $labels.instance }} has counted no logs of the last "
        "{{ $value | humanizeDuration }}, over [[seconds]]: it still catches up, or can't keep up.",
        cases=(
            Breach(
                series={_INGESTED: finished(_BEHIND)},
                labels={"job": "$logs", "instance": "sla-kit-logs:9120"},
                value=age(_BEHIND),
                says="The exporter at sla-kit-logs:9120 has counted no logs of the last 45m 0s, over 30m: it still "
                "catches up, or can't keep up.",
            ),
        ),
    ),
)
