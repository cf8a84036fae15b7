"""How Redis is used: memory, evictions, hits, clients and slow commands."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_AT = '$redis, instance="redis-0:9121"'
_LABELS = {"job": "$redis", "instance": "redis-0:9121"}
_GIB = 2.0**30
_USED = f"redis_memory_used_bytes{{{_AT}}}"
_MOST = f"redis_memory_max_bytes{{{_AT}}}"
_FRAGMENTED = f"redis_mem_fragmentation_ratio{{{_AT}}}"
_EVICTED = f"redis_evicted_keys_total{{{_AT}}}"
_HITS = f"redis_keyspace_hits_total{{{_AT}}}"
_MISSES = f"redis_keyspace_misses_total{{{_AT}}}"
_CLIENTS = f"redis_connected_clients{{{_AT}}}"
_MOST_CLIENTS = f"redis_config_maxclients{{{_AT}}}"
_REJECTED = f"redis_rejected_connections_total{{{_AT}}}"
_SLOW = f"redis_slowlog_last_id{{{_AT}}}"

HEALTHY = {
    _USED: steady(1.1 * _GIB),
    _MOST: steady(2 * _GIB),
    # Without a limit the exporter publishes 0. A Redis that holds next to nothing looks badly fragmented.
    'redis_memory_used_bytes{$redis, instance="redis-2:9121"}': steady(1_000_000),
    'redis_memory_max_bytes{$redis, instance="redis-2:9121"}': steady(0),
    'redis_mem_fragmentation_ratio{$redis, instance="redis-2:9121"}': steady(13),
    # A cache that throws out what is used least is full all the time.
    'redis_memory_used_bytes{$redis, instance="redis-3:9121"}': steady(2 * _GIB),
    'redis_memory_max_bytes{$redis, instance="redis-3:9121"}': steady(2 * _GIB),
    'redis_instance_info{$redis, instance="redis-3:9121", role="master", maxmemory_policy="allkeys-lru"}': steady(1),
    _FRAGMENTED: steady(1.1),
    _EVICTED: counting(0),
    _HITS: counting(57_000),
    _MISSES: counting(3_000),
    _CLIENTS: steady(120),
    _MOST_CLIENTS: steady(10_000),
    _REJECTED: counting(0),
    _SLOW: counting(0.05, start=7),
}

ALERTS = (
    Alert(
        name="RedisMemoryHigh",
        exporter="redis",
        # A cache that may throw out any key is full all the time, and well.
        expression="""
            redis_memory_used_bytes{$redis} / (redis_memory_max_bytes{$redis} > 0) > $ratio
              unless on ($keep, job, instance) redis_instance_info{$redis, maxmemory_policy=~"allkeys-.+"}
        """,
        thresholds={"ratio": Threshold(0.85, "ratio", "how much of its memory limit Redis may use")},
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="Redis at {{ $labels.instance }} is nearly full",
        description="Redis at {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its memory limit, over "
        "[[ratio]].",
        promises=("availability", "error-rate"),
        inhibited_by=("RedisDown",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={
                    _USED: gauge(
                        0.3 * _GIB, lambda t: 2 * _GIB * t.ratio * 1.04, near=lambda t: 2 * _GIB * t.ratio * 0.99
                    ),
                    _MOST: steady(2 * _GIB),
                },
                labels=_LABELS,
                value=lambda t: t.ratio * 1.04,
                says="Redis at redis-0:9121 uses 88.4% of its memory limit, over 85 %.",
            ),
            Quiet(name="no limit", series={_USED: steady(60 * _GIB), _MOST: steady(0)}),
            Quiet(
                name="a cache that throws out what is used least",
                series={
                    _USED: steady(2 * _GIB),
                    _MOST: steady(2 * _GIB),
                    f'redis_instance_info{{{_AT}, role="master", maxmemory_policy="allkeys-lru"}}': steady(1),
                },
            ),
        ),
    ),
    Alert(
        name="RedisEvicting",
        exporter="redis",
        expression="increase(redis_evicted_keys_total{$redis}[$window]) > $keys",
        thresholds={
            "keys": Threshold(100, "count", "how many keys may be thrown out"),
            "window": Threshold(600, "window", "in which they are counted"),
        },
        severity="warning",
        summary="Redis at {{ $labels.instance }} throws keys out",
        description='Redis at {{ $labels.instance }} evicted {{ $value | printf "%.0f" }} keys in [[window]], over '
        "[[keys]], to stay within its memory limit: sessions and scores among them are gone.",
        promises=("error-rate", "response-time"),
        cases=(
            Breach(
                series={
                    _EVICTED: counter(0, lambda t: t.keys * 2, near=lambda t: t.keys * 54 / t.window, start=100_000)
                },
                labels=_LABELS,
                settles=600,
                value=lambda t: t.keys * 2 * t.window / 60,
                says="Redis at redis-0:9121 evicted 2000 keys in 10m, over 100, to stay within its memory limit: "
                "sessions and scores among them are gone.",
            ),
        ),
    ),
    Alert(
        name="RedisMisses",
        exporter="redis",
        expression="""
            rate(redis_keyspace_hits_total{$redis}[$window])
              /
            (rate(redis_keyspace_hits_total{$redis}[$window]) + rate(redis_keyspace_misses_total{$redis}[$window])
              > $lookups)
              < $ratio
        """,
        thresholds={
            "ratio": Threshold(0.8, "ratio", "how many of the keys that are asked for should be there"),
            "lookups": Threshold(10, "count", "how many keys a second are asked for at least"),
            "window": Threshold(900, "window", "over which they are counted"),
        },
        pending=900,
        severity="info",
        summary="Redis at {{ $labels.instance }} seldom has what is asked for",
        description="{{ $value | humanizePercentage }} of the keys that Redis at {{ $labels.instance }} is asked for "
        "are there, below [[ratio]]: the rest is fetched from the database.",
        promises=("response-time",),
        cases=(
            Breach(
                series={
                    _HITS: counter(
                        60_000, lambda t: 60_000 * (t.ratio - 0.45), near=lambda t: 60_000 * (t.ratio + 0.004)
                    ),
                    _MISSES: counter(0, lambda t: 60_000 * (1.45 - t.ratio), near=lambda t: 60_000 * (0.996 - t.ratio)),
                },
                labels=_LABELS,
                lag=240,  # 65 % miss: five bad minutes among fifteen make 22 %
                settles=900,
                value=lambda t: t.ratio - 0.45,
                says="35% of the keys that Redis at redis-0:9121 is asked for are there, below 80 %: the rest is "
                "fetched from the database.",
            ),
            Quiet(
                name="next to nobody asks",
                series={_HITS: counting(60), _MISSES: counting(lambda t: t.lookups * 57 - 60)},
            ),
        ),
    ),
    Alert(
        name="RedisClientsHigh",
        exporter="redis",
        expression="redis_connected_clients{$redis} / (redis_config_maxclients{$redis} > 0) > $ratio",
        thresholds={"ratio": Threshold(0.8, "ratio", "how many of the clients that may connect are connected")},
        pending=300,
        severity="warning",
        summary="Redis at {{ $labels.instance }} runs out of connections",
        description="{{ $value | humanizePercentage }} of the clients that Redis at {{ $labels.instance }} admits are "
        "connected, over [[ratio]].",
        promises=("availability", "error-rate"),
        inhibited_by=("RedisRejectsClients",),
        inhibition_labels=("cluster", "instance"),
        cases=(
            Breach(
                series={
                    _CLIENTS: gauge(120, lambda t: 10_000 * t.ratio * 1.1, near=lambda t: 10_000 * t.ratio * 0.99),
                    _MOST_CLIENTS: steady(10_000),
                },
                labels=_LABELS,
                value=lambda t: t.ratio * 1.1,
                says="88% of the clients that Redis at redis-0:9121 admits are connected, over 80 %.",
            ),
            Quiet(name="the limit can't be read", series={_CLIENTS: steady(120), _MOST_CLIENTS: steady(0)}),
        ),
    ),
    Alert(
        name="RedisRejectsClients",
        exporter="redis",
        expression="increase(redis_rejected_connections_total{$redis}[$window]) > $clients",
        thresholds={
            "clients": Threshold(5, "count", "how many clients may be turned away"),
            "window": Threshold(300, "window", "in which they are counted"),
        },
        pending=60,
        keep_firing_for=300,
        severity="critical",
        summary="Redis at {{ $labels.instance }} turns clients away",
        description="Redis at {{ $labels.instance }} refused {{ $value | humanize }} connections in [[window]], "
        "over [[clients]], because as many clients as it admits are connected.",
        promises=("availability", "error-rate"),
        cases=(
            Breach(
                series={
                    _REJECTED: counter(
                        0, lambda t: t.clients * 2, near=lambda t: t.clients * 54 / t.window, start=1_000
                    )
                },
                labels=_LABELS,
                settles=300,
                value=lambda t: t.clients * 2 * t.window / 60,
                says="Redis at redis-0:9121 refused 50 connections in 5m, over 5, because as many clients as it admits "
                "are connected.",
            ),
        ),
    ),
    Alert(
        name="RedisFragmented",
        exporter="redis",
        expression="""
            redis_mem_fragmentation_ratio{$redis} > $factor
              and redis_memory_used_bytes{$redis} > $bytes
        """,
        thresholds={
            "factor": Threshold(2, "count", "how many times the memory it needs Redis may hold"),
            "bytes": Threshold(256 * 2**20, "bytes", "how much it must hold for that to matter"),
        },
        pending=1800,
        severity="info",
        summary="Redis at {{ $labels.instance }} holds more memory than it uses",
        description='Redis at {{ $labels.instance }} takes {{ $value | printf "%.1f" }} times the memory that its data '
        "needs, over [[factor]]: the machine may run out though Redis does not.",
        promises=("availability",),
        cases=(
            Breach(
                series={
                    _FRAGMENTED: gauge(1.1, lambda t: t.factor * 1.5, near=lambda t: t.factor),
                    _USED: steady(1.1 * _GIB),
                },
                labels=_LABELS,
                value=lambda t: t.factor * 1.5,
                says="Redis at redis-0:9121 takes 3.0 times the memory that its data needs, over 2: the machine may "
                "run out though Redis does not.",
            ),
            Quiet(
                name="not much in it",
                series={_FRAGMENTED: steady(13), _USED: steady(lambda t: t.bytes * 0.95)},
            ),
        ),
    ),
    Alert(
        name="RedisSlowCommands",
        exporter="redis",
        expression="delta(redis_slowlog_last_id{$redis}[$window]) > $commands",
        thresholds={
            "commands": Threshold(20, "count", "how many slow commands are taken for chance"),
            "window": Threshold(600, "window", "in which they are counted"),
        },
        severity="warning",
        summary="Redis at {{ $labels.instance }} is held up by slow commands",
        description='Redis at {{ $labels.instance }} logged {{ $value | printf "%.0f" }} slow commands in [[window]], '
        "over [[commands]]: while one runs, everybody else waits.",
        promises=("response-time",),
        cases=(
            Breach(
                series={
                    _SLOW: counter(0, lambda t: t.commands * 2, near=lambda t: t.commands * 54 / t.window, start=7)
                },
                labels=_LABELS,
                settles=600,
                value=lambda t: t.commands * 2 * t.window / 60,
                says="Redis at redis-0:9121 logged 400 slow commands in 10m, over 20: while one runs, everybody else "
                "waits.",
            ),
        ),
    ),
)
