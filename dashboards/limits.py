"""The limits of panels as values: a panel turns where its alert fires, whatever the catalogue has set that to."""

from __future__ import annotations

from dataclasses import dataclass

from sla_kit.alert_rules import areas
from sla_kit.alert_rules.settings import Settings, settings_of
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.model import Limit
from sla_kit.dashboards.remembering import once
from sla_kit.errors import SlaKitError


@dataclass(frozen=True, slots=True)
class Level:
    """A limit in force: from ``value`` on it is as bad as ``severity`` says, "critical" or "warning"."""

    value: float
    side: str
    severity: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the alerts of a catalogue are set to, by their names."""

    alerts: dict[str, tuple[Settings, ...]]
    known: dict[str, frozenset[str]]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Limits:
        """The limits of a catalogue."""
        return _limits(catalogue)

    def level(self, limit: Limit) -> Level | None:
        """A limit in force; None for that of an alert which is switched off. Where services have set an alert
        differently, the one that fires first counts. Raises `SlaKitError` for an alert or threshold that there is
        not."""
        if limit.alert == "":
            if limit.value is None:
                raise SlaKitError(
                    "a limit has neither a value nor an alert", remedy="write limit(0.9) or alert_limit(…)"
                )
            return Level(limit.value, limit.side, limit.severity or "critical")
        thresholds = self.known.get(limit.alert)
        if thresholds is None or limit.threshold not in thresholds:
            what = f"alert {limit.alert!r}" if thresholds is None else f"threshold {limit.threshold!r} of {limit.alert}"
            raise SlaKitError(f"a panel's limit names the {what}, which there is not", remedy="see sla-kit alerts list")
        settings = self.alerts.get(limit.alert)
        if not settings:
            return None
        values = [each.thresholds[limit.threshold] for each in settings]
        severity = limit.severity or ("critical" if settings[0].severity == "critical" else "warning")
        return Level((min if limit.side == "above" else max)(values) * limit.factor, limit.side, severity)


@once
def _limits(catalogue: Catalogue) -> Limits:
    found: dict[str, list[Settings]] = {}
    for each in settings_of(catalogue, areas()):
        found.setdefault(each.alert.name, []).append(each)
    known = {alert.name: frozenset(alert.thresholds) for area in areas() for alert in area.alerts}
    return Limits({name: tuple(settings) for name, settings in found.items()}, known)
