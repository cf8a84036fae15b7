"""What `sla-kit route serve` does: runs a router, or says what would run."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import NoReturn

import click

from sla_kit.errors import SlaKitError
from sla_kit.routing.state import Asked, State, read_state
from sla_kit.serving import logs
from sla_kit.serving.descriptors import fill_standard


def serve_router(asked: Asked) -> NoReturn:
    """Runs until it is told to end. Raises `SlaKitError` where it can't begin."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the first process of a container would not be ended
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # would end the process
    fill_standard()
    # What nobody expects may quote a secret: it is told by a log that takes it out.
    logs.configure(asked.log)
    try:
        state = read_state(asked)
        from sla_kit.routing.service import serve

        serve(asked, state)
    except (SlaKitError, click.ClickException, ImportError):
        raise
    except Exception:
        logging.getLogger(__name__).critical("an unexpected error", exc_info=True)
        sys.exit(2)


def check_router(asked: Asked) -> None:
    """Prints what would run, and leaves with 1 where a contact can't be reached."""
    state = read_state(asked)
    from sla_kit.routing.adapters import open_adapters, unreachable

    lost = unreachable(state.catalogue, open_adapters(state.catalogue))
    access = [_many(len(state.web.users), "user")] if state.web.users else []
    access += [_many(len(state.routing.tokens), "token")] if state.routing.tokens else []
    if state.web.client_certificates != "none":
        access.append(f"client certificates {state.web.client_certificates}")
    scheme = "https" if state.web.tls else "http"
    click.echo(f"would listen on {scheme}://{state.address}" + (f" ({', '.join(access)})" if access else ""))
    click.echo(f"would keep what comes in at {_outbox(state)}")
    click.echo(_many(len(state.catalogue.contacts), "contact"))
    for warning in state.warnings:
        click.echo(f"a secret is missing: {warning}", err=True)
    for each in lost:
        click.echo(f"{each.contact} can't be reached by {each.destination}: {each.why}", err=True)
    sys.exit(1 if lost or state.warnings else 0)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _outbox(state: State) -> str:
    from sla_kit.redacting import redacted

    return redacted(state.outbox)
