"""The Grafana dashboards, one module each.

`dashboards_of` is every dashboard of a catalogue, `rendering.Rendering` makes Grafana's documents of them, `vocabulary`
has the words in which they are written.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.dashboards.model import Dashboard

#: The modules of our dashboards, each with a function ``dashboard(catalogue)``.
MODULES: tuple[str, ...] = (
    "overview",
    "slo_overview",
    "slo_detail",
    "redis",
    "application",
    "business",
    "live_events",
    "logging",
    "alerts",
    "monitoring",
    "postgresql",
    "kubernetes",
    "hosts",
    "ingress",
    "backups",
    "delivery",
    "cloud",
)


def dashboards_of(catalogue: Catalogue) -> tuple[Dashboard, ...]:
    """Every dashboard of a catalogue, in order."""
    return tuple(import_module(f"{__name__}.{name}").dashboard(catalogue) for name in MODULES)
