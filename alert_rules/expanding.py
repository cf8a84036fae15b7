"""From an alert and its settings to Prometheus's rules: placeholders filled, labels called as they are called here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from textwrap import dedent, indent

from sla_kit.alert_rules.alert import Unit
from sla_kit.alert_rules.placeholders import job_matcher, kept, renamed
from sla_kit.alert_rules.settings import Settings
from sla_kit.catalogue.model import Catalogue
from sla_kit.configuration.quantities import format_duration
from sla_kit.rules.model import AlertingRule
from sla_kit.selectors import quote

_THRESHOLD = re.compile(r"\[\[(\w+)\]\]")
#: Live events, as the calendar's rules record them.
EVENT_ACTIVE = "sla_event_active"


@dataclass(frozen=True, slots=True)
class Wording:
    """How placeholders and labels are written for one alert in one place."""

    settings: Settings
    keep: tuple[str, ...]
    renamed: Mapping[str, str]

    @classmethod
    def of(cls, catalogue: Catalogue, settings: Settings) -> Wording:
        """The wording of an alert in a catalogue."""
        return cls(settings, tuple(catalogue.monitoring.keep_labels), catalogue.monitoring.labels)

    def expression(self, thresholds: Mapping[str, float] | None = None) -> str:
        """The alert's expression, with its own thresholds or others."""
        alert = self.settings.alert
        values = {key: job_matcher(jobs) for key, jobs in self.settings.scope.jobs.items()} | self._scrapes()
        for name, value in (self.settings.thresholds if thresholds is None else thresholds).items():
            values[name] = number_text(value, alert.thresholds[name].unit)
        text = renamed(Template(dedent(alert.expression).strip()).substitute(values, keep="$keep"), self.renamed)
        return kept(text, [self.label(name) for name in self.keep])

    def series(self, text: str) -> str:
        """A series of a test, in promtool's notation."""
        values = {key: f"job={quote(jobs[0])}" for key, jobs in self.settings.scope.jobs.items()} | self._scrapes()
        return renamed(Template(text).substitute(values), self.renamed)

    def labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels of an alert in a test."""
        jobs = {key: names[0] for key, names in self.settings.scope.jobs.items()} | self._scrapes()
        return {self.label(name): Template(value).substitute(jobs) for name, value in labels.items()}

    def label(self, name: str) -> str:
        """What a label is called here."""
        return self.renamed.get(name, name)

    def text(self, template: str) -> str:
        """A summary or description, whose ``{{ … }}`` are Prometheus's."""
        alert, thresholds = self.settings.alert, self.settings.thresholds

        def shown(match: re.Match[str]) -> str:
            return people_text(thresholds[match[1]], alert.thresholds[match[1]].unit)

        text = _THRESHOLD.sub(shown, " ".join(template.split()))
        return re.sub(r"\$labels\.(\w+)", lambda match: f"$labels.{self.label(match[1])}", text)

    def _scrapes(self) -> dict[str, str]:
        seconds = self.settings.scrape_seconds
        return {"scrape_interval": go_duration(seconds), "scrape_seconds": number_text(seconds, "seconds")}


def rules_of(catalogue: Catalogue, settings: Settings) -> tuple[AlertingRule, ...]:
    """The rules of one alert: one, or two that exclude each other where live events change it."""
    wording = Wording.of(catalogue, settings)
    during = _event(settings)
    variants: list[str] = []
    if settings.event_mute or settings.event_thresholds is not None:
        variants.append(f"{_bracketed(wording.expression())}\nunless on () {during}")
    else:
        variants.append(wording.expression())
    if settings.event_thresholds is not None and not settings.event_mute:
        variants.append(f"{_bracketed(wording.expression(settings.event_thresholds))}\nand on () {during}")
    labels, annotations = static_labels(catalogue, settings), annotations_of(catalogue, settings)
    return tuple(
        AlertingRule(
            alert=settings.alert.name,
            expression=expression,
            pending_seconds=settings.pending,
            keep_firing_seconds=settings.keep_firing_for,
            labels=labels,
            annotations=annotations,
        )
        for expression in variants
    )


def static_labels(catalogue: Catalogue, settings: Settings) -> dict[str, str]:
    """The labels that an alert has whatever fires it."""
    service = settings.scope.service
    labels = {
        "severity": settings.severity,
        "area": settings.area.name,
        "team": settings.team,
        "environment": catalogue.environment,
        "service": service.name if service else "",
    }
    return {**{name: value for name, value in labels.items() if value}, **settings.labels}


def annotations_of(catalogue: Catalogue, settings: Settings) -> dict[str, str]:
    """The annotations of an alert, as templates."""
    alert, wording = settings.alert, Wording.of(catalogue, settings)
    found = {"summary": wording.text(alert.summary), "description": wording.text(alert.description)}
    return {**found, **links(catalogue, alert.name, alert.dashboard or settings.area.dashboard)}


def links(catalogue: Catalogue, alert: str, dashboard: str) -> dict[str, str]:
    """The annotations that lead on: to the alert's runbook, and to its dashboard where Grafana's address is known."""
    base = catalogue.runbooks.rstrip("/")
    found = {"runbook_url": f"{base}/{alert}.md" if base else f"runbooks/{alert}.md"}
    grafana = catalogue.monitoring.grafana.rstrip("/")
    if grafana and dashboard:
        names = (dashboard, f"{catalogue.name}-{dashboard}")  # the overview is called after its catalogue
        if all(map(catalogue.monitoring.shows, names)):
            found["dashboard_url"] = f"{grafana}/d/sla-kit-{dashboard}"
    return found


def number_text(value: float, unit: Unit) -> str:
    """A threshold as PromQL has it."""
    if unit == "window":
        written = format_duration(value)
        return written if isinstance(written, str) else f"{value * 1000:.0f}ms"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def go_duration(seconds: float) -> str:
    """A duration as Go prints it, and Prometheus thus labels intervals: 15s, 1m30s, 1h0m0s, 500ms."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    hours, minutes = int(seconds // 3600), int(seconds % 3600 // 60)
    parts = f"{hours}h" if hours else ""
    parts += f"{minutes}m" if hours or minutes else ""
    return f"{parts}{seconds % 60:g}s"


def people_text(value: float, unit: Unit) -> str:
    """A threshold as people read it."""
    match unit:
        case "ratio":
            return f"{value * 100:.6g} %"
        case "seconds" | "window":
            return str(format_duration(value)) if value else "0s"
        case "bytes":
            for suffix in ("B", "KiB", "MiB", "GiB"):
                if abs(value) < 1024:
                    return f"{value:.4g} {suffix}"
                value /= 1024
            return f"{value:.4g} TiB"
        case _:
            return f"{value:.6g}"


def _event(settings: Settings) -> str:
    service = settings.scope.service
    return f"{EVENT_ACTIVE}{{service={quote(service.name)}}}" if service else EVENT_ACTIVE


def _bracketed(expression: str) -> str:
    return f"(\n{indent(expression, '  ')}\n)"
