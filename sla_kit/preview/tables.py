"""The lines of a table panel: what its queries gave, put together by their labels, as its transformations say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sla_kit.preview.answers import Answered
from sla_kit.preview.fields import Field, Shown


@dataclass(frozen=True, slots=True)
class Table:
    """Headings, and in each line a cell for each of them."""

    headings: tuple[str, ...]
    lines: tuple[tuple[Shown, ...], ...]
    numeric: tuple[bool, ...]


def table_of(panel: Mapping[str, Any], answers: Sequence[Answered], now: float) -> Table:
    """A table panel's lines, sorted as it says."""
    found: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    single = len(answers) == 1
    for answered in answers:
        column = "Value" if single else f"Value #{answered.ref}"
        if answered.answer is None:
            continue
        for row, labels in enumerate(answered.answer.labels):
            if answered.answer.present[row, -1]:
                key = tuple(sorted((name, value) for name, value in labels.items() if name != "__name__"))
                found.setdefault(key, {})[column] = float(answered.answer.values[row, -1])
    organize: Mapping[str, Any] = next(
        (each["options"] for each in panel.get("transformations", []) if each["id"] == "organize"), {}
    )
    hidden, names = organize.get("excludeByName", {}), organize.get("renameByName", {})
    order = organize.get("indexByName", {})
    names_of_labels = dict.fromkeys(name for key in found for name, _ in key)
    values = ["Value"] if single else [f"Value #{answered.ref}" for answered in answers]
    columns = [name for name in (*sorted(names_of_labels), *values) if not hidden.get(name)]
    columns.sort(key=lambda name: order.get(name, len(order) + 1))
    sort = next(iter(panel.get("options", {}).get("sortBy", [])), None)
    lines: list[dict[str, Any]] = [{**dict(key), **numbers} for key, numbers in found.items()]
    if sort:
        source = next((name for name in columns if names.get(name, name) == sort["displayName"]), sort["displayName"])
        lines.sort(key=lambda line: _sortable(line.get(source)), reverse=bool(sort.get("desc")))
    fields = {name: Field.of(panel, now, name=names.get(name, name)) for name in columns}
    return Table(
        tuple(names.get(name, name) for name in columns),
        tuple(tuple(_cell(fields[name], line.get(name)) for name in columns) for line in lines),
        tuple(name in values for name in columns),
    )


def _sortable(value: Any) -> tuple[int, float, str]:
    if isinstance(value, float):
        return 1, value if value == value else float("-inf"), ""
    return 0, 0.0, str(value or "")


def _cell(field: Field, value: Any) -> Shown:
    if isinstance(value, float):
        return field.shown(value)
    for mapping in field.config.get("mappings", []):
        option = mapping.get("options", {}).get(str(value))
        if option:
            return Shown(str(option.get("text", value)), str(option.get("color", "")))
    return Shown("" if value is None else str(value), "")
