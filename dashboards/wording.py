"""From an expression with placeholders to the one that Grafana asks: whose jobs, which environment, which instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent

from sla_kit.alert_rules.inventory import exporters
from sla_kit.alert_rules.placeholders import job_matcher, kept, renamed
from sla_kit.alert_rules.settings import job_names
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.model import Dashboard
from sla_kit.dashboards.remembering import once

_PLACEHOLDER = re.compile(r"\$(\w+)")
_METRIC = re.compile(r"([A-Za-z_:][\w:]*)\s*{")
#: What our own rules record, and Prometheus of their alerts; they write these labels, whatever exporters call theirs.
_RECORDED = re.compile(r"sla:.*|sla_event_.*|sla_maintenance_active|ALERTS|ALERTS_FOR_STATE")
RECORDED_LABELS = frozenset(
    {
        "alertname", "alertstate", "area", "condition", "long_window", "pairs", "promise", "service", "severity",
        "short_window", "sli", "slo", "team", "window",
    }
)  # fmt: skip
#: The label that tells environments apart where one server holds several; "all" also means series without it.
ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Wording:
    """What the placeholders of one dashboard become in one catalogue."""

    matchers: Mapping[str, str]
    keep: tuple[str, ...]
    labels: Mapping[str, str]

    @classmethod
    def of(cls, catalogue: Catalogue, dashboard: Dashboard) -> Wording:
        """The wording of a dashboard."""
        labels = catalogue.monitoring.labels
        keep = tuple(labels.get(name, name) for name in scope_labels(catalogue))
        scope = ", ".join(f'{labels.get(name, name)}=~"${name}"' for name in scope_labels(catalogue))
        instance = 'instance=~"$instance"'
        matchers = {"scope": scope}
        others = {each.exporter: (each.job,) for each in dashboard.exporters}
        for key, jobs in {**jobs_of(catalogue), **others}.items():
            chosen = [job_matcher(jobs), scope, instance if key in dashboard.instances else ""]
            matchers[key] = ", ".join(part for part in chosen if part)
        return cls(matchers, keep, labels)

    def expression(self, text: str) -> str:
        """An expression as Grafana asks it."""
        names = self.names(text)
        text = _PLACEHOLDER.sub(lambda match: self.matchers.get(match[1], match[0]), dedent(text).strip())
        return kept(renamed(text, names), self.keep)

    def names(self, *expressions: str) -> Mapping[str, str]:
        """What labels are called in the result of some expressions: of what rules record, as the rules call them."""
        if self.labels.keys() & RECORDED_LABELS and all(map(is_recorded, expressions)):
            return {name: other for name, other in self.labels.items() if name not in RECORDED_LABELS}
        return self.labels

    def label(self, name: str, *expressions: str) -> str:
        """What a label is called here, in the result of some expressions."""
        return self.names(*expressions).get(name, name) if expressions else self.labels.get(name, name)

    def template(self, text: str, *expressions: str) -> str:
        """A legend, whose ``{{label}}`` are Prometheus's labels; or a link with labels of the series."""
        text = re.sub(r"{{\s*(\w+)\s*}}", lambda match: "{{" + self.label(match[1], *expressions) + "}}", text)
        return re.sub(r"(__field\.labels\.)(\w+)", lambda match: match[1] + self.label(match[2], *expressions), text)


def is_recorded(expression: str) -> bool:
    """Whether an expression reads nothing but what our own rules record."""
    return all(map(_RECORDED.fullmatch, _METRIC.findall(expression)))


def scope_labels(catalogue: Catalogue) -> tuple[str, ...]:
    """The labels that tell where something is from: what a dashboard's first variables choose by."""
    return tuple(dict.fromkeys((ENVIRONMENT, *catalogue.monitoring.keep_labels)))


@once
def jobs_of(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The jobs of each exporter, those that services claim for themselves among them."""
    found: dict[str, dict[str, None]] = {}
    for service in catalogue.services:
        for key, jobs in service.monitoring.jobs.items():
            found.setdefault(key, {}).update(dict.fromkeys(job_names(jobs)))
    for key, jobs in catalogue.monitoring.jobs.items():
        found.setdefault(key, {}).update(dict.fromkeys(job_names(jobs)))
    return {key: tuple(found.get(key) or (exporter.job,)) for key, exporter in exporters().items()}
