"""Several SLOs as one: their events combined period by period or bucket by bucket, never ratios averaged over time.

Series and parallel availability: B. Treynor, M. Dahlin, V. Rau, B. Beyer, "The Calculus of Service Availability",
ACM Queue 15(2), 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sla_kit.catalogue.model import Composite
from sla_kit.engine.budgeting import SLACK, Countable, Counted, Reduce, Terms
from sla_kit.engine.context import Counts, Settle
from sla_kit.engine.figures import ALL_EXCLUDED, NO_TRAFFIC, TOO_FEW
from sla_kit.engine.results import Figure
from sla_kit.timeline import Floats, Grid, Mask, Unit


@dataclass(frozen=True, slots=True)
class Blend:
    """Parts whose SLIs are weighed, or of which the worst counts, over each period anew.

    It counts ``minutes`` (count,): those of the buckets in which a part has events. Over a period the total is their
    sum and the bad ones are the share of it that the combined SLI loses. ``weights`` (one a part) None means the worst.
    """

    parts: tuple[Countable, ...]
    weights: tuple[float, ...] | None
    minutes: Floats
    coverage: Floats
    keep: Mask | None
    inside: Floats | None = None  # 1 where buckets count, 0 where they are excluded; None for all of them
    unit: Unit = "minutes"
    occurrences: bool = False

    @property
    def grid(self) -> Grid:
        """The grid of its parts."""
        return self.parts[0].grid

    @property
    def active(self) -> Mask:
        """The buckets that hold events, shape (grid.count,)."""
        return self.minutes > 0

    def sums(self, reduce: Reduce) -> tuple[Floats, Floats]:
        """Total and bad minutes over k periods, each of shape (k,). A part without events in one is left out of it."""
        inside = self.inside
        kept = reduce if inside is None else lambda values: reduce(values * inside)
        sums = [part.sums(kept) for part in self.parts]
        loss = np.array([_ratio(bad, total) for total, bad in sums])
        some = np.array([total > 0 for total, _ in sums])
        if self.weights is None:
            lost = np.where(some, loss, 0.0).max(axis=0)
        else:
            weights = np.array(self.weights).reshape(-1, *[1] * (loss.ndim - 1)) * some
            lost = _ratio((weights * loss).sum(axis=0), weights.sum(axis=0))
        total = kept(self.minutes)
        return total, np.asarray(lost * total, dtype=np.float64)


def combined(sli: Composite, parts: Sequence[Countable], own: Mask | None) -> Countable:
    """The parts of a composite as one. ``own`` (count,) are the buckets that maintenance of the composite's own
    service leaves in, None where that is all of them; each part has left out its own already."""
    keep = _kept(sli, parts, own)
    coverage = _coverage(sli, parts)
    inside = None if own is None else own.astype(np.float64)
    if not sli.counts_events:
        grid = parts[0].grid
        active = np.logical_or.reduce([part.active for part in parts])
        weights = None if sli.combine == "worst" else tuple(part.weight or 0.0 for part in sli.of)
        return Blend(tuple(parts), weights, active * (grid.step / 60.0), coverage, keep, inside)
    each = [part.sums(_each) for part in parts]
    if sli.combine == "all":
        total, bad = _series(each)
    else:
        total, bad = (np.add.reduce([sums[side] for sums in each]) for side in (0, 1))
    if inside is not None:
        total, bad = total * inside, bad * inside
    singly = parts[0].occurrences if sli.combine == "all" else all(part.occurrences for part in parts)
    return Counted(parts[0].grid, total, bad, coverage, keep, parts[0].unit, singly)


def range_of(parts: Sequence[Countable], events: Countable, where: slice) -> tuple[float, float] | None:
    """The SLI of a journey over some buckets if its parts never failed the same event, and if they did so wherever
    they could; None without events. The true one lies between, whatever the parts have to do with each other."""
    total, _ = events.sums(_each)
    total = total[where]
    shares = np.array([_ratio(bad, all_)[where] for all_, bad in (part.sums(_each) for part in parts)])
    journeys = float(total.sum())
    if journeys <= 0:
        return None
    apart = float((total * np.maximum(1.0 - shares.sum(axis=0), 0.0)).sum()) / journeys
    together = float((total * (1.0 - shares.max(axis=0))).sum()) / journeys
    return apart, together


def loss_shares(
    sli: Composite, parts: Sequence[Countable], events: Countable, figures: Sequence[Figure], where: slice
) -> list[float | None]:
    """Each part's share of what the composite lost in some buckets, 0 to 1; None where nothing was lost. ``figures``
    are those of the parts."""
    if sli.combine == "all":
        bad = events.sums(_each)[1][where]
        shares = np.array([_ratio(lost, all_)[where] for all_, lost in (part.sums(_each) for part in parts)])
        losses = list((bad * _ratio(shares, np.broadcast_to(shares.sum(axis=0), shares.shape))).sum(axis=1))
    elif sli.counts_events:
        losses = [found.bad for found in figures]
    else:
        lost = [0.0 if found.sli is None else 1.0 - found.sli for found in figures]
        if sli.combine == "worst":
            losses = [float(each == max(lost)) * each for each in lost]
        else:
            losses = [(part.weight or 0.0) * each for part, each in zip(sli.of, lost, strict=True)]
    whole = float(sum(losses))
    return [float(each) / whole if whole > 0 else None for each in losses]


def settling(sli: Composite, parts: Sequence[Counts], own: Mask | None) -> Settle:
    """What makes of a composite's figure one that knows of parts which can't be told: then it can't be told either,
    unless the others decide it whatever that part was. ``own`` as `combined` takes it."""

    def settle(found: Figure, promised: Terms, where: slice, inside: Mask | None, whole: bool) -> Figure:
        figures = [part.figure(where, inside=inside, whole=whole) for part in parts]
        untold = [index for index, each in enumerate(figures) if _untold(sli, each)]
        if not untold:
            return found
        if sli.combine == "all":
            keep = inside if whole or own is None else own[where] if inside is None else own[where] & inside
            events = [part.everything if whole else part.counted for part in parts]
            low, high = 0.0, _highest(events, untold, where, keep)
        else:
            low, high = _between(sli, figures, untold)
        allowed = promised.allowed_ratio * (1.0 + SLACK) + 1e-15
        if 1.0 - high > allowed:
            return replace(found, met=False, reason="")
        if found.sli is not None and 1.0 - low <= allowed:
            return replace(found, met=True, reason="")
        names = ", ".join(f"{sli.of[index].slo} ({figures[index].reason})" for index in untold)
        return replace(found, met=None, reason=f"its part can't be told: {names}")

    return settle


def _untold(sli: Composite, found: Figure) -> bool:
    """Whether a part says nothing sure: for want of data, or of events, where its SLI is not just added to others."""
    if found.met is not None or found.reason in (ALL_EXCLUDED, NO_TRAFFIC):
        return False
    return found.reason != TOO_FEW or not (sli.combine == "weighted" and sli.counts_events)


def _between(sli: Composite, figures: Sequence[Figure], untold: Sequence[int]) -> tuple[float, float]:
    """The lowest and the highest that a composite's SLI can be. Parts with too few events lie in the interval of their
    SLI, other untold ones anywhere."""
    if sli.combine == "weighted" and sli.counts_events:
        return 0.0, 1.0  # who knows how many events they had
    lows: dict[int, float] = {}
    highs: dict[int, float] = {}
    for index, each in enumerate(figures):
        if index in untold:
            lows[index], highs[index] = each.interval if each.reason == TOO_FEW and each.interval else (0.0, 1.0)
        elif each.sli is not None:
            lows[index] = highs[index] = each.sli
    if sli.combine == "worst":
        return min(lows.values()), min(highs.values())
    weights = {index: sli.of[index].weight or 0.0 for index in lows}
    low, high = (sum(weights[index] * each for index, each in ends.items()) for ends in (lows, highs))
    return low / sum(weights.values()), high / sum(weights.values())


def _highest(parts: Sequence[Countable], untold: Sequence[int], where: slice, inside: Mask | None) -> float:
    """The SLI of a journey if its untold parts never failed; 1 where its entry is one of them."""
    if 0 in untold:
        return 1.0
    total, bad = _series([part.sums(_each) for index, part in enumerate(parts) if index not in untold])
    total, bad = (values[where] if inside is None else values[where][inside] for values in (total, bad))
    return 1.0 - float(bad.sum() / total.sum()) if total.sum() > 0 else 1.0


def _series(each: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Journeys through every part, as many as the first has events: a bucket's pass by the product of good shares."""
    total = each[0][0]
    good = np.ones(len(total))
    for events, bad in each:
        good *= 1.0 - _ratio(bad, events)
    return total, np.asarray(total * (1.0 - good), dtype=np.float64)


