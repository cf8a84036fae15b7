"""Figures and budgets from counted events: the SLI, its interval, the verdict and the error budget."""

from __future__ import annotations

from math import sqrt

import numpy as np

from sla_kit.engine.budgeting import SLACK, Countable, Terms
from sla_kit.engine.results import Budget, Figure
from sla_kit.timeline import Floats, Mask

#: The 97.5 % point of the normal distribution: 95 % lie between it and its negative.
Z95 = 1.959963984540054
#: Reasons of an open verdict that are no want of data: nothing happened, or too little.
ALL_EXCLUDED, NO_TRAFFIC, TOO_FEW = "all of it is excluded", "no traffic", "too few events to say"


def figure(
    counted: Countable,
    where: slice,
    terms: Terms,
    *,
    seconds: float | None = None,
    inside: Mask | None = None,
    value: float | None = None,
) -> Figure:
    """What the buckets ``where`` (and ``inside`` that slice, a mask of its shape) say of a promise.

    ``seconds`` is the length of the period for the budget in minutes, that of the buckets taken where None. Never
    divides by zero: without events ``sli`` is None, and ``reason`` says why.
    """

    def summed(values: Floats) -> Floats:
        part = values[where] if inside is None else values[where][inside]
        return np.asarray([np.add.reduce(part)])

    total, bad = counted.sums(summed)
    coverage = counted.coverage[where]
    taken = inside if counted.keep is None else counted.keep[where] if inside is None else inside & counted.keep[where]
    if taken is not None:
        coverage = coverage[taken]
    length = len(coverage) * counted.grid.step if seconds is None else seconds
    return figure_of(
        float(total[0]),
        float(bad[0]),
        float(coverage.mean()) if len(coverage) else 0.0,
        terms,
        seconds=length,
        occurrences=counted.occurrences,
        excluded=not len(coverage) and len(counted.coverage[where]) > 0,
        value=value,
    )


def figure_of(
    total: float,
    bad: float,
    coverage: float,
    terms: Terms,
    *,
    seconds: float,
    occurrences: bool = True,
    excluded: bool = False,
    value: float | None = None,
) -> Figure:
    """A figure from sums: ``total`` and ``bad`` events, the coverage of the period, and its length in seconds."""
    bad = min(max(bad, 0.0), total)
    sli = (total - bad) / total if total > 0 else None
    interval = wilson(total - bad, total) if occurrences and total > 0 else None
    met, reason = verdict(total, bad, coverage, interval, terms, excluded=excluded)
    return Figure(
        sli=sli,
        good=total - bad,
        bad=bad,
        total=total,
        coverage=coverage,
        met=met,
        budget=budget(total, bad, terms.allowed_ratio, seconds),
        reason=reason,
        interval=interval,
        value=value,
    )


def verdict(
    total: float,
    bad: float,
    coverage: float,
    interval: tuple[float, float] | None,
    terms: Terms,
    *,
    excluded: bool = False,
) -> tuple[bool | None, str]:
    """Whether the promise was met, and why that can't be told where it can't.

    An SLO of occurrences with less than one bad event allowed says nothing as long as the interval of its SLI holds
    the objective: neither the luck of no error nor the bad luck of one is evidence.
    """
    if total <= 0:
        if excluded:
            return None, ALL_EXCLUDED
        return None, NO_TRAFFIC if coverage > 0 else "no data"
    if terms.missing == "fail" and coverage < terms.min_coverage * (1.0 - SLACK):
        return None, f"coverage {percent(coverage)} is under {percent(terms.min_coverage)}"
    allowed = total * terms.allowed_ratio
    too_few = terms.few_events and interval is not None and allowed < 1.0 - 1e-9
    if too_few and interval is not None and interval[0] <= terms.objective <= interval[1]:
        return None, TOO_FEW
    # Sums of fractions are off by a little, and so is 1 - objective (by up to 1e-16): equal counts as met.
    return bad <= allowed * (1.0 + SLACK) + 1e-15 * total, ""


def budget(total: float, bad: float, allowed_ratio: float, seconds: float) -> Budget:
    """The error budget of a period of ``seconds`` with that many events."""
    allowed = total * allowed_ratio
    minutes = allowed_ratio * seconds / 60.0
    left = allowed - bad
    if allowed <= 0:
        return Budget(allowed, bad, left, None, minutes, None)
    return Budget(allowed, bad, left, left / allowed, minutes, minutes * bad / allowed)


def wilson(good: float, total: float) -> tuple[float, float]:
    """The 95 % score interval of a proportion, 0 to 1: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", JASA 22 (1927). Unlike the normal one it stays inside 0 and 1 and holds for few events."""
    ratio, square = good / total, Z95 * Z95
    centre = (good + square / 2) / (total + square)
    half = Z95 / (total + square) * sqrt(good * (1 - ratio) + square / 4)
    return (max(0.0, min(centre - half, ratio)), min(1.0, max(centre + half, ratio)))


def percent(ratio: float) -> str:
    """A ratio for a sentence: "99.95 %", "41 %"; never rounded up to 100 %."""
    value = ratio * 100.0
    for digits in range(7):
        text = f"{value:.{digits}f}"
        if abs(float(text) - value) <= (100.0 - value) * 0.05 and (float(text) < 100 or ratio >= 1):
            return f"{text} %"
    return f"{value:.6f} %" if ratio >= 1 else f"{min(value, 99.999999):.6f} %"
