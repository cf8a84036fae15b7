"""`sla-kit forecast`: when error budgets run out, and what the coming live events need."""

from __future__ import annotations

import json

import click

from sla_kit.cli.options import catalogue_options, ledger_option, source_options
from sla_kit.cli.progress import progress_bar


@click.command()
@catalogue_options
@source_options(None)
@ledger_option
@click.option("--horizon", default="30d", show_default=True, metavar="LENGTH", help="How far to look ahead.")
@click.option(
    "--history",
    default="60d",
    show_default=True,
    metavar="LENGTH",
    help="How far to look back, at least; each SLO's own window is always read whole.",
)
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only this service; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def forecast(
    catalogue: str,
    environment: str | None,
    source: tuple[str, ...] | None,
    at: float | None,
    ledger: str | None,
    horizon: str,
    history: str,
    services: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tells when each error budget runs out, what the calendar's next live events need, and what they put at risk.

    The past is what it goes by: quiet days burn what quiet days burned, games what games burned, in the traffic that is
    usual at each hour of the week. Every figure has an 80 % interval. Where a service declares its `capacity`, the
    requests per second, pods and database connections that an event needs are told beside their limits. How good
    such forecasts are is in docs/forecast.md.

    \b
    Examples:
      sla-kit forecast -c sla.yml --source http://localhost:9090
      sla-kit forecast -c examples/astralfield --source history --horizon 14d
      sla-kit forecast -c sla.yml --source http://localhost:9090 --service api --json
    """
    from rich.console import Console

    import sla_kit
    from sla_kit.report.document_forecast import forecast_document
    from sla_kit.report.outlook import forecast_page
    from sla_kit.report.terminal import print_page

    loaded = sla_kit.load(catalogue, environment)
    with progress_bar("reading") as progress:
        found = sla_kit.forecast(loaded, source, at, horizon, history, progress, services, ledger=ledger)
    if as_json:
        click.echo(json.dumps(forecast_document(found), indent=2, allow_nan=False))
    else:
        print_page(forecast_page(found), Console())
