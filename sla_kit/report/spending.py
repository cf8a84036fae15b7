"""Where the error budgets went: what is left of each, the hours in which errors happened, and the incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.alerts import Alert, alerts
from sla_kit.report.backing import runs
from sla_kit.report.blocks import Block, Cell, Column, Fold, Paragraph, Plots, Table
from sla_kit.report.formats import number
from sla_kit.report.rows import bounded, number_cell, slo_name, time_cell

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, Incident, SloResult

#: How many plots of each kind, worst hours and incidents are shown.
SHOWN_BURNDOWNS = 12
SHOWN_HEATS = 6
SHOWN_HOURS = 10
SHOWN_INCIDENTS = 30
#: A budget with less than this left is shown without unfolding.
MUCH_SPENT = 0.75


def budgets(evaluation: Evaluation) -> tuple[Block, ...]:
    """What is left of each error budget, how it went, and how fast it goes."""
    known = [slo for slo in worst_budget_first(evaluation.slos) if slo.own.budget.left_ratio is not None]
    if not known:
        return (Paragraph("No error budget can be told: there were no events to judge."),)
    blocks: list[Block] = []
    firing = [slo for slo in known if any(alert.fires for alert in alerts(slo))]
    if firing:
        names = ", ".join(slo_name(slo) for slo in firing[:SHOWN_BURNDOWNS])
        more = f" and {len(firing) - SHOWN_BURNDOWNS} more" if len(firing) > SHOWN_BURNDOWNS else ""
        blocks.append(Paragraph(f"Burning fast enough for an alert at the end of the evaluation: {names}{more}."))
    blocks += _burndowns(known, evaluation.timezone)
    blocks.append(Fold(f"All {len(known)} error budgets and burn rates as a table", (_budget_table(known),)))
    return tuple(blocks)


def _burndowns(known: Sequence[SloResult], timezone: str) -> tuple[Block, ...]:
    """Pictures of the budgets that were much spent or have incidents; quieter ones folded, untouched ones left out."""
    spent = [slo for slo in known if slo.burndown is not None and slo.own.budget.spent > 0][:SHOWN_BURNDOWNS]
    if not spent:
        return (Paragraph("Nothing was spent of any error budget.", "met"),)
    loud = tuple(slo for slo in spent if slo.incidents or (slo.own.budget.left_ratio or 0.0) < MUCH_SPENT)
    loud = loud or tuple(spent[:3])
    quiet = tuple(slo for slo in spent if slo not in loud)
    note = (
        "What is left of each error budget over the objective's own window; below 0 % more went wrong than the "
        "objective allows. The report's window is shaded, triangles mark where incidents began."
    )
    blocks: list[Block] = [Plots("burndown", loud, timezone, note)]
    if quiet:
        title = f"{len(quiet)} {'budget that was' if len(quiet) == 1 else 'budgets that were'} spent more slowly"
        blocks.append(Fold(title, (Plots("burndown", quiet, timezone, ""),)))
    return tuple(blocks)


def worst_budget_first(slos: Sequence[SloResult]) -> list[SloResult]:
    """SLOs by what is left of their budget, the unknown last."""
    return sorted(slos, key=lambda slo: (slo.own.budget.left_ratio is None, slo.own.budget.left_ratio or 0.0))


def _budget_table(slos: Sequence[SloResult]) -> Table:
    stands = [alerts(slo) for slo in slos]
    widest = max(stands, key=len)
    columns = (
        Column("Objective of"),
        Column("Left", numeric=True),
        Column("Left in minutes", numeric=True),
        *(Column(title, numeric=True) for title in _titles(widest)),
    )
    rows = []
    for slo, found in zip(slos, stands, strict=True):
        budget = slo.own.budget
        left = None if budget.spent_minutes is None else budget.allowed_minutes - budget.spent_minutes
        cells = [
            Cell(slo_name(slo), note=slo.own_window.name),
            number_cell(formats.share(budget.left_ratio), budget.left_ratio),
            number_cell(formats.minutes(left), left, note=f"of {formats.minutes(budget.allowed_minutes)}"),
            *(_burning(alert) for alert in found),
        ]
        cells += [Cell(formats.UNKNOWN)] * (len(columns) - len(cells))
        rows.append(tuple(cells))
    caption = "Error budgets over each objective's own window, and the burn rates that alerts go by"
    return Table(caption, columns, tuple(rows))


def _titles(found: Sequence[Alert]) -> list[str]:
    """What the alerts are called in a table: Page 1, Page 2, Ticket."""
    severities = [alert.severity for alert in found]
    return [
        f"Burn rate, {severity} {severities[: place + 1].count(severity)}"
        if severities.count(severity) > 1
        else f"Burn rate, {severity}"
        for place, severity in enumerate(severities)
    ]


def _burning(alert: Alert) -> Cell:
    longest = alert.windows[0]
    note = f"over {formats.duration(longest.window_seconds)}, alerts above {formats.rate(alert.threshold)}"
    return Cell(formats.rate(longest.rate), number(longest.rate), "missed" if alert.fires else "", note=note)


def heat(evaluation: Evaluation) -> tuple[Block, ...]:
    """The hours in which errors were over what the objective allows."""
    hours = []
    for slo in evaluation.slos:
        # What lasts (the length of the last restore, an age) is as bad in every hour; it has a section of its own.
        if slo.heat is None or slo.objective >= 1 or slo.kind in ("duration", "freshness", "recovery"):
            continue
        allowed = 1 - slo.objective
        for day, ratios in zip(slo.heat.days, slo.heat.ratio, strict=True):
            hours += [
                (float(ratio) / allowed, slo, day, hour, float(ratio))
                for hour, ratio in enumerate(ratios)
                if ratio > allowed
            ]
    if not hours:
        return (Paragraph("No hour had more errors than its objective allows.", "met"),)
    hours.sort(key=lambda found: (-found[0], found[2], found[3], found[1].key))
    worst = list({found[1].key: found[1] for found in hours}.values())
    rows = tuple(
        (
            Cell(slo_name(slo)),
            Cell(day),
            Cell(f"{hour:02d}:00 – {(hour + 1) % 24:02d}:00"),
            number_cell(formats.percent(ratio, slo.objective), ratio),
            number_cell(formats.rate(times), times),
        )
        for times, slo, day, hour, ratio in hours[:SHOWN_HOURS]
    )
    columns = (
        Column("Objective of"),
        Column("Day"),
        Column("Hour"),
        Column("Errors", numeric=True),
        Column("Times the allowed", numeric=True),
    )
    shown = tuple(worst[:SHOWN_HEATS])
    which = f"the {len(shown)} worst of {len(worst)} objectives" if len(shown) < len(worst) else "the objectives"
    note = (
        f"Errors by day and hour ({evaluation.timezone}) as a multiple of what the objective allows: {which} with an "
        "hour over 1×."
    )
    return (
        Paragraph(_over(len(hours), len(worst))),
        Plots("heat", shown, evaluation.timezone, note),
        Fold(f"The {len(rows)} worst hours as a table", (Table("The worst hours", columns, rows),)),
    )


def _over(hours: int, objectives: int) -> str:
    noun = f"{formats.count(hours)} {'hour' if hours == 1 else 'hours'}"
    owners = f"{objectives} {'objective' if objectives == 1 else 'objectives'}"
    return f"{noun} of {owners} had more errors than the objective allows."


def incidents(evaluation: Evaluation) -> tuple[Block, ...]:
    """Each outage, with times to detect and recover, and how they were judged against the promise to recover."""
    incidents = evaluation.incidents
    judged = tuple(
        block for slo in evaluation.slos if slo.kind == "recovery" for block in runs(slo, evaluation.timezone)
    )
    if not incidents:
        return (Paragraph("No incident: no alert's windows filled with errors.", "met"), *judged)
    columns = (
        Column("Objective of"),
        Column("Began"),
        Column("Lasted", numeric=True),
        Column("Detected after", numeric=True),
        Column("Recovered after", numeric=True),
        Column("Budget spent", numeric=True),
        Column("During"),
    )
    rows = [_incident(incident, evaluation.timezone) for incident in incidents]
    caption = "Incidents by start; recovery is counted from detection"
    return (*bounded(caption, columns, rows, SHOWN_INCIDENTS, "more incidents"), *judged)


def _incident(incident: Incident, timezone: str) -> tuple[Cell, ...]:
    lasts = incident.recovered is None
    return (
        Cell(slo_name(incident), note=f"alert: {incident.alert}"),
        time_cell(incident.start, timezone),
        number_cell(formats.duration(incident.seconds), incident.seconds, note="so far" if lasts else ""),
        number_cell(formats.duration(incident.detect_seconds), incident.detect_seconds),
        Cell("not yet", None, "missed")
        if lasts
        else number_cell(formats.duration(incident.recover_seconds), incident.recover_seconds),
        number_cell(formats.share(incident.budget_spent), incident.budget_spent),
        Cell(incident.during_event or formats.UNKNOWN),
    )
