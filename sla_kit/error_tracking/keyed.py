"""Groups of documents that bring their key, counted by the server: only those that the window has are looked up in the
time before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sla_kit.error_tracking.asking import PAGE, Query, Span, both, first, largest, last
from sla_kit.error_tracking.found import Found, Key
from sla_kit.error_tracking.reading import Logs
from sla_kit.error_tracking.results import Estimate
from sla_kit.error_tracking.searching import Searches, buckets

#: So many pages of groups are read; beyond them those with the most documents.
PAGES = 20


@dataclass(frozen=True, slots=True)
class Keyed:
    """The groups, and whether these are all that the window has."""

    groups: tuple[Found, ...]
    complete: bool


def keyed_groups(
    search: Searches, logs: Logs, errors: Query, window: Span, before: Span, lookback: Span, pages: int = PAGES
) -> Keyed:
    """The groups of the errors that bring a key."""
    readable = logs.readable
    if not readable.group:
        return Keyed((), True)
    time, by = readable.time, by_group(logs)
    keyed = both(errors, {"exists": {"field": readable.group}})
    now = both(keyed, window.within(time))
    times = {"first": first(time), "last": last(time)}
    found, complete = search.pages("count errors by group", now, by, pages, **times)
    if not complete:
        # What comes late in the order of keys must not be lost where it is frequent.
        most = [
            each["key"]
            for each in buckets(search.one("find large groups", largest(now, readable.group, PAGE)), "largest")
        ]
        known = {key_of(each) for each in found}
        query = both(now, {"terms": {readable.group: most}})
        more, _ = search.pages("count errors by group", query, by, pages, **times)
        found += [each for each in more if key_of(each) not in known]
    earlier: dict[Key, Mapping[str, Any]] = {}
    keys = sorted({each["key"]["key"] for each in found if each["key"]["key"] is not None}, key=str)
    for at in range(0, len(keys), PAGE):
        query = both(keyed, lookback.within(time), {"terms": {readable.group: keys[at : at + PAGE]}})
        just_before: Query = {"filter": before.within(time)}
        past, _ = search.pages("look for groups before", query, by, pages, first=first(time), before=just_before)
        earlier.update((key_of(each), each) for each in past)
    return Keyed(tuple(_found(each, earlier.get(key_of(each))) for each in found), complete)


def by_group(logs: Logs) -> dict[str, str]:
    """What makes documents a group: fields by name."""
    readable = logs.readable
    return {**({"service": readable.service} if readable.service else {}), "key": readable.group}


def key_of(bucket: Mapping[str, Any]) -> Key:
    """Of which group a bucket is that `by_group` made."""
    return _text(bucket["key"].get("service")), _text(bucket["key"]["key"])


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _found(now: Mapping[str, Any], past: Mapping[str, Any] | None) -> Found:
    service, key = key_of(now)
    return Found(
        service=service,
        key=key,
        count=Estimate.exactly(float(now["doc_count"])),
        before=Estimate.exactly(float(past["before"]["doc_count"]) if past else 0.0),
        first_seen=(past or now)["first"]["value"] / 1000.0,
        last_seen=now["last"]["value"] / 1000.0,
        seen_before=past is not None,
    )
