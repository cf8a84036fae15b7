"""Monitoring itself: targets, scrapes and rules. `monitoring_delivery` is about alerts on their way to people,
`monitoring_sidecars` about our own exporters."""

from __future__ import annotations

from sla_kit.alert_rules import monitoring_delivery, monitoring_sidecars
from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, Values, counter, counting, gauge, steady

_AT = '$prometheus, instance="prometheus-0:9090"'
_LABELS = {"job": "$prometheus", "instance": "prometheus-0:9090"}
_ONE = 'up{job="shop", instance="shop-0:3000"}'
_OTHER = 'up{job="shop", instance="shop-1:3000"}'
_TARGET = {"job": "shop", "instance": "shop-0:3000"}
_TOOK = 'scrape_duration_seconds{job="shop", instance="shop-0:3000"}'
_INTERVAL = f'prometheus_target_interval_length_seconds{{{_AT}, interval="$scrape_interval", quantile="0.99"}}'
_GROUP = f'{_AT}, rule_group="/etc/rules/slo.yml;api"'
_RULES_FAILED = f"prometheus_rule_evaluation_failures_total{{{_GROUP}}}"
_RULES_MISSED = f"prometheus_rule_group_iterations_missed_total{{{_GROUP}}}"
_RELOADED = f"prometheus_config_last_reload_successful{{{_AT}}}"
_COMPACTIONS = f"prometheus_tsdb_compactions_failed_total{{{_AT}}}"
_RELOADS = f"prometheus_tsdb_reloads_failures_total{{{_AT}}}"
_CORRUPTIONS = f"prometheus_tsdb_wal_corruptions_total{{{_AT}}}"
_PG_ERROR = 'pg_exporter_last_scrape_error{$postgres, instance="db-0:9187"}'
_REDIS_ERROR = 'redis_exporter_last_scrape_error{$redis, instance="redis-0:9121", err=""}'


def _scraped(t: Values) -> float:
    """How far apart scrapes are that come in time."""
    return t.scrape_seconds


