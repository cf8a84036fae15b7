"""What alerts are set to, for expressions that have to be comparable with them: windows, how much traffic proves
anything. Limits of panels are `limits`' business."""

from __future__ import annotations

from dataclasses import dataclass

from sla_kit.alert_rules import areas
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.limits import Limits
from sla_kit.dashboards.model import Limit
from sla_kit.rules.sides import promql_duration


@dataclass(frozen=True, slots=True)
class Watched:
    """The thresholds of alerts in one catalogue, and which areas it watches."""

    limits: Limits
    off: frozenset[str]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Watched:
        """What a catalogue has set."""
        off = frozenset(name for name, on in catalogue.monitoring.areas.items() if not on)
        return cls(Limits.of(catalogue), off)

    def area(self, name: str) -> bool:
        """Whether an area is on: where it is off, what it asks of is perhaps not there."""
        return name not in self.off

    def value(self, alert: str, threshold: str, side: str = "above") -> float:
        """A threshold as it is set; as it comes where the alert is switched off."""
        level = self.limits.level(Limit(alert=alert, threshold=threshold, side=side))  # type: ignore[arg-type]
        if level is not None:
            return level.value
        return next(each for area in areas() for each in area.alerts if each.name == alert).thresholds[threshold].value

    def window(self, alert: str, threshold: str = "window") -> str:
        """A length of time that an alert looks at, as PromQL writes it."""
        return promql_duration(self.value(alert, threshold))
