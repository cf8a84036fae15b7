"""Groups of documents that bring no key: drawn at random by service and type of error, and given their key here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sla_kit.catalogue.logs import LogFields
from sla_kit.error_tracking.asking import Query, Span, both, counted, drawn, in_time, is_value, neither, with_words
from sla_kit.error_tracking.bounds import added, scaled
from sla_kit.error_tracking.documents import Document
from sla_kit.error_tracking.found import Found, Gathered, Key
from sla_kit.error_tracking.reading import Logs
from sla_kit.error_tracking.results import Estimate
from sla_kit.error_tracking.searching import Searches, hits, total
from sla_kit.logs.fingerprint import LONGEST
from sla_kit.sources import Progress, no_progress

#: Kinds (service and type) that are drawn from each by itself; the others are one kind.
KINDS = 100
#: So many documents of each kind are drawn at least, so that rare kinds are seen at all.
LEAST = 50
#: One search answers so many hits at most (index.max_result_window).
_MOST = 10_000
_PAGE = 2_000
_SEED = 20_26
#: Of so many groups it is asked whether they were there before, and so many documents that say the same are compared.
_ASKED, _COMPARED = 200, 50
_WORDS = 12


@dataclass(frozen=True, slots=True)
class Kind:
    """Errors without a key of one service and type (None: of all the others): which, and how many (exactly)."""

    name: tuple[str, str] | None
    query: Query
    count: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was found in a span: the groups with their counts, and how many documents of how many were looked at."""

    counts: dict[Key, Estimate]
    gathered: dict[Key, Gathered]
    kinds: dict[tuple[str, str] | None, tuple[int, int]]
    looked_at: int
    of: int

    @property
    def exact(self) -> bool:
        """Whether all were looked at."""
        return self.looked_at >= self.of

    def unseen(self, name: tuple[str, str]) -> Estimate:
        """How many documents of that kind a group may have that is not among those that were looked at."""
        sample, population = self.kinds.get(name) or self.kinds.get(None) or (0, 0)
        return scaled(0, sample, population)


def sizes(counts: Sequence[int], sample: int) -> list[int]:
    """How many documents of each kind are drawn: all of them where they are few, else in proportion to their count, and
    at least `LEAST`."""
    whole = sum(counts)
    if whole <= sample:
        return list(counts)
    return [min(count, max(LEAST, ceil(sample * count / whole)), _MOST) for count in counts]


def estimated(parts: Sequence[tuple[Mapping[Key, int], int, int]]) -> dict[Key, Estimate]:
    """Counts by group from samples of several kinds, each (found by group, drawn, of how many)."""
    found: dict[Key, list[Estimate]] = {}
    for by_key, sample, population in parts:
        for key, count in by_key.items():
            found.setdefault(key, []).append(scaled(count, sample, population))
    return {key: added(estimates) for key, estimates in found.items()}


def draw(
    search: Searches,
    logs: Logs,
    fields: LogFields,
    unkeyed: Query,
    span: Span,
    *,
    sample: int,
    exact: bool | None,
    progress: Progress = no_progress,
) -> Drawn:
    """The groups of the errors without a key in a span. All of them are looked at where they are no more than
    ``sample``, or with ``exact``."""
    kinds = _kinds(search, logs, both(unkeyed, span.within(logs.readable.time)))
    whole = sum(kind.count for kind in kinds)
    gathered: dict[Key, Gathered] = {}
    parts: dict[tuple[str, str] | None, tuple[dict[Key, int], int, int]] = {}
    looked_at = 0
    named = {kind.name for kind in kinds}
    exact = exact or whole <= sample
    wanted = [kind.count for kind in kinds] if exact else sizes([kind.count for kind in kinds], sample)
    for number, (kind, size) in enumerate(zip(kinds, wanted, strict=True)):
        progress(number, len(kinds), "errors without a key")
        documents = list(_all(search, logs, fields, kind) if size >= kind.count else _some(search, fields, kind, size))
        found: dict[Key, int] = {}
        # An answer may be of fewer documents, and one that was asked for all of them may find more by then.
        weight = max(kind.count, len(documents)) / max(1, len(documents))
        for document in documents:
            own = _name_of(document, logs)
            if own != kind.name and own in named:
                continue  # it has several types or services, and is counted by the first
            key = document.service, document.key or document.fingerprint().key
            found[key] = found.get(key, 0) + 1
            gathered.setdefault(key, Gathered()).add(document, weight)
        parts[kind.name] = found, len(documents), max(kind.count, len(documents))
        looked_at += len(documents)
    sampled = {name: (sample, population) for name, (_, sample, population) in parts.items()}
    return Drawn(estimated(list(parts.values())), gathered, sampled, looked_at, max(whole, looked_at))


