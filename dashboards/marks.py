"""Marks across the panels: what went on meanwhile."""

from __future__ import annotations

from sla_kit.dashboards.model import Annotation

LIVE_EVENTS = Annotation(
    name="Live events",
    expression="sla_event_active{$scope}",
    title="Live event",
    text="{{service}}",
    color="purple",
    of="events",
)
MAINTENANCE = Annotation(
    name="Maintenance", expression="sla_maintenance_active{$scope}", title="Maintenance", text="{{service}}",
    color="grey", of="maintenance",
)  # fmt: skip
INCIDENTS = Annotation(
    name="Incidents",
    expression='ALERTS{$scope, alertstate="firing", severity="critical"}',
    title="{{alertname}}",
    text="{{service}} {{slo}}",
    color="red",
)
DEPLOYMENTS = Annotation(
    name="Deployments",
    expression='sum by (name, $keep) (changes(argocd_app_sync_total{$argocd, phase="Succeeded"}[2m])) > 0',
    title="Deployed",
    text="{{name}}",
    color="blue",
)


def firing(*areas: str) -> Annotation:
    """Where alerts of some areas fire."""
    return Annotation(
        name="Alerts",
        expression=f'ALERTS{{$scope, alertstate="firing", alertname!="Watchdog", area=~"{"|".join(areas)}"}}',
        title="{{alertname}}",
        text="{{severity}} {{instance}}",
        color="red",
    )
