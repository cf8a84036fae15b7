"""PostgreSQL: whether it answers, has connections left, and gets its queries done. Replication and archiving are in
`postgresql_replication`, what it needs to stay healthy for years in `postgresql_upkeep`."""

from __future__ import annotations

from sla_kit.alert_rules import postgresql_replication, postgresql_upkeep
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady

_DB = '$postgres, instance="db-0:9187"'
_UP = f"pg_up{{{_DB}}}"
_SHOP = f'{_DB}, datname="shop"'
#: A backend as exporters since 0.17 describe it; older ones leave these labels out.
_CLIENT = f'{_SHOP}, application_name="api", backend_type="client backend"'
_SESSIONS = f'pg_stat_activity_count{{{_CLIENT}, state="active"}}'
_BLOCKED = f'pg_stat_activity_count{{{_CLIENT}, state="active", wait_event_type="Lock"}}'
_DUMP = f'{_SHOP}, application_name="pg_dump", backend_type="client backend", state="active"'
_MAX = f"pg_settings_max_connections{{{_DB}}}"
_RESERVED = f"pg_settings_superuser_reserved_connections{{{_DB}}}"
_WAITING = 'pgbouncer_pools_client_maxwait_seconds{$pgbouncer, instance="pool-0:9127", database="shop", user="api"}'

#: Sessions among those that may connect: a few are kept back for superusers.
_USED = """
    sum by ($keep, job, instance) (pg_stat_activity_count{$postgres})
      / on ($keep, job, instance)
    (
      max by ($keep, job, instance) (pg_settings_max_connections{$postgres})
        - on ($keep, job, instance)
      max by ($keep, job, instance) (pg_settings_superuser_reserved_connections{$postgres})
    ) > $ratio
"""

