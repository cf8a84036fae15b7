"""Trees: what composites are made of, and what promises rest on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Branch, Fold, Paragraph, Tree, tone_of
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import slo_name, worst_first
from sla_kit.report.told import told

if TYPE_CHECKING:
    from sla_kit.engine.results import BoundResult, DependencyResult, Evaluation, Figure, PartResult, SloResult
    from sla_kit.timeline import Unit

#: How many trees of each kind are shown without unfolding.
SHOWN_TREES = 12


def trees(evaluation: Evaluation) -> tuple[Block, ...]:
    """Every composite with its parts, and every other SLO that has dependencies with these; worst first."""
    ordered = worst_first(evaluation.slos)
    composites = [slo for slo in ordered if slo.parts]
    dependents = [slo for slo in ordered if slo.bound is not None and not slo.parts]
    blocks: list[Block] = []
    if composites:
        caption = _("What is promised of several objectives together, and which part lost how much of it")
        blocks += _bounded(caption, [_composite(slo) for slo in composites])
    if dependents:
        beyond = [slo for slo in dependents if slo.bound is not None and _too_much(slo.objective, slo.bound)]
        if beyond:
            names = ", ".join(slo_name(slo) for slo in beyond)
            blocks.append(
                Paragraph(_("Promised is more than the dependencies allow of: {names}.", names=names), "missed")
            )
        caption = _("What objectives depend on, and what can be promised at best for it")
        blocks += _bounded(caption, [_dependent(slo, slo.bound) for slo in dependents if slo.bound is not None])
    return tuple(blocks)


def _bounded(caption: str, branches: Sequence[Branch]) -> list[Block]:
    shown, rest = tuple(branches[:SHOWN_TREES]), tuple(branches[SHOWN_TREES:])
    blocks: list[Block] = [Tree(caption, shown)]
    if rest:
        title = ngettext("{count} more tree", "{count} more trees", len(rest), count=formats.count(len(rest)))
        blocks.append(Fold(title, (Tree(caption, rest),)))
    return blocks


def _composite(slo: SloResult) -> Branch:
    notes = [_combining(slo.combine, slo.parts)]
    if slo.sli_range is not None and slo.sli_range[0] != slo.sli_range[1]:
        low, high = (formats.percent(end, slo.objective) for end in slo.sli_range)
        text = _(
            "{low} if its parts never failed the same event, {high} if they did wherever they could", low=low, high=high
        )
        notes.append(text)
    if slo.bound is not None:
        notes.append(_best(slo.objective, slo.bound))
    return Branch(
        slo_name(slo),
        _standing(slo.figure, slo.objective, slo.unit),
        tone_of(slo.figure.met),
        "; ".join(notes),
        tuple(_part(part) for part in slo.parts),
    )


def _part(part: PartResult) -> Branch:
    notes = []
    if part.weight is not None:
        notes.append(_("weight {weight}", weight=formats.plain(part.weight)))
    if part.loss_share is not None:
        notes.append(_("{share} of the loss", share=formats.share(part.loss_share)))
    return Branch(
        slo_name(part),
        _standing(part.figure, part.objective, part.unit),
        tone_of(part.figure.met),
        "; ".join(notes),
        tuple(_part(each) for each in part.parts),
    )


def _combining(combine: str, parts: Sequence[PartResult]) -> str:
    if combine == "all":
        return _("a journey through all of its parts")
    if combine == "worst":
        return _("the worst of its parts")
    if any(part.weight is not None for part in parts):
        return _("its parts by their weights")
    return _("the events of its parts added up")


def _standing(figure: Figure, objective: float, unit: Unit) -> str:
    wanted = formats.objective_percent(objective)
    if figure.sli is None:
        return _("{verdict}: {reason}, {objective} promised", verdict=formats.verdict(figure.met),
                 reason=told(figure.reason) or _("no events"), objective=wanted)  # fmt: skip
    text = _(
        "{verdict}: {sli} of {unit}, {objective} promised",
        verdict=formats.verdict(figure.met),
        sli=formats.percent(figure.sli, objective),
        unit=formats.unit_name(unit),
        objective=wanted,
    )
    return f"{text} ({told(figure.reason)})" if figure.reason else text


def _dependent(slo: SloResult, bound: BoundResult) -> Branch:
    return Branch(
        slo_name(slo),
        _best(slo.objective, bound),
        "missed" if _too_much(slo.objective, bound) else "",
        "",
        tuple(_dependency(each) for each in bound.dependencies),
    )


def _best(objective: float, bound: BoundResult) -> str:
    values = {
        "objective": formats.objective_percent(objective),
        "best": formats.percent(bound.by_objectives, objective),
    }
    if bound.by_measured is None:
        return _("{objective} promised, {best} possible by what its dependencies promise", **values)
    return _(
        "{objective} promised, {best} possible by what its dependencies promise, {measured} by what they kept",
        measured=formats.percent(bound.by_measured, objective),
        **values,
    )


def _dependency(each: DependencyResult) -> Branch:
    wanted = formats.objective_percent(each.objective)
    if each.provider:
        text = _("{objective} by contract", objective=wanted)
    elif each.sli is None:
        text = _("{objective} promised, not measured", objective=wanted)
    else:
        sli = formats.percent(each.sli, each.objective)
        text = _("{objective} promised, {sli} measured", objective=wanted, sli=sli)
    return Branch(each.name, text, "", "; ".join(_terms(each)), tuple(_dependency(inner) for inner in each.through))


def _terms(each: DependencyResult) -> Iterable[str]:
    if each.copies > 1:
        yield _("any one of {count} suffices", count=formats.count(each.copies))
    if each.share < 1:
        yield _("needed by {share} of the events", share=formats.share(each.share))
    if each.repeated:
        yield _("counted once, above")


def _too_much(objective: float, bound: BoundResult) -> bool:
    from sla_kit.catalogue.dependencies import exceeds

    return exceeds(objective, bound.by_objectives)
