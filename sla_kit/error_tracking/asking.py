"""The searches of error tracking as bodies of requests: what an error is, groups counted by page, one group in detail.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sla_kit.catalogue.logs import LogFields, LogQuery
from sla_kit.catalogue.model import Catalogue

Query = dict[str, Any]

#: Levels that are errors without anything else to tell it; syslog's and those of usual loggers, in any letter case.
ERROR_LEVELS = ("error", "critical", "fatal", "alert", "emergency")
#: Up to so many users are counted one by one; more by HyperLogLog++ (S. Heule and others, "HyperLogLog in practice",
#: EDBT 2013) of precision 14, whose standard error is 1.04 / sqrt(2^14).
USERS_COUNTED = 3000
USERS_ERROR = 1.96 * 1.04 / 2**7
#: So many versions of a group are told.
VERSIONS = 10
#: How many groups one page of an answer has.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """The times (start, end], epoch seconds, as everywhere: open at the left, closed at the right."""

    start: float
    end: float

    def cut(self, slices: int) -> list[Span]:
        """The span in slices of equal length."""
        edges = [self.start + (self.end - self.start) * number / slices for number in range(slices + 1)]
        return [Span(first, last) for first, last in pairwise(edges)]

    def within(self, field: str) -> Query:
        """The documents of the span, by the millisecond, the unit of Elasticsearch's dates."""
        return {"range": {field: {"gte": ms(self.start), "lt": ms(self.end), "format": "epoch_millis"}}}


