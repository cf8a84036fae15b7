"""Backups and recovery: how old, how large, how sound and where backups are, and whether they were brought back."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue, LastDuration
from sla_kit.dashboards.counts import rise
from sla_kit.dashboards.marks import MAINTENANCE, firing
from sla_kit.dashboards.model import Dashboard, Limit, Panel, Row
from sla_kit.dashboards.vocabulary import (
    UP,
    State,
    alert_limit,
    bars,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)

_KIND = "kind, target, $keep"
_KIND_LEGEND = "{{kind}} {{target}}"
_AGE = f"time() - max by ({_KIND}) (backup_last_success_timestamp_seconds{{$backup}})"
_DATABASE_AGE = f'time() - max by ({_KIND}) (backup_last_success_timestamp_seconds{{$backup, kind="database"}})'
_CLUSTER_AGE = 'time() - max by (schedule, $keep) (velero_backup_last_successful_timestamp{$velero, schedule!=""})'
_SIZE = f"max by ({_KIND}) (backup_last_size_bytes{{$backup}})"
_USUAL = f"max by ({_KIND}) (avg_over_time(backup_last_size_bytes{{$backup}}[7d]))"
_GAP = "max by (target, $keep) (backup_pitr_gap_seconds{$backup})"
_DRILL_AGE = "time() - max by (target, $keep) (restore_last_success_timestamp_seconds{$backup})"
_DRILL_TOOK = "max by (target, $keep) (restore_last_duration_seconds{$backup})"
_VERIFIED = {"1": State(text="right", meaning="good"), "0": State(text="not verified", meaning="warning")}
_ENCRYPTED = {"1": State(text="encrypted", meaning="good"), "0": State(text="open to read", meaning="warning")}
_WENT = {"1": State(text="went well", meaning="good"), "0": State(text="failed", meaning="critical")}
_REACHED = {"1": State(text="available", meaning="good"), "0": State(text="unavailable", meaning="warning")}


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    took = (alert_limit("RestoreTestSlow", "seconds"), *_promised(catalogue))
    return Dashboard(
        name="backups",
        title="Backups and recovery",
        description="Whether there is a good backup of everything, how much a loss would cost, and whether a restore "
        "has really run of late and in time.",
        folder="Recovery",
        hours=7 * 24,
        refresh="5m",
        annotations=(MAINTENANCE, firing("backups")),
        rows=(row("Now", *_now(took), height=5), _backups(), _soundness(), _cluster(), _drills(took), _exporter()),
    )


def _promised(catalogue: Catalogue) -> tuple[Limit, ...]:
    """How long a restore may take by what is promised; none where nothing is."""
    indicators = (catalogue.sli(service, slo) for service, slo in catalogue.slos())
    found = [
        sli.max for sli in indicators if isinstance(sli, LastDuration) and sli.metric == "restore_last_duration_seconds"
    ]
    return (limit(min(found), "above", "critical"),) if found else ()


def _now(took: tuple[Limit, ...]) -> tuple[Panel, ...]:
    return (
        stat(
            "Database backed up",
            query(f"max({_DATABASE_AGE})", "oldest"),
            unit="dtdurations",
            decimals=0,
            limits=(alert_limit("DatabaseBackupMissed", "seconds"),),
            links=(runbook("BackupMetricsMissing"),),
            description="How long ago the last good backup of a database ended, of the database where that is longest. "
            "No figure means that nobody knows.",
        ),
        stat(
            "Cluster backed up",
            query(f"max({_CLUSTER_AGE})", "oldest"),
            unit="dtdurations",
            decimals=0,
            limits=(alert_limit("ClusterBackupMissed", "seconds"),),
            description="How long ago the last good backup of the Kubernetes cluster ended, of the schedule where that "
            "is longest.",
        ),
        stat(
            "Newest backups",
            query("min(backup_encrypted{$backup})", "least protected"),
            unit="short",
            states=_ENCRYPTED,
            links=(runbook("BackupUnencrypted"),),
            description="Whether the newest backup of each kind is encrypted; the table below says which is not.",
        ),
        stat(
            "Could be lost",
            query(f"max({_GAP})", "largest gap"),
            unit="s",
            decimals=0,
            limits=(alert_limit("PointInTimeGap", "seconds"),),
            links=(leads_to("postgresql", "PostgreSQL"),),
            description="How far before now the newest moment lies to which a restore could go: what would be lost if "
            "the database were gone.",
        ),
        stat(
            "Restored for practice",
            query(f"max({_DRILL_AGE})", "longest ago"),
            unit="dtdurations",
            decimals=0,
            limits=(alert_limit("RestoreTestOverdue", "seconds"),),
            description="How long ago a restore really ran and went well. A backup that was never restored may be "
            "none.",
        ),
        stat(
            "Last restore took",
            query(f"max({_DRILL_TOOK})", "longest"),
            unit="s",
            decimals=0,
            limits=took,
            description="How long the last restore took, beside what is promised and where it becomes worth a look.",
        ),
    )


def _backups() -> Row:
    return row(
        "Backups",
        table(
            "What is backed up",
            query(_AGE, "Age"),
            query(_SIZE, "Size"),
            query(f"{_SIZE} / {_USUAL}", "Of usual size"),
            query(f"max by ({_KIND}) (backup_retained{{$backup}})", "Kept"),
            query(f"min by ({_KIND}) (backup_encrypted{{$backup}})", "Protection"),
            description="The newest backup of everything that is backed up. Its usual size is the mean of a week; one "
            "that is much smaller may lack something.",
            columns=(
                column("kind", "What"),
                column("target", "Of"),
                column("Age", unit="dtdurations", decimals=0),
                column("Size", unit="bytes", decimals=1),
                column(
                    "Of usual size",
                    unit="percentunit",
                    decimals=0,
                    limits=(alert_limit("BackupShrank", "ratio", "below"),),
                ),
                column("Kept", unit="none", limits=(alert_limit("BackupsKeptFew", "copies", "below"),)),
                column("Protection", states=_ENCRYPTED),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Age",
            width=12,
        ),
        timeseries(
            "Age of the database's backup",
            query(_DATABASE_AGE, _KIND_LEGEND),
            unit="dtdurations",
            minimum=0,
            limits=(alert_limit("DatabaseBackupMissed", "seconds"),),
            description="A saw: it falls with each good backup. A tooth that is twice as high as the others is a "
            "missed night.",
            width=12,
        ),
        timeseries(
            "Size",
            query(_SIZE, _KIND_LEGEND),
            unit="bytes",
            minimum=0,
            links=(runbook("BackupShrank"),),
            description="How large the newest backup is. It grows with the data; a sudden fall is a backup that lacks "
            "something.",
        ),
        timeseries(
            "Copies in other regions",
            query(
                f"max by (region, {_KIND}) (backup_replica_lag_seconds{{$backup}})", "{{region}}: {{kind}} {{target}}"
            ),
            unit="s",
            minimum=0,
            limits=(alert_limit("BackupCopyBehind", "seconds"),),
            description="How much older the newest copy in each region is than the newest backup of all. A little "
            "while after each backup it is on its way.",
        ),
        timeseries(
            "Point-in-time gap",
            query(_GAP, "gap {{target}}"),
            unit="s",
            minimum=0,
            limits=(alert_limit("PointInTimeGap", "seconds"),),
            links=(leads_to("postgresql", "PostgreSQL"),),
            description="How far before now the newest moment lies to which a restore could go. It follows the "
            "archiving of the write-ahead log: seconds to a few minutes.",
        ),
        height=8,
    )


def _soundness() -> Row:
    return row(
        "Whether they are sound",
        table(
            "What is kept",
            query(f"min by ({_KIND}) (backup_verified{{$backup}})", "Checksum"),
            query(_since("last_verified", "> 0"), "Verified"),
            query(f"max by ({_KIND}) (backup_missed_days{{$backup}})", "Missed"),
            query(_since("oldest"), "Oldest"),
            description="Whether the newest backup was read whole and its checksum is right, how old the newest one is "
            "of which that is known, on how many days of the last week none was made, and how far back the oldest "
            "usable one reaches.",
            columns=(
                column("kind", "What"),
                column("target", "Of"),
                column("Checksum", "Newest checksum", states=_VERIFIED),
                column("Verified", "Last verified", unit="dtdurations", decimals=0),
                column("Missed", "Missed days", unit="none", decimals=0, limits=(limit(1, "above", "warning"),)),
                column("Oldest", unit="dtdurations", decimals=0),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Missed days",
            width=12,
        ),
        timeseries(
            "Size beside the median",
            query(f"max by ({_KIND}) (backup_size_change_ratio{{$backup}})", _KIND_LEGEND),
            unit="percentunit",
            decimals=0,
            from_zero=False,
            links=(runbook("BackupShrank"),),
            description="By how much the newest backup is larger than the median of those before it, below 0 smaller. "
            "Around 0 is normal; a fall is a backup that lacks something.",
            width=12,
        ),
    )


def _since(what: str, there: str = "") -> str:
    """How long ago the backup was made that a metric tells; nothing where there is none."""
    return f"time() - (max by ({_KIND}) (backup_{what}_timestamp_seconds{{$backup}}){f' {there}' if there else ''})"


def _cluster() -> Row:
    good = 'velero_backup_success_total{$velero, schedule!=""}'
    failed = 'velero_backup_failure_total{$velero, schedule!=""}'
    partly = 'velero_backup_partial_failure_total{$velero, schedule!=""}'
    interval = "max by (schedule, $keep) (velero_schedule_expected_interval_seconds{$velero})"
    return row(
        "Cluster (Velero)",
        table(
            "Schedules",
            query(_CLUSTER_AGE, "Age"),
            query(f"({_CLUSTER_AGE}) / on (schedule, $keep) {interval}", "In intervals"),
            query(f"sum by (schedule, $keep) {rise(good)}", "Good"),
            query(f"sum by (schedule, $keep) {rise(partly)}", "In part"),
            query(f"sum by (schedule, $keep) {rise(failed)}", "Failed"),
            description="Each schedule's last good backup, also in intervals at which it should run (Velero after 1.18 "
            "tells them), and how its runs ended in the time that is shown.",
            columns=(
                column("schedule", "Schedule"),
                column("Age", unit="dtdurations", decimals=0, limits=(alert_limit("ClusterBackupMissed", "seconds"),)),
                column("In intervals", decimals=2, limits=(alert_limit("ClusterBackupLate", "factor"),)),
                column("Good", unit="none", decimals=0),
                column("In part", unit="none", decimals=0, limits=(limit(1, "above", "warning"),)),
                column("Failed", unit="none", decimals=0, limits=(limit(1, "above", "warning"),)),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Age",
            width=12,
        ),
        timeseries(
            "Backups that failed",
            query(f"sum(increase({failed}[$__rate_interval]))", "failed", color="red"),
            query(f"sum(increase({partly}[$__rate_interval]))", "in part", color="orange"),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("ClusterBackupFailing"),),
            description="Runs of the schedules that failed, wholly or in part. One that failed in part lacks volumes "
            "or resources; its log says which.",
            width=6,
        ),
        states(
            "Storage locations",
            query(
                "min by (backup_location_name, $keep) (velero_backup_location_status_gauge{$velero})",
                "{{backup_location_name}}",
            ),
            states=_REACHED,
            links=(runbook("BackupLocationUnavailable"),),
            description="Whether Velero reaches where it keeps backups. Nothing can be restored from one that it does "
            "not.",
            width=6,
        ),
    )


def _drills(took: tuple[Limit, ...]) -> Row:
    return row(
        "Restore drills",
        states(
            "Last drill",
            query("min by (target, $keep) (restore_last_success{$backup})", "drill {{target}}"),
            states=_WENT,
            links=(runbook("RestoreTestFailed"),),
            description="Whether the last restore for practice came to a good end. After one that failed it is not "
            "known whether there is any backup that could be brought back.",
        ),
        timeseries(
            "Time a restore takes",
            query(_DRILL_TOOK, "restore {{target}}"),
            unit="s",
            minimum=0,
            limits=took,
            description="How long each drill took. It grows with the data: before it reaches what is promised, restore "
            "in parallel or from snapshots.",
        ),
        timeseries(
            "Since the last good drill",
            query(_DRILL_AGE, "drill {{target}}"),
            unit="dtdurations",
            minimum=0,
            limits=(alert_limit("RestoreTestOverdue", "seconds"),),
            description="It falls each week, when a drill goes well.",
        ),
        bars(
            "Steps of the last drill",
            query("max by (step, target, $keep) (restore_step_duration_seconds{$backup})", "{{step}} {{target}}"),
            unit="s",
            minimum=0,
            description="How long each step took by itself, in the last drill. Which one grows tells where time can be "
            "won: fetching, decrypting or restoring.",
        ),
        timeseries(
            "Rows verified",
            query("max by (target, $keep) (restore_rows_verified{$backup})", "rows {{target}}"),
            unit="short",
            decimals=0,
            minimum=0,
            links=(runbook("RestoreTestFailed"),),
            description="Rows that the checks of the last drill found right. It grows with the data; none means that "
            "nothing was compared.",
        ),
        timeseries(
            "Checks by outcome",
            query('sum(restore_checks{$backup, outcome="held"})', "held", color="green"),
            query('sum(restore_checks{$backup, outcome="failed"})', "failed", color="red"),
            query('sum(restore_checks{$backup, outcome="skipped"})', "skipped", color="grey"),
            unit="short",
            decimals=0,
            minimum=0,
            stack="normal",
            links=(runbook("RestoreTestFailed"),),
            description="Checks of the last drills that held, failed, or were skipped as nothing was recorded to "
            "compare with. Normal is that all held.",
        ),
    )


def _exporter() -> Row:
    return row(
        "Who tells it",
        states(
            "Collectors of the backup exporter",
            query("min by (collector, $keep) (sla_exporter_collector_up{$backup})", "{{collector}}"),
            states=UP,
            links=(runbook("BackupMetricsMissing"), leads_to("monitoring", "Monitoring")),
            description="Whether the exporter can look where backups are kept. While one is down, what is shown above "
            "of it is old.",
        ),
        height=5,
    )
