"""What the report says: an evaluation as sections of text, tables and plots, the same for every format.

Order follows the reader: the verdict, the promises, what to do now, each objective, then what stands behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.agreements import agreements
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
from sla_kit.report.comparing import section
from sla_kit.report.errors import errors
from sla_kit.report.language import _, ngettext
from sla_kit.report.outlook import outlook
from sla_kit.report.responses import responses
from sla_kit.report.rollups import rollups
from sla_kit.report.rows import because, name_cell, number_cell, slo_name, verdict_cell, worst_first
from sla_kit.report.spending import budgets, heat, incidents
from sla_kit.report.told import told
from sla_kit.report.trees import trees

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, SloResult

#: How many SLOs, and how many services of folded ones, are shown without unfolding.
SHOWN_SLOS = 30
SHOWN_SERVICES = 10


def page(evaluation: Evaluation) -> Page:
    """The whole report."""
    window = evaluation.window
    days = formats.span(window.start, window.end, evaluation.timezone)
    return Page(
        title=_title(evaluation),
        subject=f"{window.name}: {days} ({evaluation.timezone})",
        tone=tone_of(evaluation.met),
        headline=headline(evaluation),
        details=_details(evaluation),
        sections=tuple(
            Section(id, title, blocks)
            for id, title, blocks in (
                ("promises", _("Promises"), _promises(evaluation)),
                (
                    "actions",
                    _("What to do now") if evaluation.audience is None else _("What you should do now"),
                    _actions(evaluation),
                ),
                ("objectives", _("Objectives"), _objectives(evaluation)),
                ("agreement", _("By logs and by metrics"), agreements(evaluation.comparisons, evaluation.timezone)),
                ("trees", _("Journeys and dependencies"), trees(evaluation)),
                ("rollups", _("Months, quarters and years"), rollups(evaluation)),
                ("comparison", _("Comparison"), section(evaluation.comparison) if evaluation.comparison else ()),
                ("budgets", _("Error budgets"), budgets(evaluation)),
                ("forecast", _("Forecast"), outlook(evaluation.forecast) if evaluation.forecast else ()),
                ("heat", _("When errors happened"), heat(evaluation)),
                ("incidents", _("Incidents"), incidents(evaluation)),
                (
                    "response",
                    _("Response"),
                    responses(evaluation.responses, evaluation.timezone) if evaluation.responses else (),
                ),
                ("errors", _("Errors"), _errors(evaluation)),
                ("evidence", _("Backup and restore evidence"), evidence(evaluation)),
                ("events", _("Live events"), live_events(evaluation)),
                ("exclusions", _("Exclusions"), exclusions(evaluation)),
                ("coverage", _("Coverage and findings"), coverage(evaluation)),
            )
            if blocks
        ),
        footer=_footer(evaluation),
    )


def _title(evaluation: Evaluation) -> str:
    window, subject, audience = evaluation.window.name, about(evaluation), evaluation.audience
    if audience is None:
        return _("SLA report {window}: {subject}", window=window, subject=subject)
    if not audience.owner:
        return _("SLA report {window} of what nobody owns: {subject}", window=window, subject=subject)
    return _("SLA report {window} for {owner}: {subject}", window=window, owner=audience.owner, subject=subject)


def about(evaluation: Evaluation) -> str:
    """The catalogue's name, and the environment's where there is one."""
    return f"{evaluation.catalogue}, {evaluation.environment}" if evaluation.environment else evaluation.catalogue


def headline(evaluation: Evaluation) -> str:
    """The verdict in a sentence: 3 of 13 objectives were missed, 8 were met and 2 can't be judged."""
    verdicts = [slo.figure.met for slo in evaluation.slos]
    total, missed, unknown, met = (len(verdicts), *(verdicts.count(verdict) for verdict in (False, None, True)))
    if not total:
        return _("No objectives are declared, so there is nothing to judge.")
    if not missed and not unknown:
        return ngettext(
            "The one objective was met.", "All {total} objectives were met.", total, total=formats.count(total)
        )
    counts = {"missed": formats.count(missed), "met": formats.count(met), "unknown": formats.count(unknown)}
    counts["total"] = formats.count(total)
    parts = []
    if missed and total == 1:
        parts.append(_("1 of 1 objective was missed"))
    elif missed:
        parts.append(
            ngettext(
                "{missed} of {total} objectives was missed",
                "{missed} of {total} objectives were missed",
                missed,
                **counts,
            )
        )
    if met and missed:
        parts.append(ngettext("{met} was met", "{met} were met", met, **counts))
    elif met:
        parts.append(
            ngettext("{met} of {total} objectives was met", "{met} of {total} objectives were met", met, **counts)
        )
    if unknown:
        parts.append(ngettext("{unknown} can't be judged", "{unknown} can't be judged", unknown, **counts))
    match parts:
        case [one]:
            return _("{one}.", one=one)
        case [one, two]:
            return _("{one} and {two}.", one=one, two=two)
        case _:
            return _("{one}, {two} and {three}.", one=parts[0], two=parts[1], three=parts[2])


