"""`sla-kit silence`: Alertmanager's silences, by hand and from the calendar's maintenance windows."""

from __future__ import annotations

import getpass
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.options import Command, TimeType, catalogue_options
from sla_kit.cli.terminal import visible, visible_json

if TYPE_CHECKING:
    from sla_kit.routing.alertmanager import Client, Silence

_TOKEN = "SLA_KIT_ALERTMANAGER_TOKEN"  # noqa: S105  # a variable's name


@click.group()
def silence() -> None:
    """Alertmanager's silences: made, listed, ended, and kept in step with the calendar's maintenance.

    \b
      sla-kit silence add 'alertname="DiskFills"' 'instance=~"db.*"' --for 2h --comment "The disk is being grown"
      sla-kit silence list
      sla-kit silence sync -c sla.yml --dry-run

    The address is the catalogue's routing.alertmanager.url or monitoring.alertmanager, or --alertmanager.
    """


def _server_options(command: Command) -> Command:
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--alertmanager",
            "url",
            envvar="SLA_KIT_ALERTMANAGER",
            show_envvar=True,
            metavar="URL[,URL]",
            default="",
            help="Alertmanager's address; several of one cluster with commas. Default: as the catalogue says.",
        ),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help=f"A bearer token for --alertmanager. Default: the variable {_TOKEN}, or none.",
        ),
        catalogue_options,
    ]
    for option in options:
        command = option(command)
    return command


def _length(context: click.Context, option: click.Parameter, given: str | None) -> float | None:
    from sla_kit.configuration.quantities import parse_duration

    if given is None:
        return None
    try:
        seconds = parse_duration(given)
    except ValueError as error:
        raise click.BadParameter(f"{given!r} {error}: write 30m, 2h or 1d", context, option) from None
    if not 0 < seconds <= 366 * 86_400:
        raise click.BadParameter("a silence lasts longer than nothing, and at most a year", context, option)
    return seconds


@silence.command()
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHER...")
@_server_options
@click.option("--for", "seconds", callback=_length, metavar="2h", help="How long.")
@click.option("--until", type=TimeType(), metavar="TIME", help="Until when: RFC 3339 or seconds.")
@click.option("--comment", required=True, metavar="TEXT", help="Why.")
@click.option("--by", metavar="NAME", help="Who says so. Default: who runs this.")
@click.option("--yes", is_flag=True, help="Also where it would silence everything.")
def add(
    matchers: tuple[str, ...],
    catalogue: str,
    environment: str | None,
    url: str,
    token_file: Path | None,
    seconds: float | None,
    until: float | None,
    comment: str,
    by: str | None,
    yes: bool,
) -> None:
    """Makes one silence, for the alerts that all MATCHERs take, and prints its id.

    A MATCHER is name=value, name!=value, name=~"regular expression" or name!~"…", as Alertmanager writes them.
    """
    from sla_kit.errors import SlaKitError
    from sla_kit.routing.alertmanager import Silence, parse_matchers, takes_everything, written

    now = time.time()
    if (seconds is None) == (until is None):
        raise click.UsageError("say one of --for and --until")
    ends_at = now + seconds if seconds is not None else until
    assert ends_at is not None
    if not now < ends_at < now + 10 * 366 * 86_400:
        raise click.UsageError("the end must be in the future, and not ten years away")
    wanted = [matcher for text in matchers for matcher in parse_matchers(text)]
    if takes_everything(wanted) and not yes:
        raise SlaKitError(
            "this would silence everything, or nearly",
            place=written(wanted),
            remedy="name what is meant, such as a service; --yes does it all the same",
        )
    with _client(catalogue, environment, url, token_file) as client:
        everything = len(client.firing())
        if len(wanted) > 1:
            for matcher in wanted:
                _say(f"{written([matcher])} matches {len(client.firing([matcher]))} of {_alerts(everything)}")
        matched = len(client.firing(wanted))
        made = client.make(
            Silence(
                matchers=tuple(wanted),
                starts_at=now,
                ends_at=ends_at,
                created_by=by or getpass.getuser(),
                comment=comment,
            )
        )
    click.echo(visible(made))
    _say(f"silenced until {_time(ends_at)}; it matches {matched} of {_alerts(everything)} now")