def ms(second: float) -> int:
    """The first millisecond after a time."""
    return int(second * 1000 // 1) + 1


@dataclass(frozen=True, slots=True)
class Readable:
    """Which field is read for what by aggregations: empty where no index has one that can be aggregated."""

    time: str
    service: str = ""
    group: str = ""
    type: str = ""
    level: str = ""
    version: str = ""
    user: str = ""
    #: Fields of text whose words can be looked for.
    words: tuple[str, ...] = ()


def error_query(catalogue: Catalogue) -> Query:
    """Which documents are errors: what the catalogue says; else those of a level of errors, with a type of error, or
    with a status of 500 or more."""
    declared = catalogue.logs.errors.query
    if declared:
        return as_query(declared)
    fields = catalogue.logs.fields
    levels = [{"term": {fields.level: {"value": each, "case_insensitive": True}}} for each in ERROR_LEVELS]
    others: list[Query] = [{"exists": {"field": fields.error_type}}, {"range": {fields.status: {"gte": 500}}}]
    return {"bool": {"should": [*levels, *others], "minimum_should_match": 1}}


def as_query(query: LogQuery) -> Query:
    """A query as the catalogue writes it, in Elasticsearch's query language."""
    if isinstance(query, str):
        return {"query_string": {"query": query}} if query else {"match_all": {}}
    return dict(query)


def both(*queries: Query | None) -> Query:
    """The documents that fit all of the queries, without a score."""
    return {"bool": {"filter": [query for query in queries if query is not None]}}


def neither(query: Query) -> Query:
    """The documents that do not fit."""
    return {"bool": {"must_not": [query]}}


def is_value(field: str, value: str) -> Query:
    """The documents with a value; without any where it is empty."""
    return {"term": {field: value}} if value else neither({"exists": {"field": field}})


def of_services(field: str, services: Sequence[str]) -> Query | None:
    """The documents of some services, of all where none is named."""
    return {"terms": {field: list(services)}} if services else None


def counted(query: Query) -> Query:
    """How many documents there are."""
    return {"size": 0, "track_total_hits": True, "query": query}


def page(
    query: Query,
    by: Mapping[str, str],
    aggregations: Mapping[str, Query],
    after: Mapping[str, Any] | None = None,
    size: int = PAGE,
) -> Query:
    """A page of the combinations of some fields' values (``by``: name to field), each with its count and what the
    aggregations say of it."""
    sources = [{name: {"terms": {"field": field, "missing_bucket": True}}} for name, field in by.items()]
    composite: dict[str, Any] = {"size": size, "sources": sources}
    if after is not None:
        composite["after"] = dict(after)
    inside = {"aggs": dict(aggregations)} if aggregations else {}
    return {
        "size": 0,
        "track_total_hits": False,
        "query": query,
        "aggs": {"page": {"composite": composite, **inside}},
    }


def first(time: str) -> Query:
    """The first time, as an aggregation."""
    return {"min": {"field": time}}


def last(time: str) -> Query:
    """The last time, as an aggregation."""
    return {"max": {"field": time}}


def largest(query: Query, group: str, size: int) -> Query:
    """The keys with the most documents."""
    terms = {"field": group, "size": size, "shard_size": size * 4}
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": {"largest": {"terms": terms}}}


def released(query: Query, readable: Readable) -> Query:
    """The versions of each service, the newest first, each with its first time."""
    times = {"first": first(readable.time)}
    newest = {"field": readable.version, "size": 100, "shard_size": 500, "order": {"first": "desc"}}
    within = {"versions": {"terms": newest, "aggs": times}}
    if not readable.service:
        return {"size": 0, "track_total_hits": False, "query": query, "aggs": within}
    services = {"terms": {"field": readable.service, "size": 500}, "aggs": {**within, **times}}
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": {"services": services}}


def versions(query: Query, readable: Readable) -> Query:
    """The versions of what is meant, and what has none, each with its first time."""
    times = {"first": first(readable.time)}
    unversioned: Query = {"filter": {"match_all": {}}, "aggs": times}
    aggs = {"unversioned": unversioned}
    if readable.version:
        aggs = {
            "versions": {"terms": {"field": readable.version, "size": 100}, "aggs": times},
            "unversioned": {"missing": {"field": readable.version}, "aggs": times},
        }
    return {"size": 0, "track_total_hits": False, "query": query, "aggs": aggs}


def details(readable: Readable, window: Span, slices: int) -> dict[str, Query]:
    """What is told of a group in a window, as aggregations: its users, versions and trend."""
    ranges = [{"from": ms(each.start), "to": ms(each.end)} for each in window.cut(slices)]
    aggs: dict[str, Any] = {
        "trend": {"date_range": {"field": readable.time, "format": "epoch_millis", "ranges": _ends(ranges)}}
    }
    if readable.user:
        aggs["users"] = {"cardinality": {"field": readable.user, "precision_threshold": USERS_COUNTED}}
    if readable.version:
        aggs["versions"] = {"terms": {"field": readable.version, "size": VERSIONS}}
    return aggs


def at_moments(moments: Iterable[float], time: str) -> Query:
    """The documents of some moments, epoch seconds, each a millisecond long."""
    ranges: list[Query] = [
        {"range": {time: {"gte": at, "lt": at + 1, "format": "epoch_millis"}}}
        for at in sorted({round(moment * 1000) for moment in moments})
    ]
    return {"bool": {"should": ranges, "minimum_should_match": 1}}


def latest(time: str, fields: LogFields) -> Query:
    """The latest document, as an aggregation."""
    return {"top_hits": {"size": 1, "sort": [{time: "desc"}], **retrieved(fields)}}


def drawn(query: Query, size: int, seed: int, fields: LogFields) -> Query:
    """Documents drawn at random: the same ones each time while the index does not change."""
    score = {"query": query, "random_score": {"seed": seed, "field": "_seq_no"}, "boost_mode": "replace"}
    return {"size": size, "track_total_hits": True, "query": {"function_score": score}, **retrieved(fields)}


def in_time(query: Query, time: str, size: int, fields: LogFields, order: str = "asc") -> Query:
    """The first documents by time, or the last."""
    return {"size": size, "track_total_hits": True, "query": query, "sort": [{time: order}], **retrieved(fields)}


def with_words(words: str, readable: Readable) -> Query:
    """The documents that say these words one after another."""
    phrases = [{"match_phrase": {field: words}} for field in readable.words]
    return {"bool": {"should": phrases, "minimum_should_match": 1}}


def retrieved(fields: LogFields) -> Query:
    """What of a document is sent."""
    names = (
        fields.service, fields.version, fields.level, fields.message, fields.user, fields.host, fields.trace,
        fields.error_type, fields.error_message, fields.stack, fields.group, "error.grouping_name",
    )  # fmt: skip
    wanted: list[Query] = [{"field": name, "include_unmapped": True} for name in dict.fromkeys(names)]
    return {"_source": False, "fields": [{"field": fields.time, "format": "epoch_millis"}, *wanted]}


def _ends(ranges: list[dict[str, int]]) -> list[dict[str, str]]:
    return [{"key": str(at), "from": str(each["from"]), "to": str(each["to"])} for at, each in enumerate(ranges)]
