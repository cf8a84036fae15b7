"""`sla-kit outbox`: what the router has accepted and is to deliver: looking into it, sending again, dropping."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sla_kit.cli.terminal import visible, visible_json
from sla_kit.errors import MissingExtraError, SlaKitError

if TYPE_CHECKING:
    from sla_kit.routing.outbox.accepting import DeadEvent
    from sla_kit.routing.outbox.deliveries import Delivery
    from sla_kit.routing.outbox.store import Outbox

Command = TypeVar("Command", bound=Callable[..., Any])
#: As `sla_kit.routing.outbox.looking.STATES`, which is not loaded until it is needed.
_STATES = ("pending", "dead", "delivered", "held", "folded", "dropped")
_EVENT = "event:"
#: What is wrong with dropping what is in one of these states.
_UNDROPPABLE = {
    "delivered": "was told already",
    "folded": "was told as a part of something else, or is not told at all",
    "dropped": "was dropped already",
    "planned": "was planned: drop the deliveries that came of it",
    "new": "waits to be planned: drop the deliveries that come of it",
}


def _where(command: Command) -> Command:
    """``--outbox``, ``--catalogue`` and ``--environment``."""
    address = click.option(
        "-o",
        "--outbox",
        "address",
        metavar="PATH|URL",
        help="The outbox: a file, or postgresql://user@host/name. Default: what the catalogue's `routing` says.",
    )
    path = click.option(
        "-c",
        "--catalogue",
        type=click.Path(path_type=Path),
        default="sla.yml",
        show_default=True,
        help="The catalogue: a YAML file, or a folder of them; for the outbox's address and password.",
    )
    environment = click.option("-e", "--environment", metavar="NAME", help="Use the catalogue's overlay for this.")
    return address(path(environment(command)))


@click.group()
def outbox() -> None:
    """What the router has accepted and is to deliver; also while a router runs.

    \b
      sla-kit outbox list --state dead -o outbox.db     what could not be delivered, and why
      sla-kit outbox show 17 -o outbox.db               all about one delivery
      sla-kit outbox retry 17 event:3 -o outbox.db      deliver (or plan) it now
    """
    for module in ("sqlalchemy", "alembic"):
        if find_spec(module) is None:
            raise MissingExtraError("the outbox", module, "router")


@outbox.command("list")
@_where
@click.option("--state", type=click.Choice(_STATES), help="Only those.")
@click.option(
    "--destination", default="", metavar="TO", help="Only to this: slack:#incidents, or slack for all of Slack."
)
@click.option("--incident", metavar="KEY|NUMBER", help="Only of this incident: its dedup key, or its number.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(
    address: str | None,
    catalogue: Path,
    environment: str | None,
    state: Any,
    destination: str,
    incident: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Shows deliveries, the newest first, and events that could not be planned."""
    from sla_kit.routing.outbox import accepting, deliveries

    number = int(incident) if incident is not None and incident.isdecimal() and len(incident) < 19 else incident
    with _opened(address, catalogue, environment) as box, box.reading() as connection:
        found = deliveries.page(connection, state=state, destination=destination, incident=number, limit=limit)
        everything = state in (None, "dead") and not destination and incident is None
        events = accepting.dead_events(connection, limit) if everything else []
        waiting = accepting.waiting_events(connection)
        now = box.clock.now()
    if as_json:
        told = {"deliveries": [_plain(one) for one in found], "events": [_plain_event(one) for one in events]}
        click.echo(visible_json(json.dumps({**told, "events_waiting": waiting}, indent=2, ensure_ascii=False)))
        return
    _print_list(found, events, now)
    if waiting:  # on standard error: it is no row of what was asked for
        click.echo(f"{_many(waiting, 'event')} accepted and not planned yet; a router does that when it runs", err=True)


