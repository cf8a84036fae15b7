"""What the report says: an evaluation as sections of text, tables and plots, the same for every format.

Order follows the reader: the verdict, the promises, what to do now, each objective, then what stands behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.backing import coverage, evidence, exclusions, live_events
from sla_kit.report.blocks import (
    Block,
    Bullets,
    Cell,
    Column,
    Fold,
    Page,
    Paragraph,
    Section,
    Table,
    tone_of,
)
from sla_kit.report.rows import because, name_cell, number_cell, slo_name, verdict_cell, worst_first
from sla_kit.report.spending import budgets, heat, incidents

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, SloResult

#: How many SLOs, and how many services of folded ones, are shown without unfolding.
SHOWN_SLOS = 30
SHOWN_SERVICES = 10


def page(evaluation: Evaluation) -> Page:
    """The whole report."""
    subject = f"{evaluation.catalogue}, {evaluation.environment}" if evaluation.environment else evaluation.catalogue
    window = evaluation.window
    days = formats.span(window.start, window.end, evaluation.timezone)
    return Page(
        title=f"SLA report {window.name}: {subject}",
        subject=f"{window.name}: {days} ({evaluation.timezone})",
        tone=tone_of(evaluation.met),
        headline=headline(evaluation),
        details=_details(evaluation),
        sections=tuple(
            Section(id, title, blocks)
            for id, title, blocks in (
                ("promises", "Promises", _promises(evaluation)),
                ("actions", "What to do now", _actions(evaluation)),
                ("objectives", "Objectives", _objectives(evaluation)),
                ("budgets", "Error budgets", budgets(evaluation)),
                ("heat", "When errors happened", heat(evaluation)),
                ("incidents", "Incidents", incidents(evaluation)),
                ("evidence", "Backup and restore evidence", evidence(evaluation)),
                ("events", "Live events", live_events(evaluation)),
                ("exclusions", "Exclusions", exclusions(evaluation)),
                ("coverage", "Coverage and findings", coverage(evaluation)),
            )
            if blocks
        ),
        footer=_footer(evaluation),
    )


def headline(evaluation: Evaluation) -> str:
    """The verdict in a sentence: 3 of 13 objectives were missed, 8 met; 2 can't be judged."""
    verdicts = [slo.figure.met for slo in evaluation.slos]
    total, missed, unknown = len(verdicts), verdicts.count(False), verdicts.count(None)
    noun = "objective" if total == 1 else "objectives"
    if not total:
        return "No objectives are declared, so there is nothing to judge."
    if not missed and not unknown:
        return f"All {total} {noun} were met." if total > 1 else "The one objective was met."
    parts = []
    if missed:
        parts.append(f"{missed} of {total} {noun} {'was' if missed == 1 else 'were'} missed")
    if met := verdicts.count(True):
        parts.append(f"{met} {'was' if met == 1 else 'were'} met" if missed else f"{met} of {total} {noun} were met")
    if unknown:
        parts.append(f"{unknown} can't be judged")
    return f"{', '.join(parts[:-1])} and {parts[-1]}." if len(parts) > 1 else f"{parts[0]}."


def _details(evaluation: Evaluation) -> tuple[str, ...]:
    details = []
    broken = [promise.title or promise.name for promise in evaluation.promises if promise.met is False]
    if broken:
        details.append(f"{'Promise' if len(broken) == 1 else 'Promises'} missed: {'; '.join(broken)}.")
    known = [
        (slo.own.budget.left_ratio, slo)
        for slo in evaluation.slos
        # Where less than one bad event is allowed, the first one is a debt of any depth.
        if slo.own.budget.left_ratio is not None and slo.own.met is not None and slo.own.budget.allowed >= 1
    ]
    if known:
        left, slo = min(known, key=lambda pair: pair[0])
        if left < 0:
            details.append(
                f"Deepest in debt: {slo_name(slo)} has spent {formats.share(1 - left)} of its error budget "
                f"({slo.own_window.name})."
            )
        else:
            details.append(
                f"No error budget is overspent; the lowest is {slo_name(slo)} with {formats.share(left)} left "
                f"({slo.own_window.name})."
            )
    lasting = [incident for incident in evaluation.incidents if incident.recovered is None]
    if lasting:
        names = ", ".join(sorted({slo_name(incident) for incident in lasting}))
        details.append(f"Still going on at the end of the window: {names}.")
    return tuple(details)


def _promises(evaluation: Evaluation) -> tuple[Block, ...]:
    if not evaluation.promises:
        return ()
    rows = tuple(
        (
            Cell(promise.title or promise.name),
            Cell(promise.target or formats.UNKNOWN),
            verdict_cell(promise.met),
            Cell(because(promise, evaluation.slos)),
        )
        for promise in evaluation.promises
    )
    columns = (Column("Promise"), Column("Target"), Column("Verdict"), Column("Because"))
    return (Table("The promises, each met where all its objectives are", columns, rows, look="cards"),)


def _actions(evaluation: Evaluation) -> tuple[Block, ...]:
    by_action: dict[str, list[SloResult]] = {}
    for slo in worst_first(evaluation.slos):
        if slo.action:
            by_action.setdefault(slo.action, []).append(slo)
    if not by_action:
        return (Paragraph("The error-budget policy asks for nothing: every budget is above its first step.", "met"),)
    return (Bullets(tuple((action, _who(slos)) for action, slos in by_action.items())),)


