"""The alerts of an SLO as they stand at the end of the evaluation, from its burn rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sla_kit.engine.results import BurnRate, SloResult


@dataclass(frozen=True, slots=True)
class Alert:
    """The burn rates over the windows of one multi-window alert, the longest first."""

    windows: tuple[BurnRate, ...]

    @property
    def severity(self) -> str:
        """page or ticket."""
        return self.windows[0].severity

    @property
    def threshold(self) -> float:
        """The burn rate above which it fires."""
        return self.windows[0].threshold

    @property
    def over(self) -> float | None:
        """The lowest of its burn rates in units of the threshold; None where one is not known."""
        rates = [burn.rate for burn in self.windows]
        known = [rate for rate in rates if rate is not None]
        return min(known) / self.threshold if len(known) == len(rates) else None

    @property
    def fires(self) -> bool:
        """Whether every window burns above the threshold. SRE Workbook ch. 5, "multiwindow, multi-burn-rate"."""
        return self.over is not None and self.over > 1


def alerts(slo: SloResult) -> tuple[Alert, ...]:
    """The alerts of an SLO, most urgent first: windows with the same severity and threshold belong together."""
    found: dict[tuple[str, float], list[BurnRate]] = {}
    for burn in slo.burn_rates:
        found.setdefault((burn.severity, burn.threshold), []).append(burn)
    return tuple(Alert(tuple(sorted(windows, key=lambda burn: -burn.window_seconds))) for windows in found.values())


def nearest(slo: SloResult) -> Alert | None:
    """The alert that is nearest to firing, or furthest over its threshold; None where no burn rate is known."""
    known = [(alert.over, alert) for alert in alerts(slo) if alert.over is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None
