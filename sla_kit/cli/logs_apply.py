"""`sla-kit logs generate` and `sla-kit logs apply`: the ELK configuration as files, and in a running cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from sla_kit.cli.generate import told_of
from sla_kit.cli.options import catalogue_options
from sla_kit.cli.terminal import visible

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.elastic import Cluster
    from sla_kit.elk.applying import Outcome, Step
    from sla_kit.elk.comparing import Change
    from sla_kit.elk.objects import Part

PARTS: tuple[Part, ...] = ("lifecycle", "pipeline", "templates")
#: So many lines of what differs in one object are shown where not all are asked for.
_LINES = 12
_LONGEST = 160
_WORDS = {"new": "to be created", "different": "to be changed"}
_COUNTED = ("applied", "equal", "skipped", "lacking", "left out", "failed", "not done", "new", "different")


def _completed_parts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What may come next in a list of parts: each once."""
    before, comma, begun = incomplete.rpartition(",")
    named = before.split(",")
    return [CompletionItem(f"{before}{comma}{part}") for part in PARTS if part.startswith(begun) and part not in named]


@click.command()
@catalogue_options
@click.option("-o", "--out", default="build", show_default=True, type=click.Path(), help="The folder to write into.")
@click.option(
    "--files",
    metavar="PATH",
    default="",
    help="The files of logs that are shipped; {service} stands for a service's name. "
    "Default: /var/log/{service}/*.log.",
)
@click.option("--check", is_flag=True, help="Write nothing: exit with 1 where the folder differs, and show how.")
@click.option("--force", is_flag=True, help="Write over files that are not sla-kit's, or were changed by hand.")
def generate(catalogue: str, environment: str | None, out: str, files: str, check: bool, force: bool) -> None:
    """Writes the configuration of what ships, keeps and shows logs.

    \b
      logs/elasticsearch/*.json          templates, lifecycle, ingest pipelines: what `sla-kit logs apply` applies
      logs/fluentd/fluent.conf           files of logs into the data stream, by Fluentd
      logs/rsyslog/sla-kit.conf          the same by rsyslog
      logs/kibana/saved-objects.ndjson   data view, searches and a dashboard

    Secrets are in none of them: the shippers read SLA_KIT_ELASTICSEARCH_USERNAME and …_PASSWORD from their environment.

    \b
    Examples:
      sla-kit logs generate -c sla.yml -e production --out build
      sla-kit logs generate -c sla.yml --out build --check      in CI: 1 where somebody forgot to generate
    """
    from sla_kit import load
    from sla_kit.elk.files import outputs
    from sla_kit.generate import files as writing

    made, folder = outputs(load(catalogue, environment), files=files), Path(out)
    if check:
        sys.exit(told_of(writing.differences(made, folder, part=True), folder))
    written = writing.write(made, folder, force=force, part=True)
    click.echo(f"{out}: {len(written.changed)} files written, {len(written.unchanged)} unchanged")


