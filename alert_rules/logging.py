"""Logs: Elasticsearch, which keeps them. `logging_shipping` is about what brings them there and shows them,
`logging_errors` about what they tell."""

from __future__ import annotations

from sla_kit.alert_rules import logging_errors, logging_shipping
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady

_AT = '$elasticsearch, instance="es-exporter:9114"'
_WHERE = {"job": "$elasticsearch", "instance": "es-exporter:9114"}
_NODE = f'{_AT}, name="es-0", host="10.0.0.7"'
_NAMED = {"job": "$elasticsearch", "name": "es-0"}
_GIB = 2.0**30
_UP = f"up{{{_AT}}}"
_RED = f'elasticsearch_cluster_health_status{{{_AT}, color="red"}}'
_YELLOW = f'elasticsearch_cluster_health_status{{{_AT}, color="yellow"}}'
_GREEN = f'elasticsearch_cluster_health_status{{{_AT}, color="green"}}'
_NODES = f"elasticsearch_cluster_health_number_of_nodes{{{_AT}}}"
_DATA_NODES = f"elasticsearch_cluster_health_number_of_data_nodes{{{_AT}}}"
_SHARDS = f"elasticsearch_cluster_health_active_shards{{{_AT}}}"
_MOST_SHARDS = f"elasticsearch_clustersettings_stats_max_shards_per_node{{{_AT}}}"
_HEAP = f'elasticsearch_jvm_memory_used_bytes{{{_NODE}, area="heap"}}'
_MOST_HEAP = f'elasticsearch_jvm_memory_max_bytes{{{_NODE}, area="heap"}}'
_MOUNT = f'{_NODE}, mount="/data (/dev/nvme1n1)", path="/data/nodes/0"'
_FREE = f"elasticsearch_filesystem_data_available_bytes{{{_MOUNT}}}"
_SIZE = f"elasticsearch_filesystem_data_size_bytes{{{_MOUNT}}}"
_REJECTED = f'elasticsearch_thread_pool_rejected_count{{{_NODE}, type="write"}}'
_INDEXED = f"elasticsearch_indices_indexing_index_total{{{_NODE}}}"

_DISK = """
    max by ($keep, job, name) (
      1 - elasticsearch_filesystem_data_available_bytes{$elasticsearch}
        / elasticsearch_filesystem_data_size_bytes{$elasticsearch}
    ) > $ratio
"""

