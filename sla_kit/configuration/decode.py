"""From a tree of nodes to structs, collecting every mistake on the way instead of the first.

The structs' own types say what is wanted. What can't be decoded becomes a stand-in that `Places` knows as broken, so
that the rules can go on and say nothing untrue about it.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable
from collections.abc import Mapping as ReadOnly
from functools import cache
from typing import Any, Literal, TypeVar, Union

import msgspec
import yaml

from sla_kit.configuration.nodes import Mapping, Node, Scalar, Sequence, is_null
from sla_kit.configuration.places import Path, Places, nearest
from sla_kit.configuration.quantities import meant_duration, parse_duration, parse_number, parse_ratio
from sla_kit.errors import Mistake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}
#: How numbers of a form are read, and an example.
_PARSED: dict[str, tuple[Callable[[str], float], str]] = {
    "duration": (parse_duration, "such as 15m, 1h30m, 100ms, 30d, or seconds"),
    "ratio": (parse_ratio, "such as 99.9% or 0.999"),
}

Decoded = TypeVar("Decoded", bound=msgspec.Struct)
#: By a struct's type: what makes one of a text that is short for it; raises `Unreadable` where the text is not.
Shorthands = ReadOnly[type, Callable[[str], Any]]


class Unreadable(ValueError):  # noqa: N818  # says no more than that
    """A text is no shorthand of a struct: why not, and a hint. What may be a secret is not ``quoted``."""

    def __init__(self, reason: str, hint: str = "", *, quoted: bool = True) -> None:
        super().__init__(reason)
        self.hint = hint
        self.quoted = quoted


class _UnreadableError(Exception):
    """A value that can't be decoded; its mistake has been noted."""


def decode(
    root: Mapping, wanted: type[Decoded], what: str, *, shorthands: Shorthands | None = None, whole: bool = True
) -> tuple[Decoded, Places, list[Mistake]]:
    """A struct of the ``wanted`` type, complete only where there are no mistakes, and where each of its parts stands.

    ``what`` it is, as a message calls it: "the catalogue". Where ``root`` is not the ``whole`` of it, since a file
    could not be read, nothing is said to be missing at the top, and names that are not found may be declared there.
    """
    decoder = _Decoder(Places(root.place), what, shorthands or {}, whole)
    found: Decoded = decoder.struct(root, wanted, ())
    if not whole:
        for each in written_fields(wanted):
            decoder.places.mark_partial((each.encode_name,))
    return found, decoder.places, decoder.mistakes


