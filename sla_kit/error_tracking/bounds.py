"""How far a count by sample may be off, and whether a count rose by more than chance.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, log1p

from sla_kit.error_tracking.results import Estimate

#: Two-sided: the truth lies outside of the bounds in one case of twenty at most.
_OUTSIDE = 0.05
#: A rise that chance alone would bring less often than this is believed.
_BY_CHANCE = 0.01


def scaled(found: int, sample: int, population: int) -> Estimate:
    """How many of ``population`` events are of a kind of which ``found`` are among ``sample`` drawn at random, with
    95 % bounds: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of
    the binomial", Biometrika 26 (1934). They hold for a binomial count and are wider than needed where a large part of
    the population was drawn, for that is done without putting back."""
    if sample >= population:
        return Estimate.exactly(float(found))
    if not sample:
        return Estimate(0.0, 0.0, float(population))
    low, high = clopper_pearson(found, sample, _OUTSIDE)
    # What was found is there, and what was not found in the sample can't be.
    least, most = float(found), float(population - (sample - found))
    value = min(max(population * found / sample, least), most)
    return Estimate(value, min(max(population * low, least), value), max(min(population * high, most), value))


def clopper_pearson(found: int, sample: int, outside: float) -> tuple[float, float]:
    """The interval of a proportion that leaves it outside with probability ``outside`` at most, 0 to 1."""
    low = 0.0 if not found else _where(lambda p: _at_least(found, sample, p), outside / 2)
    high = (
        1.0 if found == sample else _where(lambda p: 1.0 - _at_least(found + 1, sample, p), outside / 2, falling=True)
    )
    return low, high


def rose(count: float, before: float) -> bool:
    """Whether a count is larger than that of the time of equal length before it by more than chance: under equal rates
    each event of both is one of the later with probability 1/2 (J. Przyborowski and H. Wilenski, "Homogeneity of
    results in testing samples from Poisson series", Biometrika 31 (1940)); one-sided, at 1 %."""
    later, earlier = round(count), round(before)
    return later > earlier and _at_least(later, later + earlier, 0.5) <= _BY_CHANCE


def added(estimates: list[Estimate]) -> Estimate:
    """The sum of numbers whose bounds were found each by itself: the bounds add, which is wider than needed."""
    return Estimate(
        sum(each.value for each in estimates), sum(each.low for each in estimates), sum(each.high for each in estimates)
    )


def without(total: Estimate, part: Estimate) -> Estimate:
    """What of a total is not in a part of it."""
    value = max(0.0, round(total.value - part.value, 6))  # sums of shares are not quite whole numbers
    return Estimate(value, min(value, max(0.0, total.low - part.high)), max(value, total.high - part.low))


def _where(probability: Callable[[float], float], wanted: float, falling: bool = False) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        enough = probability(middle) >= wanted
        if enough is not falling:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _at_least(found: int, sample: int, p: float) -> float:
    """The probability of at least ``found`` of ``sample``: a regularised incomplete beta function (Abramowitz and
    Stegun, 26.5.24)."""
    if found <= 0:
        return 1.0
    if found > sample or p <= 0:
        return 0.0
    return 1.0 if p >= 1 else _beta(float(found), float(sample - found + 1), p)


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22, as Lentz evaluates
    it)."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(b, a, 1.0 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    fraction = d
    for step in range(1, 2000):
        for numerator in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return min(1.0, front * fraction)
