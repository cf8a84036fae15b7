"""What `sla-kit ledger responses` prints: incidents with how quickly they were told, taken and over, and the figures of
each severity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sla_kit.ledger.response_times import RespondWithin, Summary, Times
    from sla_kit.routing.delivering import Response

_DASH = "–"


def as_document(responses: Sequence[Response], respond_within: RespondWithin) -> dict[str, Any]:
    """Everything as JSON has it: times in seconds or RFC 3339, ratios from 0 to 1, null for what is not known."""
    from sla_kit.ledger import response_times as figures

    incidents = [
        {
            "dedup_key": one.dedup_key,
            "title": one.title,
            "severity": one.severity,
            "service": one.labels.get("service"),
            "team": one.labels.get("team"),
            "opened": _moment(one.opened_at),
            "told": _moment(one.told_at),
            "acknowledged": _moment(one.acknowledged_at),
            "acknowledged_by": one.acknowledged_by or None,
            "resolved": _moment(one.resolved_at),
            "seconds_to_tell": figures.seconds_to_tell(one),
            "seconds_to_acknowledge": figures.seconds_to_acknowledge(one),
            "seconds_to_recover": figures.seconds_to_recover(one),
            "in_time": figures.in_time(one, respond_within(one.severity)),
            "escalations": one.escalations,
        }
        for one in responses
    ]
    severities = [
        {
            "severity": one.severity,
            "incidents": one.incidents,
            "seconds_to_tell": _times(one.tell),
            "seconds_to_acknowledge": _times(one.acknowledge),
            "seconds_to_recover": _times(one.recover),
            "respond_within_seconds": one.respond_within,
            "judged": one.judged,
            "in_time": one.in_time,
            "in_time_ratio": one.share,
        }
        for one in figures.summaries(responses, respond_within)
    ]
    return {"percentiles": figures.METHOD, "severities": severities, "incidents": incidents}


def print_tables(responses: Sequence[Response], respond_within: RespondWithin) -> None:
    """Prints a table of the incidents, the newest last, and one of the severities."""
    from rich.box import SIMPLE_HEAVY
    from rich.console import Console
    from rich.table import Table

    from sla_kit.ledger import response_times as figures

    console = Console()
    if not responses:
        console.print("No incident is kept that opened in this time.")
        return
    table = Table(title="Incidents", title_justify="left", box=SIMPLE_HEAVY, padding=(0, 1, 0, 0))
    for title, least in (("opened", 10), ("severity", 8), ("incident", 10), ("team", 4)):
        table.add_column(title, min_width=least, no_wrap=title == "severity", overflow="fold")
    for title in ("told", "acknowledged", "recovered"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("by", min_width=4, overflow="fold")
    for one in responses:
        taken = figures.seconds_to_acknowledge(one)
        late = figures.in_time(one, respond_within(one.severity)) is False
        table.add_row(
            (_moment(one.opened_at) or _DASH)[:16].replace("T", " "),
            _plain(one.severity),
            _plain(one.title),
            _plain(one.labels.get("team", "")),
            _length(figures.seconds_to_tell(one)),
            _length(taken) + (" late" if late else ""),
            _length(figures.seconds_to_recover(one)),
            _plain(one.acknowledged_by),
        )
    console.print(table)
    table = Table(
        title="By severity: median / 95th percentile", title_justify="left", box=SIMPLE_HEAVY, padding=(0, 1, 0, 0)
    )
    table.add_column("severity", no_wrap=True)
    for title in ("incidents", "told", "acknowledged", "in time", "recovered"):
        table.add_column(title, justify="right", min_width=len(title))
    for summary in figures.summaries(responses, respond_within):
        table.add_row(
            _plain(summary.severity),
            str(summary.incidents),
            _pair(summary.tell, summary.incidents),
            _pair(summary.acknowledge, summary.incidents),
            _share(summary),
            _pair(summary.recover, summary.incidents),
        )
    console.print(table)
    console.print(f"Percentiles by {figures.METHOD}.", style="dim")


def _share(summary: Summary) -> str:
    if summary.share is None or summary.respond_within is None:
        return _DASH
    return f"{summary.share:.1%} ≤ {_length(summary.respond_within)}"


def _pair(times: Times, of: int) -> str:
    if not times.count:
        return _DASH
    some = f" ({times.count} of {of})" if times.count < of else ""
    return f"{_length(times.median)} / {_length(times.p95)}{some}"


def _times(times: Times) -> dict[str, float | int | None]:
    return {"count": times.count, "median": times.median, "p95": times.p95}


def _length(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return _DASH
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole} s"


def _moment(seconds: float | None) -> str | None:
    from sla_kit.report.formats import rfc3339

    return None if seconds is None else rfc3339(seconds)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape("".join(one if one.isprintable() else " " for one in text))
