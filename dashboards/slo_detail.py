"""One SLO: what was kept, what is left of its budget and how that went, how fast it burns beside where alerts fire."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, MAINTENANCE
from sla_kit.dashboards.model import Annotation, Dashboard, Row
from sla_kit.dashboards.promises import Promises
from sla_kit.dashboards.slo_overview import BUDGET_LIMITS
from sla_kit.dashboards.vocabulary import (
    Variable,
    column,
    kibana,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    table,
    timeseries,
)
from sla_kit.dashboards.watched import Watched
from sla_kit.rules.sides import promql_duration

_CHOSEN = 'service="$service", slo="$slo"'
_INCIDENTS = Annotation(
    name="Incidents",
    expression=f'ALERTS{{$scope, alertstate="firing", alertname=~"Slo.*", {_CHOSEN}}}',
    title="{{alertname}}",
    text="{{severity}} {{long_window}}",
    color="red",
)


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    promises = Promises.of(catalogue)
    judged = (_as_reported(),) if Watched.of(catalogue).area("promises") else ()
    first = next(((service.name, slo.name) for service, slo in catalogue.slos() if slo.objective < 1), ("", ""))
    return Dashboard(
        name="slo-detail",
        title="SLO detail",
        description="One SLO, chosen above: what was kept with and without maintenance, its error budget over time, "
        "and its burn rates beside those at which its alerts fire.",
        folder="SLO",
        hours=7 * 24,
        variables=(
            Variable(
                name="service",
                title="Service",
                metric="sla:objective:ratio{$scope}",
                label="service",
                several=False,
                preset=first[0],
            ),
            Variable(
                name="slo",
                title="SLO",
                metric='sla:objective:ratio{$scope, service="$service"}',
                label="slo",
                several=False,
                preset=first[1],
            ),
        ),
        annotations=(_INCIDENTS, LIVE_EVENTS, MAINTENANCE, DEPLOYMENTS),
        rows=(
            row(
                "What was promised, and kept",
                stat(
                    "Objective",
                    f"min({promises.objective(_CHOSEN)})",
                    unit="percentunit",
                    decimals=3,
                    description="The share of events that was promised to be good.",
                ),
                stat(
                    "Kept",
                    f"min({promises.indicator(_CHOSEN)})",
                    unit="percentunit",
                    decimals=3,
                    description="The share of events that was good, over the SLO's own window, weighed by events; "
                    "announced maintenance is left out.",
                    links=(
                        leads_to("application", "The service", service="$service"),
                        kibana("Errors in the logs", "service.name:$service AND log.level:error"),
                    ),
                ),
                stat(
                    "Kept, maintenance counted",
                    f"min({promises.with_maintenance(_CHOSEN)})",
                    unit="percentunit",
                    decimals=3,
                    description="The same with what happened while maintenance of the service was announced, which is "
                    "left out otherwise.",
                ),
                stat(
                    "Budget left",
                    f"min({promises.budget_left(_CHOSEN)})",
                    unit="percentunit",
                    decimals=1,
                    limits=BUDGET_LIMITS,
                    links=(runbook("SloErrorBudgetSpent"),),
                    description="The share of the error budget that is left; below zero where more is spent than there "
                    "was.",
                ),
                stat(
                    "Burn rate",
                    f"max({promises.burn_now(_CHOSEN)})",
                    unit="short",
                    decimals=2,
                    limits=(limit(1, "above", "warning"),),
                    links=(runbook("SloErrorBudgetBurn"),),
                    description="How many times as fast as it may the budget burns, over the long window of the most "
                    "urgent alert. At 1 it lasts for exactly its window.",
                ),
                height=5,
            ),
            *judged,
            row(
                "Error budget",
                timeseries(
                    "Budget left",
                    query(promises.budget_left(_CHOSEN), "budget left"),
                    unit="percentunit",
                    maximum=1,
                    limits=BUDGET_LIMITS,
                    description="What was left of the budget, at each moment over the window before it.",
                    width=14,
                ),
                timeseries(
                    "Kept, and promised",
                    query(promises.indicator(_CHOSEN), "kept"),
                    query(promises.with_maintenance(_CHOSEN), "with maintenance", color="sky"),
                    query(promises.objective(_CHOSEN), "promised", color="grey"),
                    unit="percentunit",
                    decimals=3,
                    maximum=1,
                    from_zero=False,
                    description="The share of good events over the SLO's own window, beside the objective.",
                ),
                height=9,
            ),
            row(
                "Burn rates",
                timeseries(
                    "Burn rates",
                    *(query(promises.burn(seconds, _CHOSEN), promql_duration(seconds)) for seconds in promises.read),
                    unit="short",
                    logarithmic=True,
                    description="How many times as fast as it may the budget burns, over each window that an alert "
                    "reads.",
                    width=14,
                ),
                table(
                    "Beside where alerts fire",
                    query(promises.burn_limits(_CHOSEN), "Fires above"),
                    query(promises.burn_at_limits(_CHOSEN, "long_window"), "Over long"),
                    query(promises.burn_at_limits(_CHOSEN, "short_window"), "Over short"),
                    description="An alert fires where both its windows burn faster than its limit.",
                    columns=(
                        column("severity", "Severity"),
                        column("long_window", "Long"),
                        column("short_window", "Short"),
                        column("Fires above", unit="short", decimals=1),
                        column("Over long", unit="short", decimals=2),
                        column("Over short", unit="short", decimals=2),
                        column("service", hidden=True),
                        column("slo", hidden=True),
                        column("condition", hidden=True),
                        column("pairs", hidden=True),
                        column("environment", hidden=True),
                        column("cluster", hidden=True),
                    ),
                    sort_by="Fires above",
                ),
                height=9,
            ),
        ),
    )


def _as_reported() -> Row:
    """What the exporter of SLOs publishes of it, over its own window: the one that its objective is for."""
    own = f"and on ($keep, job, instance, service, slo, window) sla_slo_objective_ratio{{$slo_exporter, {_CHOSEN}}}"

    def asked(metric: str) -> str:
        return f"max({metric}{{$slo_exporter, {_CHOSEN}}} {own})"

    return row(
        "As the report will show it",
        stat(
            "Kept, by the engine",
            asked("sla_slo_sli_ratio"),
            unit="percentunit",
            decimals=3,
            no_value="not told",
            description="The share of good events as the report counts them, with every exclusion; for composites and "
            "recoveries, too.",
        ),
        stat(
            "Budget left, by the engine",
            asked("sla_slo_error_budget_left_ratio"),
            unit="percentunit",
            decimals=1,
            limits=BUDGET_LIMITS,
            no_value="not told",
            links=(runbook("PromiseMissed"),),
            description="The share of the error budget that is left by those figures.",
        ),
        stat(
            "Seen",
            asked("sla_slo_coverage_ratio"),
            unit="percentunit",
            decimals=1,
            no_value="not told",
            links=(runbook("SloFiguresMissing"),),
            description="The share of the window of which there is data.",
        ),
        stat(
            "Chance that the budget runs out",
            asked("sla_slo_budget_exhausted_probability_ratio"),
            unit="percentunit",
            decimals=0,
            limits=(limit(0.5, "above", "warning"),),
            no_value="no forecast",
            description="How probable it is that the error budget is spent within the forecast, as it goes now.",
        ),
        height=5,
    )
