"""What PostgreSQL needs to stay healthy for years: vacuum in time, and memory for what is read most."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_DB = '$postgres, instance="db-0:9187", datname="shop"'
_AGE = f"pg_database_wraparound_age_datfrozenxid_seconds{{{_DB}}}"
_TABLE = f'{_DB}, schemaname="public", relname="orders"'
_DEAD = f"pg_stat_user_tables_n_dead_tup{{{_TABLE}}}"
_LIVE = f"pg_stat_user_tables_n_live_tup{{{_TABLE}}}"
_HIT = f"pg_stat_database_blks_hit{{{_DB}}}"
_READ = f"pg_stat_database_blks_read{{{_DB}}}"

HEALTHY = {
    _AGE: steady(120_000_000),
    _DEAD: steady(40_000),
    _LIVE: steady(900_000),
    # A table that is emptied all the time has few rows, and more dead ones than living.
    f'pg_stat_user_tables_n_dead_tup{{{_DB}, schemaname="public", relname="queue"}}': steady(700),
    f'pg_stat_user_tables_n_live_tup{{{_DB}, schemaname="public", relname="queue"}}': steady(10),
    _HIT: counting(600_000),
    _READ: counting(2_000),
}

ALERTS = (
    Alert(
        name="PostgresTransactionsUnfrozen",
        exporter="postgres",
        expression="max by ($keep, job, instance, datname) "
        "(pg_database_wraparound_age_datfrozenxid_seconds{$postgres}) > $transactions",
        thresholds={
            "transactions": Threshold(500_000_000, "count", "how old the oldest unfrozen transaction may be, counted")
        },
        pending=900,
        severity="warning",
        summary="Vacuum does not keep up in {{ $labels.datname }}",
        description="The oldest unfrozen transaction of {{ $labels.datname }} at {{ $labels.instance }} is "
        "{{ $value | humanize }} transactions old: autovacuum should have frozen it at 200M.",
        promises=("availability",),
        inhibited_by=("PostgresWraparoundNear",),
        inhibition_labels=("cluster", "instance", "datname"),
        cases=(
            Breach(
                series={
                    _AGE: gauge(120_000_000, lambda t: t.transactions * 1.2, near=lambda t: t.transactions * 0.999)
                },
                labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                value=lambda t: t.transactions * 1.2,
                says="The oldest unfrozen transaction of shop at db-0:9187 is 600M transactions old: autovacuum should "
                "have frozen it at 200M.",
            ),
        ),
    ),
    Alert(
        name="PostgresWraparoundNear",
        exporter="postgres",
        expression="max by ($keep, job, instance, datname) "
        "(pg_database_wraparound_age_datfrozenxid_seconds{$postgres}) > $transactions",
        thresholds={
            "transactions": Threshold(1_500_000_000, "count", "how old the oldest unfrozen transaction may be, counted")
        },
        pending=300,
        severity="critical",
        summary="{{ $labels.datname }} is about to refuse all writes",
        description="The oldest unfrozen transaction of {{ $labels.datname }} at {{ $labels.instance }} is "
        "{{ $value | humanize }} transactions old; at 2.1G PostgreSQL stops writing to protect its data.",
        promises=("availability",),
        cases=(
            Breach(
                series={
                    _AGE: gauge(120_000_000, lambda t: t.transactions * 1.2, near=lambda t: t.transactions * 0.999)
                },
                labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                value=lambda t: t.transactions * 1.2,
                says="The oldest unfrozen transaction of shop at db-0:9187 is 1.8G transactions old; at 2.1G "
                "PostgreSQL stops writing to protect its data.",
            ),
        ),
    ),
    Alert(
        name="PostgresDeadRows",
        exporter="postgres",
        expression="""
            pg_stat_user_tables_n_dead_tup{$postgres} > $rows
              and
            pg_stat_user_tables_n_dead_tup{$postgres}
              / (pg_stat_user_tables_n_dead_tup{$postgres} + pg_stat_user_tables_n_live_tup{$postgres}) > $ratio
        """,
        thresholds={
            "rows": Threshold(100_000, "count", "how many dead rows a table may hold whatever its size"),
            "ratio": Threshold(0.3, "ratio", "how many of a table's rows may be dead"),
        },
        pending=3600,
        severity="info",
        summary="{{ $labels.relname }} is full of dead rows",
        description="The table {{ $labels.schemaname }}.{{ $labels.relname }} of {{ $labels.datname }} at "
        "{{ $labels.instance }} holds {{ $value | humanize }} dead rows, over [[rows]] and over [[ratio]] of all.",
        promises=("response-time",),
        cases=(
            Breach(
                series={
                    _DEAD: gauge(4_000, lambda t: t.rows * 4, near=lambda t: t.rows),
                    _LIVE: steady(lambda t: t.rows * 4 * (1 - t.ratio) / t.ratio * 0.9),
                },
                labels={
                    "job": "$postgres",
                    "instance": "db-0:9187",
                    "datname": "shop",
                    "schemaname": "public",
                    "relname": "orders",
                },
                value=lambda t: t.rows * 4,
                says="The table public.orders of shop at db-0:9187 holds 400k dead rows, over 100000 and over 30 % of "
                "all.",
            ),
            Quiet(
                name="a huge table",
                series={_DEAD: steady(7_000_000), _LIVE: steady(lambda t: 7_000_000 * (1 - t.ratio) / t.ratio * 1.1)},
            ),
            Quiet(name="a small table", series={_DEAD: steady(lambda t: t.rows * 0.9), _LIVE: steady(10)}),
        ),
    ),
    Alert(
        name="PostgresCacheMisses",
        exporter="postgres",
        expression="""
            sum by ($keep, job, instance, datname) (rate(pg_stat_database_blks_hit{$postgres}[$window]))
              / on ($keep, job, instance, datname)
            (
              sum by ($keep, job, instance, datname) (rate(pg_stat_database_blks_hit{$postgres}[$window]))
                + on ($keep, job, instance, datname)
              sum by ($keep, job, instance, datname) (rate(pg_stat_database_blks_read{$postgres}[$window])) > $blocks
            ) < $ratio
        """,
        thresholds={
            "ratio": Threshold(0.95, "ratio", "how many blocks should be found in memory"),
            "blocks": Threshold(500, "count", "how many blocks a second are read at least, for that to mean anything"),
            "window": Threshold(900, "window", "over which blocks are counted"),
        },
        pending=1800,
        severity="warning",
        summary="{{ $labels.datname }} reads from disk what should be in memory",
        description="{{ $value | humanizePercentage }} of the blocks that {{ $labels.datname }} at "
        "{{ $labels.instance }} reads are in memory, below [[ratio]].",
        promises=("response-time",),
        cases=(
            Breach(
                series={
                    _HIT: counter(
                        60_000, lambda t: 60_000 * (t.ratio - 0.1), near=lambda t: 60_000 * (t.ratio + 0.004)
                    ),
                    _READ: counter(300, lambda t: 60_000 * (1.1 - t.ratio), near=lambda t: 60_000 * (0.996 - t.ratio)),
                },
                labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                lag=240,  # five bad minutes among the window's fifteen
                settles=900,
                value=lambda t: t.ratio - 0.1,
                says="85% of the blocks that shop at db-0:9187 reads are in memory, below 95 %.",
            ),
            Quiet(
                name="a database that reads little",
                series={_HIT: counting(lambda t: t.blocks * 28), _READ: counting(lambda t: t.blocks * 28)},
            ),
        ),
    ),
)
