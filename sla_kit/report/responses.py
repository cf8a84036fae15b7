"""The report's section on how incidents were responded to: how fast they were acknowledged and over, and what was
promised of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Bullets, Cell, Column, Paragraph, Table, Tone
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import bounded, number_cell

if TYPE_CHECKING:
    from sla_kit.ledger.response_report import Group, Handled, Kept, ResponseReport, Spread

#: How many rows of a table, and how many open incidents, are shown.
SHOWN_ROWS, SHOWN_OPEN = 20, 10
#: Where among the figures of a group times stand, which have a percentile in small print.
_SPREADS = (2, 4)


def responses(report: ResponseReport, timezone: str) -> tuple[Block, ...]:
    """The severities, the most urgent first, each team and service of them, what changed, and what is still open."""
    if not report.incidents:
        blocks: list[Block] = [Paragraph(_("No incident was over in the window or open at its end."))]
    else:
        severities, groups = report.severities(), report.groups()
        blocks = [
            Paragraph(headline(report), _tone(severities)),
            Table(
                _("By severity: the median, and in small print the 90th percentile"),
                (Column(_("Severity")), *_columns(severities)),
                tuple((Cell(one.severity or formats.UNKNOWN), *_figures(one, severities)) for one in severities),
            ),
            *_by_service(groups),
            *_open(report.open, timezone),
        ]
    if report.compared is not None:
        blocks += _compared(report.severities(), report.compared)
    blocks.append(Paragraph(_how()))
    return tuple(blocks)


def headline(report: ResponseReport) -> str:
    """How many incidents there were, and how many of them somebody took."""
    total, open = len(report.incidents), len(report.open)
    taken = sum(one.acknowledge_seconds is not None for one in report.incidents)
    incidents = ngettext("{count} incident", "{count} incidents", total, count=formats.count(total))
    acknowledged = ngettext("{count} was acknowledged", "{count} were acknowledged", taken, count=formats.count(taken))
    if not open:
        return _("{incidents}, of which {acknowledged}.", incidents=incidents, acknowledged=acknowledged)
    lasting = ngettext(
        "{count} was still open at the end of the window",
        "{count} were still open at the end of the window",
        open,
        count=formats.count(open),
    )
    return _(
        "{incidents}, of which {acknowledged} and {open}.", incidents=incidents, acknowledged=acknowledged, open=lasting
    )


def _by_service(groups: Sequence[Group]) -> tuple[Block, ...]:
    columns = (Column(_("Service and team")), Column(_("Severity")), *_columns(groups))
    rows = [
        (
            Cell(one.service or formats.UNKNOWN, note=one.team or ""),
            Cell(one.severity or formats.UNKNOWN),
            *_figures(one, groups),
        )
        for one in groups
    ]
    return bounded(_("By service, team and severity"), columns, rows, SHOWN_ROWS, _more)


def _more(more: int) -> str:
    return ngettext("{count} more row", "{count} more rows", more, count=formats.count(more))


def _columns(groups: Sequence[Group]) -> tuple[Column, ...]:
    return (
        Column(_("Incidents"), numeric=True),
        Column(_("Acknowledged"), numeric=True),
        Column(_("Time to acknowledge"), numeric=True),
        Column(_("Acknowledged in time"), numeric=True),
        Column(_("Time to recover"), numeric=True),
        Column(_("Recovered in time"), numeric=True),
        *((Column(_("Escalated"), numeric=True),) if _escalations_known(groups) else ()),
    )


def _figures(group: Group, groups: Sequence[Group]) -> tuple[Cell, ...]:
    open = _("{count} still open", count=formats.count(group.open)) if group.open else ""
    missed = _("{count} not acknowledged", count=formats.count(group.unacknowledged)) if group.unacknowledged else ""
    cells = (
        number_cell(formats.count(group.incidents), group.incidents, note=open),
        number_cell(formats.count(group.acknowledged), group.acknowledged, note=missed),
        _spread(group.acknowledge),
        _kept(group.acknowledged_in_time),
        _spread(group.recover),
        _kept(group.recovered_in_time),
    )
    if not _escalations_known(groups):
        return cells
    return (*cells, number_cell(formats.count(group.escalated), group.escalated))


def _escalations_known(groups: Sequence[Group]) -> bool:
    return any(one.escalated is not None for one in groups)


def _spread(spread: Spread) -> Cell:
    if not spread.known and not spread.open:
        return Cell(formats.UNKNOWN)
    return number_cell(
        _seconds(spread.median),
        spread.median,
        note=_("{percentile} {time}", percentile=formats.quantile(0.9), time=_seconds(spread.p90)),
    )


def _seconds(seconds: float | None) -> str:
    """A figure that there is, or whose rank falls on an incident that is open."""
    return _("not yet") if seconds is None else formats.duration(seconds)


def _kept(kept: Kept) -> Cell:
    if not kept.judged:
        return Cell(formats.UNKNOWN)
    within = "" if kept.within is None else _("within {time}", time=formats.duration(kept.within))
    text = _("{count} of {total}", count=formats.count(kept.in_time), total=formats.count(kept.judged))
    tone: Tone = "met" if kept.in_time == kept.judged else "missed"
    return Cell(text, formats.number(kept.in_time / kept.judged), tone, note=within)


def _open(incidents: Sequence[Handled], timezone: str) -> tuple[Block, ...]:
    if not incidents:
        return ()
    items = [(one.title, _standing(one, timezone)) for one in incidents[:SHOWN_OPEN]]
    blocks: list[Block] = [
        Paragraph(_("Still open at the end of the window, and counted as longer than any that was over:"), "unknown"),
        Bullets(tuple(items)),
    ]
    if (more := len(incidents) - SHOWN_OPEN) > 0:
        blocks.append(Paragraph(ngettext("And {count} more.", "And {count} more.", more, count=formats.count(more))))
    return tuple(blocks)


def _standing(one: Handled, timezone: str) -> str:
    taken = (
        _("not acknowledged")
        if one.acknowledge_seconds is None
        else _("acknowledged after {time}", time=formats.duration(one.acknowledge_seconds))
    )
    return _(
        "{severity}, since {moment}, {time} so far, {acknowledged}",
        severity=one.severity or formats.UNKNOWN,
        moment=formats.moment(one.opened, timezone),
        time=formats.duration(one.recover_seconds),
        acknowledged=taken,
    )


def _compared(severities: Sequence[Group], other: ResponseReport) -> list[Block]:
    """The severities of both, before and now."""
    now = {one.severity: one for one in severities}
    before = {one.severity: one for one in other.severities()}
    names = [*now, *(name for name in before if name not in now)]
    if not names:
        return []
    columns = (Column(_("Severity")), *_columns(()))
    rows = tuple((Cell(name or formats.UNKNOWN), *_change(before.get(name), now.get(name))) for name in names)
    caption = _("From {window} (first) to this window", window=other.period.name)
    return [Table(caption, columns, rows)]


def _change(before: Group | None, now: Group | None) -> tuple[Cell, ...]:
    nothing = tuple(Cell(formats.UNKNOWN) for _each in range(6))
    first = nothing if before is None else _figures(before, ())
    second = nothing if now is None else _figures(now, ())
    return tuple(
        Cell(_arrow(one.text, two.text), note=_arrow(one.note, two.note) if place in _SPREADS else "")
        for place, (one, two) in enumerate(zip(first, second, strict=True))
    )


def _arrow(before: str, now: str) -> str:
    return f"{before or formats.UNKNOWN} → {now or formats.UNKNOWN}" if before or now else ""


def _tone(groups: Sequence[Group]) -> Tone:
    kept = [each for one in groups for each in (one.acknowledged_in_time, one.recovered_in_time) if each.judged]
    if not kept:
        return ""
    return "met" if all(each.in_time == each.judged for each in kept) else "missed"


def _how() -> str:
    return _(
        "By what the router recorded: incidents that were over in the window, or open at its end. The time to "
        "acknowledge counts from when somebody was first told, the time to recover from when the first alert began to "
        "fire. Percentiles by nearest rank: each is the time of an incident that there was. In time is what was "
        "acknowledged as soon as its severity asks for, or was over before that, and what recovered as soon as the "
        "service's objective for recovery promises."
    )
