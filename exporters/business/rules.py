"""What is wrong with a business exporter's configuration, beyond what its types say: all of it, each at its line."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import product

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.exporters.business.configuration import ASKED_BY, AnySource, BusinessConfiguration, MetricOfRows, Query
from sla_kit.exporters.business.declared import Declared, check_declared, check_together
from sla_kit.exporters.business.parameters import SETTLE_SECONDS, SINCE, names
from sla_kit.exporters.business.pushed.configuration import PUSHED
from sla_kit.exporters.business.sql_text import mentions
from sla_kit.exporters.sidecar.configuration import check_schedule

_PARAMETER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def check(configuration: BusinessConfiguration, findings: Findings) -> None:
    """Says what is wrong."""
    for name, source in configuration.sources.items():
        source.check(findings, ("sources", name))
    for name, query in configuration.queries.items():
        _check_query(query, configuration, findings, ("queries", name))
    if configuration.pushed is not None:
        configuration.pushed.check(findings, ("pushed",))
    elif not configuration.queries:
        findings.say((), "declares nothing to publish", "declare queries, or pushed")
    check_together(_declared(configuration), findings)
    _check_names(configuration, findings)


def _check_names(configuration: BusinessConfiguration, findings: Findings) -> None:
    """Says so where two collectors would have one name: only one of them would run, and both count to one watermark."""
    taken = {PUSHED: "what is pushed"} if configuration.pushed is not None else {}
    for name, query in configuration.queries.items():
        every = product(query.sources, *([each.value for each in values] for values in query.for_each.values()))
        for source, *values in dict.fromkeys(every):
            collector = query.collector(name, source, values)
            if collector in taken:
                findings.say(
                    ("queries", name),
                    f"has a collector {collector}, as {taken[collector]} has",
                    "call the query otherwise" if not values else "a / in the values of for_each makes them one name",
                )
                break
            taken[collector] = f"the query {name}"


def _declared(configuration: BusinessConfiguration) -> Iterator[Declared]:
    for name, query in configuration.queries.items():
        for index, metric in enumerate(query.metrics):
            yield declaration(metric, query, ("queries", name, "metrics", index, "name"))
    if configuration.pushed is not None:
        yield from configuration.pushed.declared(("pushed",))


def declaration(metric: MetricOfRows, query: Query, path: Part) -> Declared:
    """A query's metric as it is declared: with the labels that the query adds."""
    fixed = {label: frozenset([text]) for label, text in metric.constant_labels.items()}
    fixed |= {name: frozenset(each.value for each in values) for name, values in query.for_each.items()}
    if query.source_label:
        fixed[query.source_label] = frozenset(query.sources)
    if metric.value_label:
        fixed[metric.value_label] = frozenset(metric.values)
    return Declared(metric.name, metric.type, metric.help, frozenset([*metric.labels, *fixed]), path, fixed)


def _check_query(query: Query, configuration: BusinessConfiguration, findings: Findings, path: Part) -> None:
    _check_schedules(query, configuration, findings, path)
    _check_parameters(query, findings, path)
    if query.max_rows < 1:
        findings.say((*path, "max_rows"), "must be at least 1")
    if query.max_series is not None and query.max_series < 1:
        findings.say((*path, "max_series"), "must be at least 1")
    if not query.metrics:
        findings.say((*path, "metrics"), "must declare a metric")
    source = _check_sources(query, configuration, findings, path)
    asked = _check_question(query, source, findings, path) if source is not None else False
    if query.since is not None:
        _check_since(query, configuration, findings, path)
    for index, metric in enumerate(query.metrics):
        here = (*path, "metrics", index)
        check_declared(declaration(metric, query, (*here, "name")), findings)
        _check_metric(metric, query, findings, here)
        if source is not None and asked:
            _check_columns(metric, query, source, findings, here)


def _check_schedules(query: Query, configuration: BusinessConfiguration, findings: Findings, path: Part) -> None:
    if (query.interval, query.timeout, query.jitter) != (None, None, None):
        check_schedule(configuration.schedule(query.interval, query.timeout, query.jitter), findings, path)
    for name, values in query.for_each.items():
        for index, each in enumerate(values):
            if (each.interval, each.timeout) != (None, None):
                schedule = configuration.schedule(each.interval, each.timeout)
                check_schedule(schedule, findings, (*path, "for_each", name, index))


