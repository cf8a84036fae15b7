"""A mail as plain text: short lines and no columns, so that it reads well on a telephone."""

from __future__ import annotations

from collections.abc import Iterator

from sla_kit.routing.deciding.links import fit
from sla_kit.routing.mail.cleaning import one_line
from sla_kit.routing.mail.letters import Letter, Row, Table


def text_of(letter: Letter) -> str:
    """The plain text, with ``\\n`` between lines."""
    return "\n\n".join(part for part in _parts(letter) if part) + "\n"


def _parts(letter: Letter) -> Iterator[str]:
    yield f"{letter.headline}\n{letter.title}"
    yield from letter.paragraphs
    yield "\n".join(f"{name}: {value}" for name, value in letter.facts)
    yield _listed("Notes", letter.notes)
    for table in letter.tables:
        yield _table(table)
    links = [link for link in letter.links if fit(link.url)]
    yield "\n".join(f"{one_line(link.text)}: {link.url}" if link.text else link.url for link in links)
    yield _listed("Files", [one_line(file.name) for file in letter.files])


def _table(table: Table) -> str:
    rows = [f"- {_row(row)}" for row in table.rows]
    if table.left_out > 0:
        rows.append(f"- and {table.left_out} more")
    return "\n".join([table.title, *rows])


def _row(row: Row) -> str:
    first = f"{row.what} ({row.when})" if row.when else row.what
    return f"{first}\n  {row.more}" if row.more else first


def _listed(title: str, entries: tuple[str, ...] | list[str]) -> str:
    return "\n".join([title, *(f"- {entry}" for entry in entries)]) if entries else ""
