"""The alerts of one SLO: its budget burns too fast, runs out, is spent; its series vanished; an outage lasts too long.

Multiwindow, multi-burn-rate alerts: SRE Workbook ch. 5, "Alerting on SLOs", section 6. The value of a budget alert is
the burn rate, so that what it says can be read; thresholds follow from the SLO's own window (`conditions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from sla_kit.alert_rules.expanding import links
from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.catalogue.monitoring import RuleSettings
from sla_kit.engine.alert_windows import nominal_seconds
from sla_kit.rules.conditions import BurnCondition, allowed_ratio, capped
from sla_kit.rules.model import AlertingRule
from sla_kit.rules.published import counted_windows, published_bad_events, unknown, unknown_seconds
from sla_kit.rules.recordings import Recorded, bad_events, ratio_series
from sla_kit.rules.sides import is_maintained, promql_duration
from sla_kit.selectors import quote

BURN, RUNS_OUT, SPENT = "SloErrorBudgetBurn", "SloErrorBudgetRunsOut", "SloErrorBudgetSpent"
NO_DATA, TOO_SLOW = "SloNoData", "SloRecoveryTooSlow"
DASHBOARD = "slo-detail"
_ON, _OFF = RuleSettings(), RuleSettings(enabled=False)


class Watched(msgspec.Struct, frozen=True):
    """An SLO with what its alerts read: ``ratio`` is the name of the recorded error ratios, ``recorded`` what is
    recorded of its own indicator (None for a composite), ``low_traffic`` the name of the error ratios that decide
    where there are too few events, and what that SLO allows. ``published`` where the exporter of SLOs tells of it."""

    service: Service
    slo: Slo
    ratio: str
    conditions: tuple[BurnCondition, ...]
    recorded: Recorded | None = None
    low_traffic: tuple[str, float] | None = None
    published: bool = False

    @property
    def allowed(self) -> float:
        """The share of events that may be bad."""
        return allowed_ratio(self.slo.objective)

    @property
    def window(self) -> int:
        """The length of the SLO's own window in seconds; a month counts 30 days."""
        return nominal_seconds(self.slo.window)

    @property
    def trend(self) -> int:
        """The window whose burn rate tells when the budget will have run out, in seconds."""
        return max(condition.long for condition in self.conditions)


def windows_of(slo: Slo, conditions: tuple[BurnCondition, ...]) -> tuple[int, ...]:
    """The windows in seconds over which the alerts of an SLO read its error ratio, shortest first."""
    own = nominal_seconds(slo.window)
    return (own,) if slo.objective >= 1 else _windows(own, conditions)


@lru_cache(maxsize=1024)
def _windows(own: int, conditions: tuple[BurnCondition, ...]) -> tuple[int, ...]:
    return tuple(sorted({own, *(seconds for condition in conditions for seconds in condition.windows)}))


def alerts_of(catalogue: Catalogue, watched: Watched) -> Iterator[AlertingRule]:
    """The alerts on the error budget of an SLO, from the most urgent on."""
    if watched.slo.objective < 1:
        for condition in watched.conditions:
            yield from _rule(catalogue, watched, BURN, *_burn(catalogue, watched, condition))
        yield from _rule(catalogue, watched, RUNS_OUT, *_runs_out(catalogue, watched))
    yield from _rule(catalogue, watched, SPENT, *_spent(watched))


def no_data_of(catalogue: Catalogue, watched: Watched, together: Sequence[str] = ()) -> Iterator[AlertingRule]:
    """The alert for an indicator of which nothing is known any more: one an indicator and service, whatever the number
    of SLOs on it (``together`` names them where figures of theirs are read)."""
    if watched.published:
        expression, because = _unpublished(catalogue, watched, together)
    elif watched.recorded is not None:
        expression, because = _vanished(watched.recorded)
    else:
        return
    expression = _unless_maintained(catalogue, watched, expression)
    texts = {"summary": f"{watched.service.name}: nothing is known of {watched.ratio}", "description": because}
    pending = catalogue.monitoring.slo.no_data_after
    severity = capped("warning", watched.slo.severity)
    yield from _rule(catalogue, watched, NO_DATA, expression, pending, 0.0, severity, texts, {"sli": watched.ratio})


def _vanished(recorded: Recorded) -> tuple[str, str]:
    sides = recorded.sides
    gone = [f"absent({_together(selector)})" for selector in sides.total.selectors]
    if sides.needed and sides.needed != sides.total.selectors:
        # A good side without series would make everything bad; a histogram without such a bucket tells nothing.
        there = " or ".join(_together(selector) for selector in sides.total.selectors)
        gone += [f"(absent({_together(selector)}) and on () ({there}))" for selector in sides.needed]
    return "\nor\n".join(gone), (
        f"There is no series of {recorded.name} any more, so that its promises can't be judged and "
        "their other alerts are blind: " + "; ".join(_plain(selector) for selector in sides.total.selectors)
    )


