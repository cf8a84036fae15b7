"""Which documents are meant, in Elasticsearch's query language, and counting them by the values of their fields."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sla_kit.catalogue.logs import LogFields
from sla_kit.exporters.elasticsearch import Searcher, text_of
from sla_kit.exporters.sidecar.collector import CollectError
from sla_kit.logs.fingerprint import redacted_message

Query = dict[str, Any]
_PAGE = 1_000
#: What a label says of documents without its field, and how long a label's value may be.
UNKNOWN, _LONGEST = "unknown", 200


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment (with it) to another (without it), in milliseconds since 1970."""

    start: int
    end: int

    def of(self, field: str) -> Query:
        """The documents whose ``field`` is in it."""
        return {"range": {field: {"gte": self.start, "lt": self.end, "format": "epoch_millis"}}}


@dataclass(frozen=True, slots=True)
class Arrival:
    """Documents by when they count: by their arrival where they tell it, else by when they happened."""

    ingested: Span
    happened: Span

    def of(self, fields: LogFields) -> Query:
        """The documents in it. Each is in one of two spans that follow each other, and never in both."""
        if not fields.ingested:
            return self.happened.of(fields.time)
        untold = {"bool": {"must_not": {"exists": {"field": fields.ingested}}, "filter": self.happened.of(fields.time)}}
        return {"bool": {"should": [self.ingested.of(fields.ingested), untold], "minimum_should_match": 1}}


@dataclass(frozen=True)
class Documents:
    """The documents of ``index`` that ``filters`` let through, as ``searcher`` finds them."""

    searcher: Searcher
    index: str
    fields: LogFields
    filters: tuple[Query, ...] = ()

    def of(self, *filters: Query) -> Documents:
        """Those that these let through as well."""
        return Documents(self.searcher, self.index, self.fields, (*self.filters, *filters))

    @property
    def query(self) -> Query:
        """As a query, which scores nothing."""
        return {"bool": {"filter": list(self.filters)}}

    def search(self, body: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """A search of them whose whole answer is taken. Raises `CollectError`."""
        left = max(1, int((deadline - time.monotonic()) * 1000))
        return self.searcher.search(self.index, {"query": self.query, "timeout": f"{left}ms", **body}, deadline)

    def any(self, deadline: float) -> bool:
        """Whether there are some."""
        answer = self.search({"size": 1, "_source": False, "track_total_hits": False}, deadline)
        try:
            return bool(answer["hits"]["hits"])
        except (KeyError, TypeError):
            raise self.searcher.misshapen(self.index) from None

    def by(
        self, names: Sequence[str], deadline: float, *, most: int = 0, **measures: Query
    ) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        """A bucket for each set of values of the fields ``names``, with the values as labels have them, and with what
        ``measures`` (aggregations) say. More than ``most`` are an error where it is given. Raises `CollectError`."""
        sources = [{str(place): {"terms": {"field": name, "missing_bucket": True}}} for place, name in enumerate(names)]
        after, count = None, 0
        while True:
            composite = {"size": _PAGE, "sources": sources, **({"after": after} if after else {})}
            rows = {"composite": composite, **({"aggs": measures} if measures else {})}
            answer = self.search({"size": 0, "track_total_hits": False, "aggs": {"rows": rows}}, deadline)
            buckets, after = self._page(answer)
            count += len(buckets)
            if most and count > most:
                raise CollectError(
                    "data",
                    f"has more than {most} values of {', '.join(names)}",
                    place=self.index,
                    remedy="narrow query, shorten the window, or allow for more",
                )
            for bucket in buckets:
                yield tuple(label(bucket["key"].get(str(place))) for place in range(len(names))), bucket
            if after is None or len(buckets) < _PAGE:
                return

    def _page(self, answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Any]:
        try:
            rows = answer["aggregations"]["rows"]
            if all(isinstance(each["key"], dict) and each["doc_count"] >= 0 for each in rows["buckets"]):
                return rows["buckets"], rows.get("after_key")
        except (KeyError, TypeError):
            pass
        raise self.searcher.misshapen(self.index)


def label(value: Any) -> str:
    """A field's value as a label has it: without secrets, which a type of error may hold as well."""
    return redacted_message(text_of(value), _LONGEST) or UNKNOWN
