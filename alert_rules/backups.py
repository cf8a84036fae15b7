"""Backups: made in time, whole, encrypted, kept, copied, and restored for practice. `backups_cluster` is about those of
the Kubernetes cluster."""

from __future__ import annotations

from sla_kit.alert_rules import backups_cluster, backups_restore
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counting, gauge, steady
from sla_kit.alert_rules.backups_age import age, finished

_KIND = '$backup, kind="database", target="shop"'
_LABELS = {"job": "$backup", "kind": "database", "target": "shop"}
_TARGET = {"kind": "database", "target": "shop"}
_DAILY = 26 * 3600.0
_SEEN = 3600.0
_GIB = 2.0**30
_LAST = f"backup_last_success_timestamp_seconds{{{_KIND}}}"
_SIZE = f"backup_last_size_bytes{{{_KIND}}}"
_ENCRYPTED = f"backup_encrypted{{{_KIND}}}"
_KEPT = f"backup_retained{{{_KIND}}}"
_UP = f'backup_place_up{{{_KIND}, region="eu-west-1"}}'
_FAR = f'backup_replica_lag_seconds{{{_KIND}, region="eu-west-1"}}'

AREA = Area(
    name="backups",
    title="Backups and disaster recovery (sla-kit's backup exporter, Velero)",
    dashboard="backups",
    healthy={
        _LAST: counting(60, start=-7200.0),  # two hours old all the time
        _SIZE: steady(40 * _GIB),
        _ENCRYPTED: steady(1),
        _KEPT: steady(30),
        _FAR: steady(900),
        _UP: steady(1),
        **backups_cluster.HEALTHY,
        **backups_restore.HEALTHY,
    },
    alerts=(
        Alert(
            name="DatabaseBackupMissed",
            exporter="backup",
            # The newest that was seen: while a job writes over the last backup there is none.
            expression="""
                time() - max by ($keep, kind, target) (
                  max_over_time(backup_last_success_timestamp_seconds{$backup, kind="database"}[$window])
                ) > $seconds
            """,
            thresholds={
                "seconds": Threshold(_DAILY, "seconds", "how old the last good backup of a database may be"),
                "window": Threshold(_SEEN, "window", "how long a backup counts after it was last seen"),
            },
            severity="critical",
            summary="There is no backup of {{ $labels.target }} from last night",
            description="The last good backup of the {{ $labels.kind }} {{ $labels.target }} is "
            "{{ $value | humanizeDuration }} old, over [[seconds]].",
            promises=("backup-recovery",),
            cases=(
                Breach(
                    series={_LAST: finished(_DAILY, _SEEN)},
                    labels={"kind": "database", "target": "shop"},
                    value=age(_DAILY, _SEEN),
                    lag=_SEEN,
                    clears=0,
                    says="The last good backup of the database shop is 1d 15h 0m 0s old, over 26h.",
                ),
                Quiet(
                    name="a job that writes over the only backup for fifty minutes",
                    series={_LAST: gauge(0, -1.8e9)},  # what is never is as long ago as 1970
                    healthy=3600,
                    lasts=3000,
                ),
                Quiet(
                    name="the weekly backup of something else",
                    series={
                        'backup_last_success_timestamp_seconds{$backup, kind="cluster", target="blue"}': steady(
                            -400_000
                        )
                    },
                ),
            ),
        ),
        Alert(
            name="BackupMetricsMissing",
            exporter="backup",
            # The sum drops the labels, which absent tells only where there is a single job.
            expression='sum(absent_over_time(backup_last_success_timestamp_seconds{$backup, kind="database"}[$window]))'
            " > 0",
            thresholds={"window": Threshold(3600, "window", "how long nothing may be known of backups")},
            severity="warning",
            summary="Nothing is known of the database's backups",
            description="For [[window]] nobody has told when the database was backed up last: the backup exporter is "
            "gone, is not scraped, or has never seen a backup.",
            missing_fires=True,
            promises=("backup-recovery",),
            cases=(
                Breach(
                    series={_LAST: gauge(0, None)},
                    labels={},
                    value=1,
                    healthy=3600,
                    lag=3600,  # the last sample, a minute before, has left the window
                    clears=0,
                    keeps=False,
                    says="For 1h nobody has told when the database was backed up last: the backup exporter is gone, is "
                    "not scraped, or has never seen a backup.",
                ),
                Quiet(name="an old backup, but known", series={_LAST: steady(-900_000)}),
            ),
        ),
        Alert(
            name="BackupShrank",
            exporter="backup",
            # Not by instance: a new one of the exporter knows no other size than the last.
            expression="""
                max by ($keep, kind, target) (backup_last_size_bytes{$backup})
                  < on ($keep, kind, target) $ratio * max by ($keep, kind, target) (
                  avg_over_time(backup_last_size_bytes{$backup}[$window])
                )
            """,
            thresholds={
                "ratio": Threshold(0.7, "ratio", "how much of the usual size a backup must have"),
                "window": Threshold(7 * 86400, "window", "over which the usual size is taken"),
            },
            severity="warning",
            summary="The backup of {{ $labels.target }} is much smaller than usual",
            description="The newest backup of the {{ $labels.kind }} {{ $labels.target }} has "
            "{{ $value | humanize1024 }}B, less than [[ratio]] of the usual size: something may be missing in it.",
            promises=("backup-recovery",),
            cases=(
                Breach(
                    series={
                        _SIZE: gauge(
                            40 * _GIB, lambda t: t.ratio * 20 * _GIB, near=lambda t: min(1, t.ratio * 1.02) * 40 * _GIB
                        )
                    },
                    labels=_TARGET,
                    value=lambda t: t.ratio * 20 * _GIB,
                    says="The newest backup of the database shop has 14GiB, less than 70 % of the usual size: "
                    "something may be missing in it.",
                ),
                Breach(
                    name="as the exporter is replaced",
                    series={
                        f'{_SIZE[:-1]}, instance="old"}}': gauge(40 * _GIB, None),
                        f'{_SIZE[:-1]}, instance="new"}}': gauge(None, lambda t: t.ratio * 20 * _GIB),
                    },
                    labels=_TARGET,
                    value=lambda t: t.ratio * 20 * _GIB,
                    lag=300,  # a series that is gone is seen for five minutes more
                    clears=0,
                    says="The newest backup of the database shop has 14GiB, less than 70 % of the usual size: "
                    "something may be missing in it.",
                ),
            ),
        ),
        Alert(
            name="BackupUnencrypted",
            exporter="backup",
            expression="backup_encrypted{$backup} == 0",
            pending=300,
            severity="warning",
            summary="The backup of {{ $labels.target }} is not encrypted",
            description="The newest backup of the {{ $labels.kind }} {{ $labels.target }} lies there unencrypted "
            "(encrypted is {{ $value }}): whoever can read the bucket can read all data.",
            cases=(
                Breach(
                    series={_ENCRYPTED: gauge(1, 0)},
                    labels=_LABELS,
                    value=0,
                    says="The newest backup of the database shop lies there unencrypted (encrypted is 0): whoever can "
                    "read the bucket can read all data.",
                ),
            ),
        ),
        Alert(
            name="BackupsKeptFew",
            exporter="backup",
            # Whoever has begun to make backups has few of them, but more each time.
            expression="""
                max by ($keep, kind, target) (backup_retained{$backup}) < $copies
                  and on ($keep, kind, target)
                max by ($keep, kind, target) (backup_retained{$backup})
                  <= on ($keep, kind, target) max by ($keep, kind, target) (backup_retained{$backup} offset $grow)
            """,
            thresholds={
                "copies": Threshold(7, "count", "how many usable backups there should be"),
                "grow": Threshold(8 * 86400, "window", "within which there must be more of them, while there are few"),
            },
            pending=1800,
            severity="warning",
            summary="Too few backups of {{ $labels.target }} are kept",
            description="{{ $value | humanize }} usable backups of the {{ $labels.kind }} {{ $labels.target }} are "
            "kept, fewer than [[copies]]: a mistake found late can't be undone.",
            promises=("backup-recovery",),
            cases=(
                Breach(
                    series={_KEPT: gauge(30, lambda t: t.copies - 2, near=lambda t: t.copies)},
                    labels=_TARGET,
                    value=lambda t: t.copies - 2,
                    healthy=9 * 86400,
                    step=900,
                    says="5 usable backups of the database shop are kept, fewer than 7: a mistake found late can't be "
                    "undone.",
                ),
                Quiet(
                    name="the first days, one more each day",
                    series={_KEPT: counting(1 / 1440)},
                    lasts=6 * 86400,
                    step=900,
                ),
            ),
        ),
        Alert(
            name="BackupCopyBehind",
            exporter="backup",
            expression="backup_replica_lag_seconds{$backup} > $seconds",
            thresholds={"seconds": Threshold(4 * 3600, "seconds", "how far behind the copy in another region may be")},
            pending=900,
            severity="warning",
            summary="Backups don't reach {{ $labels.region }}",
            description="The newest backup of the {{ $labels.kind }} {{ $labels.target }} in {{ $labels.region }} is "
            "{{ $value | humanizeDuration }} older than the newest of all, over [[seconds]].",
            promises=("backup-recovery",),
            cases=(
                Breach(
                    series={_FAR: gauge(900, lambda t: t.seconds * 2, near=lambda t: t.seconds)},
                    labels={**_LABELS, "region": "eu-west-1"},
                    value=lambda t: t.seconds * 2,
                    says="The newest backup of the database shop in eu-west-1 is 8h 0m 0s older than the newest of "
                    "all, over 4h.",
                ),
            ),
        ),
        Alert(
            name="BackupPlaceUnreadable",
            exporter="backup",
            expression="backup_place_up{$backup} == 0",
            pending=1800,
            severity="warning",
            summary="Nobody knows what backups there are in {{ $labels.region }}",
            description="The backup exporter can't read the place of the {{ $labels.kind }} {{ $labels.target }} in "
            "{{ $labels.region }} (up is {{ $value }}), while another one can be read: a copy there may be old, broken "
            "or gone without anybody seeing it.",
            promises=("backup-recovery",),
            cases=(
                Breach(
                    series={_UP: gauge(1, 0), _FAR: gauge(900, None)},
                    labels={**_LABELS, "region": "eu-west-1"},
                    value=0,
                    says="The backup exporter can't read the place of the database shop in eu-west-1 (up is 0), while "
                    "another one can be read: a copy there may be old, broken or gone without anybody seeing it.",
                ),
                Quiet(
                    name="a place that can be read, and is far behind",
                    series={_UP: steady(1), _FAR: steady(10_000)},
                ),
            ),
        ),
        *backups_cluster.ALERTS,
        *backups_restore.ALERTS,
    ),
)
