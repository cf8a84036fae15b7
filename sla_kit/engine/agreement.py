"""Two SLOs that measure the same by different means, set side by side: whether they tell the same, and where not.

Logs and metrics of one service see the same requests. Where they differ by more than a bound, one of them does not see
what the other sees: lines are lost, or a counter is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sla_kit.catalogue.logs import Comparison
from sla_kit.catalogue.model import Catalogue, Slo
from sla_kit.engine.budgeting import Counted
from sla_kit.engine.context import Judgement
from sla_kit.engine.figures import percent
from sla_kit.engine.results import Figure, Period, SloResult
from sla_kit.timeline import Finding

#: Differences that exceed their bound by less than this are floating-point noise.
_SLACK = 1e-12
#: As many stretches are told where the two differ most, each an hour long (a bucket where buckets are longer).
_SHOWN = 3
_STRETCH_SECONDS = 3600

Means = Literal["logs", "metrics"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One of the two: what it is measured by, its figure over the report's window, and the same with exclusions in."""

    service: str
    slo: str
    kind: str
    means: Means
    objective: float
    figure: Figure
    without_exclusions: Figure

    @property
    def key(self) -> tuple[str, str]:
        """Service and name."""
        return self.service, self.slo


@dataclass(frozen=True, slots=True)
class Divergence:
    """A stretch (start, end] in which the two counted differently: bad and total events of the first and the second."""

    start: int
    end: int
    bad: tuple[float, float]
    total: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two SLOs that measure the same.

    ``difference`` is the first's SLI less the second's, ``whole_difference`` the same with exclusions in, None where
    one of them has none; ``total_difference`` that of the totals as a share of the larger, None where there were no
    events, or one was not observed. ``within`` and ``total_within`` bound them. ``agree`` is None where it can't be
    told, and ``reason`` says why, or by what they disagree. ``most`` are the stretches that differ most, the worst
    first.
    """

    first: Measured
    second: Measured
    within: float
    total_within: float | None
    difference: float | None
    whole_difference: float | None
    total_difference: float | None
    agree: bool | None
    reason: str
    most: tuple[Divergence, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Service and name of the SLO that was compared."""
        return self.first.key


def side_by_side(catalogue: Catalogue, slo: Slo, mine: Judgement, other: Judgement) -> SideBySide:
    """Compares an SLO that has ``compare_with`` with the one it names. The judgements may have kept their counts, by
    which it is told where they differ most."""
    declared = slo.compare_with
    if declared is None:
        raise ValueError(f"{'/'.join(mine.result.key)} is compared with nothing")
    least = {(service.name, each.name): each.min_coverage for service, each in catalogue.slos()}
    first, second = _measured(mine.result), _measured(other.result)
    difference = _less(first.figure.sli, second.figure.sli)
    observed = first.figure.coverage > 0 and second.figure.coverage > 0  # what nobody saw is not none
    totals = relative(first.figure.total, second.figure.total) if observed else None
    agree, reason = _verdict(declared, (first, second), difference, totals, least)
    return SideBySide(
        first,
        second,
        declared.within,
        declared.total_within,
        difference,
        _less(first.without_exclusions.sli, second.without_exclusions.sli),
        totals,
        agree,
        reason,
        divergences(mine, other, mine.result.window) if observed else (),
    )


def disagreement(compared: SideBySide, window: Period) -> Finding | None:
    """The finding of two SLOs that differ by more than they may."""
    if compared.agree is not False:
        return None
    return Finding("disagreement", compared.reason, 0, window.start, window.end)


def relative(one: float, other: float) -> float | None:
    """How far apart two numbers of events are, as a share of the larger; None where both are 0."""
    larger = max(one, other)
    return abs(one - other) / larger if larger > 0 else None


def divergences(mine: Judgement, other: Judgement, window: Period) -> tuple[Divergence, ...]:
    """The stretches of a window whose bad events differ most, or whose totals do where no bad ones differ; nothing
    where it is not known what was counted, or different things were."""
    if mine.counts is None or other.counts is None or mine.grid != other.grid:
        return ()
    one, two = mine.counts.counted, other.counts.counted
    if not isinstance(one, Counted) or not isinstance(two, Counted) or one.unit != two.unit:
        return ()
    where = mine.grid.slice(window.start, window.end)
    ends = mine.grid.ends[where]
    if not ends.size:
        return ()
    number = (ends - mine.grid.step) // max(_STRETCH_SECONDS, mine.grid.step)
    number = number - number[0]
    bad, total = (
        [np.bincount(number, weights=values[where]) for values in both]
        for both in ((one.bad, two.bad), (one.total, two.total))
    )
    apart = np.abs(bad[0] - bad[1])
    if not (apart > _SLACK).any():
        apart = np.abs(total[0] - total[1])
    found = []
    for at in np.argsort(-apart, kind="stable")[:_SHOWN]:
        if apart[at] <= 1e-6:
            break
        inside = np.flatnonzero(number == at)
        found.append(
            Divergence(
                int(ends[inside[0]]) - mine.grid.step,
                int(ends[inside[-1]]),
                (float(bad[0][at]), float(bad[1][at])),
                (float(total[0][at]), float(total[1][at])),
            )
        )
    return tuple(found)


def _measured(result: SloResult) -> Measured:
    return Measured(
        result.service,
        result.slo,
        result.kind,
        "logs" if result.kind.startswith("log-") else "metrics",
        result.objective,
        result.figure,
        result.without_exclusions,
    )


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _verdict(
    declared: Comparison,
    both: tuple[Measured, Measured],
    difference: float | None,
    totals: float | None,
    least: Mapping[tuple[str, str], float],
) -> tuple[bool | None, str]:
    first, second = (each.figure for each in both)
    for each in both:
        needed = least.get(each.key, 0.0)
        name = "/".join(each.key)
        if each.figure.coverage <= 0:
            return None, f"nothing was observed of {name}"
        if each.figure.coverage < needed:
            return None, f"only {percent(each.figure.coverage)} of {name} was observed, {percent(needed)} are needed"
    if first.sli is not None and second.sli is not None and abs(first.sli - second.sli) > declared.within + _SLACK:
        said = _said(both, *_told_apart(first.sli, second.sli))
        return False, f"{said} differ by {_apart(first.sli - second.sli)}, more than {_apart(declared.within)}"
    if totals is not None and declared.total_within is not None and totals > declared.total_within + _SLACK:
        events = f"{round(first.total)} events", f"{round(second.total)} events"
        return False, f"{_said(both, *events)} differ by {_apart(totals)}, more than {_apart(declared.total_within)}"
    if difference is None:
        return None, "no events to compare" if totals is None else "one of the two has no events"
    return True, ""


def _said(both: tuple[Measured, Measured], one: str, other: str) -> str:
    """Both with their figures: availability by logs 99.91 % and by metrics 99.99 %."""
    first, second = both
    if first.means != second.means:
        return f"{second.slo} by {first.means} {one} and by {second.means} {other}"
    return f"{'/'.join(first.key)} {one} and {'/'.join(second.key)} {other}"


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Two ratios with the digits that their difference needs."""
    texts, apart = (percent(one), percent(other)), abs(one - other) * 100.0
    for digits in range(1, 7):
        shown, beside = (float(text.removesuffix(" %")) for text in texts)
        if abs(abs(shown - beside) - apart) <= 0.2 * apart:
            break
        texts = f"{one * 100.0:.{digits}f} %", f"{other * 100.0:.{digits}f} %"
    return texts


def _apart(ratio: float) -> str:
    return f"{abs(ratio) * 100:.2g} %"
