"""`sla-kit simulate`: a recorded history whose truth is known."""

from __future__ import annotations

from pathlib import Path

import click

from sla_kit.cli.progress import progress_bar, working
from sla_kit.errors import ScenarioError


@click.command()
@click.argument("scenario")
@click.option(
    "-o", "--out", type=click.Path(file_okay=False, path_type=Path), default="history", show_default=True,
    help="The folder to write into.",
)  # fmt: skip
@click.option("--seed", type=int, help="Draw other numbers than the scenario's own seed would.")
@click.option("--days", type=float, help="Simulate this many days from the start instead.")
@click.option("--force", is_flag=True, help="Overwrite a history that is there.")
def simulate(scenario: str, out: Path, seed: int | None, days: float | None, force: bool) -> None:
    """Draws a history from SCENARIO, a YAML file (docs/simulate.md) or the name of one that comes with sla-kit: the
    month of a sports-league app, astralfield. With all that the exporters of its whole stack publish, stack.

    Writes history.om.gz (for promtool and for --source), history.parquet (where pyarrow is installed) and truth.json
    with the counts that were really drawn.

    \b
    Example:
      sla-kit simulate astralfield --out history
      sla-kit report -c examples/astralfield --source history --out report
    """
    import msgspec

    from sla_kit.simulate import load_scenario
    from sla_kit.simulate import simulate as drawn

    there = [name for name in ("history.om.gz", "history.parquet", "truth.json") if (out / name).exists()]
    if there and not force:
        raise ScenarioError(
            f"{', '.join(there)} would be overwritten", place=str(out), remedy="give another --out, or --force"
        )
    wanted = load_scenario(scenario)
    if seed is not None:
        wanted = msgspec.structs.replace(wanted, seed=seed)
    if days is not None:
        wanted = msgspec.structs.replace(wanted, days=days)
    with progress_bar("drawing") as progress:
        simulation = drawn(wanted, progress)
    with working("writing"):
        paths = simulation.write(out)
    for path in paths:
        click.echo(str(path))
