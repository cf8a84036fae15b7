"""What a decision is about: labels, of which any may be missing, called as the catalogue calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sla_kit.catalogue.model import Catalogue
from sla_kit.routing.events import Labels


@dataclass(frozen=True, slots=True)
class Subject:
    """An alert, a group of them or a notice. ``labels`` are those that all of it has; ``severity`` stands for the
    label where it is not empty. ``receiver`` is Alertmanager's name of who is meant, empty where there is none."""

    labels: Labels = field(default_factory=dict)
    severity: str = ""
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the conditions of routes ask for, each empty where it is not known. ``assumed`` says of which label the
    catalogue knows what the alert does not say."""

    severity: str
    service: str
    team: str
    environment: str
    slo: str
    assumed: str = ""


def known(subject: Subject, catalogue: Catalogue) -> Known:
    """What is known of a subject. A label that ``monitoring.labels`` renames is looked for by both names."""
    labels, renamed = subject.labels, catalogue.monitoring.labels
    environment = value_of(labels, "environment", renamed)
    return Known(
        severity=subject.severity or value_of(labels, "severity", renamed),
        service=value_of(labels, "service", renamed),
        team=value_of(labels, "team", renamed),
        environment=environment or catalogue.environment,
        slo=value_of(labels, "slo", renamed),
        assumed="environment" if not environment and catalogue.environment else "",
    )


def value_of(labels: Mapping[str, str], name: str, renamed: Mapping[str, str]) -> str:
    """The value of a label, by its own name, which our rules use, else by what it is called in this catalogue."""
    return labels.get(name, "") or labels.get(renamed.get(name, name), "")
