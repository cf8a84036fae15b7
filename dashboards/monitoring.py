"""Monitoring itself: whether everything is scraped, rules are evaluated, and alerts find their way to people."""

from __future__ import annotations

from sla_kit.alert_rules.expanding import go_duration
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.marks import DEPLOYMENTS, firing
from sla_kit.dashboards.model import Dashboard, Row, State
from sla_kit.dashboards.monitoring_exporters import exporters, own_exporters
from sla_kit.dashboards.vocabulary import (
    YES,
    Variable,
    alert_limit,
    bars,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)

_RULE_GROUPS = "sum by (rule_group, instance, $keep) (increase(prometheus_rule_%s{$prometheus}[$__rate_interval])) > 0"


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    return Dashboard(
        name="monitoring",
        title="Monitoring itself",
        description="Whether everything is scraped, whether rules are evaluated in time, and whether alerts find "
        "their way to people. Where this is not well, every other dashboard may be wrong.",
        folder="Monitoring",
        instances=("prometheus",),
        variables=(
            Variable(
                name="instance", title="Prometheus", metric="prometheus_build_info{$prometheus}", label="instance"
            ),
        ),
        annotations=(firing("monitoring"), DEPLOYMENTS),
        rows=(_now(), _scrapes(catalogue), _rules(), _storage(), _delivery(), _router(), exporters(), own_exporters()),
    )


def _now() -> Row:
    return row(
        "Now",
        stat(
            "Watchdog",
            query('count(ALERTS{$scope, alertname="Watchdog", alertstate="firing"}) > bool 0 or vector(0)', "watchdog"),
            unit="short",
            states={"1": State(text="fires", meaning="good"), "0": State(text="silent", meaning="critical")},
            links=(runbook("Watchdog"),),
            description="The alert that fires always. Silent means that rules are not evaluated.",
        ),
        stat(
            "Targets down",
            query("count(up{$scope} == 0) or vector(0)", "down"),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            links=(runbook("TargetDown"),),
            description="Targets that can't be scraped. Which they are is in the table below.",
        ),
        stat(
            "Fullest rule group",
            query(
                "max(prometheus_rule_group_last_duration_seconds{$prometheus} "
                "/ prometheus_rule_group_interval_seconds{$prometheus})",
                "slowest group",
            ),
            unit="percentunit",
            decimals=0,
            limits=(limit(0.8, "above", "warning"), limit(1.0, "above", "critical")),
            description="How much of its interval the slowest group of rules needs. From 100 % on rounds are left out "
            "and alerts come late.",
        ),
        stat(
            "Configurations in force",
            query(
                "min(prometheus_config_last_reload_successful{$prometheus} "
                "or alertmanager_config_last_reload_successful{$alertmanager})",
                "all",
            ),
            unit="short",
            states=YES,
            links=(runbook("PrometheusConfigRefused"), runbook("AlertmanagerConfigRefused")),
            description="Whether every Prometheus and Alertmanager runs on the configuration that it was given last.",
        ),
        stat(
            "Alertmanagers known",
            query("min(prometheus_notifications_alertmanagers_discovered{$prometheus})", "known"),
            unit="short",
            limits=(limit(1, "below", "critical"),),
            links=(runbook("PrometheusWithoutAlertmanager"), runbook("AlertmanagerMissing")),
            description="How many Alertmanagers a Prometheus knows, of the one that knows fewest. Without any, no "
            "alert reaches anybody.",
        ),
        stat(
            "Oldest in the outbox",
            query("max(sla_router_outbox_oldest_seconds{$router})", "oldest"),
            unit="s",
            decimals=0,
            limits=(alert_limit("RouterOutboxStuck", "seconds"),),
            description="How long the oldest notification has waited in the router; seconds at most when all is well.",
        ),
        height=4,
    )


