"""`sla-kit generate`: rules, their tests, configuration, runbooks and dashboards from the catalogue."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

import click

from sla_kit.cli.options import TimeType, catalogue_options

_PARTS = ("rules", "tests", "config", "runbooks", "backfill", "dashboards", "logs")


@click.command()
@catalogue_options
@click.option("-o", "--out", default="build", show_default=True, type=click.Path(), help="The folder to write into.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["files", "kubernetes", "ruler"]),
    default="files",
    show_default=True,
    help="files: for a plain Prometheus and Alertmanager. kubernetes: manifests for prometheus-operator. "
    "ruler: rules for Mimir, Cortex or Thanos, and nothing else.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_PARTS),
    help="Only these parts; may be repeated. Files of other parts stay as they are.",
)
@click.option("--check", is_flag=True, help="Write nothing: exit with 1 where the folder differs, and show how.")
@click.option("--force", is_flag=True, help="Write over files that are not sla-kit's, or were changed by hand.")
@click.option(
    "--at",
    type=TimeType(),
    metavar="TIME",
    help="From when on the calendar is written down; it changes what is written once a quarter. Default: now.",
)
def generate(
    catalogue: str,
    environment: str | None,
    out: str,
    form: str,
    only: tuple[str, ...],
    check: bool,
    force: bool,
    at: float | None,
) -> None:
    """Writes what Prometheus, Alertmanager and Grafana need: rules with their tests, configuration, runbooks and
    dashboards.

    \b
      rules/*.yml                 recordings and alerts of the SLOs, the calendar, alerts of the whole stack
      tests/*.yml                 promtool's tests of every alert, for your settings
      prometheus.yml, alertmanager.yml, blackbox.yml
      runbooks/*.md               a page an alert
      backfill/backfill.sh        fills long windows from the samples that Prometheus has already
      dashboards/*.json, provisioning/   Grafana's dashboards, their folders, data sources
      logs/                       where the catalogue has logs: what `sla-kit logs generate` writes

    Either all files are written or none; files that are not sla-kit's are never touched. What SLOs declare and no rule
    can tell is named as left out, also at the head of the rules. Dashboards need the extra "dashboards"; without it
    name the other parts: --only rules --only config …

    \b
    Examples:
      sla-kit generate -c sla.yml --out build
      sla-kit generate -c sla.yml --out build --check        in CI: 1 where somebody forgot to generate
      sla-kit generate -c sla.yml -e production --format kubernetes --out deploy
      promtool test rules build/tests/*.yml
    \b
    Exit code: 0 done, or nothing differs; 1 mistakes in the catalogue, or --check found a difference; 2 it failed.
    """
    from sla_kit import load
    from sla_kit.generate import files, plan
    from sla_kit.rules.slo import left_out

    gc.disable()  # there is nothing to collect, and a large catalogue would be looked through again and again

    loaded = load(catalogue, environment)
    parts = only or _PARTS
    moment = time.time() if at is None else at
    outputs = plan.outputs(loaded, moment, parts, form)
    for text in left_out(loaded) if "rules" in parts else ():
        click.echo(f"left out: {text}", err=True)
    folder = Path(out)
    if check:
        sys.exit(told_of(files.differences(outputs, folder, part=bool(only)), folder))
    written = files.write(outputs, folder, force=force, part=bool(only))
    made = plan.counted(outputs)
    dashboards = f", {made.dashboards} dashboards" if "dashboards" in parts and form != "ruler" else ""
    click.echo(
        f"{out}: {made.recordings} recording rules, {made.alerts} alerts, {made.tests} tests of them{dashboards}"
    )
    click.echo(
        f"{len(written.changed)} files written, {len(written.unchanged)} unchanged, {len(written.removed)} removed"
    )


def told_of(differences: list, folder: Path) -> int:  # type: ignore[type-arg]  # of a module that loads when it is needed
    """Prints what differs, and tells the exit code."""
    for each in differences:
        click.echo(f"{folder / each.path}: {each.what}", err=True)
        if each.diff:
            click.echo(each.diff, err=True)
    if differences:
        click.echo(f"{len(differences)} files differ; generate them again", err=True)
        return 1
    click.echo(f"{folder} is as the catalogue has it")
    return 0
