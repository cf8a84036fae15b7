"""Where panels stand on Grafana's grid: from left to right in reading order, which is also the order in which a narrow
screen shows them one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sla_kit.dashboards.model import COLUMNS, Panel, Row


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle in columns and units of height."""

    x: int
    y: int
    width: int
    height: int


def lines_of(row: Row) -> list[list[tuple[Panel, int]]]:
    """The panels of a row with their widths, line by line. Panels without a width share what the others of their line
    leave; a line without any is filled by its last panel. One that is left alone below several gets company from
    above, unless it is a table: four drawings stand two by two."""
    lines: list[list[Panel]] = [[]]
    used = 0
    least = _least_width(row.panels)
    for panel in row.panels:
        width = panel.width or least
        if used + width > COLUMNS and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(panel)
        used += width
    _evened(lines)
    return [_shared(line) for line in lines if line]


def place(rows: Sequence[Row]) -> list[tuple[Row, Place, list[tuple[Panel, Place]]]]:
    """Every row with its heading's place and those of its panels."""
    found: list[tuple[Row, Place, list[tuple[Panel, Place]]]] = []
    y = 0
    for row in rows:
        heading = Place(0, y, COLUMNS, 1)
        y += 1
        below, panels = y, []
        for line in lines_of(row):
            x, height = 0, max(panel.height or row.height for panel, _ in line)
            for panel, width in line:
                panels.append((panel, Place(x, below, width, height)))
                x += width
            below += height
        # A collapsed row hides its panels, and what comes next moves up.
        y = y if row.collapsed else below
        found.append((row, heading, panels))
    return found


def _least_width(panels: Sequence[Panel]) -> int:
    """How wide a panel without a width is at least, so that lines break evenly: small ones may be six in a line, others
    three."""
    free = [panel for panel in panels if not panel.width]
    if not free:
        return COLUMNS
    small = all(panel.kind in ("stat", "gauge") for panel in free)
    least = 4 if small else 8
    return least if len(free) < len(panels) else max(least, COLUMNS // len(free))


def _evened(lines: list[list[Panel]]) -> None:
    """Moves panels from the line above to a shorter one below it, from the last line up."""
    for above, below in zip(reversed(lines[:-1]), reversed(lines), strict=False):
        free = not any(panel.width for panel in (*above, *below)) and all(panel.kind != "table" for panel in below)
        while free and len(above) - len(below) > 1:
            below.insert(0, above.pop())


def _shared(line: Sequence[Panel]) -> list[tuple[Panel, int]]:
    free = [panel for panel in line if not panel.width]
    left = COLUMNS - sum(panel.width for panel in line)
    if not free:
        widths = [panel.width for panel in line]
        widths[-1] += max(0, left)
        return list(zip(line, widths, strict=True))
    each, more = divmod(left, len(free))
    given = iter([each + (number < more) for number in range(len(free))])
    return [(panel, panel.width or next(given)) for panel in line]
