"""How good forecasts were, once the time they were about has come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: What was forecast and what came: the two ends of an interval and the value that came.
Held = tuple[float, float, float]


def mean_absolute_error(pairs: Sequence[tuple[float, float]]) -> float:
    """The mean distance of forecast and truth; NaN of none."""
    return float(np.mean([abs(forecast - truth) for forecast, truth in pairs])) if pairs else float("nan")


def median_absolute_error(pairs: Sequence[tuple[float, float]]) -> float:
    """The median distance of forecast and truth, which one catastrophe does not move; NaN of none."""
    return float(np.median([abs(forecast - truth) for forecast, truth in pairs])) if pairs else float("nan")


def coverage(intervals: Sequence[Held]) -> float:
    """The share of intervals (low, high, truth) that hold the truth; an 80 % interval should hold about 80 %."""
    return float(np.mean([low <= truth <= high for low, high, truth in intervals])) if intervals else float("nan")


def interval_score(intervals: Sequence[Held], share: float) -> float:
    """The mean interval score of intervals that claim to hold a ``share``: their width, and where they miss the truth
    2 / (1 - share) times by how much. Wide ones and wrong ones cost; lower is better (T. Gneiting and A. E. Raftery,
    "Strictly proper scoring rules", JASA 102, 2007, eq. 43)."""
    penalty = 2.0 / (1.0 - share)
    return float(
        np.mean(
            [
                high - low + penalty * max(0.0, low - truth) + penalty * max(0.0, truth - high)
                for low, high, truth in intervals
            ]
        )
    )


def brier(probabilities: Sequence[tuple[float, bool]]) -> float:
    """The mean square distance of a probability and what came (1 or 0): 0 is perfect, 0.25 is what 50 % always gets
    (G. W. Brier, Monthly Weather Review 78, 1950)."""
    return float(np.mean([(chance - came) ** 2 for chance, came in probabilities])) if probabilities else float("nan")
