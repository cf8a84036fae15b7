"""Searches sent to a cluster, many in one request, against one point in time; what fails is asked again or noted."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch import ConnectionTimeout, Elasticsearch

from sla_kit.elastic import Cluster, ClusterError
from sla_kit.elastic.answers import no_answer, responses
from sla_kit.elastic.failures import reason_of, share_of, types_of
from sla_kit.elastic.pacing import CONCURRENT, TRIES_FULL, Pace, pause_seconds
from sla_kit.elastic.points import at_point, close_point, is_lost, open_point
from sla_kit.sources.elasticsearch.questions import Json, Question
from sla_kit.sources.elasticsearch.searches import Search

#: One request's searches and the buckets that their answers may hold: a megabyte to send, some megabytes to read.
MOST_SEARCHES = 200
MOST_CELLS = 200_000
#: A search is asked so often before it is taken as it comes, where the cluster had room for it.
TRIES = 4
#: So many requests in a row, each for less, may have no answer in time before the cluster is taken as too slow.
MOST_LATE = 8
_PASSING = (429, 500, 502, 503, 504)
_ONLY = ",".join(
    f"responses.{part}"
    for part in (
        "status",
        "error",
        "timed_out",
        "_shards",
        "_clusters",
        "pit_id",
        "aggregations.*.doc_count",
        "aggregations.*.q.values",
        "aggregations.t.after_key",
        "aggregations.t.buckets.key",
        "aggregations.t.buckets.doc_count",
        "aggregations.t.buckets.*.value",
        "aggregations.*.t.buckets.key",
        "aggregations.*.t.buckets.doc_count",
        "aggregations.*.b.buckets.doc_count",  # of empty ones as well: they are known by their order
        "aggregations.*.b.buckets.t.buckets.key",
        "aggregations.*.b.buckets.t.buckets.doc_count",
    )
)


class _LateError(Exception):
    """There was no answer in time: the same is not asked again, less is."""


class LostPointError(Exception):
    """The point in time is gone: what was read against it can't be continued."""


@dataclass(slots=True)
class Point:
    """Where searches look: at a point in time, or at an index expression where there is none (``id`` empty)."""

    target: str
    id: str = ""
    missing: str = ""  # why there is none

    def header(self) -> Json:
        """The first line of a search in a request for many."""
        if self.id:
            return {}
        return {"index": self.target, "ignore_unavailable": True, "allow_no_indices": True}

    def place(self, body: Json) -> Json:
        """A search's body with the point in time."""
        return at_point(body, self.id) if self.id else body


@dataclass(slots=True)
class _Pace(Pace):
    """How much is asked for at once, also of a cluster that does not answer in time: ``late`` requests in a row."""

    late: int = 0

    @property
    def most_searches(self) -> int:
        return MOST_SEARCHES // CONCURRENT if self.full else MOST_SEARCHES

    def search(self, es: Elasticsearch, bodies: Sequence[Json]) -> Any:
        """Many searches in one request."""
        try:
            return self.msearch(es, bodies, filter_path=_ONLY)
        except ConnectionTimeout as error:
            self.late += 1
            raise _LateError from error


@contextmanager
def point_in_time(cluster: Cluster, target: str) -> Iterator[Point]:
    """A point in time of an index expression, closed afterwards; none where the server or its permissions have none."""
    point = Point(target)
    try:
        point.id = _opened(cluster, target)
    except ClusterError as error:
        if error.status not in (400, 403, 404, 405, 500, 501, 503):
            raise
        point.missing = f"status {error.status}" + (f", {error.reason}" if error.reason else "")
    try:
        yield point
    finally:
        if point.id:
            close_point(cluster, point.id)


def _opened(cluster: Cluster, target: str) -> str:
    try:
        return open_point(cluster, target, attempts=2)
    except ClusterError as error:
        if error.status != 429:
            raise
    return open_point(cluster, target)  # a full queue passes, what a server lacks does not


