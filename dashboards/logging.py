"""Logs and errors: what services write to their logs, whether it arrives, and how Elasticsearch is that keeps it."""

from __future__ import annotations

from sla_kit.alert_rules.logging import AREA
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.limits import Limits
from sla_kit.dashboards.logging_errors import arriving, counted_errors
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Row, State
from sla_kit.dashboards.vocabulary import (
    alert_limit,
    bars,
    column,
    kibana,
    log_lines,
    logs,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)
from sla_kit.rules.sides import promql_duration

#: Log lines that tell of an error, in ECS's field log.level.
ERRORS = "log.level:(error OR fatal OR critical)"
#: Requests that a server answered with an error of its own.
SERVER_ERRORS = "http.response.status_code:[500 TO 599]"

_ERROR_RECORDS = (
    'sum by (service, $keep) (rate(sla_log_records_total{$fluentd, level=~"error|fatal|critical"}[$__rate_interval]%s))'
)
_DISK = """
    max by (name, $keep) (
      1 - elasticsearch_filesystem_data_available_bytes{$elasticsearch}
        / elasticsearch_filesystem_data_size_bytes{$elasticsearch}
    )
"""
_HEAP = """
    max by (name, $keep) (
      elasticsearch_jvm_memory_used_bytes{$elasticsearch, area="heap"}
        / elasticsearch_jvm_memory_max_bytes{$elasticsearch, area="heap"}
    )
"""
_DISK_LIMITS = (alert_limit("ElasticsearchDiskHigh", "ratio"), alert_limit("ElasticsearchDiskFlood", "ratio"))
#: As one number: 2 green, 1 yellow, 0 red. The exporter says of each colour whether it is that one.
_HEALTH = """
    2 * max by (job, instance, $keep) (elasticsearch_cluster_health_status{$elasticsearch, color="green"})
      + max by (job, instance, $keep) (elasticsearch_cluster_health_status{$elasticsearch, color="yellow"})
"""
_COLOURS = {
    "2": State(text="green", meaning="good"),
    "1": State(text="yellow", meaning="warning"),
    "0": State(text="red", meaning="critical"),
}
_KIBANA = {
    "1": State(text="available", meaning="good"),
    "0.5": State(text="degraded", meaning="warning"),
    "0": State(text="unavailable", meaning="critical"),
}


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    return Dashboard(
        name="logging",
        title="Logs and errors",
        description="What services write to their logs, which errors are among it, whether it arrives, and how "
        "Elasticsearch is that keeps it.",
        folder="Logs",
        annotations=(LIVE_EVENTS, DEPLOYMENTS, firing("logging")),
        rows=(
            _now(),
            _errors(),
            counted_errors(ERRORS, _set(catalogue, "LogErrorsSurging", "errors")),
            _records(catalogue),
            arriving(),
            _cluster(),
        ),
    )


def _now() -> Row:
    return row(
        "Now",
        stat(
            "Elasticsearch",
            query(_HEALTH, "{{instance}}"),
            unit="short",
            states=_COLOURS,
            links=(runbook("ElasticsearchClusterRed"), runbook("ElasticsearchClusterYellow")),
            description="Green: every shard has its copies. Yellow: some lack a second copy, and the next lost node "
            "loses logs. Red: logs are missing, and new ones for those shards are refused.",
        ),
        stat(
            "Errors logged",
            query(f"sum({_ERROR_RECORDS % ''}) or vector(0)", "errors"),
            unit="cps",
            decimals=1,
            links=(runbook("LogErrorSurge"),),
            description="Log lines of level error or worse that all services write in a second. A few are normal; "
            "what counts is a step, which the rows below take apart by service and type.",
        ),
        stat(
            "Fullest disk",
            query(f"max({_DISK})", "fullest node"),
            unit="percentunit",
            decimals=0,
            minimum=0,
            maximum=1,
            limits=_DISK_LIMITS,
            description="The disk of the node that has least left. Above the low watermark no new shards are placed "
            "there; at the flood stage its indices become read-only and logs are refused.",
        ),
        stat(
            "Room in buffers",
            query("min(fluentd_output_status_buffer_available_space_ratio{$fluentd} / 100)", "fullest buffer"),
            unit="percentunit",
            decimals=0,
            minimum=0,
            maximum=1,
            limits=(alert_limit("FluentdBufferFilling", "ratio", "below"),),
            description="How much of the fullest Fluentd buffer is free. It shrinks when Elasticsearch takes logs too "
            "slowly; at zero, logs are lost or their sources are held up.",
        ),
        stat(
            "Kibana",
            query("min by (instance, $keep) (kibana_status{$kibana})", "{{instance}}"),
            unit="short",
            states=_KIBANA,
            links=(runbook("KibanaUnavailable"),),
            description="Whether people can search logs in Kibana. Nothing at all means that it does not answer.",
        ),
        height=5,
    )


