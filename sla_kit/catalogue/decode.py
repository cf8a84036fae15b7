"""From a tree of nodes to the catalogue's structs, collecting every mistake on the way instead of the first.

The structs' own types say what is wanted. What can't be decoded becomes a stand-in that `Places` knows as broken, so
that the rules can go on and say nothing untrue about it.
"""

from __future__ import annotations

import json
import re
import types
import typing
from functools import cache
from typing import Any, Literal, Union

import msgspec
import yaml

from sla_kit.catalogue.model import Catalogue, Dependency, Part, Window
from sla_kit.catalogue.nodes import Mapping, Node, Scalar, Sequence, is_null
from sla_kit.catalogue.places import Path, Places, nearest
from sla_kit.catalogue.quantities import meant_duration, parse_duration, parse_number, parse_ratio
from sla_kit.errors import Mistake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}
_PERIODS = ("day", "week", "month", "quarter", "year")
#: Set by loading, never by writing.
_NOT_WRITTEN = {Catalogue: {"folder"}}


class _UnreadableError(Exception):
    """A value that can't be decoded; its mistake has been noted."""


def decode(root: Mapping, *, whole: bool = True) -> tuple[Catalogue, Places, list[Mistake]]:
    """A catalogue, complete only where there are no mistakes, and where each of its parts stands.

    Where ``root`` is not the ``whole`` of it, since a file could not be read, nothing is said to be missing at the
    top, and names that are not found may be declared there.
    """
    decoder = _Decoder(Places(root.place), whole)
    catalogue: Catalogue = decoder.struct(root, Catalogue, ())
    if not whole:
        for each in written_fields(Catalogue):
            decoder.places.mark_partial((each.encode_name,))
    return catalogue, decoder.places, decoder.mistakes


