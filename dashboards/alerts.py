"""Alerts and on-call: what fires now and what to do about it, who is told and how soon, and which alerts are noise."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, MAINTENANCE
from sla_kit.dashboards.model import Dashboard, Limit, Link, Row, State
from sla_kit.dashboards.vocabulary import (
    Variable,
    alert_limit,
    bars,
    column,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)

#: What may be chosen, and never the one that fires always.
_CHOSEN = '$scope, alertname!="Watchdog", team=~"$team", severity=~"$severity"'
_FIRING = f'ALERTS{{{_CHOSEN}, alertstate="firing"}}'
_OF_SEVERITY = 'count(ALERTS{%s, alertstate="firing", severity="%s"}) or vector(0)'
_OTHERS = f'count(ALERTS{{{_CHOSEN}, alertstate="firing", severity!~"critical|info"}}) or vector(0)'
#: As one number: 2 for what is critical, 0 for what is for information, 1 for all else.
_WHEN = f"""
    2 * max by (alertname, $keep) (ALERTS{{{_CHOSEN}, alertstate="firing", severity="critical"}})
      or max by (alertname, $keep) (ALERTS{{{_CHOSEN}, alertstate="firing", severity!~"critical|info"}})
      or 0 * max by (alertname, $keep) (ALERTS{{{_CHOSEN}, alertstate="firing", severity="info"}})
