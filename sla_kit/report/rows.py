"""Cells and rows that several sections of the report share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Cell, Column, Fold, Table, tone_of
from sla_kit.report.language import _, ngettext
from sla_kit.report.told import told

if TYPE_CHECKING:
    from sla_kit.engine.results import PromiseResult, SloResult


class Named(Protocol):
    """What belongs to one SLO of one service."""

    @property
    def service(self) -> str: ...
    @property
    def slo(self) -> str: ...


def slo_name(named: Named) -> str:
    """How the report calls an SLO: api / availability."""
    return f"{named.service} / {named.slo}"


def name_cell(slo: SloResult) -> Cell:
    """An SLO's name with its description in small print."""
    return Cell(slo_name(slo), note=slo.description)


def number_cell(text: str, value: float | None, note: str = "") -> Cell:
    """A formatted figure with the full number behind it."""
    return Cell(text, formats.number(value), note=note)


def time_cell(time: int | None, timezone: str) -> Cell:
    """A moment in the catalogue's time zone with RFC 3339 behind it."""
    return Cell(formats.moment(time, timezone), formats.rfc3339(time))


def verdict_cell(met: bool | None, reason: str = "") -> Cell:
    """Met, missed or can't tell, and why."""
    return Cell(formats.verdict(met), tone=tone_of(met), note=reason)


def worst_first(slos: Iterable[SloResult]) -> list[SloResult]:
    """Missed ones by the budget left, then those that can't be told, then the met ones by the budget left."""

    def rank(slo: SloResult) -> tuple[int, float]:
        left = slo.own.budget.left_ratio
        return {False: 0, None: 1, True: 2}[slo.figure.met], 1.0 if left is None else left

    return sorted(slos, key=rank)


def because(promise: PromiseResult, slos: Sequence[SloResult]) -> str:
    """Why a promise stands as it does: its worst SLO, in the digits of every other figure of the report."""
    mine = [slo for slo in slos if slo.key in promise.slos]
    if not mine:
        return told(promise.summary) or _("no objective measures it")
    worst = worst_first(mine)[0]
    figure, name = worst.figure, slo_name(worst)
    if figure.sli is None:
        return _("{name}: {reason}", name=name, reason=told(figure.reason) or _("no events"))
    text = _(
        "{name}: {sli} of {unit} good, {objective} promised",
        name=name,
        sli=formats.percent(figure.sli, worst.objective),
        unit=formats.unit_name(worst.unit),
        objective=formats.objective_percent(worst.objective),
    )
    return _("{sentence} ({reason})", sentence=text, reason=told(figure.reason)) if figure.reason else text


def bounded(
    caption: str, columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]], limit: int, more: Callable[[int], str]
) -> tuple[Block, ...]:
    """A table of the first ``limit`` rows, the rest folded under what ``more`` makes of their number."""
    blocks: list[Block] = [Table(caption, columns, tuple(rows[:limit]))]
    if len(rows) > limit:
        title = more(len(rows) - limit)
        rest = _("{caption}: {more}", caption=caption, more=title)
        blocks.append(Fold(title, (Table(rest, columns, tuple(rows[limit:])),)))
    return tuple(blocks)


def more_objectives(more: int) -> str:
    """What the rest of a table of objectives is folded under."""
    return ngettext("{count} more objective", "{count} more objectives", more, count=formats.count(more))
