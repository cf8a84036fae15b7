"""What is to be expected: when error budgets run out, and what the coming live events need and put at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Bullets, Cell, Column, Fold, Page, Paragraph, Section, Table, Tone
from sla_kit.report.formats import number
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import bounded, more_objectives, number_cell, slo_name, time_cell
from sla_kit.report.told import told

if TYPE_CHECKING:
    from sla_kit.engine.forecast.results import EventForecast, Forecast, Need, Outlook, ServiceNeed

SHOWN_OUTLOOKS = 15
#: A budget that runs out with less than this probability is quiet.
_UNLIKELY = 0.005


def forecast_page(forecast: Forecast) -> Page:
    """A forecast on its own, for the terminal."""
    # What a report folds is only named here.
    blocks = tuple(Paragraph(f"{block.title}.") if isinstance(block, Fold) else block for block in outlook(forecast))
    sections = (Section("forecast", _("Forecast"), blocks),)
    subject = formats.span(forecast.at, forecast.until, forecast.timezone)
    details = (_("{when} ({timezone})", when=subject, timezone=forecast.timezone),)
    headline, bad = _headline(forecast)
    return Page(_("Forecast"), subject, "missed" if bad else "met", headline, details, sections, ())


def outlook(forecast: Forecast) -> tuple[Block, ...]:
    """The forecast as a section of the report."""
    blocks: list[Block] = []
    at_risk = _at_risk(forecast)
    if at_risk:
        blocks.append(Bullets(at_risk))
    known = [one for one in forecast.outlooks if one.probability is not None]
    soonest = sorted(known, key=_soonest)
    loud = [one for one in soonest if (one.probability or 0.0) >= _UNLIKELY]
    quiet = [one for one in soonest if (one.probability or 0.0) < _UNLIKELY]
    if loud:
        caption = _("When each error budget runs out, and what is left of it at the horizon; intervals are 80 %")
        rows = [_outlook(one, forecast) for one in loud]
        blocks += bounded(caption, _outlook_columns(), rows, SHOWN_OUTLOOKS, more_objectives)
    if quiet:
        title = ngettext(
            "{count} budget that will hardly run out",
            "{count} budgets that will hardly run out",
            len(quiet),
            count=formats.count(len(quiet)),
        )
        rows = [_outlook(one, forecast) for one in quiet]
        blocks.append(Fold(title, (Table(title, _outlook_columns(), tuple(rows)),)))
    blocks += _needs(forecast)
    unknown = [one for one in forecast.outlooks if one.probability is None]
    if unknown:
        title = ngettext(
            "{count} budget that can't be forecast",
            "{count} budgets that can't be forecast",
            len(unknown),
            count=formats.count(len(unknown)),
        )
        blocks.append(Fold(title, (Bullets(tuple((slo_name(one), told(one.reason)) for one in unknown)),)))
    until = formats.day(forecast.until, forecast.timezone)
    method = _("Looked ahead to {until}, back over {history}; {method}.", until=until,
               history=formats.duration(forecast.history), method=told(forecast.method))  # fmt: skip
    return (*blocks, Paragraph(method)) if blocks else ()


def _needs(forecast: Forecast) -> list[Block]:
    """What the next live event of each name needs; those that follow are folded."""
    seen: set[tuple[str, str]] = set()
    following: list[tuple[Cell, ...]] = []
    rows: list[tuple[Cell, ...]] = []
    for event in forecast.events:
        for need in event.needs:
            row = _needed(event, need, forecast.timezone)
            (following if (event.name, need.service) in seen else rows).append(row)
            seen.add((event.name, need.service))
    if not rows:
        return []
    caption = _("What the next live event of each kind needs at its peak; intervals are 80 %")
    blocks: list[Block] = [Table(caption, _need_columns(), tuple(rows))]
    if following:
        title = _("What the live events after these need")
        blocks.append(Fold(title, (Table(title, _need_columns(), tuple(following)),)))
    return blocks


def _soonest(one: Outlook) -> tuple[float, float, float]:
    """What runs out first, then what is likeliest to, then what has least left."""
    first = float("inf") if one.runs_out is None else float(one.runs_out)
    return first, -(one.probability or 0.0), 0.0 if one.left_expected is None else one.left_expected


def _headline(forecast: Forecast) -> tuple[str, bool]:
    likely = [one for one in forecast.outlooks if one.runs_out is not None]
    if not likely:
        return _("No error budget is likely to run out within the horizon."), False
    text = ngettext(
        "{count} error budget has run out or probably will.",
        "{count} error budgets have run out or probably will.",
        len(likely),
        count=formats.count(len(likely)),
    )
    return text, True


def _at_risk(forecast: Forecast) -> tuple[tuple[str, str], ...]:
    """What a coming event puts at risk: promises, and limits that are too low."""
    found: list[tuple[str, str]] = []
    named: set[str] = set()
    for event in forecast.events:
        parts = [
            _(
                "{slo} is spent at its end with a probability of {chance} ({without} without it)",
                slo=slo_name(risk),
                chance=formats.share(risk.probability),
                without=formats.share(risk.without),
            )
            for risk in event.risks
        ]
        if event.name not in named:  # those that follow need as much
            parts += [text for service in event.needs for need in service.needs if (text := _over(service, need))]
        named.add(event.name)
        if parts:
            when = formats.moment(event.start, forecast.timezone)
            found.append((_("At risk from {event}, {when}", event=event.name, when=when), "; ".join(parts)))
    return tuple(found)


def _over(service: ServiceNeed, need: Need) -> str:
    """A limit that is, or may be, too low; empty where it is not."""
    words = {"service": service.service, "what": _what(need.what)}
    words |= {"value": _amount(need.value), "high": _amount(need.high or 0.0), "limit": formats.plain(need.limit)}
    if need.exceeds:
        return _("{service} needs {value} {what}, and the limit is {limit}", **words)
    if need.exceeds is None:
        return _("{service} may need up to {high} {what}, and the limit is {limit}", **words)
    return ""


def _what(what: str) -> str:
    return {"pods": _("pods"), "connections": _("connections"), "requests": _("requests/s")}.get(what, what)


def _outlook_columns() -> tuple[Column, ...]:
    return (
        Column(_("Objective of")),
        Column(_("Left now"), numeric=True),
        Column(_("Runs out")),
        Column(_("Probability"), numeric=True),
        Column(_("Left then"), numeric=True),
        Column(_("A usual day spends"), numeric=True),
        Column(_("A live event spends"), numeric=True),
    )


def _outlook(one: Outlook, forecast: Forecast) -> tuple[Cell, ...]:
    zone = forecast.timezone
    if one.left is not None and one.left < 0 and one.runs_out == forecast.at:
        back = _("back {when}", when=formats.day(one.back, zone)) if one.back else _("not back within the horizon")
        runs_out = Cell(_("spent"), tone="missed", note=back)
    elif one.runs_out is None:
        earliest = _("at the earliest {when}", when=formats.day(one.runs_out_low, zone)) if one.runs_out_low else ""
        runs_out = Cell(_("not likely"), note=earliest)
    else:
        assert one.runs_out_low is not None  # a tenth runs out no later than a half
        latest = formats.short_day(one.runs_out_high, zone) if one.runs_out_high else _("after the horizon")
        low = formats.short_day(one.runs_out_low, zone)
        note = _("{low} – {high}", low=low, high=latest)
        runs_out = Cell(formats.day(one.runs_out, zone), formats.rfc3339(one.runs_out), "missed", note)
    then = f"{formats.share(one.left_low)} – {formats.share(one.left_high)}"
    return (
        Cell(slo_name(one), note="; ".join((one.window, *(told(note) for note in one.notes)))),
        number_cell(formats.share(one.left), one.left),
        runs_out,
        number_cell(formats.share(one.probability), one.probability),
        number_cell(formats.share(one.left_expected), one.left_expected, note=then),
        number_cell(formats.share(one.burn_per_day), one.burn_per_day),
        number_cell(formats.share(one.burn_per_event), one.burn_per_event),
    )


def _need_columns() -> tuple[Column, ...]:
    return (
        Column(_("Live event")),
        Column(_("Service")),
        Column(_("Requests/s"), numeric=True),
        Column(_("Pods"), numeric=True),
        Column(_("Connections"), numeric=True),
        Column(_("Times the usual"), numeric=True),
    )


def _needed(event: EventForecast, service: ServiceNeed, timezone: str) -> tuple[Cell, ...]:
    needs = {need.what: need for need in service.needs}
    factor = ngettext(
        "from {count} past event", "from {count} past events", service.events, count=formats.count(service.events)
    )
    return (
        Cell(event.name, note=time_cell(event.start, timezone).text),
        Cell(service.service, note=told(service.note)),
        *(_need(needs.get(what)) for what in ("requests", "pods", "connections")),
        Cell(formats.rate(service.factor), number(service.factor), note=factor),
    )


def _need(need: Need | None) -> Cell:
    if need is None:
        return Cell(formats.UNKNOWN)
    whole = need.what != "requests"
    parts = []
    if need.low is not None and need.high is not None:
        parts.append(f"{_amount(need.low, whole)} – {_amount(need.high, whole)}")
    if need.limit is not None:
        parts.append(_("limit {limit}", limit=formats.plain(need.limit)))
    tone: Tone = "missed" if need.exceeds else "unknown" if need.exceeds is None else ""
    return Cell(_amount(need.value, whole), number(need.value), tone, note=", ".join(parts))


def _amount(value: float, whole: bool = True) -> str:
    """A figure as it is meant: pods and connections are whole, and rounded up."""
    if not whole:
        return formats.plain(float(f"{value:.3g}"))
    return formats.count(float(-(-value // 1)))