def _details(evaluation: Evaluation) -> tuple[str, ...]:
    details = list(_addressed(evaluation))
    broken = [promise.title or promise.name for promise in evaluation.promises if promise.met is False]
    if broken:
        names = "; ".join(broken)
        details.append(ngettext("Promise missed: {names}.", "Promises missed: {names}.", len(broken), names=names))
    known = [
        (slo.own.budget.left_ratio, slo)
        for slo in evaluation.slos
        # Where less than one bad event is allowed, the first one is a debt of any depth.
        if slo.own.budget.left_ratio is not None and slo.own.met is not None and slo.own.budget.allowed >= 1
    ]
    if known:
        left, slo = min(known, key=lambda pair: pair[0])
        values = {"name": slo_name(slo), "window": slo.own_window.name}
        if left < 0:
            text = _(
                "Deepest in debt: {name} has spent {share} of its error budget ({window}).",
                share=formats.share(1 - left),
                **values,
            )
        else:
            text = _(
                "No error budget is overspent; the lowest is {name} with {share} left ({window}).",
                share=formats.share(left),
                **values,
            )
        details.append(text)
    lasting = [incident for incident in evaluation.incidents if incident.recovered is None]
    if lasting:
        names = ", ".join(sorted({slo_name(incident) for incident in lasting}))
        details.append(_("Still going on at the end of the window: {names}.", names=names))
    return tuple(details)


def _addressed(evaluation: Evaluation) -> tuple[str, ...]:
    """To whom the page speaks, and where they are reached."""
    audience = evaluation.audience
    if audience is None:
        return ()
    services = ", ".join(dict.fromkeys(slo.service for slo in evaluation.slos))
    if not audience.owner:
        return (_("These services have no owner: {services}.", services=services),)
    places = [place for place in (audience.email, audience.slack, audience.pagerduty) if place]
    if not places:
        return (_("Your services: {services}. The catalogue holds no address of yours.", services=services),)
    return (_("Your services: {services}. You are reached at {places}.", services=services, places=", ".join(places)),)


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
    columns = (Column(_("Promise")), Column(_("Target")), Column(_("Verdict")), Column(_("Because")))
    return (Table(_("The promises, each met where all its objectives are"), columns, rows, look="cards"),)


def _actions(evaluation: Evaluation) -> tuple[Block, ...]:
    by_action: dict[str, list[SloResult]] = {}
    told_to: dict[str, dict[str, None]] = {}
    for slo in worst_first(evaluation.slos):
        for action, to in _steps(slo):
            by_action.setdefault(action, []).append(slo)
            told_to.setdefault(action, {}).update(dict.fromkeys(to))
    if not by_action:
        return (Paragraph(_("The error-budget policy asks for nothing: every budget is above its first step."), "met"),)
    items = []
    for action, slos in by_action.items():
        names = ", ".join(told_to[action])
        who = _who(slos)
        items.append((action, _("{because}. Escalate to {names}.", because=who, names=names) if names else who))
    return (Bullets(tuple(items)),)


def _steps(slo: SloResult) -> list[tuple[str, tuple[str, ...]]]:
    """What the policy asks for now, and whom to tell: the gravest step by the budget left, and one by an incident."""
    if slo.policy is None:
        return [(slo.action, ())] if slo.action else []
    reached = slo.policy.reached
    by_left = [step for step in reached if step.left is not None][:1]
    by_incident = [step for step in reached if step.left is None][:1]
    return [(step.action, step.to) for step in [*by_left, *by_incident]]


def _who(slos: Sequence[SloResult], shown: int = 8) -> str:
    names = "; ".join(_left(slo) for slo in slos[:shown])
    rest = len(slos) - shown
    if rest <= 0:
        return _("Because of {names}", names=names)
    return ngettext(
        "Because of {names}; and {rest} more",
        "Because of {names}; and {rest} more",
        rest,
        names=names,
        rest=formats.count(rest),
    )


def _left(slo: SloResult) -> str:
    name, share = slo_name(slo), formats.share(slo.own.budget.left_ratio)
    if slo.owner:
        return _("{name} ({share} left, {owner})", name=name, share=share, owner=slo.owner)
    return _("{name} ({share} left)", name=name, share=share)


def _columns() -> tuple[Column, ...]:
    return (
        Column(_("Objective of")),
        Column(_("Verdict")),
        Column(_("SLI"), numeric=True),
        Column(_("Objective"), numeric=True),
        Column(_("Change"), numeric=True),
        Column(_("Budget left"), numeric=True),
        Column(_("Bad / total"), numeric=True),
    )


