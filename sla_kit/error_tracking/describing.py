"""Groups in detail: users, releases, trend and an example of each, and what it may come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sla_kit.error_tracking.asking import USERS_COUNTED, USERS_ERROR
from sla_kit.error_tracking.detailing import details_of
from sla_kit.error_tracking.documents import Document
from sla_kit.error_tracking.found import Found, Gathered
from sla_kit.error_tracking.judging import Judged
from sla_kit.error_tracking.linking import burst, deployment_of, overlapping
from sla_kit.error_tracking.question import Question
from sla_kit.error_tracking.results import Deployment, ErrorGroup, Estimate, IncidentLink
from sla_kit.error_tracking.searching import Searches, buckets, hits, value
from sla_kit.logs.fingerprint import frames, redacted_message

_LONGEST_MESSAGE = 500


def described(
    search: Searches,
    question: Question,
    shown: Sequence[Judged],
    released: Sequence[Deployment],
    incidents: Sequence[IncidentLink],
    slices: int,
) -> list[ErrorGroup]:
    """The groups as they are shown."""
    answers = details_of(search, question, [each.found for each in shown if each.found.keyed], slices)
    return [_group(question, each, answers.get(each.found.id), released, incidents, slices) for each in shown]


def _group(
    question: Question,
    judged: Judged,
    answer: Mapping[str, Any] | None,
    released: Sequence[Deployment],
    incidents: Sequence[IncidentLink],
    slices: int,
) -> ErrorGroup:
    found, window, settings = judged.found, question.window, question.catalogue.logs.errors
    document = _latest(question, found, answer)
    releases = _releases(answer, found.gathered)
    trend = _trend(question, answer, found.gathered, slices)
    begun = found.first_seen if judged.back is None else judged.back
    span = burst(
        trend,
        window.start,
        window.end,
        factor=settings.surge_factor,
        least=settings.surge_count,
        told=bool(judged.kinds),
    )
    return ErrorGroup(
        service=found.service,
        key=found.key,
        type=redacted_message(document.type, _LONGEST_MESSAGE) if document else "",
        message=redacted_message(document.words(), _LONGEST_MESSAGE) if document else "",
        frames=frames(document.stack) if document else (),
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        count=found.count,
        before=found.before,
        users=_users(question, found, answer),
        releases=releases,
        trend=trend,
        kinds=judged.kinds,
        state=judged.state,
        deployment=deployment_of(found.service, begun, releases, found.count.value, released),
        incidents=overlapping(found.service, span, incidents),
        example=document.example() if document else None,
    )


def _latest(question: Question, found: Found, answer: Mapping[str, Any] | None) -> Document | None:
    documents = [Document.of(hit, question.catalogue.logs.fields) for hit in hits(answer or {})[:1]]
    if found.gathered and found.gathered.latest:
        documents.append(found.gathered.latest)
    return max(documents, key=lambda each: each.time, default=None)


def _releases(answer: Mapping[str, Any] | None, gathered: Gathered | None) -> tuple[tuple[str, float], ...]:
    counts: dict[str, float] = dict(gathered.versions) if gathered else {}
    for each in buckets(answer or {}, "versions"):
        counts[str(each["key"])] = counts.get(str(each["key"]), 0.0) + float(each["doc_count"])
    return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:10])


def _trend(
    question: Question, answer: Mapping[str, Any] | None, gathered: Gathered | None, slices: int
) -> tuple[float, ...]:
    window = question.window
    counts = gathered.trend(window.start, window.end, slices) if gathered else [0.0] * slices
    for each in buckets(answer or {}, "trend"):
        counts[int(each["key"])] += float(each["doc_count"])
    return tuple(counts)


def _users(question: Question, found: Found, answer: Mapping[str, Any] | None) -> Estimate | None:
    """Users as the server counts them, with the bounds of how it does; of a sample it is known that there are at least
    as many as were seen, and no more than events. None where no document of the group names one."""
    counted = value(answer, "users") if answer else None
    seen = len(found.gathered.users) if found.gathered else 0
    if not counted and not seen:
        return None
    if found.gathered is None and counted is not None:
        error = 0.0 if counted <= USERS_COUNTED else USERS_ERROR
        return Estimate(counted, counted * (1 - error), min(counted * (1 + error), found.count.high))
    whole = found.gathered is not None and not found.keyed and found.gathered.documents >= found.count.high
    low = max(counted or 0.0, float(seen))
    return Estimate.exactly(low) if whole else Estimate(low, low, max(low, found.count.high))
