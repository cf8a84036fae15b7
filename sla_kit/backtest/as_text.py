"""A backtest in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sla_kit.backtest.results import Backtest
from sla_kit.backtest.tables import (
    NONE,
    Sheet,
    alerts_table,
    comparison_table,
    headline,
    incidents_table,
    nothing_read,
    when,
)

#: A narrow terminal does without these.
_SPARED = frozenset(("Severity", "Again soon", "Short", "at worst", "Budget before", "Service", "Budget before / all"))
_WIDE = 130
#: What the first column is never narrower than.
_FIRST = 14
_FEW = 8
_LEFT = frozenset(("Alert", "Severity", "Incident", "Service", "Start", "First alert", "Rules", "Budget before / all"))


def print_backtest(found: Backtest, console: Console) -> None:
    """Prints the tables, and the answer in a sentence last. Where few alerts had nothing to read each says why; of many
    it is said in one line."""
    brief = sum(1 for one in found.variants[0].alerts if one.absent) > _FEW
    sheets = [alerts_table(found, brief)]
    if found.incidents:
        sheets.append(incidents_table(found))
    if len(found.variants) > 1:
        sheets.append(comparison_table(found))
    for sheet in sheets:
        console.print(_table(sheet, console))
    console.print(Text(_printable(headline(found)), style="bold"))
    if brief:
        console.print(Text(_printable(nothing_read(found)), style="dim"))
    window = found.window
    span = f"{when(window.start, found.timezone)} to {when(window.end, found.timezone)} {found.timezone}"
    console.print(Text(_printable(f"{span}, {found.source}, evaluated by: {found.engine}"), style="dim"))
    for note in (*found.notes, *(note for variant in found.variants for note in variant.notes)):
        console.print(Text(_printable(note), style="yellow"))


def _table(sheet: Sheet, console: Console) -> Table:
    fancy = (console.encoding or "").lower().startswith("utf")
    narrow = console.width < _WIDE
    table = Table(
        title=sheet.title, title_justify="left", title_style="dim", pad_edge=False,
        box=box.SIMPLE_HEAD if fancy else box.ASCII2, padding=(0, 1, 0, 0) if narrow else (0, 1),
    )  # fmt: skip
    shown = [place for place, title in enumerate(sheet.columns) if not narrow or title not in _SPARED]
    for place in shown:
        column = sheet.columns[place]
        number = place and column not in _LEFT
        longest = max((len(word) for word in column.split()), default=0)
        table.add_column(
            _broken(column) if narrow and number else column,
            justify="right" if number else "left",
            overflow="fold",
            min_width=longest if place else _FIRST,
            no_wrap=column == "Start",
        )
    service = sheet.columns.index("Service") if "Service" in sheet.columns else 0
    for row, note in zip(sheet.rows, sheet.notes, strict=True):
        name, brace, labels = row[0].partition("{") if narrow else (row[0], "", "")
        cells = [Text(_printable(name)), *(Text(_printable(row[place])) for place in shown[1:])]
        if brace:
            cells[0].append(f"\n{_printable(labels.removesuffix('}'))}", style="dim")
        if service and service not in shown and row[service] != NONE:
            cells[0].append(f"\n{_printable(row[service])}", style="dim")
        if note:
            cells[0].append(f"\n{_printable(note[:200])}", style="dim")
        table.add_row(*cells)
    return table


def _broken(title: str) -> str:
    """A title in two lines."""
    first, _, rest = title.rpartition(" ")
    return f"{first}\n{rest}" if first else title


def _printable(text: str) -> str:
    """Text without control characters, which would steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
