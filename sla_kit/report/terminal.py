"""A page's sentences and tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from rich import box
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from sla_kit.report.blocks import Block, Bullets, Cell, Fold, Page, Paragraph, Table, Tone

if TYPE_CHECKING:
    from rich.console import Console

#: On a terminal narrower than this, tables lose their last columns.
_NARROW, _FEW = 100, 5
#: As wide is the first column at least, where its names need it.
_NAME = 22
_STYLES: dict[Tone, str] = {"": "", "met": "green", "missed": "bold red", "unknown": "yellow"}


def print_page(page: Page, console: Console) -> None:
    """Prints the tables and sentences of a page; what is folded is unfolded, pictures are left out."""
    for section in page.sections:
        _print(section.blocks, console)
    console.print(Text(_printable(page.headline), style=_STYLES[page.tone] or "bold"))
    for detail in page.details:
        console.print(Text(_printable(detail), style="dim"))


def _print(blocks: Iterable[Block], console: Console) -> None:
    for block in blocks:
        match block:
            case Table():
                console.print(_table(block, console))
            case Paragraph(text, tone):
                console.print(Text(_printable(text), style=_STYLES[tone]))
            case Bullets(items):
                for title, detail in items:
                    console.print(Text(_printable(title), style="bold"))
                    console.print(Text(_printable(detail)))
            case Fold(_title, inner):
                _print(inner, console)


def _table(block: Table, console: Console) -> RichTable:
    """The table with as many of its columns as there is room for."""
    shown = len(block.columns) if console.width >= _NARROW else min(_FEW, len(block.columns))
    table = _of_columns(block, shown, console)
    while shown > _FEW and Measurement.get(console, console.options, table).minimum > console.width:
        shown -= 1
        table = _of_columns(block, shown, console)
    return table


def _of_columns(block: Table, shown: int, console: Console) -> RichTable:
    fancy = (console.encoding or "").lower().startswith("utf")
    table = RichTable(
        title=_printable(block.caption), title_justify="left", title_style="dim", pad_edge=False,
        box=box.SIMPLE_HEAD if fancy else box.ASCII2,
    )  # fmt: skip
    for place, column in enumerate(block.columns[:shown]):
        justify: Literal["left", "right"] = "right" if column.numeric else "left"
        least = None if place else min(_NAME, max((len(row[0].text) for row in block.rows), default=_NAME))
        table.add_column(_printable(column.title), justify=justify, overflow="fold", min_width=least)
    for row in block.rows:
        table.add_row(*map(_cell, row[:shown]))
    return table


def _cell(cell: Cell) -> Text:
    text = Text(_printable(cell.text), style=_STYLES[cell.tone])
    if cell.note:
        text.append(f"\n{_printable(cell.note)}", style="dim")
    return text


def _printable(text: str) -> str:
    """Text without control characters, which would steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
