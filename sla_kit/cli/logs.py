"""`sla-kit logs`: log lines into Elasticsearch, logs to try it with, and what ships and keeps them as configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from sla_kit.cli.options import TimeType
from sla_kit.cli.progress import progress_bar
from sla_kit.cli.terminal import visible, visible_json

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.elastic import Cluster
    from sla_kit.logs import Reading

_APPLYING = "sla_kit.cli.logs_apply"
_INTERRUPTED = 130
_SHOWN = 3


class _LogsGroup(click.Group):
    """Adds the commands of the configuration, whose module is loaded only when one of them is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        configuring = ["apply", "generate"] if find_spec(_APPLYING) else []
        return sorted([*super().list_commands(ctx), *configuring])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ("apply", "generate") and find_spec(_APPLYING):
            command: click.Command = getattr(import_module(_APPLYING), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_LogsGroup)
def logs() -> None:
    """Logs as evidence: log lines into Elasticsearch, and the configuration of what ships and keeps them.

    \b
    Try it:
      sla-kit logs example --out shop
      sla-kit logs load shop/access.log shop/application.log --service shop --to logs-shop \\
        --create index --source elasticsearch+http://localhost:9200
    What would be loaded, without a cluster:
      sla-kit logs load /var/log/nginx/access.log* --dry-run
    """


