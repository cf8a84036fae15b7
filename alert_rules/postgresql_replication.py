"""PostgreSQL's copies: replicas that keep up, slots that don't fill the disk, WAL that reaches its archive."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, Values, counter, counting, gauge, steady

_PRIMARY = '$postgres, instance="db-0:9187"'
_REPLICA = '$postgres, instance="db-1:9187"'
_LAG = f"pg_replication_lag_seconds{{{_REPLICA}}}"
_REPLAY = f"pg_replication_last_replay_seconds{{{_REPLICA}}}"
_IS_REPLICA = f"pg_replication_is_replica{{{_REPLICA}}}"
_IS_PRIMARY = f"pg_replication_is_replica{{{_PRIMARY}}}"
_WRITTEN = f'pg_stat_database_tup_inserted{{{_PRIMARY}, datname="shop"}}'
_UPDATED = f'pg_stat_database_tup_updated{{{_PRIMARY}, datname="shop"}}'
_DELETED = f'pg_stat_database_tup_deleted{{{_PRIMARY}, datname="shop"}}'
_SLOT = f'pg_replication_slots_pg_wal_lsn_diff{{{_PRIMARY}, slot_name="db_1"}}'
_ARCHIVED = f"pg_stat_archiver_archived_count{{{_PRIMARY}}}"
_FAILED = f"pg_stat_archiver_failed_count{{{_PRIMARY}}}"
_AGE = f"pg_stat_archiver_last_archive_age{{{_PRIMARY}}}"
_TIMEOUT = f"pg_settings_archive_timeout_seconds{{{_PRIMARY}}}"

#: Rows a second that somebody writes; only a primary counts any.
_WRITES = """
    rate(pg_stat_database_tup_inserted{$postgres}[15m])
      + rate(pg_stat_database_tup_updated{$postgres}[15m])
      + rate(pg_stat_database_tup_deleted{$postgres}[15m])
