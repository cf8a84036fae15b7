"""Where panels stand: on the grid, never over each other, in reading order, whatever rows there are."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue import load
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.layout import Place, lines_of, place
from sla_kit.dashboards.model import COLUMNS, Kind, Panel, Row
from sla_kit.dashboards.vocabulary import row, stat, timeseries
from tests.dashboards.catalogues import ASTRAL

_KINDS: tuple[Kind, ...] = ("stat", "gauge", "timeseries", "table", "bars", "heatmap", "states", "logs")


def panel(kind: Kind = "stat", width: int = 0, height: int = 0, title: str = "P") -> Panel:
    return Panel(
        kind=kind, title=title, description="d", queries=(), unit="short", width=width, height=height
    )  # fmt: skip


panels = st.builds(
    panel, st.sampled_from(_KINDS), st.sampled_from([0, 0, 0, *range(1, COLUMNS + 1)]), st.sampled_from([0, 0, 3, 12])
)
rows = st.builds(
    lambda listed, height, collapsed: Row(title="R", panels=tuple(listed), height=height, collapsed=collapsed),
    st.lists(panels, max_size=15),
    st.integers(1, 14),
    st.booleans(),
)


def twice(places: list[Place]) -> set[tuple[int, int]]:
    """The cells of the grid that more than one of some rectangles covers, found one by one."""
    cells = Counter(
        (x, y) for it in places for x in range(it.x, it.x + it.width) for y in range(it.y, it.y + it.height)
    )
    return {cell for cell, count in cells.items() if count > 1}


@settings(deadline=None)  # other work goes on beside it
@given(st.lists(rows, max_size=5))
def test_nothing_overlaps_and_all_of_it_is_on_the_grid(listed: list[Row]) -> None:
    seen: list[Place] = []
    for one, heading, placed in place(listed):
        inside = [where for _, where in placed]
        seen += [heading, *([] if one.collapsed else inside)]
        for where in (heading, *inside):
            assert where.x >= 0
            assert where.y >= 0
            assert where.width >= 1
            assert where.height >= 1
            assert where.x + where.width <= COLUMNS
        assert twice([heading, *inside]) == set()
    assert twice(seen) == set()


@given(st.lists(rows, max_size=5))
def test_reading_order_is_kept(listed: list[Row]) -> None:
    """From left to right and down: the order in which a narrow screen shows them."""
    found = place(listed)
    assert [each for each, _, _ in found] == listed
    for one, heading, placed in found:
        assert tuple(panel for panel, _ in placed) == one.panels
        positions = [(where.y, where.x) for _, where in placed]
        assert positions == sorted(positions)
        assert all(y > heading.y for y, _ in positions)
    headings = [heading.y for _, heading, _ in found]
    assert headings == sorted(set(headings))


@given(rows)
def test_every_line_is_full(one: Row) -> None:
    for line in lines_of(one):
        assert sum(width for _, width in line) == COLUMNS
        # What says a width has it, but for the last of a line that nothing else fills.
        for panel, width in line[:-1]:
            assert panel.width in (0, width)
        assert line[-1][0].width in (0, line[-1][1]) or all(each.width for each, _ in line)


@given(rows)
def test_no_panel_is_too_narrow_to_read(one: Row) -> None:
    for line in lines_of(one):
        for panel, width in line:
            least = panel.width or 4
            assert width >= least


def test_small_panels_share_a_line_and_large_ones_are_two_or_three() -> None:
    six = row("R", *(stat(str(n), "1", unit="short", description="d") for n in range(6)))
    assert [[width for _, width in line] for line in lines_of(six)] == [[4] * 6]
    four = row("R", *(timeseries(str(n), "1", unit="short", description="d") for n in range(4)))
    assert [[width for _, width in line] for line in lines_of(four)] == [[12, 12], [12, 12]]
    two = row("R", *(timeseries(str(n), "1", unit="short", description="d") for n in range(2)))
    assert [[width for _, width in line] for line in lines_of(two)] == [[12, 12]]


def test_lines_of_ours_are_even_and_fit_a_screen() -> None:
    for dashboard in dashboards_of(load(ASTRAL, "production")):
        for _, _, placed in place(dashboard.rows):
            by_line: dict[int, set[int]] = {}
            for _, where in placed:
                by_line.setdefault(where.y, set()).add(where.height)
                assert where.height <= 16
                assert where.width >= 3
            assert all(len(heights) == 1 for heights in by_line.values()), dashboard.name
