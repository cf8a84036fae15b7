"""Documents for the tests of the source, and indicators of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from elasticsearch import Elasticsearch, helpers

from sla_kit.catalogue.logs import LogFields, LogQuery, Logs
from sla_kit.catalogue.model import LogEvents, LogLatency
from sla_kit.sources import Indicator
from sla_kit.sources.elasticsearch import ElasticsearchSource
from sla_kit.timeline import Finding, Grid, Timeline

#: A whole hour, long ago.
START = 1_700_002_800
STEP = 60
NOW = START + 30 * 86400.0
ERRORS = "http.response.status_code:[500 TO *]"

Document = dict[str, Any]


def mapping(**types: str) -> dict[str, Any]:
    """Field types by names in which __ stands for a dot; the time, status and duration as ECS has them."""
    named = {
        "@timestamp": "date",
        "http.response.status_code": "long",
        "event.duration": "long",
        "event.ingested": "date",
        "service.name": "keyword",
    } | {name.replace("__", "."): type for name, type in types.items()}
    return {"properties": {name: {"type": type} for name, type in named.items() if type}}


def request(at: float, status: int | str = 200, seconds: float | None = None, **more: Any) -> Document:
    """One request at a time (epoch seconds)."""
    found: Document = {"@timestamp": round(at * 1000), "http.response.status_code": status, "service.name": "web"}
    if seconds is not None:
        found["event.duration"] = round(seconds * 1e9)
    return found | {name.replace("__", "."): value for name, value in more.items()}


def put(url: str, index: str, documents: Iterable[Document], fields: Mapping[str, Any] | None = None) -> None:
    """Makes an index of these documents."""
    with Elasticsearch(url, request_timeout=120) as client:
        client.indices.create(index=index, mappings=fields or mapping(), settings={"number_of_replicas": 0})
        actions = ({"_index": index, "_source": each} for each in documents)
        helpers.bulk(client, actions, refresh=True, chunk_size=2000)


def events(
    index: str,
    name: str = "availability",
    query: LogQuery = "",
    *,
    good: LogQuery | None = None,
    bad: LogQuery | None = None,
    quiet: float = 300.0,
    fields: LogFields | None = None,
) -> Indicator:
    """An indicator of events; bad are the errors where nothing else is said."""
    bad = ERRORS if good is None and bad is None else bad
    logs = Logs(index=index, quiet=quiet, fields=fields or LogFields())
    return Indicator(("web", name), LogEvents(index=index, query=query, good=good, bad=bad), (), "", logs)


def latency(
    index: str, threshold: float = 0.1, name: str = "fast", query: LogQuery = "", quantile: float = 0.95, **more: Any
) -> Indicator:
    """An indicator of durations."""
    logs = Logs(index=index, quiet=more.pop("quiet", 300.0))
    sli = LogLatency(
        index=index,
        query=query,
        threshold=threshold,
        quantile=quantile,
        field=more.pop("field", "event.duration"),
        unit_seconds=more.pop("unit_seconds", 1e-9),
    )
    return Indicator(("web", name), sli, (), "", logs)


def grid(minutes: int, start: int = START) -> Grid:
    """So many minutes."""
    return Grid(start, STEP, minutes)


def source(url: str, **more: Any) -> ElasticsearchSource:
    """A source that knows no other time than long after the documents', and waits for nobody."""
    return ElasticsearchSource(url, **{"clock": lambda: NOW, "pause": lambda seconds: None, **more})


def read(url: str, indicator: Indicator, where: Grid, **more: Any) -> Timeline:
    """The timeline of one indicator."""
    one = source(url, **more)
    ((_, timeline),) = one.fetch([indicator], where)
    one.close()
    return timeline


def told(timeline: Timeline, kind: str) -> list[Finding]:
    """The findings of a kind."""
    return [finding for finding in timeline.findings if finding.kind == kind]
