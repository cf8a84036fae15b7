"""`sla-kit demo`: everything that needs no server, on a simulated month."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sla_kit.cli.progress import progress_bar, working
from sla_kit.cli.report import every_format

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue


@click.command()
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="demo-report",
    show_default=True,
    help="The folder to write the report into.",
)
@click.option("-w", "--window", default="7d", show_default=True, help="The report's window, as for `sla-kit report`.")
@click.option("--keep-history", is_flag=True, help="Also keep history.om.gz, history.parquet and truth.json there.")
def demo(out: Path, window: str, keep_history: bool) -> None:
    """Simulates 30 days of a sports-league app with game-day bursts, an outage, a missed backup and a slow restore,
    and writes the weekly SLA report of its example catalogue, with the ledger that proves it, and into `monitoring`
    the rules, their tests, configuration, dashboards and runbooks that follow from the same catalogue."""
    from rich.console import Console

    from sla_kit import evaluate, forecast, load
    from sla_kit.report import write
    from sla_kit.report.status import render_status
    from sla_kit.simulate import load_scenario, simulate

    with as_file(files("sla_kit.examples") / "astralfield") as folder, tempfile.TemporaryDirectory() as scratch:
        catalogue = load(folder, "production")
        kept = out if keep_history else Path(scratch)
        with progress_bar("simulating 30 days") as progress:
            simulation = simulate(load_scenario("astralfield"), progress)
        with working("recording what a Prometheus would have scraped"):
            written = simulation.write(kept)
        ledger = _new_ledger(out)
        with progress_bar("evaluating") as progress:
            evaluation = evaluate(catalogue, kept, window, progress=progress, ledger=ledger, rollups=["month"])
        with progress_bar("forecasting") as progress:
            ahead = forecast(catalogue, kept, evaluation.at, progress=progress, ledger=ledger)
            evaluation = replace(evaluation, forecast=ahead)
        render_status(evaluation, Console())
        with working("writing the report"):
            paths = write(evaluation, out, every_format())
        with working("generating rules, dashboards and runbooks"):
            paths.append(_monitoring(catalogue, evaluation.at, out / "monitoring"))
    for path in [*paths, *([] if ledger is None else [ledger]), *(written if keep_history else [])]:
        click.echo(str(path))


def _monitoring(catalogue: Catalogue, at: float, folder: Path) -> Path:
    """What watches the catalogue; without dashboards where grafanalib is not installed."""
    from sla_kit.generate import files, plan

    parts = tuple(part for part in plan.PARTS if part != "dashboards" or find_spec("grafanalib") is not None)
    files.write(plan.outputs(catalogue, at, parts), folder, force=True)
    return folder


def _new_ledger(out: Path) -> Path | None:
    """Where the demo keeps its buckets; None where the ledger's libraries are not installed. One that an earlier demo
    left would hold another month."""
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        return None
    out.mkdir(parents=True, exist_ok=True)
    path = out / "ledger.db"
    for each in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))):
        each.unlink(missing_ok=True)
    return path
