"""`sla-kit route`: the router, and what it would do with an alert."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sla_kit.cli.options import TimeType, catalogue_options
from sla_kit.errors import SlaKitError


@click.group()
def route() -> None:
    """Alertmanager in, Slack, PagerDuty and e-mail out, through an outbox that loses nothing.

    \b
    Who would be told of an alert, and why, without telling anybody:
      sla-kit route test alert.json -c sla.yml
    """


@route.command()
@click.argument("alert", metavar="ALERT.json")
@catalogue_options
@click.option("--at", type=TimeType(), metavar="TIME", help="When it would come: RFC 3339 or seconds. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def test(alert: str, catalogue: str, environment: str | None, at: float | None, as_json: bool) -> None:
    """Tell who would be told of an alert, where, when and why. Nothing is sent, and no server is asked.

    ALERT.json (- for standard input) is a webhook of Alertmanager, an alert or a list of them as its /api/v2/alerts
    has them, or what the router's own API takes.

    \b
    0  somebody would be told of all of it, now, in a digest or after maintenance
    1  of some of it nobody can be told: no contact has an address; or there are mistakes in the catalogue
    2  the alert can't be read

    \b
    Examples:
      sla-kit route test alert.json -c sla.yml -e production --at 2026-09-06T13:30:00-04:00
      curl -s http://localhost:9093/api/v2/alerts | sla-kit route test - -c sla.yml
    """
    from sla_kit import load
    from sla_kit.routing.explaining.explaining import explain
    from sla_kit.routing.explaining.reading import read_events
    from sla_kit.routing.explaining.telling import document, tell

    now = time.time() if at is None else at
    loaded = load(catalogue, environment)
    events = read_events(_read(alert), "standard input" if alert == "-" else alert, now)
    found = [each for event in events for each in explain(loaded, event, now)]
    click.echo(document(loaded, found, now) if as_json else tell(loaded, found, now))
    sys.exit(1 if any(each.lost for each in found) else 0)


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SlaKitError(
            f"can't be read: {reason}", place=path, remedy="name a file, or - for standard input"
        ) from None
