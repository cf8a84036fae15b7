"""PromQL's instant vectors at many times at once: matching, set operators, aggregation, quantiles of histograms.

A vector holds one row a series and one column a time. Arithmetic follows Prometheus 3 (promql/engine.go,
promql/quantile.go); what Prometheus refuses, such as a many-to-many match, raises `VectorError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sla_kit.sources.series import Labels
from sla_kit.timeline import Floats, Mask

Key = Callable[[Labels], Labels]

_TOLERANCE = 1e-12  # promql/quantile.go, smallDeltaTolerance


class VectorError(ValueError):
    """Vectors that can't be combined, as Prometheus would say."""


@dataclass(frozen=True, slots=True)
class Vector:
    """``labels`` (k, ``__name__`` among them), ``values`` (k, n) and ``present`` (k, n): whether a series has a sample
    at a time, whose value may itself be NaN. An absent value is NaN."""

    labels: tuple[Labels, ...]
    values: Floats
    present: Mask

    @classmethod
    def of(cls, rows: Iterable[tuple[Labels, Floats, Mask]], count: int) -> Vector:
        """A vector of ``count`` times; rows of equal labels become one, which is an error where both are present."""
        merged: dict[Labels, tuple[Floats, Mask]] = {}
        for labels, values, present in rows:
            if not present.any():
                continue
            if labels in merged:
                before, there = merged[labels]
                if (there & present).any():
                    raise VectorError(f"several series have the same labels {_shown(labels)}")
                values, present = np.where(present, values, before), there | present
            merged[labels] = values, present
        if not merged:
            return cls((), np.empty((0, count)), np.empty((0, count), dtype=np.bool_))
        values_of, present_of = zip(*merged.values(), strict=True)
        return cls(tuple(merged), np.array(values_of), np.array(present_of))

    def mapped(self, function: Callable[[Floats], Floats]) -> Vector:
        """Another value for every sample; the metric's name goes, for it is another thing now."""
        with np.errstate(all="ignore"):
            return self.kept(function(self.values), self.present, nameless=True)

    def kept(self, values: Floats, present: Mask, *, nameless: bool) -> Vector:
        """The same series with other samples."""
        values = np.where(present, values, np.nan)
        names = [without_labels(labels, ("__name__",)) for labels in self.labels] if nameless else self.labels
        return Vector.of(zip(names, values, present, strict=True), values.shape[1])


def with_labels(labels: Labels, names: Sequence[str]) -> Labels:
    """Only those labels."""
    return tuple(pair for pair in labels if pair[0] in names)


def without_labels(labels: Labels, names: Sequence[str]) -> Labels:
    """All but those labels."""
    return tuple(pair for pair in labels if pair[0] not in names)


def matching(on: Sequence[str] | None, ignoring: Sequence[str]) -> Key:
    """What two series must have in common to match: the labels ``on``, or all but ``ignoring`` and the name."""
    if on is not None:
        return lambda labels: with_labels(labels, on)
    return lambda labels: without_labels(labels, (*ignoring, "__name__"))


# --- operators ------------------------------------------------------------------------------------------------------

ARITHMETIC: dict[str, np.ufunc] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
}
COMPARISONS: dict[str, np.ufunc] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def with_scalar(operator: str, vector: Vector, scalar: Floats, *, scalar_first: bool, as_bool: bool) -> Vector:
    """A vector and a scalar; a comparison keeps the vector's values where it holds, or gives 0 and 1 ``as_bool``."""
    sides = (scalar, vector.values) if scalar_first else (vector.values, scalar)
    with np.errstate(all="ignore"):
        if operator in ARITHMETIC:
            return vector.kept(ARITHMETIC[operator](*sides), vector.present, nameless=True)
        holds = COMPARISONS[operator](*sides)
    if as_bool:
        return vector.kept(holds.astype(np.float64), vector.present, nameless=True)
    return vector.kept(vector.values, vector.present & holds, nameless=False)


def one_to_one(operator: str, left: Vector, right: Vector, key: Key, result: Key, *, as_bool: bool) -> Vector:
    """Two vectors, each series with the one that has the same ``key``; ``result`` makes a left series' labels the
    result's."""
    count = left.values.shape[1]
    ones = _ones(right, key, _any(left.present))
    matched: dict[Labels, Mask] = {}
    rows = []
    for labels, values, present in zip(left.labels, left.values, left.present, strict=True):
        signature = key(labels)
        if signature not in ones:
            continue
        other, there = ones[signature]
        both = present & there
        if (matched.get(signature, np.zeros(count, dtype=np.bool_)) & both).any():
            raise VectorError(f"several series on the left match {_shown(signature)}")
        matched[signature] = matched.get(signature, np.zeros(count, dtype=np.bool_)) | both
        with np.errstate(all="ignore"):
            if operator in ARITHMETIC:
                found = ARITHMETIC[operator](values, other)
            else:
                holds = COMPARISONS[operator](values, other)
                found = holds.astype(np.float64) if as_bool else values
                both = both if as_bool else both & holds
        rows.append((result(labels), np.where(both, found, np.nan), both))
    return Vector.of(rows, count)


def _ones(right: Vector, key: Key, wanted: Mask) -> dict[Labels, tuple[Floats, Mask]]:
    """The right side by signature, of which each time may have one series, where the left has any."""
    ones: dict[Labels, tuple[Floats, Mask]] = {}
    for labels, values, present in zip(right.labels, right.values, right.present, strict=True):
        signature = key(labels)
        if signature in ones:
            before, there = ones[signature]
            if (there & present & wanted).any():
                raise VectorError(f"several series on the right match {_shown(signature)}")
            values, present = np.where(present, values, before), there | present
        ones[signature] = values, present
    return ones


