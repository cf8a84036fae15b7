"""Many questions in few queries: which `SeriesQuery` share a request to Prometheus, and whose each series then is.

Pure: from queries to PromQL and back, no server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sla_kit.sources.series import Labels, Matcher, Reduction, Selector, SeriesQuery, sorted_labels

#: Bounds of one merged query: values of a label, and their bytes (servers refuse queries over 16 kB).
MOST_VALUES = 200
MOST_BYTES = 8000
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class Plan:
    """One query for all of ``owners``: each owns the series whose ``split`` labels have the values it is found under.

    ``server_sum`` are the labels the server sums over, ``client_sum`` those that are still there because they tell
    the owners apart, and are summed over after the split.
    """

    selector: Selector
    reduction: Reduction
    server_sum: tuple[str, ...]
    client_sum: tuple[str, ...]
    split: tuple[str, ...]
    owners: Mapping[tuple[str, ...], SeriesQuery]

    def promql(self, window_ms: int) -> str:
        """The query, over ranges of ``window_ms`` milliseconds."""
        text = f"{self.reduction.value}({self.selector.promql()}[{window_ms}ms])"
        return f"sum without ({','.join(self.server_sum)}) ({text})" if self.server_sum else text

    def owner(self, labels: Mapping[str, str]) -> SeriesQuery | None:
        """Whose a series is; None for one that only a combination of other owners' values has selected."""
        return self.owners.get(tuple(_spelling(name, labels.get(name, "")) for name in self.split))

    def owned_labels(self, labels: Mapping[str, str]) -> Labels:
        """The labels of a series as its owner sees them."""
        return sorted_labels({name: value for name, value in labels.items() if name not in self.client_sum})


def plans(queries: Iterable[SeriesQuery]) -> list[Plan]:
    """The fewest queries that answer all of ``queries``, in the order in which each is first needed.

    Queries alike in metric, reduction, summed labels and all matchers that are no equalities, whose equalities are on
    the same labels, become one query with ``label=~"a|b|c"``.
    """
    alike: dict[object, list[SeriesQuery]] = {}
    for query in dict.fromkeys(queries):
        key = (
            query.selector.metric,
            query.reduction,
            query.sum_labels,
            tuple(matcher for matcher in query.selector.matchers if matcher.operator != "="),
            tuple(matcher.label for matcher in query.selector.matchers if matcher.operator == "="),
        )
        alike.setdefault(key, []).append(query)
    return [_merged(part) for group in alike.values() for along in _along_one_label(group) for part in _bounded(along)]


def _equalities(query: SeriesQuery) -> dict[str, str]:
    return {matcher.label: matcher.value for matcher in query.selector.matchers if matcher.operator == "="}


def _along_one_label(group: list[SeriesQuery]) -> Iterator[list[SeriesQuery]]:
    """Parts that differ in one label, and in those that it decides (a namespace for each service). Merging along two
    free labels would select every combination of their values, far more than was asked for."""
    equalities = [_equalities(query) for query in group]
    names = list(equalities[0])
    one_each = len(names) == sum(matcher.operator == "=" for matcher in group[0].selector.matchers)
    if len(group) == 1 or not names or not one_each:
        for query in group:
            yield [query]
        return
    variety = {name: len({one[name] for one in equalities}) for name in names}
    along = max(names, key=lambda name: variety[name])
    free = [
        name
        for name in names
        if name != along and len({(one[along], one[name]) for one in equalities}) > variety[along]
    ]
    parts: dict[tuple[str, ...], list[SeriesQuery]] = {}
    for query, one in zip(group, equalities, strict=True):
        parts.setdefault(tuple(one[name] for name in free), []).append(query)
    yield from parts.values()


def _bounded(part: list[SeriesQuery]) -> Iterator[list[SeriesQuery]]:
    """Parts small enough for one query."""
    current: list[SeriesQuery] = []
    size = 0
    for query in part:
        more = sum(2 * len(value.encode()) + 1 for value in _equalities(query).values())
        if current and (len(current) == MOST_VALUES or size + more > MOST_BYTES):
            yield current
            current, size = [], 0
        current.append(query)
        size += more
    yield current


def _merged(part: Sequence[SeriesQuery]) -> Plan:
    first = part[0]
    equalities = [_equalities(query) for query in part]
    split = tuple(name for name in equalities[0] if len({one[name] for one in equalities}) > 1)
    matchers = []
    for matcher in first.selector.matchers:
        if matcher.operator == "=" and matcher.label in split:
            values = dict.fromkeys(one[matcher.label] for one in equalities)
            matcher = Matcher(matcher.label, "=~", "|".join(literal(value) for value in values))
        matchers.append(both_spellings(matcher))
    return Plan(
        selector=Selector(first.selector.metric, tuple(matchers)),
        reduction=first.reduction,
        server_sum=tuple(name for name in first.sum_labels if name not in split),
        client_sum=tuple(name for name in first.sum_labels if name in split),
        split=split,
        owners={
            tuple(_spelling(name, one[name]) for name in split): query
            for query, one in zip(part, equalities, strict=True)
        },
    )


def literal(text: str) -> str:
    """A regular expression (RE2) that matches just that text."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def both_spellings(matcher: Matcher) -> Matcher:
    """A matcher on ``le`` that finds a bound however it is written: Prometheus 3 stores ``le="1"`` as ``le="1.0"``."""
    if matcher.label != "le" or not matcher.value:
        return matcher
    equal = matcher.operator in ("=", "!=")
    values = [matcher.value] if equal else [re.sub(r"\\(.)", r"\1", part) for part in matcher.value.split("|")]
    spelled = [_spellings(value) for value in values]
    if any(bounds is None for bounds in spelled):
        return matcher  # a pattern, not a list of bounds
    every = dict.fromkeys(text for bounds in spelled for text in bounds or ())
    return Matcher("le", "=~" if matcher.operator in ("=", "=~") else "!~", "|".join(literal(text) for text in every))


def _spellings(bound: str) -> tuple[str, ...] | None:
    """The ways in which servers and clients write a bound; None for what is none."""
    try:
        number = float(bound)
    except ValueError:
        return None
    short = repr(number).removesuffix(".0")
    return tuple(dict.fromkeys((bound, short, short if "." in short or "e" in short or "n" in short else short + ".0")))


def _spelling(label: str, value: str) -> str:
    """One spelling for all of a bound's."""
    if label == "le":
        try:
            return repr(float(value))
        except ValueError:
            return value
    return value
