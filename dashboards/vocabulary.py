"""The words in which dashboards are written: `stat`, `timeseries`, `table` … make a panel, `row` puts panels together.

    from sla_kit.dashboards.vocabulary import limit, query, row, stat, timeseries

    row(
        "Traffic",
        stat("Requests", query("sum(rate(http_requests_total{$application}[$__rate_interval]))"), unit="reqps",
             description="Requests a second of all instances."),
    )

A query may be a plain text. All panels take what `Panel` has besides: ``limits``, ``states``, ``links``, ``decimals``,
``width`` and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sla_kit.alert_rules.inventory import Exporter, Metric, read_exporter
from sla_kit.dashboards.model import (
    Annotation,
    Column,
    Dashboard,
    Kind,
    Limit,
    Link,
    LogQuery,
    Panel,
    Query,
    Row,
    State,
    Variable,
)
from sla_kit.errors import SlaKitError

__all__ = [
    "UP",
    "YES",
    "Annotation",
    "Column",
    "Dashboard",
    "LogQuery",
    "Metric",
    "Panel",
    "Row",
    "State",
    "Variable",
    "alert_limit",
    "bars",
    "column",
    "exporter",
    "exporter_from",
    "gauge",
    "heatmap",
    "kibana",
    "leads_to",
    "limit",
    "log_lines",
    "logs",
    "query",
    "row",
    "runbook",
    "stat",
    "states",
    "table",
    "timeseries",
]

Asked = str | Query | LogQuery

#: What 1 and 0 mean for something that is up or down.
UP: Mapping[str, State] = {"1": State(text="up", meaning="good"), "0": State(text="down", meaning="critical")}
#: What 1 and 0 mean for something that should be so.
YES: Mapping[str, State] = {"1": State(text="yes", meaning="good"), "0": State(text="no", meaning="critical")}


def query(expression: str, legend: str = "", *, instant: bool = False, color: str = "") -> Query:
    """A query in PromQL, with placeholders."""
    return Query(expression=expression, legend=legend, instant=instant, color=color)


def logs(lucene: str, *by: str, over_time: bool = True, unique: str = "", legend: str = "", color: str = "",
         most: int = 8) -> LogQuery:  # fmt: skip
    """How many log entries a Lucene query finds: over time, for each value of the fields ``by``."""
    return LogQuery(lucene=lucene, by=by, over_time=over_time, unique=unique, most=most, legend=legend, color=color)


def stat(title: str, *queries: Asked, unit: str, description: str, **more: Any) -> Panel:
    """A figure, with its course behind it."""
    return _panel("stat", title, queries, unit, description, more)


def gauge(title: str, *queries: Asked, unit: str, description: str, **more: Any) -> Panel:
    """A figure between a minimum and a maximum."""
    return _panel("gauge", title, queries, unit, description, more)


def timeseries(title: str, *queries: Asked, unit: str, description: str, **more: Any) -> Panel:
    """Lines over time."""
    return _panel("timeseries", title, queries, unit, description, more)


def bars(title: str, *queries: Asked, unit: str, description: str, **more: Any) -> Panel:
    """A bar for each series, as it is at the end."""
    return _panel("bars", title, queries, unit, description, more, instant=True)


def heatmap(title: str, *queries: Asked, unit: str, description: str, **more: Any) -> Panel:
    """How often which values were, over time: the buckets of a histogram by ``le``, as increases."""
    return _panel("heatmap", title, queries, unit, description, more)


def states(title: str, *queries: Asked, unit: str = "short", description: str, **more: Any) -> Panel:
    """What state each series was in, over time."""
    return _panel("states", title, queries, unit, description, more)


def table(title: str, *queries: Asked, unit: str = "short", description: str, **more: Any) -> Panel:
    """A line for each set of labels, a column for each label and each query (by its legend), as they are at the end."""
    return _panel("table", title, queries, unit, description, more, instant=True)


def log_lines(title: str, lucene: str, *, description: str, **more: Any) -> Panel:
    """The newest log entries that a Lucene query finds."""
    return _panel("logs", title, (LogQuery(lucene=lucene, over_time=False),), "short", description, more)


def row(title: str, *panels: Panel, height: int = 7, collapsed: bool = False) -> Row:
    """Panels that belong together."""
    return Row(title=title, panels=panels, height=height, collapsed=collapsed)


def column(name: str, title: str = "", **more: Any) -> Column:
    """A column of a table: ``name`` is the label, or the legend of the query whose value it holds."""
    return Column(name=name, title=title, **more)


def limit(value: float, side: str = "above", severity: str = "critical") -> Limit:
    """Where a value stops being good, of no alert's."""
    return Limit(value=value, side=side, severity=severity)  # type: ignore[arg-type]  # the gate names a wrong word


def alert_limit(alert: str, threshold: str, side: str = "above", factor: float = 1.0) -> Limit:
    """Where an alert fires: its threshold as the catalogue sets it, and as severe as it is."""
    return Limit(alert=alert, threshold=threshold, side=side, factor=factor)  # type: ignore[arg-type]


def leads_to(dashboard: str, title: str, **values: str) -> Link:
    """To another of our dashboards, with its variables filled."""
    return Link(title=title, dashboard=dashboard, values=values)


def runbook(alert: str) -> Link:
    """To what is to be done about an alert."""
    return Link(title=f"Runbook: {alert}", alert=alert)


def kibana(title: str, search: str) -> Link:
    """To the logs in Kibana, searched for something."""
    return Link(title=title, search=search)


def exporter(key: str, job: str = "", *, labels: tuple[str, ...] = (), **metrics: Metric) -> Exporter:
    """An exporter that the inventory has not, by the key of its placeholder: its ``job`` (the key, where none is said),
    the ``labels`` that all of its metrics may have, and its metrics by name."""
    return Exporter(
        exporter=key, title=key, job=job or key, versions=[], source="", labels=list(labels), metrics=metrics
    )


def exporter_from(path: str | Path) -> Exporter:
    """An exporter that a YAML file tells of, as the inventory's files do. Raises `SlaKitError` with the place."""
    try:
        return read_exporter(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise SlaKitError(
            f"the exporter can't be read: {error}",
            place=str(path),
            remedy="write exporter, title, job, versions, source and metrics, as the files of alert_rules/inventory do",
        ) from error


def _panel(
    kind: Kind,
    title: str,
    queries: tuple[Asked, ...],
    unit: str,
    description: str,
    more: dict[str, Any],
    *,
    instant: bool = False,
) -> Panel:
    asked = [Query(expression=each) if isinstance(each, str) else each for each in queries]
    if instant:
        asked = [replace(each, instant=True) if isinstance(each, Query) else each for each in asked]
    return Panel(kind=kind, title=title, description=description, queries=tuple(asked), unit=unit, **more)