def _errors() -> Row:
    in_kibana = kibana("In Kibana", ERRORS)
    return row(
        "Errors, from the logs themselves",
        timeseries(
            "Errors by service",
            logs(ERRORS, "service.name"),
            unit="short",
            stack="normal",
            bars=True,
            links=(in_kibana,),
            description="Log lines of level error or worse, by the service that wrote them.",
        ),
        timeseries(
            "Errors by type",
            logs(ERRORS, "error.type"),
            unit="short",
            stack="normal",
            bars=True,
            links=(in_kibana,),
            description="The same lines by the type of error: one that is new, or suddenly frequent, is where to look.",
        ),
        timeseries(
            "Server errors by service",
            logs(SERVER_ERRORS, "service.name"),
            unit="short",
            stack="normal",
            bars=True,
            links=(kibana("In Kibana", SERVER_ERRORS),),
            description="Requests that were answered with a status from 500 on, as access logs tell. They should "
            "agree with the error ratios of the SLOs.",
        ),
        timeseries(
            "Different types of error",
            logs(ERRORS, unique="error.type", legend="types"),
            unit="short",
            minimum=0,
            description="How many types of error there are at a time. It is small and steady in peace; a release that "
            "breaks something new raises it.",
        ),
        table(
            "Most frequent errors",
            logs(ERRORS, "service.name", "error.type", over_time=False, most=10),
            description="Which error of which service was logged how often in the time that is shown.",
            links=(in_kibana,),
            columns=(
                column("service.name", "Service"),
                column("error.type", "Type"),
                column("Count", "Lines", unit="short"),
            ),
            sort_by="Lines",
        ),
        log_lines(
            "Newest errors",
            ERRORS,
            links=(in_kibana,),
            description="The newest lines of level error or worse, the last one first.",
            width=24,
            height=10,
        ),
        height=8,
    )


def _records(catalogue: Catalogue) -> Row:
    window = promql_duration(_set(catalogue, "FluentdRetrying", "window"))
    least = _set(catalogue, "LogErrorSurge", "records")
    return row(
        "How much is written, and whether it arrives",
        timeseries(
            "Lines by level",
            logs("*", "log.level"),
            unit="short",
            stack="normal",
            bars=True,
            description="All log lines by level. Debug in quantity is a setting that was forgotten, and fills disks.",
        ),
        timeseries(
            "Lines by service",
            logs("*", "service.name", "event.dataset"),
            unit="short",
            stack="normal",
            bars=True,
            description="All log lines by service and data set: who writes most.",
        ),
        timeseries(
            "Records a service writes",
            query("sum by (service, $keep) (rate(sla_log_records_total{$fluentd}[$__rate_interval]))", "{{service}}"),
            unit="cps",
            links=(runbook("LogSourceSilent"),),
            description="Records a second that Fluentd has counted, by service. They follow the traffic; a service "
            "that falls to nothing has stopped logging, or its shipper has stopped.",
        ),
        timeseries(
            "Errors beside an hour before",
            query(
                f"({_ERROR_RECORDS % ''} > {least:g}) / on (service, $keep) ({_ERROR_RECORDS % ' offset 1h'} > 0)",
                "{{service}}",
            ),
            unit="short",
            decimals=1,
            limits=(alert_limit("LogErrorSurge", "factor"),),
            description=f"How many times as many errors a service logs as an hour before, while it logs more than "
            f"{least:g} a second; about 1 is as ever.",
            no_value="Few errors",
        ),
        timeseries(
            "Room in buffers by output",
            query(
                "min by (instance, plugin_id, $keep) "
                "(fluentd_output_status_buffer_available_space_ratio{$fluentd} / 100)",
                "{{instance}} {{plugin_id}}",
            ),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("FluentdBufferFilling", "ratio", "below"),),
            description="How much of each buffer of Fluentd is free; nearly all of it, as long as logs are taken.",
        ),
        timeseries(
            "Retries",
            query(
                f"sum by (instance, plugin_id, $keep) (delta(fluentd_output_status_retry_count{{$fluentd}}[{window}]))",
                "{{instance}} {{plugin_id}}",
            ),
            unit="short",
            minimum=0,
            limits=(alert_limit("FluentdRetrying", "retries"),),
            description="How often each output had to try again within the alert's window. Now and then is chance; "
            "many mean that Elasticsearch refuses or does not answer.",
        ),
        height=8,
    )