class _Decoder:
    def __init__(self, places: Places, what: str, shorthands: Shorthands, whole: bool) -> None:
        self.places = places
        self.what = what
        self.shorthands = shorthands
        self.whole = whole
        self.mistakes: list[Mistake] = []

    def value(self, node: Node, wanted: _Wanted, path: Path) -> Any:
        """A node as the wanted type; `_UnreadableError` after noting why not."""
        self.places.put(path, node.place)
        kind = wanted.kind
        if kind == "any":
            return plain(node)
        if kind == "union":
            return self._one_of(node, wanted, path)
        if isinstance(node, Scalar) and node.type == "null":
            raise self._wrong(node, f"{_label(path)} has no value", "leave the key out, or put text in quotes")
        if kind == "scalar":
            if isinstance(node, Scalar):
                return self._scalar(node, wanted, path)
            what = "text" if wanted.type is str else "one value"
            raise self._wrong(node, f"{_label(path)} must be {what}, not {_what(node)}")
        if kind == "list":
            return self._list(node, wanted, path)
        if kind == "dict":
            return self._dict(node, wanted, path)
        if isinstance(node, Scalar):
            short = self.shorthands.get(wanted.type)
            if short is not None:
                return self._short(node, short, path)
        if not isinstance(node, Mapping):
            raise self._wrong(node, f"{_label(path)} must be a mapping, not {_what(node)}")
        return self.struct(node, wanted.type, path)

    def struct(self, node: Mapping, wanted: Any, path: Path) -> Any:
        """A struct with whatever could be decoded, stand-ins for the rest."""
        tag_field, fields, required = _fields(wanted)
        values: dict[str, Any] = {}
        unknown = False
        for key, (_, child) in node.entries.items():
            each = fields.get(key)
            if each is None:
                unknown = unknown or key != tag_field
                continue
            try:
                values[each.name] = self.value(child, each.wanted, (*path, key))
            except _UnreadableError:
                self.places.mark_broken((*path, key))
                if each.required:
                    values[each.name] = _stand_in(each.wanted)
        guesses = self._unknown_keys(node, [*fields, *([tag_field] if tag_field else [])]) if unknown else set()
        for key in guesses.intersection(fields):
            self.places.mark_broken((*path, key))
        for key in required:
            if key in node.entries:
                continue
            if key not in guesses and (path or self.whole):
                missing = f"{_label(path) or self.what} has no {key}"
                self.mistakes.append(node.place.mistake(missing, node.hint))
            self.places.mark_broken((*path, key))
            values[fields[key].name] = _stand_in(fields[key].wanted)
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

    def _one_of(self, node: Node, wanted: _Wanted, path: Path) -> Any:
        """A union: nothing, text or a list, or one of several structs told apart by their tag."""
        if wanted.nothing and is_null(node):
            return None
        structs = wanted.structs
        if structs and isinstance(node, Mapping):
            return self.struct(node, self._tagged(node, structs, path) if len(structs) > 1 else structs[0], path)
        return self.value(
            node, wanted.of[1 if isinstance(node, Sequence) else 2 if isinstance(node, Mapping) else 0], path
        )

    def _tagged(self, node: Mapping, structs: tuple[Any, ...], path: Path) -> Any:
        field = structs[0].__struct_config__.tag_field
        by_tag = {each.__struct_config__.tag: each for each in structs}
        tag = node.get(field)
        if tag is None:
            raise self._wrong(node, f"{_label(path)} has no {field}", node.hint or f"one of {', '.join(by_tag)}")
        if not isinstance(tag, Scalar) or tag.text not in by_tag:
            text = tag.text if isinstance(tag, Scalar) else ""
            raise self._wrong(tag, f"unknown {field} {_quoted(text)}", nearest(text, by_tag))
        return by_tag[tag.text]

    def _list(self, node: Node, wanted: _Wanted, path: Path) -> list[Any]:
        if not isinstance(node, Sequence):
            hint = f"write [{node.text}]" if isinstance(node, Scalar) and len(node.text) < 40 else ""
            raise self._wrong(node, f"{_label(path)} must be a list, not {_what(node)}", hint)
        found: list[Any] = []
        for item in node.items:
            here = (*path, len(found))
            try:
                found.append(self.value(item, wanted.of[0], here))
            except _UnreadableError:
                self.places.mark_partial(path)
        return found

    def _dict(self, node: Node, wanted: _Wanted, path: Path) -> dict[str, Any]:
        if not isinstance(node, Mapping):
            raise self._wrong(node, f"{_label(path)} must be a mapping, not {_what(node)}")
        found: dict[str, Any] = {}
        for key, (place, child) in node.entries.items():
            here = (*path, key)
            if wanted.form == "name" and not _NAME.fullmatch(key):
                self._bad_name(Scalar(place, key, "str"))
            try:
                found[key] = self.value(child, wanted.of[0], here)
            except _UnreadableError:
                self.places.mark_broken(here)
                found[key] = _stand_in(wanted.of[0])
        return found

    def _short(self, node: Scalar, short: Callable[[str], Any], path: Path) -> Any:
        try:
            return short(node.text)
        except Unreadable as error:
            text = f"{_quoted(node.text)} " if error.quoted else ""
            raise self._wrong(node, f"{_label(path)}: {text}{error}", error.hint) from None

    def _scalar(self, node: Scalar, wanted: _Wanted, path: Path) -> Any:
        form = wanted.form
        if wanted.type is str:
            if form == "name" and not _NAME.fullmatch(node.text):
                self._bad_name(node)
            return node.text
        if wanted.words:
            if node.text not in wanted.words:
                hint = nearest(node.text, wanted.words)
                raise self._wrong(node, f"{_label(path)} can't be {_quoted(node.text)}", hint)
            return node.text
        if wanted.type is bool:
            if node.text.lower() in _TRUE | _FALSE:
                return node.text.lower() in _TRUE
            raise self._wrong(node, f"{_label(path)} must be true or false, not {_quoted(node.text)}")
        parse, hint = _PARSED.get(form, (parse_number, ""))
        try:
            number = parse(node.text)
            if wanted.type is int and number != int(number):
                raise ValueError("is not a whole number")
            return int(number) if wanted.type is int else number
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
    return tuple(each for each in msgspec.structs.fields(wanted) if field_form(each.type) != "unwritten")


