"""`sla-kit errors resolve`, `ignore`, `reopen`, `own` and `history`: what people say of groups, and what they said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from sla_kit.cli.errors_reading import (
    MANY,
    kept_ledger,
    key_argument,
    ledger_option,
    one_group,
    service_option,
    tracked,
)
from sla_kit.cli.options import Command, catalogue_options, source_options
from sla_kit.errors import SlaKitError

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue

#: A whole key, as sla-kit makes it.
_WHOLE = re.compile(r"[0-9a-f]{16}")


def _options(command: Command) -> Command:
    """What every saying takes."""
    for option in (
        click.option("--by", metavar="NAME", help="Who says so; it is kept for ever. Default: who runs this."),
        click.option("--note", default="", metavar="TEXT", help="Why; it is kept for ever."),
        ledger_option,
        service_option("Of this service; with a whole key the logs need not be read."),
        source_options("30d"),
        catalogue_options,
        key_argument(),
    ):
        command = option(command)
    return command


@click.command()
@_options
@click.option("--release", default="", metavar="VERSION", help="The first release without it.")
@click.pass_context
def resolve(context: click.Context, /, key: str, release: str, **given: Any) -> None:
    """Says that a group is mended, in a release where one is named: seen again later, it has come back."""
    _say(context, key, given, status="resolved", release=release)


@click.command()
@_options
@click.pass_context
def ignore(context: click.Context, /, key: str, **given: Any) -> None:
    """Says that a group does not matter: only --all shows it, and nobody is told of it."""
    _say(context, key, given, status="ignored")


@click.command()
@_options
@click.pass_context
def reopen(context: click.Context, /, key: str, **given: Any) -> None:
    """Takes back that a group is mended, or does not matter."""
    _say(context, key, given, status="open")


@click.command()
@_options
@click.argument("contact")
@click.pass_context
def own(context: click.Context, /, key: str, contact: str, **given: Any) -> None:
    """Says whose a group is: a contact of the catalogue, or '' for whoever owns its service."""
    _say(context, key, given, owner=contact)


@click.command()
@catalogue_options
@ledger_option
@service_option("Only of this service; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@key_argument(required=False)
def history(
    catalogue: str, environment: str | None, ledger: str, services: tuple[str, ...], as_json: bool, key: str
) -> None:
    """Shows what was said of groups, by whom and when; only of those whose keys begin with KEY, where it is given."""
    from sla_kit import load
    from sla_kit.cli.errors_showing import print_history
    from sla_kit.ledger import open_ledger

    loaded = load(catalogue, environment)
    with open_ledger(ledger, create=False) as kept:
        said = kept.said_of_errors(loaded.environment)
    found = [one for one in said if one.key.startswith(key) and (not services or one.service in services)]
    print_history(found, loaded.timezone, as_json)


def _say(context: click.Context, key: str, given: dict[str, Any], **what: Any) -> None:
    """Keeps what is said of the group that a key names, and prints how it stands then."""
    import getpass

    from sla_kit import load
    from sla_kit.configuration.places import nearest
    from sla_kit.ledger import open_ledger

    loaded = load(given["catalogue"], given["environment"])
    contacts = [contact.name for contact in loaded.contacts]
    if what.get("owner") and what["owner"] not in contacts:
        remedy = nearest(what["owner"], contacts) or "declare it under contacts"
        raise SlaKitError(f"the catalogue has no contact {what['owner']!r}", remedy=remedy)
    service, whole = _which(context, loaded, key, given)
    with open_ledger(given["ledger"]) as kept:
        state = kept.say_of_error(
            service,
            whole,
            note=given["note"],
            by=given["by"] or getpass.getuser(),
            environment=loaded.environment,
            **what,
        )
        name = kept.name
    release = f" in {state.release}" if state.release else ""
    owner = f", owner {state.owner}" if state.owner else ""
    click.echo(f"{service}/{whole}: {state.status}{release}{owner} (kept in {name})")


def _which(context: click.Context, loaded: Catalogue, key: str, given: dict[str, Any]) -> tuple[str, str]:
    """Service and whole key of the group that is meant: one of which something was said before, else one that the logs
    hold; or, with a whole key and one service, that one."""
    from sla_kit.error_tracking.opening import log_server

    services = given["services"]
    with kept_ledger(context, given["ledger"]) as kept:
        states = {} if kept is None else kept.error_states(loaded.environment)
    begun = [name for name in states if name[1].startswith(key) and (not services or name[0] in services)]
    known = [name for name in begun if name[1] == key]
    if len(known) == 1:
        return known[0]
    if len(services) == 1 and _WHOLE.fullmatch(key):
        return services[0], key
    if log_server(loaded, given["source"], instead=True)[0]:
        group = one_group(tracked(context, loaded, given, groups=MANY).groups, key)
        return group.service, group.key
    if len(begun) == 1:
        return begun[0]
    raise SlaKitError(
        f"it can't be told which group of errors {key!r} is, since no logs can be read",
        remedy="give --source elasticsearch+https://host:9200, or the whole key with its --service",
    )


COMMANDS: tuple[click.Command, ...] = (resolve, ignore, reopen, own, history)
