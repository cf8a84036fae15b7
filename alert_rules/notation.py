"""Series of tests as promtool writes them: ``0x30 1x9`` is thirty-one zeros and ten ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sla_kit.alert_rules.alert import Number, Shape, Values


class Phase(NamedTuple):
    """So many samples of one kind, one after the other."""

    kind: Literal["good", "bad", "near"]
    samples: int


def number(value: Number, values: Values) -> float:
    """A number of a test with the thresholds in force."""
    return float(value(values) if callable(value) else value)


def written(shape: Shape, phases: Sequence[Phase], step: float, values: Values) -> str:
    """A series that goes through the phases, a sample every ``step`` seconds.

    The samples of a counter lie at the ends of the steps: the first of a phase has grown by that phase's rate.
    """
    parts: list[str] = []
    level = shape.start
    for phase in phases:
        value = _of(shape, phase)
        if phase.samples <= 0:
            continue
        if value is None:
            parts.append(f"_x{phase.samples}")
            continue
        each = number(value, values)
        if shape.kind == "gauge":
            # promtool 3 repeats no NaN.
            parts += ["NaN"] * phase.samples if math.isnan(each) else [f"{_plain(each)}x{phase.samples - 1}"]
            continue
        growth = each * step / 60.0
        sign = "-" if growth < 0 else "+"
        first = level + growth if parts else level
        parts.append(f"{_plain(first)}{sign}{_plain(abs(growth))}x{phase.samples - 1}")
        level = first + growth * (phase.samples - 1)
    return " ".join(parts)


def _of(shape: Shape, phase: Phase) -> Number | None:
    match phase.kind:
        case "good":
            return shape.good
        case "bad":
            return shape.bad
        case "near":
            return shape.bad if shape.near is None else shape.near


def _plain(value: float) -> str:
    if not math.isfinite(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
