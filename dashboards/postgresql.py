"""PostgreSQL: whether it answers, has connections left and gets its queries done. The rows of its copies and of what it
needs to stay healthy for years are in `postgresql_upkeep`."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import postgresql_upkeep
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, MAINTENANCE, firing
from sla_kit.dashboards.model import Dashboard
from sla_kit.dashboards.vocabulary import (
    UP,
    Variable,
    alert_limit,
    column,
    kibana,
    query,
    row,
    runbook,
    stat,
    table,
    timeseries,
)

#: Sessions among those that may connect: a few are kept back for superusers.
_USED = """
    sum by (instance, $keep) (pg_stat_activity_count{$postgres})
    / on (instance, $keep)
    (
      max by (instance, $keep) (pg_settings_max_connections{$postgres})
      - on (instance, $keep) max by (instance, $keep) (pg_settings_superuser_reserved_connections{$postgres})
    )
"""
_USED_LIMITS = (
    alert_limit("PostgresConnectionsHigh", "ratio"),
    alert_limit("PostgresConnectionsExhausted", "ratio"),
)
#: Dumps and base backups read for hours in one transaction, and may.
_AT_WORK = """
    max by (instance, datname, $keep) (
      pg_stat_activity_max_tx_duration{
        $postgres, state="active", backend_type=~"client backend|",
        application_name!~"pg_dump.*|pg_basebackup.*|pgbackrest.*|wal-g.*"
      }
    )
