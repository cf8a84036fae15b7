"""`sla-kit ledger`: what is kept for years: filling it, looking into it, correcting, proving, exporting, pruning."""

from __future__ import annotations

import getpass
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sla_kit.cli.options import TimeType, catalogue_options, source_option
from sla_kit.cli.progress import progress_bar

if TYPE_CHECKING:
    from sla_kit.ledger import Correction

_ledger = click.option(
    "-l",
    "--ledger",
    "address",
    envvar="SLA_KIT_LEDGER",
    show_envvar=True,
    default="ledger.db",
    show_default=True,
    metavar="PATH|URL",
    help="The ledger: a file, or postgresql://user@host/name.",
)
_author = click.option("--author", required=True, metavar="NAME", help="Who says so; it is kept for ever.")
_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept for ever.")


@click.group()
def ledger() -> None:
    """What is kept for years: closed buckets, corrections, and the proof of reports.

    \b
    Every night, beside a Prometheus that keeps 15 days:
      sla-kit ledger update -c sla.yml --source http://localhost:9090 --ledger ledger.db
    At the end of the quarter:
      sla-kit report -c sla.yml --ledger ledger.db --window last-quarter --out report
      sla-kit ledger verify report/report.json --ledger ledger.db
    """


@ledger.command()
@catalogue_options
@_ledger
@source_option
@click.option(
    "--since",
    metavar="30d|TIME",
    help="How far back: a length of time, or a moment. Default: from the last closed bucket on, and for what is new "
    "as far back as a recording goes, or the longest window of the catalogue.",
)
@click.option("--until", type=TimeType(), metavar="TIME", help="Close no bucket after this. Default: all that may be.")
def update(
    catalogue: str,
    environment: str | None,
    address: str,
    source: tuple[str, ...] | None,
    since: str | None,
    until: float | None,
) -> None:
    """Reads what the ledger lacks and closes it.

    Only buckets that are missing are asked for. It may be killed and run again, or run twice at once. A bucket is
    closed once it is as old as the catalogue's `ledger: {lag: 1h}`; younger ones are left to the next run.
    """
    from sla_kit import load
    from sla_kit.ledger import open_ledger
    from sla_kit.opening import SETTLE_SECONDS, opened

    loaded = load(catalogue, environment)
    now = int(time.time()) - SETTLE_SECONDS
    with opened(source, loaded) as live, open_ledger(address) as kept, progress_bar("closing") as progress:
        end = now if until is None else int(until)
        span = live.span()
        start = _since(since, min(end, span[1]) if span is not None else end)
        done = kept.update(loaded, live, since=start, until=end, now=now, progress=progress)
    click.echo(
        f"{done.rows} rows with {done.buckets} buckets of {done.indicators} indicators written to {kept.name}, "
        f"closed until {_time(done.until)}"
    )