class _Decoder:
    def __init__(self, places: Places, whole: bool) -> None:
        self.places = places
        self.whole = whole
        self.mistakes: list[Mistake] = []

    def value(self, node: Node, wanted: Any, path: Path) -> Any:
        """A node as the wanted type; `_UnreadableError` after noting why not."""
        self.places.put(path, node.place)
        if wanted is Any:
            return plain(node)
        form, wanted = _form(wanted)
        options = _options(wanted)
        if options is not None:
            return self._one_of(node, options, path)
        if is_null(node):
            raise self._wrong(node, f"{_label(path)} has no value", "leave the key out, or put text in quotes")
        origin = typing.get_origin(wanted)
        if origin is list:
            return self._list(node, typing.get_args(wanted)[0], path)
        if origin is dict:
            wanted_key, wanted_value = typing.get_args(wanted)
            return self._dict(node, wanted_key, wanted_value, path)
        if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            if wanted is Window and isinstance(node, Scalar):
                return self._window(node, path)
            if wanted in (Part, Dependency) and isinstance(node, Scalar):
                return wanted(slo=node.text)
            if not isinstance(node, Mapping):
                raise self._wrong(node, f"{_label(path)} must be a mapping, not {_what(node)}")
            return self.struct(node, wanted, path)
        if not isinstance(node, Scalar):
            kind = "text" if wanted is str else "one value"
            raise self._wrong(node, f"{_label(path)} must be {kind}, not {_what(node)}")
        return self._scalar(node, form, wanted, path)

    def struct(self, node: Mapping, wanted: Any, path: Path) -> Any:
        """A struct with whatever could be decoded, stand-ins for the rest."""
        tag_field = wanted.__struct_config__.tag_field
        fields = {each.encode_name: each for each in written_fields(wanted)}
        guesses = self._unknown_keys(node, [*fields, *([tag_field] if tag_field else [])])
        values: dict[str, Any] = {}
        for key, each in fields.items():
            child = node.get(key)
            if child is None:
                if each.required:
                    if key not in guesses and (path or self.whole):
                        missing = f"{_label(path) or 'the catalogue'} has no {key}"
                        self.mistakes.append(node.place.mistake(missing, node.hint))
                    self.places.mark_broken((*path, key))
                    values[each.name] = _stand_in(each.type)
                elif key in guesses:
                    self.places.mark_broken((*path, key))
                continue
            try:
                values[each.name] = self.value(child, each.type, (*path, key))
            except _UnreadableError:
                self.places.mark_broken((*path, key))
                if each.required:
                    values[each.name] = _stand_in(each.type)
        return wanted(**values)

    def _unknown_keys(self, node: Mapping, known: list[str]) -> set[str]:
        """Notes keys that do not exist; returns what they were probably meant to be."""
        free = [key for key in known if key not in node.entries]
        meant: set[str] = set()
        for key, (place, _) in node.entries.items():
            if key in known:
                continue
            hint = nearest(key, free)
            if not hint.startswith("did"):
                hint = nearest(key, known)
            self.mistakes.append(place.mistake(f"unknown key {key}", hint))
            meant.update(name for name in free if hint == f"did you mean {name}?")
        return meant

    def _one_of(self, node: Node, options: tuple[Any, ...], path: Path) -> Any:
        """A union: nothing, text or a list, or one of several structs told apart by their tag."""
        if is_null(node) and type(None) in options:
            return None
        structs = [each for each in options if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        rest = [each for each in options if each is not type(None) and each not in structs]
        if isinstance(node, Mapping) and structs:
            return self.struct(node, self._tagged(node, structs, path) if len(structs) > 1 else structs[0], path)
        if isinstance(node, Sequence):
            rest = [each for each in rest if typing.get_origin(_form(each)[1]) is list] or rest
        else:
            rest = [each for each in rest if typing.get_origin(_form(each)[1]) is not list] or rest
        return self.value(node, rest[0] if rest else structs[0], path)

    def _tagged(self, node: Mapping, structs: list[Any], path: Path) -> Any:
        field = structs[0].__struct_config__.tag_field
        by_tag = {each.__struct_config__.tag: each for each in structs}
        tag = node.get(field)
        if tag is None:
            raise self._wrong(node, f"{_label(path)} has no {field}", node.hint or f"one of {', '.join(by_tag)}")
        if not isinstance(tag, Scalar) or tag.text not in by_tag:
            text = tag.text if isinstance(tag, Scalar) else ""
            raise self._wrong(tag, f"unknown {field} {_quoted(text)}", nearest(text, by_tag))
        return by_tag[tag.text]

    def _list(self, node: Node, wanted: Any, path: Path) -> list[Any]:
        if not isinstance(node, Sequence):
            hint = f"write [{node.text}]" if isinstance(node, Scalar) and len(node.text) < 40 else ""
            raise self._wrong(node, f"{_label(path)} must be a list, not {_what(node)}", hint)
        found: list[Any] = []
        for item in node.items:
            here = (*path, len(found))
            try:
                found.append(self.value(item, wanted, here))
            except _UnreadableError:
                self.places.mark_partial(path)
        return found

    def _dict(self, node: Node, wanted_key: Any, wanted: Any, path: Path) -> dict[str, Any]:
        if not isinstance(node, Mapping):
            raise self._wrong(node, f"{_label(path)} must be a mapping, not {_what(node)}")
        found: dict[str, Any] = {}
        for key, (place, child) in node.entries.items():
            here = (*path, key)
            if _form(wanted_key)[0] == "name" and not _NAME.fullmatch(key):
                self._bad_name(Scalar(place, key, "str"))
            try:
                found[key] = self.value(child, wanted, here)
            except _UnreadableError:
                self.places.mark_broken(here)
                found[key] = _stand_in(wanted)
        return found

    def _window(self, node: Scalar, path: Path) -> Window:
        if node.text in _PERIODS:
            return Window(calendar=typing.cast(Any, node.text))
        try:
            return Window(rolling=parse_duration(node.text))
        except ValueError:
            close = nearest(node.text, _PERIODS)
            hint = close if close.startswith("did") else meant_duration(node.text)
            hint = hint or f"30d, or one of {', '.join(_PERIODS)}"
            raise self._wrong(node, f"{_label(path)}: {_quoted(node.text)} is not a window", hint) from None

    def _scalar(self, node: Scalar, form: str, wanted: Any, path: Path) -> Any:
        if typing.get_origin(wanted) is Literal:
            known = typing.get_args(wanted)
            if node.text not in known:
                raise self._wrong(node, f"{_label(path)} can't be {_quoted(node.text)}", nearest(node.text, known))
            return node.text
        if wanted is str:
            if form == "name" and not _NAME.fullmatch(node.text):
                self._bad_name(node)
            return node.text
        if wanted is bool:
            if node.text.lower() in _TRUE | _FALSE:
                return node.text.lower() in _TRUE
            raise self._wrong(node, f"{_label(path)} must be true or false, not {_quoted(node.text)}")
        parse, hint = {
            "duration": (parse_duration, "such as 15m, 1h30m, 100ms, 30d, or seconds"),
            "ratio": (parse_ratio, "such as 99.9% or 0.999"),
        }.get(form, (parse_number, ""))
        try:
            number = parse(node.text)
            if wanted is int and number != int(number):
                raise ValueError("is not a whole number")
            return int(number) if wanted is int else number
        except (ValueError, ArithmeticError) as error:
            reason = str(error) if form != "ratio" else "is not a share"
            if form == "duration":
                hint = meant_duration(node.text) or hint
            elif form == "ratio" and re.fullmatch(r"\s*\d+,\d+\s*%?\s*", node.text):
                hint = f"write {node.text.strip().replace(',', '.')}"
            raise self._wrong(node, f"{_label(path)}: {_quoted(node.text)} {reason}", hint) from None

    def _bad_name(self, node: Scalar) -> None:
        """The name stays in use: what refers to it is not wrong for that."""
        self.mistakes.append(
            node.place.mistake(
                f"{_quoted(node.text)} can't be a name", 'letters, digits, "-", "_" and ".", a letter or digit first'
            )
        )

    def _wrong(self, node: Node, message: str, hint: str = "") -> _UnreadableError:
        self.mistakes.append(node.place.mistake(message, hint))
        return _UnreadableError()


def plain(node: Node) -> Any:
    """A node as YAML's own values: dict, list, str, int, float, bool or None; times stay text."""
    if isinstance(node, Mapping):
        return {key: plain(child) for key, (_, child) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if node.type in ("int", "float", "bool", "null"):
        return yaml.safe_load(f"!!{node.type} {json.dumps(node.text)}")
    return node.text


@cache
def written_fields(wanted: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a struct that stand in YAML."""
    hidden = _NOT_WRITTEN.get(wanted, set())
    return tuple(each for each in msgspec.structs.fields(wanted) if each.name not in hidden)


def field_form(wanted: Any) -> str:
    """How a field's value is written: "duration", "ratio", "time", "name", or "" where nothing is special."""
    options = _options(wanted) or (wanted,)
    return next((form for form in (_form(each)[0] for each in options) if form), "")


def _form(wanted: Any) -> tuple[str, Any]:
    """The form that a type's annotation asks for, and the type without its annotation."""
    form = ""
    while typing.get_origin(wanted) is typing.Annotated:
        for meta in wanted.__metadata__:
            if isinstance(meta, msgspec.Meta) and meta.extra:
                form = form or meta.extra.get("form", "")
        wanted = wanted.__origin__
    return form, wanted


def _options(wanted: Any) -> tuple[Any, ...] | None:
    """The members of a union, None where it is none."""
    if typing.get_origin(wanted) in (Union, types.UnionType):
        return typing.get_args(wanted)
    return None


def _stand_in(wanted: Any) -> Any:
    """Some value of a type, never shown to anybody."""
    _, wanted = _form(wanted)
    options = _options(wanted)
    if options is not None:
        return None if type(None) in options else _stand_in(str if str in options else options[0])
    origin = typing.get_origin(wanted)
    if origin is Literal:
        return typing.get_args(wanted)[0]
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return wanted(**{each.name: _stand_in(each.type) for each in written_fields(wanted) if each.required})
    return (origin or wanted)()


def _label(path: Path) -> str:
    """How a part is called in a message: the key it stands under."""
    keys = [str(part) for part in path if isinstance(part, str)]
    if not keys:
        return ""
    if isinstance(path[-1], int):
        return f"an entry of {keys[-1]}"
    return keys[-1]


def _what(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    return "a list" if isinstance(node, Sequence) else _quoted(node.text)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
