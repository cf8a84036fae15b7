"""`sla-kit import` and `sla-kit export`: other tools' SLO files into a catalogue, and a catalogue into theirs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sla_kit.cli.options import catalogue_options
from sla_kit.errors import SlaKitError

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue, Window
    from sla_kit.interchange import Leftover


@click.command("import")
@click.argument("tool", type=click.Choice(["openslo", "sloth", "pyrra"]))
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False), help="The folder to write sla.yml to.")
@click.option("--name", default="", metavar="NAME", help="What the catalogue is called. Default: the folder's name.")
@click.option("--strict", is_flag=True, help="Exit with 1 where anything is left behind.")
@click.option("--force", is_flag=True, help="Write sla.yml even where the folder holds a catalogue.")
def import_(
    tool: Literal["openslo", "sloth", "pyrra"], files: tuple[str, ...], out: str, name: str, strict: bool, force: bool
) -> None:
    """Make a catalogue of OpenSLO, Sloth or Pyrra files.

    FILES are YAML or JSON, or folders of them; references between them are followed. PromQL becomes an indicator with
    a structure wherever it has one. Whatever could not be carried over is printed with its file, line and column.

    \b
      sla-kit import sloth slos/ --out shop
      sla-kit check -c shop
      sla-kit report -c shop --source http://localhost:9090 --window last-week --out report

    Exit code: 0 done, 1 mistakes in the files (nothing is written), or with --strict something left behind.
    """
    from sla_kit.catalogue import to_yaml
    from sla_kit.interchange import import_files

    folder = Path(out)
    _refuse_overwriting(folder, force)
    imported = import_files(tool, files, name or folder.resolve().name or tool)
    target = folder / "sla.yml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(to_yaml(imported.catalogue), encoding="utf-8")
    except OSError as error:
        raise SlaKitError(
            f"can't be written: {error.strerror}", place=str(target), remedy="give another --out"
        ) from error
    _print_table(imported.catalogue)
    _print_leftovers(imported.leftovers, "left behind or changed", err=False)
    click.echo(f"{target}: {_counted(imported.catalogue)}")
    if not imported.catalogue.slos():
        click.echo(f"none of the files holds an SLO, and `sla-kit check -c {folder}` asks for one", err=True)
    if strict and imported.leftovers:
        sys.exit(1)


@click.command()
@catalogue_options
@click.option("--format", "form", type=click.Choice(["openslo"]), default="openslo", show_default=True)
@click.option("-o", "--out", type=click.Path(dir_okay=False), help="The file to write. Default: standard output.")
@click.option("--strict", is_flag=True, help="Exit with 1 where anything has no place in the format.")
def export(catalogue: str, environment: str | None, form: str, out: str | None, strict: bool) -> None:
    """Write a catalogue as OpenSLO v1 documents.

    What OpenSLO has no words for is told on standard error.

    \b
      sla-kit export -c sla.yml --format openslo --out openslo.yml
      sla-kit import openslo openslo.yml --out again

    Exit code: 0 done, 1 mistakes in the catalogue, or with --strict something that has no place in OpenSLO.
    """
    from sla_kit.catalogue import load
    from sla_kit.interchange.to_openslo import to_openslo

    exported = to_openslo(load(catalogue, environment))
    if out is None:
        click.echo(exported.yaml(), nl=False)
    else:
        try:
            Path(out).write_text(exported.yaml(), encoding="utf-8")
        except OSError as error:
            raise SlaKitError(f"can't be written: {error.strerror}", place=out, remedy="give another --out") from error
    _print_leftovers(exported.leftovers, f"has no place in {form}", err=True)
    if strict and exported.leftovers:
        sys.exit(1)


def _refuse_overwriting(folder: Path, force: bool) -> None:
    if force or not folder.is_dir():
        return
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".yml", ".yaml"))
    if found:
        what = "a catalogue is there already" if (folder / "sla.yml") in found else "the folder holds other YAML"
        raise SlaKitError(what, place=str(found[0]), remedy="give another --out, or --force")


def _print_table(catalogue: Catalogue) -> None:
    """Every SLO with what it is judged by."""
    rows = [("service", "SLO", "indicator", "objective", "window")]
    for service, slo in catalogue.slos():
        kind = str(catalogue.sli(service, slo).__struct_config__.tag)
        rows.append((service.name, slo.name, kind, f"{slo.objective * 100:.12g} %", _window(slo.window)))
    if len(rows) == 1:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    click.echo()


def _window(window: Window) -> str:
    from sla_kit.configuration.quantities import format_duration

    text = window.calendar or str(format_duration(window.rolling or 0.0))
    return f"{text} from {window.start}" if window.start else text


def _print_leftovers(leftovers: Sequence[Leftover], what: str, *, err: bool) -> None:
    if leftovers:
        click.echo(f"{what}: {len(leftovers)}", err=err)
        for leftover in leftovers:
            click.echo(f"  {leftover}", err=err)
        click.echo(err=err)


def _counted(catalogue: Catalogue) -> str:
    services, slos = len(catalogue.services), len(catalogue.slos())
    return f"{services} service{'s' * (services != 1)}, {slos} SLO{'s' * (slos != 1)}"