AREA = Area(
    name="postgresql",
    title="PostgreSQL (postgres_exporter, pgbouncer_exporter)",
    dashboard="postgresql",
    healthy={
        _UP: steady(1),
        **{
            f'pg_stat_activity_count{{{_CLIENT}, state="{state}"}}': steady(count)
            for state, count in {
                "active": 3,
                "idle": 20,
                "idle in transaction": 1,
                "idle in transaction (aborted)": 0,
                "fastpath function call": 0,
                "disabled": 0,
            }.items()
        },
        **{
            f'pg_stat_activity_max_tx_duration{{{_CLIENT}, state="{state}"}}': steady(seconds)
            for state, seconds in {
                "active": 0.4,
                "idle": 0,
                "idle in transaction": 0.1,
                "idle in transaction (aborted)": 0,
                "fastpath function call": 0,
                "disabled": 0,
            }.items()
        },
        # A nightly dump reads for hours in one transaction, and may.
        f"pg_stat_activity_max_tx_duration{{{_DUMP}}}": steady(7200),
        f'pg_stat_activity_max_tx_duration{{{_DB}, state="active", backend_type="walsender"}}': steady(0),
        _BLOCKED: steady(1),
        _MAX: steady(100),
        _RESERVED: steady(3),
        f"pg_stat_database_deadlocks{{{_SHOP}}}": counting(0.01),
        _WAITING: steady(0),
        **{
            f'pg_scrape_collector_success{{{_DB}, collector="{name}"}}': steady(1)
            for name in ("database", "locks", "replication", "stat_database", "stat_user_tables", "wal")
        },
        **postgresql_replication.HEALTHY,
        **postgresql_upkeep.HEALTHY,
    },
    alerts=(
        Alert(
            name="PostgresDown",
            exporter="postgres",
            expression="pg_up{$postgres} == 0",
            pending=60,
            keep_firing_for=180,
            severity="critical",
            summary="PostgreSQL at {{ $labels.instance }} does not answer",
            description="The exporter at {{ $labels.instance }} can't connect to its PostgreSQL (job {{ $labels.job "
            "}}, pg_up is {{ $value }}).",
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={_UP: gauge(1, 0)},
                    labels={"job": "$postgres", "instance": "db-0:9187"},
                    value=0,
                    says="The exporter at db-0:9187 can't connect to its PostgreSQL (job postgres, pg_up is 0).",
                ),
            ),
        ),
        Alert(
            name="PostgresMissing",
            exporter="postgres",
            # The sum drops the job, which absent tells only where there is a single one.
            expression="sum(absent_over_time(pg_up{$postgres}[$window])) > 0",
            thresholds={"window": Threshold(600, "window", "how long nothing may be known of PostgreSQL")},
            severity="warning",
            summary="Nothing is known of PostgreSQL",
            description="For [[window]] no exporter has told whether PostgreSQL is up: it is not scraped, or its "
            "name in the catalogue is another. All other alerts of PostgreSQL are blind meanwhile.",
            missing_fires=True,
            promises=("availability",),
            cases=(
                Breach(
                    series={_UP: gauge(1, None)},
                    labels={},
                    value=1,
                    lag=600,  # the last sample, a minute before, has left the window
                    clears=0,
                    keeps=False,
                    says="For 10m no exporter has told whether PostgreSQL is up: it is not scraped, or its name in the "
                    "catalogue is another. All other alerts of PostgreSQL are blind meanwhile.",
                ),
                Quiet(name="down, but known to be", series={_UP: steady(0)}),
            ),
        ),
        Alert(
            name="PostgresConnectionsHigh",
            exporter="postgres",
            expression=_USED,
            thresholds={"ratio": Threshold(0.8, "ratio", "how many of the connections may be in use")},
            pending=300,
            severity="warning",
            summary="PostgreSQL at {{ $labels.instance }} runs out of connections",
            description="{{ $value | humanizePercentage }} of the connections that PostgreSQL at "
            "{{ $labels.instance }} allows are in use, over [[ratio]].",
            promises=("availability", "error-rate"),
            inhibited_by=("PostgresConnectionsExhausted",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={
                        _SESSIONS: gauge(23, lambda t: t.ratio * 97 * 1.02, near=lambda t: t.ratio * 97 * 0.99),
                        _MAX: steady(100),
                        _RESERVED: steady(3),
                    },
                    labels={"job": "$postgres", "instance": "db-0:9187"},
                    value=lambda t: t.ratio * 1.02,
                    says="81.6% of the connections that PostgreSQL at db-0:9187 allows are in use, over 80 %.",
                ),
            ),
        ),
        Alert(
            name="PostgresConnectionsExhausted",
            exporter="postgres",
            expression=_USED,
            thresholds={"ratio": Threshold(0.95, "ratio", "how many of the connections may be in use")},
            pending=120,
            keep_firing_for=300,
            severity="critical",
            summary="PostgreSQL at {{ $labels.instance }} has next to no connections left",
            description="{{ $value | humanizePercentage }} of the connections that PostgreSQL at "
            "{{ $labels.instance }} allows are in use, over [[ratio]]: new ones are about to be refused.",
            promises=("availability", "error-rate"),
            inhibited_by=("PostgresDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={
                        _SESSIONS: gauge(23, lambda t: t.ratio * 97 * 1.02, near=lambda t: t.ratio * 97 * 0.99),
                        _MAX: steady(100),
                        _RESERVED: steady(3),
                    },
                    labels={"job": "$postgres", "instance": "db-0:9187"},
                    value=lambda t: t.ratio * 1.02,
                    says="96.9% of the connections that PostgreSQL at db-0:9187 allows are in use, over 95 %: new ones "
                    "are about to be refused.",
                ),
            ),
        ),
        Alert(
            name="PgbouncerClientsWaiting",
            exporter="pgbouncer",
            expression="max by ($keep, job, instance, database, user) "
            "(pgbouncer_pools_client_maxwait_seconds{$pgbouncer}) > $seconds",
            thresholds={"seconds": Threshold(2, "seconds", "how long a client may wait for a connection of the pool")},
            pending=120,
            keep_firing_for=300,
            severity="warning",
            summary="Clients wait for a connection to {{ $labels.database }}",
            description="The first in the queue of {{ $labels.user }}@{{ $labels.database }} at "
            "{{ $labels.instance }} has waited {{ $value | humanizeDuration }} for a connection, over [[seconds]].",
            promises=("response-time",),
            cases=(
                Breach(
                    series={_WAITING: gauge(0, lambda t: t.seconds * 3, near=lambda t: t.seconds)},
                    labels={"job": "$pgbouncer", "instance": "pool-0:9127", "database": "shop", "user": "api"},
                    value=lambda t: t.seconds * 3,
                    says="The first in the queue of api@shop at pool-0:9127 has waited 6s for a connection, over 2s.",
                ),
            ),
        ),
        Alert(
            name="PostgresSlowQueries",
            exporter="postgres",
            expression="""
                max by ($keep, job, instance, datname) (
                  pg_stat_activity_max_tx_duration{
                    $postgres, state="active", backend_type=~"client backend|",
                    application_name!~"pg_dump.*|pg_basebackup.*|pgbackrest.*|wal-g.*"
                  }
                ) > $seconds
            """,
            thresholds={"seconds": Threshold(300, "seconds", "how long a statement's transaction may take")},
            pending=60,
            severity="warning",
            summary="A query in {{ $labels.datname }} runs on and on",
            description="A transaction in {{ $labels.datname }} at {{ $labels.instance }} has been at work for "
            "{{ $value | humanizeDuration }}, over [[seconds]]; dumps and base backups are not counted.",
            promises=("response-time",),
            inhibited_by=("PostgresDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={
                        f'pg_stat_activity_max_tx_duration{{{_CLIENT}, state="active"}}': gauge(
                            0.4, lambda t: t.seconds * 2, near=lambda t: t.seconds
                        )
                    },
                    labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                    value=lambda t: t.seconds * 2,
                    says="A transaction in shop at db-0:9187 has been at work for 10m 0s, over 5m; dumps and base "
                    "backups are not counted.",
                ),
                Breach(
                    name="told by an old exporter",
                    series={
                        f'pg_stat_activity_max_tx_duration{{{_SHOP}, state="active"}}': gauge(
                            0.4, lambda t: t.seconds * 2
                        )
                    },
                    labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                    value=lambda t: t.seconds * 2,
                    says="A transaction in shop at db-0:9187 has been at work for 10m 0s, over 5m; dumps and base "
                    "backups are not counted.",
                ),
                Quiet(
                    name="the nightly dump and a vacuum",
                    series={
                        f"pg_stat_activity_max_tx_duration{{{_DUMP}}}": steady(7200),
                        f'pg_stat_activity_max_tx_duration{{{_SHOP}, backend_type="autovacuum worker", '
                        'state="active"}': steady(9000),
                    },
                ),
            ),
        ),
        Alert(
            name="PostgresIdleInTransaction",
            exporter="postgres",
            expression="max by ($keep, job, instance, datname) "
            '(pg_stat_activity_max_tx_duration{$postgres, state=~"idle in transaction.*"}) > $seconds',
            thresholds={"seconds": Threshold(600, "seconds", "how long a transaction may stay open doing nothing")},
            pending=60,
            severity="warning",
            summary="A transaction in {{ $labels.datname }} is open and idle",
            description="A session in {{ $labels.datname }} at {{ $labels.instance }} has held its transaction open "
            "for {{ $value | humanizeDuration }} without doing anything, over [[seconds]].",
            promises=("response-time",),
            inhibited_by=("PostgresDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={
                        f'pg_stat_activity_max_tx_duration{{{_CLIENT}, state="idle in transaction"}}': gauge(
                            0.1, lambda t: t.seconds * 1.5, near=lambda t: t.seconds
                        )
                    },
                    labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                    value=lambda t: t.seconds * 1.5,
                    says="A session in shop at db-0:9187 has held its transaction open for 15m 0s without doing "
                    "anything, over 10m.",
                ),
                Quiet(
                    name="an idle session without a transaction",
                    series={f'pg_stat_activity_max_tx_duration{{{_CLIENT}, state="idle"}}': steady(90000)},
                ),
            ),
        ),
        Alert(
            name="PostgresLockWaits",
            exporter="postgres",
            expression="sum by ($keep, job, instance, datname) "
            '(pg_stat_activity_count{$postgres, wait_event_type="Lock"}) > $sessions',
            thresholds={"sessions": Threshold(5, "count", "how many sessions may wait for another's lock")},
            pending=180,
            keep_firing_for=300,
            severity="warning",
            summary="Sessions in {{ $labels.datname }} wait for locks",
            description='{{ $value | printf "%.0f" }} sessions in {{ $labels.datname }} at {{ $labels.instance }} wait '
            "for a lock that another holds, over [[sessions]].",
            promises=("response-time", "availability"),
            inhibited_by=("PostgresDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={_BLOCKED: gauge(1, lambda t: t.sessions * 4, near=lambda t: t.sessions)},
                    labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                    value=lambda t: t.sessions * 4,
                    says="20 sessions in shop at db-0:9187 wait for a lock that another holds, over 5.",
                ),
                Quiet(name="busy without waiting", series={_SESSIONS: steady(60)}),
            ),
        ),
        Alert(
            name="PostgresDeadlocks",
            exporter="postgres",
            expression="sum by ($keep, job, instance, datname) "
            "(increase(pg_stat_database_deadlocks{$postgres}[$window])) > $deadlocks",
            thresholds={
                "deadlocks": Threshold(3, "count", "how many deadlocks are taken for bad luck"),
                "window": Threshold(900, "window", "in which they are counted"),
            },
            severity="warning",
            summary="Transactions in {{ $labels.datname }} deadlock",
            description='{{ $value | printf "%.0f" }} deadlocks in {{ $labels.datname }} at {{ $labels.instance }} in '
            "[[window]], over [[deadlocks]]: one transaction of each was thrown out.",
            promises=("error-rate",),
            cases=(
                Breach(
                    series={
                        f"pg_stat_database_deadlocks{{{_SHOP}}}": counter(
                            0, lambda t: t.deadlocks * 2, near=lambda t: t.deadlocks * 54 / t.window, start=1000
                        )
                    },
                    labels={"job": "$postgres", "instance": "db-0:9187", "datname": "shop"},
                    settles=900,
                    value=lambda t: t.deadlocks * t.window / 30,
                    says="90 deadlocks in shop at db-0:9187 in 15m, over 3: one transaction of each was thrown out.",
                ),
            ),
        ),
        Alert(
            name="PostgresCollectorFailing",
            exporter="postgres",
            expression="pg_scrape_collector_success{$postgres} == 0",
            pending=900,
            severity="warning",
            summary="{{ $labels.instance }} can't collect {{ $labels.collector }}",
            description="The collector {{ $labels.collector }} of the exporter at {{ $labels.instance }} fails "
            "(success is {{ $value }}): alerts on what it collects are blind.",
            inhibited_by=("PostgresDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={f'pg_scrape_collector_success{{{_DB}, collector="replication"}}': gauge(1, 0)},
                    labels={"job": "$postgres", "instance": "db-0:9187", "collector": "replication"},
                    value=0,
                    says="The collector replication of the exporter at db-0:9187 fails (success is 0): alerts on what "
                    "it collects are blind.",
                ),
            ),
        ),
        *postgresql_replication.ALERTS,
        *postgresql_upkeep.ALERTS,
    ),
)
