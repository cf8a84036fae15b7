"""How many series a metric may have: those beyond are dropped and counted, and whoever was there before stays."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
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
        seen: set[Hashable] = set()
        kept: list[Sample] = []
        for sample in family.samples:
            identity = (sample.name, frozenset(sample.labels.items()))
            if identity not in seen:
                seen.add(identity)
                kept.append(sample)
        if len(kept) < len(family.samples):
            repeated[family.name] = len(family.samples) - len(kept)
        every = dict.fromkeys(_series(sample, within) for sample in kept)
        if len(every) > max_series:
            dropped[family.name] = len(every) - max_series
            earlier = known.get(family.name)
            old = {_series(sample, within) for sample in earlier.samples} if earlier else set()
            stays = set(sorted(every, key=lambda one: one not in old)[:max_series])
            kept = [sample for sample in kept if _series(sample, within) in stays]
        series += min(len(every), max_series)
        family.samples = kept
    return Limited(tuple(merged.values()), series, dropped, repeated)


def _series(sample: Sample, within: str) -> frozenset[tuple[str, str]]:
    """The labels of the series that a sample belongs to."""
    return frozenset(item for item in sample.labels.items() if item[0] != within)
