"""The sums as the state file has them, and how many series of them there may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sla_kit.exporters.sidecar.counters import Counters

#: The counters' names, as families are called: without _total.
DOCUMENTS, ERRORS = "sla_logs_documents", "sla_logs_errors"
LATE, UNCOUNTED = "sla_logs_late_documents", "sla_logs_uncounted_seconds"
LABELS = {DOCUMENTS: ("service", "level"), ERRORS: ("service", "type"), LATE: ("service",), UNCOUNTED: ()}
#: What becomes of values for which there is no room.
OTHER = "other"
#: The values of a counter's labels, in their order.
Key = tuple[str, ...]


def sums(counters: Counters, name: str) -> dict[Key, float]:
    """What a counter has. Raises `CollectError`."""
    return {tuple(labels[label] for label in LABELS[name]): amount for labels, amount in counters.totals(name)}


def add(counters: Counters, name: str, found: Counter[Key]) -> None:
    """Adds to a counter. Raises `CollectError`."""
    for key, count in found.items():
        counters.add(name, dict(zip(LABELS[name], key, strict=True)), count)


@dataclass(frozen=True, slots=True)
class Room:
    """How many services there may be, and levels or types of error of each."""

    services: int
    kinds: int

    def fit(self, found: Counter[Key], known: Iterable[Key], services: Iterable[str] = ()) -> Counter[Key]:
        """Counts by service, and by kind where there are some, with those for which there is no room as `OTHER`.

        First comes what is ``known``, which stays as it is, and ``services`` that have their room already, then what is
        counted most.
        """
        before = list(known)
        there = {*services, *(key[0] for key in before)}
        allowed = _fitting(there, _most(found, 0), self.services)
        fitted = Counter[Key]()
        for (service, *kind), count in found.items():
            fitted[(service if service in allowed else OTHER, *kind)] += count
        kinds: dict[str, set[str]] = {}
        whole = Counter[Key]()
        for key, count in fitted.items():
            service = key[0]
            if len(key) > 1 and service not in kinds:
                of = Counter({each: count for each, count in fitted.items() if each[0] == service})
                old = (each[1] for each in before if each[0] == service)
                kinds[service] = _fitting(old, _most(of, 1), self.kinds)
            whole[key if len(key) == 1 or key[1] in kinds[service] else (service, OTHER)] += count
        return whole


def _most(found: Counter[Key], place: int) -> list[str]:
    """The values of one label, the most frequent first, and by the alphabet where they are as frequent."""
    counts = Counter[str]()
    for key, count in found.items():
        counts[key[place]] += count
    return sorted(counts, key=lambda each: (-counts[each], each))


def _fitting(known: Iterable[str], found: Iterable[str], most: int) -> set[str]:
    kept = set(known) - {OTHER}
    for each in found:
        if len(kept) >= most:
            break
        kept.add(each)
    return kept
