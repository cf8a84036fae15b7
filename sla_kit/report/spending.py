"""Where the error budgets went: what is left of each, the hours in which errors happened, and the incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.alerts import Alert, alerts
from sla_kit.report.backing import runs
from sla_kit.report.blocks import Block, Cell, Column, Fold, Paragraph, Plots, Table
from sla_kit.report.formats import number
from sla_kit.report.language import _, ngettext
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
        return (Paragraph(_("No error budget can be told: there were no events to judge.")),)
    blocks: list[Block] = []
    firing = [slo for slo in known if any(alert.fires for alert in alerts(slo))]
    if firing:
        names = ", ".join(slo_name(slo) for slo in firing[:SHOWN_BURNDOWNS])
        rest = len(firing) - SHOWN_BURNDOWNS
        if rest > 0:
            names = ngettext("{names} and {rest} more", "{names} and {rest} more", rest, names=names, rest=str(rest))
        text = _("Burning fast enough for an alert at the end of the evaluation: {names}.", names=names)
        blocks.append(Paragraph(text))
    blocks += _burndowns(known, evaluation.timezone)
    title = ngettext(
        "The one error budget and its burn rates as a table",
        "All {count} error budgets and burn rates as a table",
        len(known),
        count=formats.count(len(known)),
    )
    blocks.append(Fold(title, (_budget_table(known),)))
    return tuple(blocks)


def _burndowns(known: Sequence[SloResult], timezone: str) -> tuple[Block, ...]:
    """Pictures of the budgets that were much spent or have incidents; quieter ones folded, untouched ones left out."""
    spent = [slo for slo in known if slo.burndown is not None and slo.own.budget.spent > 0][:SHOWN_BURNDOWNS]
    if not spent:
        return (Paragraph(_("Nothing was spent of any error budget."), "met"),)
    loud = tuple(slo for slo in spent if slo.incidents or (slo.own.budget.left_ratio or 0.0) < MUCH_SPENT)
    loud = loud or tuple(spent[:3])
    quiet = tuple(slo for slo in spent if slo not in loud)
    note = _(
        "What is left of each error budget over the objective's own window; below 0 % more went wrong than the "
        "objective allows. The report's window is shaded, triangles mark where incidents began."
    )
    blocks: list[Block] = [Plots("burndown", loud, timezone, note)]
    if quiet:
        title = ngettext(
            "{count} budget that was spent more slowly",
            "{count} budgets that were spent more slowly",
            len(quiet),
            count=formats.count(len(quiet)),
        )
        blocks.append(Fold(title, (Plots("burndown", quiet, timezone, ""),)))
    return tuple(blocks)


def worst_budget_first(slos: Sequence[SloResult]) -> list[SloResult]:
    """SLOs by what is left of their budget, the unknown last."""
    return sorted(slos, key=lambda slo: (slo.own.budget.left_ratio is None, slo.own.budget.left_ratio or 0.0))


def _budget_table(slos: Sequence[SloResult]) -> Table:
    stands = [alerts(slo) for slo in slos]
    widest = max(stands, key=len)
    columns = (
        Column(_("Objective of")),
        Column(_("Left"), numeric=True),
        Column(_("Left in minutes"), numeric=True),
        *(Column(title, numeric=True) for title in _titles(widest)),
    )
    rows = []
    for slo, found in zip(slos, stands, strict=True):
        budget = slo.own.budget
        left = None if budget.spent_minutes is None else budget.allowed_minutes - budget.spent_minutes
        cells = [
            Cell(slo_name(slo), note=slo.own_window.name),
            number_cell(formats.share(budget.left_ratio), budget.left_ratio),
            number_cell(
                formats.minutes(left), left, note=_("of {allowed}", allowed=formats.minutes(budget.allowed_minutes))
            ),
            *(_burning(alert) for alert in found),
        ]
        cells += [Cell(formats.UNKNOWN)] * (len(columns) - len(cells))
        rows.append(tuple(cells))
    caption = _("Error budgets over each objective's own window, and the burn rates that alerts go by")
    return Table(caption, columns, tuple(rows))


def _titles(found: Sequence[Alert]) -> list[str]:
    """What the alerts are called in a table: Page 1, Page 2, Ticket."""
    severities = [alert.severity for alert in found]
    titles = []
    for place, severity in enumerate(severities):
        page = severity == "page"
        if severities.count(severity) > 1:
            number = str(severities[: place + 1].count(severity))
            title = (
                _("Burn rate, page {number}", number=number) if page else _("Burn rate, ticket {number}", number=number)
            )
        else:
            title = _("Burn rate, page") if page else _("Burn rate, ticket")
        titles.append(title)
    return titles


def _burning(alert: Alert) -> Cell:
    longest = alert.windows[0]
    note = _(
        "over {window}, alerts above {threshold}",
        window=formats.duration(longest.window_seconds),
        threshold=formats.rate(alert.threshold),
    )
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
        return (Paragraph(_("No hour had more errors than its objective allows."), "met"),)
    hours.sort(key=lambda found: (-found[0], found[2], found[3], found[1].key))
    worst = list({found[1].key: found[1] for found in hours}.values())
    rows = tuple(
        (
            Cell(slo_name(slo)),
            Cell(formats.iso_day(day)),
            Cell(f"{formats.hour(hour)} – {formats.hour(hour + 1)}"),
            number_cell(formats.percent(ratio, slo.objective), ratio),
            number_cell(formats.rate(times), times),
        )
        for times, slo, day, hour, ratio in hours[:SHOWN_HOURS]
    )
    columns = (
        Column(_("Objective of")),
        Column(_("Day")),
        Column(_("Hour")),
        Column(_("Errors"), numeric=True),
        Column(_("Times the allowed"), numeric=True),
    )
    shown = tuple(worst[:SHOWN_HEATS])
    if len(shown) < len(worst):
        note = _(
            "Errors by day and hour ({timezone}) as a multiple of what the objective allows: the {shown} worst of "
            "{all} objectives with an hour over {once}.",
            timezone=evaluation.timezone,
            shown=formats.count(len(shown)),
            all=formats.count(len(worst)),
            once=formats.times(1),
        )
    else:
        note = _(
            "Errors by day and hour ({timezone}) as a multiple of what the objective allows: the objectives with an "
            "hour over {once}.",
            timezone=evaluation.timezone,
            once=formats.times(1),
        )
    title = ngettext(
        "The worst hour as a table", "The {count} worst hours as a table", len(rows), count=formats.count(len(rows))
    )
    return (
        Paragraph(_over(len(hours), len(worst))),
        Plots("heat", shown, evaluation.timezone, note),
        Fold(title, (Table(_("The worst hours"), columns, rows),)),
    )


def _over(hours: int, objectives: int) -> str:
    owners = ngettext("{count} objective", "{count} objectives", objectives, count=formats.count(objectives))
    return ngettext(
        "{count} hour of {objectives} had more errors than the objective allows.",
        "{count} hours of {objectives} had more errors than the objective allows.",
        hours,
        count=formats.count(hours),
        objectives=owners,
    )


def incidents(evaluation: Evaluation) -> tuple[Block, ...]:
    """Each outage, with times to detect and recover, and how they were judged against the promise to recover."""
    incidents = evaluation.incidents
    judged = tuple(
        block for slo in evaluation.slos if slo.kind == "recovery" for block in runs(slo, evaluation.timezone)
    )
    if not incidents:
        return (Paragraph(_("No incident: no alert's windows filled with errors."), "met"), *judged)
    columns = (
        Column(_("Objective of")),
        Column(_("Began")),
        Column(_("Lasted"), numeric=True),
        Column(_("Detected after"), numeric=True),
        Column(_("Recovered after"), numeric=True),
        Column(_("Budget spent"), numeric=True),
        Column(_("During")),
    )
    rows = [_incident(incident, evaluation.timezone) for incident in incidents]
    caption = _("Incidents by start; recovery is counted from detection")
    blocks = bounded(
        caption,
        columns,
        rows,
        SHOWN_INCIDENTS,
        lambda more: ngettext("{count} more incident", "{count} more incidents", more, count=formats.count(more)),
    )
    return (*blocks, *judged)


def _incident(incident: Incident, timezone: str) -> tuple[Cell, ...]:
    lasts = incident.recovered is None
    return (
        Cell(slo_name(incident), note=_("alert: page") if incident.alert == "page" else _("alert: ticket")),
        time_cell(incident.start, timezone),
        number_cell(formats.duration(incident.seconds), incident.seconds, note=_("so far") if lasts else ""),
        number_cell(formats.duration(incident.detect_seconds), incident.detect_seconds),
        Cell(_("not yet"), None, "missed")
        if lasts
        else number_cell(formats.duration(incident.recover_seconds), incident.recover_seconds),
        number_cell(formats.share(incident.budget_spent), incident.budget_spent),
        Cell(incident.during_event or formats.UNKNOWN),
    )
