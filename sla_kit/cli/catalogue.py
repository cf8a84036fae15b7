"""`sla-kit check` and `sla-kit schema`: a catalogue's mistakes, and what a catalogue may hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

import click

from sla_kit.cli.options import catalogue_options
from sla_kit.errors import Mistake


@click.command()
@catalogue_options
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How mistakes are printed; github makes annotations of them in a GitHub workflow.",
)
def check(catalogue: str, environment: str | None, form: str) -> None:
    """Tell every mistake in a catalogue, with file and line.

    Without --environment the base and every overlay are checked. A promise of more than what it depends on allows is
    a warning. Exit code: 0 right (with or without warnings), 1 mistakes.
    """
    from sla_kit.catalogue.load import examine

    found, mistakes, warnings = examine(catalogue, environment)
    services = len(found.services) if found else 0
    slos = len(found.slos()) if found else 0
    if form == "json":
        click.echo(_as_json(catalogue, services, slos, mistakes, warnings))
    else:
        for mistake in mistakes:
            click.echo(_annotation(mistake) if form == "github" else str(mistake))
        for warning in warnings:
            click.echo(_annotation(warning, "warning") if form == "github" else _warned(warning))
        if found:
            click.echo(f"{catalogue}: {_count(services, 'service')}, {_count(slos, 'SLO')}")
        else:
            click.echo(f"{catalogue}: {_count(len(mistakes), 'mistake')}", err=True)
    if mistakes:
        sys.exit(1)


@click.command()
def schema() -> None:
    """Print the JSON Schema of a catalogue, for editors."""
    from sla_kit.catalogue.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _warned(warning: Mistake) -> str:
    return str(replace(warning, message=f"warning: {warning.message}"))


def _as_json(catalogue: str, services: int, slos: int, mistakes: Sequence[Mistake], warnings: Sequence[Mistake]) -> str:
    keys = ("file", "line", "column", "message", "hint")
    told, warned = ([{key: getattr(each, key) for key in keys} for each in found] for found in (mistakes, warnings))
    content = {"catalogue": catalogue, "services": services, "slos": slos, "mistakes": told, "warnings": warned}
    return json.dumps(content, indent=2, ensure_ascii=False)


def _annotation(mistake: Mistake, level: str = "error") -> str:
    """A workflow command of GitHub Actions, whose own characters in values are percent-encoded."""
    text = mistake.message + (f" ({mistake.hint})" if mistake.hint else "")
    place = f"file={_escaped(mistake.file, ':,')}"
    if mistake.line:
        place += f",line={mistake.line},col={mistake.column}"
    return f"::{level} {place}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
