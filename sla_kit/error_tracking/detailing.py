"""What the cluster tells of the groups that are shown, many by one search: a search for each would cost more than all
that they count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sla_kit.error_tracking.asking import (
    PAGE,
    VERSIONS,
    Query,
    at_moments,
    both,
    details,
    in_time,
    is_value,
    latest,
    page,
)
from sla_kit.error_tracking.documents import Document
from sla_kit.error_tracking.found import Found, Key
from sla_kit.error_tracking.keyed import by_group, key_of
from sla_kit.error_tracking.question import Question
from sla_kit.error_tracking.searching import Answer, Searches, aggregated, hits

#: One search is of so many groups: counting users takes up to 16 kB of each group and shard.
AT_ONCE = 100
#: An answer has so many buckets at most (search.max_buckets is 65,536 where nobody says otherwise).
_BUCKETS = 40_000
#: One search answers so many hits at most (index.max_result_window).
_HITS = 10_000


def details_of(search: Searches, question: Question, groups: Sequence[Found], slices: int) -> dict[Key, Answer]:
    """Users, versions and trend (``aggregations``) of groups that documents bring the key of, and the latest document
    of each (``hits``)."""
    counts: dict[Key, Answer] = {}
    wanted = {each.id for each in groups}
    told = details(question.logs.readable, question.window, slices)
    for bucket in _by_group(search, question, groups, told, slices + VERSIONS + 2):
        if key_of(bucket) in wanted:
            counts[key_of(bucket)] = bucket
    documents = _latest(search, question, [each for each in groups if each.id in counts])
    return {key: {"aggregations": counts[key], "hits": {"hits": documents.get(key, [])}} for key in counts}


def _by_group(
    search: Searches, question: Question, groups: Sequence[Found], told: dict[str, Query], size: int
) -> Iterator[Answer]:
    """A bucket for each group with what the aggregations say of it, ``size`` buckets at most."""
    by, most = by_group(question.logs), max(1, min(PAGE, _BUCKETS // size))
    queries = [_of_groups(question, some) for some in _parts(groups, min(AT_ONCE, most))]
    waiting: list[tuple[Query, Any]] = [(query, None) for query in queries]
    while waiting:
        bodies = [page(query, by, told, after, most) for query, after in waiting]
        answers = [aggregated(answer).get("page", {}) for answer in search.all("describe groups", bodies)]
        for answer in answers:
            yield from answer.get("buckets", ())
        # A document may bring several keys, also of groups that are not shown.
        waiting = [
            (query, answer["after_key"])
            for (query, _), answer in zip(waiting, answers, strict=True)
            if "after_key" in answer and len(answer.get("buckets", ())) >= most
        ]


def _latest(search: Searches, question: Question, groups: Sequence[Found]) -> dict[Key, list[Any]]:
    """The latest document of each group: looked for at the moments that the groups were last seen, which is far quicker
    than sorting each group's documents."""
    logs, fields = question.logs, question.catalogue.logs.fields
    time = logs.readable.time
    parts = list(_parts(groups, PAGE))
    bodies = []
    for some in parts:
        query = both(_of_groups(question, some), at_moments((each.last_seen for each in some), time))
        size = min(_HITS, 2 * len(some) + 50)
        bodies.append({**in_time(query, time, size, fields, "desc"), "track_total_hits": False})
    found: dict[Key, list[Any]] = {}
    last = {each.id: each.last_seen for each in groups}
    for answer in search.all("read the latest of groups", bodies):
        for hit in hits(answer):
            document = Document.of(hit, fields)
            key = document.service if logs.readable.service else "", document.key
            if document.time == last.get(key):
                found.setdefault(key, [hit])
    # More documents of the same moments than were asked for, or some without a key are later.
    missing = [each for each in groups if each.id not in found]
    for bucket in _by_group(search, question, missing, {"latest": latest(time, fields)}, 2):
        found.setdefault(key_of(bucket), list(hits(bucket["latest"])))
    return found


def _of_groups(question: Question, groups: Sequence[Found]) -> Query:
    """The errors of the window that bring the key of one of the groups, of its service."""
    readable = question.logs.readable
    services: dict[str, list[str]] = {}
    for each in groups:
        services.setdefault(each.service, []).append(each.key)
    any_of = [
        both({"terms": {readable.group: keys}}, is_value(readable.service, service) if readable.service else None)
        for service, keys in services.items()
    ]
    within = question.window.within(readable.time)
    return both(question.errors, within, {"bool": {"should": any_of, "minimum_should_match": 1}})


def _parts(groups: Sequence[Found], size: int) -> Iterator[Sequence[Found]]:
    """Groups in parts of a size, those of a service together."""
    ordered = sorted(groups, key=lambda each: each.id)
    return (ordered[at : at + size] for at in range(0, len(ordered), size))
