"""Searches that walk through time page by page, and what their answers add up to.

Pure: requests out, answers in; sending them is `sla_kit.sources.elasticsearch.asking`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from sla_kit.catalogue.model import LogLatency
from sla_kit.sources.elasticsearch.questions import Durations, Json, Question
from sla_kit.sources.elasticsearch.quiet import runs
from sla_kit.sources.elasticsearch.spans import (
    PAGE,
    Positions,
    by_bucket,
    during,
    halves,
    offset_ms,
    positions,
    spans,
    sparse,
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
        """What is asked in each bucket, and makes no buckets of its own."""
        return {}

    def add(self, at: Positions, buckets: Sequence[Mapping[str, Any]]) -> None:
        """Takes buckets of an answer. The same may come again, and then hold the same."""
        self.total[at] = _counts(buckets)

    def asking(self, start: int, end: int, aggregations: Json) -> Json:
        """A search of its documents from ``start`` to ``end`` (epoch seconds)."""
        filters = [during(self.time, start, end), *([] if self.query is None else [self.query])]
        return {"size": 0, "track_total_hits": False, "query": {"bool": {"filter": filters}}, "aggs": aggregations}

    def take(self, buckets: Sequence[Mapping[str, Any]]) -> None:
        """Takes buckets of a page; those that are none of the grid's are left out."""
        if not buckets:
            return
        at = positions([each["key"]["t"] for each in buckets], self.grid)
        inside = (at >= 0) & (at < self.grid.count)
        if not inside.all():
            buckets = [each for each, one in zip(buckets, inside, strict=True) if one]
        self.add(at[inside], buckets)

    def searches(self, page: int = PAGE) -> Iterator[Search]:
        """The searches that walk through all of it."""
        for start, end in stretches(self.grid, page):
            yield Pages(self, start, end, min(page, (end - start) // self.grid.step))


class Counting(Walked):
    """The questions that share searches: all documents of a query by bucket, and the side of each question."""

    def __init__(self, grid: Grid, questions: Sequence[Question]) -> None:
        super().__init__(grid, questions[0].time, questions[0].total, questions)
        self._sides: dict[str, Side] = {}
        self._beside = False
        for each in questions:
            asked = each.aggregation() if each.durations is None else None
            if asked is not None and _key(asked) not in self._sides:
                self._sides[_key(asked)] = Side(f"a{len(self._sides)}", asked)
        slow = [each.durations for each in questions if each.durations is not None]
        for name in dict.fromkeys(each.field for each in slow):
            # All bounds of a field together: a document is then in one cell, whatever the number of latencies.
            several = [each for each in slow if each.field == name]
            ends = tuple(sorted({end for each in several for end in each.ends}))
            asked = replace(several[0], ends=ends).aggregation()
            self._sides[name] = Side(f"a{len(self._sides)}", asked, ends)

    def searches(self, page: int = PAGE) -> Iterator[Search]:
        sides = list(self._sides.values())
        cells = sum(1 + side.ranges for side in sides) + self.grid.count * (1 + sum(side.width for side in sides))
        if cells > page:
            yield from super().searches(page)
            return
        # So little that all of it is one answer, whatever the documents are.
        self._beside = True
        yield Sides(self, sides, self.grid.start, self.grid.end, cells, whole=True)

    def sides(self, page: int = PAGE) -> Iterator[Search]:
        """The searches for the sides that are still to be asked for, once all documents are counted: what has none of
        them is not asked for, and no answer can have more buckets than ``page`` (but for one bucket of time)."""
        sides = list(self._sides.values())
        at = np.flatnonzero(self.total > 0)
        if self._beside or not sides:
            return
        if (self.answered.share < 1).any():  # sides may be of other shards than the rest: both anew, together
            yield from self._together(sides, page)
            return
        if not at.size:
            return
        most = np.sum([np.minimum(self.total[at], side.width) for side in sides], axis=0)
        room = page - sum(1 + side.ranges for side in sides)
        for first, last in spans(most, room):
            start = self.grid.start + int(at[first]) * self.grid.step
            end = self.grid.start + (int(at[last - 1]) + 1) * self.grid.step
            yield Sides(self, sides, start, end, int(most[first:last].sum()))

    def _together(self, sides: Sequence[Side], page: int) -> Iterator[Search]:
        """All documents and the sides of each stretch in one search."""
        width = 1 + sum(side.width for side in sides)
        count = max(1, (page - sum(1 + side.ranges for side in sides)) // width)
        for first in range(0, self.grid.count, count):
            last = min(first + count, self.grid.count)
            start, end = (self.grid.start + at * self.grid.step for at in (first, last))
            yield Sides(self, sides, start, end, (last - first) * width, whole=True)

    def side(self, question: Question) -> Floats:
        """The documents of a question's side by bucket, shape (n,)."""
        asked = question.aggregation()
        return self.total if asked is None else self._sides[_key(asked)].counts(self.grid)[:, 0]

    def ranges(self, question: Question) -> Floats:
        """The documents of a latency's question by bucket and range, shape (n, k)."""
        durations = question.durations
        assert durations is not None
        side = self._sides[durations.field]
        starts = [0, *(int(at) + 1 for at in np.searchsorted(side.ends, durations.ends))]
        return np.add.reduceat(side.counts(self.grid), starts, axis=1)


def _counts(buckets: Sequence[Mapping[str, Any]]) -> Positions:
    """How many documents buckets hold. Raises `ValueError` for what can't be a count."""
    found = np.array([each["doc_count"] for each in buckets], dtype=np.int64)
    if found.size and found.min() < 0:
        raise ValueError("a bucket holds less than nothing")
    return found


def _key(aggregation: Json | None) -> str:
    return json.dumps(aggregation, sort_keys=True)


@dataclass(slots=True)
class Side:
    """What is counted beside all documents of a query: those of a filter, or durations by the ranges between ``ends``.
    Kept as the cells that are not empty, for most are."""

    name: str
    asked: Json
    ends: tuple[float, ...] = ()
    _cells: list[tuple[Positions, Positions]] = field(default_factory=list)

    @property
    def ranges(self) -> int:
        """How many ranges there are, 0 where none are asked for."""
        return len(self.ends) + 1 if self.ends else 0

    @property
    def width(self) -> int:
        """The cells of one bucket of time."""
        return max(self.ranges, 1)

    def aggregation(self, by_time: Json) -> Json:
        """What is asked, by buckets of time that are innermost, where only those come that hold anything."""
        if not self.ranges:
            return {**self.asked, "aggs": {"t": by_time}}
        (name, inner), *_ = self.asked["aggs"].items()
        return {**self.asked, "aggs": {name: {**inner, "aggs": {"t": by_time}}}}

    def add(self, found: Mapping[str, Any], grid: Grid) -> None:
        """Takes an answer. The same cell may come again, and then holds the same."""
        columns = found.get("b", {}).get("buckets", ()) if self.ranges else (found,)
        for column, each in enumerate(columns):
            buckets = each.get("t", {}).get("buckets", ())
            if buckets:
                at = positions([one["key"] for one in buckets], grid)
                counts = _counts(buckets)
                inside = (at >= 0) & (at < grid.count)
                self._cells.append((at[inside] * self.width + column, counts[inside]))

    def counts(self, grid: Grid) -> Floats:
        """The documents by bucket and range, shape (n, k), k = 1 where there are no ranges."""
        dense = np.zeros((grid.count, self.width))
        for at, counts in self._cells:
            dense.ravel()[at] = counts
        return dense


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

    def add(self, at: Positions, buckets: Sequence[Mapping[str, Any]]) -> None:
        Walked.add(self, at, buckets)
        for name, into in (("first", self.first_arrival), ("last", self.last_arrival)):
            values = [each.get(name, {}).get("value") for each in buckets]
            if any(value is not None for value in values):
                into[at] = np.array(values, dtype=np.float64) / 1000


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
        return min(self.size, (self.end - self._from()) // self.walked.grid.step)

    def body(self) -> Json:
        walked = self.walked
        asked: Json = {"composite": by_bucket(walked.time, walked.grid.step, self.size, self.after)}
        if walked.aggregations():
            asked["aggs"] = walked.aggregations()
        return walked.asking(self.start, self.end, {"t": asked})

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> Pages | None:
        found = aggregations.get("t", {})
        buckets = found.get("buckets", [])
        self.walked.take(buckets)
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


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides of questions that share a query, from ``start`` to ``end`` (epoch seconds): filter and range outside,
    time inside, so that an answer holds no more buckets than there are documents. ``most`` is how many it may be.
    With the ``whole`` all documents of the query are counted as well, on one page."""

    counting: Counting
    sides: Sequence[Side]
    start: int
    end: int
    most: int
    whole: bool = False
    tries: int = 0
    cuts: int = 0

    @property
    def questions(self) -> Sequence[Question]:
        return self.counting.questions

    @property
    def cells(self) -> int:
        return self.most

    def body(self) -> Json:
        counting, step = self.counting, self.counting.grid.step
        by_time = sparse(counting.time, step)
        asked = {side.name: side.aggregation(by_time) for side in self.sides}
        if self.whole:
            page = by_bucket(counting.time, step, (self.end - self.start) // step, None)
            asked = {"t": {"composite": page}, **asked}
        return counting.asking(self.start, self.end, asked)

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> Sides | None:
        if share < 1 and not self.whole:  # what other shards have counted is no whole of these
            buckets = (self.end - self.start) // self.counting.grid.step
            return replace(self, whole=True, most=self.most + buckets, tries=0)
        if self.whole:
            self.counting.total[self.counting.grid.slice(self.start, self.end)] = 0.0
            self.counting.take(aggregations.get("t", {}).get("buckets", []))
        for side in self.sides:
            side.add(aggregations.get(side.name, {}), self.counting.grid)
        self.counting.answered.limit(self.start, self.end, share, reason)
        return None

    def again(self) -> Sides:
        return replace(self, tries=self.tries + 1)

    def smaller(self) -> list[Search]:
        parts = halves(self.start, self.end, self.counting.grid.step)
        if self.cuts == MOST_CUTS or len(parts) == 1:
            return [self]
        most = max(1, self.most // 2)
        return [replace(self, start=start, end=end, most=most, cuts=self.cuts + 1) for start, end in parts]

    def lost(self, reason: str) -> None:
        self.counting.answered.limit(self.start, self.end, 0.0, reason)


@dataclass(slots=True)
class Measured:
    """What a whole stretch of documents shows of durations: the quantile in seconds, and how many are below zero."""

    quantile: float | None = None
    negative: int = 0


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The quantiles of latencies that share a query, over a whole grid, by HDR histograms of three digits: within 0.1 %
    (Elasticsearch's reference, percentiles aggregation). ``measured`` takes them by the indicator's key."""

    questions: Sequence[Question]
    grid: Grid
    measured: Mapping[tuple[str, str], Measured]
    tries: int = 0

    @property
    def cells(self) -> int:
        return 2 * len(self._by_field())

    def body(self) -> Json:
        first = self.questions[0]
        filters = [during(first.time, self.grid.start, self.grid.end), *([first.total] if first.total else [])]
        asked: Json = {}
        for at, (name, several) in enumerate(self._by_field().items()):
            percents = sorted({_percent(each) for each, _ in several})
            hdr = {"number_of_significant_value_digits": 3}
            percentiles = {"field": name, "percents": percents, "keyed": False, "hdr": hdr}
            there = several[0][1].there
            asked[f"n{at}"] = {"filter": {"range": {name: {"lt": 0}}}}
            asked[f"p{at}"] = {"filter": there, "aggs": {"q": {"percentiles": percentiles}}}
        return {"size": 0, "track_total_hits": False, "query": {"bool": {"filter": filters}}, "aggs": asked}

    def take(self, aggregations: Mapping[str, Any], share: float, reason: str) -> None:
        for at, several in enumerate(self._by_field().values()):
            negative = int(aggregations.get(f"n{at}", {}).get("doc_count", 0))
            values = aggregations.get(f"p{at}", {}).get("q", {}).get("values", [])
            found = {each["key"]: each.get("value") for each in values}
            for question, durations in several:
                measured = self.measured[question.indicator.key]
                measured.negative = negative
                value = found.get(_percent(question))
                if value is not None and share >= 1:
                    measured.quantile = float(value) * durations.unit_seconds

    def again(self) -> Percentiles:
        return replace(self, tries=self.tries + 1)

    def smaller(self) -> list[Search]:
        return [self]

    def lost(self, reason: str) -> None:
        """It only says how good an estimate is."""

    def _by_field(self) -> dict[str, list[tuple[Question, Durations]]]:
        found: dict[str, list[tuple[Question, Durations]]] = {}
        for each in self.questions:
            if each.durations is not None:
                found.setdefault(each.durations.field, []).append((each, each.durations))
        return found


def _percent(question: Question) -> float:
    sli = question.indicator.sli
    assert isinstance(sli, LogLatency)
    return sli.quantile * 100


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
