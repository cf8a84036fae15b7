"""A mail as HTML: one narrow column with its styles inline, since clients know little else. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sla_kit.routing.deciding.links import fit
from sla_kit.routing.mail.cleaning import one_line
from sla_kit.routing.mail.letters import Letter, Table

#: Each is readable with white text on it (contrast above 4.5, as WCAG 2.1 asks for).
_COLORS = {"critical": "#b42318", "error": "#b42318", "warning": "#93530a", "resolved": "#1a6b36", "info": "#1f5fa8"}
_OTHER = "#4a5568"
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.45"
_GREY = "color:#555e68"
#: The identifier of the picture inside the mail.
GRAPH = "graph"


def html_of(letter: Letter, *, graph_id: str = "") -> str:
    """The document. ``graph_id`` is the Content-ID of the picture, without brackets; empty where there is none."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(letter.title)}</title></head>"
        f'<body style="margin:0;padding:12px;background:#ffffff;color:#1c2127;{_FONT}">'
        f'<div style="max-width:640px">{"".join(_parts(letter, graph_id))}</div></body></html>\n'
    )


def _parts(letter: Letter, graph_id: str) -> Iterator[str]:
    color = _COLORS.get(letter.mood.casefold(), _OTHER)
    yield (
        f'<p style="margin:0 0 8px;padding:8px 12px;border-radius:4px;background:{color};color:#ffffff;'
        f'font-weight:600">{escape(letter.headline)}</p>'
        f'<h1 style="margin:0 0 12px;font-size:19px;line-height:1.3">{escape(letter.title)}</h1>'
    )
    for paragraph in letter.paragraphs:
        yield f'<p style="margin:0 0 12px">{escape(paragraph).replace(chr(10), "<br>")}</p>'
    if letter.facts:
        rows = "".join(
            f'<tr><th style="text-align:left;vertical-align:top;padding:2px 12px 2px 0;font-weight:normal;{_GREY}">'
            f'{escape(name)}</th><td style="padding:2px 0;word-break:break-word">{escape(value)}</td></tr>'
            for name, value in letter.facts
        )
        yield f'<table style="border-collapse:collapse;margin:0 0 12px">{rows}</table>'
    if graph_id:
        yield (
            f'<p style="margin:0 0 12px"><img src="cid:{escape(graph_id)}" alt="What the alert measures" '
            'style="max-width:100%;height:auto"></p>'
        )
    yield _links(letter)
    yield _listed("Notes", letter.notes)
    for table in letter.tables:
        yield _table(table)
    yield _listed("Files", tuple(one_line(file.name) for file in letter.files))


def _links(letter: Letter) -> str:
    links = [
        f'<a href="{escape(link.url)}" style="color:#0b57a4">{escape(one_line(link.text) or link.url)}</a>'
        for link in letter.links
        if fit(link.url)
    ]
    return f'<p style="margin:0 0 16px">{" &nbsp;·&nbsp; ".join(links)}</p>' if links else ""


def _table(table: Table) -> str:
    cell = "padding:6px 8px 6px 0;border-top:1px solid #d8dee4;vertical-align:top"
    rows = "".join(
        f'<tr><td style="{cell};word-break:break-word">{escape(row.what)}'
        + (f'<br><span style="font-size:13px;{_GREY}">{escape(row.more)}</span>' if row.more else "")
        + f'</td><td style="{cell};white-space:nowrap;{_GREY}">{escape(row.when)}</td></tr>'
        for row in table.rows
    )
    if table.left_out > 0:
        rows += f'<tr><td colspan="2" style="{cell};{_GREY}">and {table.left_out} more</td></tr>'
    return _heading(table.title) + f'<table style="border-collapse:collapse;width:100%;margin:0 0 12px">{rows}</table>'


def _listed(title: str, entries: tuple[str, ...]) -> str:
    if not entries:
        return ""
    items = "".join(f"<li>{escape(entry)}</li>" for entry in entries)
    return _heading(title) + f'<ul style="margin:0 0 12px;padding-left:20px">{items}</ul>'


def _heading(text: str) -> str:
    return f'<h2 style="margin:12px 0 4px;font-size:15px">{escape(text)}</h2>'
