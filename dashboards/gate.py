"""What is wrong with dashboards before any Grafana sees them.

The rules of Grafana's dashboard-linter (github.com/grafana/dashboard-linter: templated data source, job and instance
matchers, ``$__rate_interval``, no bare counters, title, description, unit and queries on every panel, not editable),
and our own: metrics, labels and columns that there are (`gate_queries`), unique ids, no overlap, units and colours that
are known (`gate_document`), limits that are those of the alerts, links that lead somewhere (`gate_links`), nothing that
Grafana removed (`removed`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.gate_document import of_document
from sla_kit.dashboards.gate_links import Destinations, of_alerts, of_limits, of_links
from sla_kit.dashboards.gate_queries import Series, of_queries
from sla_kit.dashboards.model import Dashboard, uid_of
from sla_kit.dashboards.removed import removed
from sla_kit.dashboards.rendering import Rendering
from sla_kit.rules.model import RuleFile


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with a dashboard."""

    dashboard: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.place}: {self.message}"


def faults(catalogue: Catalogue, dashboards: Iterable[Dashboard], rules: Iterable[RuleFile]) -> list[Fault]:
    """Everything that is wrong with some dashboards, sorted. ``rules`` are the rule files whose recordings they may
    read, and whose alerts lead to them. Raises `SlaKitError` where one can't be rendered."""
    listed, files, rendering = list(dashboards), list(rules), Rendering.of(catalogue)
    found: set[Fault] = set()
    for key in ("name", "uid", "title"):
        seen: dict[str, str] = {}
        for each in listed:
            value = uid_of(each) if key == "uid" else str(getattr(each, key))
            if value in seen:
                found.add(Fault(each.name, "dashboard", f"its {key} {value!r} is that of {seen[value]}, too"))
            seen[value] = each.name
    documents = [rendering.document(each) for each in listed]
    destinations = Destinations.of(documents)
    found |= {Fault("(alerts)", *each) for each in of_alerts(files, destinations)}
    for each, document in zip(listed, documents, strict=True):
        series = Series.of(catalogue, each, files)
        for place, message in (
            *of_document(document),
            *removed(document),
            *of_queries(each, document, series),
            *of_links(document, destinations),
            *of_limits(each, document, files),
        ):
            found.add(Fault(each.name, place, message))
    return sorted(found)
