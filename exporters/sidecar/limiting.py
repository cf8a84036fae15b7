"""How many series a metric may have: those beyond are dropped and counted, and whoever was there before stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

#: Labels that tell apart the samples of one series of a histogram or summary.
_WITHIN = {"histogram": "le", "gaugehistogram": "le", "summary": "quantile"}


@dataclass(frozen=True, slots=True)
class Limited:
    """What is left of a collection: its families, how many series they have, and by metric how many were ``dropped``
    for the limit and how many were ``repeated`` (the same labels twice, of which the first stays)."""

    families: tuple[Metric, ...]
    series: int
    dropped: dict[str, int]
    repeated: dict[str, int]


def limited(families: Iterable[Metric], max_series: int, before: Iterable[Metric] = ()) -> Limited:
    """At most ``max_series`` series of each metric; families of one name become one.

    Where there are more, those that the collection ``before`` had come first, so that series do not come and go by
    chance.
    """
    known = {family.name: family for family in before}
    merged: dict[str, Metric] = {}
    for family in families:
        first = merged.setdefault(family.name, family)
        if first is not family:
            first.samples = [*first.samples, *family.samples]
    series, dropped, repeated = 0, {}, {}
    for family in merged.values():
        within = _WITHIN.get(family.type, "")
        kept = {(sample.name, frozenset(sample.labels.items())): sample for sample in reversed(family.samples)}
        if len(kept) < len(family.samples):
            repeated[family.name] = len(family.samples) - len(kept)
            family.samples = list(reversed(kept.values()))
        every = [labels for _, labels in kept] if not within else [_series(sample, within) for sample in family.samples]
        count = len(set(every)) if within else len(every)
        if count > max_series:
            dropped[family.name] = count - max_series
            stays = _staying(family, known.get(family.name), within, max_series)
            family.samples = [sample for sample in family.samples if _series(sample, within) in stays]
        series += min(count, max_series)
    return Limited(tuple(merged.values()), series, dropped, repeated)


def _staying(family: Metric, earlier: Metric | None, within: str, max_series: int) -> set[frozenset[tuple[str, str]]]:
    """The labels of the series that are kept: first those that were there, then as they come."""
    old = {_series(sample, within) for sample in earlier.samples} if earlier else set()
    every = dict.fromkeys(_series(sample, within) for sample in family.samples)
    return set(sorted(every, key=lambda one: one not in old)[:max_series])


def _series(sample: Sample, within: str) -> frozenset[tuple[str, str]]:
    """The labels of the series that a sample belongs to."""
    return frozenset(item for item in sample.labels.items() if item[0] != within)
