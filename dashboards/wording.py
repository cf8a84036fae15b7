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

_PLACEHOLDER = re.compile(r"\$(\w+)")
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
        text = _PLACEHOLDER.sub(lambda match: self.matchers.get(match[1], match[0]), dedent(text).strip())
        return kept(renamed(text, self.labels), self.keep)

    def label(self, name: str) -> str:
        """What a label is called here."""
        return self.labels.get(name, name)

    def template(self, text: str) -> str:
        """A legend, whose ``{{label}}`` are Prometheus's labels; or a link with labels of the series."""
        text = re.sub(r"{{\s*(\w+)\s*}}", lambda match: "{{" + self.label(match[1]) + "}}", text)
        return re.sub(r"(__field\.labels\.)(\w+)", lambda match: match[1] + self.label(match[2]), text)


def scope_labels(catalogue: Catalogue) -> tuple[str, ...]:
    """The labels that tell where something is from: what a dashboard's first variables choose by."""
    return tuple(dict.fromkeys((ENVIRONMENT, *catalogue.monitoring.keep_labels)))


def jobs_of(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The jobs of each exporter, those that services claim for themselves among them."""
    found: dict[str, dict[str, None]] = {}
    for service in catalogue.services:
        for key, jobs in service.monitoring.jobs.items():
            found.setdefault(key, {}).update(dict.fromkeys(job_names(jobs)))
    for key, jobs in catalogue.monitoring.jobs.items():
        found.setdefault(key, {}).update(dict.fromkeys(job_names(jobs)))
    return {key: tuple(found.get(key) or (exporter.job,)) for key, exporter in exporters().items()}
