"""Error ratios of promises that no rule can count, since logs hold their events: as ``sla-kit exporter slo`` tells.

It publishes burn rates, from which the error ratios follow; recorded under the names that alerts and dashboards read,
they make promises on logs like any others.
"""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.engine.alert_windows import BURN_WINDOWS, alert_pairs, duration_name, nominal_seconds, window_label
from sla_kit.rules.conditions import BurnCondition, allowed_ratio
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.recordings import ratio_name
from sla_kit.selectors import quote


def published_windows(catalogue: Catalogue, slo: Slo) -> frozenset[int]:
    """The windows in seconds over which the exporter publishes how fast an SLO's budget burns."""
    pairs = alert_pairs(nominal_seconds(slo.window), int(catalogue.bucket), 1.0 - slo.objective)
    return frozenset((*BURN_WINDOWS, *(seconds for pair in pairs for seconds in (pair.long, pair.short))))


def known(catalogue: Catalogue, slo: Slo, conditions: tuple[BurnCondition, ...]) -> tuple[BurnCondition, ...]:
    """Those of some conditions whose windows are all published."""
    windows = published_windows(catalogue, slo)
    return tuple(each for each in conditions if windows.issuperset(each.windows))


def published_rule(service: Service, slo: Slo, name: str, seconds: int) -> RecordingRule:
    """The error ratio over one window. That over the SLO's own window is the exporter's figure itself; a calendar month
    is then the running one. Of several exporters the worst counts."""
    labels = f"service={quote(service.name)}, slo={quote(slo.name)}"
    if seconds == nominal_seconds(slo.window):
        expression = f"max(1 - sla_slo_sli_ratio{{{labels}, window={quote(window_label(slo.window))}}})"
    else:
        series = f"sla_slo_burn_rate_ratio{{{labels}, burn_window={quote(duration_name(seconds))}}}"
        expression = f"max({series}) * {allowed_ratio(slo.objective)!r}"
    return RecordingRule(ratio_name(seconds), expression, {"sli": name})
