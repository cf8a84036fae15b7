"""What a cluster has beside what it should have: pure, in the words of one form.

A cluster gives back what it was told in another form: settings nested and as texts, defaults added, times of change.
Both sides are brought to paths and values before they are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: What Elasticsearch adds to an object that says nothing of it.
_ADDED = frozenset({"created_date", "created_date_millis", "modified_date", "modified_date_millis", "deprecated"})
#: What it answers where nothing was said: as good as not there.
_NOTHING: tuple[object, ...] = (None, False, {}, [])


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is not as it should be; ``before`` or ``after`` is "" where there is none. Both are JSON."""

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.path}: {self.after}"
        if not self.after:
            return f"- {self.path}: {self.before}"
        return f"~ {self.path}: {self.before} -> {self.after}"


def changes(wanted: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[Change, ...]:
    """What must change for ``current`` to be as ``wanted``, by path."""
    to, now = dict(_flat("", wanted)), dict(_flat("", current))
    found = [
        Change(path, now.get(path, ""), to.get(path, ""))
        for path in (*to, *(path for path in now if path not in to))
        if to.get(path, "") != now.get(path, "")
    ]
    return tuple(sorted(found, key=lambda change: _natural(change.path)))


def mapping_changes(
    wanted: Mapping[str, Any], current: Mapping[str, Any]
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """What an index's mapping lacks and can be given, and what it has otherwise and keeps: the type of a field does not
    change. Fields that are only in the index came with documents, and are no difference."""
    to, now = dict(_fields("", wanted)), dict(_fields("", current))
    missing: list[Change] = []
    fixed: list[Change] = []
    for name, field in to.items():
        if name not in now:
            blocked = [other for other in now if name.startswith(f"{other}.") or other.startswith(f"{name}.")]
            change = Change(name, _text(now[blocked[0]]) if blocked else "", _text(field))
            (fixed if blocked else missing).append(change)
        elif _text(now[name]) != _text(field):
            fixed.append(Change(name, _text(now[name]), _text(field)))
    return tuple(missing), tuple(fixed)


def settings_changes(wanted: Mapping[str, Any], current: Mapping[str, Any]) -> tuple[Change, ...]:
    """The wanted settings that an index has otherwise; what it has besides is its own."""
    now = dict(_settings("", current))
    return tuple(
        Change(path, now.get(path, ""), value) for path, value in _settings("", wanted) if now.get(path, "") != value
    )


def covers(pattern: str, name: str) -> bool:
    """Whether a template's index pattern, in which "*" stands for any text, is about an index of that name."""
    first, *others = pattern.split("*")
    if not others:
        return pattern == name
    if not name.startswith(first) or not name[len(first) :].endswith(others[-1]):
        return False
    rest = name[len(first) : len(name) - len(others[-1])]
    for part in others[:-1]:
        place = rest.find(part)
        if place < 0:
            return False
        rest = rest[place + len(part) :]
    return True


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    name = path.rpartition(".")[2]
    if path in ("settings", "template.settings"):
        for key, text in _settings("", value or {}):
            yield f"{path}.{key}", text
    elif name in _ADDED or value in _NOTHING:
        return
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, inner in enumerate(value):
            yield from _flat(f"{path}[{number}]", inner)
    else:
        yield path, _text(value)


def _settings(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Settings by their full name, as texts: ``{"index": {"codec": "x"}}`` and ``{"codec": "x"}`` are one."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _settings(f"{path}.{key}" if path else str(key), inner)
    elif value is not None:
        text = str(value).lower() if isinstance(value, bool) else value if isinstance(value, list) else str(value)
        yield path if path.startswith("index.") else f"index.{path}", _text(text)


def _fields(path: str, mapping: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in mapping.get("properties", {}).items():
        place = f"{path}.{name}" if path else name
        if "properties" in field:
            yield from _fields(place, field)
        else:
            # The time of a data stream is always strict, and its index says so.
            yield place, {key: value for key, value in field.items() if (key, value) != ("ignore_malformed", False)}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _natural(path: str) -> tuple[object, ...]:
    """Places in a list in the order of their numbers."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in path.replace("]", "").split("["))