"""


def _busy(t: Values) -> float:
    """Rows a minute of a primary that has much to do."""
    return t.rows * 3000


HEALTHY = {
    f"pg_replication_lag_seconds{{{_PRIMARY}}}": steady(0),
    _IS_PRIMARY: steady(0),
    f"pg_replication_last_replay_seconds{{{_PRIMARY}}}": steady(0),
    _LAG: steady(0.3),
    _IS_REPLICA: steady(1),
    _REPLAY: steady(1.2),
    _WRITTEN: counting(3000),
    _UPDATED: counting(1200),
    _DELETED: counting(30),
    _SLOT: steady(40_000),
    # A slot that nobody has used yet.
    f'pg_replication_slots_pg_wal_lsn_diff{{{_PRIMARY}, slot_name="new"}}': steady(float("nan")),
    _ARCHIVED: counting(1),
    _FAILED: counting(0),
    _AGE: steady(45),
    f"pg_stat_archiver_last_archive_age{{{_REPLICA}}}": steady(float("nan")),
    _TIMEOUT: steady(60),
    f"pg_settings_archive_timeout_seconds{{{_REPLICA}}}": steady(60),
}

ALERTS = (
    Alert(
        name="PostgresReplicationLag",
        exporter="postgres",
        expression="""
            pg_replication_lag_seconds{$postgres} > $seconds
              and on ($keep, job, instance) pg_replication_is_replica{$postgres} == 1
        """,
        thresholds={"seconds": Threshold(30, "seconds", "how far a replica may be behind its primary")},
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="The replica at {{ $labels.instance }} is behind",
        description="The PostgreSQL replica at {{ $labels.instance }} is {{ $value | humanizeDuration }} behind its "
        "primary, over [[seconds]]: its readers see old data, and a failover to it would lose that much.",
        promises=("recovery-time", "backup-recovery"),
        inhibited_by=("PostgresReplicationStopped",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={
                    _LAG: gauge(0.3, lambda t: t.seconds * 2, near=lambda t: t.seconds),
                    _IS_REPLICA: steady(1),
                },
                labels={"job": "$postgres", "instance": "db-1:9187"},
                value=lambda t: t.seconds * 2,
                says="The PostgreSQL replica at db-1:9187 is 1m 0s behind its primary, over 30s: its readers see old "
                "data, and a failover to it would lose that much.",
            ),
            Quiet(name="a primary that was once a replica", series={_LAG: steady(9000), _IS_REPLICA: steady(0)}),
        ),
    ),
    Alert(
        name="PostgresReplicationStopped",
        exporter="postgres",
        # The lag itself reads 0 on a replica that receives nothing; what it replayed last then grows old, as it does
        # where nobody writes.
        # Nothing tells whose replica it is: where a job has several primaries the quietest of them has to write.
        expression=f"""
            pg_replication_last_replay_seconds{{$postgres}} > $seconds
              and on ($keep, job, instance) pg_replication_is_replica{{$postgres}} == 1
              and on ($keep, job) min by ($keep, job) (
                sum by ($keep, job, instance) ({_WRITES})
                  and on ($keep, job, instance) pg_replication_is_replica{{$postgres}} == 0
              ) > $rows
        """,
        thresholds={
            "seconds": Threshold(900, "seconds", "how old the last replayed transaction may be while others write"),
            "rows": Threshold(1, "count", "how many rows a second are written at least, for that to mean anything"),
        },
        pending=300,
        severity="critical",
        summary="The replica at {{ $labels.instance }} replays nothing",
        description="The PostgreSQL replica at {{ $labels.instance }} replayed its last transaction "
        "{{ $value | humanizeDuration }} ago, over [[seconds]], though its primary writes: there is nothing to fail "
        "over to.",
        promises=("availability", "recovery-time"),
        cases=(
            Breach(
                series={
                    _REPLAY: gauge(1.2, lambda t: t.seconds * 2, near=lambda t: t.seconds),
                    _IS_REPLICA: steady(1),
                    _IS_PRIMARY: steady(0),
                    _WRITTEN: counting(lambda t: t.rows * 3000),
                    _UPDATED: counting(lambda t: t.rows * 1200),
                    _DELETED: counting(lambda t: t.rows * 30),
                    **{each.replace("db-0", "db-1"): counting(0) for each in (_WRITTEN, _UPDATED, _DELETED)},
                },
                labels={"job": "$postgres", "instance": "db-1:9187"},
                value=lambda t: t.seconds * 2,
                says="The PostgreSQL replica at db-1:9187 replayed its last transaction 30m 0s ago, over 15m, though "
                "its primary writes: there is nothing to fail over to.",
            ),
            Quiet(
                name="a primary that was a replica once",
                series={
                    _REPLAY.replace("db-1", "db-0"): steady(90000),
                    _IS_PRIMARY: steady(0),
                    _WRITTEN: counting(_busy),
                    _UPDATED: counting(_busy),
                    _DELETED: counting(_busy),
                },
            ),
            Quiet(
                name="another primary of the job writes, its own does not",
                series={
                    _REPLAY: steady(90000),
                    _IS_REPLICA: steady(1),
                    _IS_PRIMARY: steady(0),
                    **{
                        series.replace("db-0", instance): counting(_busy if busy else 0)
                        for series in (_WRITTEN, _UPDATED, _DELETED)
                        for instance, busy in (("db-0", 0), ("db-7", 1))
                    },
                    _IS_PRIMARY.replace("db-0", "db-7"): steady(0),
                },
            ),
            Quiet(
                name="next to nobody writes",
                series={
                    _REPLAY: steady(90000),
                    _IS_REPLICA: steady(1),
                    _IS_PRIMARY: steady(0),
                    _WRITTEN: counting(lambda t: t.rows * 54),
                    _UPDATED: counting(0),
                    _DELETED: counting(0),
                },
            ),
        ),
    ),
    Alert(
        name="PostgresSlotKeepsWal",
        exporter="postgres",
        expression="max by ($keep, job, instance, slot_name) "
        "(pg_replication_slots_pg_wal_lsn_diff{$postgres}) > $bytes",
        thresholds={"bytes": Threshold(10 * 2**30, "bytes", "how much WAL may be kept for one slot")},
        pending=600,
        severity="warning",
        summary="Slot {{ $labels.slot_name }} at {{ $labels.instance }} keeps WAL",
        description="PostgreSQL at {{ $labels.instance }} keeps {{ $value | humanize1024 }}B of WAL for the "
        "replication slot {{ $labels.slot_name }}, over [[bytes]], and goes on until its disk is full.",
        promises=("availability",),
        cases=(
            Breach(
                series={_SLOT: gauge(40_000, lambda t: t.bytes * 2, near=lambda t: t.bytes)},
                labels={"job": "$postgres", "instance": "db-0:9187", "slot_name": "db_1"},
                value=lambda t: t.bytes * 2,
                says="PostgreSQL at db-0:9187 keeps 20GiB of WAL for the replication slot db_1, over 10 GiB, and goes "
                "on until its disk is full.",
            ),
        ),
    ),
    Alert(
        name="PostgresArchivingFailing",
        exporter="postgres",
        expression="""
            sum by ($keep, job, instance) (increase(pg_stat_archiver_failed_count{$postgres}[$window])) > 0
              unless on ($keep, job, instance)
            sum by ($keep, job, instance) (increase(pg_stat_archiver_archived_count{$postgres}[$window])) > 0
        """,
        thresholds={"window": Threshold(900, "window", "in which not one attempt succeeded")},
        pending=300,
        severity="critical",
        summary="PostgreSQL at {{ $labels.instance }} can't archive its WAL",
        description='{{ $value | printf "%.0f" }} attempts of PostgreSQL at {{ $labels.instance }} to archive WAL '
        "failed in [[window]] and none succeeded: what is written now can't be restored to a point in time, and the "
        "disk fills.",
        promises=("backup-recovery", "availability"),
        cases=(
            Breach(
                series={_FAILED: counter(0, 2, start=1000), _ARCHIVED: counting(0, start=1000)},
                labels={"job": "$postgres", "instance": "db-0:9187"},
                settles=900,
                value=lambda t: t.window / 30,
                says="30 attempts of PostgreSQL at db-0:9187 to archive WAL failed in 15m and none succeeded: what is "
                "written now can't be restored to a point in time, and the disk fills.",
            ),
            Quiet(
                name="some attempts fail, others succeed",
                series={_FAILED: counting(1, start=1000), _ARCHIVED: counting(1, start=1000)},
            ),
        ),
    ),
    Alert(
        name="PostgresArchivingStalled",
        exporter="postgres",
        expression=f"""
            pg_stat_archiver_last_archive_age{{$postgres}} > $seconds
              and on ($keep, job, instance) pg_settings_archive_timeout_seconds{{$postgres}} > 0
              and on ($keep, job, instance) sum by ($keep, job, instance) ({_WRITES}) > 0
        """,
        thresholds={"seconds": Threshold(1800, "seconds", "how old the newest archived WAL may be")},
        pending=300,
        severity="warning",
        summary="PostgreSQL at {{ $labels.instance }} has archived nothing for long",
        description="PostgreSQL at {{ $labels.instance }} archived WAL {{ $value | humanizeDuration }} ago for the "
        "last time, over [[seconds]], though it is written to: so much would be lost.",
        promises=("backup-recovery",),
        inhibited_by=("PostgresArchivingFailing",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={
                    _AGE: gauge(45, lambda t: t.seconds * 2, near=lambda t: t.seconds),
                    _TIMEOUT: steady(60),
                    _WRITTEN: counting(3000),
                    _UPDATED: counting(1200),
                    _DELETED: counting(30),
                },
                labels={"job": "$postgres", "instance": "db-0:9187"},
                value=lambda t: t.seconds * 2,
                says="PostgreSQL at db-0:9187 archived WAL 1h 0m 0s ago for the last time, over 30m, though it is "
                "written to: so much would be lost.",
            ),
            Quiet(
                name="nobody writes",
                series={
                    _AGE: steady(90000),
                    _TIMEOUT: steady(60),
                    _WRITTEN: counting(0),
                    _UPDATED: counting(0),
                    _DELETED: counting(0),
                },
            ),
            Quiet(
                name="segments are archived only when they are full",
                series={
                    _AGE: steady(90000),
                    _TIMEOUT: steady(0),
                    _WRITTEN: counting(3),
                    _UPDATED: counting(0),
                    _DELETED: counting(0),
                },
            ),
        ),
    ),
)
