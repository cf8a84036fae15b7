"""`sla-kit dashboards push`, `pull` and `diff`: dashboards in a running Grafana."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sla_kit.cli.options import catalogue_options
from sla_kit.cli.progress import progress_bar

if TYPE_CHECKING:
    from sla_kit.grafana.api import Grafana
    from sla_kit.grafana.comparing import Ours
    from sla_kit.grafana.pushing import Pushed

Command = TypeVar("Command", bound=Callable[..., Any])
#: So many lines of a diff are shown where it is not the diff that was asked for.
_DIFF_LINES = 60


def grafana_options(command: Command) -> Command:
    """Which Grafana, and as whom."""
    for option in reversed(
        (
            click.option(
                "--url", required=True, envvar="SLA_KIT_GRAFANA_URL", show_envvar=True, metavar="URL",
                help="Where Grafana's start page opens, such as https://grafana.example.com.",
            ),
            click.option(
                "--token-file", type=click.Path(path_type=Path), metavar="FILE",
                help="The file with a service account's token. Default: the variable SLA_KIT_GRAFANA_TOKEN.",
            ),
            click.option(
                "--insecure-http", is_flag=True, help="Send the token unencrypted, to another machine than this one."
            ),
            click.option(
                "--timeout", type=click.FloatRange(min=0.1), default=30.0, show_default=True, metavar="SECONDS",
                help="How long to wait for an answer.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return catalogue_options(command)


@click.command()
@grafana_options
@click.option("--dry-run", is_flag=True, help="Change nothing: tell what would be done.")
@click.option("--force", is_flag=True, help="Overwrite dashboards that were changed by hand, too.")
def push(
    catalogue: str,
    environment: str | None,
    url: str,
    token_file: Path | None,
    insecure_http: bool,
    timeout: float,
    dry_run: bool,
    force: bool,
) -> None:
    """Brings the catalogue's dashboards to a Grafana, into their folders.

    What is as generated is not saved again. What somebody has changed in Grafana since the last push is shown as a diff
    and left alone. Nothing is deleted.

    \b
    Examples:
      sla-kit dashboards push -c sla.yml --url https://grafana.example.com --token-file token
      sla-kit dashboards push -c sla.yml --url https://grafana.example.com --dry-run
    \b
    Exit code: 0 Grafana is as generated (or would be); 1 some are left as they were changed by hand, or mistakes in the
    catalogue; 2 something failed: what was done is told.
    """
    from sla_kit.grafana.comparing import extra
    from sla_kit.grafana.connection import GrafanaError
    from sla_kit.grafana.pushing import push as pushed

    with _asked(catalogue, environment, url, token_file, insecure_http, timeout) as (grafana, ours):
        with progress_bar("pushing") as progress:
            done = pushed(grafana, ours, force=force, dry_run=dry_run, progress=progress)
        for each in done:
            _tell(each, dry_run)
        if not any(each.outcome == "untried" for each in done):
            try:
                more = extra(grafana, ours)
            except GrafanaError as error:
                click.echo(f"sla-kit: what else has our tag can't be told: {error}", err=True)
                more = []
            for hit in more:
                click.echo(f"{hit.title}: not of this catalogue (uid {hit.uid}); left alone", err=True)
    counts = {outcome: sum(each.outcome == outcome for each in done) for outcome in _SUMMARY}
    told = ", ".join(f"{count} {_SUMMARY[outcome]}" for outcome, count in counts.items() if count)
    click.echo(f"{'would be: ' if dry_run else ''}{told or 'nothing to do'}")
    if counts["failed"] or counts["untried"]:
        sys.exit(2)
    if counts["kept"]:
        click.echo("overwrite what was changed by hand with --force, or keep it: sla-kit dashboards pull", err=True)
        sys.exit(1)


_SUMMARY = {
    "created": "created",
    "updated": "updated",
    "overwritten": "overwritten",
    "unchanged": "unchanged",
    "kept": "changed by hand and left so",
    "failed": "failed",
    "untried": "not tried",
}
_BY_HAND = {
    "edited": "was changed in Grafana since the last push",
    "moved": "was moved to another folder in Grafana",
    "unclear": "differs, and who saved it last can't be told (the token may not see its versions)",
}


def _tell(each: Pushed, dry_run: bool) -> None:
    """What became of one dashboard, and for what was changed by hand how."""
    seen = each.standing
    by_hand = seen is not None and seen.state in _BY_HAND
    if each.outcome == "failed":
        click.echo(f"sla-kit: {each.ours.title}: {each.error}", err=True)
    elif each.outcome in ("created", "updated"):
        click.echo(f"{each.ours.title}: {'would be ' if dry_run else ''}{each.outcome} in {each.ours.folder}")
    elif seen is not None and by_hand and each.outcome in ("kept", "overwritten"):
        after = "is left so" if each.outcome == "kept" else "would be overwritten" if dry_run else "is overwritten"
        click.echo(f"{each.ours.title}: {_BY_HAND[seen.state]}; {after}", err=True)
        _show(seen.diff)


def _show(diff: str) -> None:
    from sla_kit.grafana.document import shortened

    if diff:
        click.echo(shortened(diff, _DIFF_LINES), err=True)


@click.command()
@grafana_options
def diff(
    catalogue: str,
    environment: str | None,
    url: str,
    token_file: Path | None,
    insecure_http: bool,
    timeout: float,
) -> None:
    """Tells how a Grafana differs from the catalogue's dashboards: those that are missing, changed there or behind, in
    another folder, and those with our tag that the catalogue has not. Changes nothing; a token that may only read will
    do.

    \b
    Examples:
      sla-kit dashboards diff -c sla.yml --url https://grafana.example.com --token-file token
    \b
    Exit code: 0 nothing differs; 1 something does, or mistakes in the catalogue; 2 it can't be told.
    """
    from sla_kit.grafana.comparing import extra, standing

    with _asked(catalogue, environment, url, token_file, insecure_http, timeout) as (grafana, ours):
        found = []
        with progress_bar("comparing") as progress:
            for number, each in enumerate(ours):
                progress(number, len(ours), each.title)
                found.append(standing(grafana, each))
        more = extra(grafana, ours)
    differing = [each for each in found if each.state != "same"]
    for seen in differing:
        where = f", it is in {seen.kept.folder_title or 'no folder'}" if seen.state == "moved" and seen.kept else ""
        click.echo(f"{seen.ours.title}: {_STATES[seen.state]}{where}")
        if seen.diff:
            click.echo(seen.diff)
    for hit in more:
        click.echo(f"{hit.title}: not of this catalogue (uid {hit.uid}, folder {hit.folder or 'none'})")
    if differing or more:
        click.echo(f"{len(differing) + len(more)} dashboards differ", err=True)
        sys.exit(1)
    click.echo(f"{len(ours)} dashboards are as the catalogue has them")


_STATES = {
    "missing": "missing",
    "behind": "behind: the catalogue has changed since the last push",
    "edited": "changed in Grafana since the last push",
    "moved": "moved by hand: not in its folder",
    "unclear": "changed",
    "provisioned": "changed: Grafana reads it from a file that differs",
}


@click.command()
@grafana_options
@click.option("-o", "--out", default="grafana", show_default=True, type=click.Path(path_type=Path),
              help="The folder to write into.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over files that are not sla-kit's, or were changed by hand.")
def pull(
    catalogue: str,
    environment: str | None,
    url: str,
    token_file: Path | None,
    insecure_http: bool,
    timeout: float,
    out: Path,
    force: bool,
) -> None:
    """Writes what a Grafana has of the catalogue's dashboards into files, to compare or keep what was changed there.

    Files have the form that `sla-kit generate` writes, so that a diff of two folders shows what people have changed.

    \b
    Examples:
      sla-kit dashboards pull -c sla.yml --url https://grafana.example.com --token-file token --out grafana
      diff -r build/dashboards grafana
    """
    from sla_kit.generate.files import write
    from sla_kit.grafana.pulling import pull as pulled

    outputs = []
    with _asked(catalogue, environment, url, token_file, insecure_http, timeout) as (grafana, ours):
        for each in pulled(grafana, ours):
            if each.output is None:
                click.echo(f"{each.title}: not in this Grafana", err=True)
                continue
            if not each.generated:
                click.echo(f"{each.title}: not of this catalogue", err=True)
            outputs.append(each.output)
    written = write(outputs, out, force=force)
    click.echo(
        f"{out}: {len(written.changed)} dashboards written, {len(written.unchanged)} unchanged, "
        f"{len(written.removed)} removed"
    )


@contextmanager
def _asked(
    catalogue: str,
    environment: str | None,
    url: str,
    token_file: Path | None,
    insecure_http: bool,
    timeout: float,
) -> Iterator[tuple[Grafana, Sequence[Ours]]]:
    """The Grafana, and our dashboards."""
    from sla_kit import load
    from sla_kit.generate.dashboards import documents
    from sla_kit.grafana.api import Grafana
    from sla_kit.grafana.comparing import Ours
    from sla_kit.grafana.connection import Connection, access

    allowed = access(url, token_file=token_file, insecure_http=insecure_http, timeout_seconds=timeout)
    ours = [Ours.of(each) for each in documents(load(catalogue, environment))]
    with Connection(allowed) as connection:
        yield Grafana(connection), ours
