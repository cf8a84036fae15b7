"""Errors by group: which are new, came back or surge in a window, then the most frequent ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING

from sla_kit.logs.fingerprint import redacted_message
from sla_kit.report import formats
from sla_kit.report.blocks import Block, Bullets, Cell, Column, Fold, Page, Paragraph, Section, Tone
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import bounded, number_cell

if TYPE_CHECKING:
    from sla_kit.error_tracking.results import ErrorGroup, ErrorReport, Estimate, IncidentLink

#: How many groups of a table are shown without unfolding.
SHOWN_CHANGED, SHOWN_FREQUENT = 20, 10
#: The longest name of a group in a table.
LONGEST_NAME = 160
_SHOWN_RELEASES = _SHOWN_INCIDENTS = 2
_MOST_RELEASED = 10
_LONGEST_EXAMPLE = 300
#: Kinds in the order of their weight.
KINDS = ("new", "regressed", "surging")
_BARS = "▁▂▃▄▅▆▇█"


def errors_page(report: ErrorReport, timezone: str, owners: Mapping[str, str]) -> Page:
    """Errors on their own, for the terminal; ``owners`` are of services."""
    subject = formats.span(report.start, report.end, timezone)
    # What a report folds is only named here.
    blocks = tuple(
        Paragraph(f"{each.title}.") if isinstance(each, Fold) else each for each in _tables(report, timezone, owners)
    )
    details = (_("{when} ({timezone})", when=subject, timezone=timezone), report.method, *_said(report))
    sections = (Section("errors", _("Errors"), blocks),)
    return Page(
        _("Errors"), subject, _tone(report), headline(report), tuple(each for each in details if each), sections, ()
    )


def errors(report: ErrorReport, timezone: str, owners: Mapping[str, str]) -> tuple[Block, ...]:
    """Errors as a section of the report."""
    blocks: list[Block] = [Paragraph(headline(report), _tone(report)), *_tables(report, timezone, owners)]
    blocks += _examples(told_of(report)[:SHOWN_CHANGED], timezone)
    released = [one for one in report.deployments if report.start < one.time <= report.end]
    if released:
        names = "; ".join(
            f"{one.service} {one.version}, {_moment(one.time, timezone)}" for one in released[:_MOST_RELEASED]
        )
        more = len(released) - _MOST_RELEASED
        more_text = f" +{formats.count(more)}" if more > 0 else ""
        blocks.append(Paragraph(_("Deployed in the window: {names}.", names=names + more_text)))
    blocks += [Paragraph(text, "unknown") for text in _said(report)]
    back = formats.day(report.lookback_start, timezone)
    blocks.append(
        Paragraph(_("{method} A group is new where it was not seen since {day}.", method=report.method, day=back))
    )
    return tuple(blocks)


def headline(report: ErrorReport) -> str:
    """How many errors there were, and how many groups are worth telling of."""
    counts = {kind: sum(kind in group.kinds for group in told_of(report)) for kind in KINDS}
    errors = ngettext("{count} error", "{count} errors", round(report.total.value), count=estimate(report.total))
    before = estimate(report.before)
    new, back, surging = (counts[kind] for kind in KINDS)
    told = (
        new and ngettext("{count} group is new", "{count} groups are new", new, count=formats.count(new)),
        back and ngettext("{count} group came back", "{count} groups came back", back, count=formats.count(back)),
        surging
        and ngettext("{count} group is surging", "{count} groups are surging", surging, count=formats.count(surging)),
    )
    parts = [text for text in told if text]
    what = ", ".join(parts) or _("no group is new, came back or is surging")
    return _("{errors} ({before} in the time before): {what}.", errors=errors, before=before, what=what)


def told_of(report: ErrorReport) -> list[ErrorGroup]:
    """The groups that are new, came back or surge, without those that somebody ignores."""
    return [group for group in report.groups if group.kinds and group.state.status != "ignored"]


def estimate(number: Estimate) -> str:
    """A number of events, with how far it may be off where it was not counted: 1,234 ± 56."""
    if number.exact:
        return formats.count(number.value)
    off = max(number.value - number.low, number.high - number.value)
    return f"{formats.count(round(number.value))} ± {formats.count(max(1, round(off)))}"


def people(number: Estimate) -> str:
    """A number of users: where some of the documents were read, there are at least those that were seen."""
    at_least = number.low == number.value < number.high
    return f"≥ {formats.count(number.value)}" if at_least else estimate(number)


def sparkline(trend: Collection[float]) -> str:
    """Counts as a line of bars; what is little but there is the lowest one, and none is a blank."""
    most = max(trend, default=0.0)
    bars = [" " if count <= 0 else _BARS[min(7, int(8 * count / most))] for count in trend]
    return "".join(bars)


def named(group: ErrorGroup) -> str:
    """What a group is called: its type and message, without what nobody may be shown."""
    text = f"{group.type}: {group.message}" if group.type and group.message else group.type or group.message
    text = " ".join(redacted_message(text).split()) or _("no message")
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def kinds_of(group: ErrorGroup) -> str:
    """In words what is worth telling of a group."""
    words = {"new": _("new"), "regressed": _("came back"), "surging": _("surging")}
    return ", ".join(words[kind] for kind in KINDS if kind in group.kinds)


def _tables(report: ErrorReport, timezone: str, owners: Mapping[str, str]) -> tuple[Block, ...]:
    if not report.groups:
        return (Paragraph(_("No error was found."), "met"),) if not report.total.high and not report.findings else ()
    told = told_of(report)
    rest = [group for group in report.groups if group not in told]
    blocks: list[Block] = []
    if told:
        caption = _("Groups of errors that are new, came back or are surging")
        blocks += bounded(caption, _columns(), _rows(told, timezone, owners), SHOWN_CHANGED, _more)
    if rest:
        caption = _("The most frequent of the other groups") if told else _("The most frequent groups of errors")
        blocks += bounded(caption, _columns(), _rows(rest, timezone, owners), SHOWN_FREQUENT, _more)
    if report.elsewhere.high >= 1:
        most = formats.count(ceil(report.elsewhere.high))
        text = (
            _("In none of these groups: {count} errors.", count=estimate(report.elsewhere))
            if report.elsewhere.value
            else _("In none of these groups: {most} errors at most.", most=most)
        )
        blocks.append(Paragraph(text))
    return tuple(blocks)


def _examples(groups: Sequence[ErrorGroup], timezone: str) -> tuple[Block, ...]:
    """Where each group comes from, and one document of it."""
    items = [(named(group), _example(group, timezone)) for group in groups if group.frames or group.example]
    if not items:
        return ()
    title = ngettext("Frames and an example of the group", "Frames and an example of each group", len(items))
    return (Fold(title, (Bullets(tuple(items)),)),)


def _example(group: ErrorGroup, timezone: str) -> str:
    parts = [_("in {frames}", frames=" ← ".join(group.frames))] if group.frames else []
    if (example := group.example) is not None:
        message = " ".join(redacted_message(example.message).split())
        message = message if len(message) <= _LONGEST_EXAMPLE else message[: _LONGEST_EXAMPLE - 1] + "…"
        about = [_moment(example.time, timezone), example.host, example.version, example.trace]
        parts.append(f"{message} ({', '.join(each for each in about if each)})")
    return "; ".join(parts)


def _more(more: int) -> str:
    return ngettext("{count} more group of errors", "{count} more groups of errors", more, count=formats.count(more))


def _columns() -> tuple[Column, ...]:
    return (
        Column(_("Error")),
        Column(_("Kind")),
        Column(_("Count"), numeric=True),
        Column(_("Trend")),
        Column(_("Last seen")),
        Column(_("Users"), numeric=True),
        Column(_("Owner")),
        Column(_("Releases")),
        Column(_("Incidents")),
    )


def _rows(groups: Iterable[ErrorGroup], timezone: str, owners: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    return [_row(group, timezone, owners) for group in groups]


def _row(group: ErrorGroup, timezone: str, owners: Mapping[str, str]) -> tuple[Cell, ...]:
    state, released = group.state, group.deployment
    kinds, owner = kinds_of(group), state.owner or owners.get(group.service, "")
    users = Cell(formats.UNKNOWN) if group.users is None else number_cell(people(group.users), group.users.value)
    shown = [version for version, _count in group.releases[:_SHOWN_RELEASES]]
    more = len(group.releases) - len(shown)
    versions = ", ".join(shown) + (f" +{formats.count(more)}" if more else "")
    since = "" if released is None else _(
        "after {version}, {when}", version=released.version, when=_moment(released.time, timezone)
    )  # fmt: skip
    return (
        Cell(named(group), note=f"{group.service or formats.UNKNOWN} · {group.key}"),
        Cell(kinds or formats.UNKNOWN, tone="missed" if kinds and state.status != "ignored" else ""),
        number_cell(estimate(group.count), group.count.value, note=_("before: {count}", count=estimate(group.before))),
        Cell(sparkline(group.trend) or formats.UNKNOWN, trend=group.trend if any(group.trend) else ()),
        _seen(group, timezone),
        users,
        Cell(owner or formats.UNKNOWN, note=_status(group, timezone)),
        Cell(versions or formats.UNKNOWN, note=since),
        Cell(_incidents(group.incidents) or formats.UNKNOWN),
    )


def _seen(group: ErrorGroup, timezone: str) -> Cell:
    first = _("first: {when}", when=_moment(group.first_seen, timezone))
    return Cell(_moment(group.last_seen, timezone), formats.rfc3339(round(group.last_seen, 3)), note=first)


def _moment(time: float, timezone: str) -> str:
    """A moment without its year: a window's moments are told in a table."""
    return f"{formats.short_day(time, timezone)}, {formats.clock(time, timezone)}"


def _incidents(links: Collection[IncidentLink]) -> str:
    shown = "; ".join(link.title for link in list(links)[:_SHOWN_INCIDENTS])
    more = len(links) - _SHOWN_INCIDENTS
    return f"{shown} +{formats.count(more)}" if more > 0 else shown


def _status(group: ErrorGroup, timezone: str) -> str:
    state = group.state
    if state.status == "open":
        return ""
    words = {"day": formats.short_day(state.at, timezone), "by": state.by or formats.UNKNOWN}
    if state.status == "ignored":
        return _("ignored {day}, {by}", **words)
    if state.release:
        return _("resolved in {release}, {day}, {by}", release=state.release, **words)
    return _("resolved {day}, {by}", **words)


def _said(report: ErrorReport) -> tuple[str, ...]:
    """What the documents showed that a reader of the figures must know."""
    return tuple(finding.message for finding in report.findings)


def _tone(report: ErrorReport) -> Tone:
    return "missed" if told_of(report) else "unknown" if report.findings else "met"
