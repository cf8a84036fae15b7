"""`sla-kit route`: the router, and what it would do with an alert."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from sla_kit.cli.options import TimeType, catalogue_options
from sla_kit.cli.terminal import visible_json
from sla_kit.errors import SlaKitError

_LISTEN = "127.0.0.1:9099"


@click.group()
def route() -> None:
    """Alertmanager in, Slack, PagerDuty and e-mail out, through an outbox that loses nothing.

    \b
    The router, until it is told to end:
      sla-kit route serve -c sla.yml

    \b
    Who would be told of an alert, and why, without telling anybody:
      sla-kit route test alert.json -c sla.yml
    """


@route.command()
@catalogue_options
@click.option("--listen", default="", metavar="HOST:PORT", help=f"Where to answer. Default: {_LISTEN}.")
@click.option("--outbox", default="", metavar="PATH|URL", help="What is kept: a file, or postgresql://user@host/name.")
@click.option(
    "--web-config",
    type=click.Path(dir_okay=False),
    default="",
    help="TLS and basic auth, as of Prometheus's exporters.",
)
@click.option("--check", is_flag=True, help="Only check the catalogue, and say who could be told of what.")
@click.option("--log-format", type=click.Choice(["logfmt", "json"]), help="Default: logfmt.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
def serve(
    catalogue: str,
    environment: str | None,
    listen: str,
    outbox: str,
    web_config: str,
    check: bool,
    log_format: str | None,
    log_level: str | None,
) -> None:
    """Take alerts and notices, and deliver them, until it is told to end.

    What is answered 2xx is in the outbox, and is delivered whatever happens. A change of the catalogue's files, or
    SIGHUP, has them read again; where they are not good, what was before goes on. The options stand before what the
    catalogue says under routing.

    \b
    0  it was told to end, and has
    1  there are mistakes in the catalogue; with --check: a contact can't be reached
    2  it could not begin, such as for a port that is in use, or did not end in time
    """
    from sla_kit.cli.route_serving import check_router, serve_router
    from sla_kit.routing.state import Asked

    asked = Asked(Path(catalogue), environment, listen, outbox, web_config, log_format or "", log_level or "")
    if check:
        check_router(asked)
    else:
        serve_router(asked)


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
    click.echo(visible_json(document(loaded, found, now)) if as_json else tell(loaded, found, now))
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