def _check_parameters(query: Query, findings: Findings, path: Part) -> None:
    for key in ("parameters", "for_each"):
        for name in getattr(query, key):
            here = (*path, key, name)
            if not _PARAMETER.fullmatch(name):
                findings.say(here, f"{name!r} can't be the name of a parameter", "letters, digits and _")
            elif name in (SINCE, SETTLE_SECONDS):
                findings.say(here, f"{name} is taken", "it is bound to what the key since says")
            elif key == "for_each" and name in query.parameters:
                findings.say(here, f"{name} is declared under parameters, too", "say one of them")
    for name, values in query.for_each.items():
        if not values:
            findings.say((*path, "for_each", name), "has no values", "such as [1m, 5m, 1h]")
        for value, times in Counter(each.value for each in values).items():
            if times > 1:
                findings.say((*path, "for_each", name), f"has {value} more than once")


def _check_sources(
    query: Query, configuration: BusinessConfiguration, findings: Findings, path: Part
) -> AnySource | None:
    """Says what is wrong with the sources of a query; the first of them if all can be asked by the same key."""
    here = (*path, "source")
    if not query.sources:
        findings.say(here, "names no source")
    if len(set(query.sources)) < len(query.sources):
        findings.say(here, "names a source twice")
    if len(query.sources) > 1 and not query.source_label:
        findings.say(here, "are several, and no label tells them apart", "add source_label, such as source_label: shop")
    found = []
    for index, name in enumerate(query.sources):
        at = here if isinstance(query.source, str) else (*here, index)
        known = findings.expect(name, configuration.sources, at, "source", [("sources",)])
        if known and not findings.places.broken(("sources", name)):
            found.append(configuration.sources[name])
    if len({source.asked_by for source in found}) > 1:
        findings.say(here, "are of kinds that are not asked alike", "declare a query for each kind")
        return None
    return found[0] if found and len(found) == len(query.sources) else None


def _check_question(query: Query, source: AnySource, findings: Findings, path: Part) -> bool:
    """Says what is wrong with the question; whether there is one for this kind of source."""
    for key in ASKED_BY:
        if query.asks(key) and key != source.asked_by:
            findings.say((*path, key), f"is no question for this source, which is asked by {source.asked_by}")
    asks = query.asks(source.asked_by)
    if not asks:
        if not findings.places.broken((*path, source.asked_by)):
            findings.say(path, f"asks nothing: it has no {source.asked_by}", "the source's kind says what it takes")
        return False
    texts = {name: [text] for name, text in query.parameters.items()}
    texts |= {name: [each.value for each in values] for name, values in query.for_each.items()}
    parameters = names(texts) | ({SINCE, SETTLE_SECONDS} if query.since else set())
    source.check_question(asks, frozenset(parameters), findings, (*path, source.asked_by))
    if query.sql:
        for name in query.for_each:
            if not mentions(query.sql, name) and not mentions(query.sql, f"{name}_seconds"):
                findings.say(
                    (*path, "for_each", name), f"the query does not use {name}", "every value has the same answer"
                )
    return True


def _check_since(query: Query, configuration: BusinessConfiguration, findings: Findings, path: Part) -> None:
    here, since = (*path, "since"), query.since
    assert since is not None
    if not configuration.state:
        findings.say(
            here, "needs a file to keep its sums in", "add state: to the configuration, such as state: state.db"
        )
    if not query.sql:
        findings.say(here, "only goes with sql")
        return
    if since.start is None or isinstance(since.start, bool | list | dict):
        findings.say((*here, "start"), "must be a number or a text", "such as 0, or '2026-01-01'")
    if not mentions(query.sql, SINCE):
        findings.say(here, f"the query does not use the parameter {SINCE}", "it would count all rows again each time")
    if since.settle and not mentions(query.sql, SETTLE_SECONDS):
        findings.say(
            (*here, "settle"), f"the query does not use the parameter {SETTLE_SECONDS}", "leave young rows out"
        )
    if since.column and not findings.places.broken((*here, "column")) and not mentions(query.sql, since.column):
        findings.say((*here, "column"), f"the query has no column {since.column}", "such as max(id) AS newest")
    for index, metric in enumerate(query.metrics):
        if metric.type not in ("counter", "histogram"):
            at = (*path, "metrics", index, "type")
            findings.say(at, f"a {metric.type} can't be summed up", "declare a query without since for it")


