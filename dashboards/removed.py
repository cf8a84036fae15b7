"""What Grafana no longer has: panel types and fields that today's versions ignore, migrate or refuse.

From Grafana's own documentation of removed Angular plugins (Grafana 11: off, 12: gone), its schema migrations
(public/app/features/dashboard/state/DashboardMigrator.ts) and the changes of each version's panels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Panel types that are gone, and what takes their place.
TYPES: Mapping[str, str] = {
    "graph": "timeseries",
    "singlestat": "stat",
    "grafana-singlestat-panel": "stat",
    "table-old": "table",
    "grafana-piechart-panel": "piechart",
    "grafana-worldmap-panel": "geomap",
    "heatmap-new": "heatmap",
    "natel-discrete-panel": "state-timeline",
    "flant-statusmap-panel": "status-history",
    "larona-epict-panel": "canvas",
    "marcuscalidus-svg-panel": "canvas",
    "ae3e-plotly-panel": "xychart",
    "alertGroups": "table",
}
#: The types of panels that Grafana 11 to 13 bring with them.
CURRENT = frozenset(
    {
        "alertlist", "annolist", "barchart", "bargauge", "candlestick", "canvas", "dashlist", "flamegraph", "gauge",
        "geomap", "heatmap", "histogram", "logs", "news", "nodeGraph", "piechart", "row", "stat", "state-timeline",
        "status-history", "table", "text", "timeseries", "traces", "trend", "xychart",
    }
)  # fmt: skip
_DASHBOARD = frozenset(
    {"__inputs", "__requires", "gnetId", "hideControls", "originalTitle", "rows", "sharedCrosshair", "style"}
)
_PANEL = frozenset(
    {
        "alert", "aliasColors", "bars", "cacheTimeout", "columns", "dashLength", "dashes", "editable", "error", "fill",
        "fontSize", "format", "grid", "height", "isNew", "legend", "lines", "linewidth", "mappingType", "minSpan",
        "nullPointMode", "percentage", "pointradius", "points", "renderer", "seriesOverrides", "showHeader", "span",
        "spaceLength", "stack", "steppedLine", "styles", "thresholds", "timeRegions", "tooltip", "transform",
        "valueFontSize", "valueMaps", "valueName", "xaxis", "yaxes", "yaxis",
    }
)  # fmt: skip
_OPTIONS = frozenset({"fieldOptions", "angular"})
_TABLE_CUSTOM = frozenset({"displayMode"})
_TARGET = frozenset({"intervalFactor", "metric", "step", "target"})
_VARIABLE = frozenset({"tagsQuery", "tagValuesQuery", "useTags", "tags"})


def removed(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything of a dashboard's document that is no more: where, and what."""
    yield from _fields(document, _DASHBOARD, "dashboard")
    for variable in document.get("templating", {}).get("list", []):
        yield from _fields(variable, _VARIABLE, f"variable {variable.get('name')}")
    for panel in document.get("panels", []):
        for each in (panel, *panel.get("panels", [])):
            yield from _panel(each)


def _panel(panel: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    place, kind = f"panel {panel.get('title')!r}", panel.get("type", "")
    if kind in TYPES:
        yield place, f"panels of type {kind} are gone; {TYPES[kind]} takes their place"
    elif kind not in CURRENT:
        yield place, f"Grafana brings no panels of type {kind}"
    yield from _fields(panel, _PANEL, place)
    yield from _fields(panel.get("options", {}), _OPTIONS, f"{place}, options")
    config = panel.get("fieldConfig", {})
    if kind == "table":
        yield from _fields(config.get("defaults", {}).get("custom", {}), _TABLE_CUSTOM, f"{place}, custom")
        overrides = (each for override in config.get("overrides", []) for each in override.get("properties", []))
        if any(each.get("id") == "custom.displayMode" for each in overrides):
            yield place, "custom.displayMode is custom.cellOptions now"
    for target in panel.get("targets", []):
        yield from _fields(target, _TARGET, f"{place}, query {target.get('refId')}")
    if isinstance(panel.get("datasource"), str):
        yield place, "a data source is an object with type and uid now, not a name"


def _fields(document: Mapping[str, Any], gone: frozenset[str], place: str) -> Iterator[tuple[str, str]]:
    for field in sorted(gone & set(document)):
        yield place, f"the field {field} is gone"
