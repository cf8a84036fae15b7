"""Searches that walk through time page by page, and what their answers add up to.

Pure: requests out, answers in; sending them is `sla_kit.sources.elasticsearch.asking`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from sla_kit.sources.elasticsearch.questions import Json, Question
from sla_kit.sources.elasticsearch.quiet import runs
from sla_kit.sources.elasticsearch.spans import (
    PAGE,
    bucket_of,
    by_bucket,
    during,
    halves,
    offset_ms,
    page_size,
    stretches,
)
from sla_kit.timeline import Finding, Floats, Grid, Mask

#: A search is halved so often before it is given up: a cluster that is too slow for a day is so for an hour as well.
MOST_CUTS = 5


class Search(Protocol):
    """One search and what becomes of its answer."""

    @property
    def tries(self) -> int:
        """How often it was asked in vain."""
        ...

    @property
    def cells(self) -> int:
        """How many buckets its answer may hold."""
        ...

    @property
    def questions(self) -> Sequence[Question]:
        """Whose it is."""
        ...

    def body(self) -> Json:
        """The search without its point in time."""
        ...

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> Search | None:
        """Takes an answer, of which a ``share`` of the shards is in it, and ``reason`` says why not all. Returns the
        search for what follows it."""
        ...

    def again(self) -> Search:
        """The same, tried once more."""
        ...

    def smaller(self) -> list[Search]:
        """The same in parts that ask for less; just itself where there is nothing less."""
        ...

    def lost(self, reason: str) -> None:
        """Notes that there is no answer."""
        ...


@dataclass(slots=True)
class Answered:
    """How much of each bucket was answered: ``share`` of the shards, shape (n,), and why not all."""

    grid: Grid
    share: Floats
    reasons: dict[str, Mask] = field(default_factory=dict)

    @classmethod
    def all_of(cls, grid: Grid) -> Answered:
        """Nothing is missing."""
        return cls(grid, np.ones(grid.count))

    def limit(self, start: int, end: int, share: float, reason: str) -> None:
        """Notes that only a share of the shards answered for the buckets from ``start`` to ``end``."""
        if share >= 1:
            return
        where = self.grid.slice(start, end)
        self.share[where] = np.minimum(self.share[where], share)
        self.reasons.setdefault(reason, np.zeros(self.grid.count, dtype=np.bool_))[where] = True

    def findings(self, shift: int, count: int) -> Iterator[Finding]:
        """Findings for each stretch, of the ``count`` buckets from the position ``shift`` on."""
        for reason, mask in self.reasons.items():
            for first, last in runs(mask[shift : shift + count]):
                start = self.grid.start + (shift + first) * self.grid.step
                end = start + (last - first) * self.grid.step
                yield Finding("partial-answer", reason, last - first, start, end)


class Walked:
    """Something that is counted bucket by bucket: what is asked beside the count, and the counts."""

    def __init__(self, grid: Grid, time: str, query: Json | None, questions: Sequence[Question]) -> None:
        self.grid = grid
        self.time = time
        self.query = query
        self.questions = questions
        self.answered = Answered.all_of(grid)
        self.total = np.zeros(grid.count)

    def aggregations(self) -> Json:
        """What is asked in each bucket."""
        return {}

    @property
    def cells(self) -> int:
        """How many buckets there are with those inside of each."""
        return 1

    def add(self, at: int, bucket: Mapping[str, Any]) -> None:
        """Takes one bucket of an answer. The same bucket may come again, and then holds the same."""
        self.total[at] = bucket["doc_count"]

    def searches(self, page: int = PAGE) -> Iterator[Search]:
        """The searches that walk through all of it."""
        size = page_size(self.cells, page)
        for start, end in stretches(self.grid, size):
            yield Pages(self, start, end, size)


class Counting(Walked):
    """The questions that share a search: all documents of a query by bucket, and the side of each question."""

    def __init__(self, grid: Grid, questions: Sequence[Question]) -> None:
        super().__init__(grid, questions[0].time, questions[0].total, questions)
        self._name_of: dict[str, str] = {}
        self._asked: Json = {}
        self._sides: dict[str, Floats] = {}
        self._ranges: dict[str, Floats] = {}
        for each in questions:
            asked = each.aggregation()
            key = json.dumps(asked, sort_keys=True)
            if asked is None or key in self._name_of:
                continue
            name = self._name_of[key] = f"a{len(self._name_of)}"
            self._asked[name] = asked
            if each.durations is None:
                self._sides[name] = np.zeros(grid.count)
            else:
                self._ranges[name] = np.zeros((grid.count, each.durations.bounds.size))

    def aggregations(self) -> Json:
        return self._asked

    @property
    def cells(self) -> int:
        return 1 + len(self._sides) + sum(1 + int(counts.shape[1]) for counts in self._ranges.values())

    def add(self, at: int, bucket: Mapping[str, Any]) -> None:
        self.total[at] = bucket["doc_count"]
        for name, side in self._sides.items():
            side[at] = bucket[name]["doc_count"]
        for name, counts in self._ranges.items():
            counts[at] = [each["doc_count"] for each in bucket[name]["b"]["buckets"]]

    def side(self, question: Question) -> Floats:
        """The documents of a question's side by bucket, shape (n,)."""
        asked = question.aggregation()
        return self.total if asked is None else self._sides[self._name_of[json.dumps(asked, sort_keys=True)]]

    def ranges(self, question: Question) -> Floats:
        """The documents of a latency's question by bucket and range, shape (n, k)."""
        return self._ranges[self._name_of[json.dumps(question.aggregation(), sort_keys=True)]]