def _scrapes(catalogue: Catalogue) -> Row:
    every = catalogue.monitoring.scrape_interval
    return row(
        "Scrapes",
        table(
            "Jobs",
            query("count by (job, $keep) (up{$scope})", "Targets"),
            query("count by (job, $keep) (up{$scope}) - sum by (job, $keep) (up{$scope})", "Down"),
            query("max by (job, $keep) (scrape_duration_seconds{$scope})", "Slowest scrape"),
            query("sum by (job, $keep) (scrape_samples_scraped{$scope})", "Samples"),
            description="What is scraped, by job. A job that is not there has no targets at all, and nothing of it is "
            "reported down.",
            columns=(
                column("job", "Job"),
                column("Targets", unit="short"),
                column("Down", unit="short", limits=(limit(1, "above", "warning"),)),
                column("Slowest scrape", unit="s", decimals=2, limits=(alert_limit("ScrapeSlow", "seconds"),)),
                column("Samples", unit="short"),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("TargetsVanished"),),
            sort_by="Down",
            width=12,
        ),
        timeseries(
            "Slowest scrapes",
            query("topk(8, max by (job, instance, $keep) (scrape_duration_seconds{$scope}))", "{{job}} {{instance}}"),
            unit="s",
            minimum=0,
            limits=(alert_limit("ScrapeSlow", "seconds"),),
            description="How long scrapes take, of the eight targets that take longest; they are given up after ten "
            "seconds.",
            width=12,
        ),
        timeseries(
            "Scrapes come late by",
            query(
                "prometheus_target_interval_length_seconds"
                f'{{$prometheus, interval="{go_duration(every)}", quantile="0.99"}} - {every:g}',
                "{{instance}}",
            ),
            unit="s",
            limits=(alert_limit("ScrapeIntervalMissed", "seconds"),),
            description="By how much the latest of a hundred scrapes exceeds its interval. A Prometheus that is "
            "overloaded comes late, and rates get inexact.",
            width=12,
        ),
        states(
            "Targets that were down",
            query("min by (job, instance, $keep) (up{$scope}) == 0", "{{job}} {{instance}}"),
            states={"0": State(text="down", meaning="critical")},
            no_value="None was down",
            description="Which targets could not be scraped when. None is normal, short gaps are restarts.",
            width=12,
        ),
        height=8,
    )


def _rules() -> Row:
    return row(
        "Rules",
        timeseries(
            "Time of a round beside its interval",
            query(
                "topk(8, max by (rule_group, instance, $keep) "
                "(prometheus_rule_group_last_duration_seconds{$prometheus} "
                "/ prometheus_rule_group_interval_seconds{$prometheus}))",
                "{{rule_group}}",
            ),
            unit="percentunit",
            minimum=0,
            description="How much of its interval each of the eight slowest groups needs. Much more than half is too "
            "much: games make everything slower.",
        ),
        timeseries(
            "Failures and rounds left out",
            query(_RULE_GROUPS % "evaluation_failures_total", "failed {{rule_group}}"),
            query(_RULE_GROUPS % "group_iterations_missed_total", "left out {{rule_group}}"),
            unit="short",
            minimum=0,
            bars=True,
            no_value="None",
            links=(runbook("RuleEvaluationFailing"), runbook("RuleGroupsSkipped")),
            description="Rules that failed, and rounds that were left out because the one before took too long. "
            "Normal is none.",
        ),
        timeseries(
            "Time of a query",
            query(
                'max by (slice, $keep) (prometheus_engine_query_duration_seconds{$prometheus, quantile="0.99"})',
                "{{slice}}",
            ),
            unit="s",
            minimum=0,
            description="The 99th percentile of the parts of a query: waiting, preparing, evaluating. Waiting means "
            "that too many are asked at once.",
        ),
    )


def _storage() -> Row:
    return row(
        "Storage",
        timeseries(
            "Series in memory",
            query("prometheus_tsdb_head_series{$prometheus}", "{{instance}}"),
            unit="short",
            description="How many series each Prometheus holds. A step is a label with too many values; memory "
            "follows.",
        ),
        timeseries(
            "Samples taken in",
            query(
                "sum by (instance, $keep) (rate(prometheus_tsdb_head_samples_appended_total{$prometheus}"
                "[$__rate_interval]))",
                "{{instance}}",
            ),
            unit="cps",
            minimum=0,
            description="Samples a second. It grows with pods; a fall means that targets are gone.",
        ),
        timeseries(
            "Trouble with storage",
            query(
                "sum(increase(prometheus_tsdb_compactions_failed_total{$prometheus}[$__rate_interval]))",
                "compactions failed",
                color="red",
            ),
            query(
                "sum(increase(prometheus_tsdb_reloads_failures_total{$prometheus}[$__rate_interval]))",
                "reloads failed",
                color="orange",
            ),
            query(
                "sum(increase(prometheus_tsdb_wal_corruptions_total{$prometheus}[$__rate_interval]))",
                "corruptions of the log",
                color="purple",
            ),
            unit="short",
            minimum=0,
            links=(runbook("PrometheusStorageFailing"),),
            description="What went wrong with a Prometheus's own data: a disk that is full or broken. Normal is none.",
        ),
    )


