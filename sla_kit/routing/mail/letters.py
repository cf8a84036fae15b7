"""What a mail says, as values that know neither text nor HTML: a headline, facts, lists, links, notes, files."""

from __future__ import annotations

from dataclasses import dataclass, field

from sla_kit.routing.events import File, Link


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of a list: what it is, more about it, and since when."""

    what: str
    more: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A list with its title. ``left_out`` is how many things it does not show."""

    title: str
    rows: tuple[Row, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail. ``subject`` begins a thread; ``headline`` says in a few words what this one brings, ``mood`` how it is
    coloured: a severity, or ``resolved``. ``urgent`` mails say so to clients. ``graph`` is the digest of a PNG."""

    subject: str
    headline: str
    title: str
    mood: str = ""
    urgent: bool = False
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    files: tuple[File, ...] = ()
    graph: str = ""
    #: For filters in mail clients: headers ``X-SLA-Kit-…``.
    marks: dict[str, str] = field(default_factory=dict)
