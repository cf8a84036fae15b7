"""Counts of documents, from Elasticsearch or what speaks as it does (OpenSearch)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from msgspec import field

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.values import Duration, Value
from sla_kit.exporters.business.sources import Opening, Question, Source
from sla_kit.exporters.business.sources.window import check_window, window_of
from sla_kit.exporters.elasticsearch import ElasticsearchEndpoint, Searcher, text_of
from sla_kit.exporters.sidecar.collector import CollectError
from sla_kit.exporters.sidecar.configuration import check_label_name

_PAGE = 1_000
#: The column that holds the count.
VALUE = "value"


class ElasticsearchQuestion(Value, frozen=True, kw_only=True):
    """How many documents there are, or how many values one of their fields has.

    ``index`` may be a pattern. Which documents: those of the ``query`` (in its query language), of the last ``window``
    by ``time_field``. ``labels`` names for each label the field whose values are told apart: a row for each set of
    values, at most ``max_rows``. ``distinct`` names a field whose different values are counted, by HyperLogLog++,
    exact up to about 40,000.
    """

    index: str
    query: dict[str, Any] = field(default_factory=dict)
    window: Duration | None = None
    time_field: str = "@timestamp"
    labels: dict[str, str] = field(default_factory=dict)
    distinct: str = ""
    max_rows: int = 10_000


class ElasticsearchSource(ElasticsearchEndpoint, Source, frozen=True, kw_only=True, tag="elasticsearch"):
    """A cluster of Elasticsearch: ``api_key`` (as its API gives it out, encoded), or ``username`` and ``password``."""

    asked_by: ClassVar[str] = "elasticsearch"

    def check_question(self, asks: Any, parameters: frozenset[str], findings: Findings, path: Part) -> None:
        """Says what is wrong with a question."""
        question: ElasticsearchQuestion = asks
        check_window(question.window, parameters, findings, path)
        if not question.index.strip():
            findings.say((*path, "index"), "must name an index or a pattern", "such as logs-*")
        if question.max_rows < 1:
            findings.say((*path, "max_rows"), "must be at least 1")
        for label in question.labels:
            check_label_name(label, findings, (*path, "labels", label))
            if label == VALUE:
                findings.say(
                    (*path, "labels", label), f"{VALUE} is the column of the count", "call the label otherwise"
                )

    def columns(self, asks: Any) -> frozenset[str] | None:
        """The labels, and ``value``."""
        return frozenset((*asks.labels, VALUE))

    def open(self, opening: Opening) -> ElasticsearchReader:
        """Makes what answers, without connecting."""
        return ElasticsearchReader(self.searcher(opening.folder))


@dataclass(frozen=True)
class ElasticsearchReader:
    """Asks one cluster."""

    searcher: Searcher

    def rows(self, question: Question, deadline: float) -> Iterator[dict[str, object]]:
        """A row for each set of the labels' values; one row where there are no labels, with 0 where nothing was found.

        Raises `CollectError`.
        """
        asks: ElasticsearchQuestion = question.asks
        window = window_of(asks.window, question.parameters)
        if not asks.labels:
            answer = self._search(asks, _body(asks, window, deadline), deadline)
            found = answer["aggregations"]["value"]["value"] if asks.distinct else answer["hits"]["total"]["value"]
            yield {VALUE: float(found)}
            return
        count, after = 0, None
        while True:
            answer = self._search(asks, _body(asks, window, deadline, after), deadline)
            page = answer["aggregations"]["rows"]
            for bucket in page["buckets"]:
                count += 1
                if count > asks.max_rows:
                    raise CollectError(
                        "data",
                        f"has more than {asks.max_rows} rows for {', '.join(asks.labels)}",
                        place=self.searcher.client.place,
                        remedy="narrow query or window, take fields with fewer values, or raise max_rows",
                    )
                found = bucket["value"]["value"] if asks.distinct else bucket["doc_count"]
                yield {**{label: text_of(bucket["key"].get(label)) for label in asks.labels}, VALUE: float(found)}
            after = page.get("after_key")
            if after is None or len(page["buckets"]) < _PAGE:
                return

    def close(self) -> None:
        """Nothing is held between questions."""

    def _search(self, question: ElasticsearchQuestion, body: dict[str, Any], deadline: float) -> dict[str, Any]:
        found = self.searcher.search(question.index, body, deadline)
        if not _shaped(found, question):
            raise self.searcher.misshapen(question.index)
        return found


def _body(question: ElasticsearchQuestion, window: float | None, deadline: float, after: Any = None) -> dict[str, Any]:
    """The search: no documents, only counts, all of them."""
    filters: list[dict[str, Any]] = [question.query] if question.query else []
    if window is not None:
        now = time.time()
        since, until = int((now - window) * 1000), int(now * 1000)
        span = {"gt": since, "lte": until, "format": "epoch_millis"}
        filters.append({"range": {question.time_field: span}})
    left = max(1, int((deadline - time.monotonic()) * 1000))
    body: dict[str, Any] = {"size": 0, "timeout": f"{left}ms", "query": {"bool": {"filter": filters}}}
    body["track_total_hits"] = not question.labels and not question.distinct
    counted = {"value": {"cardinality": {"field": question.distinct, "precision_threshold": 40_000}}}
    if question.labels:
        sources = [
            {label: {"terms": {"field": name, "missing_bucket": True}}} for label, name in question.labels.items()
        ]
        composite = {"size": min(_PAGE, question.max_rows + 1), "sources": sources}
        if after is not None:
            composite["after"] = after
        body["aggregations"] = {"rows": {"composite": composite, **({"aggs": counted} if question.distinct else {})}}
    elif question.distinct:
        body["aggregations"] = counted
    return body


def _shaped(body: dict[str, Any], question: ElasticsearchQuestion) -> bool:
    """Whether an answer has what was asked for."""
    try:
        if question.labels:
            buckets = body["aggregations"]["rows"]["buckets"]
            return all(bucket["key"] is not None and bucket["doc_count"] >= 0 for bucket in buckets)
        found = body["aggregations"]["value"]["value"] if question.distinct else body["hits"]["total"]["value"]
    except (KeyError, TypeError):
        return False
    return isinstance(found, int | float)