def _cluster() -> Row:
    return row(
        "Elasticsearch",
        states(
            "Health",
            query(_HEALTH, "{{instance}}"),
            states=_COLOURS,
            links=(runbook("ElasticsearchClusterRed"), runbook("ElasticsearchUnreachable")),
            description="The colour of the cluster over time. A gap means that it did not answer its exporter.",
            width=8,
        ),
        timeseries(
            "Nodes and shards without a place",
            query("max(elasticsearch_cluster_health_number_of_nodes{$elasticsearch})", "nodes", color="blue"),
            query(
                "max(elasticsearch_cluster_health_unassigned_shards{$elasticsearch})", "unassigned shards", color="red"
            ),
            query("max(elasticsearch_cluster_health_number_of_pending_tasks{$elasticsearch})", "tasks", color="orange"),
            unit="short",
            minimum=0,
            links=(runbook("ElasticsearchNodeLost"),),
            description="When a node goes, its shards have no place until they are copied elsewhere. Tasks that pile "
            "up mean that the master can't keep up.",
            width=8,
        ),
        bars(
            "Shards beside the limit",
            query(
                """
                max by ($keep, job, instance) (elasticsearch_cluster_health_active_shards{$elasticsearch})
                  / on (job, instance) group_left ()
                (
                  max by (job, instance) (elasticsearch_cluster_health_number_of_data_nodes{$elasticsearch})
                    * on (job, instance)
                  max by (job, instance) (elasticsearch_clustersettings_stats_max_shards_per_node{$elasticsearch})
                  > 0
                )
                """,
                "{{instance}}",
            ),
            unit="percentunit",
            decimals=0,
            minimum=0,
            maximum=1,
            limits=(alert_limit("ElasticsearchShardLimitNear", "ratio"),),
            description="How many of the shards that its settings allow the cluster holds: at the limit tomorrow's "
            "index is not created.",
            width=8,
        ),
        timeseries(
            "Disk",
            query(_DISK, "{{name}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=_DISK_LIMITS,
            description="How full the disk of each node is. A steady rise is retention that is too long for it.",
            width=12,
        ),
        timeseries(
            "Heap",
            query(_HEAP, "{{name}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("ElasticsearchHeapHigh", "ratio"),),
            description="How much of its heap each node uses. Saw teeth are normal; a high plateau means that "
            "collecting garbage frees nothing any more.",
            width=12,
        ),
        timeseries(
            "Documents indexed",
            query(
                "sum by (name, $keep) "
                "(rate(elasticsearch_indices_indexing_index_total{$elasticsearch}[$__rate_interval]))",
                "{{name}}",
            ),
            unit="cps",
            links=(runbook("LogsNotIndexed"),),
            description="Documents a second that each node takes in, copies among them. Nothing at all means that no "
            "logs arrive.",
            width=12,
        ),
        timeseries(
            "Requests turned away",
            query(
                "sum by (name, type, $keep) "
                '(rate(elasticsearch_thread_pool_rejected_count{$elasticsearch, type=~"write|search"}'
                "[$__rate_interval]))",
                "{{name}} {{type}}",
            ),
            unit="reqps",
            links=(runbook("ElasticsearchRejecting"),),
            description="Requests that a node refused because its queue was full. Normal is none.",
            width=12,
        ),
        height=7,
    )


def _set(catalogue: Catalogue, alert: str, threshold: str) -> float:
    """What a catalogue has set an alert to; its default where the alert is switched off."""
    level = Limits.of(catalogue).level(alert_limit(alert, threshold))
    if level is not None:
        return level.value
    return next(each.thresholds[threshold].value for each in AREA.alerts if each.name == alert)
