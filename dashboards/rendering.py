"""From a dashboard to the document that Grafana reads, by way of grafanalib's classes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as quoted

import msgspec
from grafanalib import core
from grafanalib.elasticsearch import ElasticsearchTarget

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import grafana
from sla_kit.dashboards.colors import GREY, MEANING, SERIES
from sla_kit.dashboards.layout import Place, place
from sla_kit.dashboards.limits import Level, Limits
from sla_kit.dashboards.model import Column, Dashboard, Limit, Link, LogQuery, Panel, Query, State, Variable, uid_of
from sla_kit.dashboards.wording import Wording, scope_labels
from sla_kit.errors import SlaKitError

__all__ = ["LOGS", "METRICS", "TAG", "Rendering", "panel_ids", "uid_of"]

METRICS = {"type": "prometheus", "uid": "${datasource}"}
LOGS = {"type": "elasticsearch", "uid": "${logs}"}
#: Every dashboard of ours has this tag, by which they link to each other.
TAG = "sla-kit"
_ALL = ".*"


@dataclass(frozen=True, slots=True)
class Rendering:
    """What all panels of a catalogue share: build it once, `document` as many dashboards as there are."""

    catalogue: Catalogue
    limits: Limits

    @classmethod
    def of(cls, catalogue: Catalogue) -> Rendering:
        """What a catalogue's dashboards need."""
        return cls(catalogue, Limits.of(catalogue))

    def text(self, dashboard: Dashboard) -> str:
        """The document as a file has it: the same whenever it is made."""
        # json takes its slow way where it indents; what it wrote is only set in lines by msgspec.
        text = json.dumps(self.document(dashboard), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return msgspec.json.format(text, indent=2) + "\n"

    def document(self, dashboard: Dashboard) -> dict[str, Any]:
        """The document, of plain values. Raises `SlaKitError` for what can't be rendered."""
        return _Page(self, dashboard, Wording.of(self.catalogue, dashboard)).document()


def panel_ids(dashboard: Dashboard) -> dict[tuple[str, str], int]:
    """The id of each panel by its row's and its own title (of a row, by its title and ""): they stay the same when
    others come and go."""
    found: dict[tuple[str, str], int] = {}
    taken: set[int] = set()
    for row in dashboard.rows:
        for key in ((row.title, ""), *((row.title, panel.title) for panel in row.panels)):
            if key in found:
                what = f"panel {key[1]!r} of row {key[0]!r}" if key[1] else f"row {key[0]!r}"
                raise SlaKitError(
                    f"dashboard {dashboard.name}: there are two of {what}", remedy="give each a title of its own"
                )
            number = zlib.crc32("\0".join(key).encode()) % 1_000_000_000 + 1
            while number in taken:
                number += 1
            taken.add(number)
            found[key] = number
    return found


@dataclass(frozen=True, slots=True)
class _Page:
    """One dashboard on its way."""

    shared: Rendering
    dashboard: Dashboard
    wording: Wording

    def document(self) -> dict[str, Any]:
        ids = panel_ids(self.dashboard)
        panels: list[Any] = []
        for row, heading, placed in place(self.dashboard.rows):
            inside = [self.panel(panel, where, ids[row.title, panel.title]) for panel, where in placed]
            panels.append(
                core.RowPanel(
                    title=row.title, id=ids[row.title, ""], gridPos=_position(heading), collapsed=row.collapsed,
                    panels=inside if row.collapsed else [],
                )
            )  # fmt: skip
            panels.extend([] if row.collapsed else inside)
        page = core.Dashboard(
            title=self.dashboard.title,
            description=self.dashboard.description,
            uid=uid_of(self.dashboard),
            tags=sorted({TAG, *self.dashboard.tags}),
            panels=panels,
            templating=core.Templating(self.variables()),
            annotations=core.Annotations(self.annotations()),
            links=[_ours()],
            editable=False,
            graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
            refresh=self.dashboard.refresh,
            schemaVersion=grafana.SCHEMA_VERSION,
            time=core.Time(f"now-{_hours(self.dashboard.hours)}", "now"),
            timePicker=core.TimePicker([], []),
            timezone="browser",
            version=0,
        )
        return grafana.current(page) | {"timepicker": {}}

    # --- panels -------------------------------------------------------------------------------------------------------

    def panel(self, panel: Panel, where: Place, number: int) -> core.Panel:
        levels = self.levels(panel.limits)
        defaults: dict[str, Any] = {
            "color": {"mode": "thresholds" if panel.kind != "timeseries" else "palette-classic"},
            "unit": panel.unit,
            "decimals": panel.decimals,
            "min": panel.minimum,
            "max": panel.maximum,
            "mappings": _mappings(panel.states),
            "noValue": panel.no_value or None,
            "links": self.data_links(panel.links, _expressions(panel)),
        }
        logs = isinstance(panel.queries[0], LogQuery) if panel.queries else False
        common: dict[str, Any] = {
            "title": panel.title,
            "description": panel.description,
            "id": number,
            "gridPos": _position(where),
            "dataSource": LOGS if logs else METRICS,
            "targets": self.targets(panel),
            "thresholds": _steps(levels, plain=panel.kind == "timeseries"),
            "links": self.header_links(panel),
            "extraJson": {"fieldConfig": {"defaults": defaults}},
        }
        return _BUILDERS[panel.kind](self, panel, common, levels)

    def timeseries(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        several = len(panel.queries) > 1 or any(_many(query) for query in panel.queries)
        stack = {"mode": panel.stack, "group": "A"}
        return core.TimeSeries(
            **common,
            drawStyle="bars" if panel.bars else "line",
            lineInterpolation="linear",
            lineWidth=1 if panel.stack != "none" else 2,
            fillOpacity=80 if panel.bars else 35 if panel.stack != "none" else 8,
            showPoints="never",
            stacking=stack,
            spanNulls=False,
            unit=panel.unit,
            valueDecimals=panel.decimals,
            axisSoftMin=0 if panel.from_zero and panel.minimum is None and not panel.logarithmic else None,
            scaleDistributionType="log" if panel.logarithmic else "linear",
            scaleDistributionLog=10 if panel.logarithmic else 2,
            thresholdsStyleMode="dashed" if levels else "off",
            legendDisplayMode="list",
            legendPlacement="bottom",
            legendCalcs=["lastNotNull"] if several else [],
            tooltipMode="multi" if several else "single",
            tooltipSort="desc" if several else "none",
            overrides=_colored(panel.queries),
        )

    def stat(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        states = bool(panel.states)
        return core.Stat(
            **common,
            colorMode="background_solid" if states else "value" if levels else "none",
            graphMode="none" if states or all(isinstance(q, Query) and q.instant for q in panel.queries) else "area",
            format=panel.unit,
            noValue=panel.no_value or "–",
            orientation="auto",
            reduceCalc=panel.calculation,
            textMode="auto",
        )

    def gauge(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        return grafana.Gauge(**common, calculation=panel.calculation)

    def bars(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        return grafana.BarGauge(**common, calculation=panel.calculation)

    def heatmap(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        return grafana.Heatmap(**common, unit=panel.unit)

    def states(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        return core.StateTimeline(**common, fillOpacity=80, showValue="never", rowHeight=0.8)

    def logs(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        return core.Logs(**common, showTime=True, wrapLogMessages=True, enableLogDetails=True)

    def table(self, panel: Panel, common: dict[str, Any], levels: list[Level]) -> core.Panel:
        asked = _expressions(panel)
        order = [self.wording.label(column.name, *asked) for column in panel.columns]
        names = {f"Value #{_ref(at)}": query.legend or f"Value {_ref(at)}" for at, query in enumerate(panel.queries)}
        if len(names) == 1:
            names = {"Value": next(iter(names.values()))}
        places = {legend: value for value, legend in names.items()}
        renames = dict(names)
        for column in panel.columns:
            name = self.wording.label(column.name, *asked)
            renames[places.get(name, name)] = column.title or name
        hidden = {"Time": True} | {places.get(c.name, c.name): True for c in panel.columns if c.hidden}
        indexes = {places.get(name, name): at for at, name in enumerate(order)}
        organize = {"excludeByName": hidden, "renameByName": renames, "indexByName": indexes}
        made = core.Table(
            **common,
            filterable=True,
            unit=panel.unit,
            overrides=[override for column in panel.columns if (override := self.column(column, asked))],
            transformations=[
                *([{"id": "merge", "options": {}}] if len(panel.queries) > 1 else []),
                {"id": "organize", "options": organize},
            ],
            sortBy=[core.TableSortByField(panel.sort_by, panel.sort_descending)] if panel.sort_by else [],
        )
        made.extraJson["fieldConfig"]["defaults"]["custom"] = {
            "align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False, "displayMode": None
        }  # fmt: skip
        made.extraJson["options"] = {"cellHeight": "sm"}
        return made

    def column(self, column: Column, asked: tuple[str, ...]) -> dict[str, Any] | None:
        levels = self.levels(column.limits)
        properties: list[tuple[str, Any]] = []
        if column.unit:
            properties.append(("unit", column.unit))
        if column.decimals is not None:
            properties.append(("decimals", column.decimals))
        if column.states:
            properties.append(("mappings", _mappings(column.states)))
        if levels:
            properties.append(("thresholds", {"mode": "absolute", "steps": _steps(levels, plain=False)}))
        if levels or column.states:
            properties.append(("custom.cellOptions", {"type": "color-text"}))
        if column.link is not None and (links := self.data_links((column.link,), asked)):
            properties.append(("links", links))
        if column.width:
            properties.append(("custom.width", column.width))
        if not properties:
            return None
        return {
            "matcher": {"id": "byName", "options": column.title or self.wording.label(column.name, *asked)},
            "properties": [{"id": name, "value": value} for name, value in properties],
        }

    # --- what panels hold ---------------------------------------------------------------------------------------------

    def targets(self, panel: Panel) -> list[Any]:
        return [self.target(panel, query, _ref(number)) for number, query in enumerate(panel.queries)]

    def target(self, panel: Panel, query: Query | LogQuery, ref: str) -> Any:
        if isinstance(query, LogQuery):
            made = ElasticsearchTarget(
                alias=query.legend,
                query=query.lucene,
                refId=ref,
                metricAggs=[_metric(panel, query)],
                bucketAggs=[] if panel.kind == "logs" else _buckets(query),
            ).to_json_data()
            return made | {"datasource": LOGS}
        formats = {"table": "table", "heatmap": "heatmap"}
        return grafana.Target(
            expr=self.wording.expression(query.expression),
            legendFormat=self.wording.template(query.legend, query.expression) if panel.kind != "table" else "",
            refId=ref,
            format=formats.get(panel.kind, "time_series"),
            instant=query.instant,
            datasource=METRICS,
        )

    def levels(self, limits: Iterable[Limit]) -> list[Level]:
        found = [level for limit in limits if (level := self.shared.limits.level(limit)) is not None]
        sides = {level.side for level in found}
        if len(sides) > 1:
            raise SlaKitError(
                f"dashboard {self.dashboard.name}: a panel has limits above and below", remedy="keep those of one side"
            )
        return found

    def data_links(self, links: Iterable[Link], asked: tuple[str, ...]) -> list[dict[str, Any]] | None:
        """Links on values, which may hold what the series is of; None where there are none."""
        made = [self.link(each, asked) for each in links if not each.alert]
        return [each for each in made if each] or None

    def header_links(self, panel: Panel) -> list[dict[str, Any]]:
        """Links of the panel as a whole: to the runbooks of the alerts that its limits come from."""
        alerts = [limit.alert for limit in panel.limits if limit.alert and limit.alert in self.shared.limits.alerts]
        alerts += [limit.alert for column in panel.columns for limit in column.limits if limit.alert]
        named = [Link(title=f"Runbook: {alert}", alert=alert) for alert in dict.fromkeys(alerts)]
        named += [each for each in panel.links if each.alert and each.alert not in alerts]
        return [made for each in named if (made := self.link(each))]

    def link(self, link: Link, asked: tuple[str, ...] = ()) -> dict[str, Any] | None:
        url = self.address(link, asked)
        return None if not url else {"title": link.title, "url": url, "targetBlank": not link.dashboard}

    def address(self, link: Link, asked: tuple[str, ...]) -> str:
        """Where a link leads; "" where the catalogue does not say where that is."""
        catalogue = self.shared.catalogue
        if link.dashboard:
            values = {"datasource": "${datasource}", **link.values}
            chosen = "&".join(f"var-{name}={self.wording.template(value, *asked)}" for name, value in values.items())
            return f"/d/sla-kit-{link.dashboard}?${{__url_time_range}}&{chosen}"
        if link.alert:
            base = catalogue.runbooks.rstrip("/")
            return f"{base}/{link.alert}.md" if base else ""
        if link.search:
            base = catalogue.monitoring.kibana.rstrip("/")
            sought = quoted(link.search, safe="${}*:._-")
            times = "from:'${__from:date:iso}',to:'${__to:date:iso}'"
            return (
                f"{base}/app/discover#/?_g=(time:({times}))&_a=(query:(language:lucene,query:'{sought}'))"
                if base
                else ""
            )
        return link.url

    # --- what stands above the panels ---------------------------------------------------------------------------------

    def variables(self) -> list[grafana.Variable]:
        found = [_source("datasource", "Data source", "prometheus")]
        if self.dashboard.reads_logs:
            found.append(_source("logs", "Logs", "elasticsearch"))
        for label in scope_labels(self.shared.catalogue):
            values = f"label_values(up, {self.wording.label(label)})"
            found.append(_choice(label, label.capitalize(), values, several=True))
        for variable in self.dashboard.variables:
            found.append(self.variable(variable))
        return found

    def variable(self, variable: Variable) -> grafana.Variable:
        label = self.wording.label(variable.label, variable.metric)
        values = f"label_values({self.wording.expression(variable.metric)}, {label})"
        return _choice(variable.name, variable.title, values, several=variable.several, preset=variable.preset)

    def annotations(self) -> list[dict[str, Any]]:
        return [
            {
                "datasource": METRICS,
                "enable": each.shown,
                "expr": self.wording.expression(each.expression),
                "hide": False,
                "iconColor": SERIES[each.color],
                "name": each.name,
                "step": "60s",
                "tagKeys": "",
                "textFormat": self.wording.template(each.text, each.expression),
                "titleFormat": self.wording.template(each.title, each.expression),
                "useValueForTime": False,
            }
            for each in self.dashboard.annotations
            if not each.of or getattr(self.shared.catalogue.calendar, each.of)
        ]


_BUILDERS: Mapping[str, Any] = {
    "timeseries": _Page.timeseries,
    "stat": _Page.stat,
    "gauge": _Page.gauge,
    "bars": _Page.bars,
    "heatmap": _Page.heatmap,
    "states": _Page.states,
    "logs": _Page.logs,
    "table": _Page.table,
}


def _position(where: Place) -> core.GridPos:
    return core.GridPos(h=where.height, w=where.width, x=where.x, y=where.y)


def _ref(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"A{number}"


def _hours(hours: float) -> str:
    return f"{hours / 24:g}d" if hours >= 48 and hours % 24 == 0 else f"{hours:g}h"


def _expressions(panel: Panel) -> tuple[str, ...]:
    return tuple(query.expression for query in panel.queries if isinstance(query, Query))


def _many(query: Query | LogQuery) -> bool:
    return "{{" in query.legend or (isinstance(query, LogQuery) and bool(query.by))


def _steps(levels: list[Level], *, plain: bool) -> list[dict[str, Any]]:
    """The colours from values on. ``plain`` leaves what is good without one, where lines have their own: by that
    Grafana tells on which side of a limit it is bad, and draws the limit in the colour of that side."""
    best = "transparent" if plain else MEANING["good"] if levels else GREY
    if levels and levels[0].side == "below":
        worst_first = sorted(levels, key=lambda level: level.value)
        colors = [MEANING[level.severity] for level in worst_first]
        values: list[float | None] = [None, *(level.value for level in worst_first)]
        return grafana.steps(list(zip([*colors, best], values, strict=True)))
    ordered = sorted(levels, key=lambda level: level.value)
    return grafana.steps([(best, None), *((MEANING[level.severity], level.value) for level in ordered)])


def _mappings(states: Mapping[str, State]) -> list[dict[str, Any]]:
    if not states:
        return []
    options = {
        value: {"color": MEANING[state.meaning], "index": number, "text": state.text}
        for number, (value, state) in enumerate(states.items())
    }
    return [{"type": "value", "options": options}]


def _colored(queries: Iterable[Query | LogQuery]) -> list[dict[str, Any]]:
    """Our own colours for the queries that say one, or that are alone with their series. Where there are more than
    colours, Grafana's palette goes on longer."""
    listed = list(queries)
    said = {SERIES[query.color] for query in listed if query.color}
    free = [color for color in SERIES.values() if color not in said]
    alone = [query for query in listed if not query.color and not _many(query)]
    given = iter(free if len(alone) <= len(free) else ())
    found = []
    for number, query in enumerate(listed):
        color = SERIES[query.color] if query.color else "" if _many(query) else next(given, "")
        if color:
            fixed = {"id": "color", "value": {"mode": "fixed", "fixedColor": color}}
            found.append({"matcher": {"id": "byFrameRefID", "options": _ref(number)}, "properties": [fixed]})
    return found


def _metric(panel: Panel, query: LogQuery) -> dict[str, Any]:
    if panel.kind == "logs":
        return {"id": "1", "type": "logs", "settings": {"limit": "200"}}
    if query.unique:
        return {"id": "1", "type": "cardinality", "field": query.unique, "settings": {}}
    return {"id": "1", "type": "count"}


def _buckets(query: LogQuery) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field in query.by:
        settings = {"min_doc_count": "1", "order": "desc", "orderBy": "_count", "size": str(query.most)}
        found.append({"id": str(len(found) + 2), "type": "terms", "field": field, "settings": settings})
    if query.over_time:
        settings = {"interval": "auto", "min_doc_count": "0", "trimEdges": "0"}
        found.append({"id": str(len(found) + 2), "type": "date_histogram", "field": "@timestamp", "settings": settings})
    return found


def _source(name: str, title: str, kind: str) -> grafana.Variable:
    return grafana.Variable(name=name, label=title, query=kind, type="datasource", sort=0)


def _choice(name: str, title: str, values: str, *, several: bool, preset: str = "") -> grafana.Variable:
    return grafana.Variable(
        name=name, label=title, query=values, dataSource=METRICS, includeAll=several, multi=several,
        allValue=_ALL if several else None, default=preset or None, refresh=core.REFRESH_ON_TIME_RANGE_CHANGE,
    )  # fmt: skip


def _ours() -> dict[str, Any]:
    """The menu that leads to all other dashboards of ours."""
    return {
        "asDropdown": True, "icon": "external link", "includeVars": True, "keepTime": True, "tags": [TAG],
        "targetBlank": False, "title": "Dashboards", "tooltip": "", "type": "dashboards", "url": "",
    }  # fmt: skip
