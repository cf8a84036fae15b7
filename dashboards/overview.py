"""The one on the wall: the promises, what goes on, what is left, what is wrong, and when the next event is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sla_kit.catalogue.model import Catalogue, Latency, Promise, Recovery, Requests, Service, Slo
from sla_kit.dashboards.marks import DEPLOYMENTS, INCIDENTS, LIVE_EVENTS, MAINTENANCE
from sla_kit.dashboards.model import Dashboard, Panel, Query
from sla_kit.dashboards.promises import Promises
from sla_kit.dashboards.slo_overview import BUDGET_LIMITS
from sla_kit.dashboards.vocabulary import (
    alert_limit,
    bars,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    table,
    timeseries,
)
from sla_kit.rules.sides import promql_duration
from sla_kit.selectors import Selector, side_of

#: As many services have lines of their own on the wall.
_MOST_SERVICES = 8
_EVERY = 'service!=""'
_FIRING = 'ALERTS{$scope, alertstate="firing", alertname!="Watchdog"'


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    promises = Promises.of(catalogue)
    return Dashboard(
        name=f"{catalogue.name}-overview",
        uid="sla-kit-overview",
        title=f"{catalogue.name.capitalize()} overview",
        description="What was promised and whether it is kept, what goes on right now, and what is wrong.",
        folder="SLO",
        annotations=(INCIDENTS, LIVE_EVENTS, MAINTENANCE, DEPLOYMENTS),
        refresh="30s",
        rows=(
            row("The promises", *_promise_panels(catalogue, promises), height=5),
            row("Now", *_now(catalogue), height=4),
            row("Traffic", *_traffic(catalogue), height=8),
            row(
                "What is left, what is wrong",
                bars(
                    "Least budget left",
                    query(f"bottomk(8, {promises.budget_left(_EVERY)})", "{{service}}/{{slo}}"),
                    unit="percentunit",
                    decimals=0,
                    minimum=0,
                    maximum=1,
                    limits=BUDGET_LIMITS,
                    links=(
                        leads_to(
                            "slo-detail", "This SLO", service="${__field.labels.service}", slo="${__field.labels.slo}"
                        ),
                    ),
                    description="The eight SLOs with the least left of their error budget.",
                ),
                table(
                    "Alerts that fire",
                    query(f"max by (alertname, severity, service, team, $keep) ({_FIRING}}})", "Firing"),
                    description="Every alert that fires now; the way on is its runbook, and the dashboard of alerts.",
                    columns=(
                        column("severity", "Severity"),
                        column("alertname", "Alert", link=leads_to("alerts", "Alerts and on-call")),
                        column("service", "Service"),
                        column("team", "Team"),
                        column("Firing", hidden=True),
                        column("environment", hidden=True),
                        column("cluster", hidden=True),
                    ),
                    sort_by="Severity",
                    sort_descending=False,
                    no_value="Nothing fires",
                ),
                height=9,
            ),
        ),
    )


def _promise_panels(catalogue: Catalogue, promises: Promises) -> Iterator[Panel]:
    """A tile a promise: of recoveries how long the longest outage was, of all else the least budget left."""
    by_promise: dict[str, list[tuple[Service, Slo]]] = {}
    for service, slo in catalogue.slos():
        by_promise.setdefault(slo.promise, []).append((service, slo))
    shown = [each for each in catalogue.promises if each.name in by_promise]
    for promise in shown:
        found = by_promise[promise.name]
        within = [sli.within for service, slo in found if isinstance(sli := catalogue.sli(service, slo), Recovery)]
        if len(within) == len(found):
            yield _recovery(promise, min(within))
        else:
            yield _budget(promise, promises)
    if not shown:
        yield _budget(Promise(name="", title="All promises"), promises)


def _budget(promise: Promise, promises: Promises) -> Panel:
    chosen = f'promise="{promise.name}"' if promise.name else _EVERY
    target = f"{promise.title}: {promise.target}. " if promise.target else ""
    return stat(
        f"{_name(promise)}: budget left",
        query(f"min({promises.budget_left(chosen)})", "budget left"),
        unit="percentunit",
        decimals=0,
        limits=BUDGET_LIMITS,
        links=(leads_to("slo-overview", "All SLOs"),),
        description=f"{target}The error budget that is left of the SLO of this promise that has the least; below zero "
        "the promise is broken.",
    )


def _name(promise: Promise) -> str:
    return promise.name.replace("-", " ").capitalize() or promise.title


def _recovery(promise: Promise, within: float) -> Panel:
    outage = 'ALERTS_FOR_STATE{$scope, alertname="SloRecoveryTooSlow"}'
    return stat(
        f"{_name(promise)}: outage now",
        query(f"max(time() - {outage}) or vector(0)", "outage now"),
        unit="s",
        decimals=0,
        limits=(limit(within / 2, "above", "warning"), limit(within, "above", "critical")),
        links=(runbook("SloRecoveryTooSlow"), leads_to("slo-overview", "All SLOs")),
        description=f"{promise.title}: {promise.target}. How long the longest outage has lasted that goes on now, of "
        f"{promql_duration(within)} that it may; 0 where there is none.",
    )


def _now(catalogue: Catalogue) -> Iterator[Panel]:
    requests = _total(catalogue, _rates(catalogue))
    if requests:
        yield stat(
            "Requests",
            query(requests, "requests"),
            unit="reqps",
            decimals=0,
            links=(leads_to("application", "Applications"),),
            description="Requests a second that all services answer.",
        )
        yield stat(
            "Errors",
            query(f"({_total(catalogue, _errors(catalogue))}) / ({requests} > 0)", "errors"),
            unit="percentunit",
            decimals=2,
            limits=(alert_limit("AppErrorsHigh", "ratio"),),
            links=(leads_to("logging", "Logs and errors"),),
            description="The share of requests that fail, of all services.",
        )
    latency = _slowest(catalogue)
    if latency:
        yield stat(
            "p95",
            query(latency, "slowest service"),
            unit="s",
            decimals=0,
            limits=(limit(_least_threshold(catalogue), "above", "critical"),),
            links=(leads_to("application", "Applications"),),
            description="The response time that 95 of 100 requests stay under, of the slowest service.",
        )
    yield stat(
        "Critical alerts",
        query(f'count({_FIRING}, severity="critical"}}) or vector(0)', "critical"),
        unit="none",
        limits=(limit(1, "above", "critical"),),
        links=(leads_to("alerts", "Alerts and on-call"),),
        description="How many critical alerts fire now.",
    )
    yield stat(
        "Warnings",
        query(f'count({_FIRING}, severity="warning"}}) or vector(0)', "warnings"),
        unit="none",
        limits=(limit(1, "above", "warning"),),
        links=(leads_to("alerts", "Alerts and on-call"),),
        description="How many warnings fire now.",
    )
    if catalogue.calendar.events:
        yield stat(
            "Next event",
            query(
                "min(sla_event_starts_in_seconds{$scope}) unless on () sla_event_active{$scope} or vector(0)",
                "starts in",
            ),
            unit="dtdurations",
            decimals=0,
            links=(leads_to("live-events", "Live events"),),
            description="How long until the next live event begins; 0 while one goes on.",
        )


def _traffic(catalogue: Catalogue) -> Iterator[Panel]:
    rates, errors = _rates(catalogue), _errors(catalogue)
    more = leads_to("application", "Applications")
    if rates:
        yield timeseries(
            "Requests by service",
            *(query(rate, name) for name, rate in rates.items()),
            unit="reqps",
            links=(more,),
            description="Requests a second. Live events are marked.",
        )
        yield timeseries(
            "Errors by service",
            *(query(f"({errors[name]}) / ({rate} > 0)", name) for name, rate in rates.items()),
            unit="percentunit",
            limits=(alert_limit("AppErrorsHigh", "ratio"),),
            links=(more,),
            description="The share of requests that fail.",
        )
    slow = _quantiles(catalogue)
    if slow:
        yield timeseries(
            "p95 by service",
            *(query(expression, name) for name, expression in slow.items()),
            unit="s",
            limits=(limit(_least_threshold(catalogue), "above", "critical"),),
            links=(more,),
            description="The response time that 95 of 100 requests stay under, beside what is promised.",
        )
    if not rates and not slow:
        promises = Promises.of(catalogue)
        yield timeseries(
            "Burn rates",
            Query(expression=f"topk({_MOST_SERVICES}, {promises.burn_now(_EVERY)})", legend="{{service}}/{{slo}}"),
            unit="short",
            limits=(limit(1.0, "above", "warning"),),
            description="How many times as fast as they may SLOs burn their budgets.",
        )


def _first(catalogue: Catalogue, kind: type) -> Iterator[tuple[str, object]]:
    """The first indicator of a kind of each of the first services that promise something of one."""
    count = 0
    for service in catalogue.services:
        of_slos: Iterable[object] = (catalogue.sli(service, slo) for slo in service.slos)
        found = next((sli for sli in of_slos if isinstance(sli, kind)), None)
        if found is not None and count < _MOST_SERVICES:
            count += 1
            yield service.name, found


def _rates(catalogue: Catalogue) -> dict[str, str]:
    return {
        name: f"sum(rate({_selected(sli.metric, sli.matchers)}[$__rate_interval]))"
        for name, sli in _first(catalogue, Requests)
        if isinstance(sli, Requests)
    }


def _errors(catalogue: Catalogue) -> dict[str, str]:
    """The rate of bad requests of each service, 0 where there has been none yet."""
    found = {}
    for (name, sli), rate in zip(_first(catalogue, Requests), _rates(catalogue).values(), strict=True):
        assert isinstance(sli, Requests)
        side = side_of(sli)
        counted = f"sum(rate({_selected(side.metric, sli.matchers, side.matchers)}[$__rate_interval]))"
        found[name] = f"{counted} or 0 * {rate}" if side.name == "bad" else f"{rate} - {counted}"
    return found


def _total(catalogue: Catalogue, each: dict[str, str]) -> str:
    return " + ".join(f"(({one}) or vector(0))" for one in each.values())


def _quantiles(catalogue: Catalogue) -> dict[str, str]:
    found = {}
    for name, sli in _first(catalogue, Latency):
        assert isinstance(sli, Latency)
        scale = f" * {sli.unit_seconds!r}" if sli.unit_seconds != 1 else ""
        if sli.native:
            counted = f"sum(rate({_selected(sli.metric, sli.matchers)}[$__rate_interval]))"
        else:
            counted = f"sum by (le) (rate({_selected(f'{sli.metric}_bucket', sli.matchers)}[$__rate_interval]))"
        found[name] = f"histogram_quantile(0.95, {counted}){scale}"
    return found


def _slowest(catalogue: Catalogue) -> str:
    named = [
        f'label_replace({expression}, "service", "{name}", "", "")'
        for name, expression in _quantiles(catalogue).items()
    ]
    return f"max({' or '.join(named)})" if named else ""


def _least_threshold(catalogue: Catalogue) -> float:
    return min(sli.threshold for _, sli in _first(catalogue, Latency) if isinstance(sli, Latency))


def _selected(metric: str, *matchers: dict[str, str | list[str]]) -> str:
    """A selector of the catalogue's, where the dashboard looks."""
    selector = Selector.of(metric, *matchers).promql()
    return f"{selector[:-1]}{', ' if selector[-2] != '{' else ''}$scope}}"
