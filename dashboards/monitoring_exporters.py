"""Exporters as they tell of themselves: what they could not measure, how old it is, what they leave out."""

from __future__ import annotations

from sla_kit.dashboards.model import Row, State
from sla_kit.dashboards.vocabulary import alert_limit, query, row, runbook, states, timeseries


def exporters() -> Row:
    """Which exporters can't measure all that they should."""
    return row(
        "Exporters",
        states(
            "Exporters that report errors",
            query(
                "max by (job, instance, $keep) "
                "(pg_exporter_last_scrape_error{$postgres} or redis_exporter_last_scrape_error{$redis})",
                "{{job}} {{instance}}",
            ),
            query(
                "1 - min by (job, instance, $keep) (elasticsearch_scrape_success{$elasticsearch})",
                "{{job}} {{instance}}",
            ),
            query("1 - min by (job, collector, $keep) (sla_exporter_collector_up{$scope})", "{{job}} {{collector}}"),
            states={"0": State(text="well", meaning="good"), "1": State(text="errors", meaning="critical")},
            links=(runbook("ExporterScrapeErrors"), runbook("ExporterCollectorFailing")),
            description="Exporters, and collectors of our own ones, that are up but could not measure everything: "
            "their server refuses them, or something in it has changed. Other figures of them stand still; what "
            "a collector of ours should tell is missing.",
        ),
    )


def own_exporters() -> Row:
    """What sla-kit's exporters tell of themselves."""
    return row(
        "Our own exporters",
        timeseries(
            "Collections that fail",
            query(
                "sum by (job, collector, kind, $keep) "
                "(increase(sla_exporter_errors_total{$scope}[$__rate_interval])) > 0",
                "{{job}} {{collector}}: {{kind}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            no_value="None",
            links=(runbook("ExporterCollectorFailing"),),
            description="Collections that failed, by the kind of the trouble: no connection, no time left, no rights, "
            "a query that is refused, odd data, or a fault of the exporter's own. Normal is none.",
        ),
        timeseries(
            "Series left out",
            query(
                "sum by (job, metric, $keep) "
                "(increase(sla_exporter_series_dropped_total{$scope}[$__rate_interval])) > 0",
                "{{job}} {{metric}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            no_value="None",
            links=(runbook("ExporterSeriesDropped"),),
            description="Series of a metric that has more than `max_series` allows, counted at each collection. Normal "
            "is none; a label with too many values is the usual cause.",
        ),
        states(
            "Configuration in force",
            query(
                "min by (job, instance, $keep) (sla_exporter_config_last_reload_successful{$scope})",
                "{{job}} {{instance}}",
            ),
            states={
                "1": State(text="the newest", meaning="good"),
                "0": State(text="the one before", meaning="warning"),
            },
            links=(runbook("ExporterReloadFailed"),),
            description="Whether each exporter runs on what its files say now. It goes on with the one before where "
            "the newest is wrong.",
        ),
        timeseries(
            "Age of what is published",
            query(
                "max by (job, collector, $keep) (sla_exporter_snapshot_age_seconds{$scope})", "{{job}} {{collector}}"
            ),
            unit="s",
            minimum=0,
            limits=(alert_limit("ExporterSnapshotOld", "seconds"),),
            description="How old the figures are that our own exporters publish; no older than a round of collecting.",
        ),
    )
