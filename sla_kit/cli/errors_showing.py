"""What `sla-kit errors show` and `errors history` print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.terminal import visible, visible_json
from sla_kit.logs.fingerprint import redacted_message
from sla_kit.report import formats

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.error_tracking.results import ErrorGroup, ErrorReport
    from sla_kit.ledger.error_states import Saying

#: A stack is shown up to so many lines.
_STACK_LINES = 40


def print_group(group: ErrorGroup, report: ErrorReport, catalogue: Catalogue, said: Sequence[Saying]) -> None:
    """One group, for people."""
    from rich.console import Console
    from rich.text import Text

    from sla_kit.report.errors import named

    console = Console()
    console.print(Text(visible(named(group)), style="bold"))
    for title, value in _facts(group, report, catalogue):
        if value:
            console.print(Text.assemble((f"{title:<12}", "dim"), visible(value)))
    for title, lines in _parts(group, said, catalogue.timezone):
        if lines:
            console.print(Text(f"\n{title}", style="bold"))
            for line in lines:
                console.print(Text(f"  {visible(line)}"), soft_wrap=True)


def print_group_json(group: ErrorGroup, report: ErrorReport, catalogue: Catalogue, said: Sequence[Saying]) -> None:
    """One group as `sla-kit errors --format json` has it, with what was said of it and where its logs are."""
    import msgspec

    from sla_kit.report.document_errors import group_of
    from sla_kit.report.error_digest import logs_of

    owners = {service.name: service.owner for service in catalogue.services}
    document: dict[str, Any] = {
        "version": 1,
        "start": formats.rfc3339(report.start),
        "end": formats.rfc3339(report.end),
        "group": msgspec.to_builtins(group_of(group, owners)),
        "history": [_said_of(one) for one in said],
        "logs": logs_of(group, catalogue, report.start, report.end) or None,
        "method": report.method,
    }
    click.echo(visible_json(json.dumps(document, indent=2, ensure_ascii=False)))


def print_history(said: Sequence[Saying], timezone: str, as_json: bool) -> None:
    """What was said of groups, the newest last."""
    if as_json:
        click.echo(visible_json(json.dumps([_said_of(one) for one in said], indent=2, ensure_ascii=False)))
        return
    from rich.box import SIMPLE_HEAVY
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not said:
        console.print("Nothing was said of errors.")
        return
    table = Table(box=SIMPLE_HEAVY, padding=(0, 1, 0, 0))
    for title in ("when", "by", "group", "what", "why"):
        table.add_column(title, overflow="fold", no_wrap=title == "when")
    for one in said:
        cells = (formats.moment(one.at, timezone), one.by, f"{one.service}/{one.key}", _what(one), one.note)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(table)


def _facts(group: ErrorGroup, report: ErrorReport, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    from sla_kit.report.error_digest import logs_of
    from sla_kit.report.errors import estimate, kinds_of, people, sparkline

    zone, state, released = catalogue.timezone, group.state, group.deployment
    owner = state.owner or next((one.owner for one in catalogue.services if one.name == group.service), "")
    yield "key", group.key
    yield "service", group.service
    yield "kind", kinds_of(group)
    yield "status", f"{state.status}{f' in {state.release}' if state.release else ''}"
    yield "owner", owner
    yield "count", f"{estimate(group.count)} ({estimate(group.before)} in the time before)"
    yield "users", "" if group.users is None else people(group.users)
    yield "first seen", formats.moment(group.first_seen, zone)
    yield "last seen", formats.moment(group.last_seen, zone)
    yield "trend", f"{sparkline(group.trend)}  {formats.span(report.start, report.end, zone)}" if group.trend else ""
    told = {"document": "", "first-seen": ", its first document"}
    yield (
        "began after",
        f"{released.version}, {formats.moment(released.time, zone)}{told[released.told]}" if released else "",
    )
    yield "logs", logs_of(group, catalogue, report.start, report.end)
    yield "counted", report.method


def _parts(group: ErrorGroup, said: Sequence[Saying], zone: str) -> Iterator[tuple[str, list[str]]]:
    example = group.example
    yield "Frames", list(group.frames)
    yield "Releases", [f"{version or 'no version'}: {formats.count(count)}" for version, count in group.releases]
    yield (
        "Incidents",
        [
            f"{one.title}, {formats.moment(one.start, zone)} – "
            + ("not over" if one.end is None else formats.moment(one.end, zone))
            for one in group.incidents
        ],
    )
    if example is not None:
        about = [formats.moment(example.time, zone), example.host, example.version, example.trace]
        lines = [" · ".join(each for each in about if each), *redacted_message(example.message).splitlines()]
        stack = redacted_message(example.stack).splitlines()
        more = [f"… {len(stack) - _STACK_LINES} more lines"] if len(stack) > _STACK_LINES else []
        yield "Example, without secrets", [*lines, *stack[:_STACK_LINES], *more]
    yield (
        "What was said of it",
        [
            f"{formats.moment(one.at, zone)}, {one.by or '?'}: {_what(one)}{f' ({one.note})' if one.note else ''}"
            for one in said
        ],
    )


def _what(said: Saying) -> str:
    words = {"open": "open again", None: ""}
    status = words.get(said.status, str(said.status))
    release = f" in {said.release}" if said.release else ""
    owner = "" if said.owner is None else f"owner {said.owner}" if said.owner else "no owner of its own"
    return ", ".join(each for each in (f"{status}{release}", owner) if each)


def _said_of(said: Saying) -> dict[str, Any]:
    return {
        "service": said.service,
        "key": said.key,
        "status": said.status,
        "owner": said.owner,
        "release": said.release,
        "note": said.note,
        "by": said.by,
        "at": formats.rfc3339(round(said.at, 3)),
    }
