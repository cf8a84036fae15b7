"""What a dashboard is: rows of panels with their queries, limits and links. Values; nothing here knows Grafana's JSON.

Expressions hold the placeholders of alerts: ``$postgres`` inside braces is the matcher of that exporter's jobs (and of
what the dashboard's variables choose), ``$keep`` in ``by``/``on`` are the labels that every aggregation keeps. What
else begins with ``$`` is Grafana's own: ``$__rate_interval``, ``$__range``, a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sla_kit.alert_rules.inventory import Exporter

Kind = Literal["stat", "gauge", "timeseries", "table", "bars", "heatmap", "states", "logs"]
Side = Literal["above", "below"]
Stack = Literal["none", "normal", "percent"]

#: The width of Grafana's grid.
COLUMNS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a panel. ``legend`` is Grafana's template of a series' name; in a table it is the heading of the
    column with the value. ``instant`` asks for the end of the range only. ``color`` is one of `colors.SERIES`, for a
    query with one series."""

    expression: str
    legend: str = ""
    instant: bool = False
    color: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """A query of logs in Elasticsearch: ``lucene`` chooses, and either the documents themselves are shown (a panel of
    kind ``logs``), or how many there are: over time, for each value of the fields ``by``, of which the ``most``
    frequent ones are shown. ``unique`` counts the different values of a field instead."""

    lucene: str
    by: tuple[str, ...] = ()
    over_time: bool = True
    unique: str = ""
    most: int = 8
    legend: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """From where on a value is no longer good. Either the ``threshold`` of an ``alert``, so that a panel turns where
    the alert fires, times ``factor``; or a ``value``. ``side`` is where it is bad; ``severity`` says how bad."""

    value: float | None = None
    alert: str = ""
    threshold: str = ""
    factor: float = 1.0
    side: Side = "above"
    severity: Literal["critical", "warning", ""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What people read for a value, and whether it is ``good``, ``warning``, ``critical`` or none of them
    (``neutral``)."""

    text: str
    meaning: Literal["good", "warning", "critical", "neutral"] = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a panel leads: to another of our dashboards (by its name, ``values`` fill its variables, and may be data of
    the series: ``${__field.labels.instance}``), to the runbook of an ``alert``, to Kibana with a ``search``, or to any
    ``url``."""

    title: str
    dashboard: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    alert: str = ""
    search: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How one column of a table is shown: that of a label, or of the query with that legend. ``title`` is its heading
    where it is another; ``hidden`` ones are not shown. ``width`` in pixels, 0 as it comes."""

    name: str
    title: str = ""
    unit: str = ""
    decimals: int | None = None
    limits: tuple[Limit, ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    link: Link | None = None
    hidden: bool = False
    width: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. ``unit`` is one of Grafana's (``percentunit``, ``s``, ``reqps``, ``short`` …). ``states`` say what
    single values mean, ``no_value`` what is shown where there is none. ``sort_by`` is the heading of a column.
    ``calculation`` makes one figure of a course. ``bars`` draws bars in place of lines; ``from_zero`` shows zero where
    no ``minimum`` is said. ``width`` in columns of the grid, 0: what its row leaves for it; ``height`` 0: its row's."""

    kind: Kind
    title: str
    description: str
    queries: tuple[Query | LogQuery, ...]
    unit: str
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    limits: tuple[Limit, ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    columns: tuple[Column, ...] = ()
    sort_by: str = ""
    sort_descending: bool = True
    stack: Stack = "none"
    bars: bool = False
    from_zero: bool = True
    logarithmic: bool = False
    calculation: Literal["lastNotNull", "max", "min", "mean", "sum"] = "lastNotNull"
    no_value: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels that belong together, set from left to right and on in the next line. ``height`` is that of its panels in
    units of the grid, unless they have their own."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 7
    collapsed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What can be chosen at the top: the values of a ``label`` among the series of ``metric`` (a selector with
    placeholders). With ``several``, more than one and all; else ``preset`` is what is chosen at first."""

    name: str
    title: str
    metric: str
    label: str
    several: bool = True
    preset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Marks across all panels, for as long as ``expression`` has a value. ``of`` names the part of the calendar that it
    shows: there are no such marks where a catalogue has none."""

    name: str
    expression: str
    title: str
    color: str
    text: str = ""
    shown: bool = True
    of: Literal["events", "maintenance", ""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard. ``name`` is that of its file, and its uid is ``sla-kit-<name>`` (``uid`` where it is another);
    ``folder`` is where Grafana keeps it. ``instances`` are the exporters whose instances can be chosen: their
    placeholders ask for the chosen ones. ``exporters`` are those besides the inventory's whose metrics it reads; each
    has a placeholder, too. ``hours`` is how much is shown at first."""

    name: str
    title: str
    description: str
    folder: str
    rows: tuple[Row, ...]
    uid: str = ""
    tags: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    exporters: tuple[Exporter, ...] = ()
    variables: tuple[Variable, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    hours: float = 6.0
    refresh: str = "1m"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel, in reading order."""
        return tuple(panel for row in self.rows for panel in row.panels)

    @property
    def reads_logs(self) -> bool:
        """Whether any panel asks Elasticsearch."""
        return any(isinstance(query, LogQuery) for panel in self.panels for query in panel.queries)


def uid_of(dashboard: Dashboard) -> str:
    """What Grafana knows a dashboard by, whatever its title: links and alerts lead to it."""
    return dashboard.uid or f"sla-kit-{dashboard.name}"