def field_form(wanted: Any) -> str:
    """How a field's value is written: "duration", "ratio", "time", "name", "unwritten" where it never is (it is set by
    loading), or "" where nothing is special."""
    return next((form for form in (_bare(each)[0] for each in _options(wanted) or (wanted,)) if form), "")


class _Wanted(msgspec.Struct, frozen=True):
    """A type of the model taken apart, which is done once.

    ``type`` is it without its annotation, ``form`` what that asks for (of a mapping: for its keys). ``of`` is the type
    of a list's items or a mapping's values; of a union what text is read as, what a list is and what a mapping. A union
    may allow ``nothing`` and have ``structs``; ``words`` are those that a text may be.
    """

    type: Any
    form: str
    kind: Literal["any", "union", "list", "dict", "struct", "scalar"]
    of: tuple[_Wanted, ...] = ()
    nothing: bool = False
    structs: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()


class _Field(msgspec.Struct, frozen=True):
    """A field of a struct: its name in Python, and what stands there."""

    name: str
    required: bool
    wanted: _Wanted


@cache
def _fields(wanted: Any) -> tuple[str | None, dict[str, _Field], tuple[str, ...]]:
    """The key that tells a struct from others, its fields by their keys, and the keys that must be there."""
    found = {
        each.encode_name: _Field(each.name, each.required, _taken_apart(each.type)) for each in written_fields(wanted)
    }
    required = tuple(key for key, each in found.items() if each.required)
    return wanted.__struct_config__.tag_field, found, required


def _taken_apart(wanted: Any) -> _Wanted:
    form, wanted = _bare(wanted)
    if wanted is Any:
        return _Wanted(wanted, form, "any")
    options = _options(wanted)
    if options is not None:
        structs = tuple(each for each in options if _is_struct(each))
        rest = [_taken_apart(each) for each in options if each is not type(None) and not _is_struct(each)]
        lists, maps = ([each for each in rest if each.kind == kind] for kind in ("list", "dict"))
        others = [each for each in rest if each.kind not in ("list", "dict")]
        read_as = tuple(
            next(iter(first), None) or _taken_apart(structs[0])
            for first in (others or rest, lists or rest, maps or others or rest)
        )
        return _Wanted(wanted, form, "union", read_as, type(None) in options, structs)
    origin, of = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is list:
        return _Wanted(wanted, form, "list", (_taken_apart(of[0]),))
    if origin is dict:
        return _Wanted(wanted, _bare(of[0])[0], "dict", (_taken_apart(of[1]),))
    if origin is Literal:
        return _Wanted(wanted, form, "scalar", words=of)
    return _Wanted(wanted, form, "struct" if _is_struct(wanted) else "scalar")


def _bare(wanted: Any) -> tuple[str, Any]:
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


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


def _stand_in(wanted: _Wanted) -> Any:
    """Some value of a type, never shown to anybody."""
    if wanted.kind == "struct":
        fields = _fields(wanted.type)[1].values()
        return wanted.type(**{each.name: _stand_in(each.wanted) for each in fields if each.required})
    if wanted.kind == "union":
        return None if wanted.nothing else _stand_in(wanted.of[0])
    if wanted.words:
        return wanted.words[0]
    return (typing.get_origin(wanted.type) or wanted.type)()


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
