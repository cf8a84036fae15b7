"""What dashboards have to know of a promise, as series: its objective, where its alerts fire, and its error ratio
without maintenance."""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.recordings import Recorded, divided, increase_name
from sla_kit.rules.sides import Side, events_matcher, promql_duration
from sla_kit.rules.slo_alerts import Watched
from sla_kit.selectors import quote

OBJECTIVE, BURN_LIMIT, IN_SERVICE = "sla:objective:ratio", "sla:burn_limit:ratio", "sla:error_ratio_in_service"


def objective_rule(service: Service, slo: Slo, watched: Watched | None) -> RecordingRule:
    """The objective of an SLO; its labels tell which recorded error ratio it is judged by (``sli`` and ``window``),
    where there is one."""
    labels = {"service": service.name, "slo": slo.name, "promise": slo.promise}
    if watched is not None:
        labels |= {"sli": watched.ratio, "window": promql_duration(watched.window)}
    return RecordingRule(OBJECTIVE, f"vector({slo.objective!r})", {key: text for key, text in labels.items() if text})


def burn_limit_rules(watched: Watched) -> Iterator[RecordingRule]:
    """The burn rates at which the alerts of an SLO fire, a series for each pair of windows."""
    if watched.slo.objective >= 1:
        return
    for condition in watched.conditions:
        labels = {
            "service": watched.service.name,
            "slo": watched.slo.name,
            "severity": condition.severity,
            "long_window": promql_duration(condition.long),
            "short_window": promql_duration(condition.short),
        }
        named = {"condition": condition.name} if condition.name else {}
        yield RecordingRule(BURN_LIMIT, f"vector({condition.factor!r})", labels | named)


def in_service_rule(catalogue: Catalogue, watched: Watched) -> RecordingRule | None:
    """The error ratio over an SLO's own window without the buckets that maintenance of its service touches; None where
    the calendar has no maintenance of it, or its window is too short to be made of buckets."""
    recorded, service = watched.recorded, watched.service.name
    concerned = any(not each.services or service in each.services for each in catalogue.calendar.maintenance)
    if recorded is None or not concerned or watched.window not in recorded.long:
        return None
    total, other = (
        _outside(recorded, side, service, watched.window) for side in (recorded.sides.total, recorded.sides.bad)
    )
    name = f"{IN_SERVICE}:{promql_duration(watched.window)}"
    return RecordingRule(name, divided(total, other), {"sli": recorded.name, "service": service})


def _outside(recorded: Recorded, side: Side, service: str, seconds: int) -> str:
    """The events of a side over a window, in the buckets that no maintenance touches. A bucket is recorded somewhen
    within each step and is about the time before, so that maintenance within two steps may touch it."""
    bucket = promql_duration(recorded.bucket)
    counted = f"last_over_time({increase_name(recorded.bucket)}{events_matcher(side)}[{bucket}])"
    touched = (
        f"max_over_time(sla_maintenance_active{{service={quote(service)}}}[{promql_duration(2 * recorded.bucket)}])"
    )
    return f"sum(sum_over_time((\n  {counted}\n  unless on () {touched}\n)[{promql_duration(seconds)}:{bucket}]))"
