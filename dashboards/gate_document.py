"""What is wrong with a dashboard's document as Grafana reads it, whatever it asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from sla_kit.dashboards.colors import MEANING, SERIES
from sla_kit.dashboards.grafana import SCHEMA_VERSION
from sla_kit.dashboards.model import COLUMNS
from sla_kit.dashboards.units import known_unit

_LONGEST_UID = 40
_COLORS = frozenset({*SERIES.values(), *MEANING.values(), "transparent"})

#: Where it is wrong, and what.
Found = Iterator[tuple[str, str]]


def of_document(document: Mapping[str, Any]) -> Found:
    """Everything that is wrong with it."""
    if document.get("editable"):
        yield "dashboard", "it is editable: what is changed in Grafana would be lost"
    if document.get("schemaVersion") != SCHEMA_VERSION:
        yield "dashboard", f"its schemaVersion is not {SCHEMA_VERSION}"
    for field in ("title", "description", "uid"):
        if not str(document.get(field, "")).strip():
            yield "dashboard", f"it has no {field}"
    if not re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{_LONGEST_UID}}}", str(document.get("uid", ""))):
        yield "dashboard", f"its uid has other characters than letters, digits, - and _, or more than {_LONGEST_UID}"
    for name in _twice(variable["name"] for variable in document["templating"]["list"]):
        yield "dashboard", f"two variables are called {name}"
    panels = panels_of(document)
    for number in _twice(panel["id"] for panel in panels):
        yield "dashboard", f"two panels have the id {number}"
    for annotation in document["annotations"]["list"]:
        if annotation["iconColor"] not in _COLORS:
            yield f"annotation {annotation['name']!r}", f"its colour {annotation['iconColor']} is none of colors.py's"
    for panel in panels:
        if panel["type"] != "row":
            yield from _panel(panel)
    yield from _placed([panel for panel in document["panels"] if not panel.get("collapsed")])
    for outer in document["panels"]:
        yield from _placed(outer.get("panels", []))


def panels_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every panel, also those that a collapsed row hides, and the rows."""
    return [each for panel in document["panels"] for each in (panel, *panel.get("panels", []))]


def place_of(panel: Mapping[str, Any]) -> str:
    """How a panel is called in a message."""
    return f"panel {panel.get('title')!r}"


def _panel(panel: Mapping[str, Any]) -> Found:
    place = place_of(panel)
    for field in ("title", "description"):
        if not str(panel.get(field, "")).strip():
            yield place, f"it has no {field}"
    if not panel.get("targets"):
        yield place, "it has no queries"
    for source in (panel.get("datasource"), *(target.get("datasource") for target in panel.get("targets", []))):
        if not re.fullmatch(r"\$\{\w+\}", str((source or {}).get("uid", ""))):
            yield place, "its data source is not a variable"
    config = panel.get("fieldConfig", {})
    defaults, overrides = config.get("defaults", {}), config.get("overrides", [])
    if not defaults.get("unit"):
        yield place, "it has no unit"
    yield from _steps(place, defaults.get("thresholds", {}).get("steps", []))
    units, colors = [defaults.get("unit", "")], [*_colors(defaults)]
    for override in overrides:
        values = {each["id"]: each["value"] for each in override["properties"]}
        units.append(values.get("unit", ""))
        where = f"{place}, column {override['matcher']['options']!r}"
        yield from _steps(where, values.get("thresholds", {}).get("steps", []))
        colors += _colors(values)
    for unit in dict.fromkeys(units):
        if unit and not known_unit(unit):
            yield place, f"Grafana knows no unit {unit!r}"
    for color in dict.fromkeys(colors):
        if color not in _COLORS:
            yield place, f"its colour {color} is none of colors.py's"
    fixed = [each["value"]["fixedColor"] for one in overrides for each in one["properties"] if each["id"] == "color"]
    if _twice(fixed):
        yield place, "two of its queries have the same colour"


def _colors(config: Mapping[str, Any]) -> Iterator[str]:
    """Every colour of a field's configuration, or of a column's."""
    yield from (step["color"] for step in config.get("thresholds", {}).get("steps", []))
    for mapping in config.get("mappings", []):
        yield from (option["color"] for option in mapping["options"].values() if "color" in option)
    if "fixedColor" in config.get("color", {}):
        yield config["color"]["fixedColor"]


def _steps(place: str, steps: Sequence[Mapping[str, Any]]) -> Found:
    values = [step["value"] for step in steps]
    if values and (values[0] is not None or any(value is None for value in values[1:])):
        yield place, "only the first of its limits may have no value, and must have none"
    given = [value for value in values if value is not None]
    if any(low == high for low, high in pairwise(given)):
        yield place, "two of its limits are the same"
    elif any(low > high for low, high in pairwise(given)):
        yield place, "its limits do not rise"


def _placed(panels: Sequence[Mapping[str, Any]]) -> Found:
    for panel in panels:
        where = panel["gridPos"]
        if where["x"] < 0 or where["w"] < 1 or where["h"] < 1 or where["x"] + where["w"] > COLUMNS:
            yield place_of(panel), "it does not lie on the grid"
    for one, other in combinations(panels, 2):
        a, b = one["gridPos"], other["gridPos"]
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not beside and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            yield place_of(one), f"it overlaps {other.get('title')!r}"


def _twice(values: Any) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]
