"""What brings logs to Elasticsearch and shows them, and what their numbers tell: Fluentd, Kibana, the records."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_AT = '$fluentd, instance="fluentd-0:24231"'
_OUTPUT = f'{_AT}, plugin_id="out_es", type="elasticsearch"'
_LABELS = {"job": "$fluentd", "instance": "fluentd-0:24231", "plugin_id": "out_es", "type": "elasticsearch"}
_ROOM = f"fluentd_output_status_buffer_available_space_ratio{{{_OUTPUT}}}"
_RETRIES = f"fluentd_output_status_retry_count{{{_OUTPUT}}}"
_INFO = f'sla_log_records_total{{{_AT}, service="api", level="info"}}'
_ERROR = f'sla_log_records_total{{{_AT}, service="api", level="error"}}'
_UP = 'up{$kibana, instance="kibana-exporter:9684"}'
_KIBANA = 'kibana_status{$kibana, instance="kibana-exporter:9684"}'

_ERRORS = 'sum by ($keep, service) (rate(sla_log_records_total{$fluentd, level=~"error|fatal|critical"}[$window]%s))'

HEALTHY = {
    _ROOM: steady(98.5),  # from 0 to 100
    _RETRIES: steady(7),
    **{
        f'sla_log_records_total{{{_AT}, service="{service}", level="{level}"}}': counting(rate)
        for service in ("api", "web")
        for level, rate in {"debug": 0, "info": 1200, "warn": 12, "error": 3, "fatal": 0}.items()
    },
    _UP: steady(1),
    _KIBANA: steady(1),
}

ALERTS = (
    Alert(
        name="FluentdBufferFilling",
        exporter="fluentd",
        expression="fluentd_output_status_buffer_available_space_ratio{$fluentd} / 100 < $ratio",
        thresholds={"ratio": Threshold(0.3, "ratio", "how much of a buffer should be free")},
        pending=300,
        severity="warning",
        summary="The buffer of {{ $labels.plugin_id }} at {{ $labels.instance }} fills",
        description="{{ $value | humanizePercentage }} of the buffer of {{ $labels.plugin_id }} ({{ $labels.type }}) "
        "at {{ $labels.instance }} are free, below [[ratio]]: when it is full, logs are lost or their sources are held "
        "up.",
        cases=(
            Breach(
                series={_ROOM: gauge(98.5, lambda t: t.ratio * 50, near=lambda t: t.ratio * 101)},
                labels=_LABELS,
                value=lambda t: t.ratio * 0.5,
                says="15% of the buffer of out_es (elasticsearch) at fluentd-0:24231 are free, below 30 %: when it is "
                "full, logs are lost or their sources are held up.",
            ),
        ),
    ),
    Alert(
        name="FluentdRetrying",
        exporter="fluentd",
        expression="delta(fluentd_output_status_retry_count{$fluentd}[$window]) > $retries",
        thresholds={
            "retries": Threshold(5, "count", "how many retries are taken for chance"),
            "window": Threshold(600, "window", "in which they are counted"),
        },
        keep_firing_for=600,
        severity="warning",
        summary="{{ $labels.plugin_id }} at {{ $labels.instance }} can't hand its logs over",
        description="The output {{ $labels.plugin_id }} ({{ $labels.type }}) at {{ $labels.instance }} tried "
        '{{ $value | printf "%.0f" }} times again in [[window]], over [[retries]].',
        cases=(
            Breach(
                series={
                    _RETRIES: counter(0, lambda t: t.retries * 2, near=lambda t: t.retries * 54 / t.window, start=7)
                },
                labels=_LABELS,
                settles=600,
                value=lambda t: t.retries * t.window / 30,
                says="The output out_es (elasticsearch) at fluentd-0:24231 tried 100 times again in 10m, over 5.",
            ),
            Quiet(name="retries of long ago", series={_RETRIES: steady(900)}),
        ),
    ),
    Alert(
        name="LogSourceSilent",
        exporter="fluentd",
        # A counter that starts anew is absent until the first record, so what is asked is who does not log.
        expression="""
            sum by ($keep, service) (rate(sla_log_records_total{$fluentd}[$window] offset 1d)) > $records
              unless on ($keep, service)
            sum by ($keep, service) (rate(sla_log_records_total{$fluentd}[$window])) > 0
        """,
        thresholds={
            "records": Threshold(0.1, "count", "how many records a second a service wrote yesterday at least"),
            "window": Threshold(1800, "window", "how long it may write nothing"),
        },
        severity="warning",
        summary="{{ $labels.service }} has stopped logging",
        description='The service {{ $labels.service }} wrote {{ $value | printf "%.1f" }} records a second to its log '
        "at this time yesterday, and has written none for [[window]].",
        cases=(
            Breach(
                series={_INFO: counter(1200, 0, near=1)},
                labels={"service": "api"},
                value=20,
                healthy=90_000,
                lag=1800,  # the last record has left the window
                step=300,
                clears=0,
                says="The service api wrote 20.0 records a second to its log at this time yesterday, and has written "
                "none for 30m.",
            ),
            Quiet(name="a service that never logs", series={_INFO: counting(0)}, lasts=180_000, step=300),
        ),
    ),
    Alert(
        name="LogErrorSurge",
        exporter="fluentd",
        expression=f"""
            {_ERRORS % ""} > $records
              unless on ($keep, service)
            {_ERRORS % ""}
              <= on ($keep, service) $factor * {_ERRORS % " offset 1h"}
        """,
        thresholds={
            "factor": Threshold(5, "count", "how many times as many errors as an hour before"),
            "records": Threshold(1, "count", "how many errors a second there are at least"),
            "window": Threshold(600, "window", "over which they are counted"),
        },
        pending=120,
        keep_firing_for=600,
        severity="warning",
        summary="{{ $labels.service }} logs far more errors than before",
        description='{{ $labels.service }} logs {{ $value | printf "%.1f" }} errors a second, over [[factor]] times as '
        "many as an hour before.",
        promises=("error-rate",),
        cases=(
            Breach(
                series={
                    _ERROR: counter(3, lambda t: t.records * 1200, near=lambda t: t.records * 57, start=100),
                    _INFO: counting(1200),
                },
                labels={"service": "api"},
                value=lambda t: t.records * 20,
                healthy=5400,
                settles=600,
                says="api logs 20.0 errors a second, over 5 times as many as an hour before.",
            ),
            Quiet(name="as many an hour ago", series={_ERROR: counting(lambda t: t.records * 600)}, lasts=14_400),
        ),
    ),
    Alert(
        name="KibanaUnavailable",
        exporter="kibana",
        expression="""
            up{$kibana} == 1
              unless on ($keep, job, instance) kibana_status{$kibana} == 1
        """,
        pending=600,
        severity="info",
        summary="Kibana is not available",
        description="The exporter at {{ $labels.instance }} is up ({{ $value }}), but its Kibana is degraded, "
        "unavailable or does not answer: nobody can search logs there.",
        inhibited_by=("ElasticsearchUnreachable", "ElasticsearchClusterRed"),
        cases=(
            Breach(
                series={_UP: steady(1), _KIBANA: gauge(1, 0.5)},
                labels={"job": "$kibana", "instance": "kibana-exporter:9684"},
                value=1,
                says="The exporter at kibana-exporter:9684 is up (1), but its Kibana is degraded, unavailable or does "
                "not answer: nobody can search logs there.",
            ),
            Quiet(name="the exporter itself is down", series={_UP: steady(0)}),
        ),
    ),
)
