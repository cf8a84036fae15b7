"""A small catalogue to decide by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sla_kit.catalogue.model import Catalogue, Contact, Probe, Route, Service, Slo

CONTACTS = [
    Contact(name="on-call", pagerduty="primary", slack="#incidents"),
    Contact(name="platform", email="platform@example.com", slack="#platform"),
    Contact(name="leads", pagerduty="leads"),
    Contact(name="nobody", description="has no address"),
]
SERVICES = [
    Service(name=name, slos=[Slo(name="availability", sli=Probe(), objective=0.999)]) for name in ("api", "web", "db")
]


def shop(*routes: Route, **other: Any) -> Catalogue:
    """A catalogue with these routes; everything else may be said."""
    return Catalogue(**{"name": "shop", "services": SERVICES, "contacts": CONTACTS, "routes": list(routes), **other})


def at(text: str) -> float:
    """Epoch seconds of a time with its offset."""
    return datetime.fromisoformat(text).timestamp()


NOW = at("2026-09-07T12:00:00+00:00")
