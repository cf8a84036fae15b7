"""The rows of PostgreSQL's copies and of its upkeep: replicas, slots, the archive of its WAL, vacuum, memory."""

from __future__ import annotations

from sla_kit.dashboards.vocabulary import State, alert_limit, column, query, row, runbook, states, table, timeseries

#: How far replicas are behind; a primary that was one once still tells of it.
LAG = """
    pg_replication_lag_seconds{$postgres}
    and on (instance, $keep) pg_replication_is_replica{$postgres} == 1
"""
_TABLE = "instance, datname, schemaname, relname, $keep"
_DEAD = f"max by ({_TABLE}) (pg_stat_user_tables_n_dead_tup{{$postgres}})"
_LIVE = f"max by ({_TABLE}) (pg_stat_user_tables_n_live_tup{{$postgres}})"
_WORST = f"and on ({_TABLE}) topk(10, {_DEAD})"
#: Without what all databases share, which has no name.
_HIT, _READ = (
    f'sum by (instance, datname, $keep) (rate(pg_stat_database_{each}{{$postgres, datname!=""}}[$__rate_interval]))'
    for each in ("blks_hit", "blks_read")
)

ROWS = (
    row(
        "Replicas and archive",
        timeseries(
            "Replication lag",
            query(LAG, "{{instance}}"),
            unit="s",
            width=12,
            minimum=0,
            limits=(alert_limit("PostgresReplicationLag", "seconds"),),
            no_value="no replica",
            description="How far each replica is behind its primary. Under a second is normal. It reads 0 on a replica "
            "that receives nothing any more: look at what was replayed last as well.",
        ),
        timeseries(
            "Last replayed",
            query(
                """
                pg_replication_last_replay_seconds{$postgres}
                and on (instance, $keep) pg_replication_is_replica{$postgres} == 1
                """,
                "{{instance}}",
            ),
            unit="s",
            width=12,
            minimum=0,
            limits=(alert_limit("PostgresReplicationStopped", "seconds"),),
            no_value="no replica",
            description="How old the last transaction is that each replica replayed. It follows the lag while somebody "
            "writes; a straight climb meanwhile is a replica that is cut off.",
        ),
        timeseries(
            "WAL kept for slots",
            query(
                """
                topk(8, max by (instance, slot_name, $keep) (
                  pg_replication_slots_pg_wal_lsn_diff{$postgres} >= 0
                ))
                """,
                "{{slot_name}} at {{instance}}",
            ),
            unit="bytes",
            width=12,
            minimum=0,
            limits=(alert_limit("PostgresSlotKeepsWal", "bytes"),),
            no_value="no slot in use",
            description="How much WAL a primary keeps because a slot's reader has not fetched it yet. What climbs "
            "without end fills the disk: drop the slot of a reader that won't come back.",
        ),
        timeseries(
            "WAL segments archived",
            query(
                "sum(increase(pg_stat_archiver_archived_count{$postgres}[$__rate_interval]))", "archived", color="blue"
            ),
            query("sum(increase(pg_stat_archiver_failed_count{$postgres}[$__rate_interval]))", "failed", color="red"),
            unit="short",
            width=12,
            minimum=0,
            bars=True,
            links=(runbook("PostgresArchivingFailing"),),
            description="Segments of WAL that reached the archive, and attempts that failed. A failure that is retried "
            "does no harm; where none succeeds there is nothing to restore from.",
        ),
    ),
    row(
        "Upkeep",
        timeseries(
            "Oldest unfrozen transaction",
            query(
                """
                max by (instance, datname, $keep) (pg_database_wraparound_age_datfrozenxid_seconds{$postgres})
                """,
                "{{datname}} at {{instance}}",
            ),
            unit="short",
            width=8,
            minimum=0,
            limits=(
                alert_limit("PostgresTransactionsUnfrozen", "transactions"),
                alert_limit("PostgresWraparoundNear", "transactions"),
            ),
            description="How many transactions ago the oldest one began that vacuum has not frozen yet. Autovacuum "
            "freezes at 200 million; at 2.1 billion the database refuses all writes. Needs the exporter's collector "
            "database_wraparound.",
        ),
        timeseries(
            "Blocks found in memory",
            query(f"{_HIT}\n/ on (instance, datname, $keep) ({_HIT} + {_READ} > 0)", "{{datname}} at {{instance}}"),
            unit="percentunit",
            width=8,
            maximum=1,
            limits=(alert_limit("PostgresCacheMisses", "ratio", "below"),),
            description="How many of the blocks that queries read were in shared buffers. It dips after a restart and "
            "during dumps; a lasting drop is a working set that has outgrown its memory.",
        ),
        timeseries(
            "Size of databases",
            query(
                "topk(8, max by (instance, datname, $keep) (pg_database_size_bytes{$postgres}))",
                "{{datname}} at {{instance}}",
            ),
            unit="bytes",
            width=8,
            minimum=0,
            description="What each database takes on disk, of the eight largest. A step up is an import or a table "
            "that is rewritten.",
        ),
        table(
            "Tables with most dead rows",
            query(f"topk(10, {_DEAD})", "Dead rows"),
            query(f"({_DEAD} / ({_DEAD} + {_LIVE} > 0)) {_WORST}", "Share"),
            query(
                f"(time() - (max by ({_TABLE}) (pg_stat_user_tables_last_autovacuum{{$postgres}}) > 0)) {_WORST}",
                "Vacuumed",
            ),
            description="Rows that were updated or deleted and still take their place, and how long ago autovacuum "
            "last came. A fifth of a table is normal; more with a vacuum long ago is one that can't get through.",
            columns=(
                column("relname", "Table"),
                column("datname", "Database"),
                column("schemaname", "Schema", hidden=True),
                column("instance", "Instance"),
                column("Dead rows", unit="short", decimals=0),
                column("Share", unit="percentunit", decimals=1, limits=(alert_limit("PostgresDeadRows", "ratio"),)),
                column("Vacuumed", "Vacuumed ago", unit="dtdurations"),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Dead rows",
            width=16,
        ),
        states(
            "What the exporter collects",
            query("min by (collector, $keep) (pg_scrape_collector_success{$postgres})", "{{collector}}"),
            states={"1": State(text="collected", meaning="good"), "0": State(text="failing", meaning="critical")},
            links=(runbook("PostgresCollectorFailing"),),
            description="Whether each of the exporter's collectors succeeds on all chosen instances. What a failing "
            "one should tell is missing above.",
            width=8,
        ),
    ),
)
