"""From a configuration's file to the collectors that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from sla_kit.exporters.business.configuration import SHORTHANDS, BusinessConfiguration, Each, Query
from sla_kit.exporters.business.parameters import bound
from sla_kit.exporters.business.pushed import bring
from sla_kit.exporters.business.queries import QueryCollector
from sla_kit.exporters.business.rules import check
from sla_kit.exporters.business.sources import Question
from sla_kit.exporters.sidecar.collector import Schedule
from sla_kit.exporters.sidecar.configuration import read_configuration
from sla_kit.exporters.sidecar.exporter import Loaded


def load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    """Reads a configuration; connects to nothing. Raises `ConfigurationError`."""
    configuration = read_configuration(path, BusinessConfiguration, check, shorthands=SHORTHANDS)
    folder = path.absolute().parent
    state = folder / configuration.state if configuration.state else None
    collectors = [
        collector
        for name, query in configuration.queries.items()
        for collector in _collectors(name, query, configuration, folder, state)
    ]
    if configuration.pushed is None:
        return Loaded(configuration, collectors)
    brought = bring(configuration.pushed, state, configuration.schedule(), before, folder)
    return Loaded(configuration, [*collectors, *brought.collectors], brought.routes, brought.services)


def _collectors(
    name: str, query: Query, configuration: BusinessConfiguration, folder: Path, state: Path | None
) -> Iterator[QueryCollector]:
    """One for each source and each value of a parameter: what is slow or fails does so alone."""
    for source_name in query.sources:
        source = configuration.sources[source_name]
        for values in product(*query.for_each.values()):
            each = dict(zip(query.for_each, values, strict=True))
            texts = {parameter: value.value for parameter, value in each.items()}
            yield QueryCollector(
                name=query.collector(name, source_name, texts.values()),
                schedule=_schedule(query, list(values), configuration),
                query=name,
                source=source,
                question=Question(query.asks(source.asked_by), bound({**query.parameters, **texts})),
                declared=tuple(query.metrics),
                fixed={**({query.source_label: source_name} if query.source_label else {}), **texts},
                since=query.since,
                max_rows=query.max_rows,
                max_series=configuration.max_series if query.max_series is None else query.max_series,
                folder=folder,
                state=state if query.since else None,
            )


def _schedule(query: Query, values: list[Each], configuration: BusinessConfiguration) -> Schedule:
    """The longest interval and timeout that the values have of their own, else the query's."""
    intervals = [value.interval for value in values if value.interval is not None]
    timeouts = [value.timeout for value in values if value.timeout is not None]
    return configuration.schedule(
        max(intervals, default=query.interval), max(timeouts, default=query.timeout), query.jitter
    )