class Presence(Walked):
    """Whether an index has any document at all by bucket, and when they arrived where they say."""

    def __init__(self, grid: Grid, time: str, ingested: str) -> None:
        super().__init__(grid, time, None, ())
        self._ingested = ingested
        self.first_arrival = np.full(grid.count, np.nan)
        self.last_arrival = np.full(grid.count, np.nan)

    def aggregations(self) -> Json:
        if not self._ingested:
            return {}
        return {"first": {"min": {"field": self._ingested}}, "last": {"max": {"field": self._ingested}}}

    def add(self, at: int, bucket: Mapping[str, Any]) -> None:
        self.total[at] = bucket["doc_count"]
        for name, into in (("first", self.first_arrival), ("last", self.last_arrival)):
            value = bucket.get(name, {}).get("value")
            if value is not None:
                into[at] = value / 1000


@dataclass(frozen=True, slots=True)
class Pages:
    """One page of what is walked, from ``start`` to ``end`` (epoch seconds) or from the key ``after`` on."""

    walked: Walked
    start: int
    end: int
    size: int
    after: Json | None = None
    tries: int = 0
    cuts: int = 0

    @property
    def questions(self) -> Sequence[Question]:
        return self.walked.questions

    @property
    def cells(self) -> int:
        return self.walked.cells * min(self.size, (self.end - self._from()) // self.walked.grid.step)

    def body(self) -> Json:
        walked = self.walked
        filters = [during(walked.time, self.start, self.end)]
        if walked.query is not None:
            filters.append(walked.query)
        asked: Json = {"composite": by_bucket(walked.time, walked.grid.step, self.size, self.after)}
        if walked.aggregations():
            asked["aggs"] = walked.aggregations()
        return {"size": 0, "track_total_hits": False, "query": {"bool": {"filter": filters}}, "aggs": {"t": asked}}

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> Pages | None:
        found = aggregations.get("t", {})
        buckets = found.get("buckets", [])
        grid = self.walked.grid
        for bucket in buckets:
            at = bucket_of(bucket["key"]["t"], grid)
            if 0 <= at < grid.count:
                self.walked.add(at, bucket)
        more = None
        if len(buckets) == self.size and found.get("after_key"):
            more = replace(self, after=found["after_key"], tries=0)
            if more._from() >= self.end:
                more = None
        self.walked.answered.limit(self._from(), self.end if more is None else more._from(), share, reason)
        return more

    def again(self) -> Pages:
        return replace(self, tries=self.tries + 1)

    def smaller(self) -> list[Search]:
        if self.cuts == MOST_CUTS:
            return [self]
        parts = halves(self._from(), self.end, self.walked.grid.step)
        size = max(1, self.size // 2)
        return [Pages(self.walked, *part, size, None, self.tries, self.cuts + 1) for part in parts]

    def lost(self, reason: str) -> None:
        self.walked.answered.limit(self._from(), self.end, 0.0, reason)

    def _from(self) -> int:
        """Where the page begins, epoch seconds."""
        if self.after is None:
            return self.start
        return (int(self.after["t"]) - 1) // 1000 + self.walked.grid.step


@dataclass(slots=True)
class Measured:
    """What a whole stretch of documents shows of durations: the quantile in seconds, and how many are below zero."""

    quantile: float | None = None
    negative: int = 0


@dataclass(frozen=True, slots=True)
class Percentile:
    """The quantile of one latency over a whole grid by a HDR histogram of three digits: within 0.1 % (Elasticsearch's
    reference, percentiles aggregation)."""

    question: Question
    grid: Grid
    quantile: float
    measured: Measured
    tries: int = 0

    @property
    def cells(self) -> int:
        return 2

    @property
    def questions(self) -> Sequence[Question]:
        return (self.question,)

    def body(self) -> Json:
        durations = self.question.durations
        assert durations is not None
        filters = [during(self.question.time, self.grid.start, self.grid.end)]
        if self.question.total is not None:
            filters.append(self.question.total)
        hdr = {"number_of_significant_value_digits": 3}
        percentiles = {"field": durations.field, "percents": [self.quantile * 100], "keyed": False, "hdr": hdr}
        return {
            "size": 0,
            "track_total_hits": False,
            "query": {"bool": {"filter": filters}},
            "aggs": {
                "n": {"filter": {"range": {durations.field: {"lt": 0}}}},
                "p": {"filter": durations.there, "aggs": {"q": {"percentiles": percentiles}}},
            },
        }

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> None:
        durations = self.question.durations
        assert durations is not None
        self.measured.negative = int(aggregations.get("n", {}).get("doc_count", 0))
        values = aggregations.get("p", {}).get("q", {}).get("values", [])
        if values and values[0].get("value") is not None and share >= 1:
            self.measured.quantile = float(values[0]["value"]) * durations.unit_seconds

    def again(self) -> Percentile:
        return replace(self, tries=self.tries + 1)

    def smaller(self) -> list[Search]:
        return [self]

    def lost(self, reason: str) -> None:
        """It only says how good an estimate is."""


@dataclass(slots=True)
class Future:
    """Documents of a time that has not come."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class Ahead:
    """Documents with a time after ``moment`` (epoch seconds), which no clock that is right has written."""

    time: str
    moment: int
    found: Future
    tries: int = 0

    @property
    def cells(self) -> int:
        return 1

    @property
    def questions(self) -> Sequence[Question]:
        return ()

    def body(self) -> Json:
        ahead = {"range": {self.time: {"gte": offset_ms(self.moment), "format": "epoch_millis"}}}
        return {"size": 0, "track_total_hits": False, "aggs": {"n": {"filter": ahead}}, "query": ahead}

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> None:
        self.found.count = int(aggregations.get("n", {}).get("doc_count", 0))

    def again(self) -> Ahead:
        return replace(self, tries=self.tries + 1)

    def smaller(self) -> list[Search]:
        return [self]

    def lost(self, reason: str) -> None:
        """It only says whether a clock is wrong."""