AREA = Area(
    name="logging",
    title="Logs (elasticsearch_exporter, Fluentd, kibana-prometheus-exporter, sla-kit exporter logs)",
    dashboard="logging",
    healthy={
        _UP: steady(1),
        _GREEN: steady(1),
        _YELLOW: steady(0),
        _RED: steady(0),
        _NODES: steady(3),
        _DATA_NODES: steady(3),
        _SHARDS: steady(600),
        _MOST_SHARDS: steady(1000),
        _HEAP: steady(4.5 * _GIB),
        f'elasticsearch_jvm_memory_used_bytes{{{_NODE}, area="non-heap"}}': steady(0.3 * _GIB),
        _MOST_HEAP: steady(8 * _GIB),
        _FREE: steady(300 * _GIB),
        _SIZE: steady(1000 * _GIB),
        **{
            f'elasticsearch_thread_pool_rejected_count{{{_NODE}, type="{pool}"}}': counting(0)
            for pool in ("analyze", "get", "management", "search", "snapshot", "write")
        },
        _INDEXED: counting(30_000),
        **logging_shipping.HEALTHY,
        **logging_errors.HEALTHY,
    },
    alerts=(
        Alert(
            name="ElasticsearchUnreachable",
            exporter="elasticsearch",
            # Not joined by the labels that are kept: the exporter has a label cluster of its own, which up has not.
            expression="""
                up{$elasticsearch} == 1
                  unless on (job, instance)
                count by (job, instance) (
                  count_over_time(elasticsearch_cluster_health_status{$elasticsearch}[$window])
                )
            """,
            thresholds={"window": Threshold(600, "window", "how long the cluster may not answer")},
            severity="warning",
            summary="Elasticsearch does not answer its exporter",
            description="The exporter at {{ $labels.instance }} is up ({{ $value }}), but for [[window]] it has not "
            "heard how its Elasticsearch is: the cluster is down, has no master, or refuses the exporter.",
            cases=(
                Breach(
                    series={_UP: steady(1), _GREEN: gauge(1, None), _YELLOW: gauge(0, None), _RED: gauge(0, None)},
                    labels=_WHERE,
                    value=1,
                    lag=600,  # the last sample, a minute before, has left the window
                    clears=0,
                    says="The exporter at es-exporter:9114 is up (1), but for 10m it has not heard how its "
                    "Elasticsearch is: the cluster is down, has no master, or refuses the exporter.",
                ),
                Quiet(name="the exporter itself is down", series={_UP: steady(0)}),
            ),
        ),
        Alert(
            name="ElasticsearchClusterRed",
            exporter="elasticsearch",
            expression='elasticsearch_cluster_health_status{$elasticsearch, color="red"} == 1',
            pending=300,
            keep_firing_for=300,
            severity="critical",
            summary="Elasticsearch has lost primary shards",
            description="The cluster that {{ $labels.instance }} watches is {{ $labels.color }} ({{ $value }}): at "
            "least one primary shard is on no node, so logs are missing and new ones for it are refused.",
            cases=(
                Breach(
                    series={_RED: gauge(0, 1)},
                    labels={**_WHERE, "color": "red"},
                    value=1,
                    says="The cluster that es-exporter:9114 watches is red (1): at least one primary shard is on no "
                    "node, so logs are missing and new ones for it are refused.",
                ),
                Quiet(name="yellow", series={_RED: steady(0), _YELLOW: steady(1)}),
            ),
        ),
        Alert(
            name="ElasticsearchClusterYellow",
            exporter="elasticsearch",
            expression='elasticsearch_cluster_health_status{$elasticsearch, color="yellow"} == 1',
            pending=1800,
            severity="warning",
            summary="Elasticsearch lacks copies of some shards",
            description="The cluster that {{ $labels.instance }} watches has been {{ $labels.color }} ({{ $value }}) "
            "for half an hour: some shards have no second copy, and the next lost node loses logs.",
            inhibited_by=("ElasticsearchClusterRed",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={_YELLOW: gauge(0, 1)},
                    labels={**_WHERE, "color": "yellow"},
                    value=1,
                    says="The cluster that es-exporter:9114 watches has been yellow (1) for half an hour: some shards "
                    "have no second copy, and the next lost node loses logs.",
                ),
            ),
        ),
        Alert(
            name="ElasticsearchNodeLost",
            exporter="elasticsearch",
            expression="elasticsearch_cluster_health_number_of_nodes{$elasticsearch} "
            "< max_over_time(elasticsearch_cluster_health_number_of_nodes{$elasticsearch}[$window])",
            thresholds={"window": Threshold(6 * 3600, "window", "how far back the number of nodes is compared")},
            pending=600,
            severity="warning",
            summary="Elasticsearch has lost a node",
            description="The cluster that {{ $labels.instance }} watches has {{ $value }} nodes, fewer than within the "
            "last [[window]].",
            cases=(
                Breach(
                    series={_NODES: gauge(3, 2)},
                    labels=_WHERE,
                    value=2,
                    says="The cluster that es-exporter:9114 watches has 2 nodes, fewer than within the last 6h.",
                ),
                Quiet(name="as many as ever", series={_NODES: steady(1)}),
            ),
        ),
        Alert(
            name="ElasticsearchShardLimitNear",
            exporter="elasticsearch",
            # The settings lack the exporter's own label cluster.
            expression="""
                max by ($keep, job, instance) (elasticsearch_cluster_health_active_shards{$elasticsearch})
                  / on (job, instance) group_left ()
                (
                  max by (job, instance) (elasticsearch_cluster_health_number_of_data_nodes{$elasticsearch})
                    * on (job, instance)
                  max by (job, instance) (
                    elasticsearch_clustersettings_stats_max_shards_per_node{$elasticsearch}
                  ) > 0
                ) > $ratio
            """,
            thresholds={"ratio": Threshold(0.85, "ratio", "how many of the shards that are allowed may exist")},
            pending=900,
            severity="warning",
            summary="Elasticsearch soon refuses new indices",
            description="The cluster that {{ $labels.instance }} watches holds {{ $value | humanizePercentage }} of "
            "the shards that it allows, over [[ratio]]: at the limit tomorrow's index is not created and logs are "
            "refused.",
            cases=(
                Breach(
                    series={
                        _SHARDS: gauge(600, lambda t: 3000 * t.ratio * 1.04, near=lambda t: 3000 * t.ratio * 0.99),
                        _DATA_NODES: steady(3),
                        _MOST_SHARDS: steady(1000),
                    },
                    labels=_WHERE,
                    value=lambda t: t.ratio * 1.04,
                    says="The cluster that es-exporter:9114 watches holds 88.4% of the shards that it allows, over "
                    "85 %: at the limit tomorrow's index is not created and logs are refused.",
                ),
            ),
        ),
        Alert(
            name="ElasticsearchHeapHigh",
            exporter="elasticsearch",
            expression="""
                max by ($keep, job, name) (
                  elasticsearch_jvm_memory_used_bytes{$elasticsearch, area="heap"}
                    / elasticsearch_jvm_memory_max_bytes{$elasticsearch, area="heap"}
                ) > $ratio
            """,
            thresholds={"ratio": Threshold(0.9, "ratio", "how much of its heap a node may use")},
            pending=900,
            severity="warning",
            summary="{{ $labels.name }} of Elasticsearch runs out of heap",
            description="The node {{ $labels.name }} has used {{ $value | humanizePercentage }} of its heap for a "
            "quarter of an hour, over [[ratio]]: collecting garbage no longer frees it.",
            cases=(
                Breach(
                    series={
                        _HEAP: gauge(
                            4.5 * _GIB, lambda t: 8 * _GIB * t.ratio * 1.05, near=lambda t: 8 * _GIB * t.ratio * 0.99
                        ),
                        _MOST_HEAP: steady(8 * _GIB),
                    },
                    labels=_NAMED,
                    value=lambda t: t.ratio * 1.05,
                    says="The node es-0 has used 94.5% of its heap for a quarter of an hour, over 90 %: collecting "
                    "garbage no longer frees it.",
                ),
            ),
        ),
        Alert(
            name="ElasticsearchDiskHigh",
            exporter="elasticsearch",
            expression=_DISK,
            thresholds={"ratio": Threshold(0.85, "ratio", "how full a node's disk may be, as the low watermark")},
            pending=600,
            severity="warning",
            summary="The disk of {{ $labels.name }} is above the low watermark",
            description="The disk of the node {{ $labels.name }} is {{ $value | humanizePercentage }} full, over "
            "[[ratio]]: Elasticsearch places no new shards there.",
            inhibited_by=("ElasticsearchDiskFlood",),
            inhibition_labels=("cluster", "name"),
            cases=(
                Breach(
                    series={
                        _FREE: gauge(
                            300 * _GIB,
                            lambda t: 1000 * _GIB * (1 - t.ratio) * 0.8,
                            near=lambda t: 1000 * _GIB * (1 - t.ratio) * 1.02,
                        ),
                        _SIZE: steady(1000 * _GIB),
                    },
                    labels=_NAMED,
                    value=lambda t: 1 - (1 - t.ratio) * 0.8,
                    says="The disk of the node es-0 is 88% full, over 85 %: Elasticsearch places no new shards there.",
                ),
            ),
        ),
        Alert(
            name="ElasticsearchDiskFlood",
            exporter="elasticsearch",
            expression=_DISK,
            thresholds={"ratio": Threshold(0.93, "ratio", "how full a node's disk may be, below the flood stage")},
            pending=120,
            keep_firing_for=300,
            severity="critical",
            summary="Elasticsearch is about to stop writing on {{ $labels.name }}",
            description="The disk of the node {{ $labels.name }} is {{ $value | humanizePercentage }} full, over "
            "[[ratio]]: at 95 % every index with a shard there becomes read-only and logs are refused.",
            cases=(
                Breach(
                    series={
                        _FREE: gauge(
                            300 * _GIB,
                            lambda t: 1000 * _GIB * (1 - t.ratio) * 0.8,
                            near=lambda t: 1000 * _GIB * (1 - t.ratio) * 1.02,
                        ),
                        _SIZE: steady(1000 * _GIB),
                    },
                    labels=_NAMED,
                    value=lambda t: 1 - (1 - t.ratio) * 0.8,
                    says="The disk of the node es-0 is 94.4% full, over 93 %: at 95 % every index with a shard there "
                    "becomes read-only and logs are refused.",
                ),
            ),
        ),
        Alert(
            name="ElasticsearchRejecting",
            exporter="elasticsearch",
            expression="""
                sum by ($keep, job, name, type) (
                  increase(elasticsearch_thread_pool_rejected_count{$elasticsearch, type=~"write|search"}[$window])
                ) > $requests
            """,
            thresholds={
                "requests": Threshold(50, "count", "how many requests may be turned away"),
                "window": Threshold(600, "window", "in which they are counted"),
            },
            severity="warning",
            summary="{{ $labels.name }} of Elasticsearch turns requests away",
            description='The node {{ $labels.name }} turned {{ $value | printf "%.0f" }} {{ $labels.type }} requests '
            "away in [[window]], over [[requests]], because its queue was full.",
            cases=(
                Breach(
                    series={
                        _REJECTED: counter(
                            0, lambda t: t.requests * 2, near=lambda t: t.requests * 54 / t.window, start=1000
                        )
                    },
                    labels={**_NAMED, "type": "write"},
                    settles=600,
                    value=lambda t: t.requests * t.window / 30,
                    says="The node es-0 turned 1000 write requests away in 10m, over 50, because its queue was full.",
                ),
            ),
        ),
        Alert(
            name="LogsNotIndexed",
            exporter="elasticsearch",
            expression="sum by ($keep, job) "
            "(rate(elasticsearch_indices_indexing_index_total{$elasticsearch}[$window])) == 0",
            thresholds={"window": Threshold(1800, "window", "how long nothing may arrive")},
            severity="warning",
            summary="No logs arrive in Elasticsearch",
            description="Elasticsearch (job {{ $labels.job }}) has indexed {{ $value }} documents a second for "
            "[[window]]: no shipper brings logs, or all of them are refused.",
            inhibited_by=("ElasticsearchUnreachable", "ElasticsearchClusterRed"),
            cases=(
                Breach(
                    series={_INDEXED: counter(30_000, 0, near=0.2)},
                    labels={"job": "$elasticsearch"},
                    value=0,
                    healthy=3600,
                    lag=1800,  # the last document has left the window
                    clears=0,
                    says="Elasticsearch (job elasticsearch) has indexed 0 documents a second for 30m: no shipper "
                    "brings logs, or all of them are refused.",
                ),
            ),
        ),
        *logging_shipping.ALERTS,
        *logging_errors.ALERTS,
    ),
)
