"""Redis: whether it answers, how full it is, what it is asked, whether its replicas follow."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.marks import LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard
from sla_kit.dashboards.vocabulary import UP, Variable, alert_limit, query, row, stat, states, timeseries

_HIT_RATIO = """
    sum by (instance, $keep) (rate(redis_keyspace_hits_total{$redis}[$__rate_interval]))
    /
    (
      sum by (instance, $keep) (rate(redis_keyspace_hits_total{$redis}[$__rate_interval]))
      + sum by (instance, $keep) (rate(redis_keyspace_misses_total{$redis}[$__rate_interval]))
      > 0
    )
"""


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    return Dashboard(
        name="redis",
        title="Redis",
        description="Whether Redis answers, how full it is, what it is asked, and whether its replicas follow.",
        folder="Data",
        instances=("redis",),
        variables=(Variable(name="instance", title="Instance", metric="redis_up{$redis}", label="instance"),),
        annotations=(LIVE_EVENTS, firing("redis")),
        rows=(
            row(
                "Now",
                stat(
                    "Instances up",
                    query("min by (instance, $keep) (redis_up{$redis})", "{{instance}}"),
                    unit="short",
                    states=UP,
                    description="Whether the exporter reaches its Redis.",
                ),
                stat(
                    "Memory used",
                    query(
                        "max(redis_memory_used_bytes{$redis} / (redis_memory_max_bytes{$redis} > 0))",
                        "fullest instance",
                    ),
                    unit="percentunit",
                    decimals=1,
                    limits=(alert_limit("RedisMemoryHigh", "ratio"),),
                    description="The fullest instance's memory beside its limit; where none is set there is no figure.",
                ),
                stat(
                    "Clients",
                    query(
                        "max(redis_connected_clients{$redis} / redis_config_maxclients{$redis})",
                        "busiest instance",
                    ),
                    unit="percentunit",
                    decimals=1,
                    limits=(alert_limit("RedisClientsHigh", "ratio"),),
                    description="The busiest instance's clients beside those that it lets in.",
                ),
                stat(
                    "Hit ratio",
                    query(f"min({_HIT_RATIO})", "worst instance"),
                    unit="percentunit",
                    decimals=1,
                    limits=(alert_limit("RedisMisses", "ratio", "below"),),
                    description="How many look-ups find their key, on the worst instance.",
                ),
                stat(
                    "Last saved",
                    query("time() - min(redis_rdb_last_save_timestamp_seconds{$redis})", "oldest snapshot"),
                    unit="s",
                    decimals=0,
                    description="How old the oldest instance's snapshot on disk is.",
                ),
                height=5,
            ),
            row(
                "Load",
                timeseries(
                    "Commands",
                    query(
                        "sum by (instance, $keep) (rate(redis_commands_processed_total{$redis}[$__rate_interval]))",
                        "{{instance}}",
                    ),
                    unit="ops",
                    description="Commands a second.",
                ),
                timeseries(
                    "Time a command takes",
                    query(
                        """
                        topk(8, sum by (cmd) (rate(redis_commands_duration_seconds_total{$redis}[$__rate_interval]))
                        / (sum by (cmd) (rate(redis_commands_total{$redis}[$__rate_interval])) > 0))
                        """,
                        "{{cmd}}",
                    ),
                    unit="s",
                    description="The mean time of each command, of the eight that take longest.",
                ),
                timeseries(
                    "Hit ratio by instance",
                    query(_HIT_RATIO, "{{instance}}"),
                    unit="percentunit",
                    minimum=0,
                    maximum=1,
                    limits=(alert_limit("RedisMisses", "ratio", "below"),),
                    description="How many look-ups find their key.",
                ),
            ),
            row(
                "Memory and clients",
                timeseries(
                    "Memory",
                    query("redis_memory_used_bytes{$redis}", "{{instance}}"),
                    unit="bytes",
                    description="What keys and buffers take.",
                ),
                timeseries(
                    "Keys evicted and expired",
                    query("sum(rate(redis_evicted_keys_total{$redis}[$__rate_interval]))", "evicted", color="red"),
                    query("sum(rate(redis_expired_keys_total{$redis}[$__rate_interval]))", "expired", color="blue"),
                    unit="ops",
                    description="Evicted keys were thrown out for want of memory; expired ones had come of age.",
                ),
                timeseries(
                    "Clients by instance",
                    query("redis_connected_clients{$redis}", "{{instance}}"),
                    unit="short",
                    description="Connections that are open.",
                ),
                timeseries(
                    "Clients turned away",
                    query(
                        "sum(increase(redis_rejected_connections_total{$redis}[$__rate_interval]))",
                        "turned away",
                        color="red",
                    ),
                    unit="short",
                    description="Connections that were refused because there were too many.",
                ),
            ),
            row(
                "Replicas and disk",
                states(
                    "Links to the primary",
                    query("redis_master_link_up{$redis}", "{{instance}}"),
                    states=UP,
                    description="Whether each replica hears its primary.",
                ),
                timeseries(
                    "Replication lag",
                    query("redis_connected_slave_lag_seconds{$redis}", "{{slave_ip}}:{{slave_port}}"),
                    unit="s",
                    description="How long ago each replica was last heard of.",
                ),
                timeseries(
                    "Changes not saved yet",
                    query("redis_rdb_changes_since_last_save{$redis}", "{{instance}}"),
                    unit="short",
                    description="What a crash would lose where only snapshots are taken.",
                ),
            ),
        ),
    )