def _check_metric(metric: MetricOfRows, query: Query, findings: Findings, path: Part) -> None:
    """Says which keys of a metric do not go together."""
    kind = metric.type
    if kind == "info":
        for key in ("value", "values"):
            if getattr(metric, key):
                findings.say((*path, key), "an info has no value but 1", "take it out, or declare a gauge")
    elif not metric.value and not metric.values:
        if not any(findings.places.broken((*path, key)) for key in ("value", "values")):
            findings.say(path, f"{metric.name} has no value", "name the column with it: value: users")
    elif metric.value and metric.values:
        findings.say((*path, "values"), "stands beside value", "say one of them")
    if bool(metric.values) != bool(metric.value_label):
        findings.say(path, f"{metric.name} has only one of values and value_label", "they go together")
    if kind == "histogram":
        _check_buckets(metric, findings, path)
    else:
        for key in ("buckets", "count"):
            if getattr(metric, key):
                findings.say((*path, key), f"a {kind} has no {key}", "declare type: histogram")
    if metric.null == "nan" and kind != "gauge":
        findings.say((*path, "null"), f"a {kind} can't be NaN", "say skip or zero")
    _check_labels(metric, query, findings, path)
    _check_empty(metric, findings, path)


def _check_buckets(metric: MetricOfRows, findings: Findings, path: Part) -> None:
    here = (*path, "buckets")
    if metric.values:
        findings.say((*path, "values"), "a histogram has one value", "name its column: value: seconds")
    if not metric.buckets:
        if not findings.places.has_broken(here):
            findings.say(path, f"{metric.name} has no buckets", "such as buckets: [0.1, 0.5, 1, 5]")
    elif sorted(set(metric.buckets)) != metric.buckets:
        findings.say(here, "must rise", f"write {sorted(set(metric.buckets))}")
    elif not all(math.isfinite(bound) for bound in metric.buckets):
        findings.say(here, "must be finite", "the bucket +Inf is added")


def _check_labels(metric: MetricOfRows, query: Query, findings: Findings, path: Part) -> None:
    every = [*metric.labels, *metric.constant_labels, *query.for_each]
    every += [label for label in (metric.value_label, query.source_label) if label]
    for label, times in Counter(every).items():
        if times > 1:
            findings.say(path, f"{metric.name} has the label {label} twice", "columns and other labels differ in name")
    for column in {metric.value, *metric.values, metric.count} & set(metric.labels):
        if column:
            findings.say(
                (*path, "labels"), f"{column} is the value, and a label", "a value as a label is a series each"
            )


def _check_empty(metric: MetricOfRows, findings: Findings, path: Part) -> None:
    if metric.type == "info":
        for key in ("always", "when_empty"):
            if getattr(metric, key) not in ([], "nothing"):
                findings.say((*path, key), "an info has no value but 1", "take it out")
        return
    if metric.when_empty == "zero" and metric.labels:
        findings.say(
            (*path, "when_empty"),
            "the labels' values are not known without rows",
            "list them: always: [{label: value}]",
        )
    wanted = {*metric.labels, *filter(None, [metric.value_label])}
    for index, labels in enumerate(metric.always):
        if labels.keys() != wanted:
            told = ", ".join(sorted(wanted)) or "none, and when_empty: zero does this"
            findings.say((*path, "always", index), f"must name the labels that rows have: {told}")


def _check_columns(metric: MetricOfRows, query: Query, source: AnySource, findings: Findings, path: Part) -> None:
    asks = query.asks(source.asked_by)
    for key, columns in (
        ("labels", metric.labels),
        ("value", [metric.value]),
        ("values", metric.values),
        ("count", [metric.count]),
    ):
        for column in filter(None, columns):
            if not source.answers(asks, column):
                findings.say((*path, key), f"the answer has no column {column}", f"name it: … AS {column}")