@silence.command("list")
@_server_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over, as long as Alertmanager keeps them.")
def list_(
    catalogue: str, environment: str | None, url: str, token_file: Path | None, as_json: bool, everything: bool
) -> None:
    """Shows the silences, and how many firing alerts each holds back now."""
    with _client(catalogue, environment, url, token_file) as client:
        found = [each for each in client.silences() if everything or each.state != "expired"]
        held = Counter(silence_id for alert in client.firing() for silence_id in alert.silenced_by)
    found.sort(key=lambda each: (each.state == "expired", each.ends_at, each.id))
    if as_json:
        told = [_document(each, held[each.id]) for each in found]
        click.echo(visible_json(json.dumps(told, indent=2, ensure_ascii=False)))
    else:
        _print_table(found, held)


@silence.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_server_options
def expire(ids: tuple[str, ...], catalogue: str, environment: str | None, url: str, token_file: Path | None) -> None:
    """Ends silences now."""
    from sla_kit.errors import SlaKitError

    failed = False
    with _client(catalogue, environment, url, token_file) as client:
        for each in ids:
            try:
                client.expire(each)
            except SlaKitError as error:
                failed = True
                _say(f"sla-kit: {error}")
            else:
                click.echo(f"{each} is over")
    if failed:
        sys.exit(2)


@silence.command()
@_server_options
@click.option("--days", type=click.FloatRange(0.01, 366), default=7.0, show_default=True, help="How far ahead.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def sync(
    catalogue: str, environment: str | None, url: str, token_file: Path | None, days: float, dry_run: bool
) -> None:
    """Makes silences of the calendar's maintenance windows, extends them, and ends those of withdrawn windows.

    Run it as often as you like, or let the router do it (routing.alertmanager.maintenance). Silences of others, of
    other catalogues and of other environments are never touched; one that somebody ended by hand is not made again.
    """
    from sla_kit import load
    from sla_kit.routing.alertmanager import sync as synchronise
    from sla_kit.routing.alertmanager import written

    loaded = load(catalogue, environment)
    with _client(catalogue, environment, url, token_file) as client:
        done = synchronise(client, loaded, time.time(), days=days, dry_run=dry_run)
    would = "would be " if dry_run else ""
    for what, silences in (
        (f"{would}made", done.created),
        (f"{would}changed", done.changed),
        (f"{would}ended", done.expired),
        ("ended by hand, and left so", done.by_hand),
    ):
        for each in silences:
            times = f"{_time(each.starts_at)} to {_time(each.ends_at)}"
            click.echo(visible(f"{what}: {times}  {written(each.matchers)}  {each.comment}"))
    changes = len(done.created) + len(done.changed) + len(done.expired)
    click.echo(f"{changes} change{'' if changes == 1 else 's'}; right already: {len(done.kept)}")


def _client(catalogue: str, environment: str | None, url: str, token_file: Path | None) -> Client:
    """The client for an address that is given, with a token that is, else as the catalogue has it."""
    import os

    from sla_kit.catalogue.routing import AlertmanagerSettings
    from sla_kit.configuration.secrets import Secret
    from sla_kit.routing.alertmanager import Client, access

    if url:
        token = Secret(file=str(token_file)) if token_file else Secret(env=_TOKEN) if os.environ.get(_TOKEN) else None
        return Client(access(AlertmanagerSettings(url=url, token=token)))
    from sla_kit import load

    loaded = load(catalogue, environment)
    return Client(access(loaded.routing.alertmanager, loaded.monitoring.alertmanager))


def _print_table(found: list[Silence], held: Counter[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sla_kit.routing.alertmanager import written

    console = Console()
    if not found:
        console.print("There are no silences.")
        return
    table = Table()
    for title in ("id", "state", "until"):
        table.add_column(title, no_wrap=title != "id", overflow="fold")
    table.add_column("matchers", overflow="fold")
    table.add_column("alerts", justify="right")
    table.add_column("by", overflow="fold")
    table.add_column("comment", overflow="fold")
    for each in found:
        cells = (
            each.id,
            each.state,
            _time(each.ends_at),
            written(each.matchers),
            str(held[each.id]),
            each.created_by,
            each.comment,
        )
        # As text: brackets of a comment are no markup.
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(table)


def _document(found: Silence, alerts: int) -> dict[str, Any]:
    return {
        "id": found.id,
        "state": found.state,
        "matchers": [{"name": each.label, "operator": each.operator, "value": each.value} for each in found.matchers],
        "starts_at": _time(found.starts_at),
        "ends_at": _time(found.ends_at),
        "created_by": found.created_by,
        "comment": found.comment,
        "alerts": alerts,
    }


def _alerts(count: int) -> str:
    return f"{count} firing alert{'' if count == 1 else 's'}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(math.floor(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(text: str) -> None:
    """What is for people stands beside the output, which is for programs."""
    click.echo(visible(text), err=True)