@outbox.command()
@_where
@click.argument("id_", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def show(address: str | None, catalogue: Path, environment: str | None, id_: str, as_json: bool) -> None:
    """Shows everything about one delivery, or about an event that could not be planned (event:NUMBER)."""
    with _opened(address, catalogue, environment) as box:
        document = _document(box, id_)
    if as_json:
        click.echo(visible_json(json.dumps(document, indent=2, ensure_ascii=False)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in document.items():
        if value in (None, "", [], {}) or name in ("history", "content"):
            continue
        table.add_row(name.replace("_", " "), Text(_printable(value)))
    console = Console()
    console.print(table)
    for line in document.get("history", []):
        told = f"{line['at']}  {line['what']} (version {line['version']})  {line['words']}".rstrip()
        console.print(Text(visible(told)))
    console.print(Text(visible(json.dumps(document["content"], indent=2, ensure_ascii=False))))


@outbox.command()
@_where
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all-dead", is_flag=True, help="All dead deliveries and events (with --destination: only those to it).")
@click.option("--destination", default="", metavar="TO", help="With --all-dead: only to this.")
def retry(
    address: str | None,
    catalogue: Path,
    environment: str | None,
    ids: tuple[str, ...],
    all_dead: bool,
    destination: str,
) -> None:
    """Makes deliveries due at once: dead ones are tried again, and failing ones do not wait. event:NUMBER is planned
    again. A delivery that has told the newest state is left alone."""
    from sla_kit.routing.outbox import accepting, deliveries

    with _opened(address, catalogue, environment) as box:
        numbers, events = _chosen(box, ids, all_dead, destination)
        now = box.clock.now()
        due = box.write(lambda connection: deliveries.revive(connection, numbers, now))
        planned = box.write(lambda connection: accepting.plan_again(connection, events))
    click.echo(f"{_many(due, 'delivery', 'deliveries')} due now, {_many(planned, 'event')} to be planned again")
    if due < len(numbers) or planned < len(events):
        click.echo("The others had nothing left to tell.")


@outbox.command()
@_where
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all-dead", is_flag=True, help="All dead deliveries and events (with --destination: only those to it).")
@click.option("--destination", default="", metavar="TO", help="With --all-dead: only to this.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(
    address: str | None,
    catalogue: Path,
    environment: str | None,
    ids: tuple[str, ...],
    all_dead: bool,
    destination: str,
    yes: bool,
) -> None:
    """Gives deliveries up, pending, held or dead: nobody is told of them. `retry` can bring one back as long as it is
    kept. event:NUMBER, which could not be planned, is given up, too. Naming one that was told already is a mistake, and
    nothing is dropped then."""
    from sla_kit.routing.outbox import accepting, deliveries

    with _opened(address, catalogue, environment) as box:
        numbers, events = _chosen(box, ids, all_dead, destination)
        _check_droppable(box, [] if all_dead else numbers, [] if all_dead else events)
        what = f"{_many(len(numbers), 'delivery', 'deliveries')} and {_many(len(events), 'event')}"
        if not yes:
            if not sys.stdin.isatty():
                raise SlaKitError("nobody can be asked whether to drop them", remedy="say --yes")
            click.confirm(f"Drop {what} in {box.name}? Nobody will be told.", abort=True)
        now, by = box.clock.now(), _user()
        done = box.write(lambda connection: deliveries.drop(connection, numbers, now, by=by))
        gone = box.write(lambda connection: accepting.drop_events(connection, events))
    dropped = f"{_many(done, 'delivery', 'deliveries')} and {_many(gone, 'event')} dropped"
    left = len(set(numbers)) - done + len(set(events)) - gone
    if left and not all_dead:  # a router went on meanwhile
        raise SlaKitError(f"{dropped}; {left} could not be dropped any more", remedy="`sla-kit outbox list` shows why")
    click.echo(dropped)


def _check_droppable(box: Outbox, numbers: Sequence[int], events: Sequence[int]) -> None:
    """Raises `SlaKitError`, which names all of them, where somebody names what can't be dropped."""
    from sla_kit.routing.outbox import accepting, deliveries

    with box.reading() as connection:
        found = [(str(number), deliveries.delivery_of(connection, number)) for number in numbers]
        states: list[tuple[str, str]] = [(id_, one.state) for id_, one in found if one is not None]
        planned = [(f"{_EVENT}{number}", accepting.event_of(connection, number)) for number in events]
    states += [(id_, event.state) for id_, event in planned if event is not None]
    wrong = [f"{id_} {_UNDROPPABLE[state]}" for id_, state in states if state in _UNDROPPABLE]
    if wrong:
        raise SlaKitError(
            f"nothing was dropped: {'; '.join(wrong)}",
            place=box.name,
            remedy="name only what is pending, held or dead: `sla-kit outbox list --state pending` shows it",
        )


def _user() -> str:
    """Who runs this; a container may know no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def _opened(address: str | None, catalogue: Path, environment: str | None) -> Outbox:
    from sla_kit.routing.outbox.store import open_outbox

    password = ""
    if address is None:
        from sla_kit.catalogue import load

        routing = load(catalogue, environment).routing
        address = routing.outbox
        password = routing.outbox_password.read() if routing.outbox_password is not None else ""
    return open_outbox(address, password=password, create=False)


def _chosen(box: Outbox, ids: tuple[str, ...], all_dead: bool, destination: str) -> tuple[list[int], list[int]]:
    """The numbers of deliveries and of events; each must be there."""
    from sla_kit.routing.outbox import accepting, deliveries

    if bool(ids) == all_dead or (destination and not all_dead):
        raise SlaKitError("it is not said which", remedy="name IDs, or say --all-dead, alone or with --destination")
    with box.reading() as connection:
        if all_dead:
            dead = deliveries.page(connection, state="dead", destination=destination, limit=1_000_000)
            found = [] if destination else accepting.dead_events(connection, limit=1_000_000)
            return [one.id for one in dead], [one.id for one in found]
        numbers: list[int] = []
        events: list[int] = []
        for id_ in ids:
            kind, number = _parsed(id_)
            known: object = (
                accepting.event_of(connection, number) if kind else deliveries.delivery_of(connection, number)
            )
            if known is None:
                raise SlaKitError(f"there is no {id_}", place=box.name, remedy="`sla-kit outbox list` shows them")
            (events if kind else numbers).append(number)
    return numbers, events


def _parsed(id_: str) -> tuple[str, int]:
    found = re.fullmatch(rf"({_EVENT})?([0-9]{{1,18}})", id_)
    if found is None:
        raise SlaKitError(f"{id_!r} is no ID", remedy="write the number of a delivery, or event:NUMBER")
    return found[1] or "", int(found[2])


def _document(box: Outbox, id_: str) -> dict[str, Any]:
    """All that is known of a delivery or an event, for printing."""
    import msgspec

    from sla_kit.routing.outbox import accepting, deliveries, incidents
    from sla_kit.routing.outbox.looking import content_of

    kind, number = _parsed(id_)
    with box.reading() as connection:
        if kind:
            event = accepting.event_of(connection, number)
            if event is not None:
                return {**_plain_event(event), "content": _content(event.body)}
        elif (one := deliveries.delivery_of(connection, number)) is not None:
            lines = [
                {**msgspec.to_builtins(line), "at": _time(line.at)} for line in deliveries.history(connection, number)
            ]
            body: Any = _content(content_of(connection, number) or b"null")
            if one.incident_id is not None:
                stored = incidents.load(connection, one.incident_id)
                body = None if stored is None else msgspec.to_builtins(stored.incident)
            return {**_plain(one), "history": lines, "content": _without_secrets(body)}
    raise SlaKitError(f"there is no {id_}", place=box.name, remedy="`sla-kit outbox list` shows them")


def _content(body: bytes) -> Any:
    try:
        return _without_secrets(json.loads(body))
    except (ValueError, RecursionError):
        return f"{len(body)} bytes that are no JSON"


def _without_secrets(part: Any) -> Any:
    """What others have sent may hold secrets of theirs."""
    from sla_kit.redacting import redacted

    if isinstance(part, str):
        return redacted(part)
    if isinstance(part, dict):
        return {key: _without_secrets(value) for key, value in part.items()}
    return [_without_secrets(one) for one in part] if isinstance(part, list) else part


def _plain(one: Delivery) -> dict[str, Any]:
    import msgspec

    times = ("told_at", "first_told_at", "failing_since", "due_at", "leased_until", "created_at")
    plain = {**msgspec.to_builtins(one), "destination": str(one.destination)}
    return {name: _time(value) if name in times else value for name, value in plain.items()}


def _plain_event(one: DeadEvent) -> dict[str, Any]:
    return {
        "id": f"{_EVENT}{one.id}",
        "kind": one.kind,
        "state": one.state,
        "received_at": _time(one.received_at),
        "reason": one.reason,
    }


def _print_list(found: list[Delivery], events: list[DeadEvent], now: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not found and not events:
        console.print("There are none.")
    if found:
        table = Table(title="Deliveries", title_justify="left")
        table.add_column("ID", justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for title in ("to", "of"):
            table.add_column(title, overflow="fold")
        for title in ("tried", "due"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("why", overflow="fold")
        for one in found:
            due = f"in {_length(one.due_at - now)}" if one.due_at > now else f"{_length(now - one.due_at)} ago"
            told = "" if one.told_at is None else f"{_length(now - one.told_at)} ago"
            table.add_row(
                str(one.id),
                "sending" if one.pending and one.leased_by else one.state,
                Text(visible(str(one.destination))),
                Text(visible(one.dedup_key or one.queue)),
                str(one.attempts or ""),
                due if one.pending else told,
                Text(visible(one.error)),
            )
        console.print(table)
    if events:
        table = Table(title="Events that could not be planned", title_justify="left")
        for title in ("ID", "kind", "received"):
            table.add_column(title, no_wrap=True)
        table.add_column("why", overflow="fold")
        for event in events:
            table.add_row(f"{_EVENT}{event.id}", event.kind, _time(event.received_at), Text(visible(event.reason)))
        console.print(table)


def _printable(value: Any) -> str:
    return visible(json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value))


def _many(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def _time(time: float | None) -> str | None:
    """Epoch seconds as RFC 3339 in UTC."""
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _length(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"