def set_operation(operator: str, left: Vector, right: Vector, key: Key) -> Vector:
    """``and``, ``or`` and ``unless``."""
    first, second = (right, left) if operator == "or" else (left, right)
    there = _presence(second, key)
    rows: list[tuple[Labels, Floats, Mask]] = []
    if operator == "or":
        rows.extend(zip(left.labels, left.values, left.present, strict=True))
    nowhere = np.zeros(left.values.shape[1], dtype=np.bool_)
    for labels, values, present in zip(first.labels, first.values, first.present, strict=True):
        other = there.get(key(labels), nowhere)
        stays = present & (other if operator == "and" else ~other)
        rows.append((labels, np.where(stays, values, np.nan), stays))
    return Vector.of(rows, left.values.shape[1])


def _presence(vector: Vector, key: Key) -> dict[Labels, Mask]:
    there: dict[Labels, Mask] = {}
    for labels, present in zip(vector.labels, vector.present, strict=True):
        signature = key(labels)
        there[signature] = there[signature] | present if signature in there else present
    return there


# --- aggregation ----------------------------------------------------------------------------------------------------

AGGREGATIONS: dict[str, Callable[[Floats, Mask], Floats]] = {
    "sum": lambda values, present: np.sum(values, axis=0, where=present),
    "avg": lambda values, present: np.sum(values, axis=0, where=present) / present.sum(axis=0),
    "min": lambda values, present: np.fmin.reduce(values, axis=0),
    "max": lambda values, present: np.fmax.reduce(values, axis=0),
    "count": lambda values, present: present.sum(axis=0).astype(np.float64),
    "group": lambda values, present: np.ones(values.shape[1]),
}


def aggregate(operation: str, vector: Vector, key: Key) -> Vector:
    """One series for all that have the same ``key``."""
    groups: dict[Labels, list[int]] = {}
    for row, labels in enumerate(vector.labels):
        groups.setdefault(key(labels), []).append(row)
    rows = []
    for labels, members in groups.items():
        everything = len(members) == len(vector.labels)
        values = vector.values if everything else vector.values[members]
        present = vector.present if everything else vector.present[members]
        some = _any(present)
        with np.errstate(all="ignore"):
            rows.append((labels, np.where(some, AGGREGATIONS[operation](values, present), np.nan), some))
    return Vector.of(rows, vector.values.shape[1])


# --- classic histograms ---------------------------------------------------------------------------------------------


def histogram_quantile(quantile: Floats, vector: Vector) -> Vector:
    """The ``quantile`` (n,) of the classic histograms whose buckets are in the vector, one series a histogram."""
    groups: dict[Labels, dict[float, list[int]]] = {}
    for row, labels in enumerate(vector.labels):
        bound = _bound(dict(labels).get("le", ""))
        if bound is not None:
            groups.setdefault(without_labels(labels, ("le", "__name__")), {}).setdefault(bound, []).append(row)
    rows = []
    for labels, by_bound in groups.items():
        bounds = sorted(by_bound)
        several = [by_bound[bound] for bound in bounds]
        present = np.array([_any(vector.present[members]) for members in several])
        counts = np.array([np.sum(vector.values[m], axis=0, where=vector.present[m]) for m in several])
        with np.errstate(all="ignore"):
            found = _bucket_quantile(quantile, bounds, counts, present)
        some = _any(present)
        rows.append((labels, np.where(some, found, np.nan), some))
    return Vector.of(rows, vector.values.shape[1])


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if bound != bound else bound


def _bucket_quantile(quantile: Floats, bounds: Sequence[float], counts: Floats, present: Mask) -> Floats:
    """BucketQuantile of promql/quantile.go at every time: ``counts`` and ``present`` are (bounds, n)."""
    smooth = _monotonic(counts, present)
    rank = quantile * smooth[-1]
    shape = quantile.shape
    found, begun = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    lower, under, result = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    for bound, count, here in zip(bounds[:-1], smooth[:-1], present[:-1], strict=True):
        hit = here & ~found & (count >= rank)
        inside = lower + (bound - lower) * ((rank - under) / (count - under))
        # Where the lowest bucket reaches down to minus infinity there is nothing to interpolate from.
        result = np.where(hit, np.where(~begun & (bound <= 0), bound, inside), result)
        found |= hit
        begun |= here
        lower, under = np.where(here, bound, lower), np.where(here, count, under)
    result = np.where(found, result, lower)  # beyond the last bound: that bound
    useless = ~present[-1] | (present.sum(axis=0) < 2) | (smooth[-1] == 0)
    result[useless | (bounds[-1] != np.inf)] = np.nan
    result[quantile < 0], result[quantile > 1] = -np.inf, np.inf
    result[np.isnan(quantile)] = np.nan
    return result


def _monotonic(counts: Floats, present: Mask) -> Floats:
    """Counts that never fall with the bound; a difference as small as rounding is none."""
    smooth = counts.copy()
    before, begun = np.zeros(counts.shape[1]), np.zeros(counts.shape[1], dtype=np.bool_)
    for row, (count, here) in enumerate(zip(counts, present, strict=True)):
        close = np.abs(count - before) / (np.abs(count) + np.abs(before)) < _TOLERANCE
        held = here & begun & ((count < before) | close)
        smooth[row] = np.where(held, before, count)
        before = np.where(here, smooth[row], before)
        begun |= here
    return smooth


def _any(present: Mask) -> Mask:
    some: Mask = np.logical_or.reduce(present, axis=0)
    return some


def _shown(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
