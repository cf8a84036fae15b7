"""report.md: the report as GitHub-flavoured Markdown, for a repository, a chat or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sla_kit.report.blocks import Block, Branch, Bullets, Cell, Column, Fold, Page, Paragraph, Plots, Table, Tone, Tree
from sla_kit.report.content import page
from sla_kit.visibility import visible

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation

_MARKS: dict[Tone, str] = {"": "", "met": "✅ ", "missed": "❌ ", "unknown": "❔ "}
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")
_OPENS_A_BLOCK = re.compile(r"^(?:#{1,6}|[+-]|\d{1,9}[.)])(?=\s|$)|^(?:=+|-{2,})$")


def render(evaluation: Evaluation) -> str:
    """The whole report; pictures are left to the HTML, their tables are here."""
    return markdown(page(evaluation))


def markdown(content: Page) -> str:
    """A page as Markdown."""
    lines = [f"# {escape(content.title)}", "", escape(content.subject), ""]
    lines += [f"**{_MARKS[content.tone]}{escape(content.headline)}**", ""]
    lines += [f"- {escape(detail)}" for detail in content.details]
    for section in content.sections:
        lines += ["", f"## {escape(section.title)}", *_blocks(section.blocks)]
    lines += ["", "---", ""]
    lines += [line for text in content.footer for line in (escape(text), "")]
    return "\n".join(lines).rstrip("\n") + "\n"


def escape(text: str) -> str:
    """Text on one line with everything that Markdown or HTML would read as markup taken literally."""
    line = " ".join(visible(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(r"\\\1", line)
    if opening := _OPENS_A_BLOCK.match(line):
        at = opening.end() - 1 if line[0].isdigit() else 0
        line = f"{line[:at]}\\{line[at:]}"
    return line


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(text, tone):
                yield from ("", _MARKS[tone] + escape(text))
            case Bullets(items):
                yield ""
                for text, detail in items:
                    yield f"- **{escape(text)}**"
                    if detail:
                        yield f"  {escape(detail)}"
            case Tree(caption, branches):
                yield from ("", f"*{escape(caption)}*", "")
                yield from _branches(branches)
            case Table():
                yield from _table(block)
            case Fold(title, inner):
                yield from ("", "<details>", f"<summary>{_in_html(title)}</summary>")
                yield from _blocks(inner)
                yield from ("", "</details>")
            case Plots():
                pass


def _branches(branches: Iterable[Branch], indent: str = "") -> Iterator[str]:
    for branch in branches:
        note = f"<br><sub>{escape(branch.note)}</sub>" if branch.note else ""
        yield f"{indent}- {_MARKS[branch.tone]}**{escape(branch.name)}**: {escape(branch.text)}{note}"
        yield from _branches(branch.branches, indent + "  ")


def _table(table: Table) -> Iterator[str]:
    yield from ("", f"*{escape(table.caption)}*", "")
    yield _row(_title(column) for column in table.columns)
    yield _row("---:" if column.numeric else "---" for column in table.columns)
    for cells in table.rows:
        yield _row(_cell(cell) for cell in cells)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _title(column: Column) -> str:
    return escape(column.title)


def _cell(cell: Cell) -> str:
    shown = cell.text.replace(" ", "·") if cell.trend else cell.text  # blanks in a row would be one
    text = _MARKS[cell.tone] + (f"[{escape(shown)}]({cell.link})" if cell.link else escape(shown))
    return f"{text}<br><sub>{escape(cell.note)}</sub>" if cell.note else text


def _in_html(text: str) -> str:
    return " ".join(visible(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