@click.command()
@catalogue_options
@click.option(
    "-s",
    "--source",
    envvar="SLA_KIT_SOURCE",
    show_envvar=True,
    metavar="URL",
    help="The cluster: elasticsearch+https://host:9200 or elasticsearch+cloud://ID. Default: the catalogue's source "
    "that holds logs.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing: show what would be.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--skip",
    metavar="PART[,PART]",
    default="",
    shell_complete=_completed_parts,
    help="Leave out: lifecycle, pipeline, templates.",
)
@click.option("--rollover", is_flag=True, help="Go on in a new index where only that lets a change take effect.")
@click.option("--all-lines", is_flag=True, help="Show all that differs, however much it is.")
def apply(
    catalogue: str,
    environment: str | None,
    source: str | None,
    dry_run: bool,
    yes: bool,
    skip: str,
    rollover: bool,
    all_lines: bool,
) -> None:
    """Brings a cluster's templates, lifecycle and ingest pipelines to what the catalogue says, and reads them back.

    What differs is shown first, object by object. Nothing is ever deleted. What the cluster has no module for is told
    and left out, with what names it; the rest is applied all the same.

    \b
    Examples:
      sla-kit logs apply -c sla.yml -e production --source elasticsearch+https://es.example.com:9200 --dry-run
      sla-kit logs apply -c sla.yml --source elasticsearch+http://localhost:9200 --yes --skip lifecycle,pipeline
    \b
    Exit code: 0 the cluster is as the catalogue wants it, or with --dry-run could be; 2 it is not.
    """
    from sla_kit import load
    from sla_kit.elk.applying import apply as applied
    from sla_kit.elk.applying import look

    loaded = load(catalogue, environment)
    parts = _parts(skip)
    lines = sys.maxsize if all_lines else _LINES
    with _cluster(loaded, source) as cluster:
        found = look(cluster, loaded, skip=parts)
        click.echo(f"{cluster.name}")
        for step in found.steps:
            _show(step, lines)
        _show_stream(found, rollover)
        if dry_run:
            sys.exit(2 if found.wrong else 0)
        needed = not found.equal or (rollover and found.stream.fixed)
        if needed and not yes:
            click.confirm(f"Apply this to {cluster.name}?", abort=True)
        if needed:
            found = applied(cluster, loaded, found, rollover=rollover, told=_tell)
            for line in found.done:
                click.echo(line)
        counts = {state: sum(step.state == state for step in found.steps) for state in _COUNTED}
        click.echo(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    sys.exit(2 if found.wrong else 0)


def _parts(skip: str) -> tuple[Part, ...]:
    wanted = [each.strip() for each in skip.split(",") if each.strip()]
    unknown = [each for each in wanted if each not in PARTS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(PARTS)}", param_hint="--skip")
    return tuple(part for part in PARTS if part in wanted)


@contextmanager
def _cluster(catalogue: Catalogue, source: str | None) -> Iterator[Cluster]:
    """The cluster that is named, or the catalogue's."""
    from sla_kit.elastic import open_cluster
    from sla_kit.errors import SourceError

    holding = [server for server in catalogue.sources if server.holds_logs and (server.url or source)]
    named = [server for server in holding if server.name == catalogue.logs.source] or holding
    name, separator, address = (source or "").partition("=")
    if separator and any(server.name == name for server in holding):
        cluster = open_cluster(address, name)
    elif source:
        cluster = open_cluster(source)
    elif named:
        cluster = open_cluster(named[0].url, named[0].name)
    else:
        raise SourceError(
            "the catalogue names no source that holds logs",
            remedy="give --source elasticsearch+https://host:9200, or sources: [{name: logs, url: …}]",
        )
    try:
        yield cluster
    finally:
        cluster.close()


def _show(step: Step, lines: int) -> None:
    """An object, how it is, and what differs."""
    note = f": {step.note}" if step.note else ""
    click.echo(visible(f"{step.what.kind} {step.what.name}: {_WORDS.get(step.state, step.state)}{note}"))
    if step.state in ("new", "different"):
        _show_changes(step.changes, lines)


def _show_changes(changes: Sequence[Change], lines: int) -> None:
    for change in changes[:lines]:
        text = str(change)
        click.echo(visible(f"    {text if len(text) <= _LONGEST or lines > _LINES else text[: _LONGEST - 1] + '…'}"))
    if len(changes) > lines:
        click.echo(f"    … {len(changes) - lines} more (--all-lines)")


def _show_stream(found: Outcome, rollover: bool) -> None:
    stream = found.stream
    if not stream.exists:
        click.echo(f"data stream {stream.name}: the first document makes it")
    else:
        click.echo(f"data stream {stream.name}: writes to {stream.write_index}")
    if stream.missing:
        click.echo(f"  {len(stream.missing)} fields to be added to its index")
        _show_changes(stream.missing, _LINES)
    if stream.fixed:
        how = "it will go on in a new one" if rollover else "give --rollover to go on in a new one"
        click.echo(f"  what its index keeps as it is; {how}")
        _show_changes(stream.fixed, _LINES)
    for warning in found.warnings:
        click.echo(visible(f"warning: {warning}"), err=True)


def _tell(step: Step) -> None:
    if step.state not in ("equal", "skipped"):
        note = f": {step.note}" if step.note else ""
        click.echo(visible(f"{step.state}: {step.what.kind} {step.what.name}{note}"))
        if step.state == "failed":
            _show_changes(step.changes, _LINES)
