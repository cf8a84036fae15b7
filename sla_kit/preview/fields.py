"""How a panel's document says that a value is shown: its name, its text, its colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sla_kit.preview.answers import Answered
from sla_kit.preview.units import text

_LABEL = re.compile(r"{{\s*(?:term\s+)?([\w.]+)\s*}}")
#: Grafana's own palette, for series of which a dashboard says nothing.
PALETTE = ("#73BF69", "#F2CC0C", "#8AB8FF", "#FF780A", "#F2495C", "#5794F2", "#B877D9", "#705DA0", "#37872D", "#FADE2A")
GREY = "#6E7077"


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as it is shown; ``color`` is "" where it has none of its own."""

    text: str
    color: str


@dataclass(frozen=True, slots=True)
class Field:
    """The ``fieldConfig`` in force for one query or column."""

    config: Mapping[str, Any]
    now: float

    @classmethod
    def of(cls, panel: Mapping[str, Any], now: float, *, ref: str = "", name: str = "") -> Field:
        """That of the query ``ref``, or of the column called ``name``."""
        config = panel.get("fieldConfig", {})
        found: dict[str, Any] = dict(config.get("defaults", {}))
        for override in config.get("overrides", []):
            matcher = override["matcher"]
            hit = (matcher["id"] == "byFrameRefID" and ref and matcher["options"] == ref) or (
                matcher["id"] == "byName" and name and matcher["options"] == name
            )
            if hit:
                found.update({each["id"]: each["value"] for each in override["properties"]})
        return cls(found, now)

    @property
    def unit(self) -> str:
        """The name of its unit."""
        return str(self.config.get("unit", "short"))

    @property
    def fixed_color(self) -> str:
        """The colour that the document gives it, "" where it gives none."""
        color = self.config.get("color", {})
        return str(color.get("fixedColor", "")) if color.get("mode") == "fixed" else ""

    def steps(self) -> list[tuple[float | None, str]]:
        """The values from which on it has which colour."""
        return [(step["value"], step["color"]) for step in self.config.get("thresholds", {}).get("steps", [])]

    def lines(self) -> list[tuple[float, str]]:
        """The lines that Grafana draws for them (UPlotThresholds): each in the colour of what is above it. Up to a step
        that is transparent, what is below a line counts, and the line has its colour."""
        steps = self.steps()
        clear = next((place for place, (_, color) in enumerate(steps) if color == "transparent"), 0)
        found = [
            (value, before if place <= clear else color)
            for place, ((_, before), (value, color)) in enumerate(pairwise(steps), 1)
        ]
        return [(value, color) for value, color in found if value is not None and color != "transparent"]

    def shown(self, value: float) -> Shown:
        """A value as it is shown."""
        for mapping in self.config.get("mappings", []):
            option = mapping.get("options", {}).get(f"{value:g}") if mapping.get("type") == "value" else None
            if option:
                return Shown(str(option.get("text", f"{value:g}")), str(option.get("color", "")))
        return Shown(text(value, self.unit, self.config.get("decimals"), self.now), self.color(value))

    def color(self, value: float) -> str:
        """The colour of the step that a value has reached; "" where the document has no limits."""
        steps = self.steps()
        if len(steps) < 2:
            return ""
        found = steps[0][1]
        for least, color in steps[1:]:
            if least is not None and value >= least:
                found = color
        return found if found != "transparent" else ""


def legend(answered: Answered, labels: Mapping[str, str]) -> str:
    """What a series is called."""
    if answered.legend:
        return _LABEL.sub(lambda match: labels.get(match[1], ""), answered.legend)
    if answered.counted:
        return " ".join(labels.values()) or answered.counted
    if not labels:
        return answered.ref
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__") + "}"


def series(
    panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float
) -> Iterator[tuple[str, str, Answered, int]]:
    """Every series of a panel: its name, its colour, and which row of which answer it is."""
    number = 0
    for answered in answers:
        fixed = Field.of(panel, now, ref=answered.ref).fixed_color
        for row, labels in enumerate(answered.answer.labels if answered.answer else ()):
            yield legend(answered, labels), fixed or PALETTE[number % len(PALETTE)], answered, row
            number += 1
