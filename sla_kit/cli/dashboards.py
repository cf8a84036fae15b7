"""`sla-kit dashboards` and `sla-kit preview`: what dashboards there are, and what they look like."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from sla_kit.cli.grafana import diff, pull, push
from sla_kit.cli.options import TimeType, catalogue_options
from sla_kit.cli.progress import progress_bar


class _DashboardName(click.ParamType):  # type: ignore[type-arg]  # it can't be subscripted before click 8.2
    """The name of a dashboard, which a shell can complete, or the path of one's JSON."""

    name = "dashboard"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from sla_kit import load
        from sla_kit.dashboards import own_dashboards
        from sla_kit.errors import SlaKitError

        try:
            catalogue = load(ctx.params.get("catalogue") or "sla.yml", ctx.params.get("environment"))
        except SlaKitError:
            return []
        # Nobody expects a key that completes a word to run the code that a catalogue names.
        return [CompletionItem(each.name) for each in own_dashboards(catalogue) if each.name.startswith(incomplete)]


class _Assignment(click.ParamType):  # type: ignore[type-arg]
    """service=api."""

    name = "assignment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r}: write VARIABLE=VALUE, such as service=api", param, ctx)
        return name, text


@click.group()
def dashboards() -> None:
    """Grafana dashboards from the catalogue: which there are, what they look like, and bringing them to a Grafana.

    \b
      sla-kit dashboards list -c sla.yml
      sla-kit dashboards preview overview -c sla.yml --source http://localhost:9090
      sla-kit generate -c sla.yml --out build        writes them, with provisioning
      sla-kit dashboards push -c sla.yml --url https://grafana.example.com --token-file token
    """


@dashboards.command("list")
@catalogue_options
def list_(catalogue: str, environment: str | None) -> None:
    """Every dashboard of the catalogue: its name, title and folder."""
    from rich.console import Console
    from rich.table import Table

    from sla_kit import load
    from sla_kit.dashboards import dashboards_of

    table = Table("Name", "Title", "Folder", "Panels", box=None, pad_edge=False)
    for each in dashboards_of(load(catalogue, environment)):
        table.add_row(each.name, each.title, each.folder, str(len(each.panels)))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@dashboards.command()
@catalogue_options
def check(catalogue: str, environment: str | None) -> None:
    """Says what is wrong with the catalogue's dashboards, your own among them: metrics and labels that there are not,
    counters without their rate, links to nowhere, limits that are none of the alerts', units that Grafana does not
    know. Leaves with 1 where there is anything.

    \b
      sla-kit dashboards check -c sla.yml
    """
    from sla_kit import load
    from sla_kit.dashboards import dashboards_of
    from sla_kit.errors import MissingExtraError
    from sla_kit.generate.plan import rule_files

    loaded = load(catalogue, environment)
    listed = dashboards_of(loaded)
    try:
        from sla_kit.dashboards.gate import faults
    except ModuleNotFoundError as error:
        raise MissingExtraError("checking dashboards", error.name or "?", "dashboards,report") from error
    found = faults(loaded, listed, rule_files(loaded, time.time()))
    for fault in found:
        click.echo(str(fault))
    click.echo(f"{len(listed)} dashboards, {len(found)} {'fault' if len(found) == 1 else 'faults'}", err=True)
    if found:
        sys.exit(1)