def _kept(sli: Composite, parts: Sequence[Countable], own: Mask | None) -> Mask | None:
    """The buckets in which the composite counts: the entry does, or any part, and its own service is not at work."""
    masks = [part.keep for part in (parts[:1] if sli.combine == "all" else parts)]
    keep = None if any(mask is None for mask in masks) else np.logical_or.reduce([m for m in masks if m is not None])
    if own is None or keep is None:
        return own if keep is None else np.asarray(keep)
    return np.asarray(keep & own)


def _coverage(sli: Composite, parts: Sequence[Countable]) -> Floats:
    """How much of each bucket was observed: of the part that was least, where any can spoil it, or the (weighted) mean;
    without the parts that are excluded then."""
    kept = np.array([np.ones(part.grid.count) if part.keep is None else part.keep * 1.0 for part in parts])
    seen = np.array([part.coverage for part in parts])
    if sli.combine in ("all", "worst"):
        least = np.where(kept > 0, seen, np.inf).min(axis=0)
        return np.where(np.isfinite(least), least, 0.0)
    weights = np.array([1.0 if part.weight is None else part.weight for part in sli.of])[:, None] * kept
    return _ratio((weights * seen).sum(axis=0), weights.sum(axis=0))


def _each(values: Floats) -> Floats:
    """Every bucket as a period of its own."""
    return values


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, 0 where there is nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0), dtype=np.float64)