"""
_STATEMENT = "queryid, datname, user, $keep"
_SPENT = f"sum by ({_STATEMENT}) (increase(pg_stat_statements_seconds_total{{$postgres}}[$__range]))"
_CALLED = f"sum by ({_STATEMENT}) (increase(pg_stat_statements_calls_total{{$postgres}}[$__range]))"
_MOST = f"and on ({_STATEMENT}) topk(12, {_SPENT})"


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    return Dashboard(
        name="postgresql",
        title="PostgreSQL",
        description="Whether PostgreSQL answers, has connections left and gets its queries done, whether its replicas "
        "and its WAL archive follow, and whether vacuum keeps up.",
        folder="Data",
        instances=("postgres",),
        variables=(Variable(name="instance", title="Instance", metric="pg_up{$postgres}", label="instance"),),
        annotations=(LIVE_EVENTS, MAINTENANCE, DEPLOYMENTS, firing("postgresql")),
        rows=(
            row(
                "Now",
                stat(
                    "Instances up",
                    query("min by (instance, $keep) (pg_up{$postgres})", "{{instance}}"),
                    unit="short",
                    states=UP,
                    links=(
                        runbook("PostgresDown"),
                        runbook("PostgresMissing"),
                        kibana("Its logs", 'service.name:"postgres"'),
                    ),
                    no_value="nothing known",
                    description="Whether each exporter reaches its PostgreSQL. Where nothing is known the exporters "
                    "are not scraped, and this whole page is blind.",
                ),
                stat(
                    "Connections used",
                    query(f"max({_USED})", "fullest instance"),
                    unit="percentunit",
                    decimals=1,
                    minimum=0,
                    limits=_USED_LIMITS,
                    description="Sessions of the fullest instance beside those that it lets in; what is kept back for "
                    "superusers does not count. At 100 % new connections are refused: look at who holds them below.",
                ),
                stat(
                    "Longest query",
                    query(f"max({_AT_WORK})", "longest at work"),
                    unit="s",
                    decimals=1,
                    minimum=0,
                    limits=(alert_limit("PostgresSlowQueries", "seconds"),),
                    description="How long the oldest transaction that is at work has been. Seconds are normal; dumps "
                    "and base backups are left out.",
                ),
                stat(
                    "Replica behind",
                    query(f"max({postgresql_upkeep.LAG})", "furthest behind"),
                    unit="s",
                    decimals=1,
                    minimum=0,
                    limits=(alert_limit("PostgresReplicationLag", "seconds"),),
                    no_value="no replica",
                    description="How far the slowest replica is behind its primary. A failover now would lose that "
                    "much.",
                ),
                stat(
                    "WAL archived",
                    query(
                        """
                        max(
                          pg_stat_archiver_last_archive_age{$postgres}
                          and on (instance, $keep) pg_replication_is_replica{$postgres} == 0
                        )
                        """,
                        "since the last segment",
                    ),
                    unit="s",
                    decimals=0,
                    minimum=0,
                    limits=(alert_limit("PostgresArchivingStalled", "seconds"),),
                    no_value="nothing archived",
                    description="How long ago a primary archived its last segment of WAL: what was written since can't "
                    "be restored to a point in time. It may grow while nobody writes.",
                ),
                height=5,
            ),
            row(
                "Connections",
                timeseries(
                    "Sessions by state",
                    query("sum by (state, $keep) (pg_stat_activity_count{$postgres})", "{{state}}"),
                    unit="short",
                    width=12,
                    minimum=0,
                    stack="normal",
                    description="What the sessions of all chosen instances are doing. Many that are idle in a "
                    "transaction hold locks and keep vacuum back; many active ones wait for processors or locks.",
                ),
                timeseries(
                    "Connections used by instance",
                    query(_USED, "{{instance}}"),
                    unit="percentunit",
                    width=12,
                    minimum=0,
                    maximum=1,
                    limits=_USED_LIMITS,
                    description="Sessions beside those that each instance lets in.",
                ),
                timeseries(
                    "Waiting for the pool",
                    query(
                        """
                        max by (instance, database, user, $keep) (
                          pgbouncer_pools_client_maxwait_seconds{$pgbouncer}
                        )
                        """,
                        "{{user}}@{{database}} at {{instance}}",
                    ),
                    unit="s",
                    width=12,
                    minimum=0,
                    limits=(alert_limit("PgbouncerClientsWaiting", "seconds"),),
                    description="How long the first client in PgBouncer's queue has waited for a connection, of every "
                    "pooler whatever instance is chosen. Normally nobody waits: else the pool is too small, or "
                    "queries take too long.",
                ),
                timeseries(
                    "Clients and servers of the pool",
                    query("sum(pgbouncer_pools_client_active_connections{$pgbouncer})", "clients served", color="blue"),
                    query(
                        "sum(pgbouncer_pools_client_waiting_connections{$pgbouncer})", "clients waiting", color="red"
                    ),
                    query(
                        """
                        sum(pgbouncer_pools_server_active_connections{$pgbouncer})
                        + sum(pgbouncer_pools_server_idle_connections{$pgbouncer})
                        """,
                        "connections to PostgreSQL",
                        color="green",
                    ),
                    unit="short",
                    width=12,
                    minimum=0,
                    description="Clients that have a connection of PgBouncer's and that wait for one, beside the "
                    "connections that it holds to PostgreSQL, of every pooler.",
                ),
            ),
            row(
                "Work",
                timeseries(
                    "Transactions",
                    query(
                        "sum(rate(pg_stat_database_xact_commit{$postgres}[$__rate_interval]))",
                        "committed",
                        color="blue",
                    ),
                    query(
                        "sum(rate(pg_stat_database_xact_rollback{$postgres}[$__rate_interval]))",
                        "rolled back",
                        color="red",
                    ),
                    unit="ops",
                    width=8,
                    minimum=0,
                    description="Transactions a second of the chosen instances. It follows the traffic; many more that "
                    "are rolled back than usual are errors of the application.",
                ),
                timeseries(
                    "Longest queries",
                    query(f"topk(8, {_AT_WORK})", "{{datname}} at {{instance}}"),
                    unit="s",
                    width=8,
                    minimum=0,
                    limits=(alert_limit("PostgresSlowQueries", "seconds"),),
                    description="How long the oldest transaction at work in each database has been. A steady climb is "
                    "one query that runs on and on: find it in pg_stat_activity.",
                ),
                timeseries(
                    "Open and idle transactions",
                    query(
                        """
                        topk(8, max by (instance, datname, $keep) (
                          pg_stat_activity_max_tx_duration{$postgres, state=~"idle in transaction.*"}
                        ))
                        """,
                        "{{datname}} at {{instance}}",
                    ),
                    unit="s",
                    width=8,
                    minimum=0,
                    limits=(alert_limit("PostgresIdleInTransaction", "seconds"),),
                    description="How long the oldest session has held its transaction open without doing anything. "
                    "Normally well under a second; longer ones hold locks and keep vacuum back.",
                ),
                timeseries(
                    "Sessions waiting for locks",
                    query(
                        """
                        sum by (instance, datname, $keep) (
                          pg_stat_activity_count{$postgres, wait_event_type="Lock"}
                        )
                        """,
                        "{{datname}} at {{instance}}",
                    ),
                    unit="short",
                    width=6,
                    minimum=0,
                    limits=(alert_limit("PostgresLockWaits", "sessions"),),
                    description="Sessions that wait for a lock which another holds. One or two that come and go are "
                    "normal; a queue means that somebody holds on to a lock, often a migration.",
                ),
                timeseries(
                    "Deadlocks and conflicts",
                    query(
                        "sum(increase(pg_stat_database_deadlocks{$postgres}[$__rate_interval]))",
                        "deadlocks",
                        color="red",
                    ),
                    query(
                        "sum(increase(pg_stat_database_conflicts{$postgres}[$__rate_interval]))",
                        "queries cancelled on replicas",
                        color="orange",
                    ),
                    unit="short",
                    width=6,
                    minimum=0,
                    bars=True,
                    links=(runbook("PostgresDeadlocks"),),
                    description="Transactions that were thrown out because they waited for each other, and queries of "
                    "replicas that stood in the way of replication. Normally none.",
                ),
                table(
                    "Statements that take most",
                    query(f"topk(12, {_SPENT})", "Time"),
                    query(f"{_CALLED} {_MOST}", "Calls"),
                    query(f"({_SPENT} / ({_CALLED} > 0)) {_MOST}", "Time a call"),
                    description="The statements on which the chosen instances spent most of the time shown. The text "
                    "of one is in pg_stat_statements under its id. Needs the exporter's collector stat_statements.",
                    columns=(
                        column("queryid", "Statement"),
                        column("datname", "Database"),
                        column("user", "User"),
                        column("Time", unit="s", decimals=0),
                        column("Calls", unit="short", decimals=0),
                        column("Time a call", unit="s", decimals=1),
                        column("environment", hidden=True),
                        column("cluster", hidden=True),
                    ),
                    sort_by="Time",
                    width=12,
                ),
            ),
            *postgresql_upkeep.ROWS,
        ),
    )