AREA = Area(
    name="monitoring",
    title="Monitoring itself (Prometheus, Alertmanager, exporters, sla-kit's router)",
    dashboard="monitoring",
    healthy={
        _ONE: steady(1),
        _OTHER: steady(1),
        _TOOK: steady(0.05),
        **{
            _INTERVAL.replace("0.99", quantile): steady(_scraped) for quantile in ("0.01", "0.05", "0.5", "0.9", "0.99")
        },
        # A job that is scraped more seldom, and a quantile of what was not observed lately.
        f'prometheus_target_interval_length_seconds{{{_AT}, interval="2m0s", quantile="0.99"}}': steady(120.0),
        f'prometheus_target_interval_length_seconds{{{_AT}, interval="45s", quantile="0.99"}}': steady(float("nan")),
        _RULES_FAILED: counting(0),
        _RULES_MISSED: counting(0),
        _RELOADED: steady(1),
        _COMPACTIONS: counting(0),
        _RELOADS: counting(0),
        _CORRUPTIONS: counting(0),
        _PG_ERROR: steady(0),
        _REDIS_ERROR: steady(0),
        **monitoring_sidecars.HEALTHY,
        **monitoring_delivery.HEALTHY,
    },
    alerts=(
        Alert(
            name="Watchdog",
            exporter="prometheus",
            expression="vector(1)",
            severity="info",
            summary="Alerts reach people",
            description="This alert fires always. It goes to a service outside that calls somebody when it ceases to "
            "come: then Prometheus, Alertmanager or the way between them is broken.",
            always=True,
        ),
        Alert(
            name="TargetDown",
            exporter="prometheus",
            expression="up == 0",
            pending=300,
            keep_firing_for=120,
            severity="warning",
            summary="{{ $labels.instance }} can't be scraped",
            description="Prometheus can't scrape {{ $labels.instance }} of job {{ $labels.job }} (up is {{ $value }}): "
            "alerts and figures that need it are blind.",
            cases=(
                Breach(
                    series={_ONE: gauge(1, 0), _OTHER: steady(1)},
                    labels=_TARGET,
                    value=0,
                    says="Prometheus can't scrape shop-0:3000 of job shop (up is 0): alerts and figures that need it "
                    "are blind.",
                ),
            ),
        ),
        Alert(
            name="TargetsVanished",
            exporter="prometheus",
            # Where nothing is left to scrape nothing is down either, so it is compared with what was there.
            expression="""
                count by ($keep, job) (max_over_time(up[$lookback:15m]))
                  unless on ($keep, job)
                count by ($keep, job) (count_over_time(up[$window]))
            """,
            thresholds={
                "lookback": Threshold(2 * 86400, "window", "how far back is looked for a job's targets"),
                "window": Threshold(600, "window", "how long a job may have none"),
            },
            severity="warning",
            summary="Job {{ $labels.job }} has no targets left",
            description="The job {{ $labels.job }} had {{ $value }} targets within the last [[lookback]] and has had "
            "none for [[window]]: nothing of it is measured, and nothing of it is reported down.",
            cases=(
                Breach(
                    series={_ONE: gauge(1, None), _OTHER: gauge(1, None)},
                    labels={"job": "shop"},
                    value=2,
                    lag=600,  # the last sample, a minute before, has left the window
                    clears=0,
                    says="The job shop had 2 targets within the last 2d and has had none for 10m: nothing of it is "
                    "measured, and nothing of it is reported down.",
                ),
                Quiet(name="one of two is left", series={_ONE: gauge(None, None), _OTHER: steady(1)}),
                Quiet(name="down is not gone", series={_ONE: steady(0)}),
            ),
        ),
        Alert(
            name="ScrapeSlow",
            exporter="prometheus",
            expression="avg_over_time(scrape_duration_seconds[$window]) > $seconds",
            thresholds={
                "seconds": Threshold(5, "seconds", "how long a scrape may take on average; it is given up after 10"),
                "window": Threshold(300, "window", "over which the average is taken"),
            },
            pending=600,
            severity="warning",
            summary="Scraping {{ $labels.instance }} takes too long",
            description="Scrapes of {{ $labels.instance }} of job {{ $labels.job }} take {{ $value | humanizeDuration "
            "}}, over [[seconds]]: soon they are given up and the target counts as down.",
            inhibited_by=("TargetDown",),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    series={_TOOK: gauge(0.05, lambda t: t.seconds * 1.6, near=lambda t: t.seconds * 0.99)},
                    labels=_TARGET,
                    lag=180,  # 8 s in four scrapes of five, or of six
                    settles=300,
                    value=lambda t: t.seconds * 1.6,
                    says="Scrapes of shop-0:3000 of job shop take 8s, over 5s: soon they are given up and the target "
                    "counts as down.",
                ),
            ),
        ),
        Alert(
            name="ScrapeIntervalMissed",
            exporter="prometheus",
            expression="prometheus_target_interval_length_seconds"
            '{$prometheus, interval="$scrape_interval", quantile="0.99"} > $scrape_seconds + $seconds',
            thresholds={"seconds": Threshold(3, "seconds", "how much later than its interval a scrape may come")},
            pending=900,
            severity="warning",
            summary="Prometheus can't keep its scrape interval",
            description="One scrape of a hundred by {{ $labels.instance }} comes {{ $value | humanizeDuration }} or "
            "more after the one before, not {{ $labels.interval }}: Prometheus is overloaded, and rates get inexact.",
            cases=(
                Breach(
                    series={
                        _INTERVAL: gauge(
                            _scraped,
                            lambda t: t.scrape_seconds + t.seconds * 4,
                            near=lambda t: t.scrape_seconds + t.seconds,
                        )
                    },
                    labels={**_LABELS, "interval": "$scrape_interval", "quantile": "0.99"},
                    value=lambda t: t.scrape_seconds + t.seconds * 4,
                    says="One scrape of a hundred by prometheus-0:9090 comes 27s or more after the one before, not "
                    "15s: Prometheus is overloaded, and rates get inexact.",
                ),
            ),
        ),
        Alert(
            name="RuleEvaluationFailing",
            exporter="prometheus",
            expression="sum by ($keep, job, instance, rule_group) "
            "(increase(prometheus_rule_evaluation_failures_total{$prometheus}[$window])) > 0",
            thresholds={"window": Threshold(300, "window", "in which failures are counted")},
            pending=120,
            keep_firing_for=600,
            severity="warning",
            summary="Rules of {{ $labels.rule_group }} fail",
            description='{{ $value | printf "%.0f" }} evaluations of rules of {{ $labels.rule_group }} by '
            "{{ $labels.instance }} failed in [[window]]: their alerts can't fire.",
            cases=(
                Breach(
                    series={_RULES_FAILED: counter(0, 2, start=1000)},
                    labels={**_LABELS, "rule_group": "/etc/rules/slo.yml;api"},
                    settles=300,
                    value=lambda t: t.window / 30,
                    says="10 evaluations of rules of /etc/rules/slo.yml;api by prometheus-0:9090 failed in 5m: their "
                    "alerts can't fire.",
                ),
                Quiet(name="failures of long ago", series={_RULES_FAILED: counting(0, start=1000)}),
            ),
        ),
        Alert(
            name="RuleGroupsSkipped",
            exporter="prometheus",
            expression="sum by ($keep, job, instance, rule_group) "
            "(increase(prometheus_rule_group_iterations_missed_total{$prometheus}[$window])) > $rounds",
            thresholds={
                "rounds": Threshold(3, "count", "how many rounds may be left out"),
                "window": Threshold(900, "window", "in which they are counted"),
            },
            severity="warning",
            summary="Prometheus can't keep up with {{ $labels.rule_group }}",
            description='{{ $labels.instance }} left {{ $value | printf "%.0f" }} rounds of {{ $labels.rule_group }} '
            "out in [[window]], over [[rounds]]: one round takes longer than its interval, and alerts come late.",
            cases=(
                Breach(
                    series={
                        _RULES_MISSED: counter(
                            0, lambda t: t.rounds * 2, near=lambda t: t.rounds * 54 / t.window, start=1000
                        )
                    },
                    labels={**_LABELS, "rule_group": "/etc/rules/slo.yml;api"},
                    settles=900,
                    value=lambda t: t.rounds * t.window / 30,
                    says="prometheus-0:9090 left 90 rounds of /etc/rules/slo.yml;api out in 15m, over 3: one round "
                    "takes longer than its interval, and alerts come late.",
                ),
            ),
        ),
        Alert(
            name="PrometheusConfigRefused",
            exporter="prometheus",
            expression="prometheus_config_last_reload_successful{$prometheus} == 0",
            pending=300,
            severity="warning",
            summary="{{ $labels.instance }} runs on an old configuration",
            description="Prometheus at {{ $labels.instance }} could not load its configuration (success is "
            "{{ $value }}): new rules and targets are not in force, and it would not come back from a restart.",
            cases=(
                Breach(
                    series={_RELOADED: gauge(1, 0)},
                    labels=_LABELS,
                    value=0,
                    says="Prometheus at prometheus-0:9090 could not load its configuration (success is 0): new rules "
                    "and targets are not in force, and it would not come back from a restart.",
                ),
            ),
        ),
        Alert(
            name="PrometheusStorageFailing",
            exporter="prometheus",
            expression="""
                sum by ($keep, job, instance) (
                  increase(prometheus_tsdb_compactions_failed_total{$prometheus}[$window])
                    + increase(prometheus_tsdb_reloads_failures_total{$prometheus}[$window])
                    + increase(prometheus_tsdb_wal_corruptions_total{$prometheus}[$window])
                ) > 0
            """,
            thresholds={"window": Threshold(3 * 3600, "window", "in which failures are counted")},
            severity="warning",
            summary="The storage of {{ $labels.instance }} has trouble",
            description='Prometheus at {{ $labels.instance }} failed {{ $value | printf "%.0f" }} times in [[window]] '
            "to compact, load or read its own data: its disk is full or broken, and history may be lost.",
            cases=(
                Breach(
                    series={
                        _COMPACTIONS: counter(0, 0.1, start=7),
                        _RELOADS: counting(0),
                        _CORRUPTIONS: counting(0),
                    },
                    labels=_LABELS,
                    settles=3 * 3600,
                    value=lambda t: 0.1 * t.window / 60,
                    says="Prometheus at prometheus-0:9090 failed 18 times in 3h to compact, load or read its own data: "
                    "its disk is full or broken, and history may be lost.",
                ),
                Quiet(
                    name="failures of long ago",
                    series={
                        _COMPACTIONS: counting(0, start=7),
                        _RELOADS: counting(0, start=7),
                        _CORRUPTIONS: counting(0, start=7),
                    },
                ),
            ),
        ),
        Alert(
            name="ExporterScrapeErrors",
            exporter="prometheus",
            expression="""
                max by ($keep, job, instance) (
                  pg_exporter_last_scrape_error{$postgres} or redis_exporter_last_scrape_error{$redis}
                ) == 1
            """,
            pending=900,
            severity="warning",
            summary="The exporter {{ $labels.instance }} reports errors",
            description="The last scrapes by the exporter {{ $labels.instance }} of job {{ $labels.job }} went wrong "
            "(error is {{ $value }}): some of what it should measure is missing.",
            inhibited_by=("PostgresDown", "RedisDown"),
            inhibition_labels=("cluster", "instance"),
            cases=(
                Breach(
                    name="of PostgreSQL",
                    series={_PG_ERROR: gauge(0, 1), _REDIS_ERROR: steady(0)},
                    labels={"job": "$postgres", "instance": "db-0:9187"},
                    value=1,
                    says="The last scrapes by the exporter db-0:9187 of job postgres went wrong (error is 1): some of "
                    "what it should measure is missing.",
                ),
                Breach(
                    name="of Redis, which names the error",
                    series={
                        _PG_ERROR: steady(0),
                        'redis_exporter_last_scrape_error{$redis, instance="redis-0:9121", err="timeout"}': gauge(
                            None, 1
                        ),
                    },
                    labels={"job": "$redis", "instance": "redis-0:9121"},
                    value=1,
                    clears=360,  # the series with the error is seen for five minutes more
                    says="The last scrapes by the exporter redis-0:9121 of job redis went wrong (error is 1): some of "
                    "what it should measure is missing.",
                ),
            ),
        ),
        *monitoring_sidecars.ALERTS,
        *monitoring_delivery.ALERTS,
    ),
)
