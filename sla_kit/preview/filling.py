"""The variables of a dashboard's document filled in, as Grafana fills them: its own, and those that people choose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sla_kit.rules.sides import promql_duration

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_VALUES = re.compile(r"^\s*label_values\(\s*(?:(?P<series>.+?)\s*,\s*)?(?P<label>\w+)\s*\)\s*$", re.DOTALL)
ALL = ".*"


@dataclass(frozen=True, slots=True)
class Range:
    """What is shown: from ``start`` to ``end`` (epoch seconds) in ``points`` steps, of series that are scraped every
    ``scrape_interval`` seconds."""

    start: int
    end: int
    points: int = 240
    scrape_interval: int = 15

    @property
    def step(self) -> int:
        """Whole seconds between two points, at least a scrape interval."""
        return max(self.scrape_interval, -(-(self.end - self.start) // self.points))

    def values(self) -> dict[str, str]:
        """The variables that are Grafana's own (grafana.com/docs: Prometheus query variables)."""
        scraped, step, whole = self.scrape_interval, self.step, self.end - self.start
        return {
            "__interval": promql_duration(step),
            "__interval_ms": str(step * 1000),
            "__rate_interval": promql_duration(max(4 * scraped, step + scraped)),
            "__range": promql_duration(whole),
            "__range_s": str(whole),
            "__range_ms": str(whole * 1000),
        }


def filled(text: str, values: Mapping[str, str]) -> str:
    """A query or title with its variables filled in; what is not known stays."""
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable that people choose: ``question`` has its values as those of ``label`` ("" where it can't be asked);
    ``chosen`` is its value at first, "" where that is the first there is."""

    name: str
    title: str
    label: str
    question: str
    chosen: str


def choices(document: Mapping[str, Any]) -> list[Choice]:
    """The variables that a dashboard's document lets people choose, in order; later ones may ask with earlier ones."""
    found = []
    for variable in document.get("templating", {}).get("list", []):
        name, title = variable["name"], variable.get("label") or variable["name"]
        chosen = _chosen(variable)
        if variable.get("type") in ("custom", "constant", "textbox", "interval"):
            found.append(Choice(name, title, "", "", chosen or _listed(variable)))
        if variable.get("type") != "query":
            continue
        asked = variable.get("query") or ""
        match = _VALUES.match(asked.get("query", "") if isinstance(asked, dict) else asked)
        label = match["label"] if match else ""
        question = f"count by ({label}) ({match['series']})" if match and match["series"] else ""
        found.append(Choice(name, title, label, question, chosen))
    return found


def _chosen(variable: Mapping[str, Any]) -> str:
    """What is chosen at first, several values as a pattern has them."""
    current = (variable.get("current") or {}).get("value") or ""
    values = current if isinstance(current, list) else [current]
    if "$__all" in values:
        return str(variable.get("allValue") or ALL)
    return "|".join(str(value) for value in values if value)


def _listed(variable: Mapping[str, Any]) -> str:
    """The first of the values that a variable lists, "text : value" or the value alone."""
    first = str(variable.get("query") or "").split(",")[0]
    return first.rpartition(" : ")[2].strip()
