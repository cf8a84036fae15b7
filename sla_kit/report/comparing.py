"""Comparing two reports: from evaluations or report.json files to a table, a page or JSON."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from sla_kit.engine.comparison import Change, Comparison, Side, Standing, compare
from sla_kit.errors import SlaKitError
from sla_kit.report import formats
from sla_kit.report.blocks import Block, Cell, Column, Page, Paragraph, Section, Tone, tone_of
from sla_kit.report.formats import number
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import bounded, more_objectives, slo_name

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation

SHOWN_ROWS = 30


# --- what is compared -----------------------------------------------------------------------------------------------


def side_of(evaluation: Evaluation) -> Side:
    """An evaluation as a side of a comparison."""
    return Side(
        evaluation.catalogue,
        evaluation.environment,
        evaluation.window.name,
        evaluation.window.start,
        evaluation.window.end,
        evaluation.timezone,
        tuple(
            Standing(
                slo.service,
                slo.slo,
                slo.kind,
                slo.unit,
                slo.objective,
                slo.figure.sli,
                slo.figure.bad,
                slo.figure.total,
                slo.figure.interval is not None,
                slo.figure.met,
                slo.own.budget.left_ratio,
                slo.figure.value,
                slo.quantile,
                len(slo.incidents),
            )
            for slo in evaluation.slos
        ),
    )


class _Window(Struct):
    name: str
    start: datetime
    end: datetime


class _Budget(Struct):
    left_ratio: float | None


class _Figure(Struct):
    budget: _Budget


class _Slo(Struct):
    service: str
    slo: str
    kind: str
    unit: str
    objective: float
    sli: float | None
    bad: float | None
    total: float | None
    interval: list[float | None] | None
    met: bool | None
    own: _Figure
    value: float | None
    quantile: float | None
    incident_count: int


class _Report(Struct):
    version: int
    catalogue: str
    environment: str
    timezone: str
    window: _Window
    slos: list[_Slo]


def read_side(path: str | Path) -> Side:
    """A report.json as a side of a comparison. Raises `SlaKitError` for a file that is none."""
    try:
        report = msgspec.json.decode(Path(path).read_bytes(), type=_Report)
    except OSError as error:
        raise SlaKitError(f"the report can't be read: {error.strerror}", place=str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        remedy = "give the report.json that sla-kit report wrote"
        raise SlaKitError(f"this is no report.json: {error}", place=str(path), remedy=remedy) from error
    if report.version != 1:
        raise SlaKitError(
            f"a report of version {report.version} is not known", place=str(path), remedy="update sla-kit"
        )
    window = report.window
    return Side(
        report.catalogue,
        report.environment,
        window.name,
        int(window.start.timestamp()),
        int(window.end.timestamp()),
        report.timezone,
        tuple(
            Standing(
                slo.service,
                slo.slo,
                slo.kind,
                slo.unit,
                slo.objective,
                slo.sli,
                slo.bad or 0.0,
                slo.total or 0.0,
                slo.interval is not None,
                slo.met,
                slo.own.budget.left_ratio,
                slo.value,
                slo.quantile,
                slo.incident_count,
            )
            for slo in report.slos
        ),
    )


def compared(evaluation: Evaluation, other: Evaluation) -> Comparison:
    """What changed from the ``other`` evaluation to this one."""
    return compare(side_of(other), side_of(evaluation))


# --- what is said ---------------------------------------------------------------------------------------------------


def page(comparison: Comparison) -> Page:
    """A comparison as a page of its own."""
    first, second = comparison.first, comparison.second
    return Page(
        title=_("Comparison: {first} and {second}", first=_name(first), second=_name(second)),
        subject=second.catalogue if second.catalogue == first.catalogue else f"{first.catalogue} / {second.catalogue}",
        tone="",
        headline=headline(comparison),
        details=tuple(_side(letter, side) for letter, side in (("A", first), ("B", second))),
        sections=(Section("changes", _("Changes"), changes(comparison)),),
        footer=(_how(),),
    )


def section(comparison: Comparison) -> tuple[Block, ...]:
    """The same as a part of a report, whose own window is B."""
    sides = [_side(letter, side) for letter, side in (("A", comparison.first), ("B", comparison.second))]
    return (Paragraph(f"{headline(comparison)} {' '.join(sides)}"), *changes(comparison), Paragraph(_how()))


def headline(comparison: Comparison) -> str:
    """How many objectives got worse or better by more than chance, or changed their verdict."""
    sure = [change for change in comparison.changes if change.beyond_chance and change.sli]
    worse = sum(change.sli < 0 for change in sure if change.sli is not None)
    better = len(sure) - worse
    one = ngettext("{count} objective got worse", "{count} objectives got worse", worse, count=formats.count(worse))
    two = ngettext("{count} got better", "{count} got better", better, count=formats.count(better))
    return _("{worse} and {better} by more than chance.", worse=one, better=two)


def changes(comparison: Comparison) -> tuple[Block, ...]:
    """A row for each SLO of both sides, the worst change first, and those of one side only."""
    both = [change for change in comparison.changes if change.first is not None and change.second is not None]
    blocks: list[Block] = []
    if both:
        caption = _("What changed from A to B, the worst first, as a share of what each objective allows")
        blocks += bounded(caption, _columns(), [_row(change) for change in both], SHOWN_ROWS, more_objectives)
    else:
        blocks.append(Paragraph(_("The two have no objective in common.")))
    for title, lone in (
        (_("Only in A"), [change.first for change in comparison.changes if change.second is None]),
        (_("Only in B"), [change.second for change in comparison.changes if change.first is None]),
    ):
        rows = [_lone(standing) for standing in lone if standing is not None]
        if rows:
            columns = (Column(_("Objective of")), Column(_("Verdict")), Column(_("SLI"), numeric=True))
            blocks += bounded(title, columns, rows, SHOWN_ROWS, more_objectives)
    return tuple(blocks)


def _columns() -> tuple[Column, ...]:
    return (
        Column(_("Objective of")),
        Column(_("Change"), numeric=True),
        Column(_("SLI"), numeric=True),
        Column(_("Verdict")),
        Column(_("Budget left"), numeric=True),
        Column(_("Measured"), numeric=True),
        Column(_("Incidents"), numeric=True),
    )


def _row(change: Change) -> tuple[Cell, ...]:
    one, two = change.first, change.second
    assert one is not None
    assert two is not None
    moved = change.sli
    note = formats.objective_percent(two.objective)
    if one.objective != two.objective:
        note = _("{first} before, {second} now", first=formats.objective_percent(one.objective), second=note)
    measured = formats.UNKNOWN
    if one.value is not None or two.value is not None:
        measured = _arrow(formats.measured(one.value, one.kind), formats.measured(two.value, two.kind))
    quantile = "" if two.quantile is None else formats.quantile(two.quantile)
    return (
        Cell(slo_name(two), note=note),
        Cell(formats.points(moved, two.objective), number(moved), _tone(change), note=chance(change)),
        Cell(_arrow(formats.percent(one.sli, one.objective), formats.percent(two.sli, two.objective))),
        Cell(_verdicts(one.met, two.met), tone=tone_of(two.met)),
        Cell(_arrow(formats.share(one.budget_left_ratio), formats.share(two.budget_left_ratio))),
        Cell(measured, note=quantile if measured != formats.UNKNOWN else ""),
        Cell(_arrow(formats.count(one.incidents), formats.count(two.incidents))),
    )


def _lone(standing: Standing) -> tuple[Cell, ...]:
    return (
        Cell(slo_name(standing)),
        Cell(formats.verdict(standing.met), tone=tone_of(standing.met)),
        Cell(formats.percent(standing.sli, standing.objective), number(standing.sli)),
    )


def chance(change: Change) -> str:
    """Whether a change is more than chance, in words."""
    sure = change.beyond_chance
    return "" if sure is None else _("more than chance") if sure else _("may be chance")


def _tone(change: Change) -> Tone:
    if not change.beyond_chance or not change.sli:
        return ""
    return "missed" if change.sli < 0 else "met"


def _verdicts(first: bool | None, second: bool | None) -> str:
    if first is second:
        return formats.verdict(second)
    return _arrow(formats.verdict(first), formats.verdict(second))


def _arrow(first: str, second: str) -> str:
    return f"{first} → {second}"


def _name(side: Side) -> str:
    return f"{side.environment} {side.window}" if side.environment else side.window


def _side(letter: str, side: Side) -> str:
    return _(
        "{letter} is {name}: {days}.",
        letter=letter,
        name=_name(side),
        days=formats.span(side.start, side.end, side.timezone),
    )


def _how() -> str:
    return _(
        "More than chance: the 95 % interval of the difference of the two SLIs (Newcombe's hybrid score interval) does "
        "not hold 0. It takes events as independent of each other, which requests in an outage are not; it is told "
        "only where events are counted one by one."
    )
