"""Silences: Alertmanager's API v2, and what the router and the calendar make there."""

from sla_kit.routing.alertmanager.adapter import open_adapter
from sla_kit.routing.alertmanager.connection import AlertmanagerError, access
from sla_kit.routing.alertmanager.keeping import MaintenanceSilences
from sla_kit.routing.alertmanager.maintenance import Synced, sync
from sla_kit.routing.alertmanager.matchers import parse_matchers, takes_everything, written
from sla_kit.routing.alertmanager.silences import Client, Silence

__all__ = [
    "AlertmanagerError",
    "Client",
    "MaintenanceSilences",
    "Silence",
    "Synced",
    "access",
    "open_adapter",
    "parse_matchers",
    "sync",
    "takes_everything",
    "written",
]