def _who(slos: Sequence[SloResult], shown: int = 8) -> str:
    names = [
        f"{slo_name(slo)} ({formats.share(slo.own.budget.left_ratio)} left{f', {slo.owner}' if slo.owner else ''})"
        for slo in slos[:shown]
    ]
    more = f"; and {len(slos) - shown} more" if len(slos) > shown else ""
    return "Because of " + "; ".join(names) + more


_OBJECTIVES = (
    Column("Objective of"),
    Column("Verdict"),
    Column("SLI", numeric=True),
    Column("Objective", numeric=True),
    Column("Change", numeric=True),
    Column("Budget left", numeric=True),
    Column("Bad / total", numeric=True),
)


def _objectives(evaluation: Evaluation) -> tuple[Block, ...]:
    if not evaluation.slos:
        return ()
    ordered = worst_first(evaluation.slos)
    shown, rest = ordered[:SHOWN_SLOS], ordered[SHOWN_SLOS:]
    caption = (
        "Each objective over the report's window; the change is against the window before, the budget that of the "
        "objective's own window"
    )
    blocks: list[Block] = [Table(caption, _OBJECTIVES, tuple(_objective(slo) for slo in shown))]
    by_service: dict[str, list[SloResult]] = {}
    for slo in rest:
        by_service.setdefault(slo.service, []).append(slo)
    folds = tuple(
        Fold(
            f"{service}: {_counted(slos)}",
            (Table(f"More of {service}", _OBJECTIVES, tuple(_objective(slo) for slo in slos)),),
        )
        for service, slos in sorted(by_service.items())
    )
    if not rest:
        return tuple(blocks)
    if len(folds) <= SHOWN_SERVICES:
        return (
            *blocks,
            Paragraph(f"The {len(shown)} worst of {len(ordered)} are above; the others by service:"),
            *folds,
        )
    return (*blocks, Fold(f"The other {formats.count(len(rest))} objectives by service: {_counted(rest)}", folds))


def _counted(slos: Sequence[SloResult]) -> str:
    """How SLOs stand: 9 met, 1 missed."""
    words = ((False, "missed"), (None, "can't be judged"), (True, "met"))
    counts = [(sum(slo.figure.met is met for slo in slos), word) for met, word in words]
    return ", ".join(f"{formats.count(number)} {word}" for number, word in counts if number)


def _objective(slo: SloResult) -> tuple[Cell, ...]:
    figure, budget = slo.figure, slo.own.budget
    change = None
    if slo.before is not None and slo.before.sli is not None and figure.sli is not None:
        change = figure.sli - slo.before.sli
    spent = ""
    if budget.left_ratio is not None:
        spent = (
            f"{formats.count(budget.spent)} of {formats.events(budget.allowed, slo.unit)} spent, {slo.own_window.name}"
        )
    agreement = ""
    if slo.sla_objective is not None:
        word = "not known" if slo.sla_met is None else "met" if slo.sla_met else "missed"
        agreement = f"SLA {formats.objective_percent(slo.sla_objective)} {word}"
    return (
        name_cell(slo),
        verdict_cell(figure.met, figure.reason),
        number_cell(formats.percent(figure.sli, slo.objective), figure.sli, note=_measured(slo)),
        number_cell(formats.objective_percent(slo.objective), slo.objective, note=agreement),
        number_cell(formats.points(change, slo.objective), change, note=_direction(change)),
        Cell(
            formats.share(budget.left_ratio),
            budget.left_ratio,
            "missed" if budget.left_ratio is not None and budget.left_ratio < 0 else "",
            note=spent,
            bar=budget.left_ratio,
        ),
        number_cell(f"{formats.count(figure.bad)} / {formats.count(figure.total)}", figure.bad, note=slo.unit)
        if figure.total
        else Cell(formats.UNKNOWN),
    )


def _direction(change: float | None) -> str:
    return "" if not change else "better" if change > 0 else "worse"


#: What the measured figure of a kind is called, where it is no quantile.
_WORST = {"probe": "worst bucket", "freshness": "oldest", "duration": "longest", "recovery": "slowest"}


def _measured(slo: SloResult) -> str:
    """The measured figure itself, with its limit where there is one: p95 87 ms, limit 100 ms."""
    if slo.figure.value is None:
        return ""
    what = formats.quantile(slo.quantile) if slo.quantile is not None else _WORST.get(slo.kind, "worst")
    limit = f", limit {formats.measured(slo.threshold, slo.kind)}" if slo.threshold is not None else ""
    return f"{what} {formats.measured(slo.figure.value, slo.kind)}{limit}"


def _footer(evaluation: Evaluation) -> tuple[str, ...]:
    zone = evaluation.timezone
    return (
        f"Evaluated for {formats.moment(evaluation.at, zone)} ({zone}) from {evaluation.source}, catalogue "
        f"{evaluation.catalogue}{f' ({evaluation.environment})' if evaluation.environment else ''}, in buckets of "
        f"{formats.duration(evaluation.bucket)}.",
        "SLI = good / total events, summed over the window; ratios are never averaged. Error budget = (1 − objective) "
        "× total; left = (allowed − bad) / allowed. Burn rate = error ratio / (1 − objective).",
        "Coverage is the share of buckets in which something was observed. Excluded maintenance is left out of every "
        "figure except where the text says otherwise. Percentages carry one digit more than their objective, and "
        "more where rounding would change the verdict. report.json and report.csv hold the full numbers.",
    )
