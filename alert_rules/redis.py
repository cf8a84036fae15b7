"""Redis: whether it answers, keeps what it is given, and has its replicas. `redis_use` tells how it is used."""

from __future__ import annotations

from sla_kit.alert_rules import redis_use
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, gauge, steady

_PRIMARY = '$redis, instance="redis-0:9121"'
_REPLICA = '$redis, instance="redis-1:9121"'
_UP = f"redis_up{{{_PRIMARY}}}"
_LINK = f'redis_master_link_up{{{_REPLICA}, master_host="redis-0", master_port="6379"}}'
_REPLICAS = f"redis_connected_slaves{{{_PRIMARY}}}"
_INFO = 'redis_version="7.0.15", redis_mode="standalone", os="Linux", maxmemory_policy="volatile-lru"'
_IS_PRIMARY = f'redis_instance_info{{{_PRIMARY}, role="master", {_INFO}}}'
_SAVED = f"redis_rdb_last_bgsave_status{{{_PRIMARY}}}"
_APPENDED = f"redis_aof_last_write_status{{{_PRIMARY}}}"

AREA = Area(
    name="redis",
    title="Redis (redis_exporter)",
    dashboard="redis",
    healthy={
        _UP: steady(1),
        f"redis_up{{{_REPLICA}}}": steady(1),
        _LINK: steady(1),
        _REPLICAS: steady(1),
        f"redis_connected_slaves{{{_REPLICA}}}": steady(0),
        _IS_PRIMARY: steady(1),
        f'redis_instance_info{{{_REPLICA}, role="slave", {_INFO}}}': steady(1),
        _SAVED: steady(1),
        _APPENDED: steady(1),
        f"redis_rdb_last_bgsave_status{{{_REPLICA}}}": steady(1),
        f"redis_aof_last_write_status{{{_REPLICA}}}": steady(1),
        **redis_use.HEALTHY,
    },
    alerts=(
        Alert(
            name="RedisDown",
            exporter="redis",
            expression="redis_up{$redis} == 0",
            pending=60,
            keep_firing_for=180,
            severity="critical",
            summary="Redis at {{ $labels.instance }} does not answer",
            description="The exporter at {{ $labels.instance }} can't talk to its Redis (job {{ $labels.job }}, "
            "redis_up is {{ $value }}).",
            promises=("availability", "recovery-time"),
            cases=(
                Breach(
                    series={_UP: gauge(1, 0)},
                    labels={"job": "$redis", "instance": "redis-0:9121"},
                    value=0,
                    says="The exporter at redis-0:9121 can't talk to its Redis (job redis, redis_up is 0).",
                ),
            ),
        ),
        Alert(
            name="RedisMissing",
            exporter="redis",
            # The sum drops the job, which absent tells only where there is a single one.
            expression="sum(absent_over_time(redis_up{$redis}[$window])) > 0",
            thresholds={"window": Threshold(600, "window", "how long nothing may be known of Redis")},
            severity="warning",
            summary="Nothing is known of Redis",
            description="For [[window]] no exporter has told whether Redis is up: it is not scraped, or its job is "
            "called otherwise. All other alerts of Redis are blind meanwhile.",
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
                    says="For 10m no exporter has told whether Redis is up: it is not scraped, or its job is called "
                    "otherwise. All other alerts of Redis are blind meanwhile.",
                ),
                Quiet(name="down, but known to be", series={_UP: steady(0)}),
            ),
        ),
        Alert(
            name="RedisReplicationBroken",
            exporter="redis",
            expression="redis_master_link_up{$redis} == 0",
            pending=120,
            keep_firing_for=300,
            severity="warning",
            summary="The replica at {{ $labels.instance }} has lost its primary",
            description="The Redis replica at {{ $labels.instance }} has no link to its primary "
            "{{ $labels.master_host }}:{{ $labels.master_port }} (link is {{ $value }}): it serves old data and can't "
            "take over.",
            promises=("availability", "recovery-time"),
            inhibited_by=("RedisDown",),
            inhibition_labels=("cluster", "job"),
            cases=(
                Breach(
                    series={_LINK: gauge(1, 0)},
                    labels={
                        "job": "$redis",
                        "instance": "redis-1:9121",
                        "master_host": "redis-0",
                        "master_port": "6379",
                    },
                    value=0,
                    says="The Redis replica at redis-1:9121 has no link to its primary redis-0:6379 (link is 0): it "
                    "serves old data and can't take over.",
                ),
            ),
        ),
        Alert(
            name="RedisReplicaLost",
            exporter="redis",
            # A primary that became a replica has none of its own; it is asked only while it is the primary.
            expression="""
                max by ($keep, job, instance) (redis_connected_slaves{$redis})
                  < on ($keep, job, instance)
                max by ($keep, job, instance) (max_over_time(redis_connected_slaves{$redis}[$window]))
                  and on ($keep, job, instance) redis_instance_info{$redis, role="master"} == 1
            """,
            thresholds={"window": Threshold(3600, "window", "how far back the number of replicas is compared")},
            pending=300,
            severity="warning",
            summary="The primary at {{ $labels.instance }} has lost a replica",
            description='The Redis primary at {{ $labels.instance }} has {{ $value | printf "%.0f" }} replicas, fewer '
            "than within the last [[window]]: the next failure may find nobody to take over.",
            promises=("availability", "recovery-time"),
            inhibited_by=("RedisDown",),
            inhibition_labels=("cluster", "job"),
            cases=(
                Breach(
                    series={_REPLICAS: gauge(2, 1), _IS_PRIMARY: steady(1)},
                    labels={"job": "$redis", "instance": "redis-0:9121"},
                    value=1,
                    says="The Redis primary at redis-0:9121 has 1 replicas, fewer than within the last 1h: the next "
                    "failure may find nobody to take over.",
                ),
                Quiet(
                    name="a primary that has become a replica",
                    series={
                        _REPLICAS: gauge(2, 0),
                        _IS_PRIMARY: gauge(1, None),
                        _IS_PRIMARY.replace("master", "slave"): gauge(None, 1),
                    },
                    healthy=1800,
                    lasts=1500,
                ),
                Quiet(
                    name="a lone Redis that never had a replica", series={_REPLICAS: steady(0), _IS_PRIMARY: steady(1)}
                ),
            ),
        ),
        Alert(
            name="RedisPersistenceFailing",
            exporter="redis",
            expression="redis_rdb_last_bgsave_status{$redis} == 0 or redis_aof_last_write_status{$redis} == 0",
            pending=300,
            severity="critical",
            summary="Redis at {{ $labels.instance }} can't write to its disk",
            description="Redis at {{ $labels.instance }} could not write its snapshot or its append-only file (status "
            "{{ $value }}): by default it refuses writes from then on, and a restart loses what is not on disk.",
            promises=("availability", "backup-recovery"),
            inhibited_by=("RedisDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    name="the snapshot",
                    series={_SAVED: gauge(1, 0), _APPENDED: steady(1)},
                    labels={"job": "$redis", "instance": "redis-0:9121"},
                    value=0,
                    says="Redis at redis-0:9121 could not write its snapshot or its append-only file (status 0): by "
                    "default it refuses writes from then on, and a restart loses what is not on disk.",
                ),
                Breach(
                    name="the append-only file",
                    series={_SAVED: steady(1), _APPENDED: gauge(1, 0)},
                    labels={"job": "$redis", "instance": "redis-0:9121"},
                    value=0,
                    says="Redis at redis-0:9121 could not write its snapshot or its append-only file (status 0): by "
                    "default it refuses writes from then on, and a restart loses what is not on disk.",
                ),
            ),
        ),
        *redis_use.ALERTS,
    ),
)
