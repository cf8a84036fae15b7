"""Counts of things that hardly ever happen: where a panel turns, and how many there were."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.limits import Limits
from sla_kit.dashboards.model import Limit
from sla_kit.dashboards.vocabulary import alert_limit, limit


def more_than(catalogue: Catalogue, alert: str, threshold: str) -> tuple[Limit, ...]:
    """Where an alert fires that bears so many and not one more; none where it is switched off. A panel's colour begins
    at its limit, and nothing at all would look bad to an alert that bears nothing."""
    level = Limits.of(catalogue).level(alert_limit(alert, threshold))
    return () if level is None else (limit(level.value + 1, "above", level.severity),)


def rise(selector: str) -> str:
    """How much counters rose in the range that is shown, for queries of its end. One that was not there when the range
    began counts from nothing: an exporter may have no series of what has not happened yet."""
    return f"(({selector} unless {selector} offset $__range) or increase({selector}[$__range]))"
