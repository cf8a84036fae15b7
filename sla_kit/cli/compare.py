"""`sla-kit compare`: what changed between two reports."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["table", "md", "html", "json"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@click.option("--language", default="", metavar="CODE", help="Write in this language (de, pt_BR). Default: English.")
@click.option(
    "--translations", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where its .po is."
)
def compare(first: Path, second: Path, form: str, language: str, translations: Path | None) -> None:
    """Prints what changed from FIRST to SECOND, two report.json files, the worst first: two windows, two environments,
    before and after a release. Leaves with 0 whatever changed.

    \b
    Example:
      sla-kit compare last-week/report.json report/report.json
    """
    from sla_kit.engine.comparison import compare as changes_of
    from sla_kit.report.comparing import page, read_side
    from sla_kit.report.language import speaking
    from sla_kit.report.translations import open_language

    found = changes_of(read_side(first), read_side(second))
    with speaking(open_language(language, translations)):
        if form == "json":
            import msgspec

            from sla_kit.report.document_comparison import comparison_of

            click.echo(msgspec.json.format(msgspec.json.encode(comparison_of(found)), indent=2).decode())
        elif form == "md":
            from sla_kit.report.as_markdown import markdown

            click.echo(markdown(page(found)), nl=False)
        elif form == "html":
            from sla_kit.report.as_html import html

            click.echo(html(page(found)))
        else:
            from rich.console import Console

            from sla_kit.report.terminal import print_page

            print_page(page(found), Console())
