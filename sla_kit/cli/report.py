"""`sla-kit report`: the weekly SLA report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sla_kit.cli.options import catalogue_options, ledger_option, router_and_outbox, source_options, tell_option
from sla_kit.cli.progress import progress_bar, working
from sla_kit.report import Paper

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue

FORMATS = ("html", "md", "json", "csv", "pdf", "png")


@click.command()
@catalogue_options
@source_options("7d")
@ledger_option
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    type=click.Choice([*FORMATS, "all"]),
    default=["all"],
    show_default=True,
    help="What to write; may be given several times. all: whatever can be written here.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="report",
    show_default=True,
    help="The folder to write report.html, report.md and so on into.",
)
@click.option(
    "--language", metavar="CODE", help="Write in this language (de, pt_BR). Default: the catalogue's, or English."
)
@click.option(
    "--translations",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder that holds the language's .po file. Default: the catalogue's.",
)
@click.option(
    "--rollup",
    "rollups",
    multiple=True,
    metavar="W",
    help="Also tell the figures of this period: month, quarter, year (so far), last-month, …, 2026-Q3. Repeatable.",
)
@click.option(
    "--compare",
    "compare_window",
    metavar="W",
    help="Also evaluate this window and tell what changed since, such as last-week.",
)
@click.option(
    "--compare-environment", metavar="NAME", help="Also evaluate this environment and tell what differs from it."
)
@click.option("--forecast", "with_forecast", is_flag=True, help="Also tell when budgets run out.")
@click.option(
    "--errors/--no-errors",
    "errors_wanted",
    default=None,
    help="Also tell which errors are new, came back or surge. Default: where an Elasticsearch is among the sources.",
)
@click.option("--owner", metavar="NAME", help="Only the services of this owner, and speaking to them.")
@click.option(
    "--by-owner", is_flag=True, help="Also write owners/NAME.… for each owner, and owners.html with links to them."
)
@click.option(
    "--paper",
    type=click.Choice(["A4", "letter"], case_sensitive=False),
    default="A4",
    show_default=True,
    help="The sheets of report.pdf.",
)
@tell_option("of the report with its files, and which steps of error-budget policies are reached")
@click.option("--to", multiple=True, metavar="CONTACT", help="Who gets the report. Default: as the routes say.")
def report(
    catalogue: str,
    environment: str | None,
    source: tuple[str, ...] | None,
    at: float | None,
    window: str,
    ledger: str | None,
    formats: tuple[str, ...],
    out: Path,
    language: str | None,
    translations: Path | None,
    rollups: tuple[str, ...],
    compare_window: str | None,
    compare_environment: str | None,
    with_forecast: bool,
    errors_wanted: bool | None,
    owner: str | None,
    by_owner: bool,
    paper: Paper,
    tell: str | None,
    to: tuple[str, ...],
) -> None:
    """Measures every promise of the catalogue over a window and writes the report.

    The same command reads a Prometheus (or Thanos, Mimir, VictoriaMetrics) and a recorded history. Credentials come
    from the environment: see `docs/sources.md`.

    With a --ledger that holds how incidents were responded to (`sla-kit route` writes it), the section "Response" tells
    how fast they were acknowledged and over, and which of the catalogue's promises that kept.

    \b
    Examples:
      sla-kit report -c sla.yml --source http://localhost:9090 --window last-week --out report
      sla-kit report -c examples/astralfield --source history.om.gz --at 2026-09-28T04:00:00Z --window 30d
      sla-kit report -c sla.yml --source http://localhost:9090 --ledger ledger.db --window quarter
      sla-kit report -c sla.yml --source http://localhost:9090 --window last-week --tell http://localhost:9099 --to sre
    """
    from sla_kit import evaluate, forecast, load
    from sla_kit.report import write
    from sla_kit.report.comparing import compared
    from sla_kit.report.owners import for_owner, services_of, write_by_owner
    from sla_kit.report.translations import open_language

    loaded = load(catalogue, environment)
    if translations is None and loaded.translations:
        translations = Path(loaded.folder, loaded.translations)
    spoken = open_language(language or loaded.language, translations)
    wanted = _wanted(formats)
    services = services_of(loaded, owner) if owner else ()
    with progress_bar("reading") as progress:
        evaluation = evaluate(loaded, source, window, at, progress, services, ledger=ledger, rollups=rollups)
    beside = None
    if compare_window or compare_environment:
        other = load(catalogue, compare_environment) if compare_environment else loaded
        services = services_of(other, owner) if owner else ()
        with progress_bar("reading what to compare with") as progress:
            found = evaluate(other, source, compare_window or window, at, progress, services, ledger=ledger)
        evaluation = replace(evaluation, comparison=compared(evaluation, found))
        beside = other, found.window
    if with_forecast:
        chosen = tuple(dict.fromkeys(slo.service for slo in evaluation.slos))
        with progress_bar("forecasting") as progress:
            ahead = forecast(loaded, source, evaluation.at, progress=progress, services=chosen, ledger=ledger)
        evaluation = replace(evaluation, forecast=ahead)
    if tracks_errors(loaded, source, errors_wanted):
        from sla_kit.error_tracking.opening import with_errors

        services = services_of(loaded, owner) if owner else ()
        with progress_bar("reading errors") as progress:
            evaluation = with_errors(evaluation, loaded, source, services=services, ledger=ledger, progress=progress)
    if ledger is not None:
        from sla_kit.ledger.reporting_responses import with_responses

        services = services_of(loaded, owner) if owner else ()
        evaluation = with_responses(evaluation, loaded, ledger, services=services, compared=beside)
    with working("writing the report"):
        told = for_owner(evaluation, loaded, owner) if owner else evaluation
        paths = write(told, out, wanted, language=spoken, paper=paper)
        if by_owner:
            paths += write_by_owner(evaluation, loaded, out, wanted, language=spoken, paper=paper)
    for path in paths:
        click.echo(str(path))
    if tell:
        from sla_kit.report.notifying import budget_alerts, files_to_send, report_notice
        from sla_kit.routing import notify, notify_all

        router, outbox = router_and_outbox(tell)
        with working("telling the router"):
            notify(report_notice(told, to), files=files_to_send(paths), router=router, outbox=outbox)
            notify_all(budget_alerts(evaluation), router=router, outbox=outbox)
            if told.errors is not None:
                from sla_kit.report.error_digest import error_digest

                digest = error_digest(told.errors, loaded, window, to)
                notify_all([] if digest is None else [digest], router=router, outbox=outbox)


def tracks_errors(catalogue: Catalogue, source: tuple[str, ...] | None, wanted: bool | None) -> bool:
    """Whether a report tells of errors: where that is asked for, else where the catalogue tracks them and a cluster is
    among the sources. Raises `SourceError` where it is asked for and there is no cluster."""
    if wanted is False or (wanted is None and not catalogue.logs.errors.enabled):
        return False
    from sla_kit.error_tracking.opening import log_server, no_logs

    there = bool(log_server(catalogue, source)[0])
    if wanted and not there:
        raise no_logs()
    return there


def _wanted(formats: tuple[str, ...]) -> list[str]:
    return every_format() if "all" in formats else [name for name in FORMATS if name in formats]


def every_format() -> list[str]:
    """The formats that can be written here; what is left out, and how to get it, is told in a line."""
    from sla_kit.report import available

    names, lacking = available()
    for error in lacking:
        click.echo(f"sla-kit: left out: {error.message}; {error.remedy}", err=True)
    return names
