"""The parts of the HTML that there are thousands of, cells and rows; written here since a template takes much longer.

Everything from outside is escaped: names, reasons and notes come from files and servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from markupsafe import Markup

from sla_kit.report.blocks import Cell, Table, Tone

#: A figure and the short word after it, which is its unit or its name.
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|pp|ms|s|min|h|d)(?!\w))")
_OUTLINES: dict[Tone, str] = {
    "met": '<circle cx="8" cy="8" r="8"{ink}/><path d="M4.2 8.4 7 11l5-5.8"{line}/>',
    "missed": '<path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"{ink}/><path d="m5 5 6 6m0-6-6 6"{line}/>',
    "unknown": '<circle cx="8" cy="8" r="7"{line}/>'
    '<path d="M5.9 6.2a2.1 2.1 0 1 1 2.9 2c-.6.3-.8.6-.8 1.2M8 11.7v.2"{line}/>',
}


def joined(text: str) -> str:
    """Text in which a number and its unit stay on one line."""
    return _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)


class Marker:
    """Writes cells and rows; with a ``palette`` for paper, where every picture stands for itself: its colours are
    written out, and nothing is drawn from elsewhere."""

    def __init__(self, palette: Mapping[str, str] | None) -> None:
        self._icons = {tone: _icon(tone, palette) for tone in _OUTLINES}
        self._ink = "" if palette is None else palette["plot-left"]

    def icon(self, tone: Tone) -> Markup:
        """The shape of a verdict."""
        return Markup(self._icons.get(tone, ""))  # noqa: S704

    def content(self, cell: Cell) -> Markup:
        """What stands in a cell."""
        return Markup(self._content(cell))  # noqa: S704

    def rows(self, table: Table) -> Markup:
        """The rows of a table's body."""
        heads = [
            f'<td role="cell" data-label="{escape(column.title)}"'
            + (' class="n">' if column.numeric else ' class="prose">' if column.prose else ">")
            for column in table.columns
        ]
        lines = []
        for first, *others in table.rows:
            cells = [f"{head}{self._content(cell)}</td>" for head, cell in zip(heads[1:], others, strict=False)]
            name = self._content(first)
            lines.append(f'<tr role="row"><th role="rowheader" scope="row">{name}</th>{"".join(cells)}</tr>\n')
        return Markup("".join(lines))  # noqa: S704

    def _content(self, cell: Cell) -> str:
        figure = escape(joined(cell.text))
        if cell.trend:
            figure = f'<span role="img" aria-label="{figure}">{trend(cell.trend, self._ink)}</span>'
        if cell.link:
            figure = f'<a href="{escape(cell.link)}">{figure}</a>'
        elif isinstance(cell.value, str):
            figure = f'<time datetime="{escape(cell.value)}">{figure}</time>'
        elif cell.value is not None:
            figure = f'<data value="{cell.value}">{figure}</data>'
        if cell.tone:
            icon = self._icons[cell.tone] if cell.bar is None else ""
            figure = f'<span class="tone {cell.tone}">{icon}{figure}</span>'
        if cell.bar is not None:
            debt, filled = " debt" if cell.bar < 0 else "", min(max(cell.bar, 0.0), 1.0) * 100
            bar = f'<span class="bar{debt}" aria-hidden="true"><span style="width:{filled:.1f}%"></span></span>'
            figure = bar + figure
        return f"{figure}<small>{escape(joined(cell.note))}</small>" if cell.note else figure


def symbols() -> Markup:
    """The shapes that icons on a screen refer to."""
    return Markup(  # noqa: S704
        "\n".join(
            f'<symbol id="icon-{tone}" viewBox="0 0 16 16">'
            + outline.format(ink="", line=' class="stroke"' if tone == "unknown" else ' class="cut"')
            + "</symbol>"
            for tone, outline in _OUTLINES.items()
        )
    )


def trend(counts: Sequence[float], ink: str = "") -> str:
    """Counts of slices of equal length as bars over a line, as an SVG; ``ink`` is the colour where the page gives
    none. What is there but too little to be seen is a thin bar."""
    most = max(counts)
    bars = "".join(
        f"M{4 * place} 20v-{max(1.0, 19 * count / most):.4g}h3v{max(1.0, 19 * count / most):.4g}z"
        for place, count in enumerate(counts)
        if count > 0
    )
    width, fill = 4 * len(counts) - 1, f' fill="{ink}"' if ink else ""
    return (
        f'<svg class="trend" viewBox="0 0 {width} 21" width="{width}" height="21" aria-hidden="true" focusable="false">'
        f'<path d="{bars}M0 20h{width}v1H0z"{fill}/></svg>'
    )


def _icon(tone: Tone, palette: Mapping[str, str] | None) -> str:
    if palette is None:
        return f'<svg class="icon" aria-hidden="true" focusable="false"><use href="#icon-{tone}"/></svg>'
    colour = palette["face"] if tone != "unknown" else palette[tone]
    line = f' fill="none" stroke="{colour}" stroke-width="2" stroke-linecap="round"'
    shape = _OUTLINES[tone].format(ink=f' fill="{palette[tone]}"', line=line)
    return f'<svg class="icon" viewBox="0 0 16 16" width="16" height="16">{shape}</svg>'
