"""What each group of a window is: new, come back or surging, by what people said of it and when it was seen since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sla_kit.error_tracking.asking import Query, Span, both, versions
from sla_kit.error_tracking.classifying import comeback, importance, kinds
from sla_kit.error_tracking.found import Found, Key
from sla_kit.error_tracking.question import Counts, Question, of_group
from sla_kit.error_tracking.results import Deployment, ErrorState, Kind
from sla_kit.error_tracking.searching import Searches, buckets

#: What people said of groups, by (service, key).
States = Mapping[Key, ErrorState]


@dataclass(frozen=True, slots=True)
class Judged:
    """A group with what it is."""

    found: Found
    state: ErrorState
    kinds: frozenset[Kind]
    back: float | None

    @property
    def rank(self) -> tuple[bool, int, float, str, str]:
        """Sorts by what the group is, then by its count; ignored ones last."""
        found = self.found
        return self.state.status == "ignored", *importance(self.kinds, found.count, *found.id)


def judged(
    search: Searches,
    question: Question,
    found: Sequence[Found],
    states: States,
    released: Sequence[Deployment],
    counts: Counts,
) -> list[Judged]:
    """The groups with what they are, most important first."""
    settings = question.catalogue.logs.errors
    told = []
    with_state = [(each, states.get(each.id) or ErrorState(*each.id)) for each in found]
    seen = _seen_since(search, question, [(each, state) for each, state in with_state if state.status == "resolved"])
    for each, state in with_state:
        back = comeback(replace(state, service=each.service), seen.get(each.id, {}), each.last_seen, released)
        known = each.seen_before if each.seen_before is not False or not search.partial else None
        what = kinds(
            each.count,
            each.before,
            known,
            back is not None,
            state,
            counts.history(question, each.keyed),
            surge_factor=settings.surge_factor,
            surge_count=settings.surge_count,
        )
        told.append(Judged(each, state, what, back))
    return sorted(told, key=lambda each: each.rank)


def _seen_since(
    search: Searches, question: Question, resolved: Sequence[tuple[Found, ErrorState]]
) -> dict[Key, dict[str, float]]:
    """When each resolved group was first seen in the window since it was resolved, by version."""
    readable = question.logs.readable
    found: dict[Key, dict[str, float]] = {}
    asked: list[tuple[Found, Query]] = []
    for each, state in resolved:
        if each.last_seen <= state.at:
            continue
        if each.gathered:
            times = found.setdefault(each.id, {})
            for time, _, version in each.gathered.seen:
                if time > state.at:
                    times[version] = min(time, times.get(version, time))
        if each.keyed:
            since = Span(max(question.window.start, state.at), question.window.end).within(readable.time)
            asked.append((each, versions(both(question.errors, since, of_group(readable, each)), readable)))
    answers = search.all("look for groups that came back", [body for _, body in asked])
    for (each, _), answer in zip(asked, answers, strict=True):
        times = found.setdefault(each.id, {})
        by_version = [(str(one["key"]), one["first"]["value"]) for one in buckets(answer, "versions")]
        rest = ((answer.get("aggregations") or {}).get("unversioned") or {}).get("first", {}).get("value")
        for version, value in [*by_version, ("", rest)]:
            if value is not None:
                times[version] = min(value / 1000.0, times.get(version, float("inf")))
    return found