def _formats(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from sla_kit.logs.reading import NAMES

    return [CompletionItem(name) for name in NAMES if name.startswith(incomplete)]


@logs.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option(
    "--to",
    "index",
    metavar="NAME",
    help="The index or data stream. Default: the catalogue's logs.stream, or its logs.index.",
)
@click.option(
    "-s",
    "--source",
    envvar="SLA_KIT_SOURCE",
    show_envvar=True,
    metavar="URL",
    help="The cluster: elasticsearch+http(s)://host:9200 or elasticsearch+cloud://ID. Default: the catalogue's "
    "source of logs. Secrets come from SLA_KIT_ELASTICSEARCH_API_KEY and its like.",
)
@click.option(
    "-c",
    "--catalogue",
    type=click.Path(),
    help="A catalogue that says where its logs are, and what their fields are called.",
)
@click.option(
    "-e",
    "--environment",
    metavar="NAME",
    help="service.environment of every document; with -c also the catalogue's overlay for it, where there is one.",
)
@click.option(
    "-f",
    "--format",
    "form",
    default="auto",
    show_default=True,
    shell_complete=_formats,
    metavar="FORMAT",
    help="auto, json, text, combined, common, vhost-combined, nginx-time, nginx-timed, nginx-main, "
    "ingress-nginx; or what your server's configuration says: log_format of nginx, LogFormat of Apache.",
)
@click.option(
    "--create",
    type=click.Choice(["index", "stream"]),
    help="Make the index, or a template for the data stream, where it is not there, with fields of the right types.",
)
@click.option("--service", default="", metavar="NAME", help="service.name of documents whose line names none.")
@click.option("--release", default="", metavar="VERSION", help="service.version of such documents.")
@click.option(
    "--host",
    default="",
    metavar="NAME",
    help="host.name of such documents; it keeps apart files of several hosts that are alike.",
)
@click.option("--dataset", default="", metavar="NAME", help="event.dataset of all documents. Default: by the format.")
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    help="The zone of times that name none, such as Europe/Berlin.",
)
@click.option(
    "--at", type=TimeType(), metavar="TIME", help="The time of events that have none; without it they can't be read."
)
@click.option("--shift", metavar="30d|-2h", help="Move all times by so much.")
@click.option(
    "--shift-to",
    metavar="now|TIME",
    help="Move all times so that the last one is then: for trials with old logs. The files are read twice.",
)
@click.option("--no-redact", is_flag=True, help="Leave e-mail addresses, tokens, passwords and card numbers in.")
@click.option("--anonymise", is_flag=True, help="Leave off the last 8 bits of addresses (of IPv6 the last 80).")
@click.option(
    "--dead-letters",
    type=click.Path(dir_okay=False, path_type=Path),
    default="dead-letters.ndjson",
    show_default=True,
    metavar="FILE",
    help="Where lines go that can't be read, and documents that are refused; "
    "once mended, it is loaded like any other file.",
)
@click.option("--requests", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests in flight.")
@click.option(
    "--chunk",
    type=click.IntRange(1, 100_000),
    default=2000,
    show_default=True,
    help="Documents in a request (of no more than 4 MiB).",
)
@click.option(
    "--patience",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long a cluster that takes nothing is asked again.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Read and count, print the first documents, and contact nobody.")
def load(
    files: tuple[str, ...],
    index: str | None,
    source: str | None,
    catalogue: str | None,
    environment: str | None,
    form: str,
    create: str | None,
    dead_letters: Path,
    requests: int,
    chunk: int,
    patience: str,
    dry_run: bool,
    **labels: Any,
) -> None:
    """Loads log lines from FILEs into Elasticsearch, as documents of the Elastic Common Schema.

    FILEs are names, patterns or - for standard input, plain or packed (gzip, bzip2, xz). Access logs of nginx and
    Apache, JSON lines of the usual loggers and plain text with stack traces are told apart by their first lines.

    Nothing is loaded twice: a document's identity is made of its line and its place in the file, so that the same
    command may be repeated after whatever went wrong. Nothing is lost: what can't be read or is refused stands in the
    file of dead letters, with the reason.

    \b
    Examples:
      sla-kit logs load access.log --service web --to logs-web --create index -s elasticsearch+http://localhost:9200
      sla-kit logs load '/var/log/nginx/access.log*' -c sla.yml -e production
      sla-kit logs load access.log --format '$remote_addr - [$time_local] "$request" $status $request_time' -n
      sla-kit logs load app.json --shift-to now -c sla.yml          old logs, as if they were of today
      mv dead-letters.ndjson mended.ndjson; sla-kit logs load mended.ndjson -c sla.yml

    Exit codes: 0 all is there, 1 some of it is in the file of dead letters or a file could not be read to its end, 2
    nothing could be done or loading ended early, 130 interrupted.
    """
    from sla_kit.cli.logs_summary import summary
    from sla_kit.configuration.quantities import parse_duration
    from sla_kit.logs import Bulk
    from sla_kit.logs import load as loaded_from
    from sla_kit.logs.loading import LoadError

    found = None if catalogue is None else _catalogue(catalogue, environment)
    reading = _reading(files, form, environment, found, **labels)
    if dry_run:
        _dry_run(files, reading)
        return
    target = index or _target(found)
    bulk = Bulk(requests, chunk, patience_seconds=_duration(parse_duration, patience, "--patience"))
    with _cluster(found, source) as cluster:
        try:
            with progress_bar("loading") as progress:
                loaded = loaded_from(
                    files,
                    cluster,
                    target,
                    reading=reading,
                    bulk=bulk,
                    create=create or "",  # type: ignore[arg-type]  # click has looked at it
                    dead_letters=dead_letters,
                    progress=progress,
                )
        except LoadError as error:
            if error.loaded.documents:
                summary(error.loaded, target)
                click.echo("Loading the same files again goes on from here: nothing is loaded twice.", err=True)
            raise
    summary(loaded, target)
    if loaded.interrupted:
        click.echo(visible(f"Stopped at {loaded.interrupted}; the same command goes on from there."), err=True)
        sys.exit(_INTERRUPTED)
    sys.exit(0 if loaded.complete else 1)


@logs.command()
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="example-logs",
    show_default=True,
    help="The folder to write into.",
)
@click.option("--hours", type=click.FloatRange(0, 24 * 366, min_open=True), default=24.0, show_default=True)
@click.option(
    "--rps",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=2.0,
    show_default=True,
    help="Requests per second, on average.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Draw other numbers.")
@click.option("--start", type=TimeType(), metavar="TIME", help="When they begin. Default: 2026-09-07T00:00:00Z.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def example(out: Path, hours: float, rps: float, seed: int, start: float | None, force: bool) -> None:
    """Writes the logs of a shop, to try everything with: access.log (nginx's, with request times), application.log
    (JSON lines with errors, traces, users and releases), truth.json, which says what is in them, and a catalogue,
    sla.yml.

    In the middle there is an outage, and before it a release with a bug. The same options write the same bytes.

    \b
    Example:
      sla-kit logs example --out shop --hours 24 --rps 2
      sla-kit logs load shop/access.log shop/application.log -c shop/sla.yml --service shop --create index \\
        --source elasticsearch+http://localhost:9200
    """
    from sla_kit.errors import SlaKitError
    from sla_kit.logs.example import FILES, START, write_example

    there = [name for name in FILES if (out / name).exists()]
    if there and not force:
        raise SlaKitError(
            f"{', '.join(there)} would be overwritten", place=str(out), remedy="give another --out, or --force"
        )
    with progress_bar("drawing") as progress:
        paths = write_example(
            out, hours=hours, rps=rps, seed=seed, start=START if start is None else start, progress=progress
        )
    for path in paths:
        click.echo(str(path))


def _catalogue(path: str, environment: str | None) -> Catalogue:
    from sla_kit import load as load_catalogue

    return load_catalogue(path, environment)


def _reading(
    files: tuple[str, ...],
    form: str,
    environment: str | None,
    catalogue: Catalogue | None,
    *,
    service: str,
    release: str,
    host: str,
    dataset: str,
    timezone: str,
    at: float | None,
    shift: str | None,
    shift_to: str | None,
    no_redact: bool,
    anonymise: bool,
) -> Reading:
    from dataclasses import replace

    from sla_kit.catalogue.logs import LogFields
    from sla_kit.configuration.quantities import parse_duration
    from sla_kit.logs import Labels, Reading, survey

    labels = Labels(
        service=service,
        environment=environment or "",
        version=release,
        host=host,
        dataset=dataset,
        redact=not no_redact,
        anonymise=anonymise,
        fields=LogFields() if catalogue is None else catalogue.logs.fields,
    )
    at_ms = None if at is None else round(at * 1000)
    reading = Reading(format=form, zone=_zone(timezone), at_ms=at_ms, labels=labels)
    if shift and shift_to:
        raise click.UsageError("--shift and --shift-to exclude each other")
    by = 0
    if shift:
        sign = -1 if shift.startswith("-") else 1
        by = sign * round(_duration(parse_duration, shift.lstrip("+-"), "--shift") * 1000)
    elif shift_to:
        if "-" in files:
            raise click.UsageError("--shift-to reads twice, and standard input can be read but once: use --shift")
        wanted = datetime.now(UTC).timestamp() if shift_to == "now" else TimeType().convert(shift_to, None, None)
        last = survey(files, reading)[0].last_ms
        by = 0 if last is None else round(wanted * 1000) - last
    return replace(reading, labels=replace(labels, shift_ms=by))


def _duration(parse: Any, text: str, option: str) -> float:
    try:
        return float(parse(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error} (such as 5m, 2h, 30d)", param_hint=option) from None


def _zone(name: str) -> Any:
    from sla_kit.engine.windows import zone_of

    return zone_of(name)


def _target(catalogue: Catalogue | None) -> str:
    named = "" if catalogue is None else catalogue.logs.stream or catalogue.logs.index
    if not named or "*" in named or "," in named:
        raise click.UsageError("say by --to into which index or data stream, or in the catalogue by logs: {stream: …}")
    return named


@contextmanager
def _cluster(catalogue: Catalogue | None, source: str | None) -> Iterator[Cluster]:
    """The cluster that is named, or the catalogue's."""
    from sla_kit.elastic import open_cluster
    from sla_kit.errors import SourceError

    holding = [] if catalogue is None else [server for server in catalogue.sources if server.holds_logs]
    wanted = "" if catalogue is None else catalogue.logs.source
    server = next((each for each in holding if not wanted or each.name == wanted), None)
    name, separator, address = (source or "").partition("=")
    if separator and any(each.name == name for each in holding):
        cluster = open_cluster(address, name)
    elif source:
        cluster = open_cluster(source)
    elif server is not None and server.url:
        cluster = open_cluster(server.url, server.name)
    else:
        raise SourceError(
            "no cluster is named",
            remedy="give --source elasticsearch+https://host:9200, or -c with sources: [{name: logs, url: …}]",
        )
    try:
        yield cluster
    finally:
        cluster.close()


def _dry_run(files: tuple[str, ...], reading: Reading) -> None:
    from sla_kit.cli.logs_summary import summary
    from sla_kit.logs import survey

    found, documents, unreadable = survey(files, reading, _SHOWN)
    for document in documents:
        click.echo(visible_json(document.source.decode()))
    for line in unreadable:
        click.echo(visible(f"{line.file}:{line.line}: {line.reason}: {line.text[:160]}"), err=True)
    summary(found, "")
    sys.exit(1 if found.unreadable or found.troubles else 0)
