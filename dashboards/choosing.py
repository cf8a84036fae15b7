"""Which of all dashboards a catalogue has: without those that are switched off, and those of areas that are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from importlib.metadata import entry_points

from sla_kit.alert_rules import areas
from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.monitoring import OFF, ON
from sla_kit.configuration.places import nearest
from sla_kit.dashboards.extensions import GROUP, DashboardError, Made
from sla_kit.dashboards.limits import Limits
from sla_kit.dashboards.model import Column, Dashboard, Link, Panel, Row, uid_of

#: Of whatever is there: the wall, and what all monitoring hangs on, to which the calendar's alert leads, too.
_OF_ALL = frozenset({"sla-kit-overview", "sla-kit-monitoring"})


def chosen(catalogue: Catalogue, made: Sequence[Made]) -> tuple[Dashboard, ...]:
    """The dashboards that a catalogue has of those that were ``made``, with no link to one that it has not. Raises
    `DashboardError` where a name is switched that there is not, or where two would be one to Grafana."""
    switched = catalogue.monitoring.dashboards
    _known(switched, made)
    # Who leads one of our names to a function of their own has theirs in place of ours.
    elsewhere = {name for name, where in switched.items() if where.lower() not in OFF | ON}
    wanted = [
        each
        for each in made
        if catalogue.monitoring.shows(each.dashboard.name)
        and not (each.by == "sla-kit" and each.dashboard.name in elsewhere)
    ]
    _distinct(wanted)
    found = _of_areas(catalogue, [each.dashboard for each in wanted])
    there = {uid_of(each) for each in found}
    return tuple(_leading_only(each, there) for each in found)


def links_of(dashboard: Dashboard) -> Iterator[Link]:
    """Every link of a dashboard."""
    for panel in dashboard.panels:
        yield from panel.links
        yield from (column.link for column in panel.columns if column.link)


def _known(switched: Mapping[str, str], made: Sequence[Made]) -> None:
    names = [each.dashboard.name for each in made]
    for name, where in switched.items():
        if where.lower() in OFF | ON and name not in names and name not in entry_points(group=GROUP).names:
            raise DashboardError(
                f"there is no dashboard {name!r} to switch on or off",
                place=f"monitoring.dashboards.{name}",
                remedy=nearest(name, names),
            )


def _distinct(made: Sequence[Made]) -> None:
    """A file system, or Kubernetes, may not tell upper from lower case."""
    for what in ("name", "uid"):
        seen: dict[str, Made] = {}
        for each in made:
            value = each.dashboard.name if what == "name" else uid_of(each.dashboard)
            other = seen.setdefault(value.lower(), each)
            if other is not each:
                raise DashboardError(
                    f"{each.by} brings a dashboard with the {what} {value!r}, which {other.by} brings, too",
                    remedy=f"give one of them another {what}; or switch one off: monitoring.dashboards says how",
                )


def _of_areas(catalogue: Catalogue, made: Sequence[Dashboard]) -> list[Dashboard]:
    """Without those that only areas lead to which are off: what they ask for is perhaps not there. What another one
    links to stays, as does what is switched on by its name."""
    off = {name for name, on in catalogue.monitoring.areas.items() if not on}
    of_areas = {f"sla-kit-{area.dashboard}" for area in areas() if area.name in off}
    led_to = {
        f"sla-kit-{each.alert.dashboard or each.area.dashboard}"
        for settings in Limits.of(catalogue).alerts.values()
        for each in settings
    }
    named = {name for name, where in catalogue.monitoring.dashboards.items() if where.lower() not in OFF}
    candidates = of_areas - led_to - _OF_ALL
    kept = [each for each in made if uid_of(each) not in candidates or each.name in named]
    left = [each for each in made if each not in kept]
    while left:
        linked = {f"sla-kit-{link.dashboard}" for each in kept for link in links_of(each)}
        again = [each for each in left if uid_of(each) in linked]
        if not again:
            break
        kept += again
        left = [each for each in left if each not in again]
    return [each for each in made if each in kept]


def _leading_only(dashboard: Dashboard, there: Set[str]) -> Dashboard:
    """The dashboard without links to others that are not there."""
    if all(_leads(link, there) for link in links_of(dashboard)):
        return dashboard
    return replace(dashboard, rows=tuple(_row(each, there) for each in dashboard.rows))


def _row(row: Row, there: Set[str]) -> Row:
    return replace(row, panels=tuple(_panel(each, there) for each in row.panels))


def _panel(panel: Panel, there: Set[str]) -> Panel:
    columns = tuple(_column(each, there) for each in panel.columns)
    return replace(panel, links=tuple(each for each in panel.links if _leads(each, there)), columns=columns)


def _column(column: Column, there: Set[str]) -> Column:
    return column if column.link is None or _leads(column.link, there) else replace(column, link=None)


def _leads(link: Link, there: Set[str]) -> bool:
    return not link.dashboard or f"sla-kit-{link.dashboard}" in there
