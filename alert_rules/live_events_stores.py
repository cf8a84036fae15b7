"""What the data's stores must have to spare at a live event: PostgreSQL connections, Redis memory."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, gauge, steady

#: An event goes on, or begins soon.
NEAR_OR_ON = "and on () (sla_event_starts_in_seconds < $before or on () sla_event_active)"
_HOUR = 3600.0
_MIB = 1024.0**2
_STARTS = "sla_event_starts_in_seconds"
_ACTIVE = 'sla_event_active{service="web"}'
_CONNECTIONS = 'pg_stat_activity_count{$postgres, instance="pg-1:9187", datname="shop", state="%s"}'
_MOST = 'pg_settings_max_connections{$postgres, instance="pg-1:9187"}'
_MEMORY = 'redis_memory_%s_bytes{$redis, instance="redis-1:9121"}'
_CACHE = 'redis_instance_info{$redis, instance="redis-1:9121", maxmemory_policy="allkeys-lru"}'

HEALTHY = {
    **{_CONNECTIONS % state: steady(count) for state, count in (("active", 8), ("idle", 20))},
    _MOST: steady(200),
    _MEMORY % "used": steady(300 * _MIB),
    _MEMORY % "max": steady(1024 * _MIB),
}

ALERTS = (
    Alert(
        name="EventConnectionsHigh",
        exporter="postgres",
        expression=f"""
            sum by ($keep, instance) (pg_stat_activity_count{{$postgres}})
            / on ($keep, instance) max by ($keep, instance) (pg_settings_max_connections{{$postgres}} > 0)
            > $ratio
            {NEAR_OR_ON}""",
        thresholds={
            "ratio": Threshold(0.6, "ratio", "how many connections may be taken"),
            "before": Threshold(_HOUR, "seconds", "how long before a live event they must be free"),
        },
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="{{ $labels.instance }} has too few connections left for the live event",
        description="A live event goes on or begins in less than [[before]], and {{ $value | humanizePercentage }} "
        "of the connections of {{ $labels.instance }} are taken, over [[ratio]].",
        promises=("availability", "error-rate"),
        inhibited_by=("PostgresConnectionsExhausted", "PostgresConnectionsHigh"),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={
                    _STARTS: gauge(lambda t: t.before + 3600, lambda t: t.before / 2),
                    _CONNECTIONS % "active": gauge(8, lambda t: 110 * t.ratio, near=lambda t: 89 * t.ratio),
                    _CONNECTIONS % "idle": gauge(8, lambda t: 10 * t.ratio),
                    _MOST: steady(100),
                },
                labels={"instance": "pg-1:9187"},
                value=lambda t: 1.2 * t.ratio,
                says="A live event goes on or begins in less than 1h, and 72% of the connections of pg-1:9187 are "
                "taken, over 60 %.",
            ),
            Breach(
                name="while the event goes on",
                series={
                    _ACTIVE: gauge(None, 1),
                    _CONNECTIONS % "active": steady(lambda t: 120 * t.ratio),
                    _MOST: steady(100),
                },
                labels={"instance": "pg-1:9187"},
                value=lambda t: 1.2 * t.ratio,
                clears=300,
                says="A live event goes on or begins in less than 1h, and 72% of the connections of pg-1:9187 are "
                "taken, over 60 %.",
            ),
            Quiet(
                name="as many, and the event is far",
                series={
                    _STARTS: steady(lambda t: t.before * 2),
                    _CONNECTIONS % "idle": steady(70),
                    _MOST: steady(100),
                },
            ),
            Quiet(name="as many, and no event", series={_CONNECTIONS % "idle": steady(70), _MOST: steady(100)}),
        ),
    ),
    Alert(
        name="EventRedisMemoryHigh",
        exporter="redis",
        expression=f"""
            redis_memory_used_bytes{{$redis}} / (redis_memory_max_bytes{{$redis}} > 0) > $ratio
            unless on ($keep, job, instance) redis_instance_info{{$redis, maxmemory_policy=~"allkeys-.+"}}
            {NEAR_OR_ON}""",
        thresholds={
            "ratio": Threshold(0.7, "ratio", "how much of its memory may be used"),
            "before": Threshold(2 * _HOUR, "seconds", "how long before a live event it must be free"),
        },
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="Redis at {{ $labels.instance }} has too little memory left for the live event",
        description="A live event goes on or begins in less than [[before]], and Redis at {{ $labels.instance }} "
        "uses {{ $value | humanizePercentage }} of its memory, over [[ratio]].",
        promises=("response-time", "availability"),
        inhibited_by=("RedisMemoryHigh",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={
                    _STARTS: gauge(lambda t: t.before + 3600, lambda t: t.before / 2),
                    _MEMORY % "used": gauge(
                        lambda t: 1100 * t.ratio, lambda t: 1100 * t.ratio, near=lambda t: 990 * t.ratio
                    ),
                    _MEMORY % "max": steady(1000),
                },
                labels={"job": "$redis", "instance": "redis-1:9121"},
                value=lambda t: 1.1 * t.ratio,
                says="A live event goes on or begins in less than 2h, and Redis at redis-1:9121 uses 77% of its "
                "memory, over 70 %.",
            ),
            Breach(
                name="while the event goes on",
                series={
                    _ACTIVE: gauge(None, 1),
                    _MEMORY % "used": steady(lambda t: 1100 * t.ratio),
                    _MEMORY % "max": steady(1000),
                },
                labels={"job": "$redis", "instance": "redis-1:9121"},
                value=lambda t: 1.1 * t.ratio,
                clears=300,
                says="A live event goes on or begins in less than 2h, and Redis at redis-1:9121 uses 77% of its "
                "memory, over 70 %.",
            ),
            Quiet(
                name="a cache that throws out what is used least",
                series={
                    _ACTIVE: steady(1),
                    _MEMORY % "used": steady(999),
                    _MEMORY % "max": steady(1000),
                    'redis_instance_info{$redis, instance="redis-1:9121", maxmemory_policy="allkeys-lru"}': steady(1),
                },
            ),
            Quiet(
                name="no limit set",
                series={_ACTIVE: steady(1), _MEMORY % "used": steady(900), _MEMORY % "max": steady(0)},
            ),
        ),
    ),
)
