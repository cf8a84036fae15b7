"""What indicators ask of documents: their queries, and which of them share a search.

Pure: from indicators to parts of requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sla_kit.catalogue.logs import LogQuery, Logs
from sla_kit.catalogue.model import LogEvents, LogLatency
from sla_kit.sources import Indicator
from sla_kit.sources.elasticsearch.fields import FieldUse, uses_of
from sla_kit.sources.elasticsearch.quantiles import bounds_of, upper_ends
from sla_kit.timeline import Floats

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations that are counted by bounds: ``ends`` are ``bounds`` (seconds) but the last, in the field's own unit."""

    field: str
    unit_seconds: float
    bounds: Floats
    ends: tuple[float, ...]

    @property
    def there(self) -> Json:
        """The documents that have a duration; one below zero is none."""
        return {"range": {self.field: {"gte": 0}}}

    def aggregation(self) -> Json:
        """Documents by the bounds between which their duration is."""
        lower = [None, *self.ends]
        upper = [*self.ends, None]
        ranges = [
            {name: end for name, end in (("from", low), ("to", high)) if end is not None}
            for low, high in zip(lower, upper, strict=True)
        ]
        return {"filter": self.there, "aggs": {"b": {"range": {"field": self.field, "ranges": ranges}}}}


@dataclass(frozen=True, slots=True)
class Question:
    """One indicator's question: documents of ``total`` (None: all) in ``target``, an index expression. ``side`` selects
    the good or the bad ones among them; ``durations`` are counted instead where the indicator is a latency."""

    indicator: Indicator
    target: str
    time: str
    total: Json | None
    side: Json | None = None
    durations: Durations | None = None

    @property
    def share(self) -> str:
        """What questions must have in common to be asked by one search."""
        return json.dumps([self.target, self.time, self.total], sort_keys=True)

    def aggregation(self) -> Json | None:
        """The aggregation by which this indicator's side is counted in each bucket; None where the bucket says all."""
        if self.durations is not None:
            return self.durations.aggregation()
        return None if self.side is None else {"filter": self.side}


def log_parts(indicator: Indicator) -> tuple[LogEvents | LogLatency, Logs]:
    """An indicator of documents and how they are read. Raises `ValueError` for one that was not placed."""
    sli, place = indicator.sli, indicator.logs
    if not isinstance(sli, LogEvents | LogLatency) or place is None:
        raise ValueError(f"{'/'.join(indicator.key)} is not read from documents")
    return sli, place


def needs(indicator: Indicator) -> tuple[list[FieldUse], list[FieldUse]]:
    """The fields that an indicator's total needs, and those of its good or bad side."""
    sli, _ = log_parts(indicator)
    always = list(uses_of(sli.query))
    if isinstance(sli, LogLatency):
        return [*always, FieldUse(sli.field, "figure")], []
    return always, list(uses_of(sli.good if sli.good is not None else sli.bad))


def question(indicator: Indicator, target: str, types: Sequence[str] = ()) -> Question:
    """The question of an indicator; ``types`` are those that its duration's field has."""
    sli, place = log_parts(indicator)
    message = place.fields.message
    total = filter_of(sli.query, message)
    if isinstance(sli, LogLatency):
        unit = sli.unit_seconds or place.fields.duration_unit_seconds
        bounds = bounds_of(sli.threshold)
        durations = Durations(sli.field, unit, bounds, tuple(upper_ends(bounds, unit, types)))
        return Question(indicator, target, place.fields.time, total, None, durations)
    side = filter_of(sli.good if sli.good is not None else sli.bad or "", message)
    return Question(indicator, target, place.fields.time, total, side)


def filter_of(query: LogQuery, message: str) -> Json | None:
    """A query as Elasticsearch takes it; None for all documents. A bare word in a query string is looked for in the
    field ``message``. A value that can't be one of its field is an error of the server, not a silent zero."""
    if isinstance(query, dict):
        return query or None
    if query.strip() in ("", "*", "*:*"):
        return None
    return {
        "query_string": {
            "query": query,
            "default_field": message,
            "lenient": False,
            "analyze_wildcard": False,
        }
    }


def sharing(questions: Sequence[Question], most_floats: int, buckets: int) -> Iterator[list[list[Question]]]:
    """Questions in batches of groups: those of a group share a search, and the counts of a batch take no more than
    ``most_floats`` numbers (but for a batch of one group)."""
    groups: dict[str, list[Question]] = {}
    for each in questions:
        groups.setdefault(each.share, []).append(each)
    batch: list[list[Question]] = []
    size = 0
    for group in groups.values():
        for part in _bounded(group):
            floats = buckets * (3 + sum(1 + (each.durations.bounds.size if each.durations else 0) for each in part))
            if batch and size + floats > most_floats:
                yield batch
                batch, size = [], 0
            batch.append(part)
            size += floats
    if batch:
        yield batch


#: Aggregations beside one another in a search: so many leave pages of hundreds of buckets.
_MOST_CELLS = 200


def _bounded(group: list[Question]) -> Iterator[list[Question]]:
    part: list[Question] = []
    cells = 0
    for each in group:
        more = each.durations.bounds.size + 1 if each.durations else 1
        if part and cells + more > _MOST_CELLS:
            yield part
            part, cells = [], 0
        part.append(each)
        cells += more
    yield part
