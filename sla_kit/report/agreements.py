"""The report's section on SLOs that measure the same by different means: by logs and by metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Cell, Column, Paragraph, Table, tone_of
from sla_kit.report.language import _
from sla_kit.report.rows import bounded, more_objectives, number_cell, slo_name
from sla_kit.report.told import told

if TYPE_CHECKING:
    from sla_kit.engine.agreement import Measured, SideBySide

SHOWN_ROWS = 20


def agreements(compared: Sequence[SideBySide], timezone: str) -> tuple[Block, ...]:
    """Both figures beside each other, those first that disagree; then where these differ most."""
    if not compared:
        return ()
    ordered = sorted(compared, key=lambda each: {False: 0, None: 1, True: 2}[each.agree])
    caption = _(
        "The same measured by different means. A difference over the bound means that one of the two does not see what "
        "the other sees"
    )
    columns, rows = _columns(compared), [_row(each) for each in ordered]
    blocks = list(bounded(caption, columns, rows, SHOWN_ROWS, more_objectives))
    blocks += [Paragraph(told(each.reason), "missed") for each in ordered if each.agree is False]
    where = [row for each in ordered if each.agree is False for row in _where(each, timezone)]
    if where:
        blocks.append(Table(_("Where they differ most"), _where_columns(compared), tuple(where)))
    return tuple(blocks)


def _by_means(compared: Sequence[SideBySide]) -> bool:
    """Whether the first of each pair is measured by logs, and the second by metrics."""
    return all((each.first.means, each.second.means) == ("logs", "metrics") for each in compared)


def _columns(compared: Sequence[SideBySide]) -> tuple[Column, ...]:
    named = _by_means(compared)
    return (
        Column(_("Objective of")),
        Column(_("Verdict")),
        Column(_("SLI by logs") if named else _("SLI"), numeric=True),
        Column(_("SLI by metrics") if named else _("SLI of the other"), numeric=True),
        Column(_("Difference"), numeric=True),
        Column(_("Bad / total by logs") if named else _("Bad / total"), numeric=True),
        Column(_("Bad / total by metrics") if named else _("Bad / total of the other"), numeric=True),
        Column(_("Totals differ by"), numeric=True),
        Column(_("Coverage of both"), numeric=True),
    )


def _row(one: SideBySide) -> tuple[Cell, ...]:
    first, second = one.first, one.second
    objective = max(first.objective, second.objective)
    reason = told(one.reason) if one.agree is None else ""
    most = _("at most {difference}", difference=_points(one.within))
    if one.whole_difference is not None and one.whole_difference != one.difference:
        whole = formats.points(one.whole_difference, objective)
        most = _("{note}; {difference} with nothing excluded", note=most, difference=whole)
    bound = ""
    if one.total_within is not None:
        bound = _("at most {difference}", difference=formats.share(one.total_within))
    both = (formats.share(each.figure.coverage) for each in (first, second))
    return (
        Cell(slo_name(first), note=_("beside {name}", name=slo_name(second))),
        Cell(_agreement(one.agree), tone=tone_of(one.agree), note=reason),
        number_cell(formats.percent(first.figure.sli, objective), first.figure.sli),
        number_cell(formats.percent(second.figure.sli, objective), second.figure.sli),
        number_cell(formats.points(one.difference, objective), one.difference, note=most),
        _events(first),
        _events(second),
        number_cell(formats.share(one.total_difference), one.total_difference, note=bound),
        number_cell(" / ".join(both), min(first.figure.coverage, second.figure.coverage)),
    )


def _points(ratio: float) -> str:
    return formats.points(ratio).removeprefix("+")


def _agreement(agree: bool | None) -> str:
    return _("Can't tell") if agree is None else _("Agree") if agree else _("Disagree")


def _events(one: Measured) -> Cell:
    figure = one.figure
    return number_cell(f"{formats.count(figure.bad)} / {formats.count(figure.total)}", figure.bad)


def _where_columns(compared: Sequence[SideBySide]) -> tuple[Column, ...]:
    named = _by_means([each for each in compared if each.agree is False])
    return (
        Column(_("Objective of")),
        Column(_("When")),
        Column(_("Bad / total by logs") if named else _("Bad / total"), numeric=True),
        Column(_("Bad / total by metrics") if named else _("Bad / total of the other"), numeric=True),
    )


def _where(one: SideBySide, timezone: str) -> list[tuple[Cell, ...]]:
    return [
        (
            Cell(slo_name(one.first)),
            Cell(formats.span(each.start, each.end, timezone), formats.rfc3339(each.start)),
            *(
                number_cell(f"{formats.count(bad)} / {formats.count(total)}", bad)
                for bad, total in zip(each.bad, each.total, strict=True)
            ),
        )
        for each in one.most
    ]