"""
_PENDING = f'ALERTS{{{_CHOSEN}, alertstate="pending"}}'
_SINCE = f"ALERTS_FOR_STATE{{{_CHOSEN}}}"
_PEOPLE = 'team=~"$team", severity=~"$severity"'


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    return Dashboard(
        name="alerts",
        title="Alerts and on-call",
        description="What fires now and what to do about it, who is told and how soon somebody answers, and which "
        "alerts are noise.",
        folder="On call",
        hours=24,
        refresh="30s",
        variables=(
            Variable(name="team", title="Team", metric="ALERTS{$scope}", label="team"),
            Variable(name="severity", title="Severity", metric="ALERTS{$scope}", label="severity"),
        ),
        annotations=(LIVE_EVENTS, MAINTENANCE, DEPLOYMENTS),
        rows=(_now(), _firing(catalogue), _answering(catalogue), _telling(), _noise(catalogue)),
    )


def _now() -> Row:
    return row(
        "Now",
        stat(
            "Critical",
            query(_OF_SEVERITY % (_CHOSEN, "critical"), "critical"),
            unit="short",
            limits=(limit(1, "above", "critical"),),
            description="Critical alerts that fire: somebody has been called. Normal is none.",
        ),
        stat(
            "Warnings",
            query(_OF_SEVERITY % (_CHOSEN, "warning"), "warnings"),
            unit="short",
            limits=(limit(1, "above", "warning"),),
            description="Warnings that fire: somebody has to look during the day.",
        ),
        stat(
            "For information",
            query(_OF_SEVERITY % (_CHOSEN, "info"), "info"),
            unit="short",
            description="Alerts that fire and ask nobody to act now.",
        ),
        stat(
            "About to fire",
            query(f"count({_PENDING}) or vector(0)", "pending"),
            unit="short",
            description="Alerts whose condition holds, but not yet for long enough.",
        ),
        stat(
            "Silences",
            query('max(alertmanager_silences{$alertmanager, state="active"}) or vector(0)', "active"),
            unit="short",
            description="Silences in force, of all teams. One that was forgotten hides the next outage.",
        ),
        stat(
            "Watchdog",
            query('count(ALERTS{$scope, alertname="Watchdog", alertstate="firing"}) > bool 0 or vector(0)', "watchdog"),
            unit="short",
            states={"1": State(text="fires", meaning="good"), "0": State(text="silent", meaning="critical")},
            links=(runbook("Watchdog"),),
            description="The alert that fires always. Where it is silent, so is every other, and an empty table below "
            "means nothing.",
        ),
        height=4,
    )


def _firing(catalogue: Catalogue) -> Row:
    what = "alertname, severity, team, area, service, slo, instance"
    return row(
        "What fires",
        table(
            "Alerts that fire",
            query(
                f"max by ({what}, $keep) (time() - ({_SINCE} and ignoring (alertstate) {_FIRING}))",
                "For",
            ),
            description="Every alert that fires, the one that began last first. The time is that since its condition "
            "holds. A click on the name leads to its runbook.",
            columns=(
                column("severity", "Severity", width=90),
                column("alertname", "Alert", link=_its_runbook(catalogue)),
                column("service", "Service"),
                column("slo", "SLO"),
                column("instance", "Instance"),
                column("team", "Team"),
                column("area", "Area"),
                column("For", unit="dtdurations"),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="For",
            sort_descending=False,
            no_value="Nothing fires",
            height=9,
            width=24,
        ),
        states(
            "What fired when",
            query(_WHEN, "{{alertname}}"),
            states={
                "2": State(text="critical", meaning="critical"),
                "1": State(text="warning", meaning="warning"),
                "0": State(text="info", meaning="neutral"),
            },
            description="Which alerts fired at the same time: the first of them is often the cause, the others follow.",
            no_value="Nothing fired",
            width=16,
        ),
        timeseries(
            "How many fire",
            query(_OF_SEVERITY % (_CHOSEN, "critical"), "critical", color="red"),
            query(_OTHERS, "warning", color="orange"),
            query(_OF_SEVERITY % (_CHOSEN, "info"), "info", color="grey"),
            unit="short",
            minimum=0,
            stack="normal",
            bars=True,
            description="Alerts that fire, by severity. A wall means one cause with many faces.",
        ),
        height=9,
    )


def _answering(catalogue: Catalogue) -> Row:
    """How soon people answer, as the router has measured it."""
    soon = {each.name: each.respond_within for each in catalogue.severities}
    acknowledged: tuple[Limit, ...] = (limit(soon["critical"], "above", "warning"),) if soon.get("critical") else ()
    promised = f"; {int(soon['critical'] // 60)} minutes are promised" if soon.get("critical") else ""
    return row(
        "How soon somebody answers",
        stat(
            "Acknowledged within",
            query(_quantile("acknowledge", 0.9, ', severity="critical"'), "nine of ten"),
            unit="s",
            decimals=0,
            limits=acknowledged,
            description="The time from the first notification to the acknowledgement that nine of ten critical alerts "
            f"kept in the time that is shown{promised}. Nothing where none was acknowledged.",
            width=4,
        ),
        stat(
            "Recovered within",
            query(_quantile("recover", 0.9, ', severity="critical"'), "nine of ten"),
            unit="s",
            decimals=0,
            description="The time from firing to resolved that nine of ten critical alerts kept in the time shown.",
            width=4,
        ),
        bars(
            "Time to acknowledge by team",
            query(_mean("acknowledge"), "{{team}} {{severity}}"),
            unit="s",
            decimals=0,
            minimum=0,
            description="The mean from the first notification to the acknowledgement, in the time that is shown.",
            width=8,
        ),
        bars(
            "Time to recover by team",
            query(_mean("recover"), "{{team}} {{severity}}"),
            unit="s",
            decimals=0,
            minimum=0,
            description="The mean from firing to resolved, in the time that is shown.",
            width=8,
        ),
        height=6,
    )


def _telling() -> Row:
    failed = (
        "sum by (integration, $keep) (rate(alertmanager_notifications_failed_total{$alertmanager}[$__rate_interval]))"
    )
    sent = "sum by (integration, $keep) (rate(alertmanager_notifications_total{$alertmanager}[$__rate_interval]))"
    return row(
        "How people are told",
        timeseries(
            "Notifications sent",
            query(
                "sum by (integration, $keep) "
                "(increase(alertmanager_notifications_total{$alertmanager}[$__rate_interval])) > 0",
                "{{integration}}",
            ),
            unit="short",
            minimum=0,
            bars=True,
            stack="normal",
            description="Notifications that Alertmanager sent, by the way they went. The watchdog's heartbeat is "
            "among them and never ceases.",
        ),
        timeseries(
            "Notifications that fail",
            query(f"{failed} / on (integration, $keep) ({sent} > 0)", "{{integration}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("NotificationsFailing", "ratio"),),
            description="How many of the notifications fail, by the way they go; a single one counts for much where "
            "few are sent. Normal is none.",
        ),
        timeseries(
            "Time to hand a notification over",
            query(
                "histogram_quantile(0.95, sum by (integration, le, $keep) "
                "(rate(alertmanager_notification_latency_seconds_bucket{$alertmanager}[$__rate_interval])))",
                "{{integration}}",
            ),
            unit="s",
            minimum=0,
            description="The 95th percentile of how long Alertmanager needs to hand a notification over. More than a "
            "few seconds mean that the other side is slow.",
        ),
        height=7,
    )


def _noise(catalogue: Catalogue) -> Row:
    began = f"({_FIRING} unless {_FIRING} offset 1m)"
    return row(
        "Noise: what should be repaired or made quieter",
        bars(
            "Fired most often",
            query(
                f"topk(10, sum by (alertname, team) (count_over_time({began}[$__range:1m])))",
                "{{alertname}}",
            ),
            unit="short",
            decimals=0,
            minimum=0,
            description="How often alerts began to fire in the time that is shown, all their instances counted. One "
            "that leads every week needs a repair or another threshold.",
        ),
        bars(
            "Fired longest",
            query(
                "topk(10, 60 * sum by (alertname, team) "
                f"(count_over_time((count by (alertname, team) ({_FIRING}))[$__range:1m])))",
                "{{alertname}}",
            ),
            unit="s",
            decimals=1,
            minimum=0,
            description="For how much of the time that is shown alerts fired, on whatever instance. What fires for "
            "days asks nobody to act.",
        ),
        bars(
            "Came and went",
            query(f"topk(10, sum by (alertname, team) (changes({_SINCE}[$__range])) > 0)", "{{alertname}}"),
            unit="short",
            decimals=0,
            minimum=0,
            no_value="Nothing flapped",
            description="How often the condition of an alert was over and held again, whether it fired or not. A "
            "longer pending time, or keep_firing_for, calms one that flaps.",
        ),
        table(
            "Alerts of the time shown",
            query(f"sum by (alertname, severity, team) (count_over_time({began}[$__range:1m]))", "Times"),
            query(
                "60 * sum by (alertname, severity, team) "
                f"(count_over_time((count by (alertname, severity, team) ({_FIRING}))[$__range:1m]))",
                "Total",
            ),
            description="Every alert that fired in the time that is shown: how often it began, and for how long it "
            "fired altogether.",
            columns=(
                column("severity", "Severity", width=90),
                column("alertname", "Alert", link=_its_runbook(catalogue)),
                column("team", "Team"),
                column("Times", unit="short", decimals=0),
                column("Total", unit="dtdurations"),
            ),
            sort_by="Times",
            no_value="Nothing fired",
            width=16,
        ),
        timeseries(
            "Alerts held back",
            query('max by (state) (alertmanager_alerts{$alertmanager, state=~"active|suppressed"})', "{{state}}"),
            unit="short",
            minimum=0,
            description="What Alertmanager has: active alerts are told to people, suppressed ones are silenced or "
            "inhibited by a worse one.",
        ),
        height=9,
    )


def _quantile(what: str, share: float, more: str = "") -> str:
    observed = f"increase(sla_router_{what}_seconds_bucket{{$router, {_PEOPLE}{more}}}[$__range])"
    return f"histogram_quantile({share}, sum by (le) ({observed}))"


def _mean(what: str) -> str:
    total, count = (
        f"sum by (team, severity) (increase(sla_router_{what}_seconds_{part}{{$router, {_PEOPLE}}}[$__range]))"
        for part in ("sum", "count")
    )
    return f"{total} / on (team, severity) ({count} > 0)"


def _its_runbook(catalogue: Catalogue) -> Link | None:
    """From a line of a table to the runbook of its alert."""
    base = catalogue.runbooks.rstrip("/")
    return Link(title="Runbook", url=f"{base}/${{__data.fields.Alert}}.md") if base else None
