"""Many searches in one request, all on the same state of an index, and what is missing from their answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sla_kit.elastic.answers import no_answer, responses, sound
from sla_kit.elastic.cluster import Cluster, ClusterError
from sla_kit.elastic.failures import PASSING, reason_of, share_of
from sla_kit.elastic.pacing import TRIES_FULL, Pace, pause_seconds
from sla_kit.elastic.points import LOST, at_point, close_point, is_lost, open_point
from sla_kit.error_tracking.asking import PAGE, Query, page
from sla_kit.timeline import Finding

#: So many searches go in one request.
_AT_ONCE = 50
#: How often a search is asked, where a node had room for it.
_ATTEMPTS = 5

#: What is read of a state that is lost is begun anew so often.
_READINGS = 4

Answer = Mapping[str, Any]
P = ParamSpec("P")
R = TypeVar("R")


class LostStateError(ClusterError):
    """The state of the index that searches were asked on is gone: what was read of it can't be continued."""


class Searches:
    """Searches on a point in time, so that documents which arrive meanwhile change nothing."""

    def __init__(self, cluster: Cluster, pattern: str, pit: str) -> None:
        self._cluster = cluster
        self._pattern = pattern
        self._pit = pit
        self._missing: dict[str, int] = {}
        self._pace = Pace()

    @property
    def partial(self) -> bool:
        """Whether anything was missing from an answer so far."""
        return bool(self._missing)

    def findings(self) -> list[Finding]:
        """What was missing from answers."""
        return [
            Finding("partial-answer", f"{self._pattern}: {what}: counts are lower than they should be", count)
            for what, count in sorted(self._missing.items())
        ]

    def one(self, what: str, body: Query) -> Answer:
        """The answer to one search."""
        return self.all(what, [body])[0]

    def all(self, what: str, bodies: Sequence[Query]) -> list[Answer]:
        """The answers to searches, in their order. Those that a node had no room for, or that are partial, are asked
        again; what is still missing then is kept for `findings`. Raises `LostStateError` where the state of the index
        is gone, `ClusterError` where a search is refused."""
        return [
            answer for at in range(0, len(bodies), _AT_ONCE) for answer in self._some(what, bodies[at : at + _AT_ONCE])
        ]

    def pages(
        self, what: str, query: Query, by: Mapping[str, str], most: int, **aggregations: Query
    ) -> tuple[list[Answer], bool]:
        """The combinations of some fields' values, ``most`` pages of them, and whether these were all."""
        found: list[Answer] = []
        after: Mapping[str, Any] | None = None
        for _ in range(most):
            answer = aggregated(self.one(what, page(query, by, aggregations, after))).get("page", {})
            found += answer.get("buckets", ())
            after = answer.get("after_key")
            if after is None or len(answer.get("buckets", ())) < PAGE:
                return found, True
        return found, False

    def everything(self, what: str, body: Query) -> Iterator[Answer]:
        """All the hits of a sorted search, by pages of its size."""
        after: Any = None
        while True:
            page_of = hits(self.one(what, body if after is None else {**body, "search_after": after}))
            yield from page_of
            if len(page_of) < body["size"]:
                return
            after = page_of[-1]["sort"]

    def _some(self, what: str, bodies: Sequence[Query]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        left = list(range(len(bodies)))
        for attempt in range(1, TRIES_FULL + 1):
            for at, answer in zip(left, self._asked(what, [bodies[at] for at in left]), strict=True):
                answers[at] = answer
            refused = {at for at in left if self._pace.refused(answers[at])}
            left = [at for at in left if at in refused or _passing(answers[at])]
            if not left or attempt == (TRIES_FULL if refused else _ATTEMPTS):
                break
            time.sleep(pause_seconds(attempt))
        for at in range(len(bodies)):
            self._heard(what, answers[at])
        return [answers[at] for at in range(len(bodies))]

    def _asked(self, what: str, bodies: Sequence[Query]) -> list[Answer]:
        searches: list[Query] = []
        for body in bodies:
            searches += [{}, at_point(body, self._pit)]

        found = self._cluster.ask(what, lambda client: self._pace.msearch(client, searches))
        answers = responses(found, len(bodies), self._cluster.name)
        for body, answer in zip(bodies, answers, strict=True):
            told = answer.get("aggregations", {})
            asked = body.get("aggs", {}) if (answer.get("_shards") or {}).get("successful") else ()
            if not all(name in told for name in asked) or not all(map(sound, told.values())):
                raise no_answer(self._cluster.name)
        return list(answers)

    def _heard(self, what: str, answer: Answer) -> None:
        error, shards = answer.get("error"), answer.get("_shards") or {}
        failures = shards.get("failures") or []
        if is_lost(error or failures):
            raise LostStateError(
                f"can't {what}: the state of {self._pattern} that was read is gone",
                place=self._cluster.name,
                remedy="see whether nodes restart, and whether indices are deleted meanwhile",
                kind="connect",
                status=404,
                reason=LOST,
            )
        if error:
            status = int(answer.get("status") or 0)
            cause = (error.get("root_cause") or [error])[0] if isinstance(error, Mapping) else {}
            raise ClusterError(
                f"can't {what} (status {status}): {reason_of(error)}",
                place=self._cluster.name,
                remedy="see the cluster's health" if status in PASSING else "check the index and the query of errors",
                kind="query",
                status=status,
                reason=str(cause.get("type") or ""),
            )
        share, reason = share_of(shards, answer.get("_clusters") or {}, failures)
        if share < 1:
            self._miss(reason)
        elif answer.get("timed_out") or answer.get("terminated_early"):
            self._miss("a search ended before it had seen everything")

    def _miss(self, what: str) -> None:
        self._missing[what] = self._missing.get(what, 0) + 1


@contextmanager
def searching(cluster: Cluster, pattern: str) -> Iterator[Searches]:
    """Searches on the index as it is now. Raises `ClusterError`."""

    missing = ""
    try:
        pit = open_point(cluster, pattern)
    except ClusterError as error:
        # Where shards are away the rest is read, and it is said that they are.
        if error.status != 503:
            raise
        pit, missing = open_point(cluster, pattern, partly=True), error.message
    found = Searches(cluster, pattern, pit)
    if missing:
        found._miss(missing)
    try:
        yield found
    finally:
        close_point(cluster, pit)


def anew_where_lost(read: Callable[P, R]) -> Callable[P, R]:
    """A reading that is begun anew where the state of the index is gone: a node that held it went away."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_READINGS - 1):
            try:
                return read(*args, **kwargs)
            except LostStateError:
                continue
        return read(*args, **kwargs)

    return reading


def hits(answer: Answer) -> list[Mapping[str, Any]]:
    """The documents of an answer."""
    found: list[Mapping[str, Any]] = (answer.get("hits") or {}).get("hits") or []
    return found


def total(answer: Answer) -> int:
    """How many documents fit."""
    return int(((answer.get("hits") or {}).get("total") or {}).get("value") or 0)


def value(answer: Answer, name: str) -> float | None:
    """The figure that an aggregation answers."""
    found = aggregated(answer).get(name, {}).get("value")
    return None if found is None else float(found)


def seconds(answer: Answer, name: str) -> float | None:
    """The time that an aggregation answers, epoch seconds."""
    found = value(answer, name)
    return None if found is None else found / 1000.0


def buckets(answer: Answer, name: str) -> list[Mapping[str, Any]]:
    """The buckets of an aggregation."""
    found: list[Mapping[str, Any]] = aggregated(answer).get(name, {}).get("buckets") or []
    return found


def aggregated(answer: Answer) -> Mapping[str, Any]:
    """What the aggregations of a search answer, by name."""
    found: Mapping[str, Any] = answer.get("aggregations") or {}
    return found


def _passing(answer: Answer) -> bool:
    """Whether what failed may go well in a moment."""
    if answer.get("error"):
        return int(answer.get("status") or 0) in PASSING
    failures = (answer.get("_shards") or {}).get("failures") or []
    return any(int(each.get("status") or 0) in PASSING for each in failures)
