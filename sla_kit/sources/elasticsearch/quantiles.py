"""Durations counted by bounds that depend on nothing but the promise, so that every reading gives the same figures.

A quantile is then taken from those counts by interpolation, as from a histogram of Prometheus. What is promised, the
share at or under the threshold, is exact, for the threshold is one of the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sla_kit.timeline import Floats

#: Ten bounds a decade, from a tenth of the threshold to ten times it; beyond that two a decade. Two neighbours near the
#: threshold differ by the factor 10^(1/10): a quantile between them is off by less than 26 % of the lower one.
_EXPONENTS = (-2.0, -1.5, *(step / 10 for step in range(-10, 11)), 1.5, 2.0, 2.5, 3.0)
RATIO = 10**0.1
#: By how much a quantile was seen to be off, in steps: a message must not differ from one reading to the next.
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.26, 0.5, 1.0)


def bounds_of(threshold: float) -> Floats:
    """The upper bounds in seconds for a threshold in seconds, ascending, the last +Inf."""
    finite = [threshold if not each else float(f"{threshold * 10**each:.4g}") for each in _EXPONENTS]
    return np.array([*finite, np.inf])


def upper_ends(bounds: Floats, unit_seconds: float, types: Sequence[str]) -> list[float]:
    """The bounds (but the last) in a field's own unit, each moved up to the next number that the field's type can hold:
    a range aggregation leaves its upper end out, and what is exactly on a bound belongs under it."""
    found: list[float] = []
    for bound in bounds[:-1]:
        value = float(f"{bound / unit_seconds:.12g}")  # 0.1 / 1e-9 is not quite 100,000,000
        if "half_float" in types:
            found.append(float(np.nextafter(np.float16(value), np.float16(np.inf))))
        elif "float" in types:
            found.append(float(np.nextafter(np.float32(value), np.float32(np.inf))))
        else:
            found.append(float(np.nextafter(value, np.inf)))
    return found


def cumulative(counts: Floats) -> Floats:
    """Events between the bounds (n, k) as those at or under each bound."""
    return np.cumsum(counts, axis=1)


def error_step(estimate: float, measured: float) -> str:
    """How far an estimate was from the measured quantile, as the least step that is no smaller: "at most 1 %".

    Of a quantile of 0 there is no share to be off by: "".
    """
    if measured <= 0:
        return ""
    off = abs(estimate - measured) / measured
    return next((f"at most {step:.0%}" for step in _STEPS if off <= step), "more than 100%").replace("%", " %")