def _objectives(evaluation: Evaluation) -> tuple[Block, ...]:
    if not evaluation.slos:
        return ()
    ordered, columns = worst_first(evaluation.slos), _columns()
    shown, rest = ordered[:SHOWN_SLOS], ordered[SHOWN_SLOS:]
    caption = _(
        "Each objective over the report's window; the change is against the window before, the budget that of the "
        "objective's own window"
    )
    blocks: list[Block] = [Table(caption, columns, tuple(_objective(slo) for slo in shown))]
    by_service: dict[str, list[SloResult]] = {}
    for slo in rest:
        by_service.setdefault(slo.service, []).append(slo)
    folds = tuple(
        Fold(
            f"{service}: {counted(slos)}",
            (Table(_("More of {service}", service=service), columns, tuple(_objective(slo) for slo in slos)),),
        )
        for service, slos in sorted(by_service.items())
    )
    if not rest:
        return tuple(blocks)
    if len(folds) <= SHOWN_SERVICES:
        return (
            *blocks,
            Paragraph(
                _(
                    "The {shown} worst of {all} are above; the others by service:",
                    shown=formats.count(len(shown)),
                    all=formats.count(len(ordered)),
                )
            ),
            *folds,
        )
    title = _(
        "The other {count} objectives by service: {verdicts}", count=formats.count(len(rest)), verdicts=counted(rest)
    )
    return (*blocks, Fold(title, folds))


def counted(slos: Sequence[SloResult]) -> str:
    """How SLOs stand: 9 met, 1 missed."""
    missed, unknown, met = (sum(slo.figure.met is verdict for slo in slos) for verdict in (False, None, True))
    parts = [
        missed and ngettext("{count} missed", "{count} missed", missed, count=formats.count(missed)),
        unknown
        and ngettext("{count} can't be judged", "{count} can't be judged", unknown, count=formats.count(unknown)),
        met and ngettext("{count} met", "{count} met", met, count=formats.count(met)),
    ]
    return ", ".join(part for part in parts if part)


def _objective(slo: SloResult) -> tuple[Cell, ...]:
    figure, budget = slo.figure, slo.own.budget
    change = None
    if slo.before is not None and slo.before.sli is not None and figure.sli is not None:
        change = figure.sli - slo.before.sli
    spent = ""
    if budget.left_ratio is not None:
        spent = _(
            "{spent} of {allowed} spent, {window}",
            spent=formats.count(budget.spent),
            allowed=formats.events(budget.allowed, slo.unit),
            window=slo.own_window.name,
        )
    agreement = ""
    if slo.sla_objective is not None:
        agreement = _agreement(slo.sla_met, formats.objective_percent(slo.sla_objective))
    return (
        name_cell(slo),
        verdict_cell(figure.met, told(figure.reason)),
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
        number_cell(
            f"{formats.count(figure.bad)} / {formats.count(figure.total)}", figure.bad, note=formats.unit_name(slo.unit)
        )
        if figure.total
        else Cell(formats.UNKNOWN),
    )


def _errors(evaluation: Evaluation) -> tuple[Block, ...]:
    if evaluation.errors is None:
        return ()
    owners = {slo.service: slo.owner for slo in evaluation.slos}
    return errors(evaluation.errors, evaluation.timezone, owners)


def _agreement(met: bool | None, objective: str) -> str:
    if met is None:
        return _("SLA {objective} not known", objective=objective)
    return _("SLA {objective} met", objective=objective) if met else _("SLA {objective} missed", objective=objective)


def _direction(change: float | None) -> str:
    return "" if not change else _("better") if change > 0 else _("worse")


def _measured(slo: SloResult) -> str:
    """The measured figure itself, with its limit where there is one: p95 87 ms, limit 100 ms."""
    if slo.figure.value is None:
        return ""
    value = formats.measured(slo.figure.value, slo.kind)
    text = f"{formats.quantile(slo.quantile)} {value}" if slo.quantile is not None else _worst(slo.kind, value)
    if slo.threshold is None:
        return text
    return _("{measured}, limit {limit}", measured=text, limit=formats.measured(slo.threshold, slo.kind))


def _worst(kind: str, value: str) -> str:
    """The measured figure of a kind that has no quantile, by its name."""
    match kind:
        case "probe":
            return _("worst bucket {value}", value=value)
        case "freshness":
            return _("oldest {value}", value=value)
        case "duration":
            return _("longest {value}", value=value)
        case "recovery":
            return _("slowest {value}", value=value)
        case _:
            return _("worst {value}", value=value)


def _footer(evaluation: Evaluation) -> tuple[str, ...]:
    zone = evaluation.timezone
    named = f"{evaluation.catalogue} ({evaluation.environment})" if evaluation.environment else evaluation.catalogue
    return (
        _(
            "Evaluated for {moment} ({timezone}) from {source}, catalogue {catalogue}, in buckets of {bucket}.",
            moment=formats.moment(evaluation.at, zone),
            timezone=zone,
            source=evaluation.source,
            catalogue=named,
            bucket=formats.duration(evaluation.bucket),
        ),
        _(
            "SLI = good / total events, summed over the window; ratios are never averaged. Error budget = (1 − "
            "objective) × total; left = (allowed − bad) / allowed. Burn rate = error ratio / (1 − objective)."
        ),
        _(
            "Coverage is the share of buckets in which something was observed. Excluded maintenance is left out of "
            "every figure except where the text says otherwise. Percentages carry one digit more than their "
            "objective, and more where rounding would change the verdict. report.json and report.csv hold the full "
            "numbers."
        ),
    )
