"""What a report is made of, before it is HTML or Markdown: sections of tables, sentences and plots, all plain text.

Texts are not markup: each writer escapes them its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sla_kit.engine.results import SloResult

#: How a cell or a sentence stands: it met what was promised, missed it, nobody can tell; or nothing of the kind.
Tone = Literal["", "met", "missed", "unknown"]


def tone_of(met: bool | None) -> Tone:
    """The tone of a verdict."""
    return "unknown" if met is None else "met" if met else "missed"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: the ``text`` a reader sees, the full ``value`` behind it (a number, or a time as RFC 3339), a ``note``
    in small print, how full a ``bar`` beside it is (1 is full; under 0 is empty and overspent), a ``link`` to a file
    beside the report, and a ``trend`` to draw where the format can show pictures, of which ``text`` then is the
    description."""

    text: str
    value: float | str | None = None
    tone: Tone = ""
    note: str = ""
    bar: float | None = None
    link: str = ""
    trend: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title; numbers are set to the right, ``prose`` gets a line of its own where room is short."""

    title: str
    numeric: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a caption; the first cell of each row names it. ``look`` "cards" sets each row apart, large."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    look: Literal["rows", "cards"] = "rows"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or a few."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; each item has a text and, under it, the details that belong to it."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One thing in a tree: its name, how it stands, a ``note`` in small print, and what it is made of."""

    name: str
    text: str
    tone: Tone = ""
    note: str = ""
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """Things that are made of others, as nested lists under a caption."""

    caption: str
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Plots:
    """Small multiples, one an SLO, where the format can show pictures; ``note`` says how to read them."""

    kind: Literal["burndown", "heat"]
    slos: tuple[SloResult, ...]
    timezone: str
    note: str


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that a reader opens when they want them."""

    title: str
    blocks: tuple[Block, ...]


Block = Table | Paragraph | Bullets | Tree | Plots | Fold


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the report; ``id`` is its anchor."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report: its title, what it is about, the verdict in a sentence, and the sections."""

    title: str
    subject: str
    tone: Tone
    headline: str
    details: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: tuple[str, ...]
