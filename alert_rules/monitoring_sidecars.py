"""Our own exporters, by what each tells of itself: what fails, what is old, which configuration is refused."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_AT = '$backup, instance="backup-exporter:9118"'
_OURS = f'{_AT}, collector="storage"'
_COLLECTOR = f"sla_exporter_collector_up{{{_OURS}}}"
_SNAPSHOT = f"sla_exporter_snapshot_age_seconds{{{_OURS}}}"
_RELOADED = f"sla_exporter_config_last_reload_successful{{{_AT}}}"
_DROPPED = f'sla_exporter_series_dropped_total{{{_OURS}, metric="backup_retained"}}'
_AT_LABELS = {"job": "$backup", "instance": "backup-exporter:9118"}
_OUR_LABELS = {**_AT_LABELS, "collector": "storage"}

HEALTHY = {_COLLECTOR: steady(1), _SNAPSHOT: steady(40), _RELOADED: steady(1), _DROPPED: counting(0)}

ALERTS = (
    Alert(
        name="ExporterCollectorFailing",
        exporter="backup",
        expression="sla_exporter_collector_up == 0",
        pending=900,
        severity="warning",
        summary="{{ $labels.instance }} can't collect {{ $labels.collector }}",
        description="The collector {{ $labels.collector }} of sla-kit's exporter at {{ $labels.instance }} (job "
        "{{ $labels.job }}) fails (up is {{ $value }}): what it publishes is missing.",
        inhibited_by=("TargetDown",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={_COLLECTOR: gauge(1, 0)},
                labels=_OUR_LABELS,
                value=0,
                says="The collector storage of sla-kit's exporter at backup-exporter:9118 (job backup) fails (up is "
                "0): what it publishes is missing.",
            ),
        ),
    ),
    Alert(
        name="ExporterSnapshotOld",
        exporter="backup",
        expression="sla_exporter_snapshot_age_seconds > $seconds",
        thresholds={"seconds": Threshold(1800, "seconds", "how old the figures may be that an exporter publishes")},
        pending=300,
        severity="warning",
        summary="{{ $labels.instance }} publishes old figures",
        description="What the collector {{ $labels.collector }} of sla-kit's exporter at {{ $labels.instance }} "
        "publishes is {{ $value | humanizeDuration }} old, over [[seconds]].",
        inhibited_by=("ExporterCollectorFailing",),
        inhibition_labels=("cluster", "instance", "collector"),
        cases=(
            Breach(
                series={_SNAPSHOT: gauge(40, lambda t: t.seconds * 2, near=lambda t: t.seconds)},
                labels=_OUR_LABELS,
                value=lambda t: t.seconds * 2,
                says="What the collector storage of sla-kit's exporter at backup-exporter:9118 publishes is 1h 0m 0s "
                "old, over 30m.",
            ),
        ),
    ),
    Alert(
        name="ExporterReloadFailed",
        exporter="backup",
        expression="sla_exporter_config_last_reload_successful == 0",
        pending=600,
        severity="warning",
        summary="{{ $labels.instance }} refuses its new configuration",
        description="sla-kit's exporter at {{ $labels.instance }} (job {{ $labels.job }}) has refused the "
        "configuration that it read last (successful is {{ $value }}) and goes on with the one before.",
        inhibited_by=("TargetDown",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={_RELOADED: gauge(1, 0)},
                labels=_AT_LABELS,
                value=0,
                says="sla-kit's exporter at backup-exporter:9118 (job backup) has refused the configuration that it "
                "read last (successful is 0) and goes on with the one before.",
            ),
        ),
    ),
    Alert(
        name="ExporterSeriesDropped",
        exporter="backup",
        expression="increase(sla_exporter_series_dropped_total[$window]) > 0",
        thresholds={"window": Threshold(1800, "window", "in which series were left out")},
        pending=300,
        severity="info",
        summary="{{ $labels.instance }} leaves out series of {{ $labels.metric }}",
        description="The collector {{ $labels.collector }} of sla-kit's exporter at {{ $labels.instance }} has more "
        "series of {{ $labels.metric }} than its max_series allows; those beyond are missing.",
        cases=(
            Breach(
                series={_DROPPED: counter(0, 10)},
                labels={**_OUR_LABELS, "metric": "backup_retained"},
                value=300,
                settles=2100,
                clears=1860,
                says="The collector storage of sla-kit's exporter at backup-exporter:9118 has more series of "
                "backup_retained than its max_series allows; those beyond are missing.",
            ),
            Quiet(name="left out long ago", series={_DROPPED: counting(0, start=1000)}),
        ),
    ),
)