@ledger.command("list")
@_ledger
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(address: str, as_json: bool) -> None:
    """Shows what is held of each indicator, and every correction."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from sla_kit.ledger import open_ledger
    from sla_kit.ledger.listing import holdings

    with open_ledger(address, create=False) as kept:
        held, corrections = holdings(kept), kept.corrections()
    if as_json:
        document = {
            "indicators": [{**asdict(one), "start": _time(one.start), "end": _time(one.end)} for one in held],
            "corrections": [asdict(one) for one in corrections],
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console()
    if not held:
        console.print("The ledger is empty; `sla-kit ledger update` fills it.")
    for catalogue, environment in dict.fromkeys((one.catalogue, one.environment) for one in held):
        table = Table(title=f"{catalogue}{f', {environment}' if environment else ''}", title_justify="left")
        table.add_column("indicator", overflow="fold")
        for title in ("closed from", "to"):
            table.add_column(title, no_wrap=True)
        for title in ("days", "bytes/day", "corrected"):
            table.add_column(title, justify="right")
        for one in held:
            if (one.catalogue, one.environment) == (catalogue, environment):
                table.add_row(
                    f"{one.service}/{one.name}",
                    _time(one.start)[:10],
                    _time(one.end)[:16],
                    str(one.rows),
                    f"{one.bytes_per_day:.0f}",
                    str(one.corrected or ""),
                )
        console.print(table)
    if corrections:
        table = Table(title="Corrections", title_justify="left")
        for title in ("number", "made", "by", "what", "why"):
            table.add_column(title)
        for correction in corrections:
            table.add_row(
                str(correction.number), correction.made_at, correction.author, _what(correction), correction.reason
            )
        console.print(table)


@ledger.command()
@click.argument("report", required=False, type=click.Path(path_type=Path))
@_ledger
def verify(report: Path | None, address: str) -> None:
    """Proves a report, or says what has changed; without REPORT checks every row and every correction.

    REPORT is the report.json that `sla-kit report --ledger` wrote. It is computed again from the catalogue, the
    exclusions and the buckets that it was made of. Leaves with 0 where all is as it was, 1 where it is not.
    """
    from sla_kit.ledger import open_ledger
    from sla_kit.ledger.verifying import verify_ledger, verify_report

    with open_ledger(address, create=False) as kept, progress_bar("verifying") as progress:
        notes: tuple[str, ...] = ()
        if report is None:
            problems = tuple(verify_ledger(kept, progress))
        else:
            verdict = verify_report(kept, report, progress)
            problems, notes = verdict.problems, verdict.notes
    for problem in problems:
        click.echo(str(problem))
    if problems:
        many = f"{len(problems)} things are" if len(problems) > 1 else "one thing is"
        click.echo(f"Not proven: {many} not as it was." if report else f"Damaged: {many} not as it was written.")
    else:
        click.echo(
            f"Proven: computed again, {report} says the same, from the same buckets."
            if report
            else "Every row, correction and proof is as it was written."
        )
    for note in notes:
        click.echo(f"Note: {note}")
    sys.exit(1 if problems else 0)


@ledger.command()
@catalogue_options
@_ledger
@click.option("--start", type=TimeType(), required=True, metavar="TIME", help="RFC 3339 or seconds.")
@click.option("--end", type=TimeType(), required=True, metavar="TIME", help="RFC 3339 or seconds.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this service; may be repeated.")
@click.option("--name", default="", metavar="TEXT", help="What reports call it.")
@_author
@_reason
def exclude(
    catalogue: str,
    environment: str | None,
    address: str,
    start: float,
    end: float,
    services: tuple[str, ...],
    name: str,
    author: str,
    reason: str,
) -> None:
    """Leaves a stretch of time out of all figures from now on, as a correction that is never deleted.

    \b
    Example:
      sla-kit ledger exclude -c sla.yml --start 2026-09-23T07:00:00Z --end 2026-09-23T07:30:00Z --service api \\
        --author "R. Byrd" --reason "the provider's outage, credited by contract"
    """
    from sla_kit import load
    from sla_kit.ledger import open_ledger

    loaded = load(catalogue, environment)
    with open_ledger(address, create=False) as kept:
        made = kept.exclude(loaded, int(start), int(end), author=author, reason=reason, services=services, name=name)
    click.echo(f"correction {made.number}: {_what(made)}")


@ledger.command()
@catalogue_options
@_ledger
@click.argument("number", type=int)
@_author
@_reason
def withdraw(catalogue: str, environment: str | None, address: str, number: int, author: str, reason: str) -> None:
    """Lets an exclusion no longer count, as one more correction. NUMBER is that of the exclusion."""
    from sla_kit import load
    from sla_kit.ledger import open_ledger

    loaded = load(catalogue, environment)
    with open_ledger(address, create=False) as kept:
        made = kept.withdraw(loaded, number, author=author, reason=reason)
    click.echo(f"correction {made.number}: {_what(made)}")


@ledger.command()
@catalogue_options
@_ledger
@source_option
@click.option("--since", type=TimeType(), required=True, metavar="TIME", help="The first day to read again.")
@click.option("--until", type=TimeType(), required=True, metavar="TIME", help="The end of the last day.")
@_author
@_reason
def reread(
    catalogue: str,
    environment: str | None,
    address: str,
    source: tuple[str, ...] | None,
    since: float,
    until: float,
    author: str,
    reason: str,
) -> None:
    """Reads closed days again, where data came later than the lag. Days that differ are added as a correction; the
    rows that were there stay, so that earlier reports can still be proven."""
    from sla_kit import load
    from sla_kit.ledger import open_ledger
    from sla_kit.ledger.rereading import reread as read_again
    from sla_kit.opening import opened

    loaded = load(catalogue, environment)
    with (
        opened(source, loaded) as live,
        open_ledger(address, create=False) as kept,
        progress_bar("reading") as progress,
    ):
        made, changed = read_again(
            kept, loaded, live, int(since), int(until), author=author, reason=reason, progress=progress
        )
    click.echo(f"correction {made.number}: {changed} days have changed" if made is not None else "nothing has changed")


@ledger.command()
@catalogue_options
@_ledger
@click.argument("slo", metavar="SERVICE/SLO")
@click.option("-w", "--window", default="30d", show_default=True, metavar="W", help="As for `sla-kit report`.")
@click.option("--at", type=TimeType(), metavar="TIME", help="The moment to look back from. Default: the last bucket.")
def audit(catalogue: str, environment: str | None, address: str, slo: str, window: str, at: float | None) -> None:
    """Shows every version of a figure: as it was first, and as each correction left it."""
    from rich.console import Console
    from rich.table import Table

    from sla_kit import load
    from sla_kit.ledger import open_ledger
    from sla_kit.ledger.auditing import versions

    loaded = load(catalogue, environment)
    service, _, name = slo.partition("/")
    table = Table(title=f"{slo}, {window}", title_justify="left")
    for title in ("", "what", "by", "why"):
        table.add_column(title)
    for title in ("SLI", "bad", "total", "met"):
        table.add_column(title, justify="right", no_wrap=True)
    with open_ledger(address, create=False) as kept:
        for version in versions(kept, loaded, service, name, window, None if at is None else int(at)):
            one, figure = version.correction, version.figure
            about = ("", "as it was first", "", "") if one is None else _columns(one)
            sli = "unknown" if figure.sli is None else f"{figure.sli:.6%}"
            met = {True: "yes", False: "no", None: figure.reason or "unknown"}[figure.met]
            table.add_row(*about, sli, f"{figure.bad:.6g}", f"{figure.total:.9g}", met)
    Console().print(table)


@ledger.command()
@catalogue_options
@_ledger
@click.option(
    "--before", type=TimeType(), metavar="TIME", help="Default: as the catalogue's `ledger: {keep: 5y}` says."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--author", metavar="NAME", help="Who says so; it is kept for ever. Default: who runs this.")
@click.option(
    "--reason", default="older than it must be kept", show_default=True, metavar="TEXT", help="Kept for ever."
)
def prune(
    catalogue: str,
    environment: str | None,
    address: str,
    before: float | None,
    dry_run: bool,
    yes: bool,
    author: str | None,
    reason: str,
) -> None:
    """Deletes rows that are older than they must be kept. What was deleted, by whom and why is kept."""
    from sla_kit import load
    from sla_kit.errors import SlaKitError
    from sla_kit.ledger import open_ledger
    from sla_kit.ledger.pruning import prune as delete
    from sla_kit.ledger.reading import day_name

    loaded, author = load(catalogue, environment), author or getpass.getuser()
    if before is None:
        if not loaded.ledger.keep:
            raise SlaKitError("it is not said what is old", remedy="give --before, or `ledger: {keep: 5y}`")
        before = time.time() - loaded.ledger.keep
    with open_ledger(address, create=False) as kept:
        would = delete(kept, loaded, int(before), author=author, reason=reason, dry_run=True)
        if not would.rows or would.first is None or would.last is None:
            click.echo("There is nothing so old.")
            return
        what = f"{would.rows} rows from {day_name(would.first)} to {day_name(would.last)}"
        if dry_run:
            click.echo(f"Would delete {what}.")
            return
        if not yes:
            click.confirm(f"Delete {what} from {kept.name}?", abort=True)
        done = delete(kept, loaded, int(before), author=author, reason=reason)
    click.echo(f"Deleted {done.rows} rows; correction {done.correction.number if done.correction else '?'} says so.")


@ledger.command()
@_ledger
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), default="ledger.parquet", show_default=True
)
@click.option("--since", type=TimeType(), default=0.0, metavar="TIME", help="Only buckets after this.")
@click.option("--until", type=TimeType(), metavar="TIME", help="Only buckets up to this.")
def export(address: str, out: Path, since: float, until: float | None) -> None:
    """Writes every bucket into a Parquet file: service, indicator, time, good, total, coverage, value.

    \b
    In a notebook:
      pandas.read_parquet("ledger.parquet").groupby("service", observed=True)[["good", "total"]].sum()
    """
    from sla_kit.ledger import open_ledger
    from sla_kit.ledger.exporting import export as write

    with open_ledger(address, create=False) as kept, progress_bar("exporting") as progress:
        written = write(kept, out, int(since), None if until is None else int(until), progress)
    click.echo(f"{written} buckets written to {out}")


@ledger.command()
@click.option(
    "-c",
    "--catalogue",
    type=click.Path(),
    help="The catalogue that says how soon somebody responds to each severity. "
    "Default: 5 minutes to critical, 30 to warning.",
)
@click.option("-e", "--environment", metavar="NAME", help="Use the catalogue's overlay for this environment.")
@_ledger
@click.option(
    "--since", default="30d", show_default=True, metavar="30d|TIME", help="How far back: a length of time, or a moment."
)
@click.option("--until", type=TimeType(), metavar="TIME", help="Only incidents that opened before. Default: now.")
@click.option("--severity", default="", metavar="NAME", help="Only incidents of this severity.")
@click.option("--team", default="", metavar="NAME", help="Only incidents of this team.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def responses(
    catalogue: str | None,
    environment: str | None,
    address: str,
    since: str,
    until: float | None,
    severity: str,
    team: str,
    as_json: bool,
) -> None:
    """Shows how quickly incidents were told, taken and over.

    `sla-kit route` writes them where the catalogue's `routing: {ledger: …}` says so. The time to acknowledge counts
    from when somebody was told, the time to recover from when the first alert began to fire.
    """
    import json

    from sla_kit import load
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.cli.responses import as_document, print_tables
    from sla_kit.ledger import open_ledger
    from sla_kit.routing.deciding.severities import Severities

    loaded = Catalogue(name="none", services=[]) if catalogue is None else load(catalogue, environment)
    respond_within = Severities(loaded).respond_within
    end = time.time() if until is None else until
    start = _since(since, int(end))
    with open_ledger(address, create=False) as kept:
        found = kept.responses(start or 0, end, severity=severity, team=team)
    if as_json:
        click.echo(json.dumps(as_document(found, respond_within), indent=2, ensure_ascii=False))
    else:
        print_tables(found, respond_within)


def _since(text: str | None, end: int) -> int | None:
    """What --since means: a length before ``end``, or a moment; epoch seconds."""
    if text is None:
        return None
    from sla_kit.configuration.quantities import parse_duration

    try:
        return end - int(parse_duration(text))
    except ValueError:
        return int(TimeType().convert(text, None, None))


def _time(time: float) -> str:
    from sla_kit.report.formats import rfc3339

    return rfc3339(time) or "?"


def _what(correction: Correction) -> str:
    from sla_kit.ledger.reading import day_name

    content = correction.content
    match correction.kind:
        case "exclusion":
            services = ", ".join(content["services"]) or "everything"
            return f"{services} is left out from {_time(content['start'])} to {_time(content['end'])}"
        case "withdrawal":
            return f"correction {content['number']} no longer counts"
        case "reading":
            return f"{content['days']} days were read again"
        case "pruning":
            return f"{content['rows']} rows to {day_name(content['last_day'])} were deleted"


def _columns(correction: Correction) -> tuple[str, ...]:
    return str(correction.number), _what(correction), f"{correction.author}, {correction.made_at}", correction.reason
