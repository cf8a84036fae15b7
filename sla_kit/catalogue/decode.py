"""From a tree of YAML values to the typed catalogue, collecting every mistake on the way.

The tree is walked beside the types of `sla_kit.catalogue.model`; where a value can't be used a placeholder stands in
for it, so that everything else is still checked, and its path is remembered as broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping as AbstractMapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from msgspec import NODEFAULT, inspect

from sla_kit.catalogue.document import Mapping, Node, Place, Scalar, Sequence
from sla_kit.catalogue.forms import FormError, parse_duration, parse_number, parse_ratio
from sla_kit.catalogue.model import Catalogue, Promql, Sli, Window
from sla_kit.catalogue.nearest import suggest
from sla_kit.errors import Mistake

#: Where a value stands in the catalogue: ("services", 0, "slos", 2, "objective").
Path = tuple[str | int, ...]

#: What the loader sets and nobody writes.
_NOT_WRITTEN = {Catalogue: frozenset({"folder"})}
_FORMS: AbstractMapping[str, Callable[[str], float]] = {"duration": parse_duration, "ratio": parse_ratio}
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")
_CALENDAR = ("day", "week", "month", "quarter", "year")


@dataclass(slots=True)
class Places:
    """Where every value and key of a catalogue is written, and which paths hold placeholders."""

    top: Place
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)

    def of(self, path: Path) -> Place:
        """The place of a value, or of the nearest thing around it that is written."""
        for length in range(len(path), 0, -1):
            found = self.values.get(path[:length])
            if found is not None:
                return found
        return self.top

    def of_key(self, path: Path) -> Place:
        """The place of the key that a value stands under."""
        return self.keys.get(path) or self.of(path)


def decode(root: Mapping) -> tuple[Catalogue, Places, list[Mistake]]:
    """The catalogue that a tree says, with placeholders for what could not be used, and every mistake in it."""
    decoder = _Decoder(Places(root.place))
    catalogue = decoder.struct(root, _type_of(Catalogue), ())
    assert isinstance(catalogue, Catalogue)
    return catalogue, decoder.places, decoder.mistakes


@cache
def _type_of(struct: type[msgspec.Struct]) -> inspect.StructType:
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)
    return found


@cache
def fields_of(struct: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    """The fields of a struct that a catalogue may hold."""
    hidden = _NOT_WRITTEN.get(struct, frozenset())
    return tuple(entry for entry in _type_of(struct).fields if entry.name not in hidden)


def bare(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """A type without its annotations, and the form that these name ("" where none)."""
    form = ""
    while isinstance(kind, inspect.Metadata):
        form = form or str((kind.extra or {}).get("form", ""))
        kind = kind.type
    return kind, form


class _Unusable(Exception):
    """A value can't be used; its mistake has been noted."""


