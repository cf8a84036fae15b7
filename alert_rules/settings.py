"""What the catalogue wishes of each alert, laid over the alert's own defaults: one value for every rule to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sla_kit.alert_rules.alert import Alert, Area, Threshold, Values
from sla_kit.alert_rules.inventory import usual_jobs
from sla_kit.catalogue.model import Catalogue, Service
from sla_kit.catalogue.monitoring import Jobs, RuleSettings
from sla_kit.configuration.quantities import parse_duration, parse_number, parse_ratio

_NOTHING = RuleSettings()


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an alert looks: the jobs of every exporter, and the service that they are of, if they are of one."""

    service: Service | None
    jobs: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Settings:
    """One alert as it is to be: ``defaults`` tells that its thresholds are the alert's own. ``event_thresholds`` are
    those in force while a live event goes on, None where nothing changes; ``event_mute`` silences it then."""

    area: Area
    alert: Alert
    scope: Scope
    pending: float
    keep_firing_for: float
    severity: str
    team: str
    thresholds: Mapping[str, float]
    labels: Mapping[str, str]
    event_thresholds: Mapping[str, float] | None
    event_mute: bool
    scrape_seconds: float

    def values(self, thresholds: Mapping[str, float] | None = None) -> Values:
        """What the numbers of its tests follow from: its thresholds, or others."""
        return Values(
            {**(self.thresholds if thresholds is None else thresholds), "scrape_seconds": self.scrape_seconds}
        )

    @property
    def defaults(self) -> bool:
        """Whether the thresholds are the alert's own."""
        return all(self.thresholds[name] == each.value for name, each in self.alert.thresholds.items())


def settings_of(catalogue: Catalogue, areas: Sequence[Area]) -> Iterator[Settings]:
    """Every alert that is on, once for each service whose jobs it watches, in the order of the areas."""
    monitoring = catalogue.monitoring
    for area in areas:
        if not monitoring.areas.get(area.name, True):
            continue
        for alert in area.alerts:
            if alert.profile and alert.profile != monitoring.ingress:
                continue
            for scope in scopes(catalogue, alert.exporter):
                general = _settings(monitoring.rules.get(alert.name))
                own = _settings(scope.service.monitoring.rules.get(alert.name)) if scope.service else _NOTHING
                if general.enabled and own.enabled:
                    yield _laid_over(catalogue, area, alert, scope, general, own)


def scopes(catalogue: Catalogue, exporter: str) -> list[Scope]:
    """The services that claim jobs of an exporter, each with all jobs it has; and what of the exporter is claimed by
    none, which is all of it where nobody claims any."""
    shared = {key: job_names(catalogue.monitoring.jobs.get(key, job)) for key, job in usual_jobs().items()}
    shared.update({key: job_names(jobs) for key, jobs in catalogue.monitoring.jobs.items()})
    found = [
        Scope(service, {**shared, **{key: job_names(jobs) for key, jobs in service.monitoring.jobs.items()}})
        for service in catalogue.services
        if exporter in service.monitoring.jobs
    ]
    claimed = {job for scope in found for job in scope.jobs[exporter]}
    declared = exporter in catalogue.monitoring.jobs
    left = tuple(job for job in shared.get(exporter, ()) if job not in claimed)
    if left and (declared or not found):
        found.append(Scope(None, {**shared, exporter: left}))
    return found


def job_names(jobs: Jobs) -> tuple[str, ...]:
    """The names of jobs, whether one or several are written."""
    return (jobs,) if isinstance(jobs, str) else tuple(jobs)


def threshold_value(threshold: Threshold, text: str) -> float:
    """What a catalogue writes for a threshold, in its unit; `ValueError` says what is wrong with it."""
    match threshold.unit:
        case "ratio":
            return parse_ratio(text)
        case "seconds" | "window":
            return parse_duration(text)
        case _:
            return float(parse_number(text))


def _settings(written: bool | RuleSettings | None) -> RuleSettings:
    if isinstance(written, RuleSettings):
        return written
    return _NOTHING if written in (None, True) else RuleSettings(enabled=False)


def _laid_over(
    catalogue: Catalogue, area: Area, alert: Alert, scope: Scope, general: RuleSettings, own: RuleSettings
) -> Settings:
    def first(*values: float | None) -> float:
        return next(value for value in values if value is not None)

    thresholds = {name: each.value for name, each in alert.thresholds.items()}
    for settings in (general, own):
        thresholds.update(_values(alert, settings.thresholds))
    during = own.during_events or general.during_events
    event = _values(alert, during.thresholds) if during else {}
    owner = scope.service.owner if scope.service else ""
    return Settings(
        area=area,
        alert=alert,
        scope=scope,
        pending=first(own.pending, general.pending, alert.pending),
        keep_firing_for=first(own.keep_firing_for, general.keep_firing_for, alert.keep_firing_for),
        severity=own.severity or general.severity or alert.severity,
        team=own.team or general.team or owner or catalogue.monitoring.teams.get(area.name, ""),
        thresholds=thresholds,
        labels={**general.labels, **own.labels},
        event_thresholds={**thresholds, **event} if event else None,
        event_mute=during.mute if during else False,
        scrape_seconds=catalogue.monitoring.scrape_interval,
    )


def _values(alert: Alert, written: Mapping[str, str]) -> dict[str, float]:
    return {
        name: threshold_value(alert.thresholds[name], str(text))
        for name, text in written.items()
        if name in alert.thresholds
    }
