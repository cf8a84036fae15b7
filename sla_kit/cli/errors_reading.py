"""What the commands of `sla-kit errors` share: their options, the errors of a window, and which group a key names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from sla_kit.cli.options import Command
from sla_kit.cli.progress import progress_bar
from sla_kit.errors import SlaKitError

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.error_tracking.results import ErrorGroup, ErrorReport
    from sla_kit.ledger import Ledger

_LEDGER = "ledger.db"
#: So many groups are looked at to find the one that a key names.
MANY = 1000


def ledger_option(command: Command) -> Command:
    """``--ledger``, which has a default as that of `sla-kit ledger`."""
    option = click.option(
        "-l",
        "--ledger",
        envvar="SLA_KIT_LEDGER",
        show_envvar=True,
        default=_LEDGER,
        show_default=True,
        metavar="PATH|URL",
        help="Where what is said of groups is kept: a file, or postgresql://user@host/name.",
    )
    return option(command)


def service_option(help: str) -> Callable[[Command], Command]:
    """``--service``."""
    return click.option("--service", "services", multiple=True, metavar="NAME", help=help)


def _keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys of groups of which anything was said, where a ledger that is a file can tell at once."""
    from sla_kit.ledger import open_ledger

    address = str(context.params.get("ledger") or _LEDGER)
    if "://" in address or not Path(address).exists():
        return []
    try:
        with open_ledger(address, create=False) as kept:
            states = kept.error_states(str(context.params.get("environment") or ""))
    except SlaKitError:
        return []
    return [
        CompletionItem(state.key, help=f"{state.service}, {state.status}")
        for state in states.values()
        if state.key.startswith(incomplete)
    ]


def key_argument(*, required: bool = True) -> Callable[[Command], Command]:
    """``KEY``, which a shell completes."""
    return click.argument("key", required=required, default=None if required else "", shell_complete=_keys)


def tracked(
    context: click.Context,
    catalogue: Catalogue,
    given: Mapping[str, Any],
    *,
    exact: bool | None = None,
    sample: int | None = None,
    groups: int | None = None,
) -> ErrorReport:
    """The errors of the window that a command was ``given``, with what its ledger says of groups."""
    import time

    from sla_kit.engine.windows import parse_period
    from sla_kit.error_tracking.opening import track_errors
    from sla_kit.evaluation import chosen_slos

    services, at = given["services"], given["at"]
    chosen_slos(catalogue, services)  # tells of a service that there is none of
    period = parse_period(given["window"], int(time.time() if at is None else at), catalogue.timezone)
    how: dict[str, Any] = {} if sample is None else {"sample": sample}
    with kept_ledger(context, given["ledger"]) as kept, progress_bar("reading errors") as progress:
        return track_errors(
            catalogue,
            given["source"],
            period.start,
            period.end,
            services=services,
            ledger=kept,
            exact=exact,
            groups=groups,
            progress=progress,
            **how,
        )


def kept_ledger(context: click.Context, address: str) -> AbstractContextManager[Ledger | None]:
    """The ledger that is named; none where it is the default one and not there."""
    from sla_kit.ledger import open_ledger

    if context.get_parameter_source("ledger") is ParameterSource.DEFAULT and not Path(address).exists():
        return nullcontext(None)
    return open_ledger(address)


def one_group(groups: Sequence[ErrorGroup], key: str) -> ErrorGroup:
    """The group that a key, or the beginning of one, names. Raises `SlaKitError` for none and for several."""
    found = [group for group in groups if group.key == key] or [group for group in groups if group.key.startswith(key)]
    if not found:
        raise SlaKitError(
            f"no group of errors has the key {key!r}",
            remedy="`sla-kit errors` lists them; look further back with --window",
        )
    if len(found) > 1:
        names = ", ".join(f"{group.service}/{group.key}" for group in found[:5])
        same = len({group.key for group in found}) == 1
        raise SlaKitError(
            f"{len(found)} groups of errors have keys that begin with {key!r}: {names}",
            remedy="name the service with --service" if same else "give more of the key",
        )
    return found[0]
