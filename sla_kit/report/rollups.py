"""The report's section on months, quarters and years: each promise and each SLO over periods beside the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Cell, Column, Table, tone_of
from sla_kit.report.formats import number
from sla_kit.report.language import _
from sla_kit.report.rows import bounded, more_objectives, slo_name, verdict_cell, worst_first
from sla_kit.report.told import told

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, Figure, Period, SloResult

SHOWN_ROWS = 20


def rollups(evaluation: Evaluation) -> tuple[Block, ...]:
    """A column for each period; nothing where none was asked for."""
    periods = tuple(rollup.period for rollup in evaluation.slos[0].rollups) if evaluation.slos else ()
    if not periods:
        return ()
    zone = evaluation.timezone
    columns = tuple(Column(_title(period, zone), numeric=True) for period in periods)
    blocks: list[Block] = []
    if evaluation.promises:
        rows = tuple(
            (
                Cell(promise.title or promise.name),
                *(verdict_cell(rollup.met) for rollup in promise.rollups),
            )
            for promise in evaluation.promises
        )
        titles = tuple(Column(column.title) for column in columns)
        blocks.append(Table(_("The promises over each period"), (Column(_("Promise")), *titles), rows))
    objectives = [
        (
            Cell(slo_name(slo), note=formats.objective_percent(slo.objective)),
            *(_cell(rollup.figure, slo) for rollup in slo.rollups),
        )
        for slo in worst_first(evaluation.slos)
    ]
    caption = _("The SLI of each objective over each period, with what is left of the period's error budget")
    blocks += bounded(caption, (Column(_("Objective of")), *columns), objectives, SHOWN_ROWS, more_objectives)
    return tuple(blocks)


def _title(period: Period, timezone: str) -> str:
    return f"{period.name}: {formats.span(period.start, period.end, timezone)}"


def _cell(figure: Figure, slo: SloResult) -> Cell:
    notes = [told(figure.reason)] if figure.reason else []
    if figure.budget.left_ratio is not None:
        notes.append(_("{share} of the budget left", share=formats.share(figure.budget.left_ratio)))
    if figure.coverage < 1:
        notes.append(_("coverage {share}", share=formats.share(figure.coverage)))
    text = formats.percent(figure.sli, slo.objective)
    return Cell(text, number(figure.sli), tone_of(figure.met), note="; ".join(notes))