def unkeyed_groups(
    logs: Logs, now: Drawn, before: Drawn, past: Mapping[Key, tuple[bool | None, float | None]]
) -> list[Found]:
    """The groups of a window. ``past`` says of a group whether it was there before the window, and when first."""
    found = []
    for key, gathered in now.gathered.items():
        earlier = before.gathered.get(key)
        seen, first = past.get(key, (None, None))
        times = [gathered.first, *([earlier.first] if earlier else []), *([first] if first is not None else [])]
        # What is in no sample of the time before may still be there: as often as none of so many allows.
        name = _name(gathered, logs)
        absent = Estimate.exactly(0.0) if before.exact or seen is False else before.unseen(name)
        found.append(
            Found(
                service=key[0],
                key=key[1],
                count=now.counts[key],
                before=before.counts.get(key, absent),
                first_seen=min(times),
                last_seen=gathered.latest.time if gathered.latest else gathered.first,
                seen_before=True if earlier else seen,
                keyed=False,
                gathered=gathered,
            )
        )
    return found


def looked_up(
    search: Searches, logs: Logs, fields: LogFields, unkeyed: Query, history: Span, now: Drawn, before: Drawn
) -> tuple[dict[Key, tuple[bool | None, float | None]], int]:
    """Whether the largest groups of a window were there before it: asked by the words that they all say, for no sample
    can tell that something was not there. Also of how many groups that is not known."""
    order = sorted(now.gathered, key=lambda key: (-now.counts[key].value, key))
    unknown = [key for key in order if key not in before.gathered]
    asked = unknown[:_ASKED]
    bodies = [
        in_time(_like(now.gathered[key], logs, unkeyed, history), logs.readable.time, _COMPARED, fields)
        for key in asked
    ]
    found: dict[Key, tuple[bool | None, float | None]] = {}
    for key, answer in zip(asked, search.all("look for groups before", bodies), strict=True):
        documents = [Document.of(hit, fields) for hit in hits(answer)]
        first = next((each.time for each in documents if (each.key or each.fingerprint().key) == key[1]), None)
        if first is not None:
            found[key] = True, first
        else:
            found[key] = (False if total(answer) <= len(documents) else None), None
    return found, sum(found.get(key, (None, None))[0] is None for key in unknown)


def telling_words(message: str) -> str:
    """The longest run of words of a normalised message that stands in every message of its group, `_WORDS` at most."""
    if len(message) >= LONGEST:  # its last word may be cut
        message = message.rpartition(" ")[0]
    runs = [run.split() for run in re.split(r"\S*<[a-z0-9]+>\S*", message)]
    longest = max(runs, key=lambda words: (len(words), sum(map(len, words))), default=[])
    return " ".join(longest[:_WORDS])


def _like(gathered: Gathered, logs: Logs, unkeyed: Query, history: Span) -> Query:
    """The documents before the window that may be of the same group: none else can be."""
    document, readable = gathered.latest, logs.readable
    queries = [unkeyed, history.within(readable.time)]
    if document is not None:
        if readable.service:
            queries.append(is_value(readable.service, document.service))
        if readable.type:
            queries.append(is_value(readable.type, document.type))
        words = telling_words(document.words())
        if words and readable.words:
            queries.append(with_words(words, readable))
    return both(*queries)


def _name(gathered: Gathered, logs: Logs) -> tuple[str, str]:
    return ("", "") if gathered.latest is None else _name_of(gathered.latest, logs)


def _name_of(document: Document, logs: Logs) -> tuple[str, str]:
    return document.service if logs.readable.service else "", document.type if logs.readable.type else ""


def _kinds(search: Searches, logs: Logs, query: Query) -> list[Kind]:
    readable = logs.readable
    names = {"service": readable.service, "type": readable.type}
    by = {name: field for name, field in names.items() if field}
    if not by:
        return [Kind(("", ""), query, total(search.one("count errors", counted(query))))]
    found, complete = search.pages("count errors by type", query, by, 20)
    found.sort(key=lambda each: (-each["doc_count"], str(each["key"])))
    kinds, taken = [], []
    for each in found[:KINDS]:
        parts = [is_value(field, each["key"][name]) for name, field in by.items()]
        taken.append(both(*parts))
        name = str(each["key"].get("service") or ""), str(each["key"].get("type") or "")
        kinds.append(Kind(name, both(query, *parts), each["doc_count"]))
    if len(found) > KINDS or not complete:
        rest = both(query, *(neither(each) for each in taken))
        kinds.append(Kind(None, rest, total(search.one("count errors", counted(rest)))))
    return kinds


def _some(search: Searches, fields: LogFields, kind: Kind, size: int) -> Iterator[Document]:
    for hit in hits(search.one("draw errors", drawn(kind.query, size, _SEED, fields))):
        yield Document.of(hit, fields)


def _all(search: Searches, logs: Logs, fields: LogFields, kind: Kind) -> Iterator[Document]:
    body = in_time(kind.query, logs.readable.time, _PAGE, fields)
    body["sort"] = [*body["sort"], {"_shard_doc": "asc"}]
    for hit in search.everything("read errors", body):
        yield Document.of(hit, fields)
