"""Environments: what differs from the base of a catalogue, merged before anything is decoded.

Mappings merge key by key, apart from queries of documents, which are one thing. A list whose items have names merges
by name, and the overlay may write it as a list or as a mapping from name to changes. Other lists and scalars replace
what the base has; null takes it away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from sla_kit.catalogue.model import LOG_KINDS, Sli
from sla_kit.configuration.nodes import Mapping, Node, Scalar, Sequence, is_null
from sla_kit.configuration.places import Place, nearest
from sla_kit.errors import Mistake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_OF_DOCUMENTS = {str(each.__struct_config__.tag) for each in LOG_KINDS}
_KINDS = {str(each.__struct_config__.tag) for each in get_args(Sli)}


def environments(root: Mapping) -> tuple[Mapping, dict[str, tuple[Place, Mapping]], list[Mistake]]:
    """A catalogue's tree without its ``environments``, and these by name."""
    node = root.get("environments")
    base = Mapping(root.place, {key: entry for key, entry in root.entries.items() if key != "environments"})
    if node is None or is_null(node):
        return base, {}, []
    if not isinstance(node, Mapping):
        return base, {}, [node.place.mistake("environments must be a mapping from name to overlay", "dev: {...}")]
    overlays: dict[str, tuple[Place, Mapping]] = {}
    mistakes: list[Mistake] = []
    for name, (place, value) in node.entries.items():
        if not _NAME.fullmatch(name):
            hint = 'letters, digits, "-", "_" and ".", a letter or digit first'
            mistakes.append(place.mistake(f"{name[:60]!r} can't be the name of an environment", hint))
        if is_null(value):
            overlays[name] = (place, Mapping(value.place, {}))
        elif isinstance(value, Mapping):
            overlays[name] = (place, value)
        else:
            mistakes.append(value.place.mistake(f"the overlay {name} must be a mapping"))
    return base, overlays, mistakes


def apply(base: Mapping, overlay: Mapping) -> tuple[Mapping, list[Mistake]]:
    """The base with an overlay laid on it; every node keeps the line that it was written in."""
    mistakes: list[Mistake] = []
    return _mappings(base, overlay, mistakes), mistakes


def _merged(base: Node | None, over: Node, mistakes: list[Mistake]) -> Node:
    if isinstance(over, Mapping):
        if isinstance(base, Mapping) and not _other_kind(base, over):
            return _mappings(base, over, mistakes)
        if isinstance(base, Sequence) and _named(base):
            return _keyed(base, over, mistakes)
        return _without_nulls(over)
    if isinstance(over, Sequence) and isinstance(base, Sequence) and _named(base) and _named(over):
        return _by_name(base, over, mistakes)
    return over


def _other_kind(base: Mapping, over: Mapping) -> bool:
    """An indicator of another kind shares no keys with the one it replaces; matchers on a label that happens to be
    called kind are merged like any others."""
    before, after = base.get("kind"), over.get("kind")
    if not (isinstance(before, Scalar) and isinstance(after, Scalar)):
        return False
    return before.text != after.text and {before.text, after.text} <= _KINDS


def _mappings(base: Mapping, over: Mapping, mistakes: list[Mistake]) -> Mapping:
    entries = dict(base.entries)
    for key, (place, value) in over.entries.items():
        if is_null(value):
            if entries.pop(key, None) is None:
                mistakes.append(place.mistake(f"{key} is not there to be taken away", nearest(key, base.entries)))
        else:
            before = None if _is_query(base, key) else base.entries.get(key)
            entries[key] = (place, _merged(before[1] if before else None, value, mistakes))
    return Mapping(base.place, entries)


def _is_query(owner: Mapping, key: str) -> bool:
    """Whether what stands under a key selects documents, as a whole."""
    kind = owner.get("kind")
    sides = isinstance(kind, Scalar) and kind.text in _OF_DOCUMENTS
    return key == "query" or (sides and key in ("good", "bad"))


def _without_nulls(node: Mapping) -> Mapping:
    return Mapping(node.place, {key: entry for key, entry in node.entries.items() if not is_null(entry[1])})


def _name(item: Node) -> str | None:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name.text if isinstance(name, Scalar) else None


def _named(node: Sequence) -> bool:
    return bool(node.items) and all(_name(item) is not None for item in node.items)


def _by_name(base: Sequence, over: Sequence, mistakes: list[Mistake]) -> Sequence:
    items = list(base.items)
    known = {_name(item): index for index, item in enumerate(items)}
    for change in over.items:
        name = _name(change)
        index = known.get(name)
        if index is None:
            items.append(_added(change, name or "", known))
        else:
            items[index] = _merged(items[index], change, mistakes)
    return Sequence(base.place, tuple(items))


def _keyed(base: Sequence, over: Mapping, mistakes: list[Mistake]) -> Sequence:
    """Changes by name: ``services: {api: {...}, redis: null}`` on a list of services."""
    items: list[Node | None] = list(base.items)
    known = {name: index for index, item in enumerate(base.items) if (name := _name(item)) is not None}
    for name, (place, change) in over.entries.items():
        index = known.get(name)
        if is_null(change):
            if index is None:
                mistakes.append(place.mistake(f"{name} is not there to be taken away", nearest(name, known)))
            else:
                items[index] = None
        elif index is not None:
            items[index] = _merged(items[index], change, mistakes)
        elif isinstance(change, Mapping):
            own = {"name": (place, Scalar(place, name, "str")), **change.entries}
            items.append(_added(Mapping(place, own), name, known))
        else:
            mistakes.append(change.place.mistake(f"{name} must be a mapping"))
    return Sequence(base.place, tuple(item for item in items if item is not None))


def _added(item: Node, name: str, known: Iterable[str | None]) -> Node:
    """Something that only the overlay has, with a hint in case its name is a slip."""
    if not isinstance(item, Mapping):
        return item
    close = nearest(name, [each for each in known if each])
    return Mapping(item.place, item.entries, f"the base has no {name}" + (f": {close}" if close[:3] == "did" else ""))
