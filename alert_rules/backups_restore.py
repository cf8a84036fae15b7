"""Restores that really run for practice, and how far back a loss would reach."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Threshold, counting, gauge, steady
from sla_kit.alert_rules.backups_age import age, finished

_WEEKLY = 8 * 86400.0
_TARGET = '$backup, target="shop"'
_LABELS = {"job": "$backup", "target": "shop"}
_LAST = f"restore_last_success_timestamp_seconds{{{_TARGET}}}"
_WENT_WELL = f"restore_last_success{{{_TARGET}}}"
_TOOK = f"restore_last_duration_seconds{{{_TARGET}}}"
_GAP = f"backup_pitr_gap_seconds{{{_TARGET}}}"

HEALTHY = {_LAST: counting(60, start=-400_000.0), _WENT_WELL: steady(1), _TOOK: steady(2280), _GAP: steady(70)}

ALERTS = (
    Alert(
        name="RestoreTestOverdue",
        exporter="backup",
        expression="""
            time() - max by ($keep, target) (
              last_over_time(restore_last_success_timestamp_seconds{$backup}[$window])
            ) > $seconds
        """,
        thresholds={
            "seconds": Threshold(_WEEKLY, "seconds", "how long ago the last good restore test may be"),
            "window": Threshold(3600, "window", "how long the exporter may be silent without anybody minding"),
        },
        severity="warning",
        summary="No backup of {{ $labels.target }} was restored for practice this week",
        description="The last restore test of {{ $labels.target }} that went well was {{ $value | humanizeDuration }} "
        "ago, over [[seconds]].",
        promises=("backup-recovery",),
        inhibited_by=("RestoreTestFailed",),
        inhibition_labels=("cluster", "target"),
        cases=(
            Breach(
                series={_LAST: finished(_WEEKLY)},
                labels={"target": "shop"},
                value=age(_WEEKLY),
                says="The last restore test of shop that went well was 12d 0h 0m 0s ago, over 8d.",
            ),
        ),
    ),
    Alert(
        name="RestoreTestFailed",
        exporter="backup",
        expression="restore_last_success{$backup} == 0",
        pending=300,
        severity="critical",
        summary="The backup of {{ $labels.target }} could not be restored",
        description="The last restore test of {{ $labels.target }} failed (success is {{ $value }}): it is not known "
        "whether there is any backup that could be brought back.",
        promises=("backup-recovery",),
        cases=(
            Breach(
                series={_WENT_WELL: gauge(1, 0)},
                labels=_LABELS,
                value=0,
                says="The last restore test of shop failed (success is 0): it is not known whether there is any backup "
                "that could be brought back.",
            ),
        ),
    ),
    Alert(
        name="RestoreTestSlow",
        exporter="backup",
        expression="restore_last_duration_seconds{$backup} > $seconds",
        thresholds={"seconds": Threshold(3000, "seconds", "how long a restore may take before it is worth a look")},
        pending=300,
        severity="warning",
        summary="Restoring {{ $labels.target }} takes nearly as long as promised",
        description="The last restore of {{ $labels.target }} took {{ $value | humanizeDuration }}, over [[seconds]].",
        promises=("backup-recovery",),
        cases=(
            Breach(
                series={_TOOK: gauge(2280, lambda t: t.seconds * 1.4, near=lambda t: t.seconds)},
                labels=_LABELS,
                value=lambda t: t.seconds * 1.4,
                says="The last restore of shop took 1h 10m 0s, over 50m.",
            ),
        ),
    ),
    Alert(
        name="PointInTimeGap",
        exporter="backup",
        expression="backup_pitr_gap_seconds{$backup} > $seconds",
        thresholds={"seconds": Threshold(900, "seconds", "how much of the newest data may be beyond any restore")},
        pending=600,
        keep_firing_for=600,
        severity="warning",
        summary="The newest data of {{ $labels.target }} could not be restored",
        description="A restore of {{ $labels.target }} would reach no further than {{ $value | humanizeDuration }} "
        "before now, over [[seconds]]: what was written since is in no backup and no archive.",
        promises=("backup-recovery",),
        cases=(
            Breach(
                series={_GAP: gauge(70, lambda t: t.seconds * 3, near=lambda t: t.seconds)},
                labels=_LABELS,
                value=lambda t: t.seconds * 3,
                says="A restore of shop would reach no further than 45m 0s before now, over 15m: what was written "
                "since is in no backup and no archive.",
            ),
        ),
    ),
)
