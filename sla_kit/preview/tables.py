"""The lines of a table panel: what its queries gave, put together by their labels, as its transformations say."""

from __future__ import annotations

from collections import Counter
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
    single = len(answers) == 1
    lines = _merged(answers, single)
    organize: Mapping[str, Any] = next(
        (each["options"] for each in panel.get("transformations", []) if each["id"] == "organize"), {}
    )
    hidden, names = organize.get("excludeByName", {}), organize.get("renameByName", {})
    order = organize.get("indexByName", {})
    values = list(dict.fromkeys(_column(answered, single) for answered in answers))
    names_of_labels = dict.fromkeys(name for line in lines for name in line if name not in values)
    columns = [name for name in (*sorted(names_of_labels), *values) if not hidden.get(name)]
    columns.sort(key=lambda name: order.get(name, len(order) + 1))
    sort = next(iter(panel.get("options", {}).get("sortBy", [])), None)
    if sort:
        source = next((name for name in columns if names.get(name, name) == sort["displayName"]), sort["displayName"])
        lines.sort(key=lambda line: _sortable(line.get(source)), reverse=bool(sort.get("desc")))
    fields = {name: Field.of(panel, now, name=names.get(name, name)) for name in columns}
    return Table(
        tuple(names.get(name, name) for name in columns),
        tuple(tuple(_cell(fields[name], line.get(name)) for name in columns) for line in lines),
        tuple(name in values for name in columns),
    )


def _merged(answers: Sequence[Answered], single: bool) -> list[dict[str, Any]]:
    """The lines of all queries, put together as Grafana's transformation merge does: by the labels that more than one
    query has, where no other label says something else."""
    frames: list[list[dict[str, Any]]] = []
    for answered in answers:
        if answered.answer is None:
            continue
        frames.append([])
        column = _column(answered, single)
        for row, labels in enumerate(answered.answer.labels):
            if answered.answer.present[row, -1]:
                plain = {name: value for name, value in labels.items() if name != "__name__"}
                frames[-1].append({**plain, column: float(answered.answer.values[row, -1])})
    if len(frames) < 2:
        return [line for frame in frames for line in frame]
    seen = Counter(name for frame in frames for name in {name for line in frame for name in line})
    shared = sorted(name for name, times in seen.items() if times > 1)
    found: list[dict[str, Any]] = []
    by_key: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for frame in frames:
        for line in frame:
            alike = by_key.setdefault(tuple(line.get(name, "") for name in shared), [])
            fitting = next((each for each in alike if all(each.get(k, v) == v for k, v in line.items())), None)
            # Within one query every line stands alone.
            if fitting is None or line.keys() & fitting.keys() - set(shared):
                alike.append(line)
                found.append(line)
            else:
                fitting.update(line)
    return found


def _column(answered: Answered, single: bool) -> str:
    """What Grafana calls the column of a query's values."""
    return answered.counted or ("Value" if single else f"Value #{answered.ref}")


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