@click.command()
@click.argument("names", nargs=-1, metavar="[DASHBOARD]…", type=_DashboardName())
@catalogue_options
@click.option(
    "-s",
    "--source",
    required=True,
    envvar="SLA_KIT_SOURCE",
    show_envvar=True,
    metavar="URL|PATH",
    help="Where the data is: http(s)://… a Prometheus API, or a recorded history (.om, .om.gz, .parquet, a folder).",
)
@click.option(
    "--at", type=TimeType(), metavar="TIME",
    help="The end of what is shown: RFC 3339 or seconds. Default: now, or the end of a recorded history.",
)  # fmt: skip
@click.option("-w", "--window", default="", metavar="W", help="How much is shown: 12h, 7d. Default: each one's own.")
@click.option(
    "--set", "chosen", multiple=True, type=_Assignment(), metavar="VARIABLE=VALUE",
    help="Choose a value for a variable; may be repeated. Default: all, or the first there is.",
)  # fmt: skip
@click.option(
    "--logs", default="", envvar="SLA_KIT_LOGS", show_envvar=True, metavar="URL",
    help="The Elasticsearch that panels of logs ask: https://host:9200/INDICES. Default: these panels are left out.",
)  # fmt: skip
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), default="preview", show_default=True,
              help="The folder to write into.")  # fmt: skip
@click.option("--no-picture", is_flag=True, help="Only pages, no pictures: these need Chromium or Chrome.")
@click.option("--browser", default="", metavar="PROGRAM", help="The browser that takes the pictures.")
@click.option(
    "--engine", type=click.Choice(["auto", "server", "prometheus", "builtin"]), default="auto", show_default=True,
    help="Who evaluates a recorded history: a Prometheus of our own, or sla-kit's own PromQL, which knows less.",
)  # fmt: skip
@click.option(
    "--prometheus", default="", metavar="PROGRAM", envvar="SLA_KIT_PROMETHEUS_PROGRAM", show_envvar=True,
    help="The program prometheus (promtool beside it). Default: the one on the PATH.",
)  # fmt: skip
@click.option("--state", type=click.Path(file_okay=False, path_type=Path),
              help="The folder that keeps what was evaluated. Default: .state in --out.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Leave with 1 where a panel has no data.")
def preview(
    names: tuple[str, ...],
    catalogue: str,
    environment: str | None,
    source: str,
    at: float | None,
    window: str,
    chosen: tuple[tuple[str, str], ...],
    logs: str,
    out: Path,
    no_picture: bool,
    browser: str,
    engine: str,
    prometheus: str,
    state: Path | None,
    strict: bool,
) -> None:
    """Draws dashboards without a Grafana: each panel from its own queries' answers, on a page that needs nothing else
    and a picture of it, for a pull request or for judging before they ship.

    DASHBOARD is a name of `sla-kit dashboards list`, or the JSON of any dashboard. Default: all.

    \b
    Examples:
      sla-kit preview redis kubernetes -c sla.yml --source http://localhost:9090
      sla-kit preview slo-detail -c sla.yml -s http://localhost:9090 --set service=api --set slo=availability
      sla-kit preview my-own.json -c sla.yml -s history --window 12h --no-picture
      sla-kit preview logging -c sla.yml -s http://localhost:9090 --logs http://localhost:9200/logs-*

    \b
    Who asks Elasticsearch stands in SLA_KIT_ELASTICSEARCH_API_KEY, _TOKEN, or _USERNAME
    and _PASSWORD, or in files (…_API_KEY_FILE, …_TOKEN_FILE, …_PASSWORD_FILE).
    Leaves with 2 where no picture could be taken; the pages are there all the same.
    """
    from sla_kit import load
    from sla_kit.preview.running import Settings
    from sla_kit.preview.running import preview as previewed

    settings = Settings(
        window=window,
        at=at,
        chosen=dict(chosen),
        engine=engine,  # type: ignore[arg-type]  # click lets no other through
        prometheus=prometheus,
        logs=logs,
        picture=not no_picture,
        browser=browser,
    )
    empty = 0
    with progress_bar("drawing") as progress:
        for each in previewed(
            load(catalogue, environment), source, names, out, settings=settings, state=state, progress=progress
        ):
            for file in each.files:
                click.echo(str(file))
            for title, why in each.empty:
                empty += 1
                click.echo(f"sla-kit: {each.name}: {title!r} has no data{f': {why}' if why else ''}", err=True)
    if strict and empty:
        sys.exit(1)


for command in (preview, push, pull, diff):
    dashboards.add_command(command)