def _delivery() -> Row:
    failed = (
        "sum by (integration, $keep) (rate(alertmanager_notifications_failed_total{$alertmanager}[$__rate_interval]))"
    )
    sent = "sum by (integration, $keep) (rate(alertmanager_notifications_total{$alertmanager}[$__rate_interval]))"
    return row(
        "From Prometheus to Alertmanager and on",
        timeseries(
            "Queue to Alertmanager",
            query(
                # Newer versions have a queue for each Alertmanager, and still one capacity.
                "max by (instance, $keep) (prometheus_notifications_queue_length{$prometheus}) "
                "/ max by (instance, $keep) (prometheus_notifications_queue_capacity{$prometheus})",
                "{{instance}}",
            ),
            unit="percentunit",
            minimum=0,
            maximum=1,
            description="How full the queue is in which alerts wait for Alertmanager. Normal is empty; a full one "
            "drops alerts.",
            width=12,
        ),
        timeseries(
            "Alerts dropped or refused",
            query(
                "sum(increase(prometheus_notifications_dropped_total{$prometheus}[$__rate_interval]))",
                "dropped",
                color="red",
            ),
            query(
                "sum(increase(prometheus_notifications_errors_total{$prometheus}[$__rate_interval]))",
                "refused",
                color="orange",
            ),
            unit="short",
            minimum=0,
            links=(runbook("PrometheusAlertsDropped"),),
            description="Alerts that a Prometheus could not hand over. Refused ones are sent again, dropped ones are "
            "lost until the next round.",
            width=12,
        ),
        timeseries(
            "Alertmanagers that see each other",
            query("min(alertmanager_cluster_members{$alertmanager})", "members", color="blue"),
            query("max(alertmanager_cluster_failed_peers{$alertmanager})", "lost", color="red"),
            unit="short",
            minimum=0,
            description="How many members each Alertmanager's cluster has, of the one that sees fewest. Those that do "
            "not see each other tell people everything twice.",
            width=12,
        ),
        timeseries(
            "Notifications that fail",
            query(f"{failed} / on (integration, $keep) ({sent} > 0)", "{{integration}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("NotificationsFailing", "ratio"),),
            links=(leads_to("alerts", "Alerts and on-call"),),
            description="How many of Alertmanager's notifications fail, by the way they go. Normal is none.",
            width=12,
        ),
    )


def _router() -> Row:
    return row(
        "The router",
        timeseries(
            "Notifications that wait",
            query("sum by (instance, $keep) (sla_router_outbox_pending{$router})", "{{instance}}"),
            unit="short",
            minimum=0,
            description="Notifications in the router's outbox. They come and go within seconds; a rise means that a "
            "destination does not take them.",
        ),
        timeseries(
            "Deliveries",
            query(
                "sum by (destination, outcome, $keep) "
                "(increase(sla_router_deliveries_total{$router}[$__rate_interval])) > 0",
                "{{destination}} {{outcome}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            stack="normal",
            links=(runbook("RouterDeliveriesFailing"),),
            description="Attempts to deliver by destination and outcome. Failed ones are tried again.",
        ),
        states(
            "Destinations",
            query("max by (destination, $keep) (sla_router_breaker_open{$router})", "{{destination}}"),
            states={"0": State(text="reached", meaning="good"), "1": State(text="left alone", meaning="critical")},
            links=(runbook("RouterDestinationUnreachable"),),
            description="Whether the router reaches what it delivers to. One that does not answer is left alone but "
            "for a trial now and then; people are told through others meanwhile.",
        ),
        bars(
            "Given up",
            query("max by (destination, $keep) (sla_router_dead_letters{$router})", "{{destination}}"),
            unit="short",
            decimals=0,
            minimum=0,
            limits=(limit(1, "above", "warning"),),
            links=(runbook("RouterDeadLetters"),),
            description="Notifications that nobody got: look at them with `sla-kit outbox list`, then send them again "
            "or drop them.",
        ),
    )