def _unpublished(catalogue: Catalogue, watched: Watched, together: Sequence[str]) -> tuple[str, str]:
    names = together or [watched.slo.name]
    told = ", ".join(f"{watched.service.name}/{name}" for name in names)
    return unknown(catalogue, watched.service, names), (
        f"There are no figures of {told} any more, so that its promises can't be judged and their other alerts are "
        "blind: `sla-kit exporter slo` publishes none, or has seen no data for more than "
        f"{promql_duration(unknown_seconds(catalogue))}"
    )


def too_slow_of(
    catalogue: Catalogue, service: Service, slo: Slo, within: float, outage: Watched
) -> Iterator[AlertingRule]:
    """The alert for an outage of another SLO that has lasted longer than a recovery may take.

    An outage goes on while the first alert pair's short window is above what that pair tolerates (the engine tells
    outages by the same pairs).
    """
    urgent = outage.conditions[0]
    expression = f"{ratio_series(outage.ratio, urgent.short)} / {outage.allowed!r} {urgent.operator} {urgent.factor:g}"
    length = promql_duration(within)
    texts = {
        "summary": f"{service.name}: an outage lasts longer than {length}",
        "description": f"{outage.service.name}/{outage.slo.name} has burnt its error budget for more than {length}, "
        "which is how long a recovery may take; now {{ $value | humanize }} times as fast as it may.",
    }
    here = Watched(service, slo, outage.ratio, outage.conditions)
    severity = capped("critical", slo.severity)
    yield from _rule(
        catalogue, here, TOO_SLOW, _unless_maintained(catalogue, here, expression), within, 300.0, severity, texts, {}
    )


_Parts = tuple[str, float, float, str, dict[str, str], Mapping[str, str]]


def _burn(catalogue: Catalogue, watched: Watched, condition: BurnCondition) -> _Parts:
    burns = [f"{ratio_series(watched.ratio, seconds)} / {watched.allowed!r}" for seconds in condition.windows]

    def above(factor: float) -> str:
        return "\nand\n".join(f"{burn} {condition.operator} {_number(factor)}" for burn in burns)

    expression = above(condition.factor)
    factor = catalogue.monitoring.slo.event_burn_factor
    if condition.operator[0] == ">":  # and never more than can burn
        factor = min(factor, max(1.0, 0.9 / watched.allowed / condition.factor))
    if factor != 1 and catalogue.calendar.events:
        event = f"on () sla_event_active{{service={quote(watched.service.name)}}}"
        usual, during = _in(expression), _in(above(condition.factor * factor))
        expression = f"(\n{usual}\n  unless {event}\n)\nor\n(\n{during}\n  and {event}\n)"
    floor, counted = catalogue.monitoring.slo.min_bad_events, _bad_events(catalogue, watched, condition.long)
    if floor > 0 and counted and condition.operator[0] == ">":
        enough = f"({counted}) >= {_number(floor)}"
        if watched.low_traffic is not None:
            name, allowed = watched.low_traffic
            probe = " and ".join(
                f"{ratio_series(name, seconds)} / {allowed!r} {condition.operator} {_number(condition.factor)}"
                for seconds in condition.windows
            )
            enough = f"{enough}\n  or on () ({probe})"
        expression = f"(\n{_in(expression)}\n)\nand on () (\n  {enough}\n)"
    expression = _unless_maintained(catalogue, watched, expression)
    name = f"{watched.service.name}/{watched.slo.name}"
    since, pace, labels = _told(condition, watched.window)
    texts = {"summary": f"{name} burns its error budget too fast", "description": f"{since} {name} {pace}"}
    return expression, condition.pending, condition.keep, condition.severity, texts, labels


def _bad_events(catalogue: Catalogue, watched: Watched, seconds: int) -> str:
    """PromQL for the bad events of a window; "" where it is no events that count."""
    if watched.recorded is not None:
        return bad_events(watched.recorded, seconds) if watched.recorded.sides.events else ""
    if watched.published and seconds in counted_windows(catalogue, watched.service, watched.slo):
        return published_bad_events(watched.service, watched.slo, seconds)
    return ""


@lru_cache(maxsize=1024)
def _told(condition: BurnCondition, window: int) -> tuple[str, str, dict[str, str]]:
    """What an alert says before and after the name of an SLO with a window of so many seconds, and its own labels."""
    long, short = promql_duration(condition.long), promql_duration(condition.short)
    left = promql_duration(round(window / condition.factor)) if condition.factor > 0 else ""
    pace = f"; at {_number(condition.factor)} times it would be spent in {left}" if left else ""
    labels = {"long_window": long, "short_window": short} | ({"condition": condition.name} if condition.name else {})
    return (
        f"Over the last {long}{f' and {short}' if short != long else ''}",
        f"has burnt its error budget of {promql_duration(window)} {{{{ $value | humanize }}}} times as fast as it "
        f"may{pace}.",
        labels,
    )