class _Decoder:
    """Walks types and tree side by side."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.mistakes: list[Mistake] = []

    def value(self, node: Node, kind: inspect.Type, path: Path) -> Any:
        """The value of a node; a placeholder where it can't be used."""
        self.places.values[path] = node.place
        try:
            return self._value(node, kind, path)
        except _Unusable:
            self.places.broken.add(path)
            return placeholder(kind)

    def _value(self, node: Node, kind: inspect.Type, path: Path) -> Any:
        kind, form = bare(kind)
        match kind:
            case inspect.StructType():
                if kind.cls is Window and isinstance(node, Scalar):
                    return self._window(node)
                return self.struct(self._mapping(node), kind, path)
            case inspect.UnionType():
                return self._union(node, kind, path)
            case inspect.ListType():
                if not isinstance(node, Sequence):
                    hint = f"write [{node.text}]" if isinstance(node, Scalar) and not node.is_null else ""
                    self._refuse(node, f"expected a list, not {_what(node)}", hint)
                return [self.value(item, kind.item_type, (*path, at)) for at, item in enumerate(node.items)]
            case inspect.DictType():
                mapping = self._mapping(node)
                return {key: self._entry(mapping, key, kind.value_type, path) for key in mapping.entries}
        return self._scalar(node, kind, form)

    def _entry(self, mapping: Mapping, key: str, kind: inspect.Type, path: Path) -> Any:
        place, node = mapping.entries[key]
        self.places.keys[*path, key] = place
        return self.value(node, kind, (*path, key))

    def struct(self, node: Mapping, kind: inspect.StructType, path: Path) -> Any:
        """A struct from a mapping, with every key checked."""
        fields = {entry.name: entry for entry in fields_of(kind.cls)}
        given: dict[str, Any] = {}
        for key, (place, value) in node.entries.items():
            if key in fields:
                self.places.keys[*path, key] = place
                if not (value_is_null(value) and not fields[key].required):
                    given[key] = self.value(value, fields[key].type, (*path, key))
            elif key != kind.tag_field:
                hint = suggest(key, [*fields, *([kind.tag_field] if kind.tag_field else [])])
                self._note(place, f"unknown key {key!r}", hint)
        for name, entry in fields.items():
            if entry.required and name not in node.entries:
                self._note(node.place, f"the key {name!r} is missing", node.note)
                self.places.broken.add((*path, name))
                given[name] = placeholder(entry.type)
        return kind.cls(**given)

    def _union(self, node: Node, kind: inspect.UnionType, path: Path) -> Any:
        members = [bare(member)[0] for member in kind.types]
        if value_is_null(node) and any(isinstance(member, inspect.NoneType) for member in members):
            return None
        annotated = [member for member in kind.types if not isinstance(bare(member)[0], inspect.NoneType)]
        if len(annotated) == 1:
            return self._value(node, annotated[0], path)
        structs = [member for member in members if isinstance(member, inspect.StructType)]
        if isinstance(node, Mapping) and structs:
            return self._tagged(node, structs, path)
        for member in annotated:
            inner = bare(member)[0]
            if isinstance(node, Sequence) and isinstance(inner, inspect.ListType):
                return self._value(node, member, path)
            if isinstance(node, Scalar) and isinstance(inner, inspect.StrType):
                return self._value(node, member, path)
        wanted = " or ".join(dict.fromkeys(_wanted(member) for member in members))
        self._refuse(node, f"expected {wanted}, not {_what(node)}")
        return None

    def _tagged(self, node: Mapping, structs: list[inspect.StructType], path: Path) -> Any:
        tags = {str(struct.tag): struct for struct in structs}
        tag_field = structs[0].tag_field or "kind"
        tag = node.get(tag_field)
        if tag is None:
            near = node.note or f"one of {', '.join(tags)}"
            self._refuse(node, f"the key {tag_field!r} is missing", near)
        elif not isinstance(tag, Scalar) or tag.text not in tags:
            text = tag.text if isinstance(tag, Scalar) else ""
            hint = suggest(text, tags) or f"one of {', '.join(tags)}"
            self._refuse(tag, f"there is no {tag_field} {text!r}" if text else f"{tag_field} must be a word", hint)
        else:
            return self.struct(node, tags[tag.text], path)

    def _window(self, node: Scalar) -> Window:
        text = node.text.strip()
        if text in _CALENDAR:
            return Window(calendar=text)
        try:
            return Window(rolling=parse_duration(text))
        except FormError as error:
            near = suggest(text, _CALENDAR) if text.isalpha() else error.hint
            hint = near if near.startswith(("did", "write")) else "write a length such as 30d, or day, week, month …"
            self._refuse(node, f"{node.text!r} is no window", hint)
            raise AssertionError from error

    def _scalar(self, node: Node, kind: inspect.Type, form: str) -> Any:
        if not isinstance(node, Scalar) or node.is_null:
            hint = ""
            if isinstance(node, Scalar) and isinstance(kind, inspect.StrType):
                hint = 'write "" for an empty text, or put quotes around the word null'
            self._refuse(node, f"expected {_wanted(kind, form)}, not {_what(node)}", hint)
            raise AssertionError
        text = node.text
        match kind:
            case inspect.StrType():
                return text
            case inspect.BoolType():
                if text.casefold() in _TRUE + _FALSE:
                    return text.casefold() in _TRUE
                self._refuse(node, f"expected true or false, not {text!r}")
            case inspect.LiteralType():
                if text in kind.values:
                    return text
                values = [str(value) for value in kind.values]
                self._refuse(node, f"expected {_listed(values)}, not {text!r}", _did_you_mean(text, values))
            case inspect.FloatType():
                try:
                    return _FORMS.get(form, parse_number)(text)
                except FormError as error:
                    self._refuse(node, str(error), error.hint)
        raise AssertionError(f"no decoder for {kind}")

    def _mapping(self, node: Node) -> Mapping:
        if not isinstance(node, Mapping):
            self._refuse(node, f"expected a mapping of keys, not {_what(node)}")
            raise AssertionError
        return node

    def _note(self, place: Place, message: str, hint: str = "") -> None:
        self.mistakes.append(place.mistake(message, hint))

    def _refuse(self, node: Node, message: str, hint: str = "") -> None:
        self._note(node.place, message, hint)
        raise _Unusable


def value_is_null(node: Node) -> bool:
    """Whether a node says that there is nothing."""
    return isinstance(node, Scalar) and node.is_null


def placeholder(kind: inspect.Type) -> Any:
    """What stands in for a value that could not be used: empty, of the right type, never seen by a caller."""
    kind = bare(kind)[0]
    match kind:
        case inspect.StructType():
            required = {entry.name: placeholder(entry.type) for entry in kind.fields if entry.required}
            return kind.cls(**required)
        case inspect.UnionType():
            if any(isinstance(member, inspect.NoneType) for member in kind.types):
                return None
            if any(isinstance(member, inspect.StrType) for member in kind.types):
                return ""
            return NO_SLI
        case inspect.ListType():
            return []
        case inspect.DictType():
            return {}
        case inspect.FloatType():
            return float("nan")
        case inspect.BoolType():
            return False
        case inspect.LiteralType():
            return kind.values[0]
    return ""


#: Stands in for an indicator that could not be understood.
NO_SLI: Sli = Promql(total="")


def default_of(entry: inspect.Field) -> Any:
    """The default of a field; `NODEFAULT` where it has none."""
    if entry.default is not NODEFAULT:
        return entry.default
    return entry.default_factory() if entry.default_factory is not NODEFAULT else NODEFAULT


def _what(node: Node) -> str:
    match node:
        case Scalar():
            return "nothing" if node.is_null else repr(node.text if len(node.text) < 60 else node.text[:57] + "…")
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"


def _wanted(kind: inspect.Type, form: str = "") -> str:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return "a mapping"
        case inspect.ListType():
            return "a list"
        case inspect.BoolType():
            return "true or false"
        case inspect.FloatType():
            return {"duration": "a duration", "ratio": "a ratio"}.get(form, "a number")
        case inspect.LiteralType():
            return _listed([str(value) for value in kind.values])
    return "a name" if form == "name" else "a text"


def _listed(values: list[str]) -> str:
    return " or ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values)


def _did_you_mean(text: str, values: list[str]) -> str:
    hint = suggest(text, values)
    return hint if hint.startswith("did") else ""
