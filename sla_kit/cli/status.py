"""`sla-kit status`: how every promise stands now, and an exit code that a pipeline can act on."""

from __future__ import annotations

import json
import sys

import click

from sla_kit.cli.options import catalogue_options, ledger_option, router_and_outbox, source_options, tell_option
from sla_kit.cli.progress import progress_bar, working


@click.command()
@catalogue_options
@source_options("30d")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this service; may be repeated.")
@tell_option("which steps of error-budget policies are reached")
def status(
    catalogue: str,
    environment: str | None,
    source: tuple[str, ...] | None,
    at: float | None,
    window: str,
    ledger: str | None,
    as_json: bool,
    services: tuple[str, ...],
    tell: str | None,
) -> None:
    """Prints how every promise stands, and leaves with 0 (all met), 1 (one missed) or 2 (it can't be told).

    \b
    Gate a deployment on it:
      sla-kit status -c sla.yml --source http://localhost:9090 --service api && ./deploy.sh
    """
    from rich.console import Console

    from sla_kit import evaluate, load
    from sla_kit.report.status import render_status, status_document

    loaded = load(catalogue, environment)
    with progress_bar("reading") as progress:
        evaluation = evaluate(loaded, source, window, at, progress, services, ledger=ledger)
    if as_json:
        click.echo(json.dumps(status_document(evaluation), indent=2, allow_nan=False))
    else:
        render_status(evaluation, Console())
    if tell:
        from sla_kit.report.notifying import budget_alerts
        from sla_kit.routing import notify_all

        router, outbox = router_and_outbox(tell)
        with working("telling the router"):
            notify_all(budget_alerts(evaluation), router=router, outbox=outbox)
    sys.exit({True: 0, False: 1, None: 2}[evaluation.met])
