"""What Grafana's Elasticsearch data source asks for a panel's query of logs, and what it makes of the answer.

As grafana/grafana's pkg/tsdb/elasticsearch does it: the documents of the range that the Lucene query finds, divided by
the terms of each field and by time, one aggregation inside the other, under the ids that the target gives them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sla_kit.errors import SlaKitError
from sla_kit.preview.filling import Range, filled
from sla_kit.timeline import Floats

_TERMS, _TIME = "terms", "date_histogram"
#: How many terms or lines there are where a target does not say.
_MOST = 500


@dataclass(frozen=True, slots=True)
class LogSeries:
    """How many documents there were with these ``labels`` (the fields' values): ``counts``, or different values of a
    field, in buckets that begin at ``times`` (epoch seconds). What is not divided by time stands at the range's end."""

    labels: dict[str, str]
    times: Floats
    counts: Floats


def search_body(target: Mapping[str, Any], shown: Range, values: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The body of the ``_search`` that a target of a rendered panel asks, with its variables filled in. Raises
    `SlaKitError` for a target that Grafana would refuse."""
    time, lines = target.get("timeField") or "@timestamp", _lines(target)
    asked = filled(target.get("query") or "*", shown.values() | dict(values or {}))
    start, end = shown.start * 1000, shown.end * 1000
    found: dict[str, Any] = {
        "size": 0,
        "query": {
            "bool": {
                "filter": [
                    {"range": {time: {"gte": start, "lte": end, "format": "epoch_millis"}}},
                    {"query_string": {"query": asked, "analyze_wildcard": True}},
                ]
            }
        },
    }
    if lines:
        newest_first = [{time: {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": {"order": "desc"}}]
        return found | {"size": lines, "sort": newest_first}
    if not target.get("bucketAggs"):
        raise SlaKitError(
            f"a panel counts the log entries of {asked!r}, but divides them by nothing",
            remedy="Grafana refuses that: count them over time, or by a field",
        )
    inside: dict[str, Any] = {
        metric["id"]: {metric["type"]: {"field": metric["field"]}}
        for metric in target["metrics"]
        if metric["type"] != "count"
    }
    for bucket in reversed(target["bucketAggs"]):
        inside = {bucket["id"]: _aggregation(bucket, shown) | ({"aggs": inside} if inside else {})}
    return found | {"aggs": inside}


def series_of(target: Mapping[str, Any], answer: Mapping[str, Any], shown: Range) -> list[LogSeries]:
    """The series that an answer to `search_body` holds, the largest terms first."""
    metric = next((each["id"] for each in target["metrics"] if each["type"] != "count"), "")
    return list(_series(list(target["bucketAggs"]), answer["aggregations"], metric, {}, shown))


def lines_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The documents of an answer for a panel of log lines, the newest first."""
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _lines(target: Mapping[str, Any]) -> int:
    """How many lines a panel of log lines shows; 0 for all others."""
    metric = target["metrics"][0]
    return int(metric.get("settings", {}).get("limit") or _MOST) if metric["type"] == "logs" else 0


def _aggregation(bucket: Mapping[str, Any], shown: Range) -> dict[str, Any]:
    settings = bucket.get("settings", {})
    if bucket["type"] == _TERMS:
        order = {settings.get("orderBy", "_count"): settings.get("order", "desc")}
        least, most = int(settings.get("min_doc_count") or 0), int(settings.get("size") or _MOST)
        return {_TERMS: {"field": bucket["field"], "size": most, "order": order, "min_doc_count": least}}
    if bucket["type"] != _TIME:
        raise SlaKitError(
            f"a panel divides log entries by {bucket['type']!r}", remedy="divide them by terms and over time"
        )
    interval = settings.get("interval", "auto")
    return {
        _TIME: {
            "field": bucket["field"],
            "fixed_interval": f"{shown.step}s" if interval == "auto" else interval,
            "min_doc_count": int(settings.get("min_doc_count") or 0),
            "extended_bounds": {"min": shown.start * 1000, "max": shown.end * 1000},
            "format": "epoch_millis",
        }
    }


def _series(
    buckets: list[Mapping[str, Any]], answer: Mapping[str, Any], metric: str, labels: dict[str, str], shown: Range
) -> Iterator[LogSeries]:
    """Down one aggregation after the other, to the counts."""
    first, further = buckets[0], buckets[1:]
    found = answer[first["id"]]["buckets"]
    if first["type"] == _TIME:
        times = np.array([each["key"] / 1000 for each in found], dtype=np.float64)
        yield LogSeries(labels, times, np.array([_value(each, metric) for each in found], dtype=np.float64))
        return
    for each in found:
        divided = {**labels, first["field"]: str(each.get("key_as_string", each["key"]))}
        if further:
            yield from _series(further, each, metric, divided, shown)
        else:
            yield LogSeries(divided, np.array([float(shown.end)]), np.array([_value(each, metric)]))


def _value(bucket: Mapping[str, Any], metric: str) -> float:
    return float(bucket[metric]["value"] if metric else bucket["doc_count"])