def run(
    cluster: Cluster,
    point: Point,
    searches: Iterable[Search],
    told: Callable[[int], None] = lambda cells: None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Asks all searches, and what follows them, in as few requests as their bounds allow. ``told`` is called with the
    buckets that each round has answered.

    Raises `LostPointError` where the point in time is gone, `ClusterError` where the cluster does not answer, and for a
    query that it can't understand, naming the indicator.
    """
    with _not_looked_through():
        _run(cluster, point, deque(searches), told, pause)


@contextmanager
def _not_looked_through() -> Iterator[None]:
    """Answers are hundreds of thousands of small mappings without a cycle among them: looking for one again and again
    was half of the processor's time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _run(
    cluster: Cluster,
    point: Point,
    waiting: deque[Search],
    told: Callable[[int], None],
    pause: Callable[[float], None],
) -> None:
    most, pace = MOST_SEARCHES, _Pace()
    while waiting:
        some = _taken(waiting, min(most, pace.most_searches))
        answers = _ask(cluster, point, some, pace)
        if answers is None:  # too much at once
            if len(some) > 1:
                most = max(1, len(some) // 4)
                waiting.extendleft(reversed(some))
            else:
                _reduce(some[0], waiting, f"{point.target}: no answer in time")
            if pace.late:
                pause(pause_seconds(pace.late))
            continue
        pace.late = 0
        late = 0
        for search, answer in zip(some, answers, strict=True):
            point.id = answer.get("pit_id", point.id)
            late = max(late, _judge(cluster, point, search, answer, waiting, pace))
        told(sum(search.cells for search in some))
        if late:
            pause(pause_seconds(late))


def _taken(waiting: deque[Search], most: int) -> list[Search]:
    some = [waiting.popleft()]
    cells = some[0].cells
    while waiting and len(some) < most and cells + waiting[0].cells <= MOST_CELLS:
        cells += waiting[0].cells
        some.append(waiting.popleft())
    return some


def _ask(cluster: Cluster, point: Point, some: Sequence[Search], pace: _Pace) -> list[Json] | None:
    """The answers to some searches; None where the request was too much."""
    bodies: list[Json] = []
    for search in some:
        bodies += [point.header(), point.place({**search.body(), "timeout": _timeout(cluster)})]
    try:
        answer = cluster.ask(f"search {point.target}", lambda es: pace.search(es, bodies))
    except _LateError:
        if pace.late < MOST_LATE:
            return None
        raise ClusterError(
            f"can't search {point.target}: no answer in time, {MOST_LATE} times in a row",
            place=cluster.name,
            remedy="raise SLA_KIT_ELASTICSEARCH_TIMEOUT, or see the cluster's health",
            kind="timeout",
        ) from None
    except ClusterError as error:
        if error.status == 413:
            pace.late = 0
            return None
        if error.status == 404 and point.id:
            raise LostPointError from error
        if error.status != 400:
            raise
        if len(some) == 1 and len(some[0].questions) <= 1:
            raise _refused(cluster, some[0].questions, error.message) from error
        for search in some:  # one query that is none makes the whole request fail
            for question in search.questions:
                _try_alone(cluster, point, question)
        raise
    return responses(answer, len(some), cluster.name)


def _timeout(cluster: Cluster) -> str:
    """After how long a search is to answer with what it has: before the client stops waiting."""
    return f"{max(1, int(cluster.timeout_seconds * 0.5))}s"


def _judge(cluster: Cluster, point: Point, search: Search, answer: Json, waiting: deque[Search], pace: _Pace) -> int:
    """Takes an answer, or has its search asked again. Returns how often it was asked in vain, 0 where it was not."""
    failed = answer.get("error")
    status = int(answer.get("status", 200))
    if failed is not None:
        types, reason = set(types_of(failed)), reason_of(failed)
        if is_lost(failed) or (status == 404 and point.id):
            raise LostPointError
        if "too_many_buckets_exception" in types or "circuit_breaking_exception" in types:
            return _reduce(search, waiting, reason)
        if status in _PASSING:
            if search.tries + 1 < (TRIES_FULL if pace.refused(answer) else TRIES):
                waiting.append(search.again())
                return search.tries + 1
            search.lost(f"{point.target}: no answer (status {status}): {reason}")
            return 0
        if status == 404:
            search.lost(f"{point.target}: {reason}")
            return 0
        if len(search.questions) > 1:
            for question in search.questions:
                _try_alone(cluster, point, question)
        raise _refused(cluster, search.questions, reason)
    shards = answer.get("_shards", {})
    failures = [each for each in shards.get("failures", []) if isinstance(each, Mapping)]
    if is_lost(failures):
        raise LostPointError
    if answer.get("timed_out"):
        return _reduce(search, waiting, f"{point.target}: the search took too long")
    share, reason = share_of(shards, answer.get("_clusters", {}), failures)
    full = pace.refused(answer)
    if share < 1 and search.tries + 1 < (TRIES_FULL if full else TRIES):
        waiting.append(search.again())
        return search.tries + 1
    try:
        more = search.take(answer.get("aggregations", {}), share, f"{point.target}: {reason}")
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise no_answer(cluster.name) from None
    if more is not None:
        waiting.append(more)
    return 0


def _reduce(search: Search, waiting: deque[Search], reason: str) -> int:
    """Has a search that was too much asked for in smaller parts."""
    parts = search.smaller()
    if len(parts) > 1:
        waiting.extendleft(reversed(parts))
        return 0
    if search.tries + 1 < TRIES:
        waiting.append(parts[0].again())
        return search.tries + 1
    search.lost(reason)
    return 0


def _try_alone(cluster: Cluster, point: Point, question: Question) -> None:
    """Raises `ClusterError` where it is this question that the cluster can't understand."""
    body: Json = {"size": 0, "query": {"bool": {"filter": [question.total] if question.total else []}}}
    asked = question.aggregation()
    if asked is not None:
        body["aggs"] = {"a": asked}
    try:
        answer = cluster.ask(
            f"search {point.target}", lambda es: es.msearch(searches=[point.header(), point.place(body)])
        )
    except ClusterError as error:
        if error.status == 400:
            raise _refused(cluster, [question], error.message) from error
        raise
    failed = answer["responses"][0].get("error")
    if failed is not None and int(answer["responses"][0].get("status", 400)) == 400:
        raise _refused(cluster, [question], reason_of(failed))


def _refused(cluster: Cluster, questions: Sequence[Question], reason: str) -> ClusterError:
    named = ", ".join("/".join(each.indicator.key) for each in questions) or "the index"
    return ClusterError(
        f"the query of {named} can't be answered: {reason}",
        place=cluster.name,
        remedy="correct query, good or bad in the catalogue (`sla-kit check` finds slips without a server)",
        kind="query",
        status=400,
    )
