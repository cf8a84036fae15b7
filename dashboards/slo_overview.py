"""All SLOs in one table: what is kept, what is left of each budget, what burns."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue, Recovery
from sla_kit.dashboards.marks import LIVE_EVENTS, MAINTENANCE
from sla_kit.dashboards.model import Dashboard, Panel
from sla_kit.dashboards.promises import Promises
from sla_kit.dashboards.vocabulary import (
    Variable,
    bars,
    column,
    leads_to,
    limit,
    query,
    row,
    stat,
    table,
    timeseries,
)

_OUTAGE = 'ALERTS_FOR_STATE{$scope, alertname="SloRecoveryTooSlow", service=~"$service"}'
_CHOSEN = 'service=~"$service"'
#: From where on a budget is short, and gone.
BUDGET_LIMITS = (limit(0.0, "below", "critical"), limit(0.25, "below", "warning"))
_PACE = (limit(1.0, "above", "warning"), limit(6.0, "above", "critical"))


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    promises = Promises.of(catalogue)
    detail = leads_to("slo-detail", "This SLO", service="${__data.fields.Service}", slo="${__data.fields.SLO}")
    of_series = leads_to("slo-detail", "This SLO", service="${__field.labels.service}", slo="${__field.labels.slo}")
    promise = (column("promise", "Promise"),) if any(slo.promise for _, slo in catalogue.slos()) else ()
    return Dashboard(
        name="slo-overview",
        title="SLO overview",
        description="Every SLO with its objective, what was kept of it, what is left of its budget and how fast that "
        "burns. A line leads to the SLO itself.",
        folder="SLO",
        hours=24,
        variables=(Variable(name="service", title="Service", metric="sla:objective:ratio{$scope}", label="service"),),
        annotations=(LIVE_EVENTS, MAINTENANCE),
        rows=(
            row(
                "Now",
                stat(
                    "SLOs",
                    f"count({promises.objective(_CHOSEN)})",
                    unit="short",
                    description="How many SLOs there are.",
                ),
                stat(
                    "Budgets spent",
                    f"count(({promises.budget_left(_CHOSEN)}) <= 0) or vector(0)",
                    unit="short",
                    limits=(limit(1, "above", "critical"),),
                    description="How many SLOs have spent more than their error budget over their own window.",
                ),
                stat(
                    "Budgets short",
                    f"count(({promises.budget_left(_CHOSEN)}) < 0.25) or vector(0)",
                    unit="short",
                    limits=(limit(1, "above", "warning"),),
                    description="How many SLOs have less than a quarter of their error budget left, or none.",
                ),
                stat(
                    "Burning too fast",
                    f"count(({promises.burn_now(_CHOSEN)}) > 1) or vector(0)",
                    unit="short",
                    limits=(limit(1, "above", "warning"),),
                    description="How many SLOs burn their budget faster than they may, over the long window of their "
                    "most urgent alert.",
                ),
                height=4,
            ),
            row(
                "All SLOs",
                table(
                    "SLOs",
                    query(promises.objective(f'{_CHOSEN}, sli!=""'), "Objective"),
                    query(promises.indicator(_CHOSEN), "Kept"),
                    query(promises.budget_left(_CHOSEN), "Budget left"),
                    query(promises.burn_now(_CHOSEN), "Burn rate"),
                    description="Sorted by what is left of the budget; a click on a heading sorts by that.",
                    columns=(
                        column("service", "Service"),
                        column("slo", "SLO", link=detail),
                        *promise,
                        column("window", "Window"),
                        column("Objective", unit="percentunit", decimals=3),
                        column("Kept", unit="percentunit", decimals=3),
                        column("Budget left", unit="percentunit", decimals=1, limits=BUDGET_LIMITS),
                        column("Burn rate", unit="short", decimals=2, limits=_PACE),
                        column("sli", hidden=True),
                        column("pairs", hidden=True),
                        column("environment", hidden=True),
                        column("cluster", hidden=True),
                    ),
                    sort_by="Budget left",
                    sort_descending=False,
                ),
                height=14,
            ),
            *([row("Recoveries", _recoveries(), height=7)] if _times_recoveries(catalogue) else []),
            row(
                "Which lose most",
                bars(
                    "Least budget left",
                    query(f"bottomk(10, {promises.budget_left(_CHOSEN)})", "{{service}}/{{slo}}"),
                    unit="percentunit",
                    decimals=1,
                    minimum=0,
                    maximum=1,
                    limits=BUDGET_LIMITS,
                    links=(of_series,),
                    description="The ten SLOs with the least left of their error budget.",
                ),
                timeseries(
                    "Fastest burning",
                    query(f"topk(6, {promises.burn_now(_CHOSEN)})", "{{service}}/{{slo}}"),
                    unit="short",
                    decimals=1,
                    logarithmic=True,
                    limits=_PACE,
                    links=(of_series,),
                    description="How many times as fast as they may SLOs burn their budgets; at 1 a budget lasts for "
                    "exactly its window.",
                ),
                height=9,
            ),
        ),
    )


def _times_recoveries(catalogue: Catalogue) -> bool:
    return any(isinstance(catalogue.sli(service, slo), Recovery) for service, slo in catalogue.slos())


def _recoveries() -> Panel:
    """The promises on how long outages last, which have no events to count."""
    timed = f'sla:objective:ratio{{$scope, {_CHOSEN}, sli=""}}'
    return table(
        "Outages",
        query(f"max by (service, slo, promise, $keep) ({timed})", "Objective"),
        query(
            f"max by (service, slo, $keep) (time() - {_OUTAGE})\nor on (service, slo, $keep)\n"
            f"max by (service, slo, $keep) (0 * {timed})",
            "Outage now",
        ),
        description="Promises on how long an outage lasts: how long the one that goes on has lasted, 0 where none "
        "does. What was kept of them is told by the weekly report.",
        columns=(
            column("service", "Service"),
            column("slo", "SLO"),
            column("promise", "Promise"),
            column("Objective", unit="percentunit", decimals=1),
            column("Outage now", unit="s", decimals=0, limits=(limit(1, "above", "critical"),)),
            column("environment", hidden=True),
            column("cluster", hidden=True),
        ),
        sort_by="Outage now",
    )
