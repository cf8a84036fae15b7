"""Business figures: active users, API usage, features, sign-ups and payments, most beside the same time last week."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Row
from sla_kit.dashboards.vocabulary import (
    UP,
    YES,
    alert_limit,
    column,
    kibana,
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
from sla_kit.dashboards.watched import Watched

_WEEK = "offset 1w"
_HOUR = 'sla_business_active_users{$business, window="1h"}'
_CALLS = "sla_business_api_requests_total{$business}"
_SIGNUPS = "sla_business_signups_total{$business}"
_PAYMENTS = "sla_business_payments_total{$business}"
_SUCCEEDED = 'sla_business_payments_total{$business, outcome="succeeded"}'
_DECLINED = 'sla_business_payments_total{$business, outcome="declined"}'
_FAILED = 'sla_business_payments_total{$business, outcome="failed"}'
_EVENTS_DIFFER = "Where a live event went on only in one of the two weeks, that is why."
_PLAN, _CLIENT = "by (plan, $keep)", "by (client, $keep)"


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    watched = Watched.of(catalogue)
    return Dashboard(
        name="business",
        title="Business figures",
        description="Whether customers use what runs: active users, API usage, features, sign-ups and payments, each "
        "beside the same time last week. What falls here while every system says that it is well is an outage all "
        "the same.",
        folder="Services",
        hours=24,
        annotations=(LIVE_EVENTS, DEPLOYMENTS, firing("business")),
        rows=(_now(watched), _users(watched), _usage(watched), _features(watched), _money(watched), _exporter()),
    )


def _now(watched: Watched) -> Row:
    signups, paid = watched.window("SignupsDropped"), watched.window("PaymentsStopped")
    return row(
        "Now",
        stat(
            "Figures arrive",
            query("(count(sla_business_active_users{$business}) > bool 0) or vector(0)", "figures"),
            unit="short",
            states=YES,
            links=(runbook("BusinessMetricsMissing"),),
            description="Whether the exporter tells anything. Where it does not, all below is blind, and no alert of "
            "these figures can fire.",
        ),
        stat(
            "Active users",
            query(f"max({_HOUR})", "within an hour"),
            unit="short",
            description="Users seen within the last hour.",
        ),
        stat(
            "Users beside last week",
            query(f"min({_users_ratio(watched)})", "of last week's"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("ActiveUsersDropped", "ratio", "below"),),
            description=f"Active users beside those of the same hour last week; 100 % is as many. {_EVENTS_DIFFER}",
        ),
        stat(
            "Sign-ups beside last week",
            query(f"min({_ratio(_SIGNUPS, signups, '')})", "of last week's"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("SignupsDropped", "ratio", "below"),),
            description=f"Sign-ups within {signups} beside those of the same hours last week. {_EVENTS_DIFFER}",
        ),
        stat(
            "Payments that fail",
            query(f"max({_failing(watched)})", "of all payments"),
            unit="percentunit",
            decimals=1,
            limits=(alert_limit("PaymentsFailing", "ratio"),),
            links=(kibana("Failed payments in the logs", "payment AND log.level:error"),),
            description="The share of payments that failed for technical reasons; those that a bank declined are not "
            "among them. Usually under a few per cent.",
        ),
        stat(
            f"Payments within {paid}",
            query(f"sum(increase({_SUCCEEDED}[{paid}]))", "succeeded"),
            unit="short",
            decimals=0,
            limits=(limit(1, "below"),),
            links=(runbook("PaymentsStopped"),),
            description=f"Payments that succeeded within {paid}. None is an outage, unless it was so last week, too.",
        ),
        height=5,
    )


def _users(watched: Watched) -> Row:
    return row(
        "Active users",
        timeseries(
            "Active users by window",
            query("max by (window, $keep) (sla_business_active_users{$business})", "within {{window}}"),
            unit="short",
            logarithmic=True,
            description="Users seen within each length of time. Short ones follow what goes on now, those of a day and "
            "more tell whether people come back.",
        ),
        timeseries(
            "Active users and last week's",
            query(f"max({_HOUR})", "within an hour", color="blue"),
            query(f"max({_HOUR} {_WEEK})", "a week earlier", color="grey"),
            unit="short",
            description="Users seen within an hour, and how many there were at the same time last week.",
        ),
        timeseries(
            "Share of last week's users",
            query(_users_ratio(watched), "active users"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("ActiveUsersDropped", "ratio", "below"),),
            links=(leads_to("application", "Applications"),),
            description="Active users beside those of the same time last week. If it falls, see whether requests fall "
            f"with it; if they don't, suspect the count. {_EVENTS_DIFFER}",
        ),
        timeseries(
            "Audience of live events",
            query("max by (event, $keep) (sla_business_event_audience{$business})", "{{event}}"),
            unit="short",
            decimals=0,
            minimum=0,
            no_value="No event goes on",
            links=(leads_to("live-events", "Live events"),),
            description="Users at each live event that goes on. Where it falls before the end, many were thrown out at "
            "once.",
        ),
        height=8,
    )


def _usage(watched: Watched) -> Row:
    over = watched.window("ApiUsageDropped")
    routes = "sum by (route, $keep)"
    now, then = f"{routes} (rate({_CALLS}[{over}]))", f"{routes} (rate({_CALLS}[{over}] {_WEEK}))"
    busiest = f"and on (route, $keep)\ntopk(30, {now})"
    return row(
        "API usage",
        timeseries(
            "Calls by plan",
            query(f"sum {_PLAN} (rate({_CALLS}[$__rate_interval]))", "{{plan}}"),
            query(f"sum {_PLAN} (rate({_CALLS}[$__rate_interval] {_WEEK}))", "{{plan}}, a week earlier"),
            unit="reqps",
            description="Calls of the API a second by what their clients pay for, and those of the same time last "
            "week.",
        ),
        timeseries(
            "Share of last week's calls by plan",
            query(_ratio(_CALLS, over, "plan, ", "rate"), "{{plan}}"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("ApiUsageDropped", "ratio", "below"),),
            links=(leads_to("application", "Applications"),),
            description=f"Calls within {over} beside those of the same time last week. Where a single plan falls, "
            f"look for its limits, its keys or a client that was released. {_EVENTS_DIFFER}",
        ),
        timeseries(
            "Calls by client",
            query(f"topk(6, sum {_CLIENT} (rate({_CALLS}[$__rate_interval])))", "{{client}}"),
            query(f"topk(6, sum {_CLIENT} (rate({_CALLS}[$__rate_interval] {_WEEK})))", "{{client}}, a week earlier"),
            unit="reqps",
            description="Calls a second of the six clients with most of them, and last week's. Where one falls alone, "
            "its last release is the first suspect.",
        ),
        table(
            "Routes",
            query(f"topk(30, {now})", "Calls"),
            query(f"{then}\n{busiest}", "A week earlier"),
            query(f"{now}\n/\n({then} > 0)\n{busiest}", "Share"),
            description=f"The thirty routes with most calls within {over}, beside the same time last week.",
            columns=(
                column("route", "Route", link=leads_to("application", "Applications")),
                column("Calls", unit="reqps", decimals=2),
                column("A week earlier", unit="reqps", decimals=2),
                column("Share", "Share of last week's", unit="percentunit", decimals=0),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Calls",
            width=24,
            height=6,
        ),
        height=8,
    )


def _features(watched: Watched) -> Row:
    over = watched.window("FeatureAbandoned")
    users, then = _feature_users("feature, cohort"), _feature_users("feature, cohort", _WEEK)
    lasting, lasting_then = _feature_mean(over), _feature_mean(over, _WEEK)
    return row(
        "Features",
        timeseries(
            "Adoption",
            query(
                "topk(8, max by (feature, cohort, $keep) (sla_business_feature_adoption_ratio{$business}))",
                "{{feature}}, {{cohort}}",
            ),
            unit="percentunit",
            decimals=1,
            minimum=0,
            description="The share of a cohort's active users of a day who used the feature within the day; the eight "
            "that are largest.",
            width=6,
        ),
        timeseries(
            "Share of last week's users by feature",
            query(f"bottomk(8, {lasting}\n/\n({lasting_then} > 0))", "{{feature}}"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("FeatureAbandoned", "ratio", "below"),),
            links=(kibana("Errors of this feature", "${__field.labels.feature} AND log.level:error"),),
            description=f"Users of a feature, averaged over {over}, beside last week's; the eight that lose most. A "
            "feature that users leave is often one that broke for some of them.",
            width=6,
        ),
        table(
            "Features by cohort",
            query(f"topk(60, {users})", "Users"),
            query(f"{then}\nand on (feature, cohort, $keep)\ntopk(60, {users})", "A week earlier"),
            query(
                f"{users}\n/\n({then} > 0)\nand on (feature, cohort, $keep)\ntopk(60, {users})",
                "Share",
            ),
            description="Users of each feature within a day by their cohort, beside the same time last week. Where "
            "only new users leave, look at what they meet first.",
            columns=(
                column("feature", "Feature"),
                column("cohort", "Cohort"),
                column("Users", unit="none", decimals=0),
                column("A week earlier", unit="none", decimals=0),
                column("Share", "Share of last week's", unit="percentunit", decimals=0),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Users",
            width=12,
        ),
        height=8,
    )


def _money(watched: Watched) -> Row:
    counted, paid = watched.window("SignupsDropped"), watched.window("PaymentsStopped")
    failing = watched.window("PaymentsFailing")
    return row(
        "Sign-ups and payments",
        timeseries(
            "Sign-ups within an hour",
            query(f"sum(increase({_SIGNUPS}[1h]))", "sign-ups", color="blue"),
            query(f"sum(increase({_SIGNUPS}[1h] {_WEEK}))", "a week earlier", color="grey"),
            unit="short",
            decimals=0,
            description="How many signed up within the hour before, and in the same hour last week.",
            width=12,
        ),
        timeseries(
            "Share of last week's sign-ups",
            query(_ratio(_SIGNUPS, counted, ""), "sign-ups"),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("SignupsDropped", "ratio", "below"),),
            description=f"Sign-ups within {counted} beside those of the same hours last week. {_EVENTS_DIFFER}",
            width=12,
        ),
        timeseries(
            f"Payments by outcome within {paid}",
            query(f"sum by (outcome) (increase({_PAYMENTS}[{paid}]))", "{{outcome}}"),
            query(f"sum(increase({_SUCCEEDED}[{paid}] {_WEEK}))", "succeeded, a week earlier", color="grey"),
            unit="short",
            decimals=0,
            description="Payments by how they ended: declined ones by the bank, failed ones by us or the provider; and "
            "those that succeeded at the same time last week.",
            width=12,
        ),
        timeseries(
            "Share of payments that fail",
            query(_failing(watched), "failed"),
            query(
                f"sum by ($keep) (increase({_DECLINED}[{failing}]))"
                f"\n/\n(sum by ($keep) (increase({_PAYMENTS}[{failing}])) > 0)",
                "declined by the bank",
            ),
            unit="percentunit",
            decimals=1,
            minimum=0,
            limits=(alert_limit("PaymentsFailing", "ratio"),),
            links=(kibana("Failed payments in the logs", "payment AND log.level:error"),),
            description="The share of payments that failed for technical reasons, and that banks declined. Only the "
            "first is ours; the second rises with stolen cards, too.",
            width=12,
        ),
        height=8,
    )


def _exporter() -> Row:
    return row(
        "Who tells it",
        states(
            "Collectors of the business exporter",
            query("min by (collector, $keep) (sla_exporter_collector_up{$business})", "{{collector}}"),
            states=UP,
            links=(runbook("ExporterCollectorFailing"), leads_to("monitoring", "Monitoring")),
            description="Whether each query could be asked. While one is down, its figures are missing above.",
            width=12,
        ),
        timeseries(
            "Pushed and not taken",
            query(
                "sum by (via, reason, $keep) (increase(sla_push_dropped_total{$business}[$__rate_interval])) > 0",
                "{{via}}: {{reason}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            no_value="None",
            description="What the application pushed and the exporter refused, by the way it came and the reason. "
            "Normal is none: figures above lack it.",
            width=12,
        ),
        height=6,
    )


def _users_ratio(watched: Watched) -> str:
    over = watched.window("ActiveUsersDropped")
    now = f"max by ($keep) (avg_over_time({_HOUR}[{over}]))"
    return f"{now}\n/\n(max by ($keep) (avg_over_time({_HOUR}[{over}] {_WEEK})) > 0)"


def _ratio(counter: str, over: str, by: str, function: str = "increase") -> str:
    """A counter's growth beside that of the same time last week."""
    now, then = f"{function}({counter}[{over}])", f"{function}({counter}[{over}] {_WEEK})"
    return f"sum by ({by}$keep) ({now})\n/\n(sum by ({by}$keep) ({then}) > 0)"


def _failing(watched: Watched) -> str:
    """The share of payments that failed: zero where none has failed yet, and nothing where there was no payment."""
    over = watched.window("PaymentsFailing")
    paid = f"sum by ($keep) (increase({_PAYMENTS}[{over}]))"
    return f"(sum by ($keep) (increase({_FAILED}[{over}])) or 0 * {paid})\n/\n({paid} > 0)"


def _feature_users(by: str, ago: str = "") -> str:
    """Users of features; an exporter that was replaced within the day told the same users twice."""
    return f"max by ({by}, $keep) (sla_business_feature_users{{$business}}{f' {ago}' if ago else ''})"


def _feature_mean(over: str, ago: str = "") -> str:
    mean = f"avg_over_time(sla_business_feature_users{{$business}}[{over}]{f' {ago}' if ago else ''})"
    return f"sum by (feature, $keep) (max by (feature, cohort, $keep) ({mean}))"
