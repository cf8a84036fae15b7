"""Alerts on their way to people: from Prometheus to Alertmanager, from there to sla-kit's router, Slack or a pager."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_PROMETHEUS = '$prometheus, instance="prometheus-0:9090"'
_ALERTMANAGER = '$alertmanager, instance="alertmanager-0:9093"'
_ROUTER = '$router, instance="router-0:9099"'
_UP = f"up{{{_ALERTMANAGER}}}"
_KNOWN = f"prometheus_notifications_alertmanagers_discovered{{{_PROMETHEUS}}}"
_DROPPED = f"prometheus_notifications_dropped_total{{{_PROMETHEUS}}}"
_RELOADED = f"alertmanager_config_last_reload_successful{{{_ALERTMANAGER}}}"
_SENT = f'alertmanager_notifications_total{{{_ALERTMANAGER}, integration="pagerduty"}}'
_FAILED = f'alertmanager_notifications_failed_total{{{_ALERTMANAGER}, integration="pagerduty"}}'
_OLDEST = f"sla_router_outbox_oldest_seconds{{{_ROUTER}}}"
_UNDELIVERED = f'sla_router_deliveries_total{{{_ROUTER}, destination="slack", outcome="failed"}}'
_WRITABLE = f"sla_router_outbox_up{{{_ROUTER}}}"
_LEFT_ALONE = f'sla_router_breaker_open{{{_ROUTER}, destination="pagerduty"}}'
_DEAD_EVENTS = f"sla_router_dead_events{{{_ROUTER}}}"
_GIVEN_UP = f'sla_router_dead_letters{{{_ROUTER}, destination="slack"}}'

HEALTHY = {
    _UP: steady(1),
    _KNOWN: steady(1),
    _DROPPED: counting(0),
    _RELOADED: steady(1),
    **{
        f'alertmanager_{name}{{{_ALERTMANAGER}, integration="{integration}"}}': counting(rate)
        for integration in ("email", "opsgenie", "pagerduty", "pushover", "slack", "sns", "telegram", "webhook")
        for name, rate in {"notifications_total": 0.2, "notifications_failed_total": 0}.items()
    },
    _OLDEST: steady(0.4),
    **{
        f'sla_router_deliveries_total{{{_ROUTER}, destination="{destination}", outcome="{outcome}"}}': counting(rate)
        for destination in ("slack", "pagerduty", "email")
        for outcome, rate in {"delivered": 0.2, "failed": 0}.items()
    },
    _WRITABLE: steady(1),
    _DEAD_EVENTS: steady(0),
    **{
        f'sla_router_{name}{{{_ROUTER}, destination="{destination}"}}': steady(0)
        for name in ("dead_letters", "breaker_open")
        for destination in ("slack", "pagerduty", "email")
    },
}

ALERTS = (
    Alert(
        name="AlertmanagerMissing",
        exporter="alertmanager",
        expression="absent(up{$alertmanager} == 1)",
        pending=300,
        severity="critical",
        summary="No Alertmanager is up",
        description="For five minutes no Alertmanager has been up and scraped: alerts fire and reach nobody. You read "
        "this because one came back, or because somebody looked.",
        missing_fires=True,
        cases=(
            Breach(
                series={_UP: gauge(1, 0)},
                labels={},
                value=1,
                keeps=False,
                says="For five minutes no Alertmanager has been up and scraped: alerts fire and reach nobody. You read "
                "this because one came back, or because somebody looked.",
            ),
        ),
    ),
    Alert(
        name="PrometheusWithoutAlertmanager",
        exporter="prometheus",
        expression="prometheus_notifications_alertmanagers_discovered{$prometheus} < 1",
        pending=300,
        severity="critical",
        summary="{{ $labels.instance }} knows no Alertmanager",
        description="Prometheus at {{ $labels.instance }} knows {{ $value }} Alertmanagers: none of its alerts reaches "
        "anybody.",
        cases=(
            Breach(
                series={_KNOWN: gauge(1, 0)},
                labels={"job": "$prometheus", "instance": "prometheus-0:9090"},
                value=0,
                says="Prometheus at prometheus-0:9090 knows 0 Alertmanagers: none of its alerts reaches anybody.",
            ),
        ),
    ),
    Alert(
        name="PrometheusAlertsDropped",
        exporter="prometheus",
        expression="sum by ($keep, job, instance) "
        "(increase(prometheus_notifications_dropped_total{$prometheus}[$window])) > $alerts",
        thresholds={
            "alerts": Threshold(5, "count", "how many alerts may be lost on the way; they are sent again"),
            "window": Threshold(600, "window", "in which they are counted"),
        },
        pending=60,
        keep_firing_for=600,
        severity="critical",
        summary="{{ $labels.instance }} can't hand its alerts over",
        description='Prometheus at {{ $labels.instance }} dropped {{ $value | printf "%.0f" }} alerts in [[window]], '
        "over [[alerts]], because no Alertmanager took them.",
        cases=(
            Breach(
                series={
                    _DROPPED: counter(0, lambda t: t.alerts * 2, near=lambda t: t.alerts * 54 / t.window, start=1000)
                },
                labels={"job": "$prometheus", "instance": "prometheus-0:9090"},
                settles=600,
                value=lambda t: t.alerts * t.window / 30,
                says="Prometheus at prometheus-0:9090 dropped 100 alerts in 10m, over 5, because no Alertmanager took "
                "them.",
            ),
        ),
    ),
    Alert(
        name="AlertmanagerConfigRefused",
        exporter="alertmanager",
        expression="alertmanager_config_last_reload_successful{$alertmanager} == 0",
        pending=300,
        severity="warning",
        summary="{{ $labels.instance }} runs on an old configuration",
        description="Alertmanager at {{ $labels.instance }} could not load its configuration (success is {{ $value "
        "}}): new routes and receivers are not in force, and it would not come back from a restart.",
        cases=(
            Breach(
                series={_RELOADED: gauge(1, 0)},
                labels={"job": "$alertmanager", "instance": "alertmanager-0:9093"},
                value=0,
                says="Alertmanager at alertmanager-0:9093 could not load its configuration (success is 0): new routes "
                "and receivers are not in force, and it would not come back from a restart.",
            ),
        ),
    ),
    Alert(
        name="NotificationsFailing",
        exporter="alertmanager",
        expression="""
            sum by ($keep, job, integration) (increase(alertmanager_notifications_failed_total{$alertmanager}[$window]))
              / on ($keep, job, integration)
            (
              sum by ($keep, job, integration) (increase(alertmanager_notifications_total{$alertmanager}[$window]))
                > $notifications
            ) > $ratio
        """,
        thresholds={
            "ratio": Threshold(0.1, "ratio", "how many notifications may fail"),
            "notifications": Threshold(2, "count", "how many there are at least, for that to mean anything"),
            "window": Threshold(600, "window", "in which they are counted"),
        },
        pending=300,
        keep_firing_for=600,
        severity="critical",
        summary="Notifications through {{ $labels.integration }} fail",
        description="{{ $value | humanizePercentage }} of the notifications that Alertmanager sends through "
        "{{ $labels.integration }} fail, over [[ratio]]: whoever should be told is not.",
        cases=(
            Breach(
                # It sends two a minute, of which all but one in five fail; two bad minutes of ten are enough.
                series={
                    _SENT: counting(2, start=1000),
                    _FAILED: counter(0, 1.6, near=lambda t: t.ratio * 1.8, start=9),
                },
                labels={"job": "$alertmanager", "integration": "pagerduty"},
                lag=60,
                settles=600,
                value=0.8,
                says="80% of the notifications that Alertmanager sends through pagerduty fail, over 10 %: whoever "
                "should be told is not.",
            ),
            Quiet(
                name="one of two, which was made up for",
                series={_SENT: counting(lambda t: 30 * t.notifications / t.window), _FAILED: counting(0.05)},
            ),
        ),
    ),
    Alert(
        name="RouterOutboxStuck",
        exporter="router",
        expression="sla_router_outbox_oldest_seconds{$router} > $seconds",
        thresholds={"seconds": Threshold(300, "seconds", "how long a notification may wait in the router's outbox")},
        pending=60,
        keep_firing_for=300,
        severity="critical",
        summary="Notifications wait in the router",
        description="The oldest notification in the outbox of the router at {{ $labels.instance }} has waited "
        "{{ $value | humanizeDuration }}, over [[seconds]]: people are told late.",
        cases=(
            Breach(
                series={_OLDEST: gauge(0.4, lambda t: t.seconds * 3, near=lambda t: t.seconds)},
                labels={"job": "$router", "instance": "router-0:9099"},
                value=lambda t: t.seconds * 3,
                says="The oldest notification in the outbox of the router at router-0:9099 has waited 15m 0s, over 5m: "
                "people are told late.",
            ),
        ),
    ),
    Alert(
        name="RouterOutboxFailing",
        exporter="router",
        expression="sla_router_outbox_up{$router} == 0",
        pending=60,
        severity="critical",
        summary="The router can't use its outbox",
        description="For a minute the router at {{ $labels.instance }} has not been able to read or write its outbox "
        "(it is up: {{ $value }}): it takes no alert and delivers none.",
        cases=(
            Breach(
                series={_WRITABLE: gauge(1, 0)},
                labels={"job": "$router", "instance": "router-0:9099"},
                value=0,
                says="For a minute the router at router-0:9099 has not been able to read or write its outbox (it is "
                "up: 0): it takes no alert and delivers none.",
            ),
        ),
    ),
    Alert(
        name="RouterDestinationUnreachable",
        exporter="router",
        expression="max by ($keep, job, destination) (sla_router_breaker_open{$router}) == 1",
        pending=120,
        severity="warning",
        summary="The router can't reach {{ $labels.destination }}",
        description="{{ $labels.destination }} does not answer the router (unreachable is {{ $value }}): what is for "
        "it waits, and is told through other addresses where there are any.",
        inhibited_by=("RouterOutboxStuck",),
        cases=(
            Breach(
                series={_LEFT_ALONE: gauge(0, 1)},
                labels={"job": "$router", "destination": "pagerduty"},
                value=1,
                says="pagerduty does not answer the router (unreachable is 1): what is for it waits, and is told "
                "through other addresses where there are any.",
            ),
        ),
    ),
    Alert(
        name="RouterDeliveriesFailing",
        exporter="router",
        expression="sum by ($keep, job, destination) "
        '(increase(sla_router_deliveries_total{$router, outcome="failed"}[$window])) > $failures',
        thresholds={
            "failures": Threshold(5, "count", "how many attempts may fail"),
            "window": Threshold(600, "window", "in which they are counted"),
        },
        keep_firing_for=300,
        severity="warning",
        summary="The router can't deliver to {{ $labels.destination }}",
        description='{{ $value | printf "%.0f" }} attempts of the router to deliver to {{ $labels.destination }} '
        "failed in [[window]], over [[failures]]; it goes on trying.",
        inhibited_by=("RouterOutboxStuck", "RouterDestinationUnreachable"),
        cases=(
            Breach(
                series={
                    _UNDELIVERED: counter(
                        0, lambda t: t.failures * 2, near=lambda t: t.failures * 54 / t.window, start=9
                    )
                },
                labels={"job": "$router", "destination": "slack"},
                settles=600,
                value=lambda t: t.failures * t.window / 30,
                says="100 attempts of the router to deliver to slack failed in 10m, over 5; it goes on trying.",
            ),
        ),
    ),
    Alert(
        name="RouterDeadLetters",
        exporter="router",
        expression="max by ($keep, job, destination) (sla_router_dead_letters{$router}) > $notifications",
        thresholds={"notifications": Threshold(0, "count", "how many notifications may lie there given up")},
        pending=60,
        severity="warning",
        summary="The router has given up notifications to {{ $labels.destination }}",
        description="{{ $value }} notifications to {{ $labels.destination }} were given up and lie in the router's "
        "outbox: nobody was told of them there.",
        cases=(
            Breach(
                series={_GIVEN_UP: gauge(0, lambda t: t.notifications + 3, near=lambda t: t.notifications)},
                labels={"job": "$router", "destination": "slack"},
                value=lambda t: t.notifications + 3,
                says="3 notifications to slack were given up and lie in the router's outbox: nobody was told of them "
                "there.",
            ),
        ),
    ),
    Alert(
        name="RouterEventsDead",
        exporter="router",
        expression="max by ($keep, job) (sla_router_dead_events{$router}) > $events",
        thresholds={"events": Threshold(0, "count", "how many events may lie there that could not be planned")},
        pending=60,
        severity="warning",
        summary="The router could not make sense of what it took",
        description="{{ $value }} events that the router acknowledged could not be planned and lie in its outbox: "
        "nobody was told of them.",
        cases=(
            Breach(
                series={_DEAD_EVENTS: gauge(0, lambda t: t.events + 3, near=lambda t: t.events)},
                labels={"job": "$router"},
                value=lambda t: t.events + 3,
                says="3 events that the router acknowledged could not be planned and lie in its outbox: nobody was "
                "told of them.",
            ),
        ),
    ),
)
