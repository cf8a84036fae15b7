"""Where grafanalib is behind today's Grafana: panels that it writes as Grafana 6 had them, and fields that are gone.

grafanalib 0.7.1 (January 2024) has classes for most current panels. Its bar gauge and heat map are those of old, a
threshold's missing value becomes the text "null", and every panel carries fields of Angular's time. The classes here
take their place; `current` leaves of a document what Grafana 11 to 13 reads (the schemas of grafana/grafana's kinds).
"""

from __future__ import annotations

from typing import Any

import attr
from grafanalib import core

#: The schema of the oldest Grafana that is served, 11.0: newer ones bring it up to theirs, none of it has to change.
SCHEMA_VERSION = 39

_DASHBOARD_KEYS = frozenset(
    {
        "annotations", "description", "editable", "graphTooltip", "links", "panels", "refresh", "schemaVersion", "tags",
        "templating", "time", "timepicker", "timezone", "title", "uid", "version",
    }
)  # fmt: skip
_PANEL_KEYS = frozenset(
    {
        "collapsed", "datasource", "description", "fieldConfig", "gridPos", "id", "links", "options", "panels",
        "targets", "title", "transformations", "type",
    }
)  # fmt: skip
_TARGET_KEYS = frozenset(
    {
        "alias", "bucketAggs", "datasource", "editorMode", "expr", "format", "instant", "legendFormat", "metrics",
        "query", "range", "refId", "timeField",
    }
)  # fmt: skip
_VARIABLE_KEYS = frozenset(
    {
        "allValue", "current", "datasource", "definition", "hide", "includeAll", "label", "multi", "name", "options",
        "query", "refresh", "regex", "skipUrlSync", "sort", "type",
    }
)  # fmt: skip


@attr.s
class BarGauge(core.Panel):  # type: ignore[misc]  # grafanalib has no types
    """A bar for each value, as Grafana has had them since 7."""

    calculation: str = attr.ib(default="lastNotNull")

    def to_json_data(self) -> dict[str, Any]:
        """The panel's document."""
        options = {
            "displayMode": "basic",
            "orientation": "horizontal",
            "reduceOptions": {"calcs": [self.calculation], "fields": "", "values": False},
            "showUnfilled": True,
            "valueMode": "text",
            "namePlacement": "auto",
            "sizing": "auto",
            "minVizHeight": 16,
            "minVizWidth": 8,
            "maxVizHeight": 300,
        }
        return dict(self.panel_json({"type": "bargauge", "fieldConfig": {"overrides": []}, "options": options}))


@attr.s
class Gauge(core.Panel):  # type: ignore[misc]
    """A dial, with the options that grafanalib's has not."""

    calculation: str = attr.ib(default="lastNotNull")

    def to_json_data(self) -> dict[str, Any]:
        """The panel's document."""
        options = {
            "orientation": "auto",
            "reduceOptions": {"calcs": [self.calculation], "fields": "", "values": False},
            "showThresholdLabels": False,
            "showThresholdMarkers": True,
            "sizing": "auto",
            "minVizHeight": 75,
            "minVizWidth": 75,
        }
        return dict(self.panel_json({"type": "gauge", "fieldConfig": {"overrides": []}, "options": options}))


@attr.s
class Heatmap(core.Panel):  # type: ignore[misc]
    """A heat map of buckets that the server has counted already, as Grafana has had it since 9."""

    unit: str = attr.ib(default="short")

    def to_json_data(self) -> dict[str, Any]:
        """The panel's document."""
        options = {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Cividis", "steps": 64, "exponent": 0.5, "fill": "dark-blue",
                      "reverse": False},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": self.unit},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
        }  # fmt: skip
        custom = {
            "scaleDistribution": {"type": "linear"},
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        }
        config = {"defaults": {"custom": custom, "unit": self.unit}, "overrides": []}
        return dict(self.panel_json({"type": "heatmap", "fieldConfig": config, "options": options}))


class Target(core.Target):  # type: ignore[misc]
    """A query of Prometheus that says whether it is of a moment or of a range."""

    def to_json_data(self) -> dict[str, Any]:
        """The query's document."""
        found = dict(super().to_json_data())
        found.pop("query")  # Elasticsearch's word; Prometheus's is expr
        return found | {"editorMode": "code", "range": not self.instant}


class Variable(core.Template):  # type: ignore[misc]
    """A variable whose choice is what it is at first: one value, or all."""

    def to_json_data(self) -> dict[str, Any]:
        """The variable's document."""
        found = dict(super().to_json_data())
        if self.type == "query":
            found["definition"] = self.query
            found["query"] = {"query": self.query, "refId": "StandardVariableQuery"}
        found["current"] = {"text": "All", "value": "$__all"} if self.includeAll else {}
        if self.default:
            found["current"] = {"text": self.default, "value": self.default}
        return found | {"skipUrlSync": False, "regex": self.regex or ""}


def steps(levels: list[tuple[str, float | None]]) -> list[dict[str, Any]]:
    """Colours from values on; the first has none, and is that of everything below."""
    return [{"color": color, "value": value} for color, value in levels]


def current(dashboard: Any) -> dict[str, Any]:
    """A grafanalib dashboard as the document that today's Grafana reads, of plain values."""
    document = _plain(dashboard)
    found = {key: value for key, value in document.items() if key in _DASHBOARD_KEYS}
    found["panels"] = [_panel(panel) for panel in document["panels"]]
    found["templating"] = {"list": [_present(each, _VARIABLE_KEYS) for each in document["templating"]["list"]]}
    return found


def _panel(document: dict[str, Any]) -> dict[str, Any]:
    found = _present(document, _PANEL_KEYS)
    if document["type"] == core.ROW_TYPE:
        return {key: found[key] for key in ("collapsed", "gridPos", "id", "title", "type")} | {
            "panels": [_panel(panel) for panel in document["panels"]]
        }
    found["targets"] = [_present(target, _TARGET_KEYS) for target in document["targets"]]
    config = found["fieldConfig"]
    found["fieldConfig"] = {
        "defaults": {key: _present(value) if key in ("color", "custom") else value
                     for key, value in config["defaults"].items() if value is not None},
        "overrides": config.get("overrides", []),
    }  # fmt: skip
    return found


def _present(document: dict[str, Any], keys: frozenset[str] | None = None) -> dict[str, Any]:
    """What has a value, of the keys that there are today."""
    return {key: value for key, value in document.items() if value is not None and (keys is None or key in keys)}


def _plain(value: Any) -> Any:
    """grafanalib's objects as the values that JSON knows; most are that already, and need no call."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return {key: each if type(each) in _PLAIN else _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [each if type(each) in _PLAIN else _plain(each) for each in value]
    return _plain(value.to_json_data()) if hasattr(value, "to_json_data") else value


_PLAIN = frozenset({str, int, float, bool, type(None)})
