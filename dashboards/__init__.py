"""The Grafana dashboards, one module each.

`dashboards_of` is every dashboard of a catalogue, `rendering.Rendering` makes Grafana's documents of them, `vocabulary`
has the words in which they are written, `extensions` finds those of other packages and of the catalogue.
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


def own_dashboards(catalogue: Catalogue) -> tuple[Dashboard, ...]:
    """Every dashboard that comes with sla-kit, in order, whatever is switched off. Runs no code but ours."""
    return tuple(import_module(f"{__name__}.{name}").dashboard(catalogue) for name in MODULES)


def dashboards_of(catalogue: Catalogue) -> tuple[Dashboard, ...]:
    """Every dashboard of a catalogue, in order: ours, those of installed packages, those that the catalogue names;
    without what is switched off, and what only areas that are off would lead to. Links to what is not there are left
    out.

    This runs the code that the catalogue and installed packages name. Raises `SlaKitError` where it fails, or where two
    would be the same to Grafana.
    """
    from sla_kit.dashboards.choosing import chosen
    from sla_kit.dashboards.extensions import Made, brought

    made = [Made(each, "sla-kit") for each in own_dashboards(catalogue)]
    return chosen(catalogue, [*made, *brought(catalogue)])
