"""Live events: how long until the next one, whether all is ready for it, and what goes on while it lasts."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import live_events_rows as rows
from sla_kit.dashboards.live_events_checks import READY, checklist
from sla_kit.dashboards.live_events_edge import Edge, edge_of
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Panel, Row, State
from sla_kit.dashboards.vocabulary import (
    alert_limit,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
)
from sla_kit.dashboards.watched import Watched

_GOES_ON = {"1": State(text="goes on"), "0": State(text="none now")}


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard. Without events in the calendar it tells whether a burst of traffic could come."""
    watched, edge = Watched.of(catalogue), edge_of(catalogue)
    planned = bool(catalogue.calendar.events)
    parts = (
        _now(watched, edge, planned),
        _checklist(watched, planned),
        rows.customers(watched, edge),
        rows.pods(watched) if watched.area("kubernetes") else None,
        rows.scaling(watched) if watched.area("kubernetes") else None,
        rows.stores(watched),
    )
    return Dashboard(
        name="live-events",
        title="Live events",
        description="How long until the next live event, whether all is ready for it, and what goes on while it lasts. "
        "The calendar of the catalogue says when that is.",
        folder="Live events",
        annotations=(LIVE_EVENTS, DEPLOYMENTS, firing("live_events")),
        rows=tuple(part for part in parts if part is not None),
    )


def _now(watched: Watched, edge: Edge, planned: bool) -> Row:
    when: tuple[Panel, ...] = ()
    if planned:
        when = (
            stat(
                "Next event begins in",
                query("min(sla_event_starts_in_seconds{$scope})", "next event", instant=True),
                unit="dtdurations",
                decimals=0,
                no_value="none planned",
                description="How long until the next live event of the calendar. "
                f"{watched.window('EventNotScaledUp', 'before')} before it, pods must be ready.",
            ),
            stat(
                "Live event",
                query("max(sla_event_active{$scope}) or vector(0)", "live event"),
                unit="short",
                states=_GOES_ON,
                description="Whether a live event goes on now, by the calendar.",
            ),
        )
    slowest: tuple[Panel, ...] = ()
    if watched.area("application"):
        slowest = (
            stat(
                "Slowest twentieth",
                query(f"max({rows.SLOWEST})", "slowest service"),
                unit="s",
                limits=(alert_limit("AppSlow", "seconds"),),
                links=(leads_to("application", "Applications"),),
                description="The 95th percentile of durations, of the slowest service.",
            ),
        )
    return row(
        "Now",
        *when,
        stat(
            "Checks that say no",
            query(f"count(({checklist(watched, planned)}) == 0) or vector(0)", "not ready", instant=True),
            unit="short",
            decimals=0,
            limits=(limit(1, "above", "warning"),),
            description="How many checks of the list below say no. Those that are due only shortly before an event do "
            "not count until then.",
        ),
        stat(
            "Burst factor",
            query(f"max({edge.burst()})", "times the usual"),
            unit="none",
            decimals=1,
            description="How many times the usual requests of this hour there are: about 1 outside events, up to 100 "
            "in them. Far more than 1 without an event is an attack, or an event that the calendar lacks.",
        ),
        stat(
            "Errors",
            query(f"max({edge.errors()})", "worst at the ingress"),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit(edge.alert, "ratio"),),
            links=(leads_to("ingress", "Ingress"),),
            description="The share of requests at the ingress that end with a 5xx, where it is largest.",
        ),
        *slowest,
        height=5,
    )


def _checklist(watched: Watched, planned: bool) -> Row:
    checks = checklist(watched, planned)
    books = tuple(
        runbook(alert)
        for alert in (
            "EventNotScaledUp", "EventKedaInactive", "EventKedaPaused", "EventConnectionsHigh", "EventRedisMemoryHigh",
            "EventCdnCold",
        )
    )  # fmt: skip
    return row(
        "Before the event" if planned else "Ready for a burst",
        table(
            "Checklist",
            query(checks, "Ready"),
            description="What must be so when the event begins, by the limits of the alerts. What is not due yet is "
            "done by schedules shortly before: no at that time means that somebody must do it by hand now; the "
            "runbooks say how.",
            columns=(
                column("check", "Check"),
                column("Ready", states=READY, width=110),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Ready",
            sort_descending=False,
            links=books,
            width=9,
        ),
        states(
            "Checklist over time",
            query(checks, "{{check}}"),
            states=READY,
            description="The same over time: when each became ready, and whether it stayed so.",
            width=15,
        ),
        height=9,
    )
