"""What is wrong with what a dashboard asks: metrics, labels and columns that there are not, counters shown bare,
queries that look elsewhere than the variables say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sla_kit.alert_rules.inventory import Exporter, exporters
from sla_kit.alert_rules.label_flow import Flow, bare_counter, selectors
from sla_kit.catalogue.model import Catalogue, Latency, Requests
from sla_kit.dashboards.gate_document import Found, panels_of
from sla_kit.dashboards.model import Dashboard, LogQuery, Panel, Query
from sla_kit.dashboards.rendering import panel_ids
from sla_kit.dashboards.wording import RECORDED_LABELS, is_recorded, scope_labels
from sla_kit.rules.model import RecordingRule, RuleFile
from sla_kit.selectors import Matcher, Selector

_GRAFANA = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h", "__range_s": "3600", "__interval_ms": "60000"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_LEGEND_LABEL = re.compile(r"{{\s*(\w+)\s*}}")
_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_RATES = frozenset({"rate", "irate", "increase"})
#: Written by Prometheus itself of every target or alert; by every exporter of ours; by batch jobs, in whatever job the
#: Pushgateway or node_exporter is scraped: who asks for all of them names no job.
_OWN = frozenset({"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_duration_seconds", "scrape_samples_scraped"})
_ANY_JOB = ("sla_exporter_", "sla_job_")
#: A fixed window as long as this is meant: what an alert looks at, or as long as something usually takes.
_LONG = 900.0
#: What Grafana calls the columns of a table of Elasticsearch's, besides the fields.
_OF_LOGS = frozenset({"Count", "Unique Count"})


@dataclass(frozen=True, slots=True)
class Series:
    """Which series there are besides the inventory's, with their labels (None: any): what our rules record, and what
    the exporters that a dashboard brings publish, of which some are ``counters``. ``promised`` are the metrics and
    matchers that promises are made of, for which the catalogue answers; ``scope`` the labels that all have."""

    catalogue: Catalogue
    others: Mapping[str, frozenset[str] | None]
    counters: frozenset[str]
    promised: tuple[tuple[str, frozenset[Matcher]], ...]
    scope: frozenset[str]
    brought: tuple[Exporter, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, dashboard: Dashboard, rules: Iterable[RuleFile]) -> Series:
        """Those that a dashboard may read."""
        renamed = catalogue.monitoring.labels
        others: dict[str, frozenset[str] | None] = {}
        counters: set[str] = set()
        for file in rules:
            for group in file.groups:
                for rule in group.rules:
                    if isinstance(rule, RecordingRule):
                        others[rule.record] = (others.get(rule.record) or frozenset()) | frozenset(rule.labels)
        for exporter in dashboard.exporters:
            for name, metric in exporter.metrics.items():
                labels = {renamed.get(label, label) for label in (*metric.labels, *exporter.labels, "job", "instance")}
                parts = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("", "_count", "_sum")}
                for part in parts.get(metric.type, ("",)):
                    more = {"_bucket": {"le"}, "": {"quantile"} if metric.type == "summary" else set()}.get(part, set())
                    others[f"{name}{part}"] = frozenset(labels | more)
                    if metric.type in ("counter", "histogram") or part in ("_count", "_sum"):
                        counters.add(f"{name}{part}")
        scope = frozenset(renamed.get(label, label) for label in scope_labels(catalogue))
        return cls(
            catalogue, others, frozenset(counters), tuple(_promised(catalogue)), scope, dashboard.exporters
        )  # fmt: skip

    def publishers(self, series: str) -> int:
        """How many exporters publish a series."""
        return sum(each.metric(series) is not None for each in (*exporters().values(), *self.brought))


def of_queries(dashboard: Dashboard, document: Mapping[str, Any], series: Series) -> Found:
    """What is wrong with everything that a dashboard asks."""
    names = {variable["name"] for variable in document["templating"]["list"]}
    for annotation in document["annotations"]["list"]:
        place, asked = f"annotation {annotation['name']!r}", _Asked(annotation["expr"], names, series)
        texts = f"{annotation['titleFormat']} {annotation['textFormat']}"
        for message in asked.wrong(texts, fixed=True):
            yield place, message
    ids, panels = panel_ids(dashboard), {panel["id"]: panel for panel in panels_of(document)}
    for row in dashboard.rows:
        for panel in row.panels:
            shown = panels[ids[row.title, panel.title]]
            labels: set[str] = set()
            for target in shown.get("targets", []):
                if "expr" not in target:
                    continue
                place = f"panel {panel.title!r}, query {target['refId']}"
                asked = _Asked(target["expr"], names, series)
                for message in asked.wrong(target.get("legendFormat", ""), fixed=bool(target.get("instant"))):
                    yield place, message
                labels |= asked.labels
            yield from _logs(panel)
            yield from _columns(panel, labels, series)


def _promised(catalogue: Catalogue) -> Iterator[tuple[str, frozenset[Matcher]]]:
    for service, slo in catalogue.slos():
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Requests | Latency):
            metrics = [sli.metric, f"{sli.metric}_bucket", f"{sli.metric}_count"]
            if isinstance(sli, Requests):
                metrics += [name for name in (sli.good_metric, sli.bad_metric) if name]
            yield from ((name, frozenset(Selector.of(name, sli.matchers).matchers)) for name in metrics)


class _Asked:
    """One expression as Grafana asks it."""

    def __init__(self, expression: str, variables: set[str], series: Series) -> None:
        import promql_parser

        self._series = series
        self._unknown = [
            name
            for match in _VARIABLE.finditer(expression)
            if (name := match[1] or match[2]) not in variables and name not in _GRAFANA
        ]
        self._error, self._problems, self.labels = "", list[str](), frozenset[str]()
        try:
            filled = _VARIABLE.sub(lambda match: _GRAFANA.get(match[1] or match[2], ".*"), expression)
            self._tree = promql_parser.parse(filled)
        except ValueError as error:
            self._error = " ".join(str(error).split())
            return
        self._others = dict(series.others)
        for selector, _, _ in selectors(self._tree):
            asked = {Matcher(each.name, _OPERATORS[str(each.op)], each.value) for each in selector.matchers.matchers}
            if any(selector.name == name and matchers <= asked for name, matchers in series.promised):
                self._others[selector.name] = None
        renamed = series.catalogue.monitoring.labels
        if renamed.keys() & RECORDED_LABELS and is_recorded(expression):
            renamed = {name: other for name, other in renamed.items() if name not in RECORDED_LABELS}
        flow = Flow(series.scope, renamed, self._others)
        self.labels = flow.labels(self._tree) or frozenset()
        self._problems = flow.problems

    def wrong(self, legend: str, *, fixed: bool) -> Iterator[str]:
        """What is wrong with it; ``fixed`` allows windows of a fixed length."""
        yield from (f"there is no variable ${name}" for name in self._unknown)
        if self._error:
            yield f"promql-parser can't read it: {self._error}"
            return
        yield from self._problems
        for label in _LEGEND_LABEL.findall(legend):
            if label not in self.labels:
                yield f"its legend names the label {label}, which the expression has not"
        counter = bare_counter(self._tree, self._series.counters)
        if counter:
            yield f"it shows the counter {counter} itself, not its rate"
        for selector, function, seconds in selectors(self._tree):
            yield from self._selector(selector)
            if function in _RATES and not fixed and seconds != 300 and seconds < _LONG:
                yield f"{function}() of {selector.name} over a fixed time: write [$__rate_interval]"

    def _selector(self, selector: Any) -> Iterator[str]:
        named = {matcher.name for matcher in selector.matchers.matchers}
        publishers = self._series.publishers(selector.name)
        brought = any(each.metric(selector.name) for each in self._series.brought)
        any_job = selector.name in _OWN or selector.name.startswith(_ANY_JOB)
        recorded = selector.name in self._others and not brought
        if publishers == 1 and not any_job and not recorded and "job" not in named:
            yield f"{selector.name} has no matcher of its job"
        missing = sorted(label for label in self._series.scope if label not in named)
        if missing and publishers:
            yield f"{selector.name} has no matcher of {', '.join(missing)}"


def _logs(panel: Panel) -> Found:
    for query in panel.queries:
        if not isinstance(query, LogQuery):
            continue
        if panel.kind not in ("table", "logs") and not query.over_time:
            yield f"panel {panel.title!r}", "its query of logs is not over time, which only tables show"
        if panel.kind == "table" and not query.by and not query.over_time:
            yield f"panel {panel.title!r}", "its query of logs is divided by nothing"
    if len({type(query) for query in panel.queries}) > 1:
        yield f"panel {panel.title!r}", "it asks Prometheus and Elasticsearch, but has one data source"


def _columns(panel: Panel, labels: set[str], series: Series) -> Found:
    """What a table's columns, and the one that it is sorted by, name that its result has not."""
    if panel.kind != "table":
        return
    place = f"panel {panel.title!r}"
    renamed = series.catalogue.monitoring.labels
    if all(isinstance(query, Query) and is_recorded(query.expression) for query in panel.queries):
        renamed = {name: other for name, other in renamed.items() if name not in RECORDED_LABELS}
    there = labels | {query.legend for query in panel.queries if query.legend}
    for query in panel.queries:
        if isinstance(query, LogQuery):
            there |= {*query.by, *_OF_LOGS}
    headings = set(there)
    for column in panel.columns:
        name = renamed.get(column.name, column.name)
        headings.add(column.title or name)
        if name not in there and not column.hidden:  # some labels are there in some catalogues only
            yield place, f"its column {column.name!r} is no label of its queries and no legend"
    names = [column.name for column in panel.columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield place, f"two of its columns are {name!r}"
    told = {renamed.get(name, name) for name in names}
    for label in sorted(labels - told - series.scope) if names else ():
        yield place, f"the label {label} is neither shown nor hidden by a column"
    if panel.sort_by and panel.sort_by not in headings:
        yield place, f"it is sorted by {panel.sort_by!r}, which is no heading"