def _runs_out(catalogue: Catalogue, watched: Watched) -> _Parts:
    within = catalogue.monitoring.slo.runs_out_within
    whole, trend = (ratio_series(watched.ratio, seconds) for seconds in (watched.window, watched.trend))
    expression = (
        f"(1 - {whole} / {watched.allowed!r}) * {watched.window}\n/\n({trend} / {watched.allowed!r} > 1)\n"
        f"< {_number(min(within, watched.window / 2))} > 0"
    )
    name = f"{watched.service.name}/{watched.slo.name}"
    texts = {
        "summary": f"{name} will have spent its error budget soon",
        "description": f"At the pace of the last {promql_duration(watched.trend)} the error budget of {name} for "
        f"{promql_duration(watched.window)} will be spent in {{{{ $value | humanizeDuration }}}}.",
    }
    expression = _unless_maintained(catalogue, watched, expression)
    return expression, 3600.0, 3600.0, capped("warning", watched.slo.severity), texts, {}


def _spent(watched: Watched) -> _Parts:
    whole, name = ratio_series(watched.ratio, watched.window), f"{watched.service.name}/{watched.slo.name}"
    window = promql_duration(watched.window)
    if watched.allowed <= 0:
        expression, spent = (
            f"{whole} > 1e-9",
            f"{{{{ $value | humanizePercentage }}}} of its events of {window} were bad",
        )
    else:
        expression = f"{whole} / {watched.allowed!r} >= 1"
        spent = f"{{{{ $value | humanizePercentage }}}} of the error budget of {window} are spent"
    texts = {
        "summary": f"{name} has spent its error budget",
        "description": f"{name}: {spent}; the objective is {watched.slo.objective * 100:.6g} %. The error-budget "
        "policy tells what to do.",
    }
    return expression, 300.0, 3600.0, capped("warning", watched.slo.severity), texts, {}


def _rule(
    catalogue: Catalogue,
    watched: Watched,
    alert: str,
    expression: str,
    pending: float,
    keep: float,
    severity: str,
    texts: Mapping[str, str],
    more: Mapping[str, str],
) -> Iterator[AlertingRule]:
    """The rule, unless the catalogue or the service switches it off, with what they set of it."""
    monitoring, service = catalogue.monitoring, watched.service
    general, own = _settings(monitoring.rules.get(alert)), _settings(service.monitoring.rules.get(alert))
    if not monitoring.areas.get("slo", True) or not general.enabled or not own.enabled:
        return
    team = own.team or general.team or service.owner or monitoring.teams.get("slo", "")
    labels = {
        "severity": own.severity or general.severity or severity,
        "area": "slo",
        "team": team,
        "environment": catalogue.environment,
        "service": service.name,
        "slo": "" if alert == NO_DATA else watched.slo.name,
        **more,
        **general.labels,
        **own.labels,
    }
    if "" in labels.values():
        labels = {name: value for name, value in labels.items() if value}
    set_pending = own.pending if own.pending is not None else general.pending
    set_keep = own.keep_firing_for if own.keep_firing_for is not None else general.keep_firing_for
    yield AlertingRule(
        alert,
        expression,
        pending if set_pending is None else set_pending,
        keep if set_keep is None else set_keep,
        labels,
        {**texts, **links(catalogue, alert, DASHBOARD)},
    )


def _settings(written: bool | RuleSettings | None) -> RuleSettings:
    if isinstance(written, RuleSettings):
        return written
    return _OFF if written is False else _ON


def _unless_maintained(catalogue: Catalogue, watched: Watched, expression: str) -> str:
    """The expression, quiet while the service is maintained, where the calendar has maintenance of it."""
    if not is_maintained(catalogue, watched.service):
        return expression
    during = f"sla_maintenance_active{{service={quote(watched.service.name)}}}"
    return f"(\n{_in(expression)}\n)\nunless on () {during}"


def _together(selector: str) -> str:
    """Something without labels that is there where a series is."""
    return f"group({selector})"


def _plain(selector: str) -> str:
    """A selector inside a template, whose braces would otherwise be read."""
    return selector.replace("{{", "{ {").replace("}}", "} }")


def _in(text: str) -> str:
    return "  " + text.replace("\n", "\n  ")


@lru_cache(maxsize=1024)
def _number(value: float) -> str:
    return f"{value:.10g}"
