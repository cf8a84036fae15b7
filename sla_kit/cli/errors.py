"""`sla-kit errors`: which errors are new, came back or surge; what is known of one; and what people say of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sla_kit.cli import errors_saying
from sla_kit.cli.errors_reading import (
    MANY,
    kept_ledger,
    key_argument,
    ledger_option,
    one_group,
    service_option,
    tracked,
)
from sla_kit.cli.options import catalogue_options, router_and_outbox, source_options, tell_option
from sla_kit.cli.progress import working

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.error_tracking.results import ErrorReport

#: Findings that say that some documents were not read: what is new in them nobody knows.
_UNREAD = frozenset({"closed-index", "mapping-conflict", "new-unknown", "partial-answer"})


@click.group(invoke_without_command=True)
@catalogue_options
@source_options("7d")
@service_option("Only errors of this service; may be repeated.")
@ledger_option
@click.option("--new", is_flag=True, help="Only groups that were never seen before.")
@click.option("--regressed", is_flag=True, help="Only groups that came back after they were resolved.")
@click.option("--surging", is_flag=True, help="Only groups that are much more frequent than before.")
@click.option("--all", "everything", is_flag=True, help="Ignored groups, too.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown", "csv"]),
    default="table",
    show_default=True,
)
@click.option("--exact", is_flag=True, help="Count every error, however many there are.")
@click.option(
    "--sample", type=click.IntRange(min=100), metavar="N", help="Estimate from about so many errors, with its bounds."
)
@tell_option("of the groups that are new, came back or surge; of the same ones once")
@click.option("--to", multiple=True, metavar="CONTACT", help="Who is told. Default: as the routes say.")
@click.pass_context
def errors(
    context: click.Context,
    /,
    *,
    new: bool,
    regressed: bool,
    surging: bool,
    everything: bool,
    form: str,
    exact: bool,
    sample: int | None,
    tell: str | None,
    to: tuple[str, ...],
    **given: Any,
) -> None:
    """Groups of errors in the logs: which are new, which came back after they were resolved, which surge.

    An error's group is its type, its message without what changes from time to time, and the top frames of its stack.
    Counts are exact where Elasticsearch can count them, otherwise estimates that state their bounds.

    \b
    Examples:
      sla-kit errors -c sla.yml --source elasticsearch+https://es:9200        the last seven days
      sla-kit errors -c sla.yml --window 1d --new --tell http://localhost:9099
      sla-kit errors show 3f2a                       frames, an example, releases, what was said of it
      sla-kit errors resolve 3f2a --release 1.4.2    it is mended in 1.4.2; seen again later, it came back
      sla-kit errors own 3f2a platform               whose it is: a contact of the catalogue
      sla-kit errors ignore 3f2a --note "a crawler"  it does not matter

    A key may be shortened to where it is unambiguous. Leaves with 0 where nothing is new, came back or surges, 1 where
    something does, 2 where that can't be told.
    """
    if context.invoked_subcommand is not None:
        # What stands before the name of a subcommand counts for it, too.
        said = {
            name: value
            for name, value in context.params.items()
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        context.default_map = {context.invoked_subcommand: said}
        return
    if exact and sample is not None:
        raise click.UsageError("--exact and --sample do not go together")
    from sla_kit import load

    loaded = load(given["catalogue"], given["environment"])
    how = True if exact else None if sample is None else False
    report = tracked(context, loaded, given, exact=how, sample=sample)
    kinds = [name for name, chosen in (("new", new), ("regressed", regressed), ("surging", surging)) if chosen]
    shown = _only(report, kinds, everything)
    _print(shown, loaded, form)
    if tell:
        _tell(shown, loaded, given["window"], tell, to)
    sys.exit(_code(shown))


@errors.command()
@catalogue_options
@source_options("7d")
@service_option("Of this service, where several have a group with the key.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@key_argument()
@click.pass_context
def show(context: click.Context, /, key: str, as_json: bool, **given: Any) -> None:
    """Shows what is known of one group: frames, an example (redacted), its trend, releases, and what was said of it."""
    from sla_kit import load
    from sla_kit.cli.errors_showing import print_group, print_group_json

    loaded = load(given["catalogue"], given["environment"])
    report = tracked(context, loaded, given, groups=MANY)
    group = one_group(report.groups, key)
    with kept_ledger(context, given["ledger"]) as kept:
        said = [] if kept is None else kept.said_of_errors(loaded.environment, service=group.service, key=group.key)
    (print_group_json if as_json else print_group)(group, report, loaded, said)


for _command in errors_saying.COMMANDS:
    errors.add_command(_command)


def _only(report: ErrorReport, kinds: Sequence[str], everything: bool) -> ErrorReport:
    """The groups that are asked for."""
    from dataclasses import replace

    groups = [group for group in report.groups if everything or group.state.status != "ignored"]
    if kinds:
        groups = [group for group in groups if group.kinds & set(kinds)]
    return replace(report, groups=tuple(groups))


def _print(report: ErrorReport, loaded: Catalogue, form: str) -> None:
    owners = {service.name: service.owner for service in loaded.services}
    if form == "json":
        import json

        from sla_kit.cli.terminal import visible_json
        from sla_kit.report.document_errors import errors_document

        click.echo(visible_json(json.dumps(errors_document(report, owners), indent=2, ensure_ascii=False)))
        return
    if form == "csv":
        from sla_kit.report.document_errors import errors_csv

        click.echo(errors_csv(report.groups, owners), nl=False)
        return
    from sla_kit.report.errors import errors_page

    page = errors_page(report, loaded.timezone, owners)
    if form == "markdown":
        from sla_kit.report.as_markdown import markdown

        click.echo(markdown(page), nl=False)
        return
    from rich.console import Console

    from sla_kit.report.terminal import print_page

    print_page(page, Console())


def _tell(report: ErrorReport, loaded: Catalogue, window: str, address: str, to: Sequence[str]) -> None:
    from sla_kit.report.error_digest import error_digest
    from sla_kit.routing import notify

    digest = error_digest(report, loaded, window, to)
    if digest is None:
        return
    router, outbox = router_and_outbox(address)
    with working("telling the router"):
        new = notify(digest, router=router, outbox=outbox)
    if not new:
        click.echo("sla-kit: these groups were told of before", err=True)


def _code(report: ErrorReport) -> int:
    from sla_kit.report.errors import told_of

    if told_of(report):
        return 1
    unread = any(finding.kind in _UNREAD for finding in report.findings)
    # That nothing was found is only told by logs that could be looked through; how far they reach back is no matter.
    doubtful = any(finding.kind != "history-short" for finding in report.findings)
    return 2 if unread or (doubtful and not report.total.high) else 0
