"""What became of loaded files, as a table on standard error."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from sla_kit.cli.terminal import visible
from sla_kit.logs import Loaded
from sla_kit.logs.times import written


def summary(loaded: Loaded, target: str) -> None:
    """What became of the files, on standard error: documents may be on standard output."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    rate = loaded.documents / loaded.seconds if loaded.seconds else 0.0

    def row(name: str, value: object) -> None:
        table.add_row(visible(name), visible(f"{value:,}" if isinstance(value, int) else str(value)))

    for file, form in loaded.formats.items():
        row(file, form)
    row("lines", loaded.lines)
    row("documents", loaded.documents)
    if target:
        row(f"loaded into {target}", loaded.loaded)
        row("already there", loaded.already_there)
        row("refused, dead letters", loaded.dead)
        if loaded.unsent:
            row("not sent", loaded.unsent)
    row("can't be read, dead letters" if target else "can't be read", loaded.unreadable)
    for count, name in ((loaded.damaged, "lines with bytes that are no UTF-8"), (loaded.cut, "lines cut off")):
        if count:
            row(name, count)
    classes: dict[str, int] = {}
    for status, count in loaded.statuses.items():
        classes[f"status {status // 100}xx"] = classes.get(f"status {status // 100}xx", 0) + count
    levels = {f"level {level}": count for level, count in loaded.levels.items()}
    for name, count in (classes | levels).items():
        row(name, count)
    if loaded.first_ms is not None and loaded.last_ms is not None:
        row("from", written(loaded.first_ms))
        row("to", written(loaded.last_ms))
    if target:
        row("requests, documents sent again", f"{loaded.requests:,}, {loaded.retried:,}")
    row("seconds, documents a second", f"{loaded.seconds:.1f}, {rate:,.0f}")
    console = Console(stderr=True)
    console.print(table)
    for trouble in loaded.troubles:
        click.echo(visible(f"{trouble.file}: {trouble.message}"), err=True)
    if loaded.dead_letters is not None:
        click.echo(visible(f"Dead letters: {loaded.dead_letters}"), err=True)
