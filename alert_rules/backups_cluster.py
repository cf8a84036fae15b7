"""Backups of the Kubernetes cluster, as Velero makes them."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady
from sla_kit.alert_rules.backups_age import age, finished

_WEEKLY = 8 * 86400.0
_SCHEDULE = '$velero, instance="velero:8085", schedule="weekly"'
_NIGHTLY = '$velero, instance="velero:8085", schedule="nightly"'
_LAST = f"velero_backup_last_successful_timestamp{{{_SCHEDULE}}}"
_LAST_NIGHT = f"velero_backup_last_successful_timestamp{{{_NIGHTLY}}}"
_INTERVAL = f"velero_schedule_expected_interval_seconds{{{_NIGHTLY}}}"
_FAILED = f"velero_backup_failure_total{{{_SCHEDULE}}}"
_PARTIAL = f"velero_backup_partial_failure_total{{{_SCHEDULE}}}"
_BY_HAND = 'velero_backup_last_successful_timestamp{$velero, instance="velero:8085", schedule=""}'
_LOCATION = 'velero_backup_location_status_gauge{$velero, instance="velero:8085", backup_location_name="default"}'

HEALTHY = {
    _LAST: counting(60, start=-400_000.0),
    _LAST_NIGHT: counting(60, start=-40_000.0),
    _BY_HAND: steady(-30_000_000),
    _INTERVAL: steady(86400),
    f"velero_schedule_expected_interval_seconds{{{_SCHEDULE}}}": steady(7 * 86400),
    _FAILED: counting(0),
    _PARTIAL: counting(0),
    _LOCATION: steady(1),
}

ALERTS = (
    Alert(
        name="ClusterBackupMissed",
        exporter="velero",
        expression="""
            time() - max by ($keep, schedule) (
              last_over_time(velero_backup_last_successful_timestamp{$velero, schedule!=""}[$window])
            ) > $seconds
        """,
        thresholds={
            "seconds": Threshold(_WEEKLY, "seconds", "how old the last good backup of the cluster may be"),
            "window": Threshold(3600, "window", "how long Velero may be silent without anybody minding"),
        },
        severity="critical",
        summary="There is no backup of the cluster from last week",
        description="The last good backup of the cluster by the schedule {{ $labels.schedule }} is "
        "{{ $value | humanizeDuration }} old, over [[seconds]].",
        promises=("backup-recovery", "recovery-time"),
        cases=(
            Breach(
                series={_LAST: finished(_WEEKLY)},
                labels={"schedule": "weekly"},
                value=age(_WEEKLY),
                says="The last good backup of the cluster by the schedule weekly is 12d 0h 0m 0s old, over 8d.",
            ),
            Quiet(name="one by hand, long ago", series={_BY_HAND: steady(-30_000_000)}),
        ),
    ),
    Alert(
        name="ClusterBackupLate",
        exporter="velero",
        # Only Velero after 1.18 tells how often a schedule should run; before, this never fires.
        expression="""
            time() - max by ($keep, schedule) (
              last_over_time(velero_backup_last_successful_timestamp{$velero, schedule!=""}[1h])
            ) > on ($keep, schedule) $factor * max by ($keep, schedule) (
              last_over_time(velero_schedule_expected_interval_seconds{$velero}[1h])
            )
        """,
        thresholds={"factor": Threshold(1.25, "count", "how many of its intervals a schedule's backup may be old")},
        severity="warning",
        summary="The schedule {{ $labels.schedule }} of cluster backups is late",
        description="The last good backup by the schedule {{ $labels.schedule }} is {{ $value | humanizeDuration }} "
        "old, more than [[factor]] times the interval at which it should run.",
        promises=("backup-recovery",),
        inhibited_by=("ClusterBackupMissed",),
        inhibition_labels=("cluster", "schedule"),
        cases=(
            Breach(
                series={
                    _LAST_NIGHT: gauge(
                        1920, lambda t: 1920 - 1.2 * 86400 * t.factor, near=lambda t: 2520 - 86400 * t.factor
                    ),
                    _INTERVAL: steady(86400),
                },
                labels={"schedule": "nightly"},
                value=lambda t: 1.2 * 86400 * t.factor,
                says="The last good backup by the schedule nightly is 1d 12h 0m 0s old, more than 1.25 times the "
                "interval at which it should run.",
            ),
        ),
    ),
    Alert(
        name="ClusterBackupFailing",
        exporter="velero",
        expression="""
            sum by ($keep, schedule) (
              increase(velero_backup_failure_total{$velero, schedule!=""}[$window])
                + increase(velero_backup_partial_failure_total{$velero, schedule!=""}[$window])
            ) > 0
        """,
        thresholds={"window": Threshold(3600, "window", "in which failures are counted")},
        severity="warning",
        summary="Cluster backups of the schedule {{ $labels.schedule }} fail",
        description='{{ $value | printf "%.0f" }} backups of the schedule {{ $labels.schedule }} failed, wholly or in '
        "part, in [[window]].",
        promises=("backup-recovery",),
        cases=(
            Breach(
                name="wholly",
                series={_FAILED: counter(0, 0.05, start=7), _PARTIAL: counting(0)},
                labels={"schedule": "weekly"},
                settles=3600,
                value=lambda t: 0.05 * t.window / 60,
                says="3 backups of the schedule weekly failed, wholly or in part, in 1h.",
            ),
            Breach(
                name="in part",
                series={_FAILED: counting(0), _PARTIAL: counter(0, 0.05, start=7)},
                labels={"schedule": "weekly"},
                settles=3600,
                value=lambda t: 0.05 * t.window / 60,
                says="3 backups of the schedule weekly failed, wholly or in part, in 1h.",
            ),
            Quiet(name="failures of long ago", series={_FAILED: counting(0, start=9), _PARTIAL: counting(0, start=9)}),
        ),
    ),
    Alert(
        name="BackupLocationUnavailable",
        exporter="velero",
        expression="velero_backup_location_status_gauge{$velero} == 0",
        pending=900,
        severity="warning",
        summary="Velero can't reach its storage {{ $labels.backup_location_name }}",
        description="The backup storage {{ $labels.backup_location_name }} of Velero is unavailable (status "
        "{{ $value }}): nothing can be backed up to it or restored from it.",
        promises=("backup-recovery",),
        cases=(
            Breach(
                series={_LOCATION: gauge(1, 0)},
                labels={"job": "$velero", "instance": "velero:8085", "backup_location_name": "default"},
                value=0,
                says="The backup storage default of Velero is unavailable (status 0): nothing can be backed up to it "
                "or restored from it.",
            ),
        ),
    ),
)
