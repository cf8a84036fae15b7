"""Histories for hypothesis: any labels, any values, times in whole milliseconds."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from sla_kit.history import History, Series
from sla_kit.sources.series import Labels, sorted_labels

NAMES = st.sampled_from(["requests_total", "up", "a:b_c", "x"])
#: Texts with everything that a reader could stumble over.
TEXTS = st.text(st.sampled_from('ab"\\\n{},=# \té%') | st.characters(exclude_categories=["Cs"]), max_size=12)
LABELS = st.dictionaries(st.sampled_from(["code", "le", "path", "_x"]), TEXTS, max_size=3)
VALUES = st.floats(width=64) | st.integers(0, 10**6).map(float)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Several series, each known by its own name and labels, with times ascending."""
    keys: dict[tuple[str, Labels], None] = {}
    for name, drawn in draw(st.lists(st.tuples(NAMES, LABELS), max_size=5)):
        keys[name, sorted_labels(drawn)] = None
    several = []
    for name, labels in keys:
        times = draw(st.lists(st.integers(-(10**12), 4 * 10**12), min_size=1, max_size=6, unique=True).map(sorted))
        values = draw(st.lists(VALUES, min_size=len(times), max_size=len(times)))
        several.append(Series(name, labels, np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)))
    return History(several)


def contents(history: History) -> dict[tuple[str, Labels], list[tuple[int, str]]]:
    """What a history holds, to the last bit, whatever the order of its series."""
    return {
        (one.metric, one.labels): [
            (time, "NaN" if math.isnan(value) else value.hex())
            for time, value in zip(one.times.tolist(), one.values.tolist(), strict=True)
        ]
        for one in history.series
    }
